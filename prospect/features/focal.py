"""Moving windows over a layer: what a cell's surroundings look like, gaps skipped.

A window reaches ``radius`` metres to every side of the cell's centre: ``shape='square'``
rounds that up to whole cells, ``'circle'`` takes the cells whose centre lies within. Cells
outside the grid count as gaps. A cell that is itself a gap stays one: a window describes
evidence, it does not invent any. ``min_valid`` is the share of the window's cells that must
hold a value; with its default of a quarter a full layer keeps its corners.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from prospect import grid
from prospect.errors import RecipeError
from prospect.features.operation import Array, Asks, Family, Parameters, operation
from prospect.grid import Cell

STATISTICS = ("mean", "std", "z", "min", "max", "range")
"""What focal_statistics can give."""


def require_length(name: str, metres: float) -> float:
    """The length itself, if it is more than nothing."""
    if not 0 < metres < math.inf:
        raise RecipeError(f"'{name}' is a length in metres above 0, but {metres:g} came.")
    return metres


def require_share(name: str, share: float) -> float:
    """The share itself, if it lies between 0 and 1."""
    if not 0 <= share <= 1:
        raise RecipeError(f"'{name}' is a share from 0 to 1, but {share:g} came.")
    return share


def require_outputs(outputs: list[str], known: tuple[str, ...]) -> list[str]:
    """The outputs themselves, if all are known, and each is asked for once."""
    if not outputs or len(set(outputs)) < len(outputs) or not set(outputs) <= set(known):
        raise RecipeError(
            f"'outputs' names some of {', '.join(known)}, each once, but {outputs} came."
        )
    return list(outputs)


def window(cell: Cell, parameters: Parameters) -> tuple[int, int]:
    """Rows and columns that ``radius`` reaches to."""
    return cell.halo(require_length("radius", float(parameters["radius"])))


def some_statistics(parameters: Parameters) -> list[str]:
    """The outputs asked for."""
    return require_outputs(parameters["outputs"], STATISTICS)


def reach_of(cell: Cell, radius: float, shape: str) -> tuple[Array, Array]:
    """Cells to both sides of the centre in every row, and in every column; -1 for none."""
    rows, cols = cell.halo(radius)
    if shape == "square":
        return np.full(2 * rows + 1, cols, np.int64), np.full(2 * cols + 1, rows, np.int64)
    if shape != "circle":
        raise RecipeError(f"'shape' is 'square' or 'circle', but {shape!r} came.")

    def chords(count: int, step: float, other: float) -> Array:
        left = radius**2 * (1 + 1e-9) - (np.arange(-count, count + 1) * step) ** 2
        half = np.floor(np.sqrt(np.maximum(left, 0)) / other).astype(np.int64)
        return np.where(left < 0, -1, half)

    return chords(rows, cell.dy, cell.dx), chords(cols, cell.dx, cell.dy)


def size_of(reach: Array) -> int:
    """How many cells a window has."""
    return int(np.sum(np.maximum(2 * reach + 1, 0)))


def fewest(cells: int, min_valid: float) -> int:
    """How many of a window's cells must hold a value; one at least."""
    return max(1, math.ceil(round(require_share("min_valid", min_valid) * cells, 6)))


def moments(
    block: Array,
    out: Array,
    cell: Cell,
    radius: float,
    min_valid: float,
    shape: str,
    places: tuple[int, int, int],
) -> int:
    """Fill the planes at ``places`` with mean, std and z; answers how many cells a window has."""
    from prospect._kernels import focal as kernels

    rows, cols = cell.halo(radius)
    reach, _ = reach_of(cell, radius, shape)
    cells = size_of(reach)
    needed = fewest(cells, min_valid)
    if shape == "square":
        kernels.box_moments(block, rows, cols, grid.LATTICE, needed, *places, out)
    else:
        kernels.shaped_moments(block, reach, cols, grid.LATTICE, needed, *places, out)
    return cells


