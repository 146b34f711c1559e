"""The command that says what a model goes by: explain."""

from __future__ import annotations

from pathlib import Path

import click

from prospect.cli.model import tell_alignment
from prospect.cli.options import (
    pairs_of,
    progress_of,
    source_of,
    takes_drivers,
    takes_quiet,
    takes_vectors,
    takes_workers,
    tell_first_run,
)


@click.command(
    epilog="""\b
Example: prospect explain gold.prospect lapland/
         prospect explain gold.prospect
         prospect explain gold.prospect lapland/ --at 472300,7512400
         prospect explain gold.prospect lapland/ --folds random -o why/"""
)
@click.argument("model_path", metavar="MODEL", type=click.Path(path_type=Path))
@click.argument("sources", metavar="[LAYERS]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--folds",
    type=click.Choice(["block", "knndm", "random", "region"]),
    default="block",
    show_default=True,
    help="Ground that is held out.",
)
@click.option("--splits", type=click.IntRange(min=2), default=5, show_default=True,
              help="Number of folds.")  # fmt: skip
@click.option(
    "--at",
    "places",
    multiple=True,
    metavar="X,Y",
    help="Explain this place too, in the layers' coordinates. Repeatable.",
)
@click.option("--shap", is_flag=True, help="Shapley values of these places, by the library shap.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder to write.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of everything drawn.")
@click.option("--any-version", is_flag=True, help="Take a model of another scikit-learn.")
@takes_vectors
@takes_drivers
@takes_workers
@takes_quiet
def explain(
    model_path: Path,
    sources: tuple[Path, ...],
    folds: str,
    splits: int,
    places: tuple[str, ...],
    shap: bool,
    output: Path | None,
    seed: int,
    any_version: bool,
    vectors: tuple[str, ...],
    drivers: tuple[str, ...],
    workers: int | None,
    quiet: bool,
) -> None:
    """Say what MODEL goes by: evidence, features, and single places.

    LAYERS are what it was trained on: a project folder, or GeoTIFFs. Prints a page, and writes
    it with tables and figures into a folder. Without LAYERS, only what the learner itself says.
    """
    from prospect.explanation import explain as explain_model
    from prospect.explanation import own_importance
    from prospect.model import load_model
    from prospect.raster import require_writable_folder
    from prospect.scoring import select_layers
    from prospect.stack import as_project, open_stack

    at = [_place(text) for text in places]
    if shap and not at:
        raise click.UsageError("Shapley values are of single places: give --at X,Y.")
    model = load_model(model_path, any_version=any_version)
    if not sources:
        if at:
            raise click.UsageError("To explain a place, give the layers as well.")
        click.echo("What the learner itself counts, by evidence; no ground was held out:")
        for name, share in own_importance(model).items():
            click.echo(f"  {name:<32}{share:>5.0%}")
        click.echo("Give the layers, too, to see what the model would miss on held-out ground.")
        return
    output = output or Path(f"{model_path.stem}-explanation")
    require_writable_folder(output / "explanation.txt" if output.is_dir() else output)
    given = source_of(sources)
    project = as_project(given, vectors=pairs_of(vectors), allow_drivers=drivers)
    project, _ = select_layers(model, project, {}, guessed=isinstance(given, list))
    stack = open_stack(project, allow_drivers=drivers)
    tell_alignment(stack)
    tell_first_run(quiet)
    found = explain_model(
        model,
        stack,
        folds=folds,
        n_splits=splits,
        at=at,
        shap=shap,
        random_state=seed,
        workers=workers,
        progress=progress_of(quiet),
    )
    found.save(output)
    click.echo(found.page())
    click.echo(f"\nThe page, tables and figures are in {output}.")


def _place(text: str) -> tuple[float, float]:
    """``X,Y`` as numbers."""
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise click.UsageError(f"A place is given as X,Y, not '{text}'.") from None
    return x, y
