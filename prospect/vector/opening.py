"""Vector files are opened and read here alone: without network, in the encoding they have."""

from __future__ import annotations

import glob
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
from shapely.errors import ShapelyError

from prospect.errors import LayerError
from prospect.limits import FEATURES
from prospect.raster.opening import one_line
from prospect.tables import (
    guess_encoding,
)
from prospect.vector.checks import VECTOR_SUFFIXES, require_data

__all__ = ["VECTOR_SUFFIXES", "class_name", "dbf_encoding", "describe", "read_features"]

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

# No address is opened as a file, and what is fetched otherwise goes to a proxy that is none.
_SAFE = {
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
    "GDAL_HTTP_PROXY": "127.0.0.1:0",
    "GDAL_HTTPS_PROXY": "127.0.0.1:0",
    "GDAL_HTTP_MAX_RETRY": "0",
    "GML_DOWNLOAD_SCHEMA": "NO",
    "GML_SKIP_RESOLVE_ELEMS": "ALL",
    "OGR_SQLITE_LOAD_EXTENSIONS": "",
    "OGR_SQLITE_ALLOW_EXTERNAL_ACCESS": "NO",
}

# The byte of a .dbf that names its language, and what it holds when nobody set it: nothing,
# or "as the computer has it".
_LANGUAGE = 29


_NO_LANGUAGE = (0, 0x57)

_BYTES_OF_A_FEATURE = 4
"""Fewer than any format takes for one, over the file and those beside it."""

VECTOR_ERRORS = (
    pyogrio.errors.CRSError,
    pyogrio.errors.DataSourceError,
    pyogrio.errors.DataLayerError,
    pyogrio.errors.FeatureError,
    pyogrio.errors.FieldError,
    pyogrio.errors.GeometryError,
    ShapelyError,
    OSError,
    ValueError,
    IndexError,
    MemoryError,
    OverflowError,
)

# SQLite would make files beside a database, and write into it what it finds there; GML without
# a schema would get one.
_WRITES_NOTHING = {".gpkg": {"IMMUTABLE": "YES"}, ".gml": {"WRITE_GFS": "NO"}}

_LOCK = threading.Lock()
_INSIDE: list[dict[str, Any]] = []


@contextmanager
def safe_environment() -> Iterator[None]:
    """GDAL settings under which no file reaches the network; left as they were at the end."""
    with _LOCK:
        # Settings are of the whole process: the first who comes sets, the last who goes restores.
        before = {name: pyogrio.get_gdal_config_option(name) for name in _SAFE}
        _INSIDE.append(_INSIDE[0] if _INSIDE else before)
        pyogrio.set_gdal_config_options(_SAFE)
    try:
        yield
    finally:
        with _LOCK:
            before = _INSIDE.pop()
            if not _INSIDE:
                pyogrio.set_gdal_config_options(before)


def describe(path: Path, layer: str | None) -> dict[str, Any]:
    """What a vector file says of itself, if it holds the data themselves."""
    require_data(path)
    try:
        with safe_environment():
            info: dict[str, Any] = pyogrio.read_info(path, **_how(path, layer))
    except VECTOR_ERRORS as error:
        raise unreadable(path, error) from error
    if info["driver"] not in _DRIVERS:
        raise LayerError(
            f"{path} opens as {info['driver']}, which its name does not say: "
            "export the data themselves."
        )
    _require_count(path, int(info["features"]))
    return info


def states_system(path: Path, layer: str | None = None) -> bool:
    """Whether a vector file names its coordinate system."""
    return bool(describe(path, layer)["crs"])


def read_features(path: Path, *, geometry: bool = True, **options: Any) -> pd.DataFrame:
    """
    The features of a file that :func:`describe` has looked at.

    Parameters
    ----------
    path : Path
    geometry : bool
        Whether shapes are read too; then a GeoDataFrame comes.
    **options
        Those of ``pyogrio.read_dataframe``.

    Raises
    ------
    LayerError
        If they cannot be read, or have no shapes where these are wanted.
    """
    try:
        # Coordinates that are none come as NaN, and GEOS mentions it.
        with safe_environment(), np.errstate(invalid="ignore"):
            options |= _how(path, options.get("layer"))
            table: pd.DataFrame = pyogrio.read_dataframe(path, read_geometry=geometry, **options)
    except VECTOR_ERRORS as error:
        raise unreadable(path, error) from error
    if geometry and not isinstance(table, gpd.GeoDataFrame):
        raise LayerError(f"{path} holds a table without shapes: give a layer that has some.")
    return table


def _how(path: Path, layer: str | None) -> dict[str, Any]:
    """The layer to open, and that nothing is to be written beside the file."""
    # Of several layers the first, which pyogrio would take too, but with a warning.
    return {"layer": layer or 0, **_WRITES_NOTHING.get(path.suffix.lower(), {})}


def _require_count(path: Path, features: int) -> None:
    """Refuse more features than a file can hold: room for all is taken first."""
    beside = path.parent.glob(glob.escape(path.stem) + ".*")
    size = sum(file.stat().st_size for file in beside if file.is_file())
    if features > FEATURES.value:
        raise LayerError(f"{path} claims {FEATURES.refusal(features)}, or cut it into parts.")
    if features * _BYTES_OF_A_FEATURE > size:
        raise LayerError(
            f"{path} claims {features} features in {size} bytes, which is damaged or made up: "
            "export it again."
        )


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


def unreadable(path: Path, error: BaseException) -> LayerError:
    return LayerError(
        f"{path} cannot be read as vector data ({one_line(error)}): "
        "check the file, its layer and condition."
    )


def class_name(value: Any) -> str:
    """An attribute's value as text; empty for none."""
    if value is None or value != value:
        return ""
    # Whole numbers come as floats wherever a neighbour has none.
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
