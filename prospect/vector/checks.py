"""Vector files are looked at before GDAL opens them: the data themselves, and no more."""

from __future__ import annotations

import json
import mmap
import re
import sqlite3
from pathlib import Path
from urllib.parse import quote

import numpy as np

from prospect.errors import LayerError

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

# An XML file that declares entities can read others, or grow without end.
_ENTITIES = re.compile(rb"<!(doctype|entity)")

_HEADER = 2**20


def _spelt(word: str) -> bytes:
    """A pattern for a JSON key however its letters are written."""
    return b"".join(rb"(?:%c|\\u00%02x)" % (ord(c), ord(c)) for c in word)


_BETWEEN = rb"(?:\s|/\*.*?\*/|//[^\n]*\n)*"
_SYSTEM = re.compile(
    rb"[\"'](?:" + _spelt("crs") + rb"|" + _spelt("coordRefSys") + rb")[\"']"
    + _BETWEEN + rb":" + _BETWEEN + rb"(?=[{\[\"'])",
    re.DOTALL | re.IGNORECASE,
)  # fmt: skip
_SYSTEM_BYTES = 4096

# Tables of an index over space are virtual; no other virtual table is data.
_VIRTUAL = re.compile(r"create\s+virtual\s+table\s+.*\busing\s+(?!rtree\b)", re.I | re.S)


def require_data(path: Path) -> None:
    """
    Refuse what is not the data themselves, and of its kind.

    Raises
    ------
    LayerError
        If the file is not what its name says, points at other files or addresses, computes
        what it shows, or lists more than it holds.
    """
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
    if suffix in (".gml", ".kml") and _ENTITIES.search(header.replace(b"\0", b"")):
        raise LayerError(f"{path} declares entities, which no data need: export it again.")
    if suffix in (".geojson", ".json"):
        _require_named_system(path)
    elif suffix == ".gpkg":
        _require_tables(path)
    elif suffix == ".shp":
        _require_honest_index(path)


def _require_named_system(path: Path) -> None:
    """Refuse a coordinate system that stands at an address: GDAL would fetch it."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        for found in _SYSTEM.finditer(text):
            part = text[found.end() : found.end() + _SYSTEM_BYTES].decode("utf-8", "replace")
            try:
                said, _ = json.JSONDecoder().raw_decode(part)
            except (ValueError, RecursionError):
                said = {"type": "unclear"}
            if not _is_named(said):
                raise LayerError(
                    f"{path} names its coordinate system in a way that would be looked up "
                    "elsewhere: export it in WGS 84, or as GeoPackage."
                )


def _is_named(said: object) -> bool:
    """Whether a GeoJSON coordinate system is a plain name; texts are attributes."""
    if isinstance(said, list):
        return all(_is_named(each) for each in said)
    if isinstance(said, str):
        address = said.strip().lower()
        return not address.startswith(("http:", "https:")) or "opengis.net/" in address[:30]
    if not isinstance(said, dict):
        return True
    kind, properties = said.get("type"), said.get("properties", {})
    if kind is None:
        return all(_is_named(each) for each in said.values())
    return (
        isinstance(kind, str)
        and kind.lower() in ("name", "epsg", "ogc")
        and isinstance(properties, dict)
        and all(_is_named(each) for each in properties.values())
    )


def _require_tables(path: Path) -> None:
    """Refuse a database that computes what it shows: such a query can be endless."""
    for suffix in ("-wal", "-journal"):
        unwritten = path.with_name(path.name + suffix)
        if unwritten.is_file() and _start_of(unwritten).strip(b"\0"):
            raise LayerError(
                f"{path} is not whole: {unwritten.name} holds changes to it. Close it in other "
                "programs, such as QGIS, which write them in; or export the data anew."
            )
    address = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
    try:
        base = sqlite3.connect(address, uri=True)
    except sqlite3.Error as error:
        raise LayerError(f"{path} cannot be opened ({error}): copy it again.") from error
    try:
        base.execute("PRAGMA trusted_schema = OFF")
        base.execute("PRAGMA cell_size_check = ON")
        for kind, name, text in base.execute("SELECT type, name, sql FROM sqlite_master"):
            said = str(text or "")
            if kind == "view" or _VIRTUAL.match(said):
                raise LayerError(
                    f"{path} holds '{str(name)[:60]}', which is computed and no table: export the "
                    "data themselves."
                )
            if kind == "table" and re.search(r"\bas\s*\(", said, re.I):
                raise LayerError(
                    f"{path} has a table '{str(name)[:60]}' with computed columns: export the data "
                    "themselves."
                )
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise LayerError(
            f"{path} is a damaged database ({error}): copy it again, or export it again."
        ) from error
    finally:
        base.close()


def _require_honest_index(path: Path) -> None:
    """Refuse an index that lists the same shapes again and again."""
    for suffix in (".shx", ".SHX"):
        index = path.with_suffix(suffix)
        if index.is_file():
            data = index.read_bytes()[100:]
            # Offsets and lengths in words of two bytes; a record has a head of its own.
            lengths = np.frombuffer(data[: len(data) // 8 * 8], ">i4")[1::2].astype(np.int64)
            listed = int(lengths.clip(0).sum()) * 2 + 8 * len(lengths)
            if listed > path.stat().st_size:
                raise LayerError(
                    f"{index} lists {listed} bytes of shapes, but {path.name} holds "
                    f"{path.stat().st_size}: copy the shapefile again, or remove the .shx."
                )
            return


def _start_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(8)
