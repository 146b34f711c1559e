"""Vectors: the only importer of geopandas. Points, lines and polygons, read and burnt in."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

from prospect.errors import GridError, LayerError
from prospect.grid import Grid, Window, crs_name, parse_crs, same_crs
from prospect.raster import burn, require_file
from prospect.raster.opening import one_line
from prospect.raster.writing import atomic_path

VECTOR_SUFFIXES = (".shp", ".gpkg", ".geojson", ".json", ".fgb", ".gml", ".kml", ".tab")
TABLE_SUFFIXES = (".csv", ".txt", ".tsv")

_XML_SUFFIXES = (".gml", ".kml")
_X_NAMES = ("x", "easting", "east", "x_coord", "xcoord", "lon", "long", "longitude")
_Y_NAMES = ("y", "northing", "north", "y_coord", "ycoord", "lat", "latitude")
_DEGREES = ("lon", "long", "longitude", "lat", "latitude")


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
        Codes of the attribute's values.
    crs : str or None
        Instead of the file's own.
    """

    path: Path
    grid: Grid
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
            polygon lies.
        """
        categorical = self.attribute is not None
        out = np.full((window.height, window.width), -1 if categorical else 0, np.int32)
        blocks = [b.intersect(self.grid.window) for b in window.lattice_blocks()]
        blocks = [b for b in blocks if b.height and b.width]
        frame = self._features(blocks)
        if len(frame):
            tree = shapely.STRtree(frame.geometry.values)
            codes = self._codes(frame)
            for block in blocks:
                part = block.intersect(window)
                grid = self.grid.crop(block)
                found = np.sort(tree.query(shapely.box(*grid.bounds)))
                if found.size:
                    burnt = _burn(frame, codes, found, grid, fill=-1 if categorical else 0)
                    out[part.within(window)] = burnt[part.within(block)]
        return out if categorical else out.astype(np.float32)

    def _features(self, blocks: Sequence[Window]) -> gpd.GeoDataFrame:
        """The features near some blocks, in the grid's coordinate system."""
        bounds = np.array([self.grid.crop(block).bounds for block in blocks])
        west, south = bounds[:, :2].min(axis=0)
        east, north = bounds[:, 2:].max(axis=0)
        return read_vector(
            self.path,
            layer=self.layer,
            where=self.where,
            crs=self.crs,
            to=self.grid.crs,
            bounds=(west, south, east, north),
            columns=[self.attribute] if self.attribute else [],
        )

    def _codes(self, frame: gpd.GeoDataFrame) -> NDArray[np.int32]:
        """The class code of each feature; 1 when there are no classes; -1 when unnamed."""
        if self.attribute is None:
            return np.ones(len(frame), np.int32)
        codes = {name: code for code, name in (self.classes or {}).items()}
        return np.array([codes.get(str(v), -1) for v in frame[self.attribute]], np.int32)


def read_vector(
    path: Path | str,
    *,
    layer: str | None = None,
    where: str | None = None,
    crs: str | None = None,
    to: CRS | None = None,
    bounds: tuple[float, float, float, float] | None = None,
    columns: Sequence[str] | None = None,
) -> gpd.GeoDataFrame:
    """
    Read vector features.

    Parameters
    ----------
    path : path
        Shapefile, GeoPackage, GeoJSON, FlatGeobuf, GML, KML or MapInfo table.
    layer : str, optional
        Of a file with several.
    where : str, optional
        An OGR SQL condition on attributes.
    crs : str, optional
        Instead of the file's own coordinate system.
    to : CRS, optional
        Coordinate system to come in.
    bounds : (west, south, east, north), optional
        In ``to``; only features that touch it are read.
    columns : sequence of str, optional
        Attributes to read; all when not given.

    Returns
    -------
    GeoDataFrame
        Null and empty geometries left out.

    Raises
    ------
    LayerError
        If the file cannot be read, or has no coordinate system and none was given.
    """
    path = require_file(path)
    _require_vector(path)
    options: dict[str, Any] = {"layer": layer, "where": where, "columns": columns}
    options = {key: value for key, value in options.items() if value is not None}
    try:
        info = pyogrio.read_info(path, layer=layer)
        found = parse_crs(crs or info["crs"]) if (crs or info["crs"]) else None
        if bounds is not None and found is not None and to is not None:
            options["bbox"] = _bounds_in(bounds, to, found)
        frame = gpd.GeoDataFrame(pyogrio.read_dataframe(path, **options))
    except GridError:
        raise
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError) as error:
        raise LayerError(
            f"{path} cannot be read as vector data ({one_line(error)}): "
            "check the file, its layer and condition."
        ) from error
    if found is None:
        raise LayerError(
            f"{path} has no coordinate system: assign one in QGIS, put a .prj file beside it, "
            "or name it with crs = 'EPSG:...'."
        )
    frame = frame.set_crs(found, allow_override=True)
    frame = frame[frame.geometry.notna() & ~frame.geometry.is_empty].reset_index(drop=True)
    if to is not None:
        frame = to_crs(frame, to)
    return frame


