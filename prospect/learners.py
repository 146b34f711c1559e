"""The default learner, and how any scikit-learn estimator is fitted and asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.impute import SimpleImputer
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import TargetEncoder
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
    return with_filled_gaps(forest)


def with_filled_gaps(estimator: Any, *, flag: bool = False) -> Pipeline:
    """
    An estimator on features with gaps filled by their median, and flagged if asked.

    Both belong to the estimator and not to the recipe, so that every fold fills with the
    medians of its own training cells, and no feature of a map can be a flag by accident.

    .. warning:: Nobody finds deposits under cover. A learner of geology that sees flags
       learns that cover is barren: ask for them only in a model of *where people looked*.

    Parameters
    ----------
    estimator : classifier
    flag : bool
        Add a column of 1 in gaps and 0 elsewhere, for each feature that has gaps where the
        estimator is fitted. Gaps of other features are filled without one.

    Returns
    -------
    Pipeline
    """
    return make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True, add_indicator=flag),
        estimator,
    )


class ClassEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """
    Classes as the share of deposits among their training cells; gaps stay gaps.

    scikit-learn's ``TargetEncoder``, which does the counting, takes a gap for one more class,
    and would learn that cover is barren. Training cells are encoded from other parts of the
    training cells (cross fitting), so that a rare class does not give its labels away.
    Weights are not counted.

    Parameters
    ----------
    smooth : 'auto' or float
        How much the shares of rare classes are drawn to that of the whole.
    parts : int
        Of the training cells, for cross fitting.
    random_state : int
        Of the parts.
    """

    def __init__(self, smooth: float | str = "auto", parts: int = 5, random_state: int = 0) -> None:
        self.smooth = smooth
        self.parts = parts
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> ClassEncoder:
        """Learn the shares, of class codes of shape (n, k)."""
        self.encoder_ = self._counted(np.asarray(X, float), np.asarray(y))
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Encode cells; a class never seen gets the share of the whole."""
        return _shares(self.encoder_, np.asarray(X, float))

    def fit_transform(self, X: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Learn the shares, and encode the cells they were learnt from by cross fitting."""
        codes, labels = np.asarray(X, float), np.asarray(y)
        self.fit(codes, labels)
        parts = min(self.parts, int(np.unique(labels, return_counts=True)[1].min()))
        if parts < 2:
            return self.transform(codes)
        out = np.empty(codes.shape)
        folds = StratifiedKFold(parts, shuffle=True, random_state=self.random_state)
        for others, here in folds.split(codes, labels):
            out[here] = _shares(self._counted(codes[others], labels[others]), codes[here])
        return out

    def _counted(self, codes: NDArray[np.float64], labels: NDArray[Any]) -> TargetEncoder:
        return TargetEncoder(target_type="binary", smooth=self.smooth).fit(codes, labels)


def _shares(encoder: TargetEncoder, codes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(codes), np.nan, encoder.transform(codes))


def with_encoded_classes(
    estimator: Any, columns: Sequence[int], *, random_state: int = 0
) -> Pipeline:
    """
    An estimator that encodes class codes by the share of deposits in each class.

    The encoder looks at labels, so it belongs to the estimator: :func:`out_of_fold` of
    training fits both afresh in every fold, and a held-out deposit never tells its class.

    Parameters
    ----------
    estimator : classifier
        Gaps are filled by the median if it does not take any.
    columns : sequence of int
        Places of the class codes, made by the operation ``class_code``, among the
        features.
    random_state : int
        Of the cross fitting.

    Returns
    -------
    Pipeline

    Raises
    ------
    ModelError
        If no column is named.
    """
    if not len(columns):
        raise ModelError("Name the columns that hold class codes, by their place: none came.")
    encoder = ClassEncoder(random_state=random_state)
    split = ColumnTransformer([("classes", encoder, list(columns))], remainder="passthrough")
    return make_pipeline(split, *_steps(prepare(estimator)))


def _steps(estimator: Any) -> list[Any]:
    """What a pipeline consists of; itself, if it is none."""
    return [step for _, step in estimator.steps] if isinstance(estimator, Pipeline) else [estimator]


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
        copy = with_filled_gaps(copy)
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
