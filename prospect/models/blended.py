"""Knowledge and learning blended: few deposits say little, and many say more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from prospect.errors import ModelError
from prospect.models._bases import fit_weighted, score
from prospect.models._checks import require_two_classes
from prospect.models._two_classes import TwoClasses
from prospect.models.fuzzy import FuzzyOverlay

Array = NDArray[np.float64]


class BlendedClassifier(TwoClasses):
    """
    A knowledge-driven map and a learner, the learner's part growing with the deposits.

    With n deposits the learner has the weight ``w = (n − fewest + 1) / (most − fewest + 1)``,
    not below 0 nor above 1: with the defaults nothing below 8 deposits, 1/43 at 8, one half
    at 28 or 29, all from 50 on. What is averaged are ranks: the share of the background
    that scores lower.

    Parameters
    ----------
    knowledge : classifier, optional
        Needs no labels; by default a :class:`FuzzyOverlay` without signs.
    learner : classifier, optional
        By default extremely randomised trees.
    fewest, most : int
        Deposits from which the learner counts, and from which it alone counts.

    Attributes
    ----------
    classes_ : array of shape (2,)
    weight_ : float
        Of the learner.
    knowledge_, learner_ : fitted classifiers
        The learner is None where its weight is 0.
    """

    def __init__(
        self,
        knowledge: Any = None,
        learner: Any = None,
        *,
        fewest: int = 8,
        most: int = 50,
    ) -> None:
        self.knowledge = knowledge
        self.learner = learner
        self.fewest = fewest
        self.most = most

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> BlendedClassifier:
        """
        Fit both, and the ranks of both among the background.

        Parameters
        ----------
        X : array of shape (n, k)
            NaN is missing evidence; both must be able to read it.
        y : array of shape (n,)
            1 for deposits.
        sample_weight : array of shape (n,), optional
            For the learner.
        """
        X, y = validate_data(
            self, X, y, dtype=[np.float64, np.float32], ensure_all_finite="allow-nan"
        )
        self.classes_, positive = require_two_classes(y)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if not 1 <= self.fewest <= self.most:
            raise ModelError(f"1 <= fewest <= most was expected, not {self.fewest}, {self.most}.")
        number = int(positive.sum())
        self.weight_ = float(
            np.clip((number - self.fewest + 1) / (self.most - self.fewest + 1), 0, 1)
        )
        knowledge = FuzzyOverlay() if self.knowledge is None else clone(self.knowledge)
        self.knowledge_ = knowledge.fit(X, positive.astype(np.int64))
        self.knowledge_ranks_ = _known(score(self.knowledge_, X[~positive]))
        self.learner_, self.learner_ranks_ = None, np.empty(0)
        if self.weight_ > 0:
            learner = _trees() if self.learner is None else clone(self.learner)
            self.learner_ = fit_weighted(learner, X, positive, weight)
            self.learner_ranks_ = _known(score(self.learner_, X[~positive]))
        return self

    def predict_proba(self, X: Any) -> Array:
        """
        Weighted mean of the two ranks.

        Parameters
        ----------
        X : array of shape (n, k)

        Returns
        -------
        array of shape (n, 2)
            Where one of the two has no score, the other speaks; NaN where neither has.
        """
        check_is_fitted(self)
        X = validate_data(
            self, X, dtype=[np.float64, np.float32], ensure_all_finite="allow-nan", reset=False
        )
        parts = self.parts_
        mean = weighted_ranks(
            [score(estimator, X) for estimator, _, _ in parts],
            [ranks for _, ranks, _ in parts],
            [share for _, _, share in parts],
        )
        return np.column_stack([1 - mean, mean])

    @property
    def parts_(self) -> list[tuple[Any, Array, float]]:
        """Those that count: the fitted classifier, its scores of background, its weight."""
        both = (
            (self.knowledge_, self.knowledge_ranks_, 1 - self.weight_),
            (self.learner_, self.learner_ranks_, self.weight_),
        )
        return [part for part in both if part[2] > 0]


def weighted_ranks(
    scores: Sequence[Array], among: Sequence[Array], shares: Sequence[float]
) -> Array:
    """
    Weighted mean of the ranks of several scores of the same cells.

    Parameters
    ----------
    scores : sequence of array, all of one shape
    among : sequence of array of shape (n,)
        Scores in rising order, among which each is ranked.
    shares : sequence of float

    Returns
    -------
    array
        Scores that are NaN are left out; NaN where all are.
    """
    total, weight = np.zeros(scores[0].shape), np.zeros(scores[0].shape)
    for each, ranks, share in zip(scores, among, shares, strict=True):
        found = _rank(each, ranks)
        total += share * np.nan_to_num(found)
        weight += share * ~np.isnan(found)
    mean: Array = np.where(weight > 0, total / np.where(weight > 0, weight, 1), np.nan)
    return mean


def _trees() -> Any:
    forest = ExtraTreesClassifier(100, min_samples_leaf=3, random_state=0)
    return make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), forest)


def _known(scores: Array) -> Array:
    found: Array = np.sort(scores[~np.isnan(scores)])
    return found


def _rank(scores: Array, among: Array) -> Array:
    """Share of some scores that is lower, ties counting half; NaN for NaN."""
    if among.size == 0:
        return np.full(scores.shape, np.nan)
    below = np.searchsorted(among, scores, side="left")
    upto = np.searchsorted(among, scores, side="right")
    rank: Array = np.where(np.isnan(scores), np.nan, 0.5 * (below + upto) / among.size)
    return rank
