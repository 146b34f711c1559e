"""Gather tiles in raw files, and make cloud-optimised GeoTIFFs of them: whole, or not there."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
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
from prospect.raster.writing import require_writable_folder, sync

DISK_FACTOR = 2.5
"""Space a map takes while it is made, over its raw bands: they, the result, its overviews."""

BLOCK = 512
"""Cells a side of the blocks of a GeoTIFF that is written."""

LEVEL = {"zstd": {"level": "3"}}
"""GDAL's own is 9: half a percent to two smaller, in twice the time."""

Colour = tuple[int, int, int, int]


@dataclass(frozen=True)
class CogBand:
    """
    A band of a file.

    Attributes
    ----------
    name, unit : str
    tags : mapping of str to str, optional
        Its metadata.
    """

    name: str
    unit: str = ""
    tags: Mapping[str, str] | None = None


class CogWriter:
    """
    Gather tiles in a raw file and make a cloud-optimised GeoTIFF of them.

    Memory does not grow with the raster. Used as a context: the output appears, verified
    cell by cell, when the body ends well, and not at all when it fails.

    Parameters
    ----------
    path : path
        The GeoTIFF to write.
    grid : Grid
    bands : sequence of CogBand or str
    dtype : {'float32', 'uint8'}
        Gaps are NaN, or 255.
    palette : sequence of (red, green, blue, alpha), optional
        Colours of a file of one uint8 band.
    tags : mapping of str to str
        Metadata of the file.
    compress : {'zstd', 'deflate'}
    work : path, optional
        A folder for the raw file, which stays there when the body fails; by default a
        temporary one, which goes.
    again : bool
        Go on with the raw file that is in ``work``.
    threads : int
        That compress and decompress; the bytes do not depend on it.

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
        bands: Sequence[CogBand | str],
        *,
        dtype: str = "float32",
        palette: Sequence[Colour] | None = None,
        tags: Mapping[str, str] | None = None,
        compress: str = "zstd",
        work: Path | None = None,
        again: bool = False,
        threads: int = 1,
    ) -> None:
        self.path = Path(path)
        self.grid = grid
        self.bands = [CogBand(band) if isinstance(band, str) else band for band in bands]
        self.dtype = np.dtype(dtype).newbyteorder("<")
        self.palette = palette
        self.tags = dict(tags or {})
        self.compress = compress
        self.threads = threads
        self._kept, self._again = work, again
        self.made: Path | None = None
        """The finished file, before it appears."""

    @property
    def size(self) -> int:
        """Bytes of the raw bands."""
        return self.dtype.itemsize * len(self.bands) * self.grid.rows * self.grid.cols

    @property
    def gap(self) -> float:
        """What marks a gap."""
        return float("nan") if self.dtype.kind == "f" else 255

    def __enter__(self) -> CogWriter:
        folder = require_writable_folder(self.path)
        if self._kept is None:
            require_space(folder, self.path.name, DISK_FACTOR * self.size)
            self._work = Path(tempfile.mkdtemp(prefix=f".{self.path.name}.", dir=folder))
        else:
            self._work = self._kept
        self._missing = self.grid.rows * self.grid.cols
        file = self._work / f"{self.path.name}.raw"
        try:
            old = self._again and file.exists() and file.stat().st_size == self.size
            self._raw: IO[bytes] = file.open("rb+" if old else "wb+")
            if not old:
                self._raw.truncate(self.size)
                _reserve(self._raw, self.size)
        except OSError as error:
            self._abandon()
            raise self._failed(error) from error
        return self

    def write(self, window: Window, tiles: NDArray[Any]) -> None:
        """Put the cells of a window, of shape (band, y, x), in their place, once each."""
        tiles = np.ascontiguousarray(tiles, self.dtype)
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
                    self._raw.seek(self._place(band, window.row + i, window.col))
                    self._raw.write(tiles[band, i].data)
        except OSError as error:
            raise self._failed(error) from error

    def fill(self, window: Window) -> None:
        """Leave a window empty."""
        shape = (len(self.bands), window.height, window.width)
        self.write(window, np.full(shape, self.gap, self.dtype))

    def read(self, window: Window) -> NDArray[Any]:
        """The cells of a window, of shape (band, y, x), as they are now."""
        out = np.empty((len(self.bands), window.height, window.width), self.dtype)
        for band in range(len(self.bands)):
            for i in range(window.height):
                self._raw.seek(self._place(band, window.row + i, window.col))
                self._raw.readinto(out[band, i].data)  # type: ignore[attr-defined]
        return out

    def accept(self, window: Window) -> None:
        """Count a window as written, in an earlier run."""
        self._missing -= window.height * window.width

    def flush(self) -> None:
        """Hand everything to the system: it is there though this process be killed."""
        try:
            self._raw.flush()
        except OSError as error:
            raise self._failed(error) from error

    def finish(self) -> None:
        """Make the GeoTIFF and verify it; it appears when the context ends well."""
        if self._missing > 0:
            raise OutputError(
                f"{self.path} is not written, because {self._missing} of its cells never came: "
                "write every window of the grid."
            )
        temporary = self._work / self.path.name
        floats = self.dtype.kind == "f"
        try:
            self._raw.flush()
            description = self._work / f"{self.path.name}.vrt"
            description.write_text(self._vrt(), encoding="utf-8")
            with safe_environment():
                rasterio.shutil.copy(
                    str(description),
                    str(temporary),
                    driver="COG",
                    compress=self.compress.upper(),
                    **LEVEL.get(self.compress, {}),
                    predictor="FLOATING_POINT" if floats else "STANDARD",
                    blocksize=str(BLOCK),
                    overviews="AUTO",
                    overview_resampling="AVERAGE" if floats else "MODE",
                    num_threads=str(self.threads),
                    bigtiff="IF_SAFER",
                )
            self._verify(temporary)
            sync(temporary)
        except (*GDAL_ERRORS, LayerError) as error:
            raise self._failed(error) from error
        self.made = temporary

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                if self.made is None:
                    self.finish()
                assert self.made is not None
                self.made.replace(self.path)
        except OSError as failure:
            raise self._failed(failure) from failure
        finally:
            self._abandon()

    def rows(self, band: int, step: int = LATTICE) -> Iterator[tuple[Window, NDArray[Any]]]:
        """The raw cells of a band, by lattice rows or others."""
        width = self.grid.cols
        for row in range(0, self.grid.rows, step):
            height = min(step, self.grid.rows - row)
            self._raw.seek(self._place(band, row, 0))
            cells = np.frombuffer(self._raw.read(self.dtype.itemsize * height * width), self.dtype)
            yield Window(row, 0, height, width), cells.reshape(height, width)

    def sample(self, band: int, stride: int) -> NDArray[Any]:
        """Every ``stride``-th cell of every ``stride``-th row of a band."""
        found = []
        for row in range(0, self.grid.rows, stride):
            self._raw.seek(self._place(band, row, 0))
            read = self._raw.read(self.dtype.itemsize * self.grid.cols)
            found.append(np.frombuffer(read, self.dtype)[::stride])
        return np.concatenate(found)

    def _place(self, band: int, row: int, col: int) -> int:
        return self.dtype.itemsize * ((band * self.grid.rows + row) * self.grid.cols + col)

    def _verify(self, written: Path) -> None:
        """Compare what was written with what was meant, to the bit."""
        with rasterio.Env(GDAL_NUM_THREADS=str(self.threads)), safe_open(written) as dataset:
            # Coordinate systems are not compared: GeoTIFF renames those without a code.
            place = dataset.transform, dataset.shape, bool(dataset.crs)
            if place != (self.grid.transform, self.grid.shape, True):
                raise OutputError(
                    f"{self.path} was not written as meant: GeoTIFF cannot hold the place of "
                    f"{self.grid.describe()}. Use another coordinate system or origin."
                )
            for band in range(len(self.bands)):
                for window, cells in self.rows(band, BLOCK):
                    rows, cols = window.slices
                    back = dataset.read(
                        band + 1, window=((rows.start, rows.stop), (cols.start, cols.stop))
                    )
                    if back.tobytes() != cells.tobytes():
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
        kind = "Float32" if self.dtype.kind == "f" else "Byte"
        item = self.dtype.itemsize
        for number, band in enumerate(self.bands):
            parts += [
                f'<VRTRasterBand dataType="{kind}" band="{number + 1}" '
                'subClass="VRTRawRasterBand">',
                f"<Description>{escape(band.name)}</Description>",
                f"<UnitType>{escape(band.unit)}</UnitType>",
                f"<NoDataValue>{self.gap:g}</NoDataValue>",
                self._colours(),
                _metadata({**(band.tags or {}), **self.statistics(number)}),
                f'<SourceFilename relativeToVRT="1">{escape(self.path.name)}.raw</SourceFilename>',
                f"<ImageOffset>{self._place(number, 0, 0)}</ImageOffset>",
                f"<PixelOffset>{item}</PixelOffset><LineOffset>{item * cols}</LineOffset>",
                "<ByteOrder>LSB</ByteOrder></VRTRasterBand>",
            ]
        return "".join([*parts, "</VRTDataset>"])

    def _colours(self) -> str:
        """The palette of a band of classes."""
        if self.palette is None:
            return ""
        entries = "".join(
            f'<Entry c1="{r}" c2="{g}" c3="{b}" c4="{a}"/>' for r, g, b, a in self.palette
        )
        return f"<ColorInterp>Palette</ColorInterp><ColorTable>{entries}</ColorTable>"

    def statistics(self, band: int) -> dict[str, str]:
        """Minimum, maximum, mean, deviation and valid share of a band, as GDAL names them."""
        if self.palette is not None:
            return {}
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
        if self._kept is None:
            shutil.rmtree(self._work, ignore_errors=True)


def require_space(folder: Path, what: str, size: float) -> None:
    """
    Refuse what the disk cannot hold.

    Raises
    ------
    OutputError
        If less than ``size`` bytes are free.
    """
    free = shutil.disk_usage(folder).free
    if free < size:
        raise OutputError(
            f"Writing {what} takes up to {size / 1e6:.0f} MB, but "
            f"{folder} has {free / 1e6:.0f} MB free: free some space or write elsewhere."
        )


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
