"""Distance to mapped geometry and to classes of a map, exact on the grid.

Distances run between the centres of cells, in metres, whatever the cell's shape; geometry
is known to the cell it was burnt into, so the error against the drawn line is at most one
cell. Beyond the cap every distance is the cap: that is what lets a tile be computed
alone. A cell is a source, or it is not: there are no gaps, and where a categorical layer
has one the distance is still that to the nearest known cell of the classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from prospect.errors import RecipeError
from prospect.features.focal import moments, require_length, window
from prospect.features.operation import Array, Parameters, operation
from prospect.grid import Cell

FLOOR = 10_000.0
"""Least default cap of a proximity, metres."""

CHAIN = 0.948
"""Length of a line over that of its chain of cells, on average over all directions."""

MOST_CELLS = 30_000
"""Reach of a distance in cells: rows are counted in 16 bits."""

SAME_SHAPE = 1000
"""Sides of a cell are taken in a ratio of whole numbers up to this: good to a millionth."""


def within_cap(cell: Cell, parameters: Parameters) -> tuple[int, int]:
    """Rows and columns that a distance can reach to."""
    return cell.halo(require_length("cap", float(parameters["cap"])))


def within_decay(cell: Cell, parameters: Parameters) -> tuple[int, int]:
    """Rows and columns that a proximity can reach to."""
    return cell.halo(decay_cap(float(parameters["scale"]), float(parameters["cap"])))


def window_and_one(cell: Cell, parameters: Parameters) -> tuple[int, int]:
    """As far as ``radius``, and one cell more for the links between cells."""
    rows, cols = window(cell, parameters)
    return rows + 1, cols + 1


def decay_cap(scale: float, cap: float) -> float:
    """The cap in metres; 0 stands for 10 km or four scales, whichever is more."""
    require_length("scale", scale)
    return require_length("cap", cap) if cap else max(FLOOR, 4 * scale)


def class_codes(
    values: Array, attrs: Mapping[str, Any], *, classes: list[str], **_: Any
) -> dict[str, Any]:
    """
    The codes of named classes in this layer's table.

    Raises
    ------
    RecipeError
        If the layer has no table, or the table has no such class.
    """
    import difflib

    table = {str(name): int(code) for code, name in dict(attrs.get("classes") or {}).items()}
    if not table:
        raise RecipeError(
            "Classes are named, but the layer has no table of classes: "
            "give it one in attrs['classes'], code to name."
        )
    if not classes:
        raise RecipeError(f"Name at least one class; the layer has: {', '.join(table)}.")
    names = [str(name) for name in classes]
    for name in names:
        if name not in table:
            near = difflib.get_close_matches(name, table, n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"it has: {', '.join(table)}."
            raise RecipeError(f"The layer has no class '{name}': {hint}")
    return {"codes": sorted({table[name] for name in names})}


@operation(takes="geometry", halo=within_cap, units="m")
def distance_to(block: Array, *, out: Array, cell: Cell, cap: float = 10_000.0) -> None:
    """
    Distance to the nearest cell of a geometry.

    How far ore lies from faults, contacts or intrusions is the oldest evidence of all.

    Parameters
    ----------
    geometry : DataArray of shape (y, x)
        1 on the burnt-in geometry, 0 elsewhere.
    cap : float
        Distances beyond are not told apart, metres.

    Returns
    -------
    DataArray of shape (y, x), float32
        Metres, from 0 on the geometry to ``cap``. No gaps.

    References
    ----------
    .. [1] Meijster, Roerdink and Hesselink (2000). A general algorithm for computing
       distance transforms in linear time. Mathematical Morphology and its Applications.
    """
    measure(block > 0, cell, cap, out)


@operation(takes="geometry", halo=within_decay, units="1")
def proximity(block: Array, *, out: Array, cell: Cell, scale: float, cap: float = 0.0) -> None:
    """
    Closeness to a geometry, ``exp(-distance / scale)``.

    Falls off as the influence of a conduit does: fast nearby, and the same nothing far away.

    Parameters
    ----------
    geometry : DataArray of shape (y, x)
        1 on the burnt-in geometry, 0 elsewhere.
    scale : float
        Distance at which closeness has fallen to 37 %, metres.
    cap : float
        Distances beyond are not told apart, metres; 0 means 10 km or four scales,
        whichever is more.

    Returns
    -------
    DataArray of shape (y, x), float32
        1 on the geometry, ``exp(-cap / scale)`` from the cap on. No gaps.
    """
    measure(block > 0, cell, decay_cap(scale, cap), out)
    decay(out, scale)


@operation(takes="categorical", halo=within_cap, learn=class_codes, learned=("codes",), units="m")
def distance_to_classes(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    classes: list[str],
    codes: list[int],
    cap: float = 10_000.0,
) -> None:
    """
    Distance to the nearest cell of any of the named classes.

    Parameters
    ----------
    layer : DataArray of shape (y, x), integer
        A map of classes with its table, code to name, in ``attrs['classes']``.
    classes : list of str
        Names in the table.
    codes : list of int
        Their codes, learned from the table.
    cap : float
        Distances beyond are not told apart, metres.

    Returns
    -------
    DataArray of shape (y, x), float32
        Metres, 0 inside the classes, at most ``cap``. Gaps are no source and have a
        distance like any other cell.
    """
    measure(of_classes(block, codes), cell, cap, out)


@operation(takes="categorical", halo=within_decay, learn=class_codes, learned=("codes",), units="1")
def proximity_to_classes(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    classes: list[str],
    codes: list[int],
    scale: float,
    cap: float = 0.0,
) -> None:
    """
    Closeness to the nearest cell of any of the named classes, ``exp(-distance / scale)``.

    Parameters
    ----------
    layer : DataArray of shape (y, x), integer
        A map of classes with its table, code to name, in ``attrs['classes']``.
    classes : list of str
        Names in the table.
    codes : list of int
        Their codes, learned from the table.
    scale : float
        Distance at which closeness has fallen to 37 %, metres.
    cap : float
        Distances beyond are not told apart, metres; 0 means 10 km or four scales,
        whichever is more.

    Returns
    -------
    DataArray of shape (y, x), float32
        1 inside the classes, ``exp(-cap / scale)`` from the cap on. No gaps.
    """
    measure(of_classes(block, codes), cell, decay_cap(scale, cap), out)
    decay(out, scale)


@operation(takes="categorical", halo=within_cap, learn=class_codes, learned=("codes",), units="m")
def signed_distance_to_classes(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    classes: list[str],
    codes: list[int],
    cap: float = 10_000.0,
) -> None:
    """
    Distance to the edge of the named classes, negative inside them.

    Tells the heart of a pluton from its margin, which distance alone does not.

    Parameters
    ----------
    layer : DataArray of shape (y, x), integer
        A map of classes with its table, code to name, in ``attrs['classes']``.
    classes : list of str
        Names in the table.
    codes : list of int
        Their codes, learned from the table.
    cap : float
        Distances beyond are not told apart, metres.

    Returns
    -------
    DataArray of shape (y, x), float32
        Metres from ``-cap`` to ``cap``: outside, to the nearest cell of the classes;
        inside, less the distance to the nearest cell known to be of another. No gaps.
    """
    inside = of_classes(block, codes)
    measure(inside, cell, cap, out)
    depth = np.empty_like(out)
    measure(~inside & (block >= 0), cell, cap, depth)
    rows, cols = cell.halo(cap)
    within = inside[rows : rows + out.shape[0], cols : cols + out.shape[1]]
    np.negative(depth, out=out, where=within)


@operation(takes="geometry", halo=window, units="1/km2", anchored=True)
def point_density(
    block: Array, *, out: Array, cell: Cell, radius: float, shape: str = "circle"
) -> None:
    """
    Points of the surroundings per square kilometre.

    Parameters
    ----------
    geometry : DataArray of shape (y, x)
        1 on the burnt-in points, 0 elsewhere: points that share a cell count once.
    radius : float
        Reach of the window to every side, metres.
    shape : 'square' or 'circle'
        Of the window.

    Returns
    -------
    DataArray of shape (y, x), float32
        Points per km² of the window's part inside the grid. No gaps.
    """
    points = np.where(np.isfinite(block), block > 0, np.float32(np.nan)).astype(np.float32)
    moments(points, out[None], cell, radius, 0.0, shape, (0, -1, -1))
    out *= np.float32(1e6 / (cell.dy * cell.dx))


@operation(takes="geometry", halo=window_and_one, units="km/km2", anchored=True)
def line_density(
    block: Array, *, out: Array, cell: Cell, radius: float, shape: str = "circle"
) -> None:
    """
    Length of the lines of the surroundings per square kilometre.

    Fractured ground is open to fluids. The length is that of the chain of burnt-in cells
    less 5 %, which is right within 6 % for lines of any direction [1]_; lines that lie
    closer than two cells to each other are not told apart.

    Parameters
    ----------
    geometry : DataArray of shape (y, x)
        1 on the burnt-in lines (cells a line passes through, one wide), 0 elsewhere.
    radius : float
        Reach of the window to every side, metres.
    shape : 'square' or 'circle'
        Of the window.

    Returns
    -------
    DataArray of shape (y, x), float32
        Kilometres per km² of the window's part inside the grid. No gaps.

    References
    ----------
    .. [1] Dorst and Smeulders (1987). Length estimators for digitized contours. Computer
       Vision, Graphics, and Image Processing 40(3).
    """
    lengths = chain_lengths(block > 0, cell)
    lengths[~np.isfinite(block[1:-1, 1:-1])] = np.nan
    moments(lengths, out[None], cell, radius, 0.0, shape, (0, -1, -1))
    out *= np.float32(1e3 / (cell.dy * cell.dx))


def chain_lengths(line: Array, cell: Cell) -> Array:
    """Metres of line in every cell but the outer ring: half of each link to a neighbour."""
    here = line[1:-1, 1:-1]
    north, south = line[:-2, 1:-1], line[2:, 1:-1]
    west, east = line[1:-1, :-2], line[1:-1, 2:]
    lengths = cell.dy * (1.0 * north + south) + cell.dx * (1.0 * west + east)
    slant = float(np.hypot(cell.dy, cell.dx))
    # A corner that is cut by a straight step is no link of its own.
    for corner, beside, above in (
        (line[:-2, :-2], west, north),
        (line[:-2, 2:], east, north),
        (line[2:, :-2], west, south),
        (line[2:, 2:], east, south),
    ):
        lengths += slant * (corner & ~beside & ~above)
    return np.asarray(CHAIN / 2 * here * lengths, np.float32)


def of_classes(block: Array, codes: list[int]) -> Array:
    """Where a map shows one of the classes."""
    # The last place of the table stays False: gaps (-1) point at it, and codes beyond the
    # named ones, which for a class that was never seen is the greatest there is.
    table = np.zeros(max(codes, default=0) + 2, np.bool_)
    table[codes] = True
    return np.asarray(table[np.minimum(block, table.size - 1)])


def measure(source: Array, cell: Cell, cap: float, out: Array) -> None:
    """Fill ``out`` with capped metres to the nearest True of a block with its halo."""
    from prospect._kernels import distance as kernels

    ratio = Fraction(cell.dy / cell.dx).limit_denominator(SAME_SHAPE)
    tall, broad = ratio.numerator, ratio.denominator
    halo = cell.halo(cap)
    if max(halo) > MOST_CELLS:
        raise RecipeError(f"A distance reaches {MOST_CELLS} cells at most, but {max(halo)} came.")
    down = np.empty((out.shape[0], out.shape[1] + 2 * halo[1]), np.int16)
    kernels.distance(source.view(np.uint8), *halo, tall, broad, cell.dx / broad, cap, down, out)


def decay(out: Array, scale: float) -> None:
    """Turn metres into closeness, in place."""
    out *= np.float32(-1 / scale)
    np.exp(out, out=out)
