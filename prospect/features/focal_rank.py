"""Order and variety in moving windows: median, percentiles, classes; windows as in focal."""

from __future__ import annotations

import numpy as np

from prospect.errors import RecipeError
from prospect.features.operation import Array, operation
from prospect.features.windows import fewest, reach_of, size_of, window
from prospect.grid import Cell


def quantile(
    block: Array, out: Array, cell: Cell, radius: float, min_valid: float, shape: str, share: float
) -> None:
    """Fill ``out`` with a quantile of the window."""
    from prospect._kernels import rank as kernels
    from prospect._kernels import set_rank as narrow

    reach, tall = reach_of(cell, radius, shape)
    needed = fewest(size_of(reach), min_valid)
    if shape == "square" and reach.size == tall.size == 3:
        kernels.nine_rank(block, share, needed, out)
        return
    rows, cols = cell.halo(radius)
    if shape == "square" and all(narrow.tile_of(rows, cols)):
        narrow.set_rank(block, rows, cols, share, needed, *narrow.tile_of(rows, cols), out)
        return
    # Small tiles sort more cells twice, large ones do not stay in the fastest memory.
    tile = 32 if reach.size < 32 else 64 if reach.size < 64 else 128
    if shape == "square":
        kernels.box_rank(block, rows, cols, share, needed, tile, out)
        return
    kernels.window_rank(block, reach, tall, share, needed, tile, out)


@operation(halo=window)
def focal_median(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    radius: float,
    min_valid: float = 0.25,
    shape: str = "square",
) -> None:
    """
    Median of the surroundings, exact.

    A background that single spikes and half a window of anomaly do not move.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
        Any continuous layer; NaN marks gaps.
    radius : float
        Reach of the window to every side, metres.
    min_valid : float
        Share of the window's cells that must hold a value.
    shape : 'square' or 'circle'
        Of the window.

    Returns
    -------
    DataArray of shape (y, x), float32
        In the layer's unit. NaN in gaps and where the window holds too few values.

    References
    ----------
    .. [1] Huang, Yang and Tang (1979). A fast two-dimensional median filtering algorithm.
       IEEE Transactions on Acoustics, Speech and Signal Processing 27(1).
    """
    quantile(block, out, cell, radius, min_valid, shape, 0.5)


@operation(halo=window)
def focal_percentile(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    radius: float,
    percentile: float,
    min_valid: float = 0.25,
    shape: str = "square",
) -> None:
    """
    A percentile of the surroundings, exact, between two values by line.

    The 90th is what the better part of the ground around carries.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
        Any continuous layer; NaN marks gaps.
    radius : float
        Reach of the window to every side, metres.
    percentile : float
        From 0 (lowest) to 100 (highest).
    min_valid : float
        Share of the window's cells that must hold a value.
    shape : 'square' or 'circle'
        Of the window.

    Returns
    -------
    DataArray of shape (y, x), float32
        In the layer's unit. NaN in gaps and where the window holds too few values.
    """
    if not 0 <= percentile <= 100:
        raise RecipeError(f"'percentile' runs from 0 to 100, but {percentile:g} came.")
    quantile(block, out, cell, radius, min_valid, shape, percentile / 100)


@operation(takes="categorical", halo=window, units="nat")
def class_entropy(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    radius: float,
    min_valid: float = 0.25,
    shape: str = "square",
) -> None:
    """
    Diversity of classes in the surroundings, Shannon's entropy.

    High where many rock units meet: structurally busy ground.

    Parameters
    ----------
    layer : DataArray of shape (y, x), integer
        A map of classes; -1 marks gaps.
    radius : float
        Reach of the window to every side, metres.
    min_valid : float
        Share of the window's cells that must hold a value.
    shape : 'square' or 'circle'
        Of the window.

    Returns
    -------
    DataArray of shape (y, x), float32
        Nats, 0 where all is one class. NaN in gaps and where the window holds too few values.

    References
    ----------
    .. [1] Shannon (1948). A mathematical theory of communication. Bell System Technical
       Journal 27.
    """
    from prospect._kernels import rank as kernels

    reach, tall = reach_of(cell, radius, shape)
    cells = size_of(reach)
    counts = np.arange(cells + 1, dtype=np.float64)
    terms = counts * np.log(np.maximum(counts, 1))
    _, codes = among_themselves(block)
    kernels.window_classes(codes, reach, tall, terms, fewest(cells, min_valid), out)


@operation(takes="categorical", halo=window, units="class")
def class_majority(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    radius: float,
    min_valid: float = 0.25,
    shape: str = "square",
) -> None:
    """
    The commonest class of the surroundings; of equals, the one of lowest code.

    Takes slivers out of a geological map before it is counted.

    Parameters
    ----------
    layer : DataArray of shape (y, x), integer
        A map of classes; -1 marks gaps.
    radius : float
        Reach of the window to every side, metres.
    min_valid : float
        Share of the window's cells that must hold a value.
    shape : 'square' or 'circle'
        Of the window.

    Returns
    -------
    DataArray of shape (y, x), float32
        Codes of the layer's table. NaN in gaps and where the window holds too few values.
    """
    from prospect._kernels import rank as kernels

    reach, tall = reach_of(cell, radius, shape)
    needed = fewest(size_of(reach), min_valid)
    table, codes = among_themselves(block)
    kernels.window_classes(codes, reach, tall, np.empty(0), needed, out)
    known = np.isfinite(out)
    out[known] = table[out[known].astype(np.int64)]


def among_themselves(block: Array) -> tuple[Array, Array]:
    """The codes that occur, in order, and the block with their places instead; -1 in gaps."""
    highest = int(block.max(initial=0))
    if highest < 1 << 16:
        seen = np.zeros(highest + 2, np.bool_)
        seen[block] = True
        # The last place is that of -1, a gap.
        seen[-1] = False
        place = np.cumsum(seen, dtype=np.int32) - np.int32(1)
        place[-1] = -1
        return np.flatnonzero(seen), place[block]
    table = np.unique(block[block >= 0])
    found = np.searchsorted(table, block).astype(np.int32)
    return table, np.where(block >= 0, found, np.int32(-1))
