"""Write GeoTIFFs that are whole or not there at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rasterio
from numpy.typing import NDArray

from prospect.errors import OutputError
from prospect.grid import Grid
from prospect.raster.opening import GDAL_ERRORS, one_line, safe_environment


@contextmanager
def atomic_path(path: Path | str, *, within: Path | None = None) -> Iterator[Path]:
    """
    A temporary path in a temporary folder beside ``path``, moved there at the end.

    A process that is killed leaves that folder; ``within`` a folder on the same disk that is
    cleared anyway it leaves nothing.

    Nothing is left at ``path``, and nothing beside it, when the body fails.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    path = Path(path)
    folder = require_writable_folder(path)
    work = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=within or folder))
    try:
        temporary = work / path.name
        yield temporary
        sync(temporary)
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({one_line(error)}).") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def require_writable_folder(path: Path) -> Path:
    """The folder of an output, if a file can be made in it."""
    folder = path.parent
    if not folder.is_dir():
        raise OutputError(f"There is no folder {folder} to write {path.name} in: make it first.")
    if path.is_dir():
        raise OutputError(f"{path} is a folder, but a file is to be written: choose another name.")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"The folder {folder} cannot be written ({one_line(error)}): choose another."
        ) from error
    return folder


def sync(path: Path) -> None:
    """Wait until a file is on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def write_geotiff(
    path: Path | str,
    array: NDArray[Any],
    grid: Grid,
    *,
    nodata: float | None = None,
    description: str = "",
    unit: str = "",
    compress: str = "deflate",
) -> None:
    """
    Write one band that fits in memory as a tiled GeoTIFF.

    Parameters
    ----------
    path : path
    array : array of shape (y, x)
        float32 or an integer type.
    grid : Grid
    nodata : float, optional
        Value that marks gaps, NaN included.
    description, unit : str
    compress : str

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    predictor = 3 if array.dtype.kind == "f" else 2
    with atomic_path(path) as temporary, safe_environment():
        try:
            with rasterio.open(
                temporary,
                "w",
                **tiled_band(grid, array.dtype),
                nodata=nodata,
                compress=compress,
                predictor=predictor,
            ) as dataset:
                dataset.write(array, 1)
                if description:
                    dataset.set_band_description(1, description)
                if unit:
                    dataset.set_band_unit(1, unit)
        except GDAL_ERRORS as error:
            raise OutputError(f"{path} cannot be written ({one_line(error)}).") from error


def tiled_band(grid: Grid, dtype: Any) -> dict[str, Any]:
    """What GDAL is told of a GeoTIFF of one band in tiles."""
    return {
        "driver": "GTiff",
        "height": grid.rows,
        "width": grid.cols,
        "count": 1,
        "dtype": dtype,
        "crs": grid.crs.to_wkt(),
        "transform": grid.transform,
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
    }