def read_points(
    path: Path | str,
    *,
    crs: str | None = None,
    x: str | None = None,
    y: str | None = None,
    layer: str | None = None,
) -> gpd.GeoDataFrame:
    """
    Read points from vector data or from a table with coordinates.

    Parameters
    ----------
    path : path
        As :func:`read_vector`, or CSV with any of the usual delimiters.
    crs : str, optional
        Coordinate system; needed for tables in metres.
    x, y : str, optional
        Columns of the coordinates of a table; found by name when not given.
    layer : str, optional

    Returns
    -------
    GeoDataFrame
        Points; polygons and lines come as a point on them.

    Raises
    ------
    LayerError
        If coordinates are missing or no coordinate system is known.
    """
    path = require_file(path)
    if path.suffix.lower() not in TABLE_SUFFIXES:
        frame = read_vector(path, layer=layer, crs=crs)
        if not (frame.geom_type == "Point").all():
            frame = frame.set_geometry(frame.geometry.representative_point())
        return frame
    table = read_table(path)
    columns = {str(name).strip().lower(): name for name in table.columns}
    x = x or next((columns[name] for name in _X_NAMES if name in columns), None)
    y = y or next((columns[name] for name in _Y_NAMES if name in columns), None)
    if x not in table.columns or y not in table.columns:
        raise LayerError(
            f"{path} has columns {', '.join(map(str, table.columns[:12]))}, but coordinates were "
            "expected: name them x and y, or lon and lat."
        )
    if crs is None and str(x).strip().lower() in _DEGREES:
        crs = "EPSG:4326"
    if crs is None:
        raise LayerError(
            f"{path} gives coordinates in '{x}' and '{y}' without a coordinate system: "
            "name it with --crs, for example EPSG:32642, or in prospect.toml."
        )
    numbers = [
        pd.to_numeric(
            table[name].astype(str).str.replace("\u2212", "-").str.replace(",", "."),
            errors="coerce",
        )
        for name in (x, y)
    ]
    return points_frame(table, numbers[0], numbers[1], crs)


def read_table(path: Path | str) -> pd.DataFrame:
    """
    Read a delimited table as text; the delimiter is found, UTF-8 or Windows-1251 assumed.

    Raises
    ------
    LayerError
        If there is no table in the file.
    """
    path = require_file(path)
    data = path.read_bytes()
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("cp1251", errors="replace")
    try:
        delimiter = csv.Sniffer().sniff(text[:10_000], delimiters=",;\t|").delimiter
    except csv.Error:
        delimiter = ","
    try:
        return pd.read_csv(io.StringIO(text), sep=delimiter, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise LayerError(f"{path} is not a table ({one_line(error)}): export it as CSV.") from error


def layer_classes(path: Path | str, attribute: str, *, layer: str | None = None) -> dict[int, str]:
    """
    Codes for the values of an attribute, in alphabetical order from 1.

    Raises
    ------
    LayerError
        If there is no such attribute.
    """
    path = require_file(path)
    _require_vector(path)
    try:
        info = pyogrio.read_info(path, layer=layer)
        if attribute not in info["fields"]:
            raise LayerError(
                f"{path} has no attribute '{attribute}'; it has: {', '.join(info['fields'])}."
            )
        table = pyogrio.read_dataframe(path, layer=layer, columns=[attribute], read_geometry=False)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise LayerError(f"{path} cannot be read ({one_line(error)}).") from error
    names = sorted({str(v) for v in table[attribute].dropna() if str(v).strip()})
    return dict(enumerate(names, start=1))


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


def write_vector(table: gpd.GeoDataFrame, path: Path | str, *, layer: str | None = None) -> None:
    """
    Write features as a GeoPackage, whole or not at all.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    with atomic_path(path) as temporary:
        pyogrio.write_dataframe(table, temporary, layer=layer or Path(path).stem, driver="GPKG")


def to_crs(table: gpd.GeoDataFrame, crs: CRS) -> gpd.GeoDataFrame:
    """The features in another coordinate system; unchanged when it is the same."""
    if table.crs is None or same_crs(CRS(table.crs), crs):
        return table.set_crs(crs, allow_override=True)
    moved = table.to_crs(crs)
    if not np.isfinite(moved.geometry.bounds.to_numpy()).all():
        raise GridError(
            f"Features in {crs_name(CRS(table.crs))} cannot be brought to {crs_name(crs)}: "
            "check which coordinate system they are in."
        )
    return moved


def area_mask(geometry: BaseGeometry, grid: Grid, window: Window) -> NDArray[np.bool_]:
    """Which cells of a window have their centre inside a geometry in the grid's system."""
    inside: NDArray[np.bool_] = burn([geometry], grid.crop(window)).astype(bool)
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


def _bounds_in(
    bounds: tuple[float, float, float, float], of: CRS, to: CRS
) -> tuple[float, float, float, float]:
    """Bounds in another coordinate system, widened a little."""
    west, south, east, north = bounds
    if not same_crs(of, to):
        transformer = Transformer.from_crs(of, to, always_xy=True)
        west, south, east, north = transformer.transform_bounds(
            west, south, east, north, densify_pts=21
        )
    pad_x, pad_y = 0.01 * (east - west), 0.01 * (north - south)
    return west - pad_x, south - pad_y, east + pad_x, north + pad_y


def _require_vector(path: Path) -> None:
    """Refuse what GDAL would open by content: a description file can point anywhere."""
    suffix = path.suffix.lower()
    if suffix not in VECTOR_SUFFIXES:
        raise LayerError(
            f"{path} is not known as vector data; known are {', '.join(VECTOR_SUFFIXES)}."
        )
    if suffix not in _XML_SUFFIXES and path.is_file():
        with path.open("rb") as file:
            start = file.read(512).lstrip(b"\xef\xbb\xbf \r\n\t")
        if start.startswith(b"<"):
            raise LayerError(
                f"{path} is not what its name says (it starts like an XML description): "
                "export the data themselves."
            )
