"""Folds whose held-out deposits are as far from the known as the map's cells are: kNNDM."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial import KDTree
from scipy.stats import ks_2samp, wasserstein_distance

from prospect.clusters import TOGETHER, merge_within
from prospect.errors import LabelError
from prospect.folds.spatial import Fold, SpatialFolds, nearest, purged

CANDIDATES = 100
"""Numbers of clusters that are tried, the small ones more closely."""


class NearestNeighbourFolds(SpatialFolds):
    """
    Match how far held-out deposits are from known ones to how far the map's cells are.

    Deposits are gathered into ever more clusters, clusters are dealt to folds, and the
    dealing is taken whose distances come nearest to those of prediction (kNNDM) [1]_. The
    ground between goes with its nearest deposit. Where deposits are no more clustered than
    the cells, deposits are dealt at random.

    Parameters
    ----------
    n_splits : int
    largest : float
        No fold holds more than this share of the deposits.
    together : float, metres
        Deposits nearer than this are one and never parted.
    buffer : float, metres
        Training samples nearer than this to held-out ones are left out. The method has
        none; focal windows ask for it.
    random_state : int
        Of the dealing at random.

    Attributes
    ----------
    w_ : float, metres
        Wasserstein distance between the distances of validation and of prediction.
    clusters_ : int
        Clusters of the dealing that was taken; 0 if at random.

    References
    ----------
    .. [1] Linnenbrink, Milà, Ludwig and Meyer (2024). kNNDM CV: k-fold nearest-neighbour
       distance matching cross-validation for map accuracy estimation. Geoscientific Model
       Development 17.
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        largest: float = 0.5,
        together: float = TOGETHER,
        buffer: float = 0.0,
        random_state: int = 0,
    ) -> None:
        self.n_splits = n_splits
        self.largest = largest
        self.together = together
        self.buffer = buffer
        self.random_state = random_state

    def folds(
        self, X: Any, coordinates: NDArray[np.float64], positive: NDArray[np.bool_]
    ) -> Iterator[Fold]:
        """Deposits by :meth:`assign`, everything else with its nearest deposit."""
        deposits = coordinates[positive]
        of_deposit = self.assign(deposits, coordinates[~positive])
        fold = np.empty(len(coordinates), np.int64)
        fold[positive] = of_deposit
        _, near = nearest(deposits, coordinates[~positive])
        fold[~positive] = of_deposit[near]
        for k in range(self.n_splits):
            held = np.flatnonzero(fold == k)
            yield purged(fold != k, coordinates, coordinates[held], self.buffer), held

    def assign(
        self, deposits: NDArray[np.float64], cells: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """
        The fold of every deposit.

        Parameters
        ----------
        deposits : array of shape (n, 2), metres
        cells : array of shape (m, 2), metres
            Ground that will be predicted.

        Returns
        -------
        array of shape (n,), int
        """
        points, member = _merged(deposits, self.together)
        if len(points) < max(self.n_splits, 3):
            raise LabelError(
                f"{len(points)} deposits cannot fill {self.n_splits} folds: use fewer folds."
            )
        if not 1 / self.n_splits < self.largest < 1:
            raise LabelError(
                f"The largest share of a fold lies between 1/{self.n_splits} and 1, not at "
                f"{self.largest:g}."
            )
        wanted = np.sort(nearest(points, cells)[0])
        between = KDTree(points).query(points, k=2)[0][:, 1]
        fold = np.random.default_rng(self.random_state).permutation(len(points)) % self.n_splits
        self.clusters_ = 0
        if ks_2samp(between, wanted, alternative="greater").pvalue < 0.05:
            best = np.inf
            for number, dealt in _dealings(points, self.n_splits):
                if np.bincount(dealt).max() > self.largest * len(points):
                    continue
                w = wasserstein_distance(held_out_distances(points, dealt), wanted)
                if w < best:
                    best, fold, self.clusters_ = w, dealt, number
        self.w_ = float(wasserstein_distance(held_out_distances(points, fold), wanted))
        return fold[member]


def held_out_distances(points: NDArray[np.float64], fold: NDArray[np.int64]) -> NDArray[np.float64]:
    """Distance of every point to the nearest of another fold."""
    gap = np.empty(len(points))
    for k in np.unique(fold):
        held = fold == k
        gap[held] = nearest(points[~held], points[held])[0]
    return gap


def _merged(
    points: NDArray[np.float64], distance: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Centres of what chains of a distance hold together, and which centre each point has."""
    if len(points) < 2 or distance <= 0:
        return points, np.arange(len(points))
    member = merge_within(points, distance)
    count = np.bincount(member)
    centres = [np.bincount(member, weights=axis) / count for axis in points.T]
    return np.column_stack(centres), member


def _dealings(
    points: NDArray[np.float64], n_splits: int
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Ways to deal points to folds, from large clusters to small ones."""
    tree = linkage(points, "ward")
    centred = points - points.mean(axis=0)
    along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
    last = max(n_splits, len(points) - 2)
    for number in np.unique(np.rint(np.geomspace(n_splits, last, CANDIDATES)).astype(int)):
        cluster = fcluster(tree, number, "maxclust") - 1
        size = np.bincount(cluster)
        order = np.argsort(np.bincount(cluster, weights=along) / size, kind="stable")
        # A cluster that fills a fold has it to itself; the others take turns along the
        # longest axis, so that folds lie between one another.
        fold_of = np.full(size.size, -1, np.int64)
        large = [c for c in order if size[c] >= len(points) / n_splits][:n_splits]
        fold_of[large] = np.arange(len(large))
        small = [c for c in order if fold_of[c] < 0]
        free = np.arange(len(large), n_splits)
        if small and not free.size:
            continue
        fold_of[small] = np.resize(free, len(small))
        fold = fold_of[cluster]
        if np.unique(fold).size == n_splits:
            yield int(number), fold
