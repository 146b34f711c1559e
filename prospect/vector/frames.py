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

DRIVERS = {".gpkg": "GPKG", ".geojson": "GeoJSON", ".shp": "ESRI Shapefile", ".csv": "CSV"}
"""Endings of files of features that are written."""


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
    Write features, whole or not at all, as the name's ending says.

    Parameters
    ----------
    table : GeoDataFrame
    path : path
        ``.gpkg``; ``.geojson`` in longitude and latitude, as its standard wants; ``.shp`` with
        texts in UTF-8; ``.csv`` without geometries.
    layer : str, optional
        Name of the layer of a GeoPackage.

    Raises
    ------
    OutputError
        If the ending is another, or the folder cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in DRIVERS:
        raise OutputError(f"{path.name} should end in {', '.join(DRIVERS)}.")
    if suffix == ".geojson":
        table = table.to_crs("EPSG:4326")
    if suffix == ".csv":
        with atomic_path(path) as temporary:
            table.drop(columns=table.geometry.name).to_csv(temporary, index=False)
        return
    options = {"layer": layer or path.stem}
    if suffix == ".shp":
        # Names of ten letters are all a shapefile has.
        table = table.rename(columns={name: str(name)[:10] for name in table.columns})
        options = {"encoding": "UTF-8"}
    _write(table, path, driver=DRIVERS[suffix], **options)


def write_dbf(table: pd.DataFrame, path: Path | str) -> None:
    """
    Write a table without geometries as dBase, texts in UTF-8 and a ``.cpg`` file that says so.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    _write(table, Path(path), driver="ESRI Shapefile", encoding="UTF-8")


def _write(table: pd.DataFrame, path: Path, **options: Any) -> None:
    """Write a table and the files that belong to it."""
    with atomic_path(path) as temporary:
        try:
            pyogrio.write_dataframe(table, temporary, **options)
        except (*VECTOR_ERRORS, NotImplementedError, ValueError) as error:
            raise OutputError(f"{path} cannot be written ({one_line(error)}).") from error
        for part in sorted(temporary.parent.glob(f"{path.stem}.*")):
            if part != temporary:
                part.replace(path.with_name(part.name))


def write_waypoints(
    path: Path | str, lon: Any, lat: Any, names: Sequence[str], notes: Sequence[str]
) -> None:
    """
    Write places for a receiver in the field, as GPX.

    Parameters
    ----------
    path : path
    lon, lat : array of shape (n,), degrees
    names, notes : sequence of str

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    table = points_frame({"name": list(names), "desc": list(notes)}, lon, lat, "EPSG:4326")
    with atomic_path(path) as temporary:
        try:
            pyogrio.write_dataframe(table, temporary, layer="waypoints", driver="GPX")
        except (*VECTOR_ERRORS, ValueError) as error:
            raise OutputError(f"{path} cannot be written ({one_line(error)}).") from error
