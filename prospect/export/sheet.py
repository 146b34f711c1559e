"""A map on a sheet of A3 paper: what is drawn on it, and what the legend beside it says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prospect._version import __version__
from prospect.errors import OutputError
from prospect.export.classes import GAP, classify, score_band, share_limits, share_names
from prospect.export.frame import Frame, draw_frame, draw_scale, fit
from prospect.export.paper import INK, PALE, POINT, Paper
from prospect.export.scale import Bounds
from prospect.grid import Grid, Window, crs_name, equal_epsg
from prospect.map_file import MapFile, open_map, reduced_grid
from prospect.project import Project
from prospect.raster import atomic_path
from prospect.record import sha256
from prospect.report.contents import APPLICABLE, KINDS, deposits_of, relief_of
from prospect.report.language import Language, load_language
from prospect.report.overlays import lines_of, rings_of
from prospect.stack import open_stack
from prospect.styles import TARGET_LINES, TARGET_MARKS
from prospect.vector import to_crs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from prospect.model import Model

ENDINGS = (".pdf", ".png", ".svg")
DPI = 200
"""Of pictures; a PDF keeps lines and letters as such."""

MOST_CELLS = 3_000
"""Cells along the longer side of the map: a tenth of a millimetre each on A3."""

# For paper the ramp runs from pale, unlikely ground to dark, likely ground: relief shows through
# it and little ink is spent. Lightness falls evenly, so that it holds for colour-blind readers
# and in grey.
COLOURS = ("#f6f3ea", "#fcd88c", "#f9af55", "#ee7b3a", "#d0424b", "#8f2469", "#3a0f5a")

SHADE = 0.45
"""How much of the colour the darkest relief takes."""

LISTED = 10
"""Targets told beside the map, and of each list named on it, at most."""


@dataclass(frozen=True)
class Content:
    """What is drawn, on the grid that is shown."""

    scored: MapFile
    grid: Grid
    band: str
    limits: list[float]
    words: Language
    model: Model | None
    stack: Any
    targets: Any


def write_sheet(
    output: Path | str,
    scored: MapFile | Path | str,
    model: Model | None = None,
    project: Project | Path | str | None = None,
    *,
    targets: Any = None,
    language: str = "en",
) -> Path:
    """
    Draw a map on A3 paper, upright or across, at a round scale.

    Parameters
    ----------
    output : path
        ``.pdf``, ``.png`` or ``.svg``.
    scored : MapFile or path
        From ``prospect score``.
    model : Model, optional
        That made it: for the known deposits and how good the map is.
    project : Project or path, optional
        The layers: for relief and faults.
    targets : GeoDataFrame, optional
        From ``prospect targets``, in any coordinate system.
    language : {'en', 'ru'}

    Returns
    -------
    Path

    Raises
    ------
    LayerError
        If the map is none, or has no score.
    OutputError
        If the file cannot be written.
    """
    from matplotlib import rc_context

    output = Path(output)
    if output.suffix.lower() not in ENDINGS:
        raise OutputError(
            f"A sheet is a {', '.join(ENDINGS)}, so '{output.name}' needs one of these endings."
        )
    words = load_language(language)
    opened = scored if isinstance(scored, MapFile) else open_map(scored)
    grid = reduced_grid(opened.grid, MOST_CELLS)
    content = Content(
        opened,
        grid,
        score_band(opened),
        share_limits(opened),
        words,
        model,
        None if project is None else open_stack(project, grid=grid),
        None if targets is None else to_crs(targets, grid.crs),
    )
    settings: Any = {
        "font.family": "DejaVu Sans",
        "pdf.fonttype": 42,
        "svg.hashsalt": "prospect",
        "hatch.linewidth": 0.35,
    }
    with rc_context(settings), atomic_path(output) as path:
        paper = _drawn(content)
        dated = {".pdf": "CreationDate", ".svg": "Date"}.get(output.suffix.lower())
        # No time of day: the same map is the same file.
        paper.figure.savefig(path, dpi=DPI, metadata={dated: None} if dated else None)
    return output


def _drawn(content: Content) -> Paper:
    values, _ = content.scored.reduced(content.band, MOST_CELLS)
    frame = fit(_bounds(values, content.grid))
    paper = Paper(frame.paper_width, frame.paper_height)
    axes = paper.map(frame.x, frame.y, frame.width, frame.height)
    west, south, east, north = frame.bounds
    axes.set(xlim=(west, east), ylim=(south, north))
    axes.imshow(
        _picture(values, content), extent=_extent(content.grid), interpolation="none", zorder=0
    )
    axes.set(xlim=(west, east), ylim=(south, north), aspect="auto")
    has_outside = _draw_outside(axes, content)
    has_faults = _draw_faults(axes, content)
    kinds = _draw_targets(axes, content, frame)
    has_deposits = _draw_deposits(axes, content)
    crs, words = content.grid.crs, content.words
    draw_frame(paper, axes, frame, crs, words)
    draw_scale(paper, frame, crs, words)
    _draw_title(paper, frame, content)
    marks = {"deposits": has_deposits, "faults": has_faults, "outside": has_outside}
    left, top, width = frame.columns[0]
    top = _draw_shares(paper, left, top, width, content)
    if len(frame.columns) > 1:
        left, top, width = frame.columns[1]
    top = _draw_marks(paper, left, top, width, words, marks, kinds)
    top = _draw_list(paper, left, top, width, content)
    if len(frame.columns) > 2:
        left, top, width = frame.columns[2]
    _draw_about(paper, left, top, width, content, frame)
    return paper


def _bounds(values: NDArray[np.float32], grid: Grid) -> Bounds:
    """Of the cells that have a score."""
    known = values == values
    rows, cols = np.flatnonzero(known.any(axis=1)), np.flatnonzero(known.any(axis=0))
    top, left = int(rows[0]), int(cols[0])
    window = Window(top, left, int(rows[-1]) - top + 1, int(cols[-1]) - left + 1)
    return grid.crop(window).bounds


def _picture(values: NDArray[np.float32], content: Content) -> NDArray[np.float32]:
    """The map in colours, with light and shade, as red, green and blue from 0 to 1."""
    from matplotlib.colors import to_rgb

    table = np.ones((GAP + 1, 3), np.float32)
    table[: len(COLOURS)] = [to_rgb(colour) for colour in COLOURS]
    cells = classify(values, content.limits)
    picture: NDArray[np.float32] = table[cells]
    light = relief_of(content.stack)
    if light is not None:
        # Level ground keeps its colour: under a light at 45° it is lit by sin 45°.
        shade = np.clip(np.nan_to_num(light, nan=0.7071) / 0.7071, 0, 1)
        picture *= (1 - SHADE * (1 - shade))[..., None]
    picture[cells == GAP] = 1
    return picture


def _extent(grid: Grid) -> tuple[float, float, float, float]:
    west, south, east, north = grid.bounds
    return west, east, south, north


def _draw_outside(axes: Axes, content: Content) -> bool:
    """Hatch ground unlike any the model knows."""
    if APPLICABLE not in content.scored:
        return False
    cells, _ = content.scored.reduced(APPLICABLE, MOST_CELLS)
    off = (cells > 0).astype(float)
    if not off.any():
        return False
    axes.contourf(
        content.grid.x, content.grid.y, off, levels=[0.5, 1.5], colors="none", hatches=["/////"]
    )
    return True


def _draw_faults(axes: Axes, content: Content) -> bool:
    found = lines_of(content.stack, content.grid)
    for lines in found.values():
        for line in lines:
            axes.plot(*_metres(line), color=INK, linewidth=0.45, alpha=0.7, zorder=2)
    return bool(found)


def _draw_targets(axes: Axes, content: Content, frame: Frame) -> list[str]:
    """Outlines, and names of the first of each list; returns the lists there are."""
    from matplotlib.patheffects import withStroke

    if content.targets is None:
        return []
    for _, row in content.targets.iterrows():
        colour, dash, width = TARGET_LINES[str(row["list"])]
        # Small targets of a small map would vanish under a wide line.
        width *= min(1.0, NARROWED / frame.scale)
        for rings in rings_of(row.geometry, content.grid.transform.a / 4):
            for ring in rings:
                axes.plot(
                    *_metres(ring),
                    color=colour,
                    linestyle="--" if dash == "dash" else "-",
                    linewidth=max(0.5, width / POINT),
                    zorder=3,
                )
    named = content.targets[content.targets["rank"] <= LISTED]
    taken: list[tuple[float, float]] = []
    for _, row in named.iterrows():
        at = row.geometry.representative_point()
        place = _free(frame.across(at.x), frame.up(at.y), taken)
        if place is None:
            continue
        taken.append(place)
        axes.text(
            frame.bounds[0] + (place[0] - frame.x) * frame.scale / 1000,
            frame.bounds[1] + (place[1] - frame.y) * frame.scale / 1000,
            f"{TARGET_MARKS[str(row['list'])]}{row['rank']}",
            fontsize=7,
            fontweight="bold",
            ha="center",
            va="center",
            color=INK,
            path_effects=[withStroke(linewidth=2, foreground="white")],
            zorder=6,
            clip_on=True,
        )
    return [name for name in TARGET_LINES if (content.targets["list"] == name).any()]


NARROWED = 500_000
"""Beyond this scale lines of targets grow thinner."""

NAME = 6.0, 3.2
"""Millimetres that a target's name takes."""


