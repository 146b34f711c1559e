"""Points that stand close together are one deposit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

TOGETHER = 1000.0
"""Occurrences nearer than this, in metres, are one deposit (METHODS: labels)."""


def merge_within(points: NDArray[np.float64], distance: float = TOGETHER) -> NDArray[np.int64]:
    """
    Number the clusters of points that chains of ``distance`` metres hold together.

    Parameters
    ----------
    points : array of shape (n, 2), metres
    distance : float, metres

    Returns
    -------
    array of shape (n,), int
        From 0. Only pairs within the distance are looked at, never all of them.
    """
    if not len(points):
        return np.empty(0, np.int64)
    pairs = KDTree(points).query_pairs(distance, output_type="ndarray")
    near = np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])
    _, cluster = connected_components(
        coo_array(near, shape=(len(points), len(points))), directed=False
    )
    return np.asarray(cluster, np.int64)
