"""Commands that document and plan features: list, show, plan."""

from __future__ import annotations

import inspect
from pathlib import Path

import click

from prospect.cli.options import counted, source_of, takes_drivers, tell_first_run


@click.group(epilog="Example: prospect features show focal_mean")
def features() -> None:
    """See what features there are, what they mean, and what they cost."""


@features.command("list", epilog="Example: prospect features list")
def list_operations() -> None:
    """List the operations of recipes, a line each."""
    from prospect.features import operations

    families: dict[str, list[tuple[str, str]]] = {}
    for name, operation in operations().items():
        family = operation.compute.__module__.rsplit(".", 1)[-1].replace("_", " ")
        summary = (inspect.getdoc(operation.compute) or "").partition("\n")[0]
        families.setdefault(family, []).append((name, summary))
    for family, lines in families.items():
        click.echo(f"{family}:")
        for name, summary in lines:
            click.echo(f"  {name:<28}{summary}")


@features.command("show", epilog="Example: prospect features show focal_mean")
@click.argument("name")
def show_operation(name: str) -> None:
    """Show what operation NAME is, what it takes, and where it comes from."""
    from prospect.features import get_operation

    operation = get_operation(name)
    parameters = [
        str(p).replace("'", "")
        for p in operation.signature.parameters.values()
        if p.name not in ("out", "cell", *operation.learned)
    ]
    click.echo(f"{name}: of a {operation.takes} layer; {', '.join(parameters) or 'no parameters'}")
    click.echo(f"\n{inspect.getdoc(operation.compute)}")


@features.command("plan", epilog="Example: prospect features plan lapland/ -c gold")
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-c", "--commodity", required=True, help="antimony, gold, coal, or a .toml file.")
@takes_drivers
def plan(sources: tuple[Path, ...], commodity: str, drivers: tuple[str, ...]) -> None:
    """Show what each feature of a recipe costs on the layers at hand.

    Times are measured on one thread on a tile of 512 cells a side. Features of one line
    share their work. Halos are rows × columns of cells beyond a tile.
    """
    from prospect.commodities import load_commodity
    from prospect.features import FeatureBuilder
    from prospect.features.costs import measure_costs
    from prospect.stack import open_stack

    recipe = load_commodity(commodity).recipe
    stack = open_stack(source_of(sources), allow_drivers=drivers)
    tell_first_run(quiet=False)
    builder = FeatureBuilder(recipe).fit(stack)
    costs = measure_costs(builder, stack)
    click.echo(f"{'ns/cell':>8}  {'halo':>9}  {'of':<24}  features")
    for cost in sorted(costs, key=lambda cost: -cost.seconds):
        halo = "{} × {}".format(*cost.halo)
        click.echo(
            f"{cost.seconds * 1e9:8.1f}  {halo:>9}  {', '.join(cost.inputs):<24}  "
            f"{', '.join(cost.features)}"
        )
    total = sum(cost.seconds for cost in costs)
    count = len(builder.feature_names)
    rows, cols = builder.halo
    click.echo(
        f"\n{counted(count, 'feature')} of {counted(len(builder.layers_), 'layer')} "
        f"in {counted(len(costs), 'call')}: "
        f"{total * 1e9:.0f} ns a cell, {count / total / 1e6:.0f} million cells × features a "
        f"second and thread; halo {rows} × {cols}."
    )
    if builder.missing_:
        names = ", ".join(spec.name for spec in builder.missing_)
        click.echo(f"Without layers, and left out: {names}.")
    for note in builder.notes_:
        click.echo(note)
