"""Tables of features: made, moved to another system, written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from prospect.errors import GridError, OutputError
from prospect.grid import crs_name, parse_crs, same_crs
from prospect.raster.opening import one_line
from prospect.raster.writing import atomic_path
from prospect.vector.opening import VECTOR_ERRORS


def points_frame(
    table: pd.DataFrame | Mapping[str, Any], x: Any, y: Any, crs: Any
) -> gpd.GeoDataFrame:
    """A table with point geometries; rows without finite coordinates get none."""
    xs, ys = np.asarray(x, float), np.asarray(y, float)
    geometry = shapely.points(xs, ys)
    geometry = np.where(np.isfinite(xs) & np.isfinite(ys), geometry, None)
    return gpd.GeoDataFrame(pd.DataFrame(table), geometry=geometry, crs=parse_crs(crs))


def frame(
    columns: Mapping[str, Any], geometries: Sequence[BaseGeometry], crs: Any
) -> gpd.GeoDataFrame:
    """A table of features."""
    return gpd.GeoDataFrame(dict(columns), geometry=list(geometries), crs=parse_crs(crs))


def located(table: gpd.GeoDataFrame) -> NDArray[np.bool_]:
    """Which features have a geometry that is not empty."""
    geometries = table.geometry.values
    found: NDArray[np.bool_] = ~(shapely.is_missing(geometries) | shapely.is_empty(geometries))
    return found


def mended(table: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The features with polygons whose rings cross made valid; unchanged when all are."""
    shapes = np.asarray(table.geometry.values)
    broken = ~shapely.is_valid(shapes) & ~shapely.is_missing(shapes)
    broken &= np.isin(shapely.get_type_id(shapes), (3, 6))
    if not broken.any():
        return table
    repaired = [_areas(shape) for shape in shapely.make_valid(shapes[broken])]
    shapes = shapes.copy()
    shapes[broken] = repaired
    return table.set_geometry(gpd.GeoSeries(shapes, table.index, crs=table.crs))


def _areas(shape: BaseGeometry) -> BaseGeometry:
    """What of a mended polygon has an area: spikes and doubled-back rings become lines."""
    if shape.geom_type in ("Polygon", "MultiPolygon"):
        return shape
    parts = [p for p in shapely.get_parts(shape) if p.geom_type in ("Polygon", "MultiPolygon")]
    return shapely.union_all(parts) if parts else shapely.MultiPolygon()


def to_crs(table: gpd.GeoDataFrame, crs: CRS, *, keep_far: bool = False) -> gpd.GeoDataFrame:
    """
    The features in another coordinate system; unchanged when it is the same.

    Features too far away for the other system are refused, or kept at infinity.
    """
    if table.crs is None or same_crs(CRS(table.crs), crs):
        return table.set_crs(crs, allow_override=True)
    moved = table.to_crs(crs)
    if not keep_far and not np.isfinite(moved[located(table)].geometry.bounds.to_numpy()).all():
        raise GridError(
            f"Features in {crs_name(CRS(table.crs))} cannot be brought to {crs_name(crs)}: "
            "check which coordinate system they are in."
        )
    return moved


def write_vector(table: gpd.GeoDataFrame, path: Path | str, *, layer: str | None = None) -> None:
    """
    Write features as a GeoPackage, whole or not at all.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    with atomic_path(path) as temporary:
        try:
            pyogrio.write_dataframe(table, temporary, layer=layer or Path(path).stem, driver="GPKG")
        except (*VECTOR_ERRORS, NotImplementedError, ValueError) as error:
            raise OutputError(f"{path} cannot be written ({one_line(error)}).") from error
