"""Pages of the documents that follow from the code: commands and operations."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from prospect.cli import main
from prospect.features import operations as all_operations


def write_if_changed(path: Path, text: str) -> None:
    """Write a page, but not where nothing changed: Sphinx would read it again."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8", newline="\n")


def commands() -> str:
    """What every command says of itself, in MyST."""
    parts = ["# Commands\n\nWhat `--help` says of each.\n"]
    for path, command in _commands(main, ("prospect",)):
        name = " ".join(path)
        context = click.Context(command, info_name=name, max_content_width=90)
        parts.append(f"## {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


def _commands(
    group: click.Group, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name), command


def operations() -> str:
    """The operations of recipes by family, in reStructuredText."""
    families: dict[str, list[str]] = {}
    for name, operation in all_operations().items():
        families.setdefault(operation.compute.__module__.rsplit(".", 1)[-1], []).append(name)
    parts = ["Operations", "==========", "", "What rows of a recipe may name, by family.", ""]
    for family, names in families.items():
        title = family.replace("_", " ").capitalize()
        parts += [title, "-" * len(title), ""]
        for name in names:
            parts += [f".. autofunction:: prospect.features.{name}({_parameters(name)})", ""]
    return "\n".join(parts)


def _parameters(name: str) -> str:
    """The layers and parameters of an operation, without what the program fills in."""
    operation = all_operations()[name]
    signature = inspect.signature(operation.compute)
    given = [
        parameter.replace(annotation=parameter.empty)
        for key, parameter in signature.parameters.items()
        if key not in ("out", "cell", *operation.learned)
    ]
    bare = signature.replace(parameters=given, return_annotation=inspect.Signature.empty)
    return str(bare)[1:-1]
