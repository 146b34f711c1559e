"""What vector files and tables of a project say of themselves, and what is wrong with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pyproj import CRS

from prospect.coordinates import doubts_of, operation_between, suggest
from prospect.errors import ProspectError
from prospect.grid import Grid, crs_name, same_crs
from prospect.inspection import CANNOT
from prospect.lexicon import named_commodities
from prospect.project import OccurrenceSpec, Project, VectorSpec
from prospect.tables import TABLE_SUFFIXES, guess_columns
from prospect.vector import (
    VECTOR_SUFFIXES,
    check_vector,
    layer_classes,
    located,
    read_points,
    to_crs,
)

OCCURRENCES = "occurrences"

FAR = 1e6
"""Metres beyond which how far features lie from the grid is not told."""


@dataclass(frozen=True)
class VectorReport:
    """
    A vector layer or table of points as it is, and as it will be used.

    Attributes
    ----------
    name, role, file : str
    features : int
    kind : str
        ``lines``, ``polygons``, ``points`` or ``rows``.
    on_grid : int or None
        How many touch the grid; None without a grid, or where that cannot be known.
    system : str
        Its coordinate system.
    doubts : tuple of str
        What a person should look at.
    """

    name: str
    role: str
    file: str
    features: int
    kind: str
    on_grid: int | None
    system: str
    doubts: tuple[str, ...]


def inspect_vectors(project: Project, grid: Grid | None = None) -> list[VectorReport]:
    """
    Look into every vector layer of a project, and into its occurrences.

    Parameters
    ----------
    project : Project
    grid : Grid, optional
        On which features are counted.

    Returns
    -------
    list of VectorReport
        A file that cannot be read gets a doubt.
    """
    reports = [_of_layer(spec, grid) for spec in project.vectors]
    shared = Counter(report.role for report in reports)
    reports = [
        replace(report, doubts=(*report.doubts, _shared(shared[report.role], report.role)))
        if shared[report.role] > 1
        else report
        for report in reports
    ]
    if project.occurrences is not None:
        reports.append(inspect_occurrences(project.occurrences, grid))
    return reports


def inspect_occurrences(spec: OccurrenceSpec, grid: Grid | None = None) -> VectorReport:
    """Look into a file of points: where they lie, and what they are of."""
    try:
        table = read_points(spec.path, crs=spec.crs, x=spec.x, y=spec.y)
    except ProspectError as error:
        return VectorReport(
            OCCURRENCES, OCCURRENCES, spec.path.name, 0, CANNOT, None, "?", (str(error),)
        )
    there = located(table)
    prefix = f"{spec.path.name}: "
    doubts = [note.removeprefix(prefix) for note in table.attrs.get("notes", ())]
    if (~there).any():
        doubts.append(f"{int((~there).sum())} of {len(table)} rows have no coordinates")
    system = CRS(table.crs)
    doubts += _doubts_of_place(
        system,
        tuple(table[there].total_bounds) if there.any() else None,
        grid,
        tuple(table[there].geometry.get_coordinates().median()) if there.any() else None,
    )
    here = np.zeros(len(table), bool)
    if grid is not None:
        moved = to_crs(table, grid.crs, keep_far=True).geometry.get_coordinates()
        place = moved.reindex(table.index).to_numpy(float)
        here = grid.index(place[:, 0], place[:, 1])[2]
        if not here.any():
            doubts.append("no point lies on the grid")
    column = spec.commodity or guess_columns(map(str, table.columns)).commodity
    if column in table.columns:
        where = here if here.any() else np.ones(len(table), bool)
        doubts.append(_commodities(table[column][where], "on the grid " if here.any() else ""))
    elif spec.of:
        doubts.append(f"no column of commodities: every row is taken as {spec.of}")
    return VectorReport(
        OCCURRENCES,
        OCCURRENCES,
        spec.path.name,
        len(table),
        "rows",
        None if grid is None else int(here.sum()),
        crs_name(system),
        tuple(doubts),
    )


def is_vector(path: Path) -> bool:
    """Whether a file is vectors or a table, by its name."""
    return path.suffix.lower() in (*VECTOR_SUFFIXES, *TABLE_SUFFIXES)


def inspect_files(
    paths: Iterable[Path], grid: Grid | None = None, *, crs: str | None = None
) -> list[VectorReport]:
    """Look into vector files and tables that no project names."""
    reports = []
    for path in paths:
        report = None
        if path.suffix.lower() not in TABLE_SUFFIXES:
            report = _of_layer(VectorSpec(path.stem, path, crs=crs), grid)
        if report is None or (report.kind == "points" and report.system != "?"):
            points = inspect_occurrences(OccurrenceSpec(path, crs=crs), grid)
            told = () if report is None else report.doubts
            doubts = tuple(dict.fromkeys([*told, *points.doubts]))
            report = replace(points, name=path.stem, role="", doubts=doubts)
        reports.append(report)
    return reports


def describe_vectors(reports: Sequence[VectorReport]) -> str:
    """A table of vector layers, for people: a line a layer; empty for none."""
    if not reports:
        return ""
    rows: list[tuple[str, ...]] = [
        ("vector", "role", "features", "on the grid", "coordinates", "file")
    ]
    for report in reports:
        here = "?" if report.on_grid is None else str(report.on_grid)
        kind = report.kind if report.features != 1 else report.kind.removesuffix("s")
        count = kind if kind == CANNOT else f"{report.features} {kind}"
        role = "–" if report.role == report.name == OCCURRENCES else report.role or "–"
        rows.append((report.name, role, count, here, report.system, report.file))
    if not any(report.on_grid is not None for report in reports):
        rows = [(*row[:3], *row[4:]) for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(f"{text:<{w}}" for text, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def _of_layer(spec: VectorSpec, grid: Grid | None) -> VectorReport:
    try:
        check = check_vector(spec.path, grid, layer=spec.layer, where=spec.where, crs=spec.crs)
    except ProspectError as error:
        return VectorReport(
            spec.name, spec.role, spec.path.name, 0, CANNOT, None, "?", (str(error),)
        )
    doubts = check.faults()
    if check.encoding:
        doubts.append(f"its attributes do not say their encoding: read as {check.encoding.upper()}")
    system = "?"
    if check.crs is None:
        west, south, east, north = check.bounds
        hint = suggest(np.array([west, east]), np.array([south, north]))
        doubts.append(
            "it has no coordinate system: name it with --crs, or as crs = 'EPSG:...' in "
            f"prospect.toml{'; ' + hint if hint else ''}"
        )
    else:
        system = crs_name(check.crs)
        west, south, east, north = check.bounds
        middle = ((west + east) / 2, (south + north) / 2)
        doubts += _doubts_of_place(check.crs, check.bounds, grid, middle)
    if grid is not None and check.crs is not None and not check.on_grid and check.features:
        far = f"; the nearest is {check.nearest / 1000:.1f} km away" if check.nearest < FAR else ""
        doubts.append(
            f"nothing of it lies on the grid{far}: distances count what the grid holds, so widen "
            "it with --bounds (and keep the map to --area)"
        )
    if spec.attribute is not None:
        doubts += _doubts_of_classes(spec, check.kinds)
    placed = grid is not None and check.crs is not None
    return VectorReport(
        spec.name,
        spec.role,
        spec.path.name,
        check.features,
        f"{check.kind or 'feature'}s",
        check.on_grid if placed else None,
        system,
        tuple(doubts),
    )


def _shared(count: int, role: str) -> str:
    return f"{count} files have the role {role}: keep one, if they hold the same features"


def _doubts_of_classes(spec: VectorSpec, kinds: Counter[str]) -> list[str]:
    """How many classes an attribute has, and features that cannot fill ground."""
    assert spec.attribute is not None
    try:
        names = list(layer_classes(spec.path, spec.attribute, layer=spec.layer).values())
    except ProspectError as error:
        return [str(error)]
    listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    found = [f"{len(names)} classes by '{spec.attribute}': {listed}"]
    thin = kinds["line"] + kinds["point"]
    if thin and kinds["polygon"]:
        found.append(f"{thin} lines and points among the polygons take the cells they touch")
    return found


def _doubts_of_place(
    system: CRS,
    bounds: tuple[float, ...] | None,
    grid: Grid | None,
    middle: tuple[float, ...] | None,
) -> list[str]:
    """What a coordinate system leaves in doubt, and how the grid's is reached from it."""
    box = None if bounds is None else (bounds[0], bounds[1], bounds[2], bounds[3])
    found = doubts_of(system, box)
    if grid is not None and not same_crs(system, grid.crs):
        place = None if middle is None else (float(middle[0]), float(middle[1]))
        found.append(operation_between(system, grid.crs, at=place))
    return found


def _commodities(texts: Sequence[str], where: str) -> str:
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(named_commodities(str(text)))
    listed = ", ".join(f"{count} of {name}" for name, count in counts.most_common(6))
    return f"{where}{listed or 'of no commodity that is known'}"
