"""All that the page tells, gathered from a map, its model, its layers and what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from prospect._version import __version__
from prospect.features.terrain import hillshade
from prospect.grid import Grid, crs_name
from prospect.map_file import MapFile
from prospect.model import Model
from prospect.record import sha256
from prospect.report.figures import as_image, model_figures
from prospect.report.language import Language
from prospect.report.overlays import kilometres, lines_of, rings_of
from prospect.report.surfaces import Surface, by_class, by_ramp, by_share, shade
from prospect.stack import read_block
from prospect.styles import TARGET_MARKS
from prospect.targets.narrowing import traverses_of
from prospect.targets.ranking import INSIDE, KNOWN, OUTSIDE
from prospect.validation.verdict import verdict

MOST_CELLS = 1_400
"""Cells along the longer side of the map on the page."""

RAMPS = {"spread": "cividis", "dissimilarity": "viridis"}
APPLICABLE = "applicable"
KINDS = {INSIDE: "inside", KNOWN: "known", OUTSIDE: "outside"}
MOST_TOLD = 10
"""Layers, and traverses, that are told."""
SHOWN = 20
"""Targets of a list on the page; the rest is folded up, on paper too."""

_TICKS = 17


@dataclass(frozen=True)
class Sources:
    """
    What a report is made of.

    Attributes
    ----------
    map : MapFile
    model : Model
    stack : Dataset or None
        The layers on a coarse grid of the map: relief, faults, gaps.
    targets : GeoDataFrame or None
    validation : mapping
        As ``validation.json`` has it; empty where there is none.
    """

    map: MapFile
    model: Model
    stack: xr.Dataset | None = None
    targets: Any = None
    validation: Mapping[str, Any] = field(default_factory=dict)


def contents(sources: Sources, language: Language) -> dict[str, Any]:
    """
    The values of the page's template.

    Returns
    -------
    dict
        ``map`` is for the script of the page, the rest for the page.
    """
    model = sources.model
    band, values, grid = _scores(sources.map)
    surfaces = _surfaces(sources, band, values)
    baselines = _baselines(sources.validation)
    say = language.words["figures"]
    called = None if baselines is None else baselines.rename(index=language.words["baselines"])
    images = {name: as_image(figure, say) for name, figure in model_figures(model, called)}
    return {
        "version": __version__,
        "lang": language.code,
        "w": language.words,
        "title": language.words["titles"].get(model.commodity, model.title),
        "commodity": model.commodity,
        "band": band,
        "cards": _cards(sources, values, grid, language),
        "verdict": [] if baselines is None else _verdict(baselines, language),
        "alarms": [
            language.phrase(alarm["sentence"], "alarms")
            for alarm in sources.validation.get("alarms", [])
        ],
        "validated": bool(sources.validation),
        "measures": _measures(model, language),
        "images": images,
        "evidence": _evidence(sources, values, language),
        "importance": [
            (name, language.number(100 * share, 0), round(100 * share, 1))
            for name, share in model.importances().head(12).items()
        ],
        "missing": list(model.record.get("missing_rows", [])),
        "applies": _shares_of_classes(sources.map, language),
        "notes": [language.phrase(note, "notes") for note in model.record.get("notes", [])],
        "record": _record(sources, language),
        "targets": _targets(sources.targets, language),
        "shown": SHOWN,
        "narrowing": _narrowing(sources.targets, language),
        "times": round(grid.transform.a / sources.map.grid.transform.a),
        "map": {
            "grid": _place(grid),
            "surfaces": [_plain(surface, language) for surface in surfaces],
            "deposits": deposits_of(model),
            "lines": lines_of(sources.stack, grid),
            "targets": _outlines(sources.targets, grid, language),
            "traverses": _traverses(sources.targets),
            "outside": _outside(sources.map),
            "words": {**language.words["map"], "decimal": language.words["decimal"]},
            "folds": [],
        },
    }


def _scores(scored: MapFile) -> tuple[str, NDArray[np.float32], Grid]:
    """The band the page is about, with few cells."""
    band = "probability" if "probability" in scored else "likelihood"
    values, grid = scored.reduced(band, MOST_CELLS)
    return band, values, grid


def _surfaces(sources: Sources, band: str, values: NDArray[np.float32]) -> list[Surface]:
    made = [by_share(band, values)]
    for name in sources.map.infos:
        if name == band:
            continue
        cells, _ = sources.map.reduced(name, MOST_CELLS)
        if name in sources.map.classes:
            made.append(by_class(name, cells, sources.map.classes[name]))
        else:
            kind = next((k for k in RAMPS if name.startswith(k)), "spread")
            made.append(by_ramp(name, cells, RAMPS[kind]))
    relief = relief_of(sources.stack)
    return made if relief is None else [*made, shade("relief", relief)]


def relief_of(stack: xr.Dataset | None) -> NDArray[np.float32] | None:
    """Light and shade of the elevation, where a layer has it."""
    if stack is None:
        return None
    for layer in stack.data_vars.values():
        if layer.attrs.get("role") == "elevation":
            lit: NDArray[np.float32] = hillshade(layer.load()).to_numpy()
            return lit
    return None


def _cards(
    sources: Sources, values: NDArray[np.float32], grid: Grid, language: Language
) -> list[dict[str, str]]:
    """The few numbers on top of the page."""
    model, cell = sources.model, sources.map.grid.cell
    deposits = model.record.get("labels", {}).get("deposits", 0)
    cards = [_card(language, "deposits", str(deposits))]
    for measure, name in (("auc", "auc"), ("capture_5%", "capture")):
        row = _first(model.measures, measure)
        if row is not None:
            digits, times, unit = (2, 1, "") if name == "auc" else (0, 100, " %")
            value, low, high = (
                language.number(times * row[k], digits) for k in ("value", "low", "high")
            )
            cards.append(_card(language, name, value + unit, f"{low}–{high}{unit}"))
    if APPLICABLE in sources.map:
        share = 100 * _share_inside(sources.map)
        cards.append(_card(language, "applicable", language.number(share, 0) + " %"))
    area = float(np.isfinite(values).sum()) * grid.cell.dx * grid.cell.dy / 1e6
    km2, metre = language.say("glance", "km2"), language.say("glance", "metre")
    cards.append(_card(language, "area", f"{area:,.0f} {km2}".replace(",", "\u202f")))
    size = f"{cell.dx:g}" if cell.dx == cell.dy else f"{cell.dx:g} × {cell.dy:g}"
    cards.append(_card(language, "cell", f"{size} {metre}"))
    return cards


def _card(language: Language, name: str, value: str, interval: str = "") -> dict[str, str]:
    return {"value": value, "range": interval, "name": language.say("glance", name)}


def _first(measures: pd.DataFrame, measure: str) -> pd.Series | None:
    """A measure in the honest folds, which come first."""
    if measures.empty:
        return None
    rows = measures[measures["measure"] == measure]
    return None if rows.empty else rows.iloc[0]


def _share_inside(scored: MapFile) -> float:
    cells, _ = scored.reduced(APPLICABLE, MOST_CELLS)
    known = cells >= 0
    return float((cells[known] == 0).mean()) if known.any() else float("nan")


def _shares_of_classes(scored: MapFile, language: Language) -> list[tuple[str, str]]:
    """How much of the ground each class of applicability takes."""
    if APPLICABLE not in scored:
        return []
    cells, _ = scored.reduced(APPLICABLE, MOST_CELLS)
    known = cells[cells >= 0]
    return [
        (
            language.phrase(label, "applicability"),
            language.number(100 * float((known == k).mean()) if known.size else 0.0, 1) + " %",
        )
        for k, label in enumerate(scored.classes[APPLICABLE])
    ]


def _outside(scored: MapFile) -> str:
    """The surface that is hatched where it is not its first class."""
    return APPLICABLE if APPLICABLE in scored else ""


def _baselines(validation: Mapping[str, Any]) -> pd.DataFrame | None:
    rows = validation.get("baselines")
    return pd.DataFrame(rows).set_index("baseline") if rows else None


def _verdict(baselines: pd.DataFrame, language: Language) -> list[str]:
    lines = verdict(baselines, language.verdict, language.words["baselines"])
    if language.words["decimal"] != ".":
        lines = [_with_commas(line) for line in lines]
    return [line[:1].upper() + line[1:] for line in lines]


def _with_commas(text: str) -> str:
    """Decimal points between digits as commas."""
    pieces = text.split(".")
    joined = pieces[0]
    for piece in pieces[1:]:
        between = joined[-1:].isdigit() and piece[:1].isdigit()
        joined += ("," if between else ".") + piece
    return joined


def _measures(model: Model, language: Language) -> dict[str, Any]:
    """A row a measure, a column each kind of folds."""
    if model.measures.empty:
        return {"folds": [], "rows": []}
    folds = list(dict.fromkeys(model.measures["folds"]))
    table = model.measures.set_index(["measure", "folds"])
    rows = []
    for measure in dict.fromkeys(model.measures["measure"]):
        cells = []
        for name in folds:
            if (measure, name) not in table.index:
                cells.append("–")
                continue
            row = table.loc[(measure, name)]
            value, low, high = (language.number(row[k]) for k in ("value", "low", "high"))
            cells.append(f"{value} ({low}–{high})")
        rows.append((language.say("measures", str(measure)), cells))
    return {"folds": [language.folds(str(name)) for name in folds], "rows": rows}


def _evidence(
    sources: Sources, values: NDArray[np.float32], language: Language
) -> list[dict[str, str]]:
    """Which evidence, whose map, which year, and how much of the ground it leaves out."""
    inputs = sources.model.record.get("inputs", {})
    unknown = language.say("evidence", "unknown")
    rows = []
    for name, card in sources.model.builder.layers_.items():
        told = inputs.get(name, {})
        scale, confidence = told.get("source_scale"), told.get("confidence")
        rows.append(
            {
                "layer": name,
                "role": language.phrase(card.role, "roles"),
                "file": str(told.get("file", "")),
                "scale": f"1 : {scale:,.0f}".replace(",", "\u202f") if scale else unknown,
                "vintage": str(told.get("vintage") or unknown),
                "confidence": language.number(confidence, 1) if confidence else unknown,
                "gaps": _gaps(sources.stack, name, values, language),
            }
        )
    return rows


def _gaps(
    stack: xr.Dataset | None, name: str, values: NDArray[np.float32], language: Language
) -> str:
    """The share of the ground that a layer leaves out."""
    ground = np.isfinite(values)
    if stack is None or name not in stack or not ground.any():
        return ""
    layer = stack[name]
    if layer.attrs.get("kind") == "geometry":
        return ""
    cells = read_block(layer, Grid.of(stack).window, np.float32)
    missing = np.isnan(cells) if layer.dtype.kind == "f" else cells < 0
    return language.number(100 * float(missing[ground].mean()), 1)


def _record(sources: Sources, language: Language) -> dict[str, Any]:
    record = sources.model.record
    return {
        "model": language.phrase(str(record.get("deposit_model", "")), "deposit_models"),
        "seed": record.get("random_state", ""),
        "map": (sources.map.path.name, sha256(sources.map.path)),
        "grid": language.phrase(sources.map.grid.describe(), "grids"),
        "versions": {"prospect": record.get("prospect", ""), **record.get("versions", {})},
        "inputs": [
            (name, told.get("file", ""), told.get("sha256", ""))
            for name, told in record.get("inputs", {}).items()
        ],
    }


def _targets(table: Any, language: Language) -> list[dict[str, Any]] | None:
    """Lists of targets: new ground, around known deposits, outside experience."""
    if table is None:
        return None
    lists = []
    for name in dict.fromkeys(table["list"]):
        rows = []
        for _, row in table[table["list"] == name].iterrows():
            get = row.get
            rows.append(
                {
                    "id": f"{name}-{row['rank']}",
                    "rank": int(row["rank"]),
                    "area": language.number(get("area_km2"), 1),
                    "share": language.number(100 * get("share", float("nan")), 1),
                    "peak": language.number(get("peak")),
                    "spread": language.number(get("spread")),
                    "dissimilarity": language.number(get("dissimilarity")),
                    "drivers": language.phrase(str(get("drivers") or ""), "evidence_names"),
                    "nearest": language.number(get("nearest_km"), 1),
                    "expected": _expected(row, language),
                }
            )
        lists.append({"kind": KINDS[str(name)], "rows": rows})
    return lists


def _expected(row: Any, language: Language) -> str:
    """Deposits expected, with their interval; nothing where none are told."""
    if "expected" not in row:
        return ""
    low, high = (language.number(row[f"expected_{end}"], 0) for end in ("low", "high"))
    return f"{language.number(row['expected'], 1)} ({low}–{high})"


def _narrowing(table: Any, language: Language) -> dict[str, Any] | None:
    """Which missing layers and which traverses would take most off the spread."""
    if table is None or "line_to" not in table or not len(table):
        return None
    missed = table[table["layer_move"].notna()]
    weight = missed["layer_move"] ** 2 * missed["area_km2"]
    layers = [
        {
            "id": f"{row['list']}-{row['rank']}",
            "mark": _mark(row),
            "layer": language.phrase(str(row["layer"]), "evidence_names"),
            "gap": language.number(100 * row["layer_gap"], 0),
            "move": "±" + language.number(row["layer_move"]),
        }
        for _, row in missed.loc[weight.nlargest(MOST_TOLD).index].iterrows()
    ]
    lines = [
        {
            "id": f"{row['list']}-{row['rank']}",
            "mark": _mark(row),
            "km": language.number(row["km"], 1),
            "ends": [f"{x:.0f}, {y:.0f}" for x, y in row.geometry.coords],
            "change": " → ".join(language.number(row[k], 3) for k in ("line_from", "line_to")),
        }
        for _, row in traverses_of(table).head(MOST_TOLD).iterrows()
    ]
    return {"layers": layers, "lines": lines}


def _peak(row: Any) -> tuple[float, float]:
    """Where a target scores highest, in kilometres on the grid."""
    if "x" in row:
        return kilometres(np.array([row["x"]]), np.array([row["y"]]))[0]
    point = row.geometry.representative_point()
    return kilometres(np.array([point.x]), np.array([point.y]))[0]


def _drivers(row: Any, language: Language) -> list[tuple[str, str]]:
    """The evidence that leads in a target, whose map it is, and of which year."""
    told = row.get("drivers")
    if not isinstance(told, str) or not told:
        return []
    return [(language.say("targets", "drivers"), language.phrase(told, "evidence_names"))]


def _mark(row: Any) -> str:
    return f"{TARGET_MARKS[str(row['list'])]}{row['rank']}"


def _traverses(table: Any) -> list[list[tuple[float, float]]]:
    """Lines to walk, in kilometres on the grid."""
    if table is None or "line_to" not in table:
        return []
    lines = [np.asarray(line.coords) for line in traverses_of(table).geometry]
    return [kilometres(line[:, 0], line[:, 1]) for line in lines]


def _outlines(table: Any, grid: Grid, language: Language) -> list[dict[str, Any]]:
    """Targets for the map: where they lie, and what a click on one tells."""
    if table is None:
        return []
    return [
        {
            "id": f"{row['list']}-{row['rank']}",
            "rank": int(row["rank"]),
            "kind": KINDS[str(row["list"])],
            "polygons": rings_of(row.geometry, grid.transform.a / 4),
            "peak": _peak(row),
            "told": [
                (language.say("map", "target"), _mark(row)),
                (language.say("targets", "area"), language.number(row["area_km2"], 1)),
                *_drivers(row, language),
            ],
        }
        for _, row in table.iterrows()
    ]


def deposits_of(model: Model) -> list[tuple[float, float]]:
    """The deposits a model has learnt from, in kilometres on its grid."""
    known = np.asarray(model.samples["label"]) == 1
    group = np.asarray(model.samples["group"])[known]
    # One mark a deposit: the first of its cells.
    _, first = np.unique(group, return_index=True)
    x, y = (np.asarray(model.samples[k])[known][np.sort(first)] for k in ("x", "y"))
    return kilometres(x, y)


def _place(grid: Grid) -> dict[str, Any]:
    """Where the pictures lie, and longitudes and latitudes to read between."""
    west, south, east, north = grid.bounds
    xs, ys = np.linspace(west, east, _TICKS), np.linspace(north, south, _TICKS)
    degrees = None
    if not grid.crs.is_engineering:
        transformer = Transformer.from_crs(grid.crs, CRS("EPSG:4326"), always_xy=True)
        lon, lat = transformer.transform(*np.meshgrid(xs, ys))
        if np.isfinite(lon).all():
            degrees = {"lon": np.round(lon, 6).tolist(), "lat": np.round(lat, 6).tolist()}
    return {
        "rows": grid.rows,
        "cols": grid.cols,
        "bounds": [round(v / 1000, 6) for v in (west, south, east, north)],
        "crs": crs_name(grid.crs),
        "degrees": degrees,
    }


def _plain(surface: Surface, language: Language) -> dict[str, Any]:
    """A surface as the page's script takes it."""
    return {
        "name": surface.name,
        "title": language.say("bands", surface.name),
        "kind": surface.kind,
        "png": surface.png,
        "colours": surface.colours,
        "values": surface.values,
        "shares": surface.shares,
        "labels": [
            language.phrase(label, "applicability", "evidence_names") for label in surface.labels
        ],
    }
