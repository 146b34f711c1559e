"""Learners for few deposits and no true negatives, as scikit-learn estimators."""

from prospect.models.fuzzy import FuzzyOverlay
from prospect.models.weights_of_evidence import WeightsOfEvidence, pattern_weights

__all__ = ["FuzzyOverlay", "WeightsOfEvidence", "pattern_weights"]
