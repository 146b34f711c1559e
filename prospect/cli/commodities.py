"""Commands that list commodities and show what speaks for them: list, show."""

from __future__ import annotations

import shutil
import textwrap
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prospect.cli.options import counted, source_of, takes_drivers

if TYPE_CHECKING:
    from prospect.commodities import Commodity
    from prospect.completeness import Evidence


@click.group(epilog="Example: prospect commodities show gold lapland/")
def commodities() -> None:
    """See which commodities there are, and what speaks for each."""


@commodities.command("list", epilog="Example: prospect commodities list")
def list_commodities() -> None:
    """List commodities and their deposit types, a line each."""
    from prospect.commodities import commodity_names, load_commodity

    for name in commodity_names():
        commodity = load_commodity(name)
        click.echo(f"{name:<16}{commodity.title}")
        for each in commodity.types:
            click.echo(f"  {each.name:<14}{each.title}; {each.model}")
    click.echo("\n'prospect commodities show NAME' shows one; your own is a .toml file like them.")


@commodities.command("show", epilog="Example: prospect commodities show gold lapland/")
@click.argument("commodity")
@click.argument("sources", metavar="[LAYERS]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--type", "deposit_type", metavar="NAME", help="One deposit type, e.g. au_orogenic.")
@click.option("--missing", is_flag=True, help="Show rows without layers only.")
@takes_drivers
def show_commodity(
    commodity: str,
    sources: tuple[Path, ...],
    deposit_type: str | None,
    missing: bool,
    drivers: tuple[str, ...],
) -> None:
    """Show what speaks for COMMODITY: its name, the name of a type, or a .toml file.

    With LAYERS (a project folder, or files) it says which rows have layers, and what is lost.
    """
    from prospect.commodities import load_commodity
    from prospect.completeness import evidence_of
    from prospect.stack import open_stack

    definition = load_commodity(commodity, deposit_type)
    stack = open_stack(source_of(sources), allow_drivers=drivers) if sources else None
    found = evidence_of(definition, stack)
    click.echo(_heading(definition))
    width = max(shutil.get_terminal_size((100, 24)).columns, 80)
    filled = partial(textwrap.fill, width=width, break_on_hyphens=False)
    system = ""
    for row in found.rows:
        if missing and row.present:
            continue
        if row.system != system:
            system = row.system
            click.echo(f"\n{system}")
        mark = "" if stack is None else ("  " if row.present else "- ")
        line = f"  {mark}{row.name:<30} {row.sign}  {row.means}"
        click.echo(filled(line, subsequent_indent=" " * 38))
        click.echo(filled(row.source, initial_indent=" " * 38, subsequent_indent=" " * 38))
    click.echo("\nSigns: + likelihood rises with it, - falls, 0 free, ∩ best between.")
    if stack is not None:
        _tell(found)


def _heading(commodity: Commodity) -> str:
    lines = [f"{commodity.title}", f"  {commodity.model}"]
    if commodity.associated:
        lines.append(f"  never barren ground: deposits of {', '.join(commodity.associated)}")
    if commodity.types and not commodity.type:
        names = ", ".join(each.name for each in commodity.types)
        lines.append(f"  types, of which -c NAME takes one alone: {names}")
    return "\n".join(lines)


def _tell(found: Evidence) -> None:
    """Which parts of the mineral system have evidence, and what would help."""
    click.echo("\nRows with layers, by part of the mineral system")
    for system, (present, rows) in found.shares().items():
        told = "  no evidence of it" if not present else ""
        click.echo(f"  {system:<14}{present} of {counted(rows, 'row')}{told}")
    for sentence in found.wanted():
        click.echo(f"  - {sentence}")