def _free(x: float, y: float, taken: list[tuple[float, float]]) -> tuple[float, float] | None:
    """A place for a name, on its target or beside it, where none stands; none where all do."""
    wide, high = NAME
    for right, up in ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)):
        place = x + right * wide, y + up * high
        if not any(abs(place[0] - a) < wide and abs(place[1] - b) < high for a, b in taken):
            return place
    return None


def _draw_deposits(axes: Axes, content: Content) -> bool:
    if content.model is None:
        return False
    x, y = _metres(deposits_of(content.model))
    axes.plot(x, y, linestyle="none", zorder=5, **_DEPOSIT)
    return len(x) > 0


_DEPOSIT: dict[str, Any] = {
    "marker": "o", "markersize": 5, "markerfacecolor": "white", "markeredgecolor": INK,
    "markeredgewidth": 1.1,
}  # fmt: skip


def _metres(points: list[tuple[float, float]]) -> NDArray[np.float64]:
    """Points in kilometres as x and y in metres."""
    found: NDArray[np.float64] = 1000 * np.asarray(points, float).reshape(-1, 2).T
    return found


def _draw_title(paper: Paper, frame: Frame, content: Content) -> None:
    words = content.words
    kicker = f"{words.say('page', 'kicker')} · {words.say('bands', content.band)}"
    left, top = frame.x, paper.height - 12
    paper.text(left, top - 3.2, kicker.upper(), 8, color=PALE)
    paper.text(left, top - 12, _title(content), 21, fontweight="bold")


