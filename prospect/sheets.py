"""Map sheets of the Soviet nomenclature: J-42, J-42-XII and their relations, as areas."""

from __future__ import annotations

import re
from dataclasses import dataclass

from prospect.errors import GridError

GEOGRAPHIC = "EPSG:4284"
"""Pulkovo 1942: the system that sheet corners are whole degrees and minutes of."""

_ROMAN = (
    "I II III IV V VI VII VIII IX X XI XII XIII XIV XV XVI XVII XVIII XIX XX XXI XXII XXIII XXIV "
    "XXV XXVI XXVII XXVIII XXIX XXX XXXI XXXII XXXIII XXXIV XXXV XXXVI"
).split()
_QUARTERS = {"А": 0, "Б": 1, "В": 2, "Г": 3, "A": 0, "B": 1, "C": 2, "D": 3}
_NAME = re.compile(
    r"(?P<belt>[A-V])-(?P<column>\d{1,2})"
    r"(?:-(?:(?P<quarter>[АБВГABCD])|(?P<roman>[IVX]+)|(?P<number>\d{1,3})))?"
)
# Cyrillic letters for the Latin ones of belts and Roman numbers; Х is 10, М and Н are belts.
_LOOKALIKES = str.maketrans("АВЕСНКМОРТХІ", "ABECHKMOPTXI")


@dataclass(frozen=True)
class Sheet:
    """
    A sheet of the map.

    Attributes
    ----------
    name : str
    scale : int
        Denominator: 1,000,000, 500,000, 200,000 or 100,000.
    west, south, east, north : float
        Edges in degrees of Pulkovo 1942.
    """

    name: str
    scale: int
    west: float
    south: float
    east: float
    north: float

    @property
    def zone(self) -> int:
        """Number of the six-degree Gauss–Krüger zone."""
        return int(self.west // 6) + 1

    @property
    def epsg(self) -> int:
        """Pulkovo 1942 / Gauss–Krüger of this zone, with its number before eastings."""
        return 28400 + self.zone


def read_sheet(name: str) -> Sheet:
    """
    The area of a map sheet.

    Parameters
    ----------
    name : str
        ``J-42`` (1:1,000,000), ``J-42-Б`` (1:500,000), ``J-42-XII`` (1:200,000) or
        ``J-42-144`` (1:100,000).

    Returns
    -------
    Sheet

    Raises
    ------
    GridError
        If it is no name of a sheet of the northern and eastern hemisphere.
    """
    text = re.sub(r"[\s\u2010-\u2015_]+", "-", name.strip().upper())
    belt, _, rest = text.partition("-")
    column, _, part = rest.partition("-")
    if part not in _QUARTERS:
        part = part.translate(_LOOKALIKES)
    plain = "-".join(filter(None, (belt.translate(_LOOKALIKES), column, part)))
    match = _NAME.fullmatch(plain)
    if match is None or not 31 <= int(match["column"]) <= 60:
        raise _unknown(name)
    south = 4.0 * (ord(match["belt"]) - ord("A"))
    west = 6.0 * (int(match["column"]) - 31)
    if match["quarter"]:
        scale, side, number = 500_000, 2, _QUARTERS[match["quarter"]] + 1
    elif match["roman"]:
        if match["roman"] not in _ROMAN:
            raise _unknown(name)
        scale, side, number = 200_000, 6, _ROMAN.index(match["roman"]) + 1
    elif match["number"]:
        scale, side, number = 100_000, 12, int(match["number"])
    else:
        scale, side, number = 1_000_000, 1, 1
    if not 1 <= number <= side * side:
        raise _unknown(name)
    row, col = divmod(number - 1, side)
    high, wide = 4.0 / side, 6.0 / side
    north = south + 4.0 - row * high
    return Sheet(plain, scale, west + col * wide, north - high, west + (col + 1) * wide, north)


def _unknown(name: str) -> GridError:
    return GridError(
        f"'{name}' is no map sheet: J-42, J-42-Б, J-42-XII or J-42-144 was expected, with a "
        "column from 31 to 60."
    )
