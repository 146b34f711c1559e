"""Stratigraphic indices as geological maps write them, such as J₁₋₂, S₁–D₁ or PZ₃."""

from __future__ import annotations

import re
from typing import NamedTuple

SYSTEMS: dict[str, tuple[str, tuple[float, ...]]] = {
    "AR": ("Archaean", (4031, 2500)),
    "PR": ("Proterozoic", (2500, 1600, 538.8)),
    "R": ("Riphean", (1650, 1350, 1030, 650)),
    "V": ("Vendian", (650, 600, 538.8)),
    "PZ": ("Palaeozoic", (538.8, 443.1, 358.9, 251.9)),
    "CM": ("Cambrian", (538.8, 509, 497, 486.9)),
    "O": ("Ordovician", (486.9, 471.3, 458.2, 443.1)),
    "S": ("Silurian", (443.1, 426.7, 419.6)),
    "D": ("Devonian", (419.6, 393.5, 382.3, 358.9)),
    "C": ("Carboniferous", (358.9, 323.4, 307, 298.9)),
    "P": ("Permian", (298.9, 274.4, 259.5, 251.9)),
    "MZ": ("Mesozoic", (251.9, 66)),
    "T": ("Triassic", (251.9, 246.7, 237, 201.4)),
    "J": ("Jurassic", (201.4, 174.7, 161.5, 143.1)),
    "K": ("Cretaceous", (143.1, 100.5, 66)),
    "KZ": ("Cenozoic", (66, 0)),
    "PG": ("Palaeogene", (66, 56, 33.9, 23)),
    "N": ("Neogene", (23, 5.3, 2.58)),
    "Q": ("Quaternary", (2.58, 0)),
}
"""Symbol: name, and the bounds of its parts in millions of years, oldest first (the Russian
stratigraphic scale's parts with the bounds of the ICS chart, rounded)."""

_SYNONYMS = {**dict.fromkeys("ЄꞒ€Э", "CM"), **dict.fromkeys("₽ꝐE", "PG"), "CZ": "KZ"}
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉₋₊⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789-+0123456789")
_LOOKALIKES = str.maketrans("АСРКОТМНЗ", "ACPKOTMHZ")
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212+÷", "-"))
_ROCK = re.compile(r"^[α-ω]+")
_PART = re.compile(r"(AR|PR|PZ|MZ|KZ|CZ|PG|CM|[RVOSDCPTJKNQEЄꞒ€Э₽Ꝑ])(\d?)(?:-(\d))?(?![A-Z])")


class Age(NamedTuple):
    """An age: its oldest and youngest system, and bounds in millions of years."""

    oldest: str
    youngest: str
    from_ma: float
    to_ma: float


def read_age(index: str) -> Age | None:
    """
    Read a stratigraphic index.

    Parameters
    ----------
    index : str
        Such as ``J1-2``, ``J₁₋₂``, ``S₁–D₁``, ``PZ3``, ``D3-C1``, with Latin or Cyrillic
        letters; what follows the age (a formation, a lithology) is passed over.

    Returns
    -------
    Age or None
        None when there is no index.

    Examples
    --------
    >>> read_age("J₁₋₂")
    Age(oldest='Jurassic', youngest='Jurassic', from_ma=201.4, to_ma=161.5)
    """
    # Intrusions carry the Greek letter of their rock before their age.
    text = _ROCK.sub("", index.strip()).translate(_SUBSCRIPTS).translate(_DASHES).replace(" ", "")
    text = re.sub(r"^(Pz|Mz|Kz|Cz|Pg|Cm|Pr|Ar)", lambda m: m.group().upper(), text)
    text = re.sub(r"-(Pz|Mz|Kz|Cz|Pg|Cm|Pr|Ar)", lambda m: m.group().upper(), text)
    text = text.translate(_LOOKALIKES)
    found = []
    place = 0
    while (match := _PART.match(text, place)) is not None:
        found.append(match)
        place = match.end()
        if text[place : place + 1] != "-":
            break
        place += 1
    if not found:
        return None
    spans = [_span(match) for match in found]
    if any(span is None for span in spans):
        return None
    known = sorted((span for span in spans if span is not None), key=lambda span: -span[1])
    oldest, youngest = known[0], min(known, key=lambda span: span[2])
    return Age(oldest[0], youngest[0], oldest[1], youngest[2])


def _span(match: re.Match[str]) -> tuple[str, float, float] | None:
    """Name and bounds of one part of an index; None when the system has no such part."""
    symbol = _SYNONYMS.get(match.group(1), match.group(1))
    name, bounds = SYSTEMS[symbol]
    first = int(match.group(2) or 0)
    last = int(match.group(3) or first)
    if first == 0:
        return name, bounds[0], bounds[-1]
    if not 1 <= first <= last < len(bounds):
        return None
    return name, bounds[first - 1], bounds[last]
