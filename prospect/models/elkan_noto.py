"""Elkan and Noto: from 'is a known deposit' to 'is a deposit'."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.utils import check_random_state

from prospect.errors import ModelError
from prospect.models._bases import fit_weighted, score, seeded
from prospect.models._checks import require_two_classes
from prospect.models._two_classes import Wrapper

Array = NDArray[np.float64]


class ElkanNoto(Wrapper):
    """
    Probabilities of being a deposit from those of being a known one [1]_.

    A classifier of known deposits against everything else gives g(x) = c · p(x), where c is
    the share of deposits that is known. c is the mean of g over known deposits that the
    classifier has not seen.

    It holds if deposits are known at random. They are not where access decided: weigh or
    choose the samples by detectability first.

    Parameters
    ----------
    estimator : classifier, optional
        Gives g; its scores must be probabilities. By default a logistic regression.
    n_splits : int
        Folds in which deposits are held out to find c.
    random_state : int, optional

    Attributes
    ----------
    classes_ : array of shape (2,)
    c_ : float
        The share of the deposits among the samples that is known.
    estimator_ : fitted classifier

    Notes
    -----
    Samples are not weighted: balancing would change what g means.

    References
    ----------
    .. [1] Elkan and Noto (2008). Learning classifiers from only positive and unlabeled data.
       KDD 2008.
    """

    def __init__(
        self, estimator: Any = None, *, n_splits: int = 5, random_state: int | None = None
    ) -> None:
        self.estimator = estimator
        self.n_splits = n_splits
        self.random_state = random_state

    def _default(self) -> Any:
        return LogisticRegression(max_iter=1000)

    def fit(self, X: Any, y: Any) -> ElkanNoto:
        """
        Find c on deposits held out, then fit to all samples.

        Parameters
        ----------
        X : array of shape (n, k)
        y : array of shape (n,)
            1 for known deposits, 0 for cells drawn at random.
        """
        base = self._base()
        X, y = self._to_learn(X, y)
        self.classes_, positive = require_two_classes(y)
        splits = min(self.n_splits, int(positive.sum()), int((~positive).sum()))
        if splits < 2:
            raise ModelError("At least two deposits and two other cells are needed to find c.")
        rng = check_random_state(self.random_state)
        folds = StratifiedKFold(splits, shuffle=True, random_state=int(rng.randint(2**31 - 1)))
        held = np.full(len(X), np.nan)
        for train, test in folds.split(X, positive):
            fitted = fit_weighted(seeded(base, rng), X[train], positive[train], None)
            asked = test[positive[test]]
            held[asked] = score(fitted, X[asked])
        self.c_ = float(held[positive].mean())
        if not self.c_ > 0:
            raise ModelError(
                "Held-out deposits score 0, so c cannot be found: the classifier must give "
                "probabilities, and the evidence must say something."
            )
        self.estimator_ = fit_weighted(seeded(base, rng), X, positive, None)
        return self

    def predict_proba(self, X: Any) -> Array:
        """
        g / c, at most 1.

        Parameters
        ----------
        X : array of shape (n, k)

        Returns
        -------
        array of shape (n, 2)
        """
        X = self._to_score(X)
        likely = np.minimum(score(self.estimator_, X) / self.c_, 1)
        return np.column_stack([1 - likely, likely])
