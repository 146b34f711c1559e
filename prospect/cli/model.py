"""Commands that make and use models: train, score."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prospect.cli.kinds import Explained, Place, Rare
from prospect.cli.options import (
    Memory,
    area_of,
    cluster_of,
    pairs_of,
    progress_of,
    source_of,
    takes_drivers,
    takes_progress,
    takes_quiet,
    takes_scheduler,
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
@click.argument(
    "sources",
    cls=Explained,
    says="A project folder, or layers in any order.",
    nargs=-1,
    required=True,
    type=Place("layers"),
)
@click.option(
    "-c",
    "--commodity",
    required=True,
    help="antimony, gold, coal, a deposit type or a .toml file; several with commas.",
)
@click.option(
    "--occurrences",
    type=Place("points"),
    help="Known deposits: vector file or CSV; by default those of the project.",
)
@click.option("--crs", cls=Rare, help="Coordinate system of the occurrences, e.g. EPSG:32642.")
@click.option(
    "-o",
    "--output",
    type=Place("model", writes="always"),
    help="Model file to write; of several commodities, the folder for theirs.",
)
@click.option(
    "--type", "deposit_type", cls=Rare, metavar="NAME", help="One deposit type, e.g. au_orogenic."
)
@click.option(
    "--background",
    cls=Rare,
    type=click.Choice(["distance", "deposits", "dissimilar", "mixed"]),
    default="distance",
    show_default=True,
    help="Ground to learn as barren: away from deposits, deposits of other commodities, ground "
    "unlike that of deposits, or all.",
)
@click.option(
    "--match",
    cls=Rare,
    type=click.Choice(["none", "cover", "detectability"]),
    default="none",
    show_default=True,
    help="Draw background as deposits lie: under cover, or by all that decides what is seen.",
)
@click.option(
    "--tested",
    cls=Rare,
    type=Place("points"),
    help="Ground drilled and found barren: points or polygons.",
)
@click.option(
    "--rejects",
    cls=Rare,
    type=Place("table", writes="if named"),
    help="CSV to write the occurrences to that do not train, with their reasons.",
)
@click.option("--area", type=Place("vector"), help="Polygons that bound the work.")
@takes_sheet
@click.option(
    "--permissive", cls=Rare, metavar="TEST", help='e.g. "lithology in (carbonate, flysch)".'
)
@click.option(
    "--without", cls=Rare, multiple=True, metavar="LAYER", help="Leave a layer out. Repeatable."
)
@click.option(
    "--block-size",
    cls=Rare,
    type=click.FloatRange(min=0, min_open=True),
    metavar="METRES",
    help="Side of the blocks that are held out; by default from the ground's width.",
)
@click.option(
    "--folds",
    cls=Rare,
    type=click.IntRange(min=2),
    default=5,
    show_default=True,
    help="Number of folds.",
)
@click.option(
    "--learner",
    default="logistic",
    show_default=True,
    metavar="NAME",
    help="logistic, extra-trees, random-forest, bagged-pu, boosting, woe (weights of evidence), "
    "blend, or fuzzy, which needs no known deposits.",
)
@click.option(
    "--positional-error",
    cls=Rare,
    type=click.FloatRange(min=0),
    default=300.0,
    show_default=True,
    metavar="METRES",
    help="How far deposits may stand from where they are said to.",
)
@click.option(
    "--prior",
    cls=Rare,
    type=click.FloatRange(min=0, max=1, min_open=True, max_open=True),
    metavar="SHARE",
    help="Deposits per cell that you hold likely, e.g. 0.0005: then probability can be mapped.",
)
@click.option(
    "--expected",
    cls=Rare,
    metavar="N | P90,P50,P10",
    help="Instead: deposits on the whole ground, known and unknown, e.g. 12 or 4,12,30.",
)
@click.option(
    "--seed", cls=Rare, type=int, default=0, show_default=True, help="Of everything drawn."
)
@takes_vectors
@takes_drivers
@takes_workers
@takes_scheduler
@takes_quiet
@takes_progress
def train(
    sources: tuple[Path, ...],
    commodity: str,
    occurrences: Path | None,
    crs: str | None,
    output: Path | None,
    deposit_type: str | None,
    background: str,
    match: str,
    tested: Path | None,
    rejects: Path | None,
    area: Path | None,
    sheet: str | None,
    permissive: str | None,
    without: tuple[str, ...],
    block_size: float | None,
    folds: int,
    learner: str,
    positional_error: float,
    prior: float | None,
    expected: str | None,
    seed: int,
    vectors: tuple[str, ...],
    drivers: tuple[str, ...],
    workers: int | None,
    scheduler: str | None,
    quiet: bool,
    told: str,
) -> None:
    """Learn where a commodity is likely, and say honestly how well that works."""
    from dataclasses import replace

    from prospect.commodities import load_commodity
    from prospect.project import OccurrenceSpec
    from prospect.raster import require_writable_folder
    from prospect.several import train_several
    from prospect.stack import as_project, open_stack

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
            "deposit type with --learner fuzzy. A table in metres gets its coordinate system by "
            "--crs here, or once for all by 'prospect init FOLDER --crs EPSG:CODE'."
        )
    if crs is not None and spec is not None:
        spec = replace(spec, crs=crs)
    wanted = [load_commodity(name.strip(), deposit_type) for name in commodity.split(",")]
    if len(wanted) > 1:
        folder = output or Path()
        folder.mkdir(parents=True, exist_ok=True)
        outputs = [folder / f"{each.name}.prospect" for each in wanted]
    else:
        outputs = [output or Path(f"{Path(commodity).stem}.prospect")]
    for path in outputs:
        require_writable_folder(path)
    stack = open_stack(project, without=without, allow_drivers=drivers)
    tell_alignment(stack)
    tell_first_run(quiet)
    with cluster_of(scheduler):
        models = train_several(
            stack,
            spec,
            wanted,
            estimator=learner,
            block_size=block_size,
            n_splits=folds,
            random_state=seed,
            area=area_of(area, sheet),
            permissive=permissive,
            background_from=background,
            match=match,
            tested=tested,
            positional_error=positional_error,
            prior=prior,
            expected=None if expected is None else numbers_of(expected),
            rejects=rejects,
            workers=workers,
            progress=progress_of(quiet, told),
        )
    for model, path in zip(models.values(), outputs, strict=True):
        model.save(path)
        click.echo(model.report())
        click.echo(f"\nThe model is in {path}.\n")


@click.command(
    epilog="""\b
