"""Moving windows over a layer: what a cell's surroundings look like, gaps skipped.

A window reaches ``radius`` metres to every side of the cell's centre: ``shape='square'``
rounds that up to whole cells, ``'circle'`` takes the cells whose centre lies within. Cells
outside the grid count as gaps. A cell that is itself a gap stays one: a window describes
evidence, it does not invent any. ``min_valid`` is the share of the window's cells that must
hold a value; with its default of a quarter a full layer keeps its corners.
"""

from __future__ import annotations

import numpy as np

from prospect.features.operation import Array, operation
from prospect.features.windows import (
    STATISTICS,
    WINDOW,
    asks,
    count_valid,
    lowest,
    moments,
    require_outputs,
    some_statistics,
    together,
    window,
)
from prospect.grid import Cell


@operation(halo=window, anchored=True, joint=asks("mean"))
def focal_mean(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    radius: float,
    min_valid: float = 0.25,
    shape: str = "square",
) -> None:
    """
    Mean of the surroundings.

    Takes the noise out of a survey, and brings evidence of a fine scale to the scale
    at which ore systems work.

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
    """
    moments(block, out[None], cell, radius, min_valid, shape, (0, -1, -1))


@operation(halo=window, anchored=True, joint=asks("std"))
def focal_std(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    radius: float,
    min_valid: float = 0.25,
    shape: str = "square",
) -> None:
    """
    Standard deviation of the surroundings (of the population: divided by the count).

    High where a field is busy: contacts, faults, dyke swarms, dissected relief.

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
    """
    moments(block, out[None], cell, radius, min_valid, shape, (-1, 0, -1))


@operation(halo=window, anchored=True, units="1", joint=asks("z"))
def local_z(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    radius: float,
    min_valid: float = 0.25,
    shape: str = "square",
) -> None:
    """
    How many local standard deviations a cell lies above the local mean.

    Lifts weak anomalies out of a changing background, as in stream-sediment surveys that
    cross several rock units.

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
        Standard deviations, 0 where the window is constant. NaN in gaps and where the
        window holds too few values.
    """
    moments(block, out[None], cell, radius, min_valid, shape, (-1, -1, 0))


@operation(halo=window, anchored=True, joint=asks("min"))
def focal_min(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    radius: float,
    min_valid: float = 0.25,
    shape: str = "square",
) -> None:
    """
    Lowest value of the surroundings.

    The regional floor that an anomaly stands on; the valley level of a relief.

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
    """
    lowest(block, out[None], cell, radius, min_valid, shape, (0, -1))


@operation(halo=window, anchored=True, joint=asks("max"))
def focal_max(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    radius: float,
    min_valid: float = 0.25,
    shape: str = "square",
) -> None:
    """
    Highest value of the surroundings.

    The best sample within reach: an anomaly counts for the ground around it too.

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
    """
    lowest(block, out[None], cell, radius, min_valid, shape, (-1, 0))


@operation(halo=window, anchored=True, joint=asks("range"))
def focal_range(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    radius: float,
    min_valid: float = 0.25,
    shape: str = "square",
) -> None:
    """
    Highest less lowest value of the surroundings.

    Local relief when the layer is an elevation; contrast of a field otherwise.

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
    """
    together(block, out[None], cell, [(0, "range")], (radius, min_valid, shape))


@operation(halo=window, anchored=True, units="cells")
def valid_count(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    radius: float,
    shape: str = "square",
) -> None:
    """
    How many cells of the surroundings hold a value.

    How much a windowed statistic rests on: near the edge of a survey it rests on little.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
        Any continuous layer; NaN marks gaps.
    radius : float
        Reach of the window to every side, metres.
    shape : 'square' or 'circle'
        Of the window.

    Returns
    -------
    DataArray of shape (y, x), float32
        Cells, also in gaps. No gaps of its own.
    """
    count_valid(block, out, cell, radius, shape)


@operation(halo=window, anchored=True, units="1")
def share_above(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    radius: float,
    threshold: float,
    min_valid: float = 0.25,
    shape: str = "square",
) -> None:
    """
    Share of the valid surroundings that lies above a value.

    How much of the ground around is anomalous, whatever the height of the anomalies.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
        Any continuous layer; NaN marks gaps.
    radius : float
        Reach of the window to every side, metres.
    threshold : float
        In the layer's unit; values equal to it do not count.
    min_valid : float
        Share of the window's cells that must hold a value.
    shape : 'square' or 'circle'
        Of the window.

    Returns
    -------
    DataArray of shape (y, x), float32
        From 0 to 1. NaN in gaps and where the window holds too few values.
    """
    above = np.where(np.isfinite(block), block > np.float32(threshold), np.float32(np.nan))
    moments(
        above.astype(np.float32, copy=False),
        out[None],
        cell,
        radius,
        min_valid,
        shape,
        (0, -1, -1),
    )


@operation(halo=window, anchored=True, columns=some_statistics, joint=(WINDOW, some_statistics))
def focal_statistics(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    radius: float,
    outputs: list[str],
    min_valid: float = 0.25,
    shape: str = "square",
) -> None:
    """
    Several statistics of the same surroundings, for less than one after the other.

    The same values as the single operations give.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
        Any continuous layer; NaN marks gaps.
    radius : float
        Reach of the window to every side, metres.
    outputs : list of str
        Any of 'mean', 'std', 'z', 'min', 'max', 'range'.
    min_valid : float
        Share of the window's cells that must hold a value.
    shape : 'square' or 'circle'
        Of the window.

    Returns
    -------
    DataArray of shape (feature, y, x), float32
        One plane an output. NaN in gaps and where the window holds too few values.
    """
    wanted = require_outputs(outputs, STATISTICS)
    together(block, out, cell, list(enumerate(wanted)), (radius, min_valid, shape))
