"""Open raster files safely, whoever made them, and say what is in them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rasterio
from affine import Affine
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from prospect.errors import GridError, LayerError
from prospect.grid import Grid, crs_name
from prospect.limits import BLOCK, CELLS, EXPANSION
from prospect.raster.remote import SETTINGS, is_door, remote_name, require_doors
from prospect.raster.sidecars import SIDECARS, Said, read_sidecar, read_text, read_world

MAX_BANDS = 10_000

SMALL = 2**30
"""Decoded size below which the expansion is of no interest."""

HUGE = 1e30
"""Magnitude from which a float is a gap: ±3.4e38 (ESRI), 1.7e38 (Surfer) and -1e32 (Geosoft) stand
for gaps in surveys that declare none, and no measurement reaches there."""

GDAL_VERSION: str = rasterio.__gdal_version__

# A failure that GDAL says nothing about comes as a SystemError.
GDAL_ERRORS = (RasterioError, CPLE_BaseError, OSError, SystemError)

_SAFE = {
    # Siblings of a file are never looked at: .ovr, .msk and .aux.xml can point anywhere.
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
    "GDAL_CACHEMAX": 64 * 2**20,
    "GTIFF_IGNORE_READ_ERRORS": "NO",
}

_DRIVERS = {"GTiff": "GeoTIFF", "AIG": "ESRI grid"}
_ALLOWABLE = (*_DRIVERS, SIDECARS)


class _Reader(DatasetReader):  # type: ignore[misc]
    """
    A dataset that does not warn when its file has no position: we look, and say so.

    Hiding the warning would change Python's filters, which are not made for threads.
    """

    def _has_gcps_or_rpcs(self) -> bool:
        return True


@dataclass(frozen=True)
class RasterInfo:
    """
    What one band of a raster file says of itself.

    Attributes
    ----------
    path : Path
    band : int
        Counted from 1.
    grid : Grid
    dtype : str
    nodata : float or None
        As declared; None when unset.
    scale, offset : float
        Of stored values; 1 and 0 when unset.
    unit, description : str
        As declared; empty when unset.
    bands : int
        Number of bands in the file.
    driver : str
    notes : tuple of str
        What was found around the file and how it was taken.
    block : (int, int)
        Rows and columns that the file stores as one.
    classes : mapping of int to str
        Names of class codes, where a table beside the file gives them.
    """

    path: Path
    band: int
    grid: Grid
    dtype: str
    nodata: float | None
    scale: float
    offset: float
    unit: str
    description: str
    bands: int
    driver: str
    notes: tuple[str, ...]
    block: tuple[int, int]
    classes: Mapping[int, str] = field(default_factory=dict)

    @property
    def is_float(self) -> bool:
        """Whether values are stored as floating point."""
        return self.dtype.startswith("float")


@contextmanager
def safe_environment(*, remote: bool = False) -> Iterator[None]:
    """
    GDAL settings under which no file can reach another one, nor the network.

    ``remote`` lets GDAL fetch the one that is named.
    """
    with rasterio.Env(**(_SAFE | SETTINGS if remote else _SAFE)):
        yield


@contextmanager
def safe_open(path: Path | str, *, allow_drivers: tuple[str, ...] = ()) -> Iterator[Any]:
    """
    Open a raster by driver name, without sidecars, within stated caps.

    Parameters
    ----------
    path : path
        A file on this computer. A GeoTIFF, whatever its name; other formats only
        when their driver is allowed.
    allow_drivers : tuple of str
        Further GDAL drivers, for example ``("AIG",)`` for ESRI grids; ``"PAM"`` stands for
        the ``.aux.xml`` beside a file, which :func:`read_info` then follows; the beginning of
        GDAL's virtual paths, such as ``"/vsis3/bucket/"``, for GeoTIFFs that lie there.

    Yields
    ------
    rasterio dataset, open for reading

    Raises
    ------
    LayerError
        If there is no such file, it is no GeoTIFF, is damaged, or claims a size
        beyond the caps.
    """
    doors = [name for name in allow_drivers if is_door(name)]
    require_doors(doors)
    remote = remote_name(path, doors)
    path = require_file(path) if remote is None else Path(path)
    allow_drivers = tuple(name for name in allow_drivers if name not in doors)
    unknown = [name for name in allow_drivers if name not in _ALLOWABLE]
    if unknown:
        raise LayerError(
            f"Driver '{unknown[0]}' cannot be allowed; those that can: {', '.join(_ALLOWABLE)}."
        )
    drivers = [name for name in allow_drivers if name != SIDECARS]
    if remote is not None:
        drivers = ["GTiff"]
    elif path.is_file():
        drivers = ["GTiff", *drivers]
    if not drivers:
        raise LayerError(
            f"{path} is a folder, but a GeoTIFF file was expected; "
            "an ESRI grid opens with --allow-driver AIG."
        )
    # An absolute path, so that no name reads as one of GDAL's prefixes.
    name = os.fspath(path.absolute()) if remote is None else remote
    with safe_environment(remote=remote is not None), _open_as(path, name, drivers) as dataset:
        _require_sane(path, dataset)
        yield dataset


def _open_as(path: Path, name: str, drivers: list[str]) -> Any:
    """The dataset, by the first driver that knows it."""
    failure: BaseException | None = None
    for driver in drivers:
        # Georeferencing comes from the file itself; world files are read by us.
        options = {"GEOREF_SOURCES": "INTERNAL"} if driver == "GTiff" else {}
        try:
            return _Reader(name, driver=driver, sharing=False, **options)
        except GDAL_ERRORS as error:
            failure = error
        except (CRSError, ValueError, OverflowError, MemoryError) as error:
            raise LayerError(f"{path} is damaged ({one_line(error)}): export it again.") from error
    names = " or ".join(_DRIVERS[name] for name in drivers)
    raise LayerError(
        f"{path} cannot be opened as {names} ({one_line(failure)}): "
        "check that it is complete, or convert it with gdal_translate."
    ) from failure


def require_file(path: Path | str) -> Path:
    """The path, if it names something on this computer and not a URL or a GDAL trick."""
    text = os.fspath(path)
    if "://" in text or text.startswith(("/vsi", "<")) or "\0" in text:
        raise LayerError(f"'{text[:80]}' is not a file on this computer: download or unpack it.")
    found = Path(text)
    try:
        exists = found.exists()
    except OSError as error:
        raise LayerError(f"{text[:80]} cannot be looked up ({one_line(error)}).") from error
    if not exists:
        raise LayerError(f"There is no file {text}: check the path.")
    return found


def read_info(
    path: Path | str, band: int = 1, *, allow_drivers: tuple[str, ...] = ()
) -> RasterInfo:
    """
    What a band of a raster says of itself; no cell is read.

    Parameters
    ----------
    path : path
    band : int
        Counted from 1.
    allow_drivers : tuple of str
        As for :func:`safe_open`.

    Raises
    ------
    LayerError
        If the file cannot be trusted, has no such band, no coordinate system, a rotated
        grid or complex values.
    """
    with safe_open(path, allow_drivers=allow_drivers) as dataset:
        path = Path(path)
        if not 1 <= band <= dataset.count:
            raise LayerError(f"{path} has bands 1 to {dataset.count}, but band {band} was asked.")
        dtype = str(dataset.dtypes[band - 1])
        if "complex" in dtype:
            raise LayerError(
                f"{path} holds {dtype} values, but real ones were expected: "
                "export the amplitude or one part."
            )
        said = read_sidecar(path) if SIDECARS in allow_drivers else None
        transform, crs, notes = _georeference(path, dataset, said)
        try:
            grid = Grid(crs, transform, dataset.shape)
        except GridError as error:
            raise GridError(f"{path}: {error}") from error
        _require_degrees(path, grid)
        nodata = dataset.nodatavals[band - 1]
        scale, offset = float(dataset.scales[band - 1]), float(dataset.offsets[band - 1])
        if said is not None:
            of_band = said.bands.get(band, {})
            nodata = of_band.get("NoDataValue", nodata)
            scale, offset = of_band.get("Scale", scale), of_band.get("Offset", offset)
        if not (math.isfinite(scale) and math.isfinite(offset)) or scale == 0:
            raise LayerError(
                f"{path} says that its values are to be scaled by {scale:g} and moved by "
                f"{offset:g}, which leaves nothing of them: set scale 1 and offset 0, or export "
                "it again."
            )
        return RasterInfo(
            path=path,
            band=band,
            grid=grid,
            dtype=dtype,
            nodata=None if nodata is None else float(nodata),
            scale=scale,
            offset=offset,
            unit=dataset.units[band - 1] or "",
            description=dataset.descriptions[band - 1] or "",
            bands=int(dataset.count),
            driver=str(dataset.driver),
            notes=tuple(notes),
            block=tuple(dataset.block_shapes[band - 1]),
        )


def read_tags(path: Path | str, band: int = 0) -> dict[str, str]:
    """
    The metadata of a raster, or of one of its bands.

    Parameters
    ----------
    path : path
    band : int
        Counted from 1; 0 for the whole file.

    Raises
    ------
    LayerError
        If the file cannot be trusted.
    """
    with safe_open(path) as dataset:
        return dict(dataset.tags(band))


def _require_degrees(path: Path, grid: Grid) -> None:
    """Refuse a geographic grid off the globe, or across the line where longitudes jump."""
    if not grid.crs.is_geographic:
        return
    west, south, east, north = grid.bounds
    # World grids with cells centred on the edges reach half a cell too far.
    dx, dy = grid.transform.a, -grid.transform.e
    if north > 90 + dy or south < -90 - dy or east > 540 or west < -360:
        raise GridError(
            f"{path} is said to be in degrees ({crs_name(grid.crs)}), but spans x from {west:g} to "
            f"{east:g} and y from {south:g} to {north:g}: assign its true coordinate system."
        )
    if east > 180 + dx or west < -180 - dx:
        raise GridError(
            f"{path} crosses the antimeridian (it spans {west:g}° to {east:g}°): "
            "cut it there, or warp it to a projection."
        )


def one_line(error: BaseException | None) -> str:
    """The first sentence of a foreign error, for use inside ours."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else text[:157] + "..."


