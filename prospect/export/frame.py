"""The frame of a map on paper: how much fits at which scale, its grids, its scale bar."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pyproj import CRS

from prospect.export.paper import INK, PALE, Paper
from prospect.export.scale import (
    Bounds,
    convergence,
    graticule,
    lengths_of_bar,
    multiples,
    round_scale,
    round_step,
)
from prospect.report.language import Language

if TYPE_CHECKING:
    from matplotlib.axes import Axes

A3 = (420.0, 297.0)
MARGIN, TITLE, STRIP, BAND = 12.0, 20.0, 22.0, 10.0
"""Millimetres: round the sheet; for the title; under the map; for numbers round the map."""

COLUMN, PANEL, GUTTER = 82.0, 92.0, 8.0
"""Width of the column at the right of a sheet across; height of the panel under an upright one."""

INNER = 5.0
"""Millimetres between the two lines of the frame, where kilometres stand."""

AROUND = 0.01
"""Of the map's side, left free around it."""


@dataclass(frozen=True)
class Frame:
    """
    Where a map lies on paper.

    Attributes
    ----------
    paper_width, paper_height : float, millimetres
    x, y, width, height : float, millimetres
        Of the map.
    bounds : west, south, east, north
        Of what is shown, in metres.
    scale : float
        The denominator.
    columns : tuple of (left, top, width), millimetres
        For the legend: one in a sheet across, three in an upright one.
    """

    paper_width: float
    paper_height: float
    x: float
    y: float
    width: float
    height: float
    bounds: Bounds
    scale: float
    columns: tuple[tuple[float, float, float], ...]

    @property
    def grid_step(self) -> float:
        """Metres between lines of the grid: some six centimetres of paper."""
        return round_step(0.07 * self.scale)

    def across(self, x: float) -> float:
        """An easting, in millimetres on the paper."""
        return self.x + 1000 * (x - self.bounds[0]) / self.scale

    def up(self, y: float) -> float:
        """A northing, in millimetres on the paper."""
        return self.y + 1000 * (y - self.bounds[1]) / self.scale


def fit(bounds: Bounds) -> Frame:
    """The sheet, across or upright, that a map fills better; at a round scale, in the middle."""
    sheets = _across(bounds), _upright(bounds)
    return min(sheets, key=lambda frame: (frame.scale, _needed(bounds, frame.width, frame.height)))


def _needed(bounds: Bounds, width: float, height: float) -> float:
    """The scale at which a map just fits a box of so many millimetres."""
    west, south, east, north = bounds
    return 1000 * (1 + 2 * AROUND) * max((east - west) / width, (north - south) / height)


def _across(bounds: Bounds) -> Frame:
    wide, high = A3
    x, y = MARGIN + BAND, MARGIN + STRIP + BAND
    width = wide - x - MARGIN - COLUMN - GUTTER - BAND
    height = high - y - MARGIN - TITLE - BAND
    columns = ((wide - MARGIN - COLUMN, y + height + INNER, COLUMN),)
    return _framed(bounds, wide, high, (x, y, width, height), columns)


def _upright(bounds: Bounds) -> Frame:
    high, wide = A3
    x, y = MARGIN + BAND, MARGIN + PANEL + STRIP + BAND
    width = wide - x - MARGIN - BAND
    height = high - y - MARGIN - TITLE - BAND
    left = x - INNER
    column = (wide - 2 * left - 2 * GUTTER) / 3
    columns = tuple((left + k * (column + GUTTER), MARGIN + PANEL, column) for k in range(3))
    return _framed(bounds, wide, high, (x, y, width, height), columns)


def _framed(
    bounds: Bounds,
    wide: float,
    high: float,
    box: tuple[float, float, float, float],
    columns: tuple[tuple[float, float, float], ...],
) -> Frame:
    west, south, east, north = bounds
    x, y, width, height = box
    scale = round_scale(_needed(bounds, width, height))
    half_width, half_height = width * scale / 2000, height * scale / 2000
    middle = (west + east) / 2, (south + north) / 2
    shown = (
        middle[0] - half_width,
        middle[1] - half_height,
        middle[0] + half_width,
        middle[1] + half_height,
    )
    return Frame(wide, high, x, y, width, height, shown, scale, columns)


