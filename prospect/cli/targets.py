"""Commands that use maps and models: targets, compare, update."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from prospect.cli.kinds import Explained, Place, Rare
from prospect.cli.options import (
    counted,
    pairs_of,
    progress_of,
    source_of,
    takes_progress,
    takes_quiet,
    takes_vectors,
    takes_workers,
)

FORMATS = ("gpkg", "geojson", "csv", "shp", "gpx")


@click.command(
    epilog="""\b
Example: prospect targets gold.tif gold.prospect
         prospect targets gold.tif gold.prospect --project lapland/ --area 2 --format gpx
         prospect targets gold.tif gold.prospect --licences blocks.gpkg --project lapland/"""
)
@click.argument(
    "scored", cls=Explained, says="What 'prospect score' wrote.", metavar="MAP", type=Place("map")
)
@click.argument(
    "model",
    cls=Explained,
    says="The model that made the map: for the distance to known deposits.",
    required=False,
    type=Place("model"),
)
@click.option(
    "-o",
    "--output",
    type=Place("vector", writes="always"),
    help="File to write; by default <map>-targets.gpkg beside the map.",
)
@click.option(
    "--area",
    type=click.FloatRange(0, 100, min_open=True),
    metavar="PERCENT",
    help="Part of the ground to take; by default 5.",
)
@click.option("--threshold", cls=Rare, type=float, metavar="SCORE", help="Score to reach, instead.")
@click.option(
    "--prediction-area",
    cls=Rare,
    is_flag=True,
    help="Take the ground where deposits found and area taken cross, instead.",
)
@click.option(
    "--minimum",
    cls=Rare,
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    metavar="KM2",
    help="Smallest target.",
)
@click.option(
    "--format",
    "formats",
    cls=Rare,
    multiple=True,
    type=click.Choice(FORMATS),
    help="Further files: GPX for the field, shapefile, GeoJSON, CSV. Repeatable.",
)
@click.option("--licences", type=Place("vector"), help="Polygons of blocks to rank as well.")
@click.option(
    "--project",
    cls=Rare,
    type=Place("project"),
    help="Layers: tells what would narrow the spread of each target, a layer or a traverse, and "
    "which block the model's members rank first.",
)
@click.option("--any-version", cls=Rare, is_flag=True, help="Take a model of another scikit-learn.")
@takes_workers
@takes_quiet
@takes_progress
def targets(
    scored: Path,
    model: Path | None,
    output: Path | None,
    area: float | None,
    threshold: float | None,
    prediction_area: bool,
    minimum: float,
    formats: tuple[str, ...],
    licences: Path | None,
    project: Path | None,
    any_version: bool,
    workers: int | None,
    quiet: bool,
    told: str,
) -> None:
    """Rank the zones of a map to look at first, and licence blocks beside them.

    MAP is what 'prospect score' wrote, MODEL the .prospect file that made it: for the
    distance to known deposits. Ground unlike any the model knows has a list of its own.
    """
    from prospect.model import load_model
    from prospect.stack import open_stack
    from prospect.targets import find_targets, narrow, rank_blocks, traverses_of
    from prospect.targets.writing import write_targets
    from prospect.vector import read_vector, write_vector

    if project is not None and model is None:
        raise click.UsageError(
            "--project tells what the model makes of its layers: give MODEL too."
        )
    progress = progress_of(quiet, told)
    loaded = None if model is None else load_model(model, any_version=any_version)
    stack = None if project is None else open_stack(project)
    with progress("Finding targets"):
        found = find_targets(
            scored,
            loaded,
            area=None if area is None else area / 100,
            threshold=threshold,
            at_prediction_area=prediction_area,
            minimum=minimum * 1e6,
        )
    output = output or scored.with_name(f"{scored.stem}-targets.gpkg")
    traverses = None
    if loaded is not None and stack is not None:
        with progress("Finding what would narrow the spread"):
            found = narrow(found, loaded, stack, workers=workers)
            traverses = traverses_of(found)
    written = write_targets(found, output, formats)
    click.echo(
        f"{counted(len(found), 'target')} on ground scoring at least "
        f"{found.attrs['threshold']:.3g}."
    )
    _tell(found)
    if traverses is not None:
        path = output.with_name(f"{scored.stem}-traverses{output.suffix}")
        write_vector(traverses, path)
        written.append(path)
        _tell_narrowing(found, traverses)
    if licences is not None:
        with progress("Ranking blocks"):
            blocks = rank_blocks(
                scored, read_vector(licences), model=loaded, stack=stack, workers=workers
            )
            if loaded is not None and stack is not None:
                blocks = narrow(blocks, loaded, stack, workers=workers)
        path = output.with_name(f"{scored.stem}-blocks{output.suffix}")
        write_vector(blocks, path)
        written.append(path)
        click.echo(f"\n{counted(len(blocks), 'block')} ranked:")
        _tell_blocks(blocks)
    click.echo(f"\nWritten: {', '.join(str(path) for path in written)}")


@click.command(
    epilog="""\b
