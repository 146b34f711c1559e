"""Learners for few deposits and no true negatives, as scikit-learn estimators."""

from prospect.models.bagged_pu import MAX_TREES, BaggedPU
from prospect.models.blended import BlendedClassifier
from prospect.models.class_encoder import ClassEncoder
from prospect.models.elkan_noto import ElkanNoto
from prospect.models.fuzzy import FuzzyOverlay
from prospect.models.negative_draws import NegativeDraws
from prospect.models.patterns import pattern_weights
from prospect.models.signed_logistic import SignedLogistic
from prospect.models.training_draws import TrainingDraws
from prospect.models.weights_of_evidence import WeightsOfEvidence

__all__ = [
    "MAX_TREES",
    "BaggedPU",
    "BlendedClassifier",
    "ClassEncoder",
    "ElkanNoto",
    "FuzzyOverlay",
    "NegativeDraws",
    "SignedLogistic",
    "TrainingDraws",
    "WeightsOfEvidence",
    "pattern_weights",
]
