"""Structures from their own geometry: density, nodes, crossings and strike of lines.

Lines are measured as drawn, each segment by the part of it that lies in a cell, so that
nothing depends on how they would be burnt in. Only segments near a window are held, whatever
the size of the map. A segment that a file holds twice counts once. Strikes are degrees
clockwise from the grid's north, which leaves true north by the convergence of meridians.
"""

from __future__ import annotations

from prospect.errors import RecipeError
from prospect.features.density import sparse_per_area, sparse_variance, within
from prospect.features.distance import (
    DISTANCE,
    PROXIMITY,
    decay,
    decay_cap,
    within_cap,
    within_decay,
)
from prospect.features.distance import (
    measure as measure_distance,
)
from prospect.features.operation import Array, Parameters, operation
from prospect.features.windows import require_length
from prospect.grid import Cell
from prospect.lines import Measure


def _strike(parameters: Parameters) -> tuple[float, float] | None:
    """The range of strikes asked for."""
    strike = parameters.get("strike")
    if strike is None:
        return None
    numbers = [v for v in strike if isinstance(v, (int, float)) and 0 <= v <= 180]
    if len(numbers) != 2 or len(strike) != 2 or numbers[0] == numbers[1]:
        raise RecipeError(
            "'strike' is [from, to] in degrees clockwise from north, 0 to 180 (from 160 to 20 "
            f"runs across north), but {strike} came."
        )
    return float(numbers[0]), float(numbers[1])


def _length(parameters: Parameters) -> tuple[Measure, ...]:
    return (Measure("length", _strike(parameters)),)


def _directions(parameters: Parameters) -> tuple[Measure, ...]:
    return Measure("length"), Measure("cosine"), Measure("sine")


def _nodes(parameters: Parameters) -> tuple[Measure, ...]:
    return (Measure("nodes", snap=require_length("snap", float(parameters["snap"]))),)


def _crossings(parameters: Parameters) -> tuple[Measure, ...]:
    return (Measure("crossings", snap=require_length("snap", float(parameters["snap"]))),)


@operation(measures=_length, halo=within, units="km/km2")
def length_density(
    length: Array,
    *,
    out: Array,
    cell: Cell,
    radius: float | None = None,
    sigma: float | None = None,
    strike: list[float] | None = None,
    shape: str = "circle",
) -> None:
    """
    Length of lines per square kilometre, from their geometry.

    Fractured ground is open to fluids. Lines of any direction and spacing count with their
    true length; ``line_density`` serves where only a raster of them is at hand.

    Parameters
    ----------
    lines : DataArray of shape (y, x), one or several
        Layers of line features, as a stack opens them or ``vector_layer`` makes them.
    radius : float, or
        Reach of a window of even weight to every side, metres.
    sigma : float
        Width of a Gaussian weight, metres, cut at 4 sigma.
    strike : [from, to], optional
        Only segments that strike so, degrees clockwise from north, 0 to 180.
    shape : 'circle' or 'square'
        Of a window of even weight.

    Returns
    -------
    DataArray of shape (y, x), float32
        Kilometres per km² of the window's part inside the grid, where lines end too. Each
        cell's length is kept to 1/65,536 of its side. No gaps.

    Raises
    ------
    LayerError
        If a layer holds no lines, or is a raster.
    """
    sparse_per_area(length, out, cell, radius, sigma, shape, 1e3)


@operation(measures=_nodes, halo=within, units="1/km2")
def node_density(
    nodes: Array,
    *,
    out: Array,
    cell: Cell,
    radius: float | None = None,
    sigma: float | None = None,
    snap: float = 1.0,
    shape: str = "circle",
) -> None:
    """
    Nodes of a network of lines per square kilometre.

    A node is a point that lines leave in three directions or more: a crossing, or an end
    that abuts on another line [1]_. Where one fault goes on as the next there is none,
    whether they bend or are drawn as two features. Lines within a degree of each other count
    as one direction. Nodes are where fracture networks connect, and fluids mix.

    Parameters
    ----------
    lines : DataArray of shape (y, x), one or several
        Layers of line features, as a stack opens them or ``vector_layer`` makes them;
        several are one network.
    radius : float, or
        Reach of a window of even weight to every side, metres.
    sigma : float
        Width of a Gaussian weight, metres, cut at 4 sigma.
    snap : float
        Ends so near to another line abut on it, and nodes so near to each other are one,
        metres. Raise it where lines were drawn without snapping.
    shape : 'circle' or 'square'
        Of a window of even weight.

    Returns
    -------
    DataArray of shape (y, x), float32
        Nodes per km² of the window's part inside the grid. No gaps.

    Raises
    ------
    LayerError
        If a layer holds no lines, or is a raster.

    References
    ----------
    .. [1] Sanderson and Nixon (2015). The use of topology in fracture network
       characterization. Journal of Structural Geology 72.
    """
    sparse_per_area(nodes, out, cell, radius, sigma, shape, 1.0)


