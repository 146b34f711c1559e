"""What a layer is for: roles, guessed from names, and what each role implies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from prospect.lexicon import layer_word
from prospect.tables.columns import ELEMENTS, IN_RUSSIAN

# Longest first within a family: the first row whose words all stand in the name wins.
_PATTERNS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("mask",), "area.mask"),
    (("em", "app", "res"), "electromagnetics.apparent_resistivity"),
    (("em", "resistivity"), "electromagnetics.apparent_resistivity"),
    (("em", "quadrature"), "electromagnetics.quadrature"),
    (("em", "imag"), "electromagnetics.quadrature"),
    (("em", "real"), "electromagnetics.real"),
    (("em", "inphase"), "electromagnetics.real"),
    (("resistivity",), "electromagnetics.apparent_resistivity"),
    (("rtp",), "magnetics.rtp"),
    (("tmi",), "magnetics.tmi"),
    (("magnetic",), "magnetics.tmi"),
    (("magnetics",), "magnetics.tmi"),
    (("mag",), "magnetics.tmi"),
    (("bouguer",), "gravity.bouguer"),
    (("gravity",), "gravity.bouguer"),
    (("grav",), "gravity.bouguer"),
    (("dem",), "elevation"),
    (("srtm",), "elevation"),
    (("elevation",), "elevation"),
    (("dtm",), "elevation"),
    (("basin", "depth"), "basins.depth"),
    (("snow",), "snow.share"),
    (("railways",), "roads.rail"),
    (("railway",), "roads.rail"),
    (("roads",), "roads.road"),
    (("road",), "roads.road"),
    (("access",), "access.hours"),
    (("cover",), "cover.surficial"),
    (("quaternary",), "cover.surficial"),
    (("lithology",), "geology.lithology"),
    (("lith",), "geology.lithology"),
    (("litho",), "geology.lithology"),
    (("lithoname*",), "geology.lithology"),
    (("rockclass*",), "geology.rock_class"),
    (("rock", "class"), "geology.rock_class"),
    (("era",), "geology.era"),
    (("age",), "geology.age"),
    (("group",), "geology.group"),
    (("geology",), "geology.lithology"),
    (("rock",), "geology.lithology"),
)

_DERIVED = (
    ("distance", "distance"),
    ("dist", "distance"),
    ("dst", "distance"),
    ("density", "density"),
    ("dens", "density"),
    ("dns", "density"),
)
_SECOND_HAND = (
    "derived by someone else and taken as it is: leave it out if it was made from known deposits"
)
_REACHED = frozenset("road track rail railway village town settlement access".split())
_ASSAY_WORDS = frozenset("geochemistry geochem gc till soil stream rock ppm ppb assay icp".split())

# What names of a sensor's scenes hold, and the bands of it that have a role.
_SENSORS: tuple[tuple[str, re.Pattern[str], frozenset[str]], ...] = tuple(
    (sensor, re.compile(names, re.IGNORECASE), frozenset(bands.split()))
    for sensor, names, bands in (
        (
            "aster",
            r"(?<![a-z])(aster|ast_)",
            "1 2 3n 3b 4 5 6 7 8 9 10 11 12 13 14",
        ),
        (
            "landsat",
            r"(?<![a-z])(l[co]0[89]_|landsat_?[89]?(?![0-9])|oli(?![a-z]))",
            "1 2 3 4 5 6 7 8 9 10 11",
        ),
        (
            "sentinel2",
            r"(?<![a-z])(sentinel_?2|s2[abc]?_|t\d\d[a-z]{3}_\d{8}t\d{6})",
            "1 2 3 4 5 6 7 8 8a 9 10 11 12",
        ),
    )
)
_SIZE = re.compile(r"(?:(?<=[\W_])|^)\d+(?:m|km|k|м|км)(?=[\W_]|$)", re.I)
_BAND = re.compile(r"(?:^|[\W_])(?:band|imagedata|b)[\W_]?0?(\d{1,2}[anb]?)(?=$|[\W_])", re.I)

_UNITS = {
    "elevation": "m",
    "magnetics": "nT",
    "gravity": "mGal",
    "distance": "m",
}


@dataclass(frozen=True)
class Guess:
    """A guessed role, the unit that goes with it, and what was doubtful."""

    role: str
    unit: str = ""
    doubts: tuple[str, ...] = ()


def guess_role(path: Path | str) -> Guess:
    """
    Guess what a layer is from its name.

    Parameters
    ----------
    path : path
        Only its name counts, in English or Russian; sizes of cells and scales in it do not.

    Returns
    -------
    Guess
        The role is ``other.<name>`` when nothing is recognised.
    """
    stem = Path(path).stem
    band = _band(stem)
    if band:
        return Guess(band)
    lower = [
        _known(word)
        for word in re.split(r"[\W\d_]+|(?<=[a-z])(?=[A-Z])", _SIZE.sub("_", stem))
        if word
    ]
    if all(word in lower for word in ("study", "area")):
        return Guess("area.study")
    whole = [word.lower() for word in re.split(r"[\W_]+", stem) if word]
    for prefix, kind in _DERIVED:
        found = next((i for i, w in enumerate(whole) if _known(w).startswith(prefix)), None)
        if found is not None:
            rest = [_known(whole[found]).removeprefix(prefix), *whole[found + 1 :]]
            what = "_".join(word for word in rest if word) or "unknown"
            if kind == "distance" and _REACHED & {word.rstrip("s") for word in lower}:
                # Where people come to easily is where they looked, not where ore is.
                return Guess(f"access.{what}", "m")
            return Guess(f"{kind}.{what}", _UNITS.get(kind, ""), (_SECOND_HAND,))
    if "derivatives" in lower:
        what = "_".join(word for word in whole if word != "derivatives")
        return Guess(f"derivative.{what}", "", (_SECOND_HAND,))
    if len(whole) > 1 and whole[-1] == "variance":
        return Guess("variance." + stem[: -len("_variance")])
    counted = _radiometric(lower)
    if counted:
        return Guess(f"radiometrics.{counted}", "%" if counted == "K" else "ppm")
    element = _element(lower)
    for pattern, role in _PATTERNS:
        if element is None and all(_in(word, lower) for word in pattern):
            return Guess(role, _UNITS.get(family(role), ""))
    if element is not None:
        unit = next((u for u in ("ppm", "ppb", "pct") if u in lower), "")
        doubts = () if unit else ("its unit is unknown: write ppm, ppb or %",)
        return Guess(f"geochemistry.{element}", "%" if unit == "pct" else unit, doubts)
    name = "_".join(whole) or "unnamed"
    return Guess(f"other.{name}", "", ("its role was not recognised: name it",))


def _known(word: str) -> str:
    """A word of a name, in small letters, and in English where it is Russian."""
    word = word.lower()
    if word.isascii():
        return word
    return IN_RUSSIAN[word].lower() if word in IN_RUSSIAN else layer_word(word)


def _band(stem: str) -> str:
    """The role of a satellite's band, or nothing."""
    found = _BAND.search(stem)
    for sensor, names, bands in _SENSORS:
        if found and names.search(stem) and found[1].lower() in bands:
            return f"{sensor}.b{found[1].lower()}"
    return ""


