"""Commands that look at data: demo, init, inspect, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from prospect.cli.kinds import Explained, Place, Rare, Shell
from prospect.cli.options import (
    be,
    counted,
    progress_of,
    roles_of,
    source_of,
    takes_crs,
    takes_drivers,
    takes_progress,
    takes_quiet,
    takes_workers,
    tell_first_run,
    tell_list,
)


@click.command(epilog="Example: prospect demo -o my-demo")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("prospect-demo"),
    show_default=True,
    help="Folder for the region and its maps.",
)
@click.option("--seed", type=int, default=None, help="Another region.")
@takes_workers
@takes_quiet
def demo(output: Path, seed: int | None, workers: int | None, quiet: bool) -> None:
    """Make a sample region, and map antimony, gold and coal in it."""
    from prospect.demo import run_demo

    tell_first_run(quiet)
    for line in run_demo(output, seed=seed, workers=workers, progress=progress_of(quiet)):
        click.echo(line)


@click.command(epilog="Example: prospect init rasters/ occurrences/ -o lapland/")
@click.argument(
    "folders",
    cls=Explained,
    says="Folders of rasters, vectors and tables, or such files.",
    nargs=-1,
    required=True,
    type=Place("layers"),
)
@click.option(
    "-o",
    "--output",
    type=Place("folder", writes="always", file_okay=False),
    help="Project folder; by default FOLDER itself.",
)
@click.option(
    "--to", cls=Rare, metavar="CRS", help="Projection of the grid, instead of the rasters'."
)
@click.option(
    "--cell",
    cls=Rare,
    type=click.FloatRange(min=0, min_open=True),
    metavar="METRES",
    help="Cell of the grid; of vectors alone 250 m.",
)
@click.option(
    "--bounds",
    cls=Rare,
    type=float,
    nargs=4,
    metavar="WEST SOUTH EAST NORTH",
    help="Of the grid, in its metres; by default those of the layers.",
)
@click.option(
    "--role",
    "roles",
    cls=Shell,
    multiple=True,
    metavar="ROLE=PATH",
    help="What a file is for, whatever its name says, e.g. faults.thrust=lines.gpkg. Repeatable.",
)
@takes_crs
@takes_quiet
@takes_progress
def init(
    folders: tuple[Path, ...],
    output: Path | None,
    to: str | None,
    cell: float | None,
    bounds: tuple[float, float, float, float] | None,
    roles: tuple[str, ...],
    crs: str | None,
    quiet: bool,
    told: str,
) -> None:
    """Guess what the rasters, vectors and tables in FOLDERS are, and write prospect.toml.

    FOLDERS may also name single files, which must all be of use.
    """
    from prospect.inspection import describe, doubts, write_survey
    from prospect.surveying import survey
    from prospect.vector_inspection import describe_vectors

    if output is None and (len(folders) > 1 or folders[0].is_file()):
        raise click.UsageError("Of several folders none is the project's: name it with -o.")
    found = survey(
        folders,
        roles={Path(path): role for role, path in roles_of(roles)},
        to=to,
        cell=cell,
        bounds=bounds,
        crs=crs,
        progress=progress_of(quiet, told),
    )
    path = write_survey(found.project, output or folders[0])
    click.echo(f"Grid: {found.grid.describe()}")
    tell_layers(describe(found.layers) if found.layers else "", describe_vectors(found.vectors))
    tell_list("Doubtful:", [*doubts(found.layers), *doubts(found.vectors)])
    tell_list("Vectors and tables:", found.notes)
    tell_list("Cannot be used:", found.refused)
    layers, vectors = len(found.layers), len(found.project.vectors)
    parts = [counted(layers, "layer")] if layers or not vectors else []
    parts += [counted(vectors, "vector layer")] if vectors else []
    click.echo(
        f"\n{' and '.join(parts)} {be(layers + vectors)} in {path}. Correct it, then: "
        f"prospect inspect {path.parent}"
    )


@click.command(epilog="Example: prospect inspect lapland/")
@click.argument(
    "sources",
    cls=Explained,
    says="A project, or rasters, vectors and tables of points.",
    nargs=-1,
    required=True,
    type=Place("layers"),
)
@takes_crs
@takes_drivers
@takes_quiet
@takes_progress
def inspect(
    sources: tuple[Path, ...], crs: str | None, drivers: tuple[str, ...], quiet: bool, told: str
) -> None:
    """Show grids, units, values and what is wrong.

    SOURCES is a project, or rasters, vectors and tables of points.
    """
    from dataclasses import replace

    from prospect.inspection import describe, doubts, inspect_project
    from prospect.own import unlike_its_scale
    from prospect.stack import as_project, choose_grid
    from prospect.vector_inspection import (
        describe_vectors,
        inspect_files,
        inspect_vectors,
        is_vector,
    )
    from prospect.vector_survey import survey_vectors

    given = source_of(sources)
    beside = [path for path in given if is_vector(path)] if isinstance(given, list) else []
    if isinstance(given, list):
        given = [path for path in given if path not in beside]
    grid, reports, vectors = None, [], []
    if given:
        project = as_project(given, allow_drivers=drivers)
        if crs is not None:
            over = tuple(replace(vector, crs=crs) for vector in project.vectors)
            project = replace(project, vectors=over)
            if project.occurrences is not None:
                project = replace(project, occurrences=replace(project.occurrences, crs=crs))
        reports = inspect_project(project, allow_drivers=drivers, progress=progress_of(quiet, told))
        grid = choose_grid(project.grid, {report.spec.name: report.info for report in reports})
        vectors = inspect_vectors(project, grid)
        beside_scale = unlike_its_scale((*project.layers, *project.vectors), grid)
    else:
        beside_scale = []
    vectors += inspect_files(beside, grid, crs=crs)
    if grid is not None:
        click.echo(f"Grid: {grid.describe()}")
    tell_layers(describe(reports) if reports else "", describe_vectors(vectors))
    if beside:
        understood = survey_vectors(beside, crs=crs)
        roles = [f"{v.path.name}: {v.role}, as '{v.name}'" for v in understood.vectors]
        tell_list("Understood as:", [*roles, *understood.notes])
    tell_list("Look at:", [*doubts(reports), *doubts(vectors), *beside_scale])


def tell_layers(rasters: str, vectors: str) -> None:
    """Echo the tables of rasters and of vectors."""
    if rasters:
        click.echo(rasters)
        if " * " in rasters:
            click.echo("* a gap in this layer is a gap in the map")
    if vectors:
        click.echo(f"\n{vectors}" if rasters else vectors)


@click.command(
    name="grid",
    epilog="Example: prospect grid assays.xlsx -v Sb_ppm -v As_ppm --like dem.tif -o layers/",
)
@click.argument("table", type=click.Path(path_type=Path))
@click.option(
    "-v", "--value", "columns", multiple=True, required=True, help="Column to grid. Repeatable."
)
@click.option("--like", type=click.Path(path_type=Path), help="GeoTIFF whose grid is taken.")
@click.option(
    "--cell",
    type=click.FloatRange(min=0, min_open=True),
    metavar="METRES",
    help="Cell of a grid around the points, with --to.",
)
@click.option("--to", metavar="CRS", help="Projection of a grid around the points.")
@click.option("--crs", help="Coordinate system of the table, e.g. EPSG:28412 or gauss-kruger.")
@click.option(
    "--method",
    type=click.Choice(["idw", "kriging"]),
    default="idw",
    show_default=True,
    help="Inverse distances, or ordinary kriging, which also gives its variance.",
)
@click.option(
    "--radius",
    type=click.FloatRange(min=0, min_open=True),
    metavar="METRES",
    help="Cells with no point this near are gaps; by default from the points' spacing.",
)
@click.option("--unit", help="Of assays whose header gives none, e.g. ppm, %, г/т.")
@click.option(
    "--not-found",
    type=click.Choice(["gap", "below"]),
    default="gap",
    show_default=True,
    help="What н/о means: not determined, or below detection.",
)
@click.option(
    "--impute",
    "imputation",
    type=click.Choice(["ros", "half", "none"]),
    default="ros",
    show_default=True,
    help="What stands for values below detection.",
)
@click.option(
    "--duplicates",
    type=click.Choice(["mean", "first"]),
    default="mean",
    show_default=True,
    help="What is taken of several values at one place.",
)
@click.option("--medium", type=click.Choice(["stream", "soil", "rock"]), help="What was sampled.")
@click.option(
    "--elevation",
    type=click.Path(path_type=Path),
    help="GeoTIFF; stream sediments are laid over their catchments, traced on it.",
)
@click.option(
    "--snap",
    type=click.FloatRange(min=0, min_open=True),
    metavar="METRES",
    help="How far a stream sample may lie from the drainage; two cells by default.",
)
@click.option(
    "--lithology",
    type=click.Path(path_type=Path),
    help="Raster or polygons of rocks, to level assays by.",
)
@click.option("--attribute", help="That names the rock, of polygons.")
@click.option(
    "--add",
    "project",
    type=click.Path(path_type=Path),
    help="Project whose prospect.toml the layers are added to.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the layers.",
)
@takes_quiet
def grid_command(
    table: Path,
    columns: tuple[str, ...],
    like: Path | None,
    cell: float | None,
    to: str | None,
    crs: str | None,
    method: str,
    radius: float | None,
    unit: str | None,
    not_found: str,
    imputation: str,
    duplicates: str,
    medium: str | None,
    elevation: Path | None,
    snap: float | None,
    lithology: Path | None,
    attribute: str | None,
    project: Path | None,
    output: Path,
    quiet: bool,
) -> None:
    """Grid columns of a table of points: assays, thicknesses, elevations."""
    from prospect.point_layers import grid_around, grid_table, layer_specs, write_layers
    from prospect.project import add_layer
    from prospect.raster import read_info

    if (like is None) == (cell is None or to is None):
        raise click.UsageError("Give the grid: --like FILE, or --cell METRES and --to CRS.")
    if like is not None:
        grid = read_info(like).grid
    else:
        assert cell is not None and to is not None
        grid = grid_around(table, cell, to, crs=crs)
    found = grid_table(
        table,
        columns,
        grid,
        crs=crs,
        method=method,
        radius=radius,
        unit=unit,
        not_found=not_found,
        imputation=imputation,
        duplicates=duplicates,
        medium=medium,
        elevation=elevation,
        lithology=lithology,
        attribute=attribute,
        snap=snap,
        progress=progress_of(quiet),
    )
    paths = write_layers(found, grid, output)
    click.echo(f"Grid: {grid.describe()}")
    for layer in found:
        for line in layer.describe():
            click.echo(line)
    tell_list("Look at:", list(dict.fromkeys(note for layer in found for note in layer.notes)))
    if project is not None:
        for spec in layer_specs(found, output):
            add_layer(spec, project)
    where = f"{output} and in {project}" if project is not None else str(output)
    click.echo(f"\n{counted(len(paths), 'layer')} {be(len(paths))} in {where}.")


@click.command(
    epilog="Example: prospect add lapland/ alteration.tif --sign + --scale 1500 --vintage 1978"
)
@click.argument("project", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="Of the layer; by default the file's.")
@click.option("--role", help="That commodities name, e.g. faults.thrust; by default own.NAME.")
@click.option(
    "--sign",
    type=click.Choice(["+", "-", "0", "∩"]),
    help="How likelihood goes with it; by default free (0), or the commodity's with --role.",
)
@click.option(
    "--scale",
    type=click.FloatRange(min=0, min_open=True),
    metavar="METRES",
    help="Of closeness to vectors, or of the window of a grid's mean.",
)
@click.option("--confidence", type=click.FloatRange(0, 1), help="From 0 to 1, for the report.")
@click.option(
    "--source-scale",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Of the map it was drawn from: 200000 for 1:200,000.",
)
@click.option("--vintage", default="", help="Year of the survey.")
@click.option("--survey", default="", help="Whose map it is.")
@click.option("--crs", help="Coordinate system of vectors, instead of the file's own.")
def add(
    project: Path,
    file: Path,
    name: str | None,
    role: str | None,
    sign: str | None,
    scale: float | None,
    confidence: float | None,
    source_scale: float | None,
    vintage: str,
    survey: str,
    crs: str | None,
) -> None:
    """Add FILE, a GeoTIFF or vectors, to PROJECT as evidence of your own."""
    from prospect.errors import LayerError
    from prospect.project import LayerSpec, VectorSpec, add_layer
    from prospect.raster import read_info
    from prospect.stack import guess_kind
    from prospect.tables import TABLE_SUFFIXES
    from prospect.vector import VECTOR_SUFFIXES, outline

    name = name or file.stem
    said: dict[str, Any] = {
        "sign": sign or ("" if role else "0"),
        "scale": scale,
        "confidence": confidence,
        "source_scale": source_scale,
        "vintage": vintage,
        "survey": survey,
    }
    role = role or f"own.{name}"
    spec: LayerSpec | VectorSpec
    if file.suffix.lower() in TABLE_SUFFIXES:
        raise LayerError(
            f"{file} is a table, but a layer is a GeoTIFF or vectors: grid its columns with "
            f"'prospect grid {file} -v COLUMN --like A_LAYER.tif -o FOLDER' and add what comes, or "
            "name known deposits with --occurrences when training."
        )
    if file.suffix.lower() in VECTOR_SUFFIXES:
        outline(file)
        spec = VectorSpec(name, file, role, crs=crs, **said)
    else:
        info = read_info(file)
        spec = LayerSpec(name, file, role=role, unit=info.unit, kind=guess_kind(role, info), **said)
    add_layer(spec, project)
    click.echo(f"'{name}' is in {project} as {role}.")


@click.command(epilog="Example: prospect doctor")
def doctor() -> None:
    """Show versions, memory and disk, for a report of a problem."""
    from prospect.diagnosis import diagnosis

    for name, text in diagnosis().items():
        click.echo(f"{name:<14} {text}")
