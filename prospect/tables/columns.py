"""What the columns of a table are: coordinates, names, commodities, elements with their units."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

COORDINATES = {
    "lon": ("lon", "lng", "long", "longitude", "долгота", "lon_dd", "x_wgs84", "дол"),
    "lat": ("lat", "latitude", "широта", "lat_dd", "y_wgs84", "шир"),
    "x": ("x", "easting", "east", "x_coord", "xcoord", "coord_x", "x_m", "utm_e", "point_x", "х"),
    "y": ("y", "northing", "north", "y_coord", "ycoord", "coord_y", "y_m", "utm_n", "point_y", "у"),
}
"""Names of coordinate columns; the last of x and y are the Cyrillic letters that look the same."""

TEXTS = {
    "name": (
        "name", "название", "наименование", "объект", "deposit", "dep_name", "site", "project",
        "mine name", "mine_name", "месторождение", "имя", "site_name", "ном", "аталышы",
    ),
    "commodity": (
        "commodity", "commod", "commodities", "primary commodity", "main_commodity", "commod1",
        "полезное ископаемое", "пи", "полезное_ископаемое", "сырье", "сырьё", "минерал",
        "кен байлык", "mineral",
    ),
    "status": (
        "status", "dep_status", "ранг", "статус", "категория", "тип объекта", "тип_объекта",
        "record_type", "rank", "масштаб",
    ),
}  # fmt: skip

UNITS = {
    "ppm": 1.0,
    "ppb": 1e-3,
    "%": 1e4,
    "pct": 1e4,
    "wt%": 1e4,
    "г/т": 1.0,
    "g/t": 1.0,
    "мг/кг": 1.0,
    "mg/kg": 1.0,
    "мкг/кг": 1e-3,
    "ug/kg": 1e-3,
    "мг/т": 1e-3,
    "mg/t": 1e-3,
}
"""Parts per million in one of each unit."""

ELEMENTS = frozenset(
    "Ag Al As Au B Ba Be Bi Br C Ca Cd Ce Cl Co Cr Cs Cu Dy Er Eu F Fe Ga Gd Ge Hf Hg Ho I In Ir K "
    "La Li Lu Mg Mn Mo N Na Nb Nd Ni Os P Pb Pd Pr Pt Rb Re Rh Ru S Sb Sc Se Si Sm Sn Sr Ta Tb Te "
    "Th Ti Tl Tm U V W Y Yb Zn Zr".split()
)

IN_RUSSIAN = {
    "сурьма": "Sb", "золото": "Au", "мышьяк": "As", "ртуть": "Hg", "серебро": "Ag", "медь": "Cu",
    "свинец": "Pb", "цинк": "Zn", "вольфрам": "W", "олово": "Sn", "молибден": "Mo",
    "висмут": "Bi", "теллур": "Te", "железо": "Fe", "марганец": "Mn", "барий": "Ba",
    "никель": "Ni", "кобальт": "Co", "хром": "Cr", "ванадий": "V", "титан": "Ti",
    "бериллий": "Be", "литий": "Li", "уран": "U", "торий": "Th", "калий": "K",
}  # fmt: skip

# Cyrillic letters that a keyboard left where Latin ones were meant.
_LOOKALIKES = str.maketrans("АВЕКМНОРСТХУаеорсух", "ABEKMHOPCTXYaeopcyx")


@dataclass(frozen=True)
class Element:
    """A column of assays: which element, and the unit its header gives ('' when none)."""

    column: str
    element: str
    unit: str


@dataclass(frozen=True)
class Columns:
    """
    The columns of a table by what they hold; None where none was recognised.

    Attributes
    ----------
    x, y : str or None
        Coordinates.
    in_degrees : bool
        Whether x and y are a longitude and a latitude.
    name, commodity, status : str or None
    elements : tuple of Element
    """

    x: str | None = None
    y: str | None = None
    in_degrees: bool = False
    name: str | None = None
    commodity: str | None = None
    status: str | None = None
    elements: tuple[Element, ...] = field(default=())

    def describe(self) -> str:
        """One line for people."""
        parts = []
        if self.x and self.y:
            kind = "longitude and latitude" if self.in_degrees else "coordinates"
            parts.append(f"{kind} in '{self.x}' and '{self.y}'")
        for what in ("name", "commodity", "status"):
            column = getattr(self, what)
            if column:
                parts.append(f"{what} in '{column}'")
        if self.elements:
            shown = [f"{e.element} ({e.unit or 'unit unknown'})" for e in self.elements]
            parts.append(f"assays of {', '.join(shown)}")
        return "; ".join(parts) or "no column was recognised"


def guess_columns(names: Iterable[str]) -> Columns:
    """
    Which column holds what, by its name.

    Parameters
    ----------
    names : iterable of str
        Column names, in English or Russian.

    Returns
    -------
    Columns
        Longitude and latitude are preferred to metres where a table has both, since they
        leave no doubt about the zone.
    """
    names = [str(name) for name in names]
    plain = {_plain(name): name for name in reversed(names)}
    found = {
        what: next((plain[word] for word in words if word in plain), None)
        for what, words in {**COORDINATES, **TEXTS}.items()
    }
    in_degrees = found["lon"] is not None and found["lat"] is not None
    x, y = (found["lon"], found["lat"]) if in_degrees else (found["x"], found["y"])
    taken = {x, y, *(found[what] for what in TEXTS)}
    elements = tuple(
        element
        for element in (element_of(name) for name in names if name not in taken)
        if element is not None
    )
    return Columns(x, y, in_degrees, found["name"], found["commodity"], found["status"], elements)


def element_of(name: str) -> Element | None:
    """The element that a column's header names, with its unit; None when it names none."""
    text = str(name).strip()
    word = re.split(r"[\s,_(\[]", text, maxsplit=1)[0].lower()
    if word in IN_RUSSIAN:
        unit = _unit(re.sub(r"^[\s,_(\[]+|[)\]\s]+$", "", text[len(word) :]))
        return None if unit is None else Element(str(name), IN_RUSSIAN[word], unit)
    head = re.split(r"[\s,_(\[/]", text, maxsplit=1)[0]
    latin = head.translate(_LOOKALIKES)
    if latin.isupper() and len(latin) == 2:
        latin = latin.capitalize()
    if latin not in ELEMENTS:
        return None
    unit = _unit(re.sub(r"^[\s,_(\[/]+|[)\]\s.]+$", "", text[len(head) :]))
    # A bare letter is a coordinate or a code as likely as an element.
    if unit is None or (unit == "" and len(latin) == 1):
        return None
    return Element(str(name), latin, unit)


def _unit(text: str) -> str | None:
    """The unit as UNITS writes it; '' for none, None for something else."""
    unit = text.strip().lower().replace(" ", "")
    if unit in ("", *UNITS):
        return unit
    return None


def _plain(name: str) -> str:
    # A camel's humps part words: primaryCommodity.
    humps = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.strip())
    return " ".join(humps.lower().replace("-", "_").split())