def _title(content: Content) -> str:
    from prospect.commodities import commodity_names, load_commodity

    name = _commodity(content)
    known = load_commodity(name).title if name in commodity_names() else name
    title = known if content.model is None else content.model.title
    found: str = content.words.words["titles"].get(name, title)
    return found


def _heading(paper: Paper, left: float, top: float, width: float, text: str) -> float:
    top = paper.paragraph(left, top, width, text, 8.5, fontweight="bold")
    return top - 1.2


def _draw_shares(paper: Paper, left: float, top: float, width: float, content: Content) -> float:
    """The colours, best ground first, with the scores they begin at."""
    words = content.words
    top = _heading(paper, left, top, width, words.say("export", "shares"))
    names = share_names(words)
    floors = ["", *(f"> {words.number(limit, _digits(limit))}" for limit in content.limits)]
    for colour, name, floor in reversed(list(zip(COLOURS, names, floors, strict=True))):
        top -= 5.4
        paper.box(left, top, 9, 4.6, facecolor=colour, edgecolor=INK, linewidth=0.3)
        paper.text(left + 12, top + 1.3, name, 8)
        paper.text(left + width, top + 1.3, floor, 8, ha="right", color=PALE)
    top -= 5.4
    paper.box(left, top, 9, 4.6, facecolor="white", edgecolor=INK, linewidth=0.3)
    paper.text(left + 12, top + 1.3, words.say("export", "gap"), 8)
    note = words.say("glance", content.band)
    return paper.paragraph(left, top - 2, width, note, 7, color=PALE) - 5


def _digits(value: float) -> int:
    """Decimals that tell two figures of a score."""
    return 2 if value <= 0 else int(np.clip(1 - np.floor(np.log10(value)), 2, 6))


def _draw_marks(
    paper: Paper,
    left: float,
    top: float,
    width: float,
    words: Language,
    marks: dict[str, bool],
    kinds: list[str],
) -> float:
    """What lies on top of the colours."""
    if not any(marks.values()) and not kinds:
        return top
    top = _heading(paper, left, top, width, words.say("map", "legend"))
    if marks["deposits"]:
        top -= 5.4
        paper.mark(left + 4.5, top + 2.3, **_DEPOSIT)
        paper.text(left + 12, top + 1.3, words.say("map", "deposits"), 8)
    for kind in kinds:
        colour, dash, line = TARGET_LINES[kind]
        top -= 5.4
        style = "--" if dash == "dash" else "-"
        paper.box(
            left + 0.5, top + 0.4, 8, 3.8,
            facecolor="none", edgecolor=colour, linewidth=line / POINT, linestyle=style,
        )  # fmt: skip
        paper.text(left + 4.5, top + 1.4, f"{TARGET_MARKS[kind]}1", 6.5, ha="center", weight="bold")
        paper.text(left + 12, top + 1.3, words.say("export", KINDS[kind]), 8)
    if marks["faults"]:
        top -= 5.4
        paper.line([left, left + 9], [top + 2.3, top + 2.3], 0.6)
        paper.text(left + 12, top + 1.3, words.say("export", "faults"), 8)
    if marks["outside"]:
        top -= 5.4
        paper.box(left, top, 9, 4.6, facecolor="none", edgecolor=INK, linewidth=0.3, hatch="/////")
        paper.text(left + 12, top + 1.3, words.say("map", "outside"), 8)
    return top - 5


