"""Vector files are opened: only data themselves, in the encoding they are written in."""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import Any

import pyogrio

from prospect.errors import LayerError
from prospect.raster.opening import one_line
from prospect.tables import (
    guess_encoding,
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


_HEADER = 2**20


# The byte of a .dbf that names its language, and what it holds when nobody set it: nothing,
# or "as the computer has it".
_LANGUAGE = 29


_NO_LANGUAGE = (0, 0x57)


VECTOR_ERRORS = (
    pyogrio.errors.CRSError,
    pyogrio.errors.DataSourceError,
    pyogrio.errors.DataLayerError,
    pyogrio.errors.FeatureError,
    pyogrio.errors.FieldError,
    pyogrio.errors.GeometryError,
    OSError,
)


def describe(path: Path, layer: str | None) -> dict[str, Any]:
    """What a vector file says of itself, if it holds the data themselves."""
    _require_vector(path)
    try:
        info: dict[str, Any] = pyogrio.read_info(path, layer=layer)
    except (*VECTOR_ERRORS, ValueError) as error:
        raise unreadable(path, error) from error
    if info["driver"] not in _DRIVERS:
        raise LayerError(
            f"{path} opens as {info['driver']}, which its name does not say: "
            "export the data themselves."
        )
    return info


def states_system(path: Path, layer: str | None = None) -> bool:
    """Whether a vector file names its coordinate system."""
    return bool(describe(path, layer)["crs"])


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
