"""The command that puts a model to the test: validate."""

from __future__ import annotations

from pathlib import Path

import click

from prospect.cli.kinds import Explained, Place, Rare
from prospect.cli.model import layer_of, tell_alignment
from prospect.cli.options import (
    cluster_of,
    pairs_of,
    progress_of,
    source_of,
    takes_drivers,
    takes_progress,
    takes_quiet,
    takes_scheduler,
    takes_vectors,
    takes_workers,
    tell_first_run,
)

FOLDS = ("block", "knndm", "random", "leave-one-out", "pair", "region")


@click.command(
    epilog="""\b
Example: prospect validate gold.prospect lapland/
         prospect validate lapland/ -c gold --occurrences au.shp
         prospect validate gold.prospect lapland/ --without all --draws 20
         prospect validate gold.prospect lapland/ --folds block --min-auc 0.8"""
)
@click.argument(
    "sources",
    cls=Explained,
    says="The layers the model was trained on: a project folder, or GeoTIFFs.",
    metavar="[MODEL] LAYERS...",
    nargs=-1,
    required=True,
    type=Place("model and layers"),
)
@click.option("-c", "--commodity", cls=Rare, help="Train one to test, when no MODEL is given.")
@click.option("--occurrences", cls=Rare, type=Place("points"), help="Known deposits to train on.")
@click.option("--crs", cls=Rare, help="Coordinate system of the occurrences, e.g. EPSG:32642.")
@click.option(
    "--folds",
    multiple=True,
    type=click.Choice(FOLDS),
    help="Ground to hold out; the first speaks for the model. Repeatable; "
    "by default block, knndm and random.",
)
@click.option("--splits", cls=Rare, type=click.IntRange(min=2), default=5, show_default=True,
              help="Number of folds.")  # fmt: skip
@click.option(
    "--block-size",
    cls=Rare,
    type=click.FloatRange(min=0, min_open=True),
    metavar="METRES",
    help="Side of the blocks; by default as in training.",
)
@click.option("--regions", cls=Rare, type=Place("vector"), help="Polygons for --folds region.")
@click.option(
    "--draws",
    cls=Rare,
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Draws of the first folds, told as median and range.",
)
@click.option("--permissive", cls=Rare, metavar="TEST", help="Measure within such ground, too.")
@click.option(
    "--without",
    cls=Rare,
    multiple=True,
    metavar="LAYER",
    help="Say what changes without a layer; 'all' for each in turn. Repeatable.",
)
@click.option(
    "--truth",
    cls=Rare,
    type=Place("raster"),
    help="GeoTIFF of expected deposits per cell, where the truth is known.",
)
@click.option(
    "--min-auc",
    cls=Rare,
    type=click.FloatRange(0, 1),
    metavar="BAR",
    help="Fail (exit code 1) when the AUC in the first folds is below this.",
)
@click.option("-o", "--output", type=Place("folder", writes="always"), help="Folder to write.")
@click.option(
    "--seed", cls=Rare, type=int, default=0, show_default=True, help="Of everything drawn."
)
@click.option("--any-version", cls=Rare, is_flag=True, help="Take a model of another scikit-learn.")
@takes_vectors
@takes_drivers
@takes_workers
@takes_scheduler
@takes_quiet
@takes_progress
def validate(
    sources: tuple[Path, ...],
    commodity: str | None,
    occurrences: Path | None,
    crs: str | None,
    folds: tuple[str, ...],
    splits: int,
    block_size: float | None,
    regions: Path | None,
    draws: int,
    permissive: str | None,
    without: tuple[str, ...],
    truth: Path | None,
    min_auc: float | None,
    output: Path | None,
    seed: int,
    any_version: bool,
    vectors: tuple[str, ...],
    drivers: tuple[str, ...],
    workers: int | None,
    scheduler: str | None,
    quiet: bool,
    told: str,
) -> None:
    """Put a model to the test on ground it has not seen, beside baselines that are simple.

    MODEL is a .prospect file, LAYERS what it was trained on: a project folder, or GeoTIFFs.
    Prints a page, and writes it with validation.json and figures into a folder.
    """
    from dataclasses import replace

    from prospect.detectability import with_cover
    from prospect.errors import ModelError
    from prospect.model import load_model
    from prospect.project import OccurrenceSpec
    from prospect.raster import require_writable_folder
    from prospect.scoring import select_layers
    from prospect.stack import as_project, open_stack
    from prospect.training import train
    from prospect.validation import validate as put_to_the_test
    from prospect.validation.layers import polygons_of, values_on_grid

    model = None
    if sources[0].suffix == ".prospect":
        model = load_model(sources[0], any_version=any_version)
        if len(sources) == 1:
            raise click.UsageError("The layers the model was trained on are needed, too.")
        name, sources = sources[0].stem, sources[1:]
    elif commodity is None:
        raise click.UsageError("Give a MODEL, or a commodity to train one for with -c.")
    else:
        name = Path(commodity).stem
    output = output or Path(f"{name}-validation")
    require_writable_folder(output / "validation.json" if output.is_dir() else output)
    given = source_of(sources)
    project = as_project(given, vectors=pairs_of(vectors), allow_drivers=drivers)
    if model is not None:
        whole = project
        project, _ = select_layers(model, project, {}, guessed=isinstance(given, list))
        # No evidence, but measures are told on outcrop and under cover apart.
        project = with_cover(project, whole)
    stack = open_stack(project, allow_drivers=drivers)
    tell_alignment(stack)
    tell_first_run(quiet)
    progress = progress_of(quiet, told)
    with cluster_of(scheduler):
        if model is None:
            spec = project.occurrences if occurrences is None else OccurrenceSpec(occurrences)
            if spec is None:
                raise click.UsageError("Known deposits are needed: give --occurrences FILE.")
            assert commodity is not None
            model = train(
                stack,
                spec if crs is None else replace(spec, crs=crs),
                commodity,
                block_size=block_size,
                n_splits=splits,
                random_state=seed,
                workers=workers,
                progress=progress,
            )
        outcome = put_to_the_test(
            model,
            stack,
            folds=folds or ("block", "knndm", "random"),
            n_splits=splits,
            block_size=block_size,
            regions=None if regions is None else polygons_of(regions, stack),
            draws=draws,
            permissive=permissive,
            without=[each if each == "all" else layer_of(Path(each), project) for each in without],
            truth=None if truth is None else values_on_grid(truth, stack),
            random_state=seed,
            workers=workers,
            progress=progress,
        )
    outcome.save(output)
    click.echo(outcome.page())
    click.echo(f"\nThe page, validation.json and the figures are in {output}.")
    reached = outcome.value("auc")
    if min_auc is not None and not reached >= min_auc:
        raise ModelError(
            f"The AUC in {outcome.folds} folds is {reached:.3f}, below the bar of {min_auc:g}."
        )