def draw_frame(paper: Paper, axes: Axes, frame: Frame, crs: CRS, words: Language) -> None:
    """The two lines of the frame, the grid with its kilometres, the graticule with degrees."""
    west, south, east, north = frame.bounds
    axes.set_frame_on(False)
    right, top = frame.x + frame.width, frame.y + frame.height
    outer: dict[str, Any] = {"facecolor": "none", "edgecolor": INK}
    for gap, width in ((0.0, 0.5), (INNER, 1.3)):
        paper.box(
            frame.x - gap, frame.y - gap, frame.width + 2 * gap, frame.height + 2 * gap,
            linewidth=width, **outer,
        )  # fmt: skip
    suffixes = words.words["export"]["suffixes"]
    for side, ticks in graticule(frame.bounds, crs, suffixes=suffixes).items():
        for tick in ticks:
            if side in ("left", "right"):
                edge, out = (frame.x, -1) if side == "left" else (right, 1)
                at = frame.up(tick.at)
                paper.line([edge, edge + out * INNER], [at, at], 0.6)
                paper.text(edge + out * (INNER + 2.4), at, tick.label, 6.5, rotation=90, **_MIDDLE)
            else:
                edge, out = (frame.y, -1) if side == "bottom" else (top, 1)
                at = frame.across(tick.at)
                paper.line([at, at], [edge, edge + out * INNER], 0.6)
                paper.text(at, edge + out * (INNER + 2.4), tick.label, 6.5, **_MIDDLE)
    behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    step = frame.grid_step
    for x in multiples(west, east, step):
        axes.axvline(x, color=INK, linewidth=0.3, alpha=0.35, zorder=1)
        for at in (frame.y - INNER / 2, top + INNER / 2):
            paper.text(frame.across(x), at, _km(x), 6.5, color=PALE, bbox=behind, **_MIDDLE)
    for y in multiples(south, north, step):
        axes.axhline(y, color=INK, linewidth=0.3, alpha=0.35, zorder=1)
        for at in (frame.x - INNER / 2, right + INNER / 2):
            paper.text(
                at, frame.up(y), _km(y), 6.5, color=PALE, bbox=behind, rotation=90, **_MIDDLE
            )


_MIDDLE: dict[str, Any] = {"ha": "center", "va": "center"}


def _km(metres: float) -> str:
    return f"{metres / 1000:,.6g}".replace(",", "\u202f")


def draw_scale(paper: Paper, frame: Frame, crs: CRS, words: Language) -> None:
    """Ratio, bar and north, under the map."""
    base = frame.y - BAND - 12
    ratio = f"{frame.scale:,.0f}".replace(",", "\u202f")
    paper.text(frame.x, base + 2.2, words.say("export", "scale", ratio=ratio), 11, weight="bold")
    km = words.say("export", "km")
    told = f"{frame.scale / 1e5:g}".replace(".", words.words["decimal"])
    paper.text(frame.x, base - 2.6, words.say("export", "centimetre", km=told), 7, color=PALE)
    ends = lengths_of_bar(0.11 * frame.scale)
    left = frame.x + frame.width / 2 - 500 * ends[-1] / frame.scale
    places = [left + 1000 * end / frame.scale for end in ends]
    for k, (start, end) in enumerate(pairwise(places)):
        colour = INK if k % 2 == 0 else "white"
        paper.box(start, base, end - start, 1.8, facecolor=colour, edgecolor=INK, linewidth=0.5)
    for k, (end, place) in enumerate(zip(ends, places, strict=True)):
        number = f"{end / 1000:g}".replace(".", words.words["decimal"])
        label = f"{number} {km}" if k == len(ends) - 1 else number
        paper.text(place, base + 3.2, label, 7, ha="center")
    _draw_north(paper, frame, crs, words, base)


def _draw_north(paper: Paper, frame: Frame, crs: CRS, words: Language, base: float) -> None:
    x = frame.x + frame.width - 4
    paper.shape([(x, base + 7), (x - 2.6, base - 3), (x, base - 0.6)], facecolor=INK, linewidth=0)
    paper.shape(
        [(x, base + 7), (x + 2.6, base - 3), (x, base - 0.6)],
        facecolor="white", edgecolor=INK, linewidth=0.5,
    )  # fmt: skip
    paper.text(x + 4, base + 4.2, words.say("export", "north"), 9, weight="bold")
    off = convergence(frame.bounds, crs)
    lines = [words.say("map", "north")]
    if off is not None and abs(off) >= 0.05:
        side = words.say("export", "side_east" if off > 0 else "side_west")
        degrees = words.number(abs(off), 1)
        lines.append(words.say("export", "convergence", degrees=degrees, side=side))
    for k, line in enumerate(lines):
        paper.text(x - 6, base + 1.6 - 3.6 * k, line, 7, ha="right", color=PALE)