def _require_sane(path: Path, dataset: Any) -> None:
    """Refuse sizes that would exhaust memory, before anything is read."""
    rows, cols = dataset.shape
    itemsize = max((_itemsize(str(name)) for name in dataset.dtypes), default=1)
    height, width = dataset.block_shapes[0] if dataset.count else (0, 0)
    block = height * width * itemsize
    if dataset.interleaving is not None and dataset.interleaving.name == "pixel":
        block *= dataset.count
    decoded = rows * cols * itemsize * dataset.count
    stored = path.stat().st_size if path.is_file() else decoded
    if dataset.count > MAX_BANDS:
        raise LayerError(
            f"{path} claims {dataset.count} bands, more than the {MAX_BANDS} that are accepted: "
            "export those that are needed."
        )
    if rows * cols > CELLS.value:
        raise LayerError(
            f"{path} claims {rows} × {cols} cells: {CELLS.refusal(rows * cols)}, or cut it into "
            "sheets."
        )
    if block > BLOCK.value:
        raise LayerError(
            f"{path} stores blocks of {BLOCK.refusal(block)}, or rewrite it tiled, for example "
            "with gdal_translate -co TILED=YES."
        )
    if decoded > SMALL and decoded > EXPANSION.value * max(stored, 1):
        raise LayerError(
            f"{path} would grow from {stored} bytes to {decoded / 2**30:.1f} GB when read, by "
            f"{EXPANSION.refusal(decoded / max(stored, 1))}."
        )


