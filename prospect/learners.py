"""The default learner, and how any scikit-learn estimator is fitted and asked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from prospect.errors import ModelError


def default_estimator(random_state: int = 0, n_jobs: int | None = None) -> Pipeline:
    """
    Extremely randomised trees on features with gaps filled by their median.

    A gap is filled and not flagged: nobody finds deposits under cover, so a learner that
    sees a flag learns that cover is barren.

    Parameters
    ----------
    random_state : int
    n_jobs : int, optional

    Returns
    -------
    Pipeline
    """
    forest = ExtraTreesClassifier(
        n_estimators=400,
        min_samples_leaf=3,
        max_features="sqrt",
        random_state=random_state,
        n_jobs=n_jobs,
    )
    return make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), forest)


def prepare(estimator: Any) -> Any:
    """
    A fresh copy of an estimator, ready for gaps.

    Raises
    ------
    ModelError
        If it cannot give probabilities.
    """
    if not hasattr(estimator, "fit") or not hasattr(estimator, "predict_proba"):
        raise ModelError(
            f"A scikit-learn classifier with predict_proba was expected, but "
            f"{type(estimator).__name__} came."
        )
    copy = clone(estimator)
    if not isinstance(copy, Pipeline) and not get_tags(copy).input_tags.allow_nan:
        imputer = SimpleImputer(strategy="median", keep_empty_features=True)
        copy = make_pipeline(imputer, copy)
    return copy


def fit(
    estimator: Any,
    features: NDArray[np.float32],
    positive: NDArray[np.bool_],
    weight: NDArray[np.float64],
) -> Any:
    """
    Fit a fresh copy; deposits and background weigh the same in sum.

    Parameters
    ----------
    estimator : classifier
    features : array of shape (n, k)
    positive : array of shape (n,), bool
    weight : array of shape (n,)
        Of each sample, before balancing.

    Returns
    -------
    fitted estimator
    """
    fitted = prepare(estimator)
    balanced = weight.astype(float).copy()
    balanced[positive] *= 0.5 * len(weight) / balanced[positive].sum()
    balanced[~positive] *= 0.5 * len(weight) / balanced[~positive].sum()
    last = fitted.steps[-1][1] if isinstance(fitted, Pipeline) else fitted
    options = {}
    if has_fit_parameter(last, "sample_weight"):
        prefix = f"{fitted.steps[-1][0]}__" if isinstance(fitted, Pipeline) else ""
        options[f"{prefix}sample_weight"] = balanced
    fitted.fit(features, positive.astype(np.int64), **options)
    last = fitted.steps[-1][1] if isinstance(fitted, Pipeline) else fitted
    if hasattr(last, "_feature_subsample_rng"):
        # Boosting keeps a generator that only fitting needs and no model file can hold.
        last._feature_subsample_rng = None
    # Asked on several threads, a forest adds its trees up in the order they happen to finish.
    return single_threaded(fitted)


def likelihood(fitted: Any, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """The score of the deposit class, for features of shape (n, k)."""
    column = list(fitted.classes_).index(1)
    scores: NDArray[np.float64] = np.asarray(fitted.predict_proba(features), float)[:, column]
    return scores


def single_threaded(fitted: Any) -> Any:
    """Let an estimator use one thread: parallelism lives in the layer above."""
    names = [name for name in fitted.get_params() if name == "n_jobs" or name.endswith("__n_jobs")]
    return fitted.set_params(**dict.fromkeys(names, 1)) if names else fitted
