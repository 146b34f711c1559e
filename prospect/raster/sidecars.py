"""Files beside a raster, parsed by ourselves as plain numbers and text: GDAL would follow them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

from affine import Affine
from pyproj import CRS
from pyproj.exceptions import CRSError

from prospect.errors import LayerError

SIDECARS = "PAM"
"""GDAL's name for ``.aux.xml``, to be named among the drivers that are allowed."""

MAX_BYTES = 16 * 2**20
"""Largest sidecar that is read."""

MAX_CLASSES = 100_000

_NUMBERS = ("NoDataValue", "Scale", "Offset")


@dataclass(frozen=True)
class Said:
    """
    What an ``.aux.xml`` says of a raster.

    Attributes
    ----------
    transform : Affine or None
    crs : CRS or None
    bands : dict of int to dict
        Of each band ``NoDataValue``, ``Scale`` and ``Offset``, where said.
    """

    transform: Affine | None = None
    crs: CRS | None = None
    bands: dict[int, dict[str, float]] = field(default_factory=dict)


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """
    The text of a sidecar.

    Raises
    ------
    LayerError
        If it cannot be read, or is far too long.
    """
    return read_bytes(path).decode(encoding, errors="replace")


def read_bytes(path: Path) -> bytes:
    """What a sidecar holds; see :func:`read_text`."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise LayerError(f"{path} cannot be read ({error.strerror}).") from error
    if len(data) > MAX_BYTES:
        raise LayerError(f"{path} is longer than {MAX_BYTES >> 20} MB, which no sidecar is.")
    return data


def read_world(path: Path) -> Affine:
    """A world file: six numbers; the last two are the centre of the upper-left cell."""
    words = read_text(path, "ascii")[:4096].replace(",", ".").split()
    try:
        a, d, b, e, x, y = (float(word) for word in words[:6])
    except ValueError as error:
        raise LayerError(
            f"{path} is not a world file: six numbers were expected, but "
            f"'{' '.join(words[:6])[:80]}' came."
        ) from error
    if not all(math.isfinite(v) for v in (a, b, d, e, x, y)):
        raise LayerError(f"{path} is not a world file: its numbers are not finite.")
    return Affine(a, b, x - (a + b) / 2, d, e, y - (d + e) / 2)


def read_sidecar(path: Path) -> Said | None:
    """
    What the ``.aux.xml`` beside a raster says; None where there is none.

    Position, coordinate system, nodata, scale and offset are taken; names of other files
    are not.

    Raises
    ------
    LayerError
        If it is not XML, or its numbers are none.
    """
    beside = path.with_name(path.name + ".aux.xml")
    if not beside.is_file():
        return None
    text = read_text(beside)
    if "<!" in re.sub(r"<!--.*?-->|<!\[CDATA\[", "", text, flags=re.DOTALL):
        raise LayerError(f"{beside} declares entities, which no sidecar needs: remove it.")
    try:
        root = ET.fromstring(text)
        if root.tag != "PAMDataset":
            raise ValueError(f"it starts with {root.tag[:40]}")
        srs, place = root.findtext("SRS"), root.findtext("GeoTransform")
        transform = None
        if place:
            c, a, b, f, d, e = (float(word) for word in place.split(","))
            transform = Affine(a, b, c, d, e, f)
        bands = {
            int(band.get("band", "1")): {
                name: float(str(band.findtext(name)).strip())
                for name in _NUMBERS
                if band.findtext(name)
            }
            for band in root.findall("PAMRasterBand")
        }
        return Said(transform, CRS.from_user_input(srs.strip()) if srs else None, bands)
    except (ET.ParseError, ValueError, CRSError) as error:
        raise LayerError(
            f"{beside} cannot be followed ({' '.join(str(error).split())[:120]}): remove it, or do "
            "without sidecars."
        ) from error


def read_class_names(path: Path) -> tuple[dict[int, str], str]:
    """
    Names of classes from a value attribute table (``.vat.dbf``) beside a raster.

    Returns
    -------
    names : dict of int to str
        By code; empty where there is no table with a value and a text.
    said : str
        The table's name; empty where there is none.

    Raises
    ------
    LayerError
        If the table is damaged.
    """
    for name in (path.name + ".vat.dbf", path.stem + ".vat.dbf"):
        beside = path.with_name(name)
        if beside.is_file():
            try:
                return _class_names(read_bytes(beside)), beside.name
            except (ValueError, IndexError) as error:
                raise LayerError(
                    f"{beside} is not a table of classes ({error}): remove it or export it again."
                ) from error
    return {}, ""


def _class_names(data: bytes) -> dict[int, str]:
    """Codes and the first text beside them, of a dBASE table."""
    rows = int.from_bytes(data[4:8], "little")
    start, width = int.from_bytes(data[8:10], "little"), int.from_bytes(data[10:12], "little")
    fields, at = [], 1
    for place in range(32, min(start, len(data)) - 31, 32):
        if data[place] == 0x0D:
            break
        name = data[place : place + 11].split(b"\0")[0].decode("ascii", "replace").upper()
        length = data[place + 16]
        fields.append((name, chr(data[place + 11]), slice(at, at + length)))
        at += length
    value = next((f for f in fields if f[0] == "VALUE"), None)
    label = next((f for f in fields if f[1] == "C" and f[0] != "VALUE"), None)
    if value is None or label is None:
        return {}
    if width < at or rows > MAX_CLASSES or start + rows * width > len(data) + 1:
        raise ValueError(f"it claims {rows} rows of {width} bytes, but holds {len(data)} bytes")
    names = {}
    for row in range(rows):
        record = data[start + row * width : start + (row + 1) * width]
        if record[:1] == b"*":
            continue
        text = record[label[2]].strip(b" \0")
        try:
            name = text.decode("utf-8")
        except UnicodeDecodeError:
            name = text.decode("cp1251", "replace")
        if name:
            names[int(float(record[value[2]].decode("ascii", "replace").strip(" \0")))] = name
    return names
