"""Folders of rasters, vectors and tables become one project."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from pyproj import CRS, Transformer

from prospect.errors import GridError, ProjectError, ProspectError
from prospect.grid import Grid, crs_name, parse_crs, same_crs
from prospect.inspection import (
    CANNOT,
    RASTER_SUFFIXES,
    LayerReport,
    find_vectors,
    survey_folder,
)
from prospect.inspection import files as files_of
from prospect.progress import Progress, silent
from prospect.project import GridSpec, OccurrenceSpec, Project, VectorSpec
from prospect.raster import read_info
from prospect.stack import choose_grid
from prospect.vector import check_vector, located, read_points, states_system
from prospect.vector_inspection import VectorReport, inspect_occurrences, inspect_vectors, is_vector
from prospect.vector_survey import VectorSurvey, survey_vectors

CELL = 250.0
"""Metres: what linework of 1:200,000 is good to (METHODS.md)."""

_TRUTH = frozenset(("truth", "groundtruth", "истина"))

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True)
class Survey:
    """
    A guessed project and what is to be said of it.

    Attributes
    ----------
    project : Project
    grid : Grid
    layers : list of LayerReport
    vectors : list of VectorReport
    notes : list of str
        What was understood, guessed and left out.
    refused : list of str
        A sentence for every raster that cannot be used.
    """

    project: Project
    grid: Grid
    layers: list[LayerReport] = field(default_factory=list)
    vectors: list[VectorReport] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def survey(
    folders: Sequence[Path],
    *,
    roles: Mapping[Path, str] | None = None,
    to: str | None = None,
    cell: float | None = None,
    bounds: Bounds | None = None,
    crs: str | None = None,
    progress: Progress = silent,
) -> Survey:
    """
    Guess a project from folders.

    Parameters
    ----------
    folders : sequence of path
        Folders, and files that must all be of use.
    roles : mapping of path to str, optional
        What files are for, instead of a guess from their names. Lines and polygons with a
        role are taken whole.
    to, cell, bounds : str, float, (west, south, east, north), optional
        Another grid than the rasters'. Vectors alone need ``to`` unless they share a
        projection, and are given cells of 250 m around all that they hold.
    crs : str, optional
        Coordinate system of vectors and tables that do not state one.
    progress : callable

    Returns
    -------
    Survey

    Raises
    ------
    ProjectError
        If a folder or file is missing, a raster that is named cannot be used, or nothing in
        the folders can.
    GridError
        If vectors alone do not make a grid, or no raster meets the bounds.
    """
    for folder in folders:
        if not folder.exists():
            raise ProjectError(
                f"There is no folder {folder}: give the folder that holds the layers."
            )
    roles = {path.resolve(): role for path, role in (roles or {}).items()}
    beside = [path for path in folders if path.is_file()]
    folders = [path for path in folders if not path.is_file()]
    # What is named is wanted, whatever it is called.
    paths = [path for path in beside if is_vector(path)]
    rasters = [path for path in beside if path not in paths]
    rasters_beside = list(rasters)
    aside: list[Path] = []
    for folder in folders:
        for chosen, there in (
            (rasters, files_of(folder, RASTER_SUFFIXES)),
            (paths, find_vectors(folder)),
        ):
            for path in there:
                (aside if is_truth(path, folder) else chosen).append(path)
    folders = folders or [beside[0].parent]
    found = _with_roles(survey_vectors(paths, crs=crs), paths, roles, crs)
    layers: list[LayerReport] = []
    refused: list[str] = []
    outside: list[str] = []
    if bounds is not None:
        # Before a layer is chosen that others come onto; if none meets them, all are looked at.
        far = {path: said for path in rasters if (said := _beyond(path, bounds, to))}
        if len(far) < len(rasters):
            rasters = [path for path in rasters if path not in far]
            outside = list(far.values())
    if rasters:
        try:
            project, layers, refused = survey_folder(rasters, roles=roles, progress=progress)
        except ProjectError as error:
            if not found.vectors or to is None:
                raise
            project, refused = Project(folders[0]), [str(error)]
    else:
        project = Project(folders[0])
    if rasters_beside:
        _require_used(rasters_beside, layers, [*refused, *outside])
    vectors = found.vectors
    if bounds is not None:
        # The map follows the bounds, not a layer.
        layers = [replace(r, spec=replace(r.spec, required=False)) for r in layers]
        project = replace(project, layers=tuple(report.spec for report in layers))
    if layers:
        spec = replace(project.grid, crs=to, cell=cell, bounds=bounds)
        grid = choose_grid(spec, {r.spec.name: read_info(r.spec.path) for r in layers})
    else:
        spec = _grid_around(found, folders, to, cell, bounds)
        grid = choose_grid(spec, {})
    if bounds is not None and layers:
        layers, beyond = _reaching(layers, grid)
        project = replace(project, layers=tuple(report.spec for report in layers))
        refused = [*refused, *outside, *beyond]
    taken, told = _most_on(found.candidates, grid)
    project = replace(project, grid=spec, vectors=vectors, occurrences=taken)
    notes = [*found.notes, *told]
    if aside:
        named = ", ".join(path.name for path in aside)
        notes.append(
            f"{named}: left out, since by its name it is the truth that a map is tested against; "
            "rename what is none"
        )
    return Survey(project, grid, layers, inspect_vectors(project, grid), notes, refused)


def is_truth(path: Path, folder: Path) -> bool:
    """
    Whether a file in a folder, or a folder between, is called the truth.

    What maps are tested against must never be learnt from, and nothing in the numbers tells
    it from evidence.
    """
    words = re.split(r"[\W_\d]+", str(path.relative_to(folder).with_suffix("")).lower())
    return not _TRUTH.isdisjoint(words)


def _beyond(path: Path, bounds: Sequence[float], to: str | None) -> str:
    """A sentence of a raster that lies outside bounds in its own system; empty if it meets them."""
    try:
        grid = read_info(path).grid
    except ProspectError:
        # Told where layers are looked into.
        return ""
    if to is not None and not same_crs(grid.crs, parse_crs(to)):
        return ""
    west, south, east, north = bounds
    box = grid.bounds
    if box[0] < east and box[2] > west and box[1] < north and box[3] > south:
        return ""
    return _told_beyond(path, box)


def _told_beyond(path: Path, box: Sequence[float]) -> str:
    reach = ", ".join(f"{value:.0f}" for value in box)
    return f"{path.name} lies outside the bounds: it spans {reach}."


def _reaching(layers: list[LayerReport], grid: Grid) -> tuple[list[LayerReport], list[str]]:
    """The rasters that meet a grid whose bounds were asked for, and a sentence of the others."""
    kept, beyond = [], []
    west, south, east, north = grid.bounds
    for report in layers:
        own = read_info(report.spec.path).grid
        box = own.bounds
        if not same_crs(own.crs, grid.crs):
            mover = Transformer.from_crs(own.crs, grid.crs, always_xy=True)
            box = mover.transform_bounds(*box, densify_pts=21)
        if box[0] < east and box[2] > west and box[1] < north and box[3] > south:
            kept.append(report)
        else:
            beyond.append(_told_beyond(report.spec.path, box))
    if not kept:
        raise GridError(
            f"No raster meets the bounds {west:g}, {south:g}, {east:g}, {north:g} (west, south, "
            f"east, north, in metres of {crs_name(grid.crs)}): {beyond[0]}"
        )
    return kept, beyond


def _with_roles(
    found: VectorSurvey, paths: Sequence[Path], roles: Mapping[Path, str], crs: str | None
) -> VectorSurvey:
    """Vectors whose role is given, in place of what was guessed of them."""
    given = {path: roles[path.resolve()] for path in paths if path.resolve() in roles}
    vectors: list[VectorSpec] = []
    for path, role in given.items():
        guessed = [spec for spec in found.vectors if spec.path == path]
        whole = VectorSpec(path.stem, path, crs=None if states_system(path) else crs)
        # A guess knows which attribute names the rock; one that has a condition is a part.
        taken = guessed[0] if len(guessed) == 1 and not guessed[0].where else whole
        vectors.append(replace(taken, role=role))
    others = tuple(spec for spec in found.vectors if spec.path not in given)
    notes = tuple(note for note in found.notes if not note.startswith(_told_of(given)))
    notes += tuple(f"{path.name}: {role}, as was said" for path, role in given.items())
    candidates = tuple(spec for spec in found.candidates if spec.path not in given)
    return VectorSurvey((*others, *vectors), candidates, notes)


def _told_of(paths: Iterable[Path]) -> tuple[str, ...]:
    """What notes about files begin with."""
    return tuple(f"{path.name}: " for path in paths)


def _require_used(
    paths: Sequence[Path], layers: Sequence[LayerReport], refused: Sequence[str]
) -> None:
    """Refuse a raster that was named and cannot be used."""
    used = {report.spec.path for report in layers}
    for path in paths:
        if path not in used:
            raise ProjectError(next((text for text in refused if str(path) in text), refused[0]))


def _most_on(
    candidates: Sequence[OccurrenceSpec], grid: Grid
) -> tuple[OccurrenceSpec | None, list[str]]:
    """The file of occurrences with most points on the grid, and what there is of the others."""
    seen = [(spec, inspect_occurrences(spec, grid)) for spec in candidates]
    broken = [report.doubts[-1] for _, report in seen if report.kind == CANNOT]
    counted = [(spec, report.on_grid or 0) for spec, report in seen if report.kind != CANNOT]
    if not counted:
        return None, broken
    taken, most = max(counted, key=lambda pair: pair[1])
    others = [
        f"{spec.path.name}: {count} occurrences on the grid as well; take it instead with "
        "--occurrences"
        for spec, count in counted
        if spec is not taken and count
    ]
    empty = [spec.path.name for spec, count in counted if not count]
    if not most:
        return None, [*broken, f"no occurrence lies on the grid, of those in {', '.join(empty)}"]
    return taken, [*broken, *others, *(f"{name}: none of it lies on the grid" for name in empty)]


def _boxes_of_points(candidates: Sequence[OccurrenceSpec], target: CRS) -> list[Bounds]:
    """The bounds of occurrences in a grid's own system; those of the whole world are not."""
    boxes: list[Bounds] = []
    for spec in candidates:
        try:
            table = read_points(spec.path, crs=spec.crs, x=spec.x, y=spec.y)
        except ProspectError:
            continue  # told when the project is inspected
        if same_crs(CRS(table.crs), target) and located(table).any():
            west, south, east, north = table[located(table)].total_bounds
            boxes.append((float(west), float(south), float(east), float(north)))
    return boxes


