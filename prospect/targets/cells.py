"""The cells of a map that score highest, gathered strip by strip; memory grows with them alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from prospect.grid import LATTICE, Grid, Window
from prospect.map_file import MapFile

Cells = NDArray[np.int64]


@dataclass(frozen=True)
class Chosen:
    """
    Cells picked from a map, in the order of rows.

    Attributes
    ----------
    row, col : array of shape (n,), int
    score : array of shape (n,)
    inside : array of shape (n,), bool
        Whether the model has experience there; all where the map does not say.
    total : float
        Sum of the scores of the whole map.
    valid : int
        Cells with a score in the whole map.
    threshold : float
    """

    row: Cells
    col: Cells
    score: NDArray[np.float64]
    inside: NDArray[np.bool_]
    total: float
    valid: int
    threshold: float


def strips(grid: Grid) -> Iterator[Window]:
    """Full-width windows, a lattice block high."""
    for row in range(0, grid.rows, LATTICE):
        yield Window(row, 0, LATTICE, grid.cols).intersect(grid.window)


def score_at_share(scored: MapFile, band: str, share: float) -> float:
    """
    The score that the best part of the ground reaches: exact, in two passes over the map.

    Parameters
    ----------
    scored : MapFile
    band : str
        Of scores that are not negative: their bits as float32 are in their order.
    share : float
        From 0 to 1, of the cells with a score.

    Returns
    -------
    float
        At least ``share`` of the cells score it or more; infinity where there are none.
    """
    upper = np.zeros(2**16, np.int64)
    for window in strips(scored.grid):
        upper += np.bincount(_bits(scored.read(band, window)) >> 16, minlength=2**16)
    wanted = int(np.ceil(share * upper.sum()))
    if wanted == 0:
        return float("inf")
    above = np.cumsum(upper[::-1])[::-1]
    # The highest bucket down to which there are enough cells, and what is left to take of it.
    bucket = int(np.flatnonzero(above >= wanted)[-1])
    left = wanted - int(above[bucket] - upper[bucket])
    lower = np.zeros(2**16, np.int64)
    for window in strips(scored.grid):
        bits = _bits(scored.read(band, window))
        lower += np.bincount(bits[bits >> 16 == bucket] & 0xFFFF, minlength=2**16)
    found = int(np.flatnonzero(np.cumsum(lower[::-1])[::-1] >= left)[-1])
    return float(np.uint32((bucket << 16) | found).view(np.float32))


def choose(scored: MapFile, band: str, threshold: float, inside: str | None) -> Chosen:
    """
    Gather the cells that reach a threshold.

    Parameters
    ----------
    scored : MapFile
    band : str
    threshold : float
    inside : str, optional
        Band of classes whose first one is ground like what the model knows.
    """
    rows, cols, scores, known = [], [], [], []
    sums, valid = [], 0
    for window in strips(scored.grid):
        values = scored.read(band, window)
        found = values == values
        valid += int(found.sum())
        sums.append(float(values[found].sum(dtype=np.float64)))
        row, col = np.nonzero(found & (values >= threshold))
        rows.append(row + window.row)
        cols.append(col)
        scores.append(values[row, col].astype(np.float64))
        if inside is not None:
            known.append(scored.read(inside, window)[row, col] == 0)
    row = np.concatenate(rows)
    return Chosen(
        row,
        np.concatenate(cols),
        np.concatenate(scores),
        np.concatenate(known) if known else np.ones(row.size, bool),
        float(np.sum(sums)),
        valid,
        threshold,
    )


def zones(chosen: Chosen, cols: int) -> Cells:
    """
    Join cells that touch, sides or corners, and are both inside experience or both outside.

    Parameters
    ----------
    chosen : Chosen
    cols : int
        Columns of the map.

    Returns
    -------
    array of shape (n,), int
        The zone of every cell.
    """
    count = chosen.row.size
    place = chosen.row * cols + chosen.col
    starts, ends = [], []
    for down, right in ((0, 1), (1, -1), (1, 0), (1, 1)):
        col = chosen.col + right
        wanted = place + down * cols + right
        at = np.minimum(np.searchsorted(place, wanted), max(0, count - 1))
        here = np.flatnonzero((col >= 0) & (col < cols) & (place[at] == wanted))
        here = here[chosen.inside[here] == chosen.inside[at[here]]]
        starts.append(here)
        ends.append(at[here])
    start, end = np.concatenate(starts), np.concatenate(ends)
    graph = coo_array((np.ones(start.size, np.int8), (start, end)), shape=(count, count))
    _, zone = connected_components(graph, directed=False)
    found: Cells = zone.astype(np.int64)
    return found


def _bits(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    """The bits of the scores there are, in one order with them."""
    known = np.maximum(values[values == values], np.float32(0))
    found: NDArray[np.uint32] = known.view(np.uint32)
    return found
