"""Lines measured in cells: length, strike, and nodes, from geometry and window by window.

Every number follows from the segments and one cell alone, and segments come in the order of
their file: what a cell gets does not depend on the window it is read with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from prospect.errors import LayerError
from prospect.grid import Grid, Window
from prospect.vector import HeldLayer, VectorLayer, describe

Doubles = NDArray[np.float64]

APART = math.sin(math.radians(1.0))
"""Lines that leave a point within a degree of each other count as one."""

FINENESS = 16
"""Lengths are kept to 2^-16 of a cell's side: few enough bits that float64 sums are exact."""

# GEOS numbers its types: lines and rings, then from here on what has parts.
_LINES = (1, 2)
_OF_PARTS = 4


@dataclass(frozen=True)
class Measure:
    """
    What is measured of the lines in a cell.

    Attributes
    ----------
    what : str
        ``length``: metres of line. ``cosine``, ``sine``: the same times cosine and sine of
        twice the strike. ``nodes``: points that lines leave in three directions or more.
        ``crossings``: those of them where the lines of two layers meet.
    strike : (float, float), optional
        Only segments that strike from the one to the other, degrees clockwise from north.
    snap : float
        Ends so near to another line meet it, metres.
    """

    what: Literal["length", "cosine", "sine", "nodes", "crossings"]
    strike: tuple[float, float] | None = None
    snap: float = 0.0

    @property
    def margin(self) -> float:
        """Metres around a window whose lines count too."""
        return 4 * self.snap


@dataclass(frozen=True)
class Segments:
    """
    Straight pieces of lines, in metres east and south of the corner of a grid.

    Attributes
    ----------
    ends : array of shape (segments, 4)
        x and y of the first end, then of the other.
    owners : array of shape (segments,), int8
        Which of the layers each is of.
    grid : Grid
    """

    ends: Doubles
    owners: NDArray[np.int8]
    grid: Grid


def read_segments(layers: Sequence[VectorLayer], window: Window, margin: float = 0.0) -> Segments:
    """
    The segments of some layers that touch a window, each once.

    Parameters
    ----------
    layers : sequence of VectorLayer
        Of one grid.
    window : Window
    margin : float
        Metres around the window.

    Returns
    -------
    Segments
        Heights, parts without length and repeated segments left out.

    Raises
    ------
    LayerError
        If a layer holds points or polygons.
    """
    grid = layers[0].grid
    west, south, east, north = grid.crop(window).bounds
    # A little more, so that rounding at the rim cannot lose a segment.
    more = margin + 1e-6 * max(east - west, north - south)
    bounds = (west - more, south - more, east + more, north + more)
    found = [_ends(layer, bounds) for layer in layers]
    owners = [np.full(len(ends), k, np.int8) for k, ends in enumerate(found)]
    ends = np.concatenate(found) - np.tile([grid.transform.c, grid.transform.f], 2)
    ends[:, 1::2] *= -1
    return Segments(ends, np.concatenate(owners), grid)


