"""What is wrong with vector features, by count: read in batches, never a country at once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from pyproj import CRS

from prospect.errors import GridError
from prospect.grid import Grid, parse_crs
from prospect.raster import require_file
from prospect.vector.frames import located, to_crs
from prospect.vector.opening import dbf_encoding, describe, read_features

BATCH = 5_000
"""Features in memory at once."""

KINDS = {
    "Point": "point", "MultiPoint": "point", "LineString": "line", "MultiLineString": "line",
    "LinearRing": "line", "Polygon": "polygon", "MultiPolygon": "polygon",
}  # fmt: skip


@dataclass(frozen=True)
class VectorCheck:
    """
    Features counted.

    Attributes
    ----------
    features : int
        All that the condition lets through.
    kinds : mapping of str to int
        Points, lines, polygons and mixed collections.
    missing, invalid, short, heights, twice : int
        Without a geometry; polygons whose rings cross, which are mended when read; lines
        without length; with Z, which is dropped; with the geometry of an earlier feature.
    on_grid : int
        That touch the grid.
    nearest : float
        Metres from the grid to the nearest feature; infinity when that is not known.
    crs : CRS or None
        As the file says, or as it was overridden.
    bounds : tuple of 4 floats
        In ``crs``; NaN without features.
    encoding : str or None
        That the attributes were guessed to be in, where the file does not say.
    """

    features: int
    kinds: Counter[str]
    missing: int
    invalid: int
    short: int
    heights: int
    twice: int
    on_grid: int
    nearest: float
    crs: CRS | None
    bounds: tuple[float, float, float, float]
    encoding: str | None

    @property
    def kind(self) -> str:
        """Of most features; empty when there are none."""
        return self.kinds.most_common(1)[0][0] if self.kinds else ""

    def faults(self) -> list[str]:
        """A clause for everything that is wrong with the features, with its count."""
        found = []
        for count, what in (
            (self.missing, "{} without a geometry, passed over"),
            (self.invalid, "{} with rings that cross themselves, mended when read"),
            (self.short, "{} are lines without length, which have no strike"),
            (self.heights, "{} with heights, which are dropped"),
            (self.twice, "{} drawn twice: lengths and densities count both"),
        ):
            if count:
                found.append(what.format(f"{count} of {self.features} features"))
        if len(self.kinds) > 1:
            told = ", ".join(f"{n} {kind}s" for kind, n in self.kinds.most_common())
            found.append(f"kinds of geometry are mixed: {told}")
        return found


def check_vector(
    path: Path | str,
    grid: Grid | None = None,
    *,
    layer: str | None = None,
    where: str | None = None,
    crs: str | None = None,
) -> VectorCheck:
    """
    Count what is wrong with the features of a file, and what of them lies on a grid.

    Parameters
    ----------
    path : path
    grid : Grid, optional
        Without one, nothing is said of it.
    layer, where, crs : str, optional
        As for :func:`read_vector`.

    Raises
    ------
    LayerError
        If the file cannot be read.
    """
    path = require_file(path).absolute()
    info = describe(path, layer)
    named = crs or info["crs"]
    system = parse_crs(named) if named else None
    kinds: Counter[str] = Counter()
    features = missing = invalid = short = heights = twice = on_grid = 0
    nearest = np.inf
    corners = [np.full((1, 4), np.nan)]
    seen: set[bytes] = set()
    for frame in _batches(path, layer, where):
        shapes = frame.geometry.values
        there = located(frame)
        features += len(shapes)
        missing += int((~there).sum())
        shapes = np.asarray(shapes[there])
        heights += int(shapely.has_z(shapes).sum())
        flat = shapely.force_2d(shapes)
        kinds.update(KINDS.get(shape.geom_type, "mixed collection") for shape in flat)
        areas = np.isin(shapely.get_type_id(flat), (3, 6))
        invalid += int((~shapely.is_valid(flat[areas])).sum())
        short += int(((shapely.get_dimensions(flat) == 1) & (shapely.length(flat) == 0)).sum())
        for wkb in shapely.to_wkb(flat):
            digest = hashlib.blake2b(wkb, digest_size=8).digest()
            twice += digest in seen
            seen.add(digest)
        corners.append(shapely.bounds(flat))
        if grid is not None and system is not None and flat.size:
            touching, near = _near(gpd.GeoSeries(flat, crs=system).to_frame("geometry"), grid)
            on_grid, nearest = on_grid + touching, min(nearest, near)
    every = np.concatenate(corners)
    known = every[np.isfinite(every).all(axis=1)]
    bounds = (*known[:, :2].min(axis=0), *known[:, 2:].max(axis=0)) if len(known) else every[0]
    return VectorCheck(
        features=features,
        kinds=kinds,
        missing=missing,
        invalid=invalid,
        short=short,
        heights=heights,
        twice=twice,
        on_grid=on_grid,
        nearest=float(nearest),
        crs=system,
        bounds=(float(bounds[0]), float(bounds[1]), float(bounds[2]), float(bounds[3])),
        encoding=dbf_encoding(path),
    )


def _batches(path: Path, layer: str | None, where: str | None) -> Iterator[gpd.GeoDataFrame]:
    """The geometries of a file, some at a time."""
    start = 0
    while True:
        table = read_features(
            path, layer=layer, where=where, columns=[], skip_features=start, max_features=BATCH
        )
        if not len(table):
            return
        yield gpd.GeoDataFrame(table)
        if len(table) < BATCH:
            return
        start += BATCH


def _near(frame: gpd.GeoDataFrame, grid: Grid) -> tuple[int, float]:
    """How many features touch a grid, and how far the nearest is from it."""
    try:
        moved = to_crs(frame, grid.crs, keep_far=True)
    except GridError:
        return 0, np.inf
    shapes = np.asarray(moved.geometry.values)
    # What is too far for the grid's system has no place there.
    shapes = shapes[np.isfinite(shapely.bounds(shapes)).all(axis=1)]
    if not shapes.size:
        return 0, np.inf
    apart = shapely.distance(shapes, shapely.box(*grid.bounds))
    return int((apart == 0).sum()), float(apart.min())
