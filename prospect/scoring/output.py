"""What a map is written as: GeoTIFFs, QGIS styles and a manifest; or a Dataset."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from prospect._version import __version__
from prospect.bands import Band
from prospect.errors import GridError, OutputError
from prospect.grid import Grid, Window
from prospect.model import Model
from prospect.raster import CogBand, CogWriter, atomic_path, require_writable_folder
from prospect.record import sha256
from prospect.scoring.journal import checksum
from prospect.scoring.tile import Tile
from prospect.styles import category_names, class_colours, class_style, qgis_style, thresholds

DISCLAIMER = (
    "Not a Mineral Resource or an Exploration Target under JORC or NI 43-101; no sign-off by a "
    "Competent or Qualified Person. Не является подсчётом запасов (A, B, C1, C2) и не оценкой "
    "прогнозных ресурсов (P1–P3)."
)

STYLE_CELLS = 4_000_000


class MapFiles:
    """
    The GeoTIFFs of a map: one of numbers, and one of each band of classes, with its palette.

    Used as a context: all appear when the body ends well, and none when it fails.

    Parameters
    ----------
    output : path
        Of the numbers; ``gold.tif`` has ``gold.driver.tif`` for the classes ``driver``.
    grid : Grid
    bands : sequence of Band
    tags : mapping of str to str
    compress : str
    work : path
        Where raw files are kept.
    again : bool
        Whether those that are there are gone on with.
    threads : int
    """

    def __init__(
        self,
        output: Path,
        grid: Grid,
        bands: Sequence[Band],
        *,
        tags: Mapping[str, str],
        compress: str,
        work: Path,
        again: bool = False,
        threads: int = 1,
    ) -> None:
        self.grid = grid
        self._open = ExitStack()
        self.files: list[tuple[CogWriter, list[Band]]] = []
        for path, own in files_of(output, bands):
            classes = own[0].classes
            writer = CogWriter(
                path,
                grid,
                [CogBand(band.name, band.unit, _tags(band)) for band in own],
                dtype="float32" if classes is None else "uint8",
                palette=None if classes is None else class_colours(len(classes)),
                tags={**tags, "CONTENT": "; ".join(f"{band.name}: {band.content}" for band in own)},
                compress=compress,
                work=work,
                again=again,
                threads=threads,
            )
            self.files.append((writer, own))

    def __enter__(self) -> MapFiles:
        with ExitStack() as opened:
            for writer, _ in self.files:
                opened.enter_context(writer)
            self._open = opened.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, traceback)

    def write(self, window: Window, tile: Tile | None) -> list[int]:
        """Put a tile in its place, and tell what its bytes came to, a number a file."""
        checks = []
        for writer, own in self.files:
            shape = (window.height, window.width)
            empty = (band.empty(shape) for band in own)
            cells = np.stack([tile[b.name] for b in own] if tile is not None else list(empty))
            writer.write(window, cells)
            writer.flush()
            checks.append(checksum(cells))
        return checks

    def holds(self, window: Window, checks: Sequence[int]) -> bool:
        """Whether the raw files hold a tile as it was written."""
        return len(checks) == len(self.files) and all(
            checksum(writer.read(window)) == check
            for (writer, _), check in zip(self.files, checks, strict=True)
        )

    def accept(self, window: Window) -> None:
        """Count a tile as written in an earlier run."""
        for writer, _ in self.files:
            writer.accept(window)

    def finish(self) -> None:
        """Make the GeoTIFFs and verify them."""
        for writer, _ in self.files:
            writer.finish()

    def values(self) -> NDArray[np.float32]:
        """
        Values of the first band, from a regular subgrid of a large map.

        Raises
        ------
        GridError
            If no cell has one.
        """
        writer, _ = self.files[0]
        stride = max(1, int(np.ceil(np.sqrt(self.grid.rows * self.grid.cols / STYLE_CELLS))))
        values: NDArray[np.float32] = writer.sample(0, stride)
        values = values[values == values]
        require_some(values.size > 0 or any(True for _ in _valid_rows(writer)))
        return values


def files_of(output: Path, bands: Sequence[Band]) -> list[tuple[Path, list[Band]]]:
    """
    Which bands go to which file.

    Raises
    ------
    OutputError
        If there is no band of numbers, or the name is not that of a GeoTIFF.
    """
    if output.suffix.lower() not in (".tif", ".tiff"):
        raise OutputError(f"The map is a GeoTIFF, so its name ends in .tif, not '{output.name}'.")
    require_writable_folder(output)
    numbers = [band for band in bands if band.classes is None]
    if not numbers:
        raise OutputError(
            f"{output.name} holds numbers, but {', '.join(b.name for b in bands)} are classes, "
            "which get files of their own: ask for the likelihood too."
        )
    found = [(output, numbers)]
    return found + [
        (output.with_suffix(f".{band.name}{output.suffix}"), [band])
        for band in bands
        if band.classes is not None
    ]


def make_companions(
    beside: ExitStack,
    files: MapFiles,
    values: NDArray[np.float32],
    output: Path,
    model: Model,
    made: Mapping[str, Any],
    work: Path,
) -> None:
    """
    Make styles, names of classes and the manifest in ``work``.

    They appear when ``beside`` ends well, which is once the map is there: what could fail, for
    want of space above all, has then been done.
    """

    def make(path: Path, text: str) -> None:
        temporary = beside.enter_context(atomic_path(path, within=work))
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    for writer, own in files.files:
        title = f"{model.title}: {own[0].name}"
        classes = own[0].classes
        if classes is None:
            style = qgis_style(thresholds(values), title)
        else:
            style = class_style(classes, title)
            # A GeoTIFF has no place for names of classes, but GDAL looks beside it.
            make(writer.path.with_name(f"{writer.path.name}.aux.xml"), category_names(classes))
        make(writer.path.with_suffix(".qml"), style)
    maps = {writer.path.name: sha256(writer.made or writer.path) for writer, _ in files.files}
    manifest = {
        "map": {"name": output.name, "sha256": maps[output.name]},
        "files": maps,
        **made,
        "disclaimer": DISCLAIMER,
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=1)
    make(output.with_suffix(".manifest.json"), text + "\n")


def tags_of(model: Model) -> dict[str, str]:
    """Metadata of the files."""
    return {
        "COMMODITY": model.commodity,
        "QUALITY": model.quality().replace("\n", "; "),
        "DISCLAIMER": DISCLAIMER,
        "SOFTWARE": f"prospect {__version__}",
    }


def require_some(any_cell: bool) -> None:
    """Refuse a map of nothing."""
    if not any_cell:
        raise GridError(
            "No cell could be scored: required layers, area and permissive ground leave nothing "
            "in common. Check with 'prospect inspect' that the layers overlap."
        )


def as_dataset(
    model: Model, grid: Grid, bands: Sequence[Band], values: Mapping[str, NDArray[Any]]
) -> xr.Dataset:
    """A map in memory."""
    layers = {}
    for band in bands:
        attrs: dict[str, Any] = {
            "units": band.unit,
            "long_name": f"{band.name} of {model.commodity}",
            "content": band.content,
        }
        if band.classes is not None:
            attrs["_FillValue"] = int(band.gap)
            attrs["classes"] = dict(enumerate(band.classes))
        layers[band.name] = xr.DataArray(
            values[band.name], coords=grid.coordinates(), dims=("y", "x"), attrs=attrs
        )
    return xr.Dataset(layers, attrs={"disclaimer": DISCLAIMER})


def _tags(band: Band) -> dict[str, str]:
    """Metadata of a band."""
    tags = {"CONTENT": band.content}
    if band.classes is not None:
        tags["CLASSES"] = json.dumps(dict(enumerate(band.classes)), ensure_ascii=False)
    return tags


def _valid_rows(writer: CogWriter) -> Iterator[NDArray[np.float32]]:
    """Lattice rows with any score in them."""
    for _, cells in writer.rows(0):
        if (cells == cells).any():
            yield cells
