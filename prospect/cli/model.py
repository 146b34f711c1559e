"""Commands that make and use models: train, score."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prospect.cli.options import (
    area_of,
    pairs_of,
    progress_of,
    source_of,
    takes_drivers,
    takes_quiet,
    takes_sheet,
    takes_vectors,
    takes_workers,
    tell_first_run,
)
from prospect.errors import ModelError

if TYPE_CHECKING:
    import xarray as xr

    from prospect.project import Project


@click.command(
    epilog="Example: prospect train lapland/ -c gold --occurrences au.shp -o gold.prospect"
)
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-c", "--commodity", required=True, help="antimony, gold, coal, or a .toml file.")
@click.option(
    "--occurrences",
    type=click.Path(path_type=Path),
    help="Known deposits: vector file or CSV; by default those of the project.",
)
@click.option("--crs", help="Coordinate system of the occurrences, e.g. EPSG:32642.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Model file to write.")
@click.option(
    "--tested",
    type=click.Path(path_type=Path),
    help="Ground drilled and found barren: points or polygons.",
)
@click.option(
    "--rejects",
    type=click.Path(path_type=Path),
    help="CSV to write the occurrences to that do not train, with their reasons.",
)
@click.option("--area", type=click.Path(path_type=Path), help="Polygons that bound the work.")
@takes_sheet
@click.option("--permissive", metavar="TEST", help='e.g. "lithology in (carbonate, flysch)".')
@click.option("--without", multiple=True, metavar="LAYER", help="Leave a layer out. Repeatable.")
@click.option(
    "--block-size",
    type=click.FloatRange(min=0, min_open=True),
    metavar="METRES",
    help="Side of the blocks that are held out; by default from the ground's width.",
)
@click.option(
    "--folds", type=click.IntRange(min=2), default=5, show_default=True, help="Number of folds."
)
@click.option(
    "--learner",
    default="logistic",
    show_default=True,
    metavar="NAME",
    help="logistic, extra-trees, random-forest, bagged-pu, boosting, woe (weights of evidence), "
    "blend, or fuzzy, which needs no known deposits.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of everything drawn.")
@takes_vectors
@takes_drivers
@takes_workers
@takes_quiet
def train(
    sources: tuple[Path, ...],
    commodity: str,
    occurrences: Path | None,
    crs: str | None,
    output: Path | None,
    tested: Path | None,
    rejects: Path | None,
    area: Path | None,
    sheet: str | None,
    permissive: str | None,
    without: tuple[str, ...],
    block_size: float | None,
    folds: int,
    learner: str,
    seed: int,
    vectors: tuple[str, ...],
    drivers: tuple[str, ...],
    workers: int | None,
    quiet: bool,
) -> None:
    """Learn where a commodity is likely, and say honestly how well that works."""
    from dataclasses import replace

    from prospect.project import OccurrenceSpec
    from prospect.raster import require_writable_folder
    from prospect.stack import as_project, open_stack
    from prospect.training import train as train_model

    project = as_project(source_of(sources), vectors=pairs_of(vectors), allow_drivers=drivers)
    spec: OccurrenceSpec | None
    if occurrences is not None:
        spec = OccurrenceSpec(occurrences)
    elif project.occurrences is not None:
        spec = project.occurrences
    elif learner == "fuzzy":
        spec = None
    else:
        raise click.UsageError(
            "Known deposits are needed: give --occurrences FILE, or map what is known of the "
            "deposit type with --learner fuzzy."
        )
    if crs is not None and spec is not None:
        spec = replace(spec, crs=crs)
    output = output or Path(f"{Path(commodity).stem}.prospect")
    require_writable_folder(output)
    stack = open_stack(project, without=without, allow_drivers=drivers)
    tell_alignment(stack)
    tell_first_run(quiet)
    model = train_model(
        stack,
        spec,
        commodity,
        estimator=learner,
        block_size=block_size,
        n_splits=folds,
        random_state=seed,
        area=area_of(area, sheet),
        permissive=permissive,
        tested=tested,
        rejects=rejects,
        workers=workers,
        progress=progress_of(quiet),
    )
    model.save(output)
    click.echo(model.report())
    click.echo(f"\nThe model is in {output}.")


@click.command(epilog="Example: prospect score gold.prospect rasters/*.tif -o gold.tif --workers 2")
@click.argument("model_path", metavar="MODEL", type=click.Path(path_type=Path))
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="GeoTIFF to write."
)
@click.option(
    "--map",
    "mapping",
    multiple=True,
    metavar="NAME=PATH",
    help="Say which file is the model's layer NAME. Repeatable.",
)
@click.option(
    "--area",
    type=click.Path(path_type=Path),
    help="Polygons that bound the map, instead of the model's own.",
)
@takes_sheet
@click.option(
    "--permissive", metavar="TEST", help="Ground to map, instead of the model's own test."
)
@click.option(
    "--exclude",
    type=click.Path(path_type=Path),
    help="Polygons left empty in the map, such as reserves.",
)
@click.option(
    "--engine",
    type=click.Choice(["threads", "serial", "processes"]),
    default="threads",
    show_default=True,
    help="How tiles are computed.",
)
@click.option(
    "--tile",
    type=click.IntRange(min=1),
    metavar="CELLS",
    help="Side of a tile, rounded up to 256; by default what memory allows.",
)
@click.option(
    "--compress",
    type=click.Choice(["zstd", "deflate"]),
    default="zstd",
    show_default=True,
    help="deflate for older programs.",
)
@click.option("--any-version", is_flag=True, help="Take a model of another scikit-learn.")
@takes_vectors
@takes_drivers
@takes_workers
@takes_quiet
def score(
    model_path: Path,
    sources: tuple[Path, ...],
    output: Path,
    mapping: tuple[str, ...],
    area: Path | None,
    sheet: str | None,
    permissive: str | None,
    exclude: Path | None,
    engine: str,
    tile: int | None,
    compress: str,
    any_version: bool,
    vectors: tuple[str, ...],
    drivers: tuple[str, ...],
    workers: int | None,
    quiet: bool,
) -> None:
    """Score layers with MODEL and write a map that opens in QGIS.

    SOURCES is a project folder, or GeoTIFFs in any order.
    """
    from dataclasses import replace

    from prospect.ground import make_ground
    from prospect.model import load_model
    from prospect.raster import require_writable_folder
    from prospect.scoring import score as score_stack
    from prospect.scoring import select_layers
    from prospect.stack import as_project, open_stack

    require_writable_folder(output)
    model = load_model(model_path, any_version=any_version)
    ground = make_ground(area_of(area, sheet), permissive)
    model.ground = replace(
        model.ground,
        area=ground.area or model.ground.area,
        permissive=ground.permissive or model.ground.permissive,
    )
    settled = {name: Path(path) for name, path in pairs_of(mapping).items()}
    given = source_of(sources)
    if isinstance(given, list):
        given += [path for path in settled.values() if path not in given]
    project = as_project(given, vectors=pairs_of(vectors), allow_drivers=drivers)
    names = {name: layer_of(path, project) for name, path in settled.items()}
    project, unused = select_layers(model, project, names, guessed=isinstance(given, list))
    if unused:
        click.echo(f"Not used by the model: {', '.join(unused)}.", err=True)
    stack = open_stack(project, allow_drivers=drivers)
    tell_alignment(stack)
    tell_first_run(quiet)
    score_stack(
        model,
        stack,
        output,
        engine=engine,
        workers=workers,
        tile=tile,
        mapping=names,
        exclude=exclude,
        compress=compress,
        progress=progress_of(quiet),
    )
    click.echo(f"{model.title}: {output}, with {output.stem}.qml and {output.stem}.manifest.json.")
    click.echo(model.quality())


def layer_of(path: Path, project: Project) -> str:
    """The layer of a project that a path, or a name, means."""
    for spec in project.layers:
        if spec.path == path or spec.name == str(path) or spec.path.resolve() == path.resolve():
            return spec.name
    raise ModelError(f"There is no layer {path} to map to: give it with the others.")


def tell_alignment(stack: xr.Dataset) -> None:
    """Say which layers were brought onto the grid, and what stood in for their own words."""
    methods = Counter(
        str(layer.attrs["resampling"])
        for layer in stack.data_vars.values()
        if layer.attrs["resampling"] not in ("same", "burnt in")
    )
    if methods:
        told = ", ".join(f"{method} {count}" for method, count in methods.items())
        click.echo(
            f"{methods.total()} of {len(stack.data_vars)} layers are brought onto the grid "
            f"({told}): 'prospect inspect' shows how.",
            err=True,
        )
    for name, layer in stack.data_vars.items():
        for note in layer.attrs.get("notes", []):
            click.echo(f"{name}: {note}.", err=True)
