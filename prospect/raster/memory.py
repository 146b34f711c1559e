"""Arrays as datasets in memory, which GDAL warps, burns into and outlines.

Rasterio takes plain arrays too, but makes datasets without a position of them and hides the
warning about that by changing Python's filters, which belong to all threads: whatever else
changes them at that moment (scikit-learn does, in every tree) lets the warning out. A dataset
with a position has nothing to warn of.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from prospect.grid import Grid

_NO_POSITION = Affine(1.0, 0.0, 0.0, 0.0, -1.0, 0.0)


@contextmanager
def readable(cells: NDArray[Any], grid: Grid, *, nodata: float | None = None) -> Iterator[Any]:
    """A copy of an array of shape (y, x) as a dataset open for reading."""
    with MemoryFile() as file:
        with file.open(**_profile(cells, grid, "GTiff"), nodata=nodata) as dataset:
            dataset.write(cells, 1)
        with file.open() as dataset:
            yield dataset


@contextmanager
def writable(cells: NDArray[Any], grid: Grid) -> Iterator[Any]:
    """A copy of an array of shape (y, x) as a dataset open for reading and writing."""
    with rasterio.open("", "w+", **_profile(cells, grid, "MEM")) as dataset:
        dataset.write(cells, 1)
        yield dataset


def placed(grid: Grid) -> Affine:
    """The grid's transform; a nanometre off where GDAL would take it for no position."""
    if grid.transform == _NO_POSITION:
        return Affine(1.0, 0.0, 1e-9, 0.0, -1.0, 0.0)
    return grid.transform


def _profile(cells: NDArray[Any], grid: Grid, driver: str) -> dict[str, Any]:
    return {
        "driver": driver,
        "height": grid.rows,
        "width": grid.cols,
        "count": 1,
        "dtype": cells.dtype,
        "crs": grid.crs.to_wkt(),
        "transform": placed(grid),
    }
