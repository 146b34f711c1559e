"""What a model goes by: the evidence it would miss, how features count, what drives a cell."""

from prospect.explanation.cells import explain_cells
from prospect.explanation.dependence import partial_dependence
from prospect.explanation.importance import own_importance, permutation_importance
from prospect.explanation.outcome import Explanation
from prospect.explanation.running import explain

__all__ = [
    "Explanation",
    "explain",
    "explain_cells",
    "own_importance",
    "partial_dependence",
    "permutation_importance",
]
