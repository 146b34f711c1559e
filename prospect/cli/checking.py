"""The command that checks a map against its manifest: verify."""

from __future__ import annotations

from pathlib import Path

import click

from prospect.cli.options import source_of


@click.command(epilog="Example: prospect verify gold.tif lapland/ --model gold.prospect")
@click.argument("output", type=click.Path(path_type=Path))
@click.argument("sources", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--model", type=click.Path(path_type=Path), help="The model that is said to have made it."
)
@click.pass_context
def verify(ctx: click.Context, output: Path, sources: tuple[Path, ...], model: Path | None) -> None:
    """Check the map OUTPUT against its manifest; the exit code is 1 if anything differs.

    SOURCES, a project folder or files, are compared with the layers that it was made of.
    """
    from prospect.verification import verify_map

    found = verify_map(output, sources=_paths(sources), model=model)
    for each in found:
        word = {True: "ok", False: "DIFFERS", None: "-"}[each.holds]
        click.echo(f"{word:8}{each.what}: {each.says}")
    wrong = sum(each.holds is False for each in found)
    right = sum(each.holds is True for each in found)
    if wrong:
        click.echo(f"{wrong} of {wrong + right} checked do not match the manifest.")
        ctx.exit(1)
    click.echo(f"{right} checked, all as the manifest says.")


def _paths(sources: tuple[Path, ...]) -> dict[str, Path] | None:
    """Files by the names of layers."""
    from prospect.project import load_project

    if not sources:
        return None
    given = source_of(sources)
    if isinstance(given, list):
        return {path.stem: path for path in given}
    project = load_project(given)
    layers = {spec.name: spec.path for spec in project.layers}
    return layers | {spec.name: spec.path for spec in project.vectors}
