"""The command that writes a page about a map: report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from prospect.cli.kinds import Explained, Place, Rare
from prospect.cli.options import progress_of, takes_progress, takes_quiet

LANGUAGES = ("en", "ru")


@click.command(
    epilog="""\b
Example: prospect report gold.tif gold.prospect lapland/ -o gold.html
         prospect report gold.tif gold.prospect lapland/ --targets gold-targets.gpkg
         prospect report gold.tif gold.prospect lapland/ --validation gold-validation --lang ru"""
)
@click.argument(
    "scored", cls=Explained, says="What 'prospect score' wrote.", metavar="MAP", type=Place("map")
)
@click.argument(
    "model", cls=Explained, says="The .prospect file that made the map.", type=Place("model")
)
@click.argument(
    "project",
    cls=Explained,
    says="The folder of its layers: for relief, faults and gaps.",
    required=False,
    type=Place("project"),
)
@click.option(
    "-o",
    "--output",
    type=Place("page", writes="always"),
    help="HTML file; by default beside the map.",
)
@click.option("--targets", type=Place("vector"), help="What 'prospect targets' wrote, a .gpkg.")
@click.option(
    "--validation",
    type=Place("folder"),
    help="Folder that 'prospect validate' wrote: baselines, verdict and alarms.",
)
@click.option(
    "--lang", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Language."
)
@click.option("--any-version", cls=Rare, is_flag=True, help="Take a model of another scikit-learn.")
@takes_quiet
@takes_progress
def report(
    scored: Path,
    model: Path,
    project: Path | None,
    output: Path | None,
    targets: Path | None,
    validation: Path | None,
    lang: str,
    any_version: bool,
    quiet: bool,
    told: str,
) -> None:
    """Write one page about a map, to hand over: it needs no network, and can be printed.

    MAP is what 'prospect score' wrote, MODEL the .prospect file that made it, PROJECT the
    folder of its layers: for relief, faults and gaps.
    """
    from prospect.model import load_model
    from prospect.report import write_report
    from prospect.vector import read_vector

    output = output or scored.with_suffix(".html")
    with progress_of(quiet, told)("Writing the page"):
        write_report(
            output,
            scored,
            load_model(model, any_version=any_version),
            project,
            targets=None if targets is None else read_vector(targets),
            validation=None if validation is None else _found(validation),
            language=lang,
        )
    size = output.stat().st_size / 1e6
    click.echo(f"{output} ({size:.1f} MB): open it in any browser; nothing else is needed.")


def _found(folder: Path) -> dict[str, Any]:
    """What a validation wrote."""
    from prospect.errors import OutputError

    path = folder / "validation.json" if folder.is_dir() else folder
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OutputError(
            f"{path} is not what 'prospect validate' writes ({error}): give its folder."
        ) from error
    if not isinstance(found, dict):
        raise OutputError(f"{path} is not what 'prospect validate' writes: give its folder.")
    return found
