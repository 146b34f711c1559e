"""Commands that look at data: demo, init, inspect, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from prospect.cli.options import (
    be,
    counted,
    progress_of,
    source_of,
    takes_drivers,
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


@click.command(epilog="Example: prospect init rasters/ -o lapland/")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Project folder; by default FOLDER itself.",
)
@takes_quiet
def init(folder: Path, output: Path | None, quiet: bool) -> None:
    """Look at the GeoTIFFs in FOLDER, guess what each is, and write prospect.toml."""
    from dataclasses import replace

    from prospect.inspection import describe, doubts, find_vectors, survey_folder, write_survey
    from prospect.vector_survey import survey_vectors

    project, reports, refused = survey_folder(folder, progress=progress_of(quiet))
    beside = survey_vectors(find_vectors(folder))
    project = replace(project, vectors=beside.vectors, occurrences=beside.occurrences)
    path = write_survey(project, output or folder)
    click.echo(describe(reports))
    click.echo("* a gap in this layer is a gap in the map")
    for vector in project.vectors:
        click.echo(f"vector {vector.name}: {vector.role}, burnt in from {vector.path.name}")
    if project.occurrences is not None:
        click.echo(f"occurrences: {project.occurrences.path.name}")
    tell_list("Doubtful:", doubts(reports))
    tell_list("Vectors and tables:", list(beside.notes))
    tell_list("Cannot be used:", refused)
    told = counted(len(reports), "layer")
    many = len(reports) + len(project.vectors)
    if project.vectors:
        told += f" and {counted(len(project.vectors), 'vector layer')}"
    click.echo(f"\n{told} {be(many)} in {path}. Correct it, then: prospect inspect {path.parent}")


@click.command(epilog="Example: prospect inspect lapland/")
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@takes_drivers
@takes_quiet
def inspect(sources: tuple[Path, ...], drivers: tuple[str, ...], quiet: bool) -> None:
    """Show grids, units, values and what is wrong, for a project or for layers."""
    from prospect.inspection import describe, doubts, inspect_project
    from prospect.stack import as_project, choose_grid

    project = as_project(source_of(sources), allow_drivers=drivers)
    reports = inspect_project(project, allow_drivers=drivers, progress=progress_of(quiet))
    grid = choose_grid(project.grid, {report.spec.name: report.info for report in reports})
    click.echo(f"Grid: {grid.describe()}")
    click.echo(describe(reports))
    click.echo("* a gap in this layer is a gap in the map")
    for vector in project.vectors:
        click.echo(f"vector {vector.name}: {vector.role or 'no role'}, burnt in from {vector.path}")
    tell_list("Look at:", doubts(reports))


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
) -> None:
    """Add FILE, a GeoTIFF or vectors, to PROJECT as evidence of your own."""
    from prospect.project import LayerSpec, VectorSpec, add_layer
    from prospect.raster import read_info
    from prospect.stack import guess_kind
    from prospect.vector import VECTOR_SUFFIXES, outline

    name = name or file.stem
    said: dict[str, Any] = {
        "sign": sign or ("" if role else "0"),
        "scale": scale,
        "confidence": confidence,
        "source_scale": source_scale,
        "vintage": vintage,
    }
    role = role or f"own.{name}"
    spec: LayerSpec | VectorSpec
    if file.suffix.lower() in VECTOR_SUFFIXES:
        outline(file)
        spec = VectorSpec(name, file, role, **said)
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
