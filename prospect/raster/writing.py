"""Write GeoTIFFs that are whole or not there at all."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray

from prospect.errors import LayerError, OutputError
from prospect.grid import LATTICE, Grid, Window
from prospect.raster.opening import GDAL_ERRORS, one_line, safe_environment, safe_open

DISK_FACTOR = 2.5
"""Free space wanted, over the bytes of the raw bands: they, the result and its overviews."""


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """
    A temporary path in a temporary folder beside ``path``, moved there at the end.

    Nothing is left at ``path``, and nothing beside it, when the body fails.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    path = Path(path)
    folder = require_writable_folder(path)
    work = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=folder))
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


class CogWriter:
    """
    Gather float32 tiles in a raw file and make a cloud-optimised GeoTIFF of them.

    Memory does not grow with the raster. Used as a context: the output appears, verified
    cell by cell, when the body ends well, and not at all when it fails.

    Parameters
    ----------
    path : path
        The GeoTIFF to write.
    grid : Grid
    bands : sequence of str
        Descriptions, one a band.
    units : sequence of str
        One a band.
    tags : mapping of str to str
        Metadata of the file.
    compress : {'zstd', 'deflate'}

    Raises
    ------
    OutputError
        If the folder cannot be written, the disk is or becomes full, or the written
        file does not hold what was meant.
    """

    def __init__(
        self,
        path: Path | str,
        grid: Grid,
        bands: Sequence[str],
        *,
        units: Sequence[str] | None = None,
        tags: Mapping[str, str] | None = None,
        compress: str = "zstd",
    ) -> None:
        self.path = Path(path)
        self.grid = grid
        self.bands = list(bands)
        self.units = list(units) if units is not None else [""] * len(self.bands)
        self.tags = dict(tags or {})
        self.compress = compress

    def __enter__(self) -> CogWriter:
        folder = require_writable_folder(self.path)
        size = 4 * len(self.bands) * self.grid.rows * self.grid.cols
        free = shutil.disk_usage(folder).free
        if free < DISK_FACTOR * size:
            raise OutputError(
                f"Writing {self.path.name} takes up to {DISK_FACTOR * size / 1e6:.0f} MB, but "
                f"{folder} has {free / 1e6:.0f} MB free: free some space or write elsewhere."
            )
        self._work = Path(tempfile.mkdtemp(prefix=f".{self.path.name}.", dir=folder))
        self._missing = self.grid.rows * self.grid.cols
        try:
            self._raw: IO[bytes] = (self._work / "bands.raw").open("wb+")
            self._raw.truncate(size)
            _reserve(self._raw, size)
        except OSError as error:
            self._abandon()
            raise self._failed(error) from error
        return self

    def write(self, window: Window, tiles: NDArray[np.float32]) -> None:
        """Put the cells of a window, of shape (band, y, x), in their place, once each."""
        tiles = np.ascontiguousarray(tiles, "<f4")
        wanted = (len(self.bands), window.height, window.width)
        if tiles.shape != wanted or window.intersect(self.grid.window) != window:
            raise OutputError(
                f"Cells of shape {wanted} inside the grid were expected for {self.path.name}, but "
                f"{tiles.shape} came for {window}."
            )
        self._missing -= window.height * window.width
        try:
            for band in range(len(self.bands)):
                for i in range(window.height):
                    row = (band * self.grid.rows + window.row + i) * self.grid.cols + window.col
                    self._raw.seek(4 * row)
                    self._raw.write(tiles[band, i].data)
        except OSError as error:
            raise self._failed(error) from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._abandon()

    def rows(self, band: int) -> Iterator[tuple[Window, NDArray[np.float32]]]:
        """The raw cells of a band, by lattice rows."""
        width = self.grid.cols
        for row in range(0, self.grid.rows, LATTICE):
            height = min(LATTICE, self.grid.rows - row)
            self._raw.seek(4 * (band * self.grid.rows + row) * width)
            cells = np.frombuffer(self._raw.read(4 * height * width), "<f4")
            yield Window(row, 0, height, width), cells.reshape(height, width)

    def _finish(self) -> None:
        if self._missing > 0:
            raise OutputError(
                f"{self.path} is not written, because {self._missing} of its cells never came: "
                "write every window of the grid."
            )
        temporary = self._work / self.path.name
        try:
            self._raw.flush()
            description = self._work / "bands.vrt"
            description.write_text(self._vrt(), encoding="utf-8")
            with safe_environment():
                rasterio.shutil.copy(
                    str(description),
                    str(temporary),
                    driver="COG",
                    compress=self.compress.upper(),
                    predictor="FLOATING_POINT",
                    blocksize="512",
                    overviews="AUTO",
                    overview_resampling="AVERAGE",
                    num_threads="1",
                    bigtiff="IF_SAFER",
                )
            self._verify(temporary)
            sync(temporary)
            temporary.replace(self.path)
        except (*GDAL_ERRORS, LayerError) as error:
            raise self._failed(error) from error

    def _verify(self, written: Path) -> None:
        """Compare what was written with what was meant, to the bit."""
        with safe_open(written) as dataset:
            # Coordinate systems are not compared: GeoTIFF renames those without a code.
            place = dataset.transform, dataset.shape, bool(dataset.crs)
            if place != (self.grid.transform, self.grid.shape, True):
                raise OutputError(
                    f"{self.path} was not written as meant: GeoTIFF cannot hold the place of "
                    f"{self.grid.describe()}. Use another coordinate system or origin."
                )
            for band in range(len(self.bands)):
                for window, cells in self.rows(band):
                    rows, cols = window.slices
                    back = dataset.read(
                        band + 1, window=((rows.start, rows.stop), (cols.start, cols.stop))
                    )
                    if not np.array_equal(back.view(np.int32), cells.view(np.int32)):
                        raise OutputError(
                            f"{self.path} was not written as meant (band {band + 1}, from row "
                            f"{rows.start}): the disk may be full or failing."
                        )

    def _vrt(self) -> str:
        """Describe the raw file to GDAL, with statistics that GDAL's own option gets wrong."""
        rows, cols = self.grid.shape
        t = self.grid.transform
        parts = [
            f'<VRTDataset rasterXSize="{cols}" rasterYSize="{rows}">',
            f"<SRS>{escape(self.grid.crs.to_wkt())}</SRS>",
            f"<GeoTransform>{t.c!r}, {t.a!r}, 0.0, {t.f!r}, 0.0, {t.e!r}</GeoTransform>",
            _metadata(self.tags),
        ]
        for band, (name, unit) in enumerate(zip(self.bands, self.units, strict=True)):
            parts += [
                f'<VRTRasterBand dataType="Float32" band="{band + 1}" subClass="VRTRawRasterBand">',
                f"<Description>{escape(name)}</Description>",
                f"<UnitType>{escape(unit)}</UnitType>",
                "<NoDataValue>nan</NoDataValue>",
                _metadata(self.statistics(band)),
                '<SourceFilename relativeToVRT="1">bands.raw</SourceFilename>',
                f"<ImageOffset>{4 * band * rows * cols}</ImageOffset>",
                f"<PixelOffset>4</PixelOffset><LineOffset>{4 * cols}</LineOffset>",
                "<ByteOrder>LSB</ByteOrder></VRTRasterBand>",
            ]
        return "".join([*parts, "</VRTDataset>"])

    def statistics(self, band: int) -> dict[str, str]:
        """Minimum, maximum, mean, deviation and valid share of a band, as GDAL names them."""
        count, mean, scatter = 0, 0.0, 0.0
        low, high = np.inf, -np.inf
        for _, cells in self.rows(band):
            valid = cells[cells == cells].astype(np.float64)
            if valid.size:
                # Chan's update: sums of squares would cancel where the mean is large.
                step = float(valid.mean()) - mean
                total = count + valid.size
                scatter += float(((valid - valid.mean()) ** 2).sum())
                scatter += step * step * count * valid.size / total
                mean += step * valid.size / total
                count = total
                low, high = min(low, float(valid.min())), max(high, float(valid.max()))
        if count == 0:
            return {"STATISTICS_VALID_PERCENT": "0"}
        share = 100 * count / (self.grid.rows * self.grid.cols)
        deviation = (scatter / count) ** 0.5
        return {
            "STATISTICS_MINIMUM": repr(low),
            "STATISTICS_MAXIMUM": repr(high),
            "STATISTICS_MEAN": repr(mean),
            "STATISTICS_STDDEV": repr(deviation),
            "STATISTICS_VALID_PERCENT": f"{share:.4g}",
        }

    def _failed(self, error: BaseException) -> OutputError:
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        why = "the disk is full" if full else one_line(error)
        if isinstance(error, SystemError):
            why = "GDAL does not say why; the disk may be full"
        return OutputError(
            f"{self.path} cannot be written ({why}): what was there before still is."
        )

    def _abandon(self) -> None:
        raw = getattr(self, "_raw", None)
        if raw is not None:
            # A full disk is found again at closing; the folder goes away all the same.
            with suppress(OSError):
                raw.close()
        shutil.rmtree(self._work, ignore_errors=True)


def _reserve(file: IO[bytes], size: int) -> None:
    """Claim the space now where the system can, so that a full disk is found at once."""
    if hasattr(os, "posix_fallocate") and size:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise


def _metadata(items: Mapping[str, str]) -> str:
    entries = "".join(
        f"<MDI key={quoteattr(str(k))}>{escape(str(v))}</MDI>" for k, v in items.items()
    )
    return f"<Metadata>{entries}</Metadata>"