def lowest(
    block: Array,
    out: Array,
    cell: Cell,
    radius: float,
    min_valid: float,
    shape: str,
    places: tuple[int, int],
) -> None:
    """Fill the planes at ``places`` with the lowest and the highest of the window."""
    from prospect._kernels import focal as kernels

    rows, cols = cell.halo(radius)
    reach, _ = reach_of(cell, radius, shape)
    wanted = np.array([place for place in places if place >= 0], np.int64)
    for place, sign in zip(places, (1, -1), strict=True):
        if place >= 0 and shape == "square":
            kernels.box_lowest(block, rows, cols, sign, out[place])
        elif place >= 0:
            kernels.shaped_lowest(block, reach, cols, sign, out[place])
    if require_share("min_valid", min_valid) > 0:
        needed = fewest(size_of(reach), min_valid)
        if shape == "square":
            kernels.clear_few(block, rows, cols, needed, wanted, out)
        else:
            count = np.empty(out.shape[1:], np.float32)
            count_valid(block, count, cell, radius, shape)
            for place in wanted:
                np.copyto(out[place], np.nan, where=count < needed)


def count_valid(block: Array, out: Array, cell: Cell, radius: float, shape: str) -> int:
    """Fill ``out`` with how many of a window's cells hold a value; answers how many it has."""
    valid = np.isfinite(block).astype(np.float32)
    cells = moments(valid, out[None], cell, radius, 0.0, shape, (0, -1, -1))
    out *= np.float32(cells)
    np.rint(out, out=out)
    return cells


def of_window(parameters: Parameters) -> tuple[float, float, str]:
    """What rows must agree on to share a window."""
    shape = str(parameters.get("shape", "square"))
    return float(parameters["radius"]), float(parameters["min_valid"]), shape


def together(
    block: Array,
    out: Array,
    cell: Cell,
    asked: Sequence[tuple[int, str]],
    key: tuple[float, float, str],
) -> None:
    """Fill planes with statistics of one window, each computed once."""
    first: dict[str, int] = {}
    for plane, what in asked:
        first.setdefault(what, plane)
    mean, std, z = (first.get(what, -1) for what in ("mean", "std", "z"))
    position = first.get("position", -1)
    if position >= 0 and mean < 0:
        mean = position
    if max(mean, std, z) >= 0:
        moments(block, out, cell, *key, (mean, std, z))
    if position >= 0:
        rows, cols = cell.halo(key[0])
        height, width = out.shape[1:]
        centre = block[rows : rows + height, cols : cols + width]
        np.subtract(centre, out[mean], out=out[position])
    low, high, between = (first.get(what, -1) for what in ("min", "max", "range"))
    if between >= 0 and low >= 0 and high >= 0:
        lowest(block, out, cell, *key, (low, high))
        np.subtract(out[high], out[low], out=out[between])
    elif between >= 0:
        # The range stands where one of the two was, and the other is kept or made beside.
        if low >= 0:
            lowest(block, out, cell, *key, (low, between))
            np.subtract(out[between], out[low], out=out[between])
        elif high >= 0:
            lowest(block, out, cell, *key, (between, high))
            np.subtract(out[high], out[between], out=out[between])
        else:
            other = np.empty_like(out[between])
            lowest(block, other[None], cell, key[0], 0.0, key[2], (0, -1))
            lowest(block, out, cell, *key, (-1, between))
            np.subtract(out[between], other, out=out[between])
    elif max(low, high) >= 0:
        lowest(block, out, cell, *key, (low, high))
    for plane, what in asked:
        if plane != first[what]:
            out[plane] = out[first[what]]


WINDOW = Family("window", of_window, together)
"""Rows of one layer, radius, shape and share of valid cells."""


def asks(*what: str) -> tuple[Family, Asks]:
    """A single statistic of a window."""
    return WINDOW, lambda parameters: what


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
