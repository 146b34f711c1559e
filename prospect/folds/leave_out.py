"""Folds that leave out one deposit, one pair or one region, with the ground around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from shapely.geometry.base import BaseGeometry

from prospect.clusters import TOGETHER, merge_within
from prospect.errors import LabelError
from prospect.folds.spatial import Fold, SpatialFolds, checked, nearest, purged

MOST_PAIRS = 500
"""Each pair is a model of its own (METHODS: folds)."""


class BufferedLeaveOneOut(SpatialFolds):
    """
    Hold out one deposit at a time, and learn from nothing near it.

    The ground is held out with its nearest deposit, so that each cell is scored once [1]_.

    Parameters
    ----------
    buffer : float, metres
        Samples nearer than this to the deposit are not learnt from.
    together : float, metres
        Deposits that chains of this distance hold together are left out together.

    References
    ----------
    .. [1] Le Rest, Pinaud, Monestiez, Chadoeuf and Bretagnolle (2014). Spatial
       leave-one-out cross-validation for variable selection in the presence of spatial
       autocorrelation. Global Ecology and Biogeography 23.
    """

    def __init__(self, buffer: float = 10_000.0, *, together: float = TOGETHER) -> None:
        self.buffer = buffer
        self.together = together

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of deposits."""
        coordinates, positive = checked(groups, y)
        return int(merge_within(coordinates[positive], self.together).max()) + 1

    def folds(
        self, X: Any, coordinates: NDArray[np.float64], positive: NDArray[np.bool_]
    ) -> Iterator[Fold]:
        """A deposit and the ground nearest to it, deposit by deposit."""
        deposits = coordinates[positive]
        if not len(deposits):
            raise LabelError("There is no deposit to leave out.")
        cluster = merge_within(deposits, self.together)
        _, near = nearest(deposits, coordinates)
        fold = cluster[near]
        for k in range(int(cluster.max()) + 1):
            train = purged(fold != k, coordinates, deposits[cluster == k], self.buffer)
            yield train, np.flatnonzero(fold == k)


class LeavePairOut(SpatialFolds):
    """
    Hold out one deposit and one cell, and learn from nothing near either.

    The share of pairs in which the deposit scores higher is an AUC that no difference
    between the models of folds can disturb [1]_: see
    :func:`prospect.validation.pair_auc`. Each pair asks for a model of its own: give a
    learner that is quick.

    Parameters
    ----------
    buffer : float, metres
    n_pairs : int
        At most 500; every deposit stands in about equally many.
    random_state : int
        Draws the cells.

    References
    ----------
    .. [1] Airola et al. (2019). The spatial leave-pair-out cross-validation method for
       reliable AUC estimation of spatial classifiers. Data Mining and Knowledge
       Discovery 33.
    """

    def __init__(
        self, buffer: float = 10_000.0, *, n_pairs: int = MOST_PAIRS, random_state: int = 0
    ) -> None:
        self.buffer = buffer
        self.n_pairs = n_pairs
        self.random_state = random_state

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of pairs."""
        return min(self.n_pairs, MOST_PAIRS)

    def folds(
        self, X: Any, coordinates: NDArray[np.float64], positive: NDArray[np.bool_]
    ) -> Iterator[Fold]:
        """Pairs of a deposit and a cell."""
        deposits, cells = np.flatnonzero(positive), np.flatnonzero(~positive)
        if not deposits.size or not cells.size:
            raise LabelError("Pairs need a deposit and a cell of the ground.")
        rng = np.random.default_rng(self.random_state)
        count = self.get_n_splits()
        ones = np.resize(rng.permutation(deposits), count)
        others = rng.choice(cells, count, replace=count > cells.size)
        for pair in np.column_stack([ones, others]):
            train = np.ones(len(coordinates), bool)
            train[pair] = False
            for x, y in coordinates[pair] if self.buffer > 0 else ():
                train &= np.hypot(coordinates[:, 0] - x, coordinates[:, 1] - y) >= self.buffer
            yield train, pair


class LeaveRegionOut(SpatialFolds):
    """
    Hold out one region at a time: would the model have found the next district?

    Parameters
    ----------
    regions : sequence of polygons, optional
        In the coordinates of the samples. Ground outside all of them is learnt from and
        never tested on; a region without deposits as well. By default deposits are
        gathered into ``n_splits`` regions (Ward), and the ground goes with its nearest.
    n_splits : int
        Number of regions, when none are given.
    buffer : float, metres
        Training samples nearer than this to held-out ones are left out.
    """

    def __init__(
        self,
        regions: Sequence[BaseGeometry] | None = None,
        n_splits: int = 3,
        *,
        buffer: float = 0.0,
    ) -> None:
        self.regions = regions
        self.n_splits = n_splits
        self.buffer = buffer

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of regions with deposits."""
        if self.regions is None:
            return self.n_splits
        coordinates, positive = checked(groups, y)
        return len(self._with_deposits(self._outlined(coordinates), positive))

    def folds(
        self, X: Any, coordinates: NDArray[np.float64], positive: NDArray[np.bool_]
    ) -> Iterator[Fold]:
        """Regions with deposits, one by one."""
        if self.regions is None:
            region = self._gathered(coordinates, positive)
        else:
            region = self._outlined(coordinates)
        numbers = self._with_deposits(region, positive)
        if len(numbers) < 2:
            raise LabelError(
                f"Deposits stand in {len(numbers)} of the regions, but one is held out and "
                "another learnt from: give regions that part the deposits."
            )
        for k in numbers:
            held = np.flatnonzero(region == k)
            yield purged(region != k, coordinates, coordinates[held], self.buffer), held

    def _gathered(
        self, coordinates: NDArray[np.float64], positive: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        deposits = coordinates[positive]
        if len(np.unique(deposits, axis=0)) < self.n_splits:
            raise LabelError(f"{len(deposits)} deposits cannot fill {self.n_splits} regions.")
        cluster = fcluster(linkage(deposits, "ward"), self.n_splits, "maxclust") - 1
        return np.asarray(cluster[nearest(deposits, coordinates)[1]], np.int64)

    def _outlined(self, coordinates: NDArray[np.float64]) -> NDArray[np.int64]:
        region = np.full(len(coordinates), -1, np.int64)
        points = shapely.points(coordinates)
        for k, outline in enumerate(self.regions or ()):
            shapely.prepare(outline)
            region[(region < 0) & shapely.covers(outline, points)] = k
        return region

    @staticmethod
    def _with_deposits(region: NDArray[np.int64], positive: NDArray[np.bool_]) -> list[int]:
        return [int(k) for k in np.unique(region[positive]) if k >= 0]