def _draw_list(paper: Paper, left: float, top: float, width: float, content: Content) -> float:
    """The first targets, with what is needed to go there."""
    table, words = content.targets, content.words
    if table is None or len(table) == 0:
        return top
    top = _heading(paper, left, top, width, words.say("export", "list"))
    ends = (left + 25, left + 41, left + width)
    heads = words.say("targets", "area"), words.say("targets", "peak"), words.say("export", "place")
    top -= 3
    for end, head in zip(ends, heads, strict=True):
        paper.text(end, top, head, 6.5, ha="right", color=PALE)
    top -= 0.6
    # The first list there is: new ground where there is any.
    first = table[table["list"] == table["list"].iloc[0]].head(LISTED)
    for _, row in first.iterrows():
        top -= 4.3
        name = f"{TARGET_MARKS[str(row['list'])]}{row['rank']}"
        paper.text(left, top, name, 7.5, weight="bold")
        told = words.number(row.get("area_km2"), 1), words.number(row.get("peak"))
        for end, text in zip(ends, (*told, _place(row, words)), strict=True):
            paper.text(end, top, text, 7.5, ha="right")
    return top - 5


def _place(row: Any, words: Language) -> str:
    """Where the peak of a target is: in degrees where it can be told, else in kilometres."""
    if "lon" in row:
        lat, lon = words.number(row["lat"], 4), words.number(row["lon"], 4)
        return f"{lat}°  {lon}°"
    km = words.say("export", "km")
    return f"{words.number(row['x'] / 1000, 1)}  {words.number(row['y'] / 1000, 1)} {km}"


def _draw_about(
    paper: Paper, left: float, top: float, width: float, content: Content, frame: Frame
) -> None:
    """How good it is, where it comes from, and what it is not."""
    words, cell, model = content.words, content.scored.grid.cell, content.model
    size = f"{cell.dx:g}" if cell.dx == cell.dy else f"{cell.dx:g} × {cell.dy:g}"
    step = f"{frame.grid_step / 1000:g}".replace(".", words.words["decimal"])
    lines = [
        words.say("export", "grid", crs=_system(content.grid), km=step),
        words.say("export", "cell", size=size),
    ]
    quality = None if model is None else _quality(model, words)
    if quality:
        lines.insert(0, quality)
    hashed = sha256(content.scored.path)[:12]
    source = words.say(
        "export", "source", file=content.scored.path.name, hash=hashed, version=__version__
    )
    for text in (" ".join(lines), source):
        top = paper.paragraph(left, top, width, text, 7, color=PALE) - 1.2
    top = _heading(paper, left, top - 3, width, words.say("page", "disclaimer"))
    paper.paragraph(left, top, width, words.say("disclaimer", "text"), 7.5)


def _system(grid: Grid) -> str:
    """The coordinate system by name, and by code where it has one."""
    code = grid.crs.to_epsg()
    if code:
        return f"{grid.crs.name} (EPSG:{code})"
    equal = equal_epsg(grid.crs)
    return f"{crs_name(grid.crs)} ≈ EPSG:{equal}" if equal else crs_name(grid.crs)


def _quality(model: Model, words: Language) -> str:
    told = model.measures
    rows = told[told["measure"] == "auc"] if len(told) else told
    if len(rows) == 0:
        return ""
    row = rows.iloc[0]
    value, low, high = (words.number(row[k]) for k in ("value", "low", "high"))
    deposits = model.record.get("labels", {}).get("deposits", 0)
    return words.say("export", "quality", value=value, low=low, high=high, deposits=deposits)


def _commodity(content: Content) -> str:
    if content.model is not None:
        return content.model.commodity
    return str(content.scored.manifest.get("commodity", content.scored.path.stem))
