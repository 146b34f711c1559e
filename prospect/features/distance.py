"""Distance to mapped geometry and to classes of a map, exact on the grid.

Distances run between the centres of cells, in metres, whatever the cell's shape; geometry
is known to the cell it was burnt into, so the error against the drawn line is at most one
cell. Beyond the cap every distance is the cap: that is what lets a tile be computed
alone. A cell is a source, or it is not: there are no gaps, and where a categorical layer
has one the distance is still that to the nearest known cell of the classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from prospect.errors import RecipeError
from prospect.features.density import per_area, within
from prospect.features.operation import Array, Family, Parameters, operation
from prospect.features.windows import require_length, window
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


def within_and_one(cell: Cell, parameters: Parameters) -> tuple[int, int]:
    """As far as ``radius`` or ``sigma``, and one cell more for the links between cells."""
    rows, cols = within(cell, parameters)
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


def of_source(parameters: Parameters) -> tuple[int, ...] | None:
    """What rows must agree on to share a distance: the classes, where there are any."""
    codes = parameters.get("codes")
    return None if codes is None else tuple(codes)


def together(
    block: Array,
    out: Array,
    cell: Cell,
    asked: Sequence[tuple[int, tuple[float, float]]],
    key: tuple[int, ...] | None,
) -> None:
    """Fill planes with distances (scale 0) and proximities to one source, measured once."""
    farthest = max(cap for _, (_, cap) in asked)
    first = asked[0][0]
    source = block > 0 if key is None else of_classes(block, list(key))
    measure(source, cell, farthest, out[first])
    # Backwards, so that the plane that holds the measured distance is turned last.
    for plane, (scale, cap) in reversed(asked):
        if cap < farthest or plane != first:
            np.minimum(out[first], np.float32(cap), out=out[plane])
        if scale:
            decay(out[plane], scale)


SOURCE = Family("source", of_source, together)
"""Rows of one source."""


def distance_asked(parameters: Parameters) -> list[tuple[float, float]]:
    """Metres up to the cap."""
    return [(0.0, float(parameters["cap"]))]


def proximity_asked(parameters: Parameters) -> list[tuple[float, float]]:
    """Closeness of a scale."""
    scale = float(parameters["scale"])
    return [(scale, decay_cap(scale, float(parameters["cap"])))]


DISTANCE, PROXIMITY = (SOURCE, distance_asked), (SOURCE, proximity_asked)


@operation(takes="geometry", halo=within_cap, units="m", joint=DISTANCE)
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


@operation(takes="geometry", halo=within_decay, units="1", joint=PROXIMITY)
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


@operation(
    takes="categorical",
    halo=within_cap,
    learn=class_codes,
    learned=("codes",),
    units="m",
    joint=(SOURCE, distance_asked),
)
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


@operation(
    takes="categorical",
    halo=within_decay,
    learn=class_codes,
    learned=("codes",),
    units="1",
    joint=(SOURCE, proximity_asked),
)
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


@operation(takes="geometry", halo=within, units="1/km2", anchored=True)
def point_density(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    radius: float | None = None,
    sigma: float | None = None,
    shape: str = "circle",
) -> None:
    """
    Points of the surroundings per square kilometre.

    Parameters
    ----------
    geometry : DataArray of shape (y, x)
        1 on the burnt-in points, 0 elsewhere: points that share a cell count once.
    radius : float, or
        Reach of a window of even weight to every side, metres.
    sigma : float
        Width of a Gaussian weight, metres, cut at 4 sigma.
    shape : 'square' or 'circle'
        Of a window of even weight.

    Returns
    -------
    DataArray of shape (y, x), float32
        Points per km² of the window's part inside the grid. No gaps.
    """
    points = np.where(np.isfinite(block), block > 0, np.float32(np.nan)).astype(np.float32)
    per_area(points, out, cell, radius, sigma, shape, 1.0)


@operation(takes="geometry", halo=within_and_one, units="km/km2", anchored=True)
def line_density(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    radius: float | None = None,
    sigma: float | None = None,
    shape: str = "circle",
) -> None:
    """
    Length of the lines of the surroundings per square kilometre, from their cells.

    Fractured ground is open to fluids. The length is that of the chain of burnt-in cells
    less 5 %, which is right within 6 % for lines of any direction [1]_; lines that lie
    closer than two cells to each other are not told apart. Of a vector layer
    ``length_density`` gives it exactly.

    Parameters
    ----------
    geometry : DataArray of shape (y, x)
        1 on the burnt-in lines (cells a line passes through, one wide), 0 elsewhere.
    radius : float, or
        Reach of a window of even weight to every side, metres.
    sigma : float
        Width of a Gaussian weight, metres, cut at 4 sigma.
    shape : 'square' or 'circle'
        Of a window of even weight.

    Returns
    -------
    DataArray of shape (y, x), float32
        Kilometres per km² of the window's part inside the grid. No gaps.

    References
    ----------
    .. [1] Dorst and Smeulders (1987). Length estimators for digitized contours. Computer
       Vision, Graphics, and Image Processing 40(3).
    """
    per_area(chain_lengths(block, cell), out, cell, radius, sigma, shape, 1e3)


def chain_lengths(block: Array, cell: Cell) -> Array:
    """Metres of line in every cell but the outer ring: half of each link to a neighbour."""
    from prospect._kernels import distance as kernels

    lengths = np.empty((block.shape[0] - 2, block.shape[1] - 2), np.float32)
    kernels.chain_lengths(block, CHAIN / 2 * cell.dy, CHAIN / 2 * cell.dx, lengths)
    return lengths


def of_classes(block: Array, codes: list[int]) -> Array:
    """Where a map shows one of the classes."""
    found = np.zeros(block.shape, np.bool_)
    for code in codes:
        found |= block == code
    return found


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