@operation(measures=_crossings, lines=2, halo=within, units="1/km2")
def crossing_density(
    crossings: Array,
    *,
    out: Array,
    cell: Cell,
    radius: float | None = None,
    sigma: float | None = None,
    snap: float = 1.0,
    shape: str = "circle",
) -> None:
    """
    Nodes where the lines of two layers meet, per square kilometre.

    Such as thrusts and the cross-faults that cut them. A node is as in ``node_density``, with
    lines of both layers among those that leave it: a thrust that goes on as a cross-fault
    makes none.

    Parameters
    ----------
    lines, others : DataArray of shape (y, x)
        Layers of line features, as a stack opens them or ``vector_layer`` makes them.
    radius : float, or
        Reach of a window of even weight to every side, metres.
    sigma : float
        Width of a Gaussian weight, metres, cut at 4 sigma.
    snap : float
        Ends so near to another line abut on it, and nodes so near to each other are one,
        metres.
    shape : 'circle' or 'square'
        Of a window of even weight.

    Returns
    -------
    DataArray of shape (y, x), float32
        Nodes per km² of the window's part inside the grid. No gaps.

    Raises
    ------
    LayerError
        If a layer holds no lines, or is a raster.
    """
    sparse_per_area(crossings, out, cell, radius, sigma, shape, 1.0)


@operation(measures=_directions, halo=within, units="1")
def strike_variance(
    length: Array,
    cosine: Array,
    sine: Array,
    *,
    out: Array,
    cell: Cell,
    radius: float | None = None,
    sigma: float | None = None,
    shape: str = "circle",
) -> None:
    """
    Circular variance of the strike of lines: 0 where all run one way, 1 where none prevails.

    Jogs, relays and intersections of faults, where ground opens, stand out from straight
    segments. Strikes have no sense, so angles are doubled, and segments weigh by the length
    of them that lies in a cell [1]_.

    Parameters
    ----------
    lines : DataArray of shape (y, x), one or several
        Layers of line features, as a stack opens them or ``vector_layer`` makes them.
    radius : float, or
        Reach of a window of even weight to every side, metres.
    sigma : float
        Width of a Gaussian weight, metres, cut at 4 sigma.
    shape : 'circle' or 'square'
        Of a window of even weight.

    Returns
    -------
    DataArray of shape (y, x), float32
        From 0 to 1, within 1e-4. NaN where no line is within ``radius``, or 4 ``sigma``.

    Raises
    ------
    LayerError
        If a layer holds no lines, or is a raster.

    References
    ----------
    .. [1] Mardia and Jupp (2000). Directional Statistics. Wiley, sections 1.4 and 2.3.
    """
    sparse_variance([length, cosine, sine], out, cell, radius, sigma, shape)


@operation(measures=_length, lines=1, halo=within_cap, units="m", joint=DISTANCE)
def distance_to_strike(
    length: Array, *, out: Array, cell: Cell, strike: list[float], cap: float = 10_000.0
) -> None:
    """
    Distance to the nearest cell with a line that strikes so.

    Which direction opened under the stress of the time differs from belt to belt, and
    faults of that direction carry the ore.

    Parameters
    ----------
    lines : DataArray of shape (y, x)
        A layer of line features, as a stack opens it or ``vector_layer`` makes it.
    strike : [from, to]
        Degrees clockwise from north, 0 to 180; from 160 to 20 runs across north. Of a line
        only the segments that strike so count.
    cap : float
        Distances beyond are not told apart, metres.

    Returns
    -------
    DataArray of shape (y, x), float32
        Metres between centres of cells, 0 in cells such a segment passes through, at most
        ``cap``. No gaps.

    Raises
    ------
    LayerError
        If the layer holds no lines, or is a raster.
    """
    measure_distance(length > 0, cell, cap, out)


@operation(measures=_length, lines=1, halo=within_decay, units="1", joint=PROXIMITY)
def proximity_to_strike(
    length: Array,
    *,
    out: Array,
    cell: Cell,
    strike: list[float],
    scale: float,
    cap: float = 0.0,
) -> None:
    """
    Closeness to the nearest cell with a line that strikes so, ``exp(-distance / scale)``.

    Parameters
    ----------
    lines : DataArray of shape (y, x)
        A layer of line features, as a stack opens it or ``vector_layer`` makes it.
    strike : [from, to]
        Degrees clockwise from north, 0 to 180; from 160 to 20 runs across north. Of a line
        only the segments that strike so count.
    scale : float
        Distance at which closeness has fallen to 37 %, metres.
    cap : float
        Distances beyond are not told apart, metres; 0 means 10 km or four scales,
        whichever is more.

    Returns
    -------
    DataArray of shape (y, x), float32
        1 in cells such a segment passes through, ``exp(-cap / scale)`` from the cap on. No
        gaps.

    Raises
    ------
    LayerError
        If the layer holds no lines, or is a raster.
    """
    measure_distance(length > 0, cell, decay_cap(scale, cap), out)
    decay(out, scale)
