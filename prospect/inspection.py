"""What layers say of themselves, what is wrong with them, and what will be done about it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prospect.coordinates import doubts_of, operation_between
from prospect.errors import LayerError, ProjectError, ProspectError
from prospect.grid import Grid, same_crs
from prospect.progress import Progress, silent
from prospect.project import GridSpec, LayerSpec, Project, write_project
from prospect.raster import Alignment, RasterInfo, align, read_info, read_native
from prospect.roles import family, guess_role
from prospect.stack import choose_grid, guess_kind
from prospect.tables import TABLE_SUFFIXES
from prospect.vector import VECTOR_SUFFIXES

RESULTS = ("likelihood", "probability", "applicable", "driver", "change of rank")
"""First bands of what this program writes."""

RASTER_SUFFIXES = (".tif", ".tiff")

CANNOT = "cannot"
"""The treatment of a layer that cannot be read or brought onto the grid."""

SAMPLE_BLOCKS = 64
"""Lattice blocks that are read for statistics; all of a layer of up to four million cells."""

BASE_FAMILIES = ("magnetics", "elevation", "gravity", "geology", "geochemistry")
"""Which evidence sets the grid when several share the commonest one."""


AS_POINTS = (
    "stream sediments that differ from cell to cell: gridded as points, but each speaks for the "
    "ground upstream of it; lay them over their catchments: prospect grid --elevation"
)

_OWN = 0.5
"""A share of cells with values of their own; over catchments, hundreds of cells share theirs."""


@dataclass(frozen=True)
class LayerReport:
    """
    A layer as it is, and as it will be used.

    Attributes
    ----------
    spec : LayerSpec
    info : RasterInfo
    minimum, median, maximum : float
        Of the valid cells that were read; NaN when there are none.
    gaps : float
        Share of cells without a value.
    distinct : int
        Different values among those read.
    treatment : str
        How it comes onto the grid.
    doubts : tuple of str
        What a person should look at.
    """

    spec: LayerSpec
    info: RasterInfo
    minimum: float
    median: float
    maximum: float
    gaps: float
    distinct: int
    treatment: str
    doubts: tuple[str, ...]


def find_rasters(folder: Path | str) -> list[Path]:
    """
    The GeoTIFFs in a folder and below it, in alphabetical order.

    Raises
    ------
    ProjectError
        If there is no folder, or no GeoTIFF in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ProjectError(f"There is no folder {folder}: give the folder that holds the layers.")
    found = files(folder, RASTER_SUFFIXES)
    if not found:
        raise ProjectError(f"{folder} holds no GeoTIFF (.tif): convert the layers first.")
    return found


def find_vectors(folder: Path | str) -> list[Path]:
    """The vector files and tables in a folder and below it, in alphabetical order."""
    return files(Path(folder), (*VECTOR_SUFFIXES, *TABLE_SUFFIXES))


def files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Files by suffix, in alphabetical order; what is hidden, or in hidden folders, aside."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in suffixes
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def survey_folder(
    folder: Path | str | Sequence[Path],
    *,
    roles: Mapping[Path, str] | None = None,
    progress: Progress = silent,
) -> tuple[Project, list[LayerReport], list[str]]:
    """
    Guess a project from a folder of GeoTIFFs.

    Roles and units come from names, kinds from names and values. The layer whose extent
    the map follows, and which therefore must not have a gap, is the first one on the
    commonest grid, geophysics before geology before assays.

    Parameters
    ----------
    folder : path, or GeoTIFFs
    roles : mapping of absolute path to str, optional
        Instead of a guess.
    progress : callable

    Returns
    -------
    project : Project
        Its layers carry doubts.
    reports : list of LayerReport
    refused : list of str
        A sentence for every file that cannot be used.
    """
    paths = find_rasters(folder) if isinstance(folder, (str, Path)) else list(folder)
    folder = paths[0].parent if not isinstance(folder, (str, Path)) else folder
    names = _unique_names(paths)
    specs, infos, refused = [], {}, []
    for path, name in zip(paths, names, strict=True):
        try:
            info = read_info(path)
        except ProspectError as error:
            refused.append(str(error))
            continue
        if info.description in RESULTS:
            refused.append(
                f"{path} is a map that prospect made ({info.description}): a result, not evidence."
            )
            continue
        guess = guess_role(path)
        role = (roles or {}).get(path.resolve())
        if role is not None:
            guess = replace(guess, role=role, doubts=())
        infos[name] = info
        specs.append(
            LayerSpec(
                name=name,
                path=path,
                role=guess.role,
                unit=info.unit or guess.unit,
                kind=guess_kind(guess.role, info),
                doubts=guess.doubts if not info.unit else (),
            )
        )
    while specs:
        like = _base(specs, infos, choose_grid(GridSpec(), {s.name: infos[s.name] for s in specs}))
        specs = [replace(spec, required=spec.name == like) for spec in specs]
        project = Project(Path(folder), GridSpec(like=like), tuple(specs))
        reports = inspect_project(project, progress=progress)
        useless = {r.spec.name: r.doubts[-1] for r in reports if r.treatment == CANNOT}
        if like not in useless:
            refused += useless.values()
            reports = [report for report in reports if report.spec.name not in useless]
            specs = [replace(report.spec, doubts=report.doubts) for report in reports]
            return replace(project, layers=tuple(specs)), reports, refused
        # Another layer sets the grid, and the others come onto that one.
        refused.append(useless[like])
        specs = [spec for spec in specs if spec.name != like]
    raise ProjectError(f"None of the files in {folder} can be used. First: {refused[0]}")