def _grid_around(
    found: VectorSurvey,
    folders: Sequence[Path],
    to: str | None,
    cell: float | None,
    bounds: Bounds | None,
) -> GridSpec:
    """A grid for vectors alone."""
    where = ", ".join(map(str, folders))
    vectors = found.vectors
    if not vectors:
        raise ProjectError(
            f"{where} holds no GeoTIFF (.tif), and no lines or polygons of a known purpose: bring "
            "layers into the folder, make them of tables with prospect grid, or name vectors with "
            "--vector ROLE=PATH when training."
        )
    checks = []
    for spec in vectors:
        try:
            checks.append(check_vector(spec.path, where=spec.where, layer=spec.layer, crs=spec.crs))
        except ProspectError:
            continue  # told when the project is inspected
    systems = [check.crs for check in checks if check.crs is not None]
    if to is None:
        shared = systems and all(same_crs(systems[0], other) for other in systems)
        if not shared or systems[0].is_geographic:
            raise GridError(
                f"{where} holds vectors but no GeoTIFF to take a grid from: name its projection, "
                "--to EPSG:32642, with --cell METRES and --bounds WEST SOUTH EAST NORTH."
                if systems
                else f"The vectors in {where} have no coordinate system: name it with --crs, for "
                "example EPSG:28412, or local-metres when only its unit is known."
            )
        target = systems[0]
        to = next(s.crs for s in vectors if s.crs) if not target.to_epsg() else crs_name(target)
    target = parse_crs(to)
    if bounds is None:
        boxes = []
        for check in checks:
            if check.crs is None or not np.isfinite(check.bounds).all():
                continue
            box = check.bounds
            if not same_crs(check.crs, target):
                mover = Transformer.from_crs(check.crs, target, always_xy=True)
                box = mover.transform_bounds(*box, densify_pts=21)
            boxes.append(box)
        boxes += _boxes_of_points(found.candidates, target)
        corners = np.array(boxes, float).reshape(-1, 4)
        bounds = (*corners[:, :2].min(axis=0), *corners[:, 2:].max(axis=0))
        bounds = (float(bounds[0]), float(bounds[1]), float(bounds[2]), float(bounds[3]))
        if not np.isfinite(bounds).all():
            raise GridError(
                f"The vectors in {where} reach too far for {crs_name(target)}: give --bounds "
                "WEST SOUTH EAST NORTH, in its metres."
            )
    return GridSpec(crs=to, cell=cell or CELL, bounds=bounds)
