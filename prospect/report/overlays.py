"""What lies on top of the map: deposits, lines and targets, in kilometres on its grid."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from prospect.grid import Grid
from prospect.roles import matches
from prospect.stack import features_of

LINES = "faults.*"
MOST_POINTS = 60_000
"""Vertices of lines on a page: drawn finer they cannot be seen, and the page grows."""

Ring = list[tuple[float, float]]


def kilometres(x: NDArray[np.float64], y: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Points in kilometres, to the metre."""
    return [(round(a / 1000, 3), round(b / 1000, 3)) for a, b in zip(x, y, strict=True)]


def lines_of(stack: xr.Dataset | None, grid: Grid) -> dict[str, list[Ring]]:
    """
    The faults of a stack, simplified to half a cell of the map that is shown.

    Returns
    -------
    dict of layer name to lists of points
        Empty where a layer would be more than a page can carry.
    """
    found: dict[str, list[Ring]] = {}
    if stack is None:
        return found
    for name, layer in stack.data_vars.items():
        if layer.attrs.get("kind") != "geometry" or not matches(
            LINES, str(layer.attrs.get("role", ""))
        ):
            continue
        geometries = features_of(layer).features(grid.bounds).geometry.to_numpy()
        simple = shapely.simplify(geometries, grid.transform.a / 2)
        inside = shapely.clip_by_rect(simple, *grid.bounds)
        lines = [_points(line) for line in _parts(inside) if line.geom_type == "LineString"]
        if 0 < sum(map(len, lines)) <= MOST_POINTS:
            found[str(name)] = lines
    return found


def rings_of(geometry: BaseGeometry, tolerance: float) -> list[list[Ring]]:
    """The polygons of a geometry: of each the outer ring, then holes."""
    simple = shapely.simplify(geometry, tolerance)
    return [
        [_points(ring) for ring in (part.exterior, *part.interiors)]
        for part in _parts([simple])
        if part.geom_type == "Polygon"
    ]


def _points(line: Any) -> Ring:
    return kilometres(*np.asarray(line.coords)[:, :2].T)


def _parts(geometries: Iterable[BaseGeometry]) -> Iterable[Any]:
    known = [g for g in geometries if g is not None and not g.is_empty]
    parts: Iterable[Any] = shapely.get_parts(known)
    return parts