def _itemsize(dtype: str) -> int:
    digits = "".join(c for c in dtype if c.isdigit())
    return max(1, int(digits) // 8) if digits else 1


def _georeference(
    path: Path, dataset: Any, said: Said | None = None
) -> tuple[Affine, CRS, list[str]]:
    """Transform and coordinate system: the file's own, else those of plain sidecars."""
    notes = []
    transform = dataset.transform
    if said is not None and said.transform is not None:
        transform = said.transform
    if transform == Affine.identity():
        world = _sibling(path, _world_suffixes(path))
        if world is None:
            raise LayerError(
                f"{path} does not say where it lies: it has neither a geotransform nor a world "
                "file beside it. Georeference it, for example in QGIS."
            )
        transform = read_world(world)
        notes.append(f"position from {world.name}")
    crs = None if said is None else said.crs
    if crs is None and dataset.crs:
        try:
            crs = CRS.from_user_input(dataset.crs.to_wkt())
        except (CRSError, RasterioError, CPLE_BaseError) as error:
            raise LayerError(
                f"{path} has a coordinate system that cannot be understood "
                f"({one_line(error)}): assign it again."
            ) from error
    if crs is None:
        prj = _sibling(path, (".prj",))
        if prj is None:
            raise LayerError(
                f"{path} has no coordinate system: assign one, for example with "
                "gdal_edit.py -a_srs EPSG:32642, or put a .prj file beside it."
            )
        try:
            crs = CRS.from_user_input(read_text(prj).strip())
        except CRSError as error:
            raise LayerError(
                f"{prj} is not a coordinate system ({one_line(error)}): write WKT or EPSG:code."
            ) from error
        notes.append(f"coordinate system from {prj.name}")
    sidecar = path.with_name(path.name + ".aux.xml")
    if said is not None:
        notes.append(f"{sidecar.name} followed")
    elif path.is_file() and sidecar.exists():
        notes.append(f"{sidecar.name} ignored")
    return transform, crs, notes


def _world_suffixes(path: Path) -> tuple[str, ...]:
    suffix = path.suffix.lower() or ".tif"
    return (suffix[:2] + suffix[-1] + "w", suffix + "w", ".wld")


def _sibling(path: Path, suffixes: tuple[str, ...]) -> Path | None:
    """A file beside ``path`` with one of the suffixes, in either case."""
    for suffix in suffixes:
        for candidate in (path.with_suffix(suffix), path.with_suffix(suffix.upper())):
            if candidate.is_file():
                return candidate
    return None
