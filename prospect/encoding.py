"""Any estimator made ready for cells: gaps filled, classes encoded, afresh in every fold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import get_tags

from prospect.errors import ModelError
from prospect.models import ClassEncoder


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


def with_encoded_classes(
    estimator: Any, columns: Sequence[int], *, random_state: int = 0
) -> Pipeline:
    """
    An estimator that encodes class codes by the share of deposits in each class.

    The encoder looks at labels, so it belongs to the estimator:
    :func:`~prospect.held_out.out_of_fold` fits both afresh in every fold, and a held-out
    deposit never tells its class.

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
