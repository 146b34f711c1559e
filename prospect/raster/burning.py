"""Between geometry and cells: burn shapes in, and outline cells as polygons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.features import rasterize, shapes
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from prospect.grid import Grid
from prospect.raster.memory import readable, writable
from prospect.raster.opening import safe_environment


def burn(
    geometries: Sequence[BaseGeometry],
    grid: Grid,
    *,
    values: Sequence[int] | None = None,
    fill: int = 0,
    all_touched: bool = False,
) -> NDArray[np.int32]:
    """
    Burn geometries into cells.

    Parameters
    ----------
    geometries : sequence of shapely geometries
        In the grid's coordinate system. Empty ones are passed over.
    grid : Grid
    values : sequence of int, optional
        One a geometry; 1 when not given. Later geometries lie on top.
    fill : int
        Value of cells that no geometry takes.
    all_touched : bool
        Take every cell that is touched, as lines need, and not only cells whose
        centre is covered.

    Returns
    -------
    array of shape (y, x), int32
    """
    codes = [1] * len(geometries) if values is None else list(values)
    pairs = [(g, v) for g, v in zip(geometries, codes, strict=True) if g and not g.is_empty]
    blank = np.full(grid.shape, fill, np.int32)
    if not pairs:
        return blank
    with safe_environment(), writable(blank, grid) as dataset:
        rasterize(pairs, dst_path=dataset, transform=grid.transform, all_touched=all_touched)
        burnt: NDArray[np.int32] = dataset.read(1)
    return burnt


def polygons(
    codes: NDArray[Any], grid: Grid, *, mask: NDArray[np.bool_] | None = None
) -> list[tuple[BaseGeometry, int]]:
    """
    Outline the patches of equal cells.

    Parameters
    ----------
    codes : array of shape (y, x), integer
    grid : Grid
    mask : array of shape (y, x), bool, optional
        Cells to outline.

    Returns
    -------
    list of (polygon, code)
        In the grid's coordinate system.
    """
    with safe_environment(), readable(np.ascontiguousarray(codes, np.int32), grid) as dataset:
        found = shapes(rasterio.band(dataset, 1), mask=mask, transform=grid.transform)
        return [(shape(geometry), int(code)) for geometry, code in found]