Example: prospect score gold.prospect rasters/*.tif -o gold.tif --workers 2
         prospect score gold.prospect country/ -o gold.tif --scheduler tcp://10.0.0.5:8786"""
)
@click.argument(
    "model_path",
    cls=Explained,
    says="What was trained, a .prospect file.",
    metavar="MODEL",
    type=Place("model"),
)
@click.argument(
    "sources",
    cls=Explained,
    says="A project folder, or GeoTIFFs in any order.",
    nargs=-1,
    required=True,
    type=Place("layers"),
)
@click.option(
    "-o", "--output", required=True, type=Place("raster", writes="always"), help="GeoTIFF to write."
)
@click.option(
    "--map",
    "mapping",
    cls=Rare,
    multiple=True,
    metavar="NAME=PATH",
    help="Say which file is the model's layer NAME. Repeatable.",
)
@click.option(
    "--area",
    type=Place("vector"),
    help="Polygons that bound the map, instead of the model's own.",
)
@takes_sheet
@click.option(
    "--permissive", cls=Rare, metavar="TEST", help="Ground to map, instead of the model's own test."
)
@click.option(
    "--exclude",
    cls=Rare,
    type=Place("vector"),
    help="Polygons left empty in the map, such as reserves.",
)
@click.option(
    "--engine",
    cls=Rare,
    type=click.Choice(["threads", "serial", "processes", "dask"]),
    default="threads",
    show_default=True,
    help="How tiles are computed: dask starts a cluster of --workers processes here.",
)
@takes_scheduler
@click.option(
    "--tile",
    cls=Rare,
    type=click.IntRange(min=1),
    metavar="CELLS",
    help="Side of a tile, rounded up to 256; by default what memory allows.",
)
@click.option(
    "--max-memory",
    cls=Rare,
    type=Memory(),
    metavar="SIZE",
    help="Of all processes together, e.g. 1.5GB, which is the default where twice as much is free; "
    "with --scheduler, of each thread of a worker.",
)
@click.option(
    "--bands",
    cls=Rare,
    metavar="NAMES",
    help="E.g. likelihood,spread, or all; by default likelihood (or probability), spread, "
    "dissimilarity, applicable and driver.",
)
@click.option("--resume", cls=Rare, is_flag=True, help="Go on where the same run was interrupted.")
@click.option(
    "--dry-run",
    cls=Rare,
    is_flag=True,
    help="Say what it takes: tiles, memory, disk, time; write nothing.",
)
@click.option(
    "--compress",
    cls=Rare,
    type=click.Choice(["zstd", "deflate"]),
    default="zstd",
    show_default=True,
    help="deflate for older programs.",
)
@click.option("--any-version", cls=Rare, is_flag=True, help="Take a model of another scikit-learn.")
@takes_vectors
@takes_drivers
@takes_workers
@takes_quiet
@takes_progress
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
    scheduler: str | None,
    tile: int | None,
    compress: str,
    max_memory: float | None,
    bands: str | None,
    resume: bool,
    dry_run: bool,
    any_version: bool,
    vectors: tuple[str, ...],
    drivers: tuple[str, ...],
    workers: int | None,
    quiet: bool,
    told: str,
) -> None:
    """Score layers with MODEL and write a map that opens in QGIS.

    SOURCES is a project folder, or GeoTIFFs in any order.
    """
    from dataclasses import replace

    from prospect.ground import make_ground
    from prospect.model import load_model
    from prospect.progress import duration
    from prospect.raster import require_writable_folder
    from prospect.scoring import prepare, select_layers
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
    run = prepare(
        model,
        stack,
        output,
        bands=None if bands is None else [name.strip() for name in bands.split(",")],
        engine=engine,
        workers=workers,
        scheduler=scheduler,
        tile=tile,
        max_memory=max_memory,
        mapping=names,
        exclude=exclude,
        compress=compress,
        resume=resume,
    )
    if dry_run:
        share, seconds = run.expect()
        click.echo(run.plan.describe())
        click.echo(
            f"About {share:.0%} of it counts. The tiles take about {duration(seconds)}; writing "
            "the map comes on top."
        )
        return
    if not quiet:
        click.echo(run.plan.describe(), err=True)
    run.to_files(progress_of(quiet, told))
    click.echo(f"{model.title}: {output}, with {output.stem}.qml and {output.stem}.manifest.json.")
    click.echo(model.quality())


def numbers_of(text: str) -> list[float]:
    """Numbers with commas between them."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise click.BadParameter(
            f"'{text}': a number was expected, or three for P90, P50 and P10, such as 4,12,30.",
            param_hint="--expected",
        ) from error


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
