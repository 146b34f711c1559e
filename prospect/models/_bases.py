"""How an estimator that is made of others copies, seeds and asks them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter


def seeded(estimator: Any, rng: np.random.RandomState) -> Any:
    """A fresh copy with whole numbers for every random state that it has."""
    copy = clone(estimator)
    names = [n for n in sorted(copy.get_params()) if n.split("__")[-1] == "random_state"]
    return copy.set_params(**{name: int(rng.randint(2**31 - 1)) for name in names})


def fit_weighted(
    estimator: Any, X: NDArray[Any], positive: NDArray[np.bool_], weight: NDArray[np.float64] | None
) -> Any:
    """Fit to 0 and 1; weights reach the estimator, or the last step of a pipeline, that can."""
    last = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    options = {}
    if weight is not None and has_fit_parameter(last, "sample_weight"):
        prefix = f"{estimator.steps[-1][0]}__" if isinstance(estimator, Pipeline) else ""
        options[f"{prefix}sample_weight"] = weight
    return estimator.fit(X, positive.astype(np.int64), **options)


def score(estimator: Any, X: NDArray[Any]) -> NDArray[np.float64]:
    """The score of class 1; 0 or 1 if an estimator has seen one class only."""
    column = list(estimator.classes_).index(1) if 1 in estimator.classes_ else None
    if column is None:
        return np.zeros(len(X))
    found: NDArray[np.float64] = np.asarray(estimator.predict_proba(X), float)[:, column]
    return found


def reads_gaps(estimator: Any) -> bool:
    """Whether an estimator takes NaN."""
    return bool(get_tags(estimator).input_tags.allow_nan)


def trees_in(estimator: Any) -> int:
    """How many trees an estimator is made of; 1 for anything else."""
    parameters = estimator.get_params()
    counting = {"n_estimators", "n_bags", "n_draws"}
    if "max_leaf_nodes" in parameters:
        counting.add("max_iter")  # a tree an iteration: histogram gradient boosting
    count = 1
    for name, value in parameters.items():
        if name.split("__")[-1] in counting and isinstance(value, int | np.integer):
            count *= int(value)
    return count
