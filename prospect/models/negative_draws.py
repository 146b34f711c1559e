"""Several draws of background: what depends on the draw is an uncertainty."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight

from prospect.errors import ModelError
from prospect.models._bases import fit_weighted, score, seeded, trees_in
from prospect.models._checks import require_two_classes
from prospect.models._two_classes import Wrapper
from prospect.models.bagged_pu import MAX_TREES

Array = NDArray[np.float64]


class NegativeDraws(Wrapper):
    """
    An estimator fitted to several draws of background; the mean scores, the spread warns.

    Parameters
    ----------
    estimator : classifier, optional
        Fitted to every draw; by default a decision tree.
    n_draws : int
    share : float
        Part of the background that a draw takes, without replacement.
    random_state : int, optional

    Attributes
    ----------
    classes_ : array of shape (2,)
    estimators_ : list of fitted classifiers

    Notes
    -----
    Draws that share cells resemble each other, so that the spread is too small by about
    √(1 − share) against that of fresh draws; :meth:`spread` corrects it.
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        n_draws: int = 20,
        share: float = 0.5,
        random_state: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.n_draws = n_draws
        self.share = share
        self.random_state = random_state

    def _default(self) -> Any:
        return DecisionTreeClassifier(min_samples_leaf=3)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NegativeDraws:
        """
        Fit one estimator a draw.

        Parameters
        ----------
        X : array of shape (n, k)
        y : array of shape (n,)
            1 for deposits, 0 for background.
        sample_weight : array of shape (n,), optional
            In each draw the background keeps the sum of weights that all of it has.
        """
        base = self._base()
        X, y = self._to_learn(X, y)
        self.classes_, positive = require_two_classes(y)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        trees = trees_in(base)
        if self.n_draws < 2 or self.n_draws * trees > MAX_TREES:
            raise ModelError(
                f"{self.n_draws} draws of {trees} trees were asked for, but there are at least 2 "
                f"draws, and at most {MAX_TREES:,} trees in a model: use fewer."
            )
        if not 0 < self.share < 1:
            raise ModelError(f"share lies between 0 and 1, but {self.share} came.")
        rng = check_random_state(self.random_state)
        deposits, background = np.flatnonzero(positive), np.flatnonzero(~positive)
        size = max(1, round(self.share * background.size))
        whole = weight[background].sum()
        self.estimators_ = []
        for _ in range(self.n_draws):
            drawn = np.sort(rng.choice(background, size, replace=False))
            kept = np.concatenate([deposits, drawn])
            kept_weight = weight[kept].copy()
            sum_drawn = kept_weight[deposits.size :].sum()
            if sum_drawn > 0:
                kept_weight[deposits.size :] *= whole / sum_drawn
            self.estimators_.append(
                fit_weighted(seeded(base, rng), X[kept], positive[kept], kept_weight)
            )
        return self

    def scores(self, X: Any) -> Array:
        """
        The score of every draw.

        Parameters
        ----------
        X : array of shape (n, k)

        Returns
        -------
        array of shape (draw, n)
        """
        X = self._to_score(X)
        return np.stack([score(each, X) for each in self.estimators_])

    def predict_proba(self, X: Any) -> Array:
        """Mean over the draws, of shape (n, 2)."""
        found = self.scores(X)
        mean = np.zeros(found.shape[1])
        for each in found:
            mean += each
        mean /= len(found)
        return np.column_stack([1 - mean, mean])

    def spread(self, X: Any) -> Array:
        """
        Standard deviation that fresh draws of this size would have.

        Parameters
        ----------
        X : array of shape (n, k)

        Returns
        -------
        array of shape (n,)
        """
        deviation: Array = self.scores(X).std(axis=0, ddof=1) / np.sqrt(1 - self.share)
        return deviation