def inspect_project(
    project: Project, *, allow_drivers: tuple[str, ...] = (), progress: Progress = silent
) -> list[LayerReport]:
    """
    Look into every raster layer of a project.

    Parameters
    ----------
    project : Project
    allow_drivers : tuple of str
    progress : callable

    Returns
    -------
    list of LayerReport

    Raises
    ------
    ProspectError
        If a layer cannot be opened. One that opens but cannot be read, or lies
        elsewhere, gets a doubt.
    """
    infos = {}
    for spec in project.layers:
        info = read_info(spec.path, spec.band, allow_drivers=allow_drivers)
        infos[spec.name] = info if spec.nodata is None else replace(info, nodata=spec.nodata)
    if not infos:
        return []
    grid = choose_grid(project.grid, infos)
    odd = _odd_names(project.layers)
    shared = Counter(spec.role for spec in project.layers)
    reports = []
    with progress("Looking into the layers", len(project.layers), "layers") as done:
        for spec in project.layers:
            info = infos[spec.name]
            doubts = [*spec.doubts, *_doubts_of_file(info)]
            if grid.crs.is_geographic and info.grid.crs.is_geographic:
                doubts.append("it is in degrees: give the grid a projection in metres")
            if spec.name in odd:
                doubts.append(odd[spec.name])
            if spec.role and shared[spec.role] > 1 and "*" not in spec.role:
                doubts.append(f"{shared[spec.role]} layers have the role {spec.role}")
            reports.append(_report(spec, info, grid, doubts, allow_drivers))
            done(1)
    return reports


