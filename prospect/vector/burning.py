"""Vector features become layers of a grid when a window is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from prospect.grid import Grid, Window
from prospect.raster import burn
from prospect.vector.opening import class_name
from prospect.vector.reading import read_vector


@dataclass(frozen=True)
class VectorLayer:
    """
    Vector features that become a layer of a grid when a window is read.

    Attributes
    ----------
    path : Path
    grid : Grid
    layer : str or None
        Of a file with several.
    where : str or None
        An OGR SQL condition on attributes.
    attribute : str or None
        The class of polygons; without it the layer says where features are (1) and
        are not (0).
    classes : mapping of int to str
        Codes of the attribute's values. Without an attribute, those of the polygons (1) and
        of the ground around them (2).
    crs : str or None
        Instead of the file's own.
    """

    path: Path
    grid: Grid = field(repr=False)
    layer: str | None = None
    where: str | None = None
    attribute: str | None = None
    classes: Mapping[int, str] | None = None
    crs: str | None = None

    def read(self, window: Window) -> NDArray[Any]:
        """
        Burn the features of a window in.

        Returns
        -------
        array of shape (height, width)
            Without an attribute float32: 1 in every cell that a line or point touches or
            whose centre a polygon covers, else 0. With one int32: the class, -1 where no
            polygon lies. Without one but with classes int32 as well: inside and outside.
        """
        categorical = self.attribute is not None or self.classes is not None
        fill = (-1 if self.attribute is not None else 2) if categorical else 0
        out = np.full((window.height, window.width), fill, np.int32)
        blocks = [b.intersect(self.grid.window) for b in window.lattice_blocks()]
        blocks = [b for b in blocks if b.height and b.width]
        bounds = np.array([self.grid.crop(block).bounds for block in blocks])
        west, south = bounds[:, :2].min(axis=0)
        east, north = bounds[:, 2:].max(axis=0)
        frame = self.features((west, south, east, north))
        if len(frame):
            tree = shapely.STRtree(frame.geometry.values)
            codes = self._codes(frame)
            for block in blocks:
                part = block.intersect(window)
                grid = self.grid.crop(block)
                found = np.sort(tree.query(shapely.box(*grid.bounds)))
                if found.size:
                    burnt = _burn(frame, codes, found, grid, fill=fill)
                    out[part.within(window)] = burnt[part.within(block)]
        return out if categorical else out.astype(np.float32)

    def features(self, bounds: tuple[float, float, float, float]) -> gpd.GeoDataFrame:
        """The features that touch bounds, in the grid's coordinate system and their order."""
        return read_vector(
            self.path,
            layer=self.layer,
            where=self.where,
            crs=self.crs,
            to=self.grid.crs,
            bounds=bounds,
            columns=[self.attribute] if self.attribute else [],
        )

    def _codes(self, frame: gpd.GeoDataFrame) -> NDArray[np.int32]:
        """The class code of each feature; 1 when there are no classes; -1 when unnamed."""
        if self.attribute is None:
            return np.ones(len(frame), np.int32)
        codes = {name: code for code, name in (self.classes or {}).items()}
        return np.array([codes.get(class_name(v), -1) for v in frame[self.attribute]], np.int32)


@dataclass(frozen=True, eq=False)
class HeldLayer(VectorLayer):
    """The same of features in memory, in the grid's coordinate system."""

    table: gpd.GeoDataFrame | None = field(default=None, repr=False)

    def features(self, bounds: tuple[float, float, float, float]) -> gpd.GeoDataFrame:
        """The features that touch bounds, in their order."""
        assert self.table is not None
        return self.table.iloc[np.sort(self.table.sindex.query(shapely.box(*bounds)))]

    def __deepcopy__(self, memo: dict[int, Any]) -> HeldLayer:
        # xarray copies attributes deeply; features do not change.
        return self


def area_mask(geometry: BaseGeometry, grid: Grid, window: Window) -> NDArray[np.bool_]:
    """
    Which cells of a window have their centre inside a geometry in the grid's system.

    Cells are taken by whole lattice blocks, so that the answer for a cell whose centre
    lies on the edge does not depend on the window.
    """
    inside = np.zeros((window.height, window.width), bool)
    shapely.prepare(geometry)
    for block in window.lattice_blocks():
        part = block.intersect(window)
        near = grid.crop(block)
        square = shapely.box(*near.bounds)
        if geometry.contains_properly(square):
            inside[part.within(window)] = True
        elif geometry.intersects(square):
            inside[part.within(window)] = burn([geometry], near)[part.within(block)] == 1
    return inside


def _burn(
    table: gpd.GeoDataFrame,
    codes: NDArray[np.int32],
    which: NDArray[np.int64],
    grid: Grid,
    fill: int,
) -> NDArray[np.int32]:
    """Burn lines and points by touch, polygons by cell centre."""
    geometries = table.geometry.values[which]
    flat = np.array([g.geom_type in ("Polygon", "MultiPolygon") for g in geometries])
    out = burn(geometries[flat], grid, values=[int(c) for c in codes[which][flat]], fill=fill)
    if (~flat).any():
        thin = burn(
            geometries[~flat],
            grid,
            values=[int(c) for c in codes[which][~flat]],
            fill=-2,
            all_touched=True,
        )
        out = np.where(thin != -2, thin, out)
    return out
