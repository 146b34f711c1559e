"""Background, deposits and their places drawn again: one score, and three doubts about it."""

from __future__ import annotations

from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.tree import ExtraTreeClassifier
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from prospect.errors import ModelError
from prospect.models._bases import fit_weighted, score, seeded, trees_in
from prospect.models._checks import require_two_classes
from prospect.models._two_classes import TwoClasses
from prospect.models.bagged_pu import MAX_TREES

Array = NDArray[np.float64]


class TrainingDraws(TwoClasses):
    """
    An estimator for every pair of a background draw and a draw of deposits; the mean scores.

    What was learnt from could have been otherwise: other background, other deposits found
    so far, the same deposits placed a little elsewhere. Each is drawn ``n_draws`` times, and
    the members form a Latin square: member ``i * n_draws + k`` learns from background ``i``
    and deposits ``k``, which stand where placing ``(i + k) % n_draws`` puts them. So every
    background meets every draw of deposits and every placing just once, and an analysis of
    variance [1]_ tells the three apart, and apart from the chance in a single member, which
    the mean over all of them is nearly rid of.

    Parameters
    ----------
    estimator : classifier, optional
        By default one extremely randomised tree.
    n_draws : int
        At least 3; the square of it, times the trees of an estimator, may not pass 2,000.
    random_state : int, optional
    n_jobs : int, optional
        Threads that fit.

    Attributes
    ----------
    classes_ : array of shape (2,)
    estimators_ : list of fitted classifiers
        ``n_draws * n_draws`` of them, in the order above.
    fills_ : array of shape (k,)
        Medians that gaps are filled with, 0 where nothing is known.
    placed_ : bool
        Whether deposits were placed elsewhere in some members.

    References
    ----------
    .. [1] Fisher (1935). The design of experiments, chapter 5.
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        n_draws: int = 20,
        random_state: int | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.n_draws = n_draws
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, group: Any = None, placing: Any = None
    ) -> TrainingDraws:
        """
        Fit the members.

        Parameters
        ----------
        X : array of shape (n, k)
            NaN is filled with the median.
        y : array of shape (n,)
            1 for deposits, 0 for background.
        sample_weight : array of shape (n,), optional
            In every member deposits and background weigh the same in sum.
        group : array of shape (n,), int, optional
            Deposits of one group are drawn together, and so are cells of the background
            that share one, unless it is -1. By default every row is its own.
        placing : array of shape (n,), int, optional
            Of deposits, in which placings a row stands: -1 in all, else in one from 0 to
            ``n_draws - 1``. By default all stand where they are.
        """
        X, y = validate_data(
            self, X, y, dtype=[np.float64, np.float32], ensure_all_finite="allow-nan"
        )
        self.classes_, positive = require_two_classes(y)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        side, base = self.n_draws, self._base()
        trees = trees_in(base)
        if side < 3 or side * side * trees > MAX_TREES:
            raise ModelError(
                f"{side} draws of background by {side} of deposits, each of {trees} trees, were "
                f"asked for, but there are at least 3 by 3, and at most {MAX_TREES:,} trees in a "
                "model: use fewer."
            )
        group = np.full(len(X), -1) if group is None else np.asarray(group)
        placing = np.full(len(X), -1) if placing is None else np.asarray(placing)
        within = (placing >= -1) & (placing < side)
        if group.shape != y.shape or placing.shape != y.shape or not within.all():
            raise ModelError(
                f"A group and a placing of each of {len(y)} rows, placings from -1 to {side - 1}, "
                "were expected."
            )
        self.placed_ = bool((placing[positive] >= 0).any())
        first = placing <= 0
        self.fills_ = _medians(X[first])
        X = np.where(np.isnan(X), self.fills_.astype(X.dtype), X)
        rng = check_random_state(self.random_state)
        grounds = [_drawn(group, ~positive, weight, rng) for _ in range(side)]
        deposits = [_drawn(group, positive, weight, rng) for _ in range(side)]
        members = [seeded(base, rng) for _ in range(side * side)]

        def fitted(member: int) -> Any:
            i, k = divmod(member, side)
            there = (placing < 0) | (placing == (i + k) % side)
            here = [grounds[i], deposits[k] * there]
            if not here[1].any():
                raise ModelError(f"Placing {(i + k) % side} leaves no deposit.")
            drawn = sum(each / each.sum() for each in here) * 0.5
            rows = np.flatnonzero(drawn)
            scaled = drawn[rows] * rows.size
            return fit_weighted(members[member], X[rows], positive[rows], scaled)

        tasks = (delayed(fitted)(member) for member in range(side * side))
        # A member takes milliseconds, and all share the rows: never to other processes.
        self.estimators_ = list(Parallel(self.n_jobs, require="sharedmem")(tasks))
        return self

    def _base(self) -> Any:
        if self.estimator is None:
            return ExtraTreeClassifier(min_samples_leaf=3, max_features="sqrt")
        return self.estimator

    def predict_proba(self, X: Any) -> Array:
        """
        Mean over the members, of shape (n, 2): a ranking, since both classes weigh the same.

        Parameters
        ----------
        X : array of shape (n, k)
        """
        X = self._filled(X)
        total = np.zeros(len(X))
        for each in self.estimators_:
            total += score(each, X)
        mean = total / len(self.estimators_)
        return np.column_stack([1 - mean, mean])

    def variances(self, X: Any) -> Array:
        """
        Variance of the score over draws of background, of deposits, and of their places.

        Parameters
        ----------
        X : array of shape (n, k)

        Returns
        -------
        array of shape (3, n)
            Estimates without bias but for those below 0, which are put at 0; their sum is
            the variance over draws of everything.
        """
        X, side = self._filled(X), self.n_draws
        levels = levels_of(side)
        total, squares = np.zeros(len(X)), np.zeros(len(X))
        sums = np.zeros((3, side, len(X)))
        for member, each in enumerate(self.estimators_):
            said = score(each, X)
            total += said
            squares += said * said
            sums[np.arange(3), levels[:, member]] += said
        return components(total, squares, (sums**2).sum(axis=1), side, placed=self.placed_)

    @property
    def feature_importances_(self) -> Array:
        """Mean importance over the members: what they tell, or slopes on one scale."""
        check_is_fitted(self)
        told = [
            np.abs(each.coef_[0]) if hasattr(each, "coef_") else each.feature_importances_
            for each in self.estimators_
        ]
        mean: Array = np.mean(told, axis=0)
        return mean / mean.sum() if mean.sum() > 0 else mean

    def _filled(self, X: Any) -> NDArray[Any]:
        check_is_fitted(self)
        X = validate_data(
            self, X, dtype=[np.float64, np.float32], ensure_all_finite="allow-nan", reset=False
        )
        return np.where(np.isnan(X), self.fills_.astype(X.dtype), X)


def levels_of(side: int) -> NDArray[np.int64]:
    """Which background, draw of deposits and placing each member has, of shape (3, members)."""
    i, k = np.divmod(np.arange(side * side), side)
    return np.stack([i, k, (i + k) % side])


def components(
    total: Array, squares: Array, squared_sums: Array, side: int, *, placed: bool
) -> Array:
    """
    Variances of the three draws, by analysis of variance of a Latin square.

    Parameters
    ----------
    total, squares : array of any shape
        Sums over the members of what they say, and of its square.
    squared_sums : array of shape (3, ...)
        Sums over the members of each level, squared and added up.
    side : int
        Levels of each draw.
    placed : bool
        Whether placings differ at all.

    Returns
    -------
    array of shape (3, ...)
        Of background, deposits and placings.
    """
    common = total * total / side**2
    between = squared_sums / side - common
    left = squares - common - between.sum(axis=0)
    chance = left / ((side - 1) * (side - 2))
    found: Array = np.maximum((between / (side - 1) - chance) / side, 0.0)
    if not placed:
        found[2] = 0.0
    return found


def _medians(X: NDArray[Any]) -> Array:
    known = ~np.isnan(X).all(axis=0)
    fills = np.zeros(X.shape[1])
    fills[known] = np.nanmedian(X[:, known], axis=0)
    return fills


def _drawn(
    group: NDArray[Any], ours: NDArray[np.bool_], weight: Array, rng: np.random.RandomState
) -> Array:
    """Weights of rows of one class, whose groups are drawn with replacement."""
    rows = np.flatnonzero(ours & (weight > 0))
    if not rows.size:
        raise ModelError("Both classes, deposits and background, need a weight above 0.")
    alone = group[rows] < 0
    names = np.where(alone, group.max() + 1 + np.arange(rows.size), group[rows])
    _, which = np.unique(names, return_inverse=True)
    count = int(which.max()) + 1
    times = np.bincount(rng.randint(0, count, count), minlength=count)
    drawn = np.zeros(len(group))
    drawn[rows] = weight[rows] * times[which]
    return drawn