Example: prospect compare before.tif after.tif
         prospect compare before.tif after.tif --models before.prospect after.prospect
         prospect compare before.tif after.tif -o change.tif"""
)
@click.argument("first", cls=Explained, says="The map before.", type=Place("map"))
@click.argument("second", cls=Explained, says="The map after.", type=Place("map"))
@click.option(
    "--models",
    nargs=2,
    type=Place("model"),
    help="The two that made the maps: what counts in each is compared, too.",
)
@click.option(
    "--area",
    cls=Rare,
    type=click.FloatRange(0, 100, min_open=True),
    default=5.0,
    show_default=True,
    metavar="PERCENT",
    help="Part of the ground that targets take.",
)
@click.option(
    "-o", "--output", type=Place("raster", writes="if named"), help="GeoTIFF of the change of rank."
)
@click.option("--any-version", cls=Rare, is_flag=True, help="Take models of another scikit-learn.")
@takes_quiet
@takes_progress
def compare(
    first: Path,
    second: Path,
    models: tuple[Path, Path] | None,
    area: float,
    output: Path | None,
    any_version: bool,
    quiet: bool,
    told: str,
) -> None:
    """Say what changed from one map to another: ranks, targets gained and lost, and why."""
    from prospect.comparison import compare as compare_maps
    from prospect.model import load_model

    loaded = None
    if models:
        loaded = (
            load_model(models[0], any_version=any_version),
            load_model(models[1], any_version=any_version),
        )
    with progress_of(quiet, told)("Comparing the maps"):
        found = compare_maps(first, second, models=loaded, area=area / 100)
    click.echo(found.page())
    if output is not None:
        found.save(output)
        click.echo(f"\nWritten: {output}")


@click.command(
    epilog="""\b
