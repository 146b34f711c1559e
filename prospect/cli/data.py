"""Commands that look at data: demo, init, inspect, doctor."""

from __future__ import annotations

from pathlib import Path

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
    from prospect.inspection import describe, doubts, find_vectors, survey_folder, write_survey

    project, reports, refused = survey_folder(folder, progress=progress_of(quiet))
    path = write_survey(project, output or folder)
    click.echo(describe(reports))
    click.echo("* a gap in this layer is a gap in the map")
    tell_list("Doubtful:", doubts(reports))
    tell_list("Cannot be used:", refused)
    vectors = find_vectors(folder)
    if vectors:
        names = ", ".join(path.name for path in vectors[:5])
        many = counted(len(vectors), "vector file")
        click.echo(f"\n{many} ({names}) {be(len(vectors))} not in it: add [vectors.NAME].")
    many = counted(len(reports), "layer")
    click.echo(
        f"\n{many} {be(len(reports))} in {path}. Correct it, then: prospect inspect {path.parent}"
    )


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


@click.command(epilog="Example: prospect doctor")
def doctor() -> None:
    """Show versions, memory and disk, for a report of a problem."""
    from prospect.diagnosis import diagnosis

    for name, text in diagnosis().items():
        click.echo(f"{name:<14} {text}")