def measure(
    segments: Segments, what: Measure, window: Window, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """
    Measure lines in the cells of a window.

    Parameters
    ----------
    segments : Segments
        All that touch the window and its margin; more do no harm.
    what : Measure
    window : Window
        It may pass the grid's edge: gaps lie there.
    out : array of shape (height, width), float32, optional
        To fill.

    Returns
    -------
    array of shape (height, width), float32
    """
    if out is None:
        out = np.empty((window.height, window.width), np.float32)
    inside = window.intersect(segments.grid.window)
    if inside != window:
        out[:] = np.nan
    out[inside.within(window)] = 0
    if what.what in ("nodes", "crossings"):
        near = _near(segments, inside, what.margin)
        points = nodes(near, what.snap, both=what.what == "crossings")
        _count(points, segments.grid, window, inside, out)
    else:
        _lengths(segments, what, window, inside, out)
    return out


def nodes(segments: Segments, snap: float, both: bool = False) -> Doubles:
    """
    Points that lines leave in three directions or more.

    A crossing has four such directions, an end that abuts on another line three, and a line
    that goes on, in one feature or the next, two: what counts is the network, not how it was
    cut into features.

    Parameters
    ----------
    segments : Segments
    snap : float
        Ends so near to another line meet it; nodes so near to each other are one, metres.
    both : bool
        Only where lines of both of two layers meet.

    Returns
    -------
    array of shape (nodes, 2)
        Metres east and south of the grid's corner, sorted.
    """
    from prospect._kernels import lines as kernels

    ends, owners = segments.ends, segments.owners
    if not both:
        ends, owners = _once(ends, owners)
    if len(ends) < 2:
        return np.empty((0, 2))
    tree = shapely.STRtree(_diagonals(ends))
    one, two = tree.query(_diagonals(ends, snap))
    one, two = one[one < two], two[one < two]
    order = np.lexsort((two, one))
    one, two = one[order], two[order]
    points, found = np.empty((4 * len(one), 2)), np.zeros(1, np.int64)
    kernels.meetings(ends, one, two, snap, points, found)
    corners, times = np.unique(_pairs(ends), return_counts=True)
    both_kinds = np.concatenate([_pairs(points[: found[0]]), corners[times > 2]])
    points = np.unique(both_kinds).view(np.float64).reshape(-1, 2)
    at, near = tree.query(_diagonals(np.tile(points, 2), snap))
    order = np.lexsort((near, at))
    starts = np.searchsorted(at[order], np.arange(len(points) + 1))
    ways, sides = np.empty(len(points), np.int64), np.empty(len(points), np.int64)
    kernels.arms(ends, owners, points, starts, near[order], snap, APART, ways, sides)
    points = points[(ways > 2) & ((sides == 3) | (not both))]
    kept = np.empty(len(points), np.bool_)
    kernels.first_of_each(points, snap, kept)
    chosen: Doubles = points[kept]
    return chosen


def _count(
    points: Doubles, grid: Grid, window: Window, inside: Window, out: NDArray[np.float32]
) -> None:
    """Add points to the cells that hold them."""
    t = grid.transform
    col, row = np.floor(points[:, 0] / t.a), np.floor(points[:, 1] / -t.e)
    here = (row >= inside.row) & (row < inside.row + inside.height)
    here &= (col >= inside.col) & (col < inside.col + inside.width)
    cells = row[here].astype(np.int64) - window.row, col[here].astype(np.int64) - window.col
    np.add.at(out, cells, 1)


def _lengths(
    segments: Segments, what: Measure, window: Window, inside: Window, out: NDArray[np.float32]
) -> None:
    """Add metres of line to cells, or these times cosine or sine of twice the strike."""
    from prospect._kernels import lines as kernels

    ends, owners = segments.ends, segments.owners
    if owners.size and owners[-1] > 0:
        ends, _ = _once(ends, owners)
    east, south = ends[:, 2] - ends[:, 0], ends[:, 3] - ends[:, 1]
    weights = length = np.sqrt(east * east + south * south)
    if what.what == "cosine":
        weights = (south * south - east * east) / length
    elif what.what == "sine":
        weights = -2 * east * south / length
    if what.strike is not None:
        strike = np.empty(len(ends))
        kernels.strikes(ends, strike)
        first, last = what.strike
        after, before = strike >= first, strike <= last
        within = after & before if first < last else after | before
        ends, weights = ends[within], weights[within]
    t = segments.grid.transform
    unit = 2.0 ** (math.floor(math.log2(max(t.a, -t.e))) - FINENESS)
    in_cells = ends / np.array([t.a, -t.e, t.a, -t.e])
    bottom, right = inside.row + inside.height - 1, inside.col + inside.width - 1
    edges = inside.row, bottom, inside.col, right
    kernels.share_out(in_cells, weights / unit, unit, window.row, window.col, edges, out)


def require_lines(layer: VectorLayer) -> None:
    """
    Check that a layer says of itself to hold lines; what it does not say shows when read.

    Raises
    ------
    LayerError
        If it is of points or polygons.
    """
    if isinstance(layer, HeldLayer):
        _parts(layer.table, layer)
        return
    kind = str(describe(layer.path, layer.layer)["geometry_type"]).lower()
    if "point" in kind or "polygon" in kind:
        raise _no_lines(layer, kind)


def _ends(layer: VectorLayer, bounds: tuple[float, float, float, float]) -> Doubles:
    """Ends of the segments of a layer that touch bounds, in its coordinates, each once."""
    parts = _parts(layer.features(bounds), layer)
    points, of = shapely.get_coordinates(parts, return_index=True)
    ends = np.hstack([points[:-1], points[1:]])[of[:-1] == of[1:]]
    ends = ends[np.isfinite(ends).all(axis=1)]
    west, south, east, north = bounds
    left, bottom, right, top = _boxes(ends)
    near = (left <= east) & (right >= west) & (bottom <= north) & (top >= south)
    near &= (ends[:, 0] != ends[:, 2]) | (ends[:, 1] != ends[:, 3])
    kept, _ = _once(ends[near], np.zeros(near.sum(), np.int8))
    return kept


def _parts(table: Any, layer: VectorLayer) -> NDArray[Any]:
    """The single lines of a table of features."""
    parts: NDArray[Any] = shapely.get_parts(table.geometry.values)
    while (shapely.get_type_id(parts) >= _OF_PARTS).any():
        parts = shapely.get_parts(parts)
    others = ~np.isin(shapely.get_type_id(parts), _LINES)
    if others.any():
        raise _no_lines(layer, str(parts[others][0].geom_type).lower())
    return parts


def _no_lines(layer: VectorLayer, kind: str) -> LayerError:
    return LayerError(
        f"Lines were expected, but {layer.path} holds a {kind}: choose the lines with where = or "
        "layer =, or give another file."
    )


def _once(ends: Doubles, owners: NDArray[np.int8]) -> tuple[Doubles, NDArray[np.int8]]:
    """Segments without those that were there before, in either direction."""
    if len(ends) < 2:
        return ends, owners
    kept = np.ones(len(ends), np.bool_)
    # Twins have one middle, whichever way they run; few other segments have the same.
    middle = ends[:, 0] + ends[:, 2]
    order = np.argsort(middle, kind="stable")
    alike = np.diff(middle[order]) == 0
    some = np.sort(order[np.append(alike, False) | np.append(False, alike)])
    ones = ends[some]
    back = (ones[:, 0] > ones[:, 2]) | ((ones[:, 0] == ones[:, 2]) & (ones[:, 1] > ones[:, 3]))
    same = np.where(back[:, None], ones[:, [2, 3, 0, 1]], ones)
    order = np.lexsort(same.T)
    twin = (same[order[1:]] == same[order[:-1]]).all(axis=1)
    # The sort is stable: of equal segments the first is kept.
    kept[some[order[1:][twin]]] = False
    return ends[kept], owners[kept]


def _pairs(coordinates: Doubles) -> NDArray[np.complex128]:
    """x and y as one number, which sorts by x, then by y."""
    return np.ascontiguousarray(coordinates).view(np.complex128).ravel()


def _near(segments: Segments, window: Window, margin: float) -> Segments:
    """Those about a window."""
    t = segments.grid.transform
    left, top, right, bottom = _boxes(segments.ends, margin)
    near = (left <= t.a * (window.col + window.width)) & (right >= t.a * window.col)
    near &= (top <= -t.e * (window.row + window.height)) & (bottom >= -t.e * window.row)
    return Segments(segments.ends[near], segments.owners[near], segments.grid)


def _boxes(ends: Doubles, more: float = 0.0) -> tuple[Doubles, Doubles, Doubles, Doubles]:
    """Lowest x and y, highest x and y of segments, widened."""
    return (
        np.minimum(ends[:, 0], ends[:, 2]) - more,
        np.minimum(ends[:, 1], ends[:, 3]) - more,
        np.maximum(ends[:, 0], ends[:, 2]) + more,
        np.maximum(ends[:, 1], ends[:, 3]) + more,
    )


def _diagonals(ends: Doubles, more: float = 0.0) -> NDArray[Any]:
    """Geometries with the boxes of segments, widened: what a tree looks at, soonest made."""
    corners = np.stack(_boxes(ends, more), axis=-1).reshape(-1, 2, 2)
    diagonals: NDArray[Any] = shapely.linestrings(corners)
    return diagonals