def write_survey(project: Project, folder: Path | str) -> Path:
    """
    Write the prospect.toml of a surveyed folder.

    Raises
    ------
    ProjectError
        If there is one already: it may hold corrections.
    OutputError
        If the folder cannot be written.
    """
    folder = Path(folder)
    path = folder / "prospect.toml"
    if path.exists():
        raise ProjectError(f"{path} is there already: correct it, or move it away first.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ProjectError(f"The folder {folder} cannot be made ({error.strerror}).") from error
    write_project(project, path)
    return path


def describe(reports: Sequence[LayerReport]) -> str:
    """A table of layers, for people: a line a layer."""
    rows = [("layer", "role", "kind", "unit", "min … median … max", "gaps", "comes onto the grid")]
    for report in reports:
        if report.spec.kind == "categorical":
            values = f"{report.distinct} classes"
        else:
            numbers = (report.minimum, report.median, report.maximum)
            values = " … ".join(f"{number:.4g}" for number in numbers)
        name = report.spec.name + (" *" if report.spec.required else "")
        rows.append(
            (
                name,
                report.spec.role or "–",
                report.spec.kind,
                report.spec.unit or "?",
                values,
                f"{100 * report.gaps:.0f} %",
                report.treatment,
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(f"{text:<{w}}" for text, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def doubts(reports: Sequence[Any]) -> list[str]:
    """What should be looked at, the same doubt told once with the layers it is about."""
    about: dict[str, list[str]] = {}
    for report in reports:
        for doubt in report.doubts:
            name = report.spec.name if isinstance(report, LayerReport) else report.name
            about.setdefault(doubt, []).append(name)
    lines = []
    for doubt, names in about.items():
        listed = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        lines.append(f"{listed}: {doubt}")
    return lines


def _report(
    spec: LayerSpec,
    info: RasterInfo,
    grid: Grid,
    doubts: list[str],
    allow_drivers: tuple[str, ...],
) -> LayerReport:
    categorical = spec.kind == "categorical"
    low = median = high = math.nan
    distinct, total, gaps = 0, 0, 1.0
    treatment = CANNOT
    failures = []
    try:
        values, total = _sample(info, categorical, allow_drivers)
    except ProspectError as error:
        failures.append(str(error))
    else:
        gaps = 1 - values.size / total
        if values.size:
            low, median, high = (float(q) for q in np.quantile(values, (0, 0.5, 1)))
            distinct = int(np.unique(values).size)
        else:
            doubts.append("it has gaps only")
    if distinct == 1:
        doubts.append("it has one value only and tells nothing apart")
    if family(spec.role) == "geochemistry" and low < 0:
        doubts.append("negative concentrations: below detection? set them to nodata")
    if spec.role == "electromagnetics.apparent_resistivity" and low < 0:
        doubts.append("negative resistivity, which rock cannot have: processed or wrong")
    if spec.medium == "stream" and distinct > _OWN * (1 - gaps) * total:
        doubts.append(AS_POINTS)
    if categorical and not spec.classes:
        doubts.append("its classes have no names: add [layers.NAME.classes]")
    try:
        aligned: Alignment = align(
            info,
            grid,
            categorical=categorical,
            resampling=spec.resampling,
            allow_drivers=allow_drivers,
        )
    except ProspectError as error:
        failures.append(str(error))
    if not failures and not same_crs(info.grid.crs, grid.crs):
        west, south, east, north = info.grid.bounds
        middle = (west + east) / 2, (south + north) / 2
        doubts.append(operation_between(info.grid.crs, grid.crs, at=middle))
    if not failures:
        same = aligned.method == "same"
        treatment = "as it is" if same else f"{aligned.method}, {aligned.reason}"
    return LayerReport(
        spec=spec,
        info=info,
        minimum=low,
        median=median,
        maximum=high,
        gaps=gaps,
        distinct=distinct,
        treatment=treatment,
        doubts=tuple(dict.fromkeys([*doubts, *failures])),
    )


def _sample(
    info: RasterInfo, categorical: bool, allow_drivers: tuple[str, ...]
) -> tuple[NDArray[np.float64], int]:
    """Valid values of evenly spread blocks, and the number of cells looked at."""
    blocks = [b.intersect(info.grid.window) for b in info.grid.window.lattice_blocks()]
    step = max(1, len(blocks) // SAMPLE_BLOCKS)
    parts, total = [], 0
    for block in blocks[::step]:
        cells = read_native(info, block, categorical=categorical, allow_drivers=allow_drivers)
        valid = cells[cells != -1] if categorical else cells[cells == cells]
        parts.append(valid.astype(np.float64))
        total += cells.size
    return np.concatenate(parts), total


def _doubts_of_file(info: RasterInfo) -> list[str]:
    """What a file says, or does not say, of itself."""
    found = list(info.notes)
    found += doubts_of(info.grid.crs, info.grid.bounds)
    if info.is_float and info.nodata is None:
        found.append("it declares no nodata: NaN and what is beyond ±1e30 are taken as gaps")
    if info.bands > 1:
        found.append(f"band {info.band} of {info.bands} is taken")
    return found


def _odd_names(specs: Sequence[LayerSpec]) -> dict[str, str]:
    """Names with a word that is a scrambled form of the one their siblings have."""
    words: Counter[str] = Counter()
    for spec in specs:
        words.update(set(spec.name.lower().split("_")))
    odd = {}
    for spec in specs:
        for word in spec.name.lower().split("_"):
            twins = [
                other
                for other, count in words.items()
                if other != word and sorted(other) == sorted(word) and count > 3 * words[word]
            ]
            if len(word) > 1 and twins:
                odd[spec.name] = (
                    f"perhaps misnamed: '{word}' where {words[twins[0]]} others say '{twins[0]}'"
                )
    return odd


def _base(specs: Sequence[LayerSpec], infos: dict[str, RasterInfo], grid: Grid) -> str:
    """The layer that the map follows."""
    on_grid = [spec for spec in specs if infos[spec.name].grid.same_as(grid)]

    def rank(spec: LayerSpec) -> int:
        kind = family(spec.role)
        return BASE_FAMILIES.index(kind) if kind in BASE_FAMILIES else len(BASE_FAMILIES)

    if not on_grid:
        raise LayerError("No layer lies on the grid that was chosen.")
    return min(on_grid, key=rank).name


def _unique_names(paths: Sequence[Path]) -> list[str]:
    """A name a file: its stem, with the folder where two are the same."""
    stems = Counter(path.stem for path in paths)
    names: list[str] = []
    for path in paths:
        name = path.stem if stems[path.stem] == 1 else f"{path.parent.name}_{path.stem}"
        while name in names:
            name += "_"
        names.append(name)
    return names
