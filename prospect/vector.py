"""Vectors: the only importer of geopandas. Points, lines and polygons, read and burnt in."""

from __future__ import annotations

import glob
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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

from prospect.coordinates import place, suggest
from prospect.errors import GridError, LayerError, OutputError
from prospect.grid import Grid, Window, crs_name, parse_crs, same_crs
from prospect.raster import burn, require_file
from prospect.raster.opening import one_line
from prospect.raster.writing import atomic_path
from prospect.tables import (
    TABLE_SUFFIXES,
    degrees,
    guess_columns,
    guess_encoding,
    numbers,
    read_table,
)

VECTOR_SUFFIXES = (".shp", ".gpkg", ".geojson", ".json", ".fgb", ".gml", ".kml", ".tab")

_STARTS = {
    ".shp": (b"\x00\x00\x27\x0a",),
    ".gpkg": (b"SQLite format 3\x00",),
    ".fgb": (b"fgb\x03fgb",),
    ".tab": (b"!table",),
    ".geojson": (b"{",),
    ".json": (b"{",),
    ".gml": (b"<",),
    ".kml": (b"<",),
}
# What GDAL takes for a description of other files, addresses or commands, whatever the name.
_DESCRIPTION = re.compile(rb"<ogr\w+datasource|gdal_streamed_alg")
_DRIVERS = {
    "ESRI Shapefile",
    "GPKG",
    "FlatGeobuf",
    "MapInfo File",
    "GeoJSON",
    "ESRIJSON",
    "TopoJSON",
    "JSONFG",
    "GML",
    "KML",
    "LIBKML",
}
_KINDS = ("point", "line", "polygon")
_HEADER = 2**20
# The byte of a .dbf that names its language, and what it holds when nobody set it: nothing,
# or "as the computer has it".
_LANGUAGE = 29
_NO_LANGUAGE = (0, 0x57)
_VECTOR_ERRORS = (
    pyogrio.errors.CRSError,
    pyogrio.errors.DataSourceError,
    pyogrio.errors.DataLayerError,
    pyogrio.errors.FeatureError,
    pyogrio.errors.FieldError,
    pyogrio.errors.GeometryError,
    OSError,
)


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
            polygon lies.
        """
        categorical = self.attribute is not None
        out = np.full((window.height, window.width), -1 if categorical else 0, np.int32)
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
                    burnt = _burn(frame, codes, found, grid, fill=-1 if categorical else 0)
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
        return np.array([codes.get(_class_name(v), -1) for v in frame[self.attribute]], np.int32)


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


def read_vector(
    path: Path | str,
    *,
    layer: str | None = None,
    where: str | None = None,
    crs: str | None = None,
    to: CRS | None = None,
    bounds: tuple[float, float, float, float] | None = None,
    columns: Sequence[str] | None = None,
    keep_empty: bool = False,
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
    keep_empty : bool
        Whether rows with a null or empty geometry stay.

    Returns
    -------
    GeoDataFrame
        In the order of the file. Texts of a shapefile that does not say its encoding are
        read in the one whose letters look most like words.

    Raises
    ------
    LayerError
        If the file cannot be read, or has no coordinate system and none was given.
    """
    path = require_file(path).absolute()
    info = describe(path, layer)
    found = parse_crs(crs or info["crs"]) if (crs or info["crs"]) else None
    options: dict[str, Any] = {"layer": layer, "where": where, "columns": columns}
    options |= {"encoding": dbf_encoding(path)}
    options = {key: value for key, value in options.items() if value is not None}
    if bounds is not None and found is not None and to is not None:
        options["bbox"] = _bounds_in(bounds, to, found)
    try:
        table = pyogrio.read_dataframe(path, force_2d=True, fid_as_index=True, **options)
    except (*_VECTOR_ERRORS, ValueError) as error:
        raise _unreadable(path, error) from error
    # In the order of the file, whatever order an index over space answers in.
    frame = gpd.GeoDataFrame(table).sort_index()
    if found is None:
        raise LayerError(
            f"{path} has no coordinate system: assign one in QGIS, put a .prj file beside it, "
            "or name it with crs = 'EPSG:...'."
        )
    frame = frame.set_crs(found, allow_override=True)
    if not keep_empty:
        frame = frame[located(frame)]
    frame = frame.reset_index(drop=True)
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
        Points; polygons come as a point on them.

    Raises
    ------
    LayerError
        If coordinates are missing or no coordinate system is known.
    """
    path = require_file(path)
    if path.suffix.lower() not in TABLE_SUFFIXES:
        frame = read_vector(path, layer=layer, crs=crs, keep_empty=True)
        lines = int(frame.geom_type.isin(["LineString", "MultiLineString"]).sum())
        if lines:
            raise LayerError(
                f"{path} holds {lines} lines, but points were expected: give known deposits, or "
                "burn lines in with --vector ROLE=PATH."
            )
        if not frame.geom_type.isin(["Point", None]).all():
            frame = frame.set_geometry(frame.geometry.representative_point())
        encoding = dbf_encoding(path)
        frame.attrs["notes"] = (f"{path.name}: {encoding.upper()}",) if encoding else ()
        return frame
    return _placed_table(path, crs, x, y)


def _placed_table(path: Path, crs: str | None, x: str | None, y: str | None) -> gpd.GeoDataFrame:
    """A table of points; ``attrs["notes"]`` says how it was understood."""
    table = read_table(path)
    columns = guess_columns(table.columns)
    in_degrees = columns.in_degrees and x is None and y is None
    x, y = x or columns.x, y or columns.y
    if x not in table.columns or y not in table.columns:
        raise LayerError(
            f"{path} has columns {', '.join(map(str, table.columns[:12]))}, but coordinates were "
            "expected: name them x and y, or lon and lat."
        )
    read = degrees if in_degrees else numbers
    xs, ys = read(table[x]), read(table[y])
    if len(table) and not (np.isfinite(xs) & np.isfinite(ys)).any():
        raise LayerError(
            f"{path} has no row with numbers in both '{x}' and '{y}' (the first holds "
            f"'{table[x].iloc[0]}' and '{table[y].iloc[0]}'): write plain or decimal numbers."
        )
    if crs is None and in_degrees:
        crs = "EPSG:4326"
    if crs is None:
        hint = suggest(xs, ys)
        raise LayerError(
            f"{path} gives coordinates in '{x}' and '{y}' without a coordinate system: "
            "name it with --crs, for example EPSG:32642, or in prospect.toml"
            f"{'; ' + hint if hint else ''}."
        )
    try:
        placed = place(xs, ys, crs)
    except GridError as error:
        raise LayerError(f"{path}: {error}") from error
    frame = points_frame(table, placed.x, placed.y, placed.crs)
    frame.attrs["notes"] = (f"{path.name}: {table.attrs['read_as']}", *placed.notes)
    return frame


@dataclass(frozen=True)
class Outline:
    """
    What a vector file holds, without its geometries.

    Attributes
    ----------
    kind : 'point', 'line', 'polygon' or 'mixed'
        Of most features.
    features : int
    values : mapping of str to Counter
        How often each text stands in each attribute of texts or whole numbers.
    """

    kind: str
    features: int
    values: Mapping[str, Counter[str]]


def outline(path: Path | str, *, layer: str | None = None) -> Outline:
    """
    Look at a vector file's kind and attributes.

    Raises
    ------
    LayerError
        If it cannot be read.
    """
    path = require_file(path).absolute()
    info = describe(path, layer)
    try:
        table = pyogrio.read_dataframe(
            path, layer=layer, read_geometry=False, encoding=dbf_encoding(path)
        )
    except (*_VECTOR_ERRORS, ValueError) as error:
        raise _unreadable(path, error) from error
    geometry = str(info["geometry_type"] or "").lower()
    kind = next((k for k in _KINDS if k in geometry), "")
    if not kind:
        types = Counter(map(str.lower, read_vector(path, layer=layer, crs="EPSG:4326").geom_type))
        commonest = types.most_common(1)[0][0] if types else ""
        kind = next((k for k in _KINDS if k in commonest), "mixed")
    texts = [name for name in table.columns if table[name].dtype.kind not in "fMm"]
    values = {
        str(name): Counter(text for text in map(_class_name, table[name]) if text) for name in texts
    }
    return Outline(kind, int(info["features"]), values)


def dbf_encoding(path: Path) -> str | None:
    """
    The encoding of a shapefile's attributes, where the file itself does not say it.

    Returns
    -------
    str or None
        None for other files, and where the table's language byte or a ``.cpg`` tells.
    """
    if path.suffix.lower() != ".shp":
        return None
    siblings = {file.name.lower(): file for file in path.parent.glob(glob.escape(path.stem) + ".*")}
    table = siblings.get(f"{path.stem}.dbf".lower())
    if table is None or f"{path.stem}.cpg".lower() in siblings:
        return None
    with table.open("rb") as file:
        header = file.read(32)
        if len(header) < 32 or header[_LANGUAGE] not in _NO_LANGUAGE:
            return None
        start = int.from_bytes(header[8:10], "little")
        file.seek(start)
        texts = file.read(2**20)
    if texts.isascii():
        return None
    return guess_encoding(texts.replace(b"\0", b" "))


def layer_classes(path: Path | str, attribute: str, *, layer: str | None = None) -> dict[int, str]:
    """
    Codes for the values of an attribute, in alphabetical order from 1.

    Raises
    ------
    LayerError
        If there is no such attribute.
    """
    path = require_file(path).absolute()
    info = describe(path, layer)
    if attribute not in info["fields"]:
        raise LayerError(
            f"{path} has no attribute '{attribute}'; it has: {', '.join(info['fields'])}."
        )
    try:
        table = pyogrio.read_dataframe(
            path,
            layer=layer,
            columns=[attribute],
            read_geometry=False,
            encoding=dbf_encoding(path),
        )
    except _VECTOR_ERRORS as error:
        raise _unreadable(path, error) from error
    names = sorted({_class_name(v) for v in table[attribute]} - {""})
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
        try:
            pyogrio.write_dataframe(table, temporary, layer=layer or Path(path).stem, driver="GPKG")
        except (*_VECTOR_ERRORS, NotImplementedError, ValueError) as error:
            raise OutputError(f"{path} cannot be written ({one_line(error)}).") from error


def to_crs(table: gpd.GeoDataFrame, crs: CRS) -> gpd.GeoDataFrame:
    """The features in another coordinate system; unchanged when it is the same."""
    if table.crs is None or same_crs(CRS(table.crs), crs):
        return table.set_crs(crs, allow_override=True)
    moved = table.to_crs(crs)
    if not np.isfinite(moved[located(table)].geometry.bounds.to_numpy()).all():
        raise GridError(
            f"Features in {crs_name(CRS(table.crs))} cannot be brought to {crs_name(crs)}: "
            "check which coordinate system they are in."
        )
    return moved


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
    pad = 0.01 * max(east - west, north - south)
    return west - pad, south - pad, east + pad, north + pad


def describe(path: Path, layer: str | None) -> dict[str, Any]:
    """What a vector file says of itself, if it holds the data themselves."""
    _require_vector(path)
    try:
        info: dict[str, Any] = pyogrio.read_info(path, layer=layer)
    except (*_VECTOR_ERRORS, ValueError) as error:
        raise _unreadable(path, error) from error
    if info["driver"] not in _DRIVERS:
        raise LayerError(
            f"{path} opens as {info['driver']}, which its name does not say: "
            "export the data themselves."
        )
    return info


def _require_vector(path: Path) -> None:
    """Refuse what GDAL would open by content: a description file can point anywhere."""
    suffix = path.suffix.lower()
    if suffix not in VECTOR_SUFFIXES:
        raise LayerError(
            f"{path} is not known as vector data; known are {', '.join(VECTOR_SUFFIXES)}."
        )
    if not path.is_file():
        raise LayerError(f"{path} is a folder, but a file with vector data was expected.")
    with path.open("rb") as file:
        header = file.read(_HEADER).lower()
    start = header.removeprefix(b"\xef\xbb\xbf").lstrip(b" \r\n\t")
    wanted = tuple(s.lower() for s in _STARTS[suffix])
    if not start.startswith(wanted) or _DESCRIPTION.search(header):
        raise LayerError(
            f"{path} is not what its name says: a {suffix} file starts otherwise, and does not "
            "describe other files. Export the data themselves."
        )


def located(table: gpd.GeoDataFrame) -> NDArray[np.bool_]:
    """Which features have a geometry that is not empty."""
    geometries = table.geometry.values
    found: NDArray[np.bool_] = ~(shapely.is_missing(geometries) | shapely.is_empty(geometries))
    return found


def _unreadable(path: Path, error: BaseException) -> LayerError:
    return LayerError(
        f"{path} cannot be read as vector data ({one_line(error)}): "
        "check the file, its layer and condition."
    )


def _class_name(value: Any) -> str:
    """An attribute's value as text; empty for none."""
    if value is None or value != value:
        return ""
    # Whole numbers come as floats wherever a neighbour has none.
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
