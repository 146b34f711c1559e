"""The command that hands a map over: export."""

from __future__ import annotations

from pathlib import Path

import click

from prospect.cli.report import LANGUAGES


@click.command(
    epilog="""\b
Example: prospect export gold.tif
         prospect export gold.tif gold.prospect lapland/ --targets gold-targets.gpkg --lang ru
         prospect export gold.tif -o gold.classified.tif"""
)
@click.argument("scored", metavar="MAP", type=click.Path(path_type=Path))
@click.argument("model", required=False, type=click.Path(path_type=Path))
@click.argument("project", required=False, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    type=click.Path(path_type=Path),
    help="File to write, as its ending says: .tif classes; .pdf, .png or .svg a sheet. "
    "Repeatable; by default <map>.classified.tif and <map>.pdf beside the map.",
)
@click.option(
    "--targets", type=click.Path(path_type=Path), help="What 'prospect targets' wrote, a .gpkg."
)
@click.option(
    "--lang", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Language."
)
@click.option("--any-version", is_flag=True, help="Take a model of another scikit-learn.")
def export(
    scored: Path,
    model: Path | None,
    project: Path | None,
    outputs: tuple[Path, ...],
    targets: Path | None,
    lang: str,
    any_version: bool,
) -> None:
    """Hand a map over: as classes for ArcGIS and old viewers, and as a sheet of A3 paper.

    MAP is what 'prospect score' wrote. The sheet shows known deposits if MODEL is given,
    the .prospect file that made the map; relief and faults if PROJECT is, the folder of
    its layers.
    """
    from prospect.export import write_classes, write_sheet
    from prospect.map_file import open_map
    from prospect.model import load_model
    from prospect.vector import read_vector

    opened = open_map(scored)
    loaded = None if model is None else load_model(model, any_version=any_version)
    zones = None if targets is None else read_vector(targets)
    written = []
    for output in outputs or (scored.with_suffix(".classified.tif"), scored.with_suffix(".pdf")):
        if output.suffix.lower() in (".tif", ".tiff"):
            written += write_classes(output, opened, language=lang)[:1]
        else:
            written.append(
                write_sheet(output, opened, loaded, project, targets=zones, language=lang)
            )
    click.echo(f"Written: {', '.join(str(path) for path in written)}")
