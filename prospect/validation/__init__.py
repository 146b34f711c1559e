"""A validation that cannot flatter: folds, baselines, alarms, what layers are worth, a verdict."""

from prospect.validation.alarms import Alarm, feature_alarms, feature_signs
from prospect.validation.baselines import baseline_scores, baselines
from prospect.validation.cover import cover_table, explain_cover
from prospect.validation.outcome import Validation
from prospect.validation.pairs import pair_auc
from prospect.validation.permissive import explain_permissive, permissive_table
from prospect.validation.running import FOLDS, validate
from prospect.validation.sensitivity import without_layers
from prospect.validation.setting import blocks_of, make_splitter, samples_of
from prospect.validation.transfer import feature_shift
from prospect.validation.verdict import verdict

__all__ = [
    "FOLDS",
    "Alarm",
    "Validation",
    "baseline_scores",
    "baselines",
    "blocks_of",
    "cover_table",
    "explain_cover",
    "explain_permissive",
    "feature_alarms",
    "feature_shift",
    "feature_signs",
    "make_splitter",
    "pair_auc",
    "permissive_table",
    "samples_of",
    "validate",
    "verdict",
    "without_layers",
]