def _radiometric(lower: list[str]) -> str:
    """Which of the three a gamma-ray survey counted, by a name that says it is one."""
    if not {"radiometric", "radiometrics", "gamma", "spectrometry"} & set(lower):
        return ""
    named = (
        (("k", "potassium"), "K"),
        (("th", "eth", "thorium"), "Th"),
        (("u", "eu", "uranium"), "U"),
    )
    return next((found for words, found in named if set(words) & set(lower)), "")


def family(role: str) -> str:
    """The part of a role before the dot."""
    return role.split(".", 1)[0]


def matches(pattern: str, role: str) -> bool:
    """Whether a role fits a pattern such as ``geochemistry.*``."""
    if pattern.endswith(".*"):
        return role == pattern[:-2] or role.startswith(pattern[:-1])
    return pattern == role


def _element(lower: list[str]) -> str | None:
    """The chemical element that a name ends in, if it reads as an assay."""
    rest = [w for w in lower if w not in _ASSAY_WORDS | {"pct", "log", "idw", "grid"}]
    symbol = rest[-1].capitalize() if rest else ""
    if symbol not in ELEMENTS:
        return None
    if len(rest) == 1 or _ASSAY_WORDS & set(lower):
        return symbol
    return None


def _in(word: str, words: list[str]) -> bool:
    if word.endswith("*"):
        return any(w.startswith(word[:-1]) for w in words)
    return word in words
