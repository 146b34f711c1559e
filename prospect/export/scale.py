"""How large a map is on paper: its scale, its grids, its scale bar. Plain arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer

RATIOS = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.5, 8.0)
"""Round scales are these times a power of ten."""

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True)
class Tick:
    """
    Where a line of a grid meets the frame.

    Attributes
    ----------
    at : float
        Along the side, in the map's own metres.
    label : str
    """

    at: float
    label: str


def round_scale(ratio: float) -> float:
    """The next round scale's denominator that is not below a ratio."""
    power = 10.0 ** math.floor(math.log10(ratio))
    for factor in (*RATIOS, 10.0):
        if factor * power >= ratio * (1 - 1e-9):
            return factor * power
    raise AssertionError("ten times a power of ten exceeds what lies below it")


def round_step(length: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not above a length."""
    power = 10.0 ** math.floor(math.log10(length))
    return max(factor * power for factor in (1.0, 2.0, 5.0) if factor * power <= length)


def multiples(low: float, high: float, step: float) -> NDArray[np.float64]:
    """The whole multiples of a step from one number to another."""
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return np.arange(first, last + 1, dtype=np.float64) * np.float64(step)


MINUTES = (1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 300, 600)
"""Steps of a graticule, in minutes."""


def graticule(
    bounds: Bounds, crs: CRS, lines: int = 5, suffixes: Sequence[str] = ("E", "W", "N", "S")
) -> dict[str, list[Tick]]:
    """
    Where meridians and parallels meet the frame of a map.

    Parameters
    ----------
    bounds : west, south, east, north
        Of the frame, in metres.
    crs : CRS
    lines : int
        About as many meridians are wanted, and as many parallels.
    suffixes : sequence of str
        Of degrees east, west, north and south.

    Returns
    -------
    dict
        Of ``left``, ``right`` (parallels), ``bottom``, ``top`` (meridians); empty for a
        local system, which is nowhere on Earth.
    """
    if crs.is_engineering:
        return {}
    west, south, east, north = bounds
    to_degrees = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    along = np.linspace(0.0, 1.0, 201)
    x, y = west + along * (east - west), south + along * (north - south)
    sides = {
        "bottom": (x, to_degrees.transform(x, np.full_like(x, south))[0], suffixes[:2]),
        "top": (x, to_degrees.transform(x, np.full_like(x, north))[0], suffixes[:2]),
        "left": (y, to_degrees.transform(np.full_like(y, west), y)[1], suffixes[2:]),
        "right": (y, to_degrees.transform(np.full_like(y, east), y)[1], suffixes[2:]),
    }
    steps = {}
    for pair in (("bottom", "top"), ("left", "right")):
        wanted = 60 * max(float(np.ptp(sides[side][1])) for side in pair) / lines
        step = min(MINUTES, key=lambda minutes: abs(math.log(minutes / wanted)))
        steps.update(dict.fromkeys(pair, step))
    found = {}
    for side, (place, angle, signs) in sides.items():
        order = np.argsort(angle)
        at = multiples(60 * float(angle.min()), 60 * float(angle.max()), steps[side])
        where = np.interp(at / 60, angle[order], place[order])
        found[side] = [
            Tick(float(w), degrees(round(m), signs)) for m, w in zip(at, where, strict=True)
        ]
    return found


def degrees(minutes: int, signs: Sequence[str]) -> str:
    """Whole minutes of arc as degrees and minutes with what says on which side of zero."""
    whole, rest = divmod(abs(minutes), 60)
    sign = "" if minutes == 0 else signs[0 if minutes > 0 else 1]
    return f"{whole}°{rest:02d}′{sign}"


def convergence(bounds: Bounds, crs: CRS) -> float | None:
    """Degrees from grid north to true north in the middle, eastward positive."""
    if crs.is_engineering:
        return None
    x, y = (bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2
    reach = (bounds[3] - bounds[1]) / 20
    to_degrees = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    lon, _ = to_degrees.transform(x, y)
    _, higher = to_degrees.transform(x, y + reach)
    east, north = to_degrees.transform(lon, higher, direction="INVERSE")
    return math.degrees(math.atan2(east - x, north - y))


def lengths_of_bar(metres: float) -> Sequence[float]:
    """Ends of the pieces of a scale bar no longer than so many metres: four, the first halved."""
    piece = round_step(metres / 4)
    return (0.0, piece / 2, piece, 2 * piece, 3 * piece, 4 * piece)
