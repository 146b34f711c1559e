"""A scored map, read back: its bands by name, its classes, its manifest."""

from __future__ import annotations

import glob
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from affine import Affine
from numpy.typing import NDArray

from prospect.errors import LayerError
from prospect.grid import Grid, Window
from prospect.raster import RasterInfo, align, read_info, read_native, read_tags


@dataclass(frozen=True)
class MapFile:
    """
    A map as ``prospect score`` writes it.

    Attributes
    ----------
    path : Path
        The GeoTIFF of numbers.
    grid : Grid
    infos : mapping of str to RasterInfo
        Each band by name, those of classes among them.
    classes : mapping of str to tuple of str
        Of bands of classes: names of the values 0, 1, 2…
    manifest : mapping
        Empty where none lies beside the map.
    """

    path: Path
    grid: Grid
    infos: Mapping[str, RasterInfo]
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)

    def __contains__(self, band: str) -> bool:
        return band in self.infos

    def read(self, band: str, window: Window | None = None) -> NDArray[Any]:
        """
        The cells of a band.

        Returns
        -------
        array of shape (rows, cols)
            float32 with NaN for gaps, or int32 with -1 for gaps of classes.
        """
        info = self._info(band)
        return read_native(info, window or info.grid.window, categorical=band in self.classes)

    def reduced(self, band: str, most: int) -> tuple[NDArray[Any], Grid]:
        """
        A band with few cells, to be looked at: means of cells, or the commonest class.

        Parameters
        ----------
        band : str
        most : int
            Cells along the longer side, at most.
        """
        grid = reduced_grid(self.grid, most)
        aligned = align(self._info(band), grid, categorical=band in self.classes)
        return aligned.read(grid.window), grid

    def _info(self, band: str) -> RasterInfo:
        if band not in self.infos:
            raise LayerError(f"{self.path} has no band '{band}'; it has: {', '.join(self.infos)}.")
        return self.infos[band]


def open_map(path: Path | str) -> MapFile:
    """
    Open a map that ``prospect score`` wrote.

    Parameters
    ----------
    path : path
        The GeoTIFF. Files of classes and the manifest beside it are taken with it.

    Returns
    -------
    MapFile

    Raises
    ------
    LayerError
        If it is no map of likelihood.
    """
    path = Path(path)
    infos = _bands(path)
    if not {"likelihood", "probability"} & set(infos):
        raise LayerError(
            f"{path} is no map of 'prospect score': a band 'likelihood' was expected, but its "
            f"bands are {', '.join(infos)}."
        )
    manifest = _manifest(path.with_suffix(".manifest.json"))
    classes: dict[str, tuple[str, ...]] = {}
    for beside in _of_classes(path, manifest):
        for name, info in _bands(beside).items():
            named = json.loads(read_tags(beside, info.band).get("CLASSES", "{}"))
            infos[name] = info
            classes[name] = tuple(str(each) for each in named.values())
    return MapFile(path, next(iter(infos.values())).grid, infos, classes, manifest)


def _of_classes(path: Path, manifest: Mapping[str, Any]) -> list[Path]:
    """The files of classes beside a map: ``gold.driver.tif`` for ``gold.tif``."""
    found = sorted(path.parent.glob(f"{glob.escape(path.stem)}.*{path.suffix}"))
    if "files" in manifest:
        # What an earlier map left there is not of this one.
        found = [each for each in found if each.name in manifest["files"]]
    return found


def reduced_grid(grid: Grid, most: int) -> Grid:
    """The grid of whole multiples of cells whose longer side has at most so many."""
    times = max(1, math.ceil(max(grid.shape) / most))
    t = grid.transform
    transform = Affine(t.a * times, 0.0, t.c, 0.0, t.e * times, t.f)
    return Grid(grid.crs, transform, (-(-grid.rows // times), -(-grid.cols // times)))


def _bands(path: Path) -> dict[str, RasterInfo]:
    first = read_info(path)
    infos = [first, *(read_info(path, band=k) for k in range(2, first.bands + 1))]
    return {info.description or f"band {info.band}": info for info in infos}


def _manifest(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LayerError(f"{path} cannot be read as a manifest ({error}).") from error
    if not isinstance(found, dict):
        raise LayerError(f"{path} is no manifest: an object was expected.")
    return found
