"""Bagging of deposits against random background: learning without true negatives."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import ExtraTreeClassifier
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from prospect.errors import ModelError
from prospect.models._bases import fit_weighted, score, seeded, trees_in
from prospect.models._checks import require_two_classes
from prospect.models._two_classes import Wrapper

Array = NDArray[np.float64]

MAX_TREES = 2_000
"""Trees in a model; each is paid for at every cell of the map (METHODS: positive-unlabelled)."""


class BaggedPU(Wrapper):
    """
    Positive-unlabelled bagging [1]_.

    Background is not barren ground but ground of which nothing is known. Every bag sets all
    deposits against a few background cells drawn afresh, so that a deposit hidden among
    them spoils few bags; the score is the mean over the bags.

    Parameters
    ----------
    estimator : classifier, optional
        Fitted to every bag; by default one extremely randomised tree.
    n_bags : int
        Bags times the trees of an estimator may not pass 2,000.
    size : int, optional
        Background cells in a bag; by default as many as there are deposits.
    bootstrap_deposits : bool
        Draw the deposits of a bag too, with replacement: then deposits have out-of-bag
        scores as well.
    random_state : int, optional

    Attributes
    ----------
    classes_ : array of shape (2,)
    estimators_ : list of fitted classifiers
    oob_decision_function_ : array of shape (n,)
        Mean score of each sample over the bags that it was not in; NaN where it was in all,
        as deposits are unless they are drawn.

    References
    ----------
    .. [1] Mordelet and Vert (2014). A bagging SVM to learn from positive and unlabeled
       examples. Pattern Recognition Letters 37.
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        n_bags: int = 100,
        size: int | None = None,
        bootstrap_deposits: bool = False,
        random_state: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.n_bags = n_bags
        self.size = size
        self.bootstrap_deposits = bootstrap_deposits
        self.random_state = random_state

    def _default(self) -> Any:
        return ExtraTreeClassifier(max_features="sqrt", min_samples_leaf=2)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> BaggedPU:
        """
        Fit the bags.

        Parameters
        ----------
        X : array of shape (n, k)
        y : array of shape (n,)
            1 for deposits, 0 for background of which nothing is known.
        sample_weight : array of shape (n,), optional
            Within a bag deposits and background weigh the same in sum.
        """
        base = self._base()
        X, y = self._to_learn(X, y)
        self.classes_, positive = require_two_classes(y)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        trees = trees_in(base)
        if self.n_bags < 1 or self.n_bags * trees > MAX_TREES:
            raise ModelError(
                f"{self.n_bags} bags of {trees} trees were asked for, but a model has from 1 to "
                f"{MAX_TREES:,} trees, since each is paid for at every cell: use fewer bags."
            )
        rng = check_random_state(self.random_state)
        deposits = np.flatnonzero(positive & (weight > 0))
        background = np.flatnonzero(~positive & (weight > 0))
        if not deposits.size or not background.size:
            raise ModelError("Both classes, deposits and background, need a weight above 0.")
        size = deposits.size if self.size is None else int(self.size)
        if size < 1:
            raise ModelError(f"A bag takes at least one cell of background, not {size}.")
        self.estimators_ = []
        total, count = np.zeros(len(X)), np.zeros(len(X))
        for _ in range(self.n_bags):
            ours = deposits
            if self.bootstrap_deposits:
                ours = rng.choice(deposits, deposits.size)
            drawn = rng.choice(background, size)
            bag = np.concatenate([ours, drawn])
            bag_weight = weight[bag].copy()
            bag_weight[: ours.size] *= size / bag_weight[: ours.size].sum()
            bag_weight[ours.size :] *= size / bag_weight[ours.size :].sum()
            fitted = fit_weighted(seeded(base, rng), X[bag], positive[bag], bag_weight)
            self.estimators_.append(fitted)
            out = np.ones(len(X), bool)
            out[bag] = False
            if out.any():
                total[out] += score(fitted, X[out])
                count[out] += 1
        self.oob_decision_function_ = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        return self

    def predict_proba(self, X: Any) -> Array:
        """
        Mean over the bags: a ranking; half of each bag are deposits, so no probability.

        Parameters
        ----------
        X : array of shape (n, k)

        Returns
        -------
        array of shape (n, 2)
        """
        X = self._to_score(X)
        total = np.zeros(len(X))
        for each in self.estimators_:
            total += score(each, X)
        mean = total / len(self.estimators_)
        return np.column_stack([1 - mean, mean])

    @property
    def feature_importances_(self) -> Array:
        """Mean importance over the bags, where estimators tell."""
        check_is_fitted(self)
        mean: Array = np.mean([each.feature_importances_ for each in self.estimators_], axis=0)
        return mean