Example: prospect update gold.prospect lapland/ --occurrences found_2026.csv
         prospect update gold.prospect lapland/ --occurrences au.shp --tested barren.gpkg"""
)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("sources", metavar="LAYERS...", nargs=-1, required=True,
                type=click.Path(path_type=Path))  # fmt: skip
@click.option(
    "--occurrences",
    type=click.Path(path_type=Path),
    help="All deposits known now; by default those of the project.",
)
@click.option("--crs", help="Coordinate system of the occurrences, e.g. EPSG:32642.")
@click.option(
    "--tested",
    type=click.Path(path_type=Path),
    help="Ground drilled and found barren: points or polygons.",
)
@click.option("-c", "--commodity", help="The definition, if it is a .toml file of your own.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Model file; by default <model>-new."
)
@click.option("--any-version", is_flag=True, help="Take a model of another scikit-learn.")
@takes_vectors
@takes_workers
@takes_quiet
def update(
    model: Path,
    sources: tuple[Path, ...],
    occurrences: Path | None,
    crs: str | None,
    tested: Path | None,
    commodity: str | None,
    output: Path | None,
    any_version: bool,
    vectors: tuple[str, ...],
    workers: int | None,
    quiet: bool,
) -> None:
    """Learn again after a field season, as MODEL was learnt, and say what changed.

    Deposits found since are the best test of the old model: it did not know them.
    """
    from dataclasses import replace

    from prospect.model import load_model
    from prospect.project import OccurrenceSpec
    from prospect.raster import require_writable_folder
    from prospect.scoring import select_layers
    from prospect.stack import as_project, open_stack
    from prospect.updating import update as learn_again

    output = output or model.with_name(f"{model.stem}-new{model.suffix}")
    require_writable_folder(output)
    loaded = load_model(model, any_version=any_version)
    given = source_of(sources)
    project = as_project(given, vectors=pairs_of(vectors))
    project, _ = select_layers(loaded, project, guessed=isinstance(given, list), others=True)
    spec = project.occurrences if occurrences is None else OccurrenceSpec(occurrences)
    if spec is None:
        raise click.UsageError("Known deposits are needed: give --occurrences FILE.")
    found = learn_again(
        loaded,
        open_stack(project),
        spec if crs is None else replace(spec, crs=crs),
        tested=tested,
        commodity=commodity,
        workers=workers,
        progress=progress_of(quiet),
    )
    found.after.save(output)
    click.echo(found.page())
    click.echo(f"\nWritten: {output}. Score it, and 'prospect compare' the two maps.")


def _tell(found: Any) -> None:
    titles = {
        "targets": "New ground",
        "around known deposits": "Around known deposits, whose cells the model has learnt from",
        "outside experience": "Outside experience, on ground unlike any the model knows",
    }
    for name in dict.fromkeys(found["list"]):
        rows = found[found["list"] == name]
        click.echo(f"\n{titles[name]}: {len(rows)}")
        for _, row in rows.head(10).iterrows():
            parts = [
                f"{row['rank']:>4}  {row['area_km2']:7.1f} km²  {row['share']:6.1%} of all "
                f"likelihood  peak {row['peak']:.2f}"
            ]
            if "nearest_km" in row:
                parts.append(f"{row['nearest_km']:.1f} km from a known deposit")
            if row.get("drivers"):
                parts.append(str(row["drivers"]))
            if "expected" in row:
                parts.append(
                    f"{row['expected']:.1f} deposits expected ({row['expected_low']:.0f} to "
                    f"{row['expected_high']:.0f}, by {row['expected_by']})"
                )
            click.echo("  ".join(parts))
        if len(rows) > 10:
            click.echo(f"      and {len(rows) - 10} more")


def _tell_narrowing(found: Any, traverses: Any) -> None:
    """Which layer and which traverses would take off most, over all targets."""
    click.echo("\nWhat would narrow the spread most, by the model and at best:")
    missed = found[found["layer"] != ""]
    told = missed["layer_move"] ** 2 * missed["area_km2"]
    for name in told.groupby(missed["layer"]).sum().nlargest(3).index:
        rows = missed[missed["layer"] == name]
        row = rows.loc[told[rows.index].idxmax()]
        click.echo(
            f"  {name}, where it is missing: {counted(len(rows), 'target')}, most of all "
            f"{_mark(row)}, whose likelihood it would move by ±{row['layer_move']:.2f}"
        )
    if missed.empty:
        click.echo("  no layer: none is missing where it would move the likelihood by ±0.005")
    for _, row in traverses.head(3).iterrows():
        (x1, y1), (x2, y2) = row.geometry.coords
        click.echo(
            f"  a traverse of {row['km']:.1f} km across {_mark(row)}, from {x1:.0f}, {y1:.0f} to "
            f"{x2:.0f}, {y2:.0f}: spread from {row['line_from']:.3f} to {row['line_to']:.3f}"
        )


def _mark(row: Any) -> str:
    """What a target is called on the map: T1, K1, X1."""
    from prospect.styles import TARGET_MARKS

    return f"{TARGET_MARKS[str(row['list'])]}{row['rank']}"


def _tell_blocks(blocks: Any) -> None:
    label = next((c for c in blocks.columns if str(c).lower() in ("name", "название")), None)
    for _, row in blocks.head(10).iterrows():
        name = "" if label is None else f"{row[label]}  "
        text = (
            f"{row['rank']:>4}  {name}{row['area_km2']:.0f} km²  {row['share']:.1%} of all "
            f"likelihood  {row['gap_share']:.0%} without data"
        )
        if "first_share" in row:
            text += f"  first for {row['first_share']:.0%} of the model's members"
        if row.get("layer"):
            text += (
                f"  {row['layer']}, missing in {row['layer_gap']:.0%}, would move its likelihood "
                f"by ±{row['layer_move']:.2f}"
            )
        click.echo(text)
    if blocks.attrs.get("overlapping"):
        click.echo(
            f"Blocks overlap in {blocks.attrs['overlapping']} cells, which count for the later one."
        )
