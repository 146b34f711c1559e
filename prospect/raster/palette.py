"""Write bytes with a palette: classes that any viewer shows in their colours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling

from prospect.errors import OutputError
from prospect.grid import Grid, Window
from prospect.raster.opening import GDAL_ERRORS, one_line, safe_environment
from prospect.raster.writing import atomic_path, tiled_band

SMALL = 512
"""Cells along the longer side of the last overview, at most."""


def write_palette(
    path: Path | str,
    grid: Grid,
    blocks: Iterable[tuple[Window, NDArray[np.uint8]]],
    colours: Sequence[tuple[int, int, int]],
    *,
    gap: int = 255,
    description: str = "",
    tags: Mapping[str, str] | None = None,
) -> None:
    """
    Write classes block by block as a byte GeoTIFF, DEFLATE, with a palette and overviews.

    Parameters
    ----------
    path : path
    grid : Grid
    blocks : iterable of (Window, array of uint8)
        That cover the grid.
    colours : sequence of (red, green, blue)
        Of the classes 0, 1, 2…
    gap : int
        Marks cells without a class; white where a viewer does not know of gaps.
    description : str
    tags : mapping of str to str, optional

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    longer = max(grid.shape)
    factors = [2**k for k in range(1, 16) if longer / 2 ** (k - 1) > SMALL]
    with atomic_path(path) as temporary, safe_environment():
        try:
            with rasterio.open(
                temporary,
                "w",
                **tiled_band(grid, "uint8"),
                nodata=gap,
                compress="deflate",
                photometric="palette",
                bigtiff="if_safer",
            ) as dataset:
                # A GeoTIFF takes its palette before its cells, and drops it silently otherwise.
                dataset.write_colormap(1, {gap: (255, 255, 255), **dict(enumerate(colours))})
                dataset.update_tags(**(tags or {}))
                if description:
                    dataset.set_band_description(1, description)
                for window, cells in blocks:
                    rows, cols = window.slices
                    place = (rows.start, rows.stop), (cols.start, cols.stop)
                    dataset.write(cells, 1, window=place)
                if factors:
                    # Classes are not averaged.
                    dataset.build_overviews(factors, Resampling.nearest)
        except GDAL_ERRORS as error:
            raise OutputError(f"{path} cannot be written ({one_line(error)}).") from error
