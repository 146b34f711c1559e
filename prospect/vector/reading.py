"""Vector files and tables of points come in as features."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
from pyproj import CRS, Transformer

from prospect.coordinates import place, suggest
from prospect.errors import GridError, LayerError
from prospect.grid import parse_crs, same_crs
from prospect.raster import require_file
from prospect.tables import (
    TABLE_SUFFIXES,
    degrees,
    guess_columns,
    numbers,
    read_table,
)
from prospect.vector.checking import check_vector
from prospect.vector.frames import located, mended, points_frame, to_crs
from prospect.vector.opening import class_name, dbf_encoding, describe, read_features

_KINDS = ("point", "line", "polygon")


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
        read in the one whose letters look most like words. Heights are dropped; polygons
        whose rings cross or touch themselves are mended, so that ground within an odd number
        of rings is inside.

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
    table = read_features(path, force_2d=True, fid_as_index=True, **options)
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
    frame = mended(frame.reset_index(drop=True))
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
    in_degrees = columns.in_degrees and x in (None, columns.x) and y in (None, columns.y)
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
            "name it with --crs, for example EPSG:32642, here or of prospect init"
            f"{'; ' + hint if hint else ''}."
        )
    try:
        placed = place(xs, ys, crs)
    except GridError as error:
        raise LayerError(f"{path}: {error}") from error
    frame = points_frame(table, placed.x, placed.y, placed.crs)
    frame.attrs["notes"] = (f"{path.name}: {table.attrs['read_as']}", *placed.notes)
    return frame


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
    table = read_features(path, geometry=False, layer=layer, encoding=dbf_encoding(path))
    geometry = str(info["geometry_type"] or "").lower()
    kind = next((k for k in _KINDS if k in geometry), "")
    if not kind:
        kind = check_vector(path, layer=layer).kind
        kind = kind if kind in _KINDS else "mixed"
    texts = [name for name in table.columns if table[name].dtype.kind not in "fMm"]
    values = {
        str(name): Counter(text for text in map(class_name, table[name]) if text) for name in texts
    }
    return Outline(kind, int(info["features"]), values)


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
    table = read_features(
        path, geometry=False, layer=layer, columns=[attribute], encoding=dbf_encoding(path)
    )
    names = sorted({class_name(v) for v in table[attribute]} - {""})
    return dict(enumerate(names, start=1))


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
