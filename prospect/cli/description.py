"""The command line told to machines: every command, argument and option, from the parsers."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import click

from prospect._version import __version__
from prospect.cli.kinds import Explained, Rare, Shell

SCHEMA = 1
"""Form of the description; another number where a reader of this one would be misled."""

UNITS = {"METRES": "m", "KM2": "km²", "PERCENT": "%", "CELLS": "cells"}
"""What a metavar tells of the unit."""

Texts = Mapping[str, Mapping[str, tuple[str, str]]]


def description(main: click.Group) -> dict[str, Any]:
    """
    All commands as plain data for JSON.

    Returns
    -------
    dict
        ``schema``, ``prospect`` (the version) and ``commands``, each with ``name``, ``label``,
        ``help``, ``example`` and ``parameters`` in the order of the command line. Texts are
        told by language, ``en`` and, where it was translated, ``ru``.
    """
    return {
        "schema": SCHEMA,
        "prospect": __version__,
        "commands": [_command(name, command) for name, command in _commands(main)],
    }


@cache
def russian() -> Texts:
    """Label and help in Russian by command and name; ``common`` for what all share."""
    text = Path(__file__).with_name("ru.toml").read_text(encoding="utf-8")
    return {
        part: {name: (label, says) for name, (label, says) in table.items()}
        for part, table in tomllib.loads(text).items()
    }


def translated(command: str, name: str) -> tuple[str, str] | None:
    """Label and help in Russian of a parameter; of the command itself with its own name."""
    texts = russian()
    return texts.get(command, {}).get(name) or texts["common"].get(name)


def _commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def _command(name: str, command: click.Command) -> dict[str, Any]:
    says = inspect.cleandoc(command.help or "")
    russian_texts = russian().get(name, {}).get("command")
    example = inspect.cleandoc((command.epilog or "").replace("\b", ""))
    return {
        "name": name,
        **_texts((name.capitalize(), says), russian_texts),
        "example": example.removeprefix("Example: "),
        "parameters": [_parameter(name, p, command) for p in command.params],
    }


def _parameter(command: str, parameter: click.Parameter, of: click.Command) -> dict[str, Any]:
    name = str(parameter.name)
    option = isinstance(parameter, click.Option)
    default = parameter.get_default(click.Context(of), call=False)
    if parameter.multiple or parameter.nargs != 1:
        default = None
    kind = parameter.type
    return {
        "name": name,
        "flags": list(parameter.opts) if option else [],
        **_texts(
            (_label(parameter), _help(parameter)),
            translated(command, name),
        ),
        **_type(parameter),
        "kind": getattr(kind, "kind", "file") if isinstance(kind, click.Path) else "",
        "writes": getattr(kind, "writes", ""),
        "default": default if isinstance(default, (str, int, float, bool)) else None,
        "required": parameter.required,
        "multiple": parameter.multiple or parameter.nargs == -1,
        "values": parameter.nargs,
        "metavar": parameter.metavar,
        "unit": UNITS.get(parameter.metavar or "", ""),
        "rare": isinstance(parameter, Rare),
        "shell": isinstance(parameter, Shell),
    }


def _type(parameter: click.Parameter) -> dict[str, Any]:
    """Type, choices and range."""
    kind = parameter.type
    if getattr(parameter, "is_flag", False):
        return {"type": "flag"}
    if isinstance(kind, click.Choice):
        return {"type": "choice", "choices": [str(choice) for choice in kind.choices]}
    if isinstance(kind, click.Path):
        return {"type": "path"}
    if isinstance(kind, (click.IntRange, click.FloatRange)):
        limits = {"minimum": kind.min, "maximum": kind.max, "above_minimum": kind.min_open}
        return {"type": "integer" if isinstance(kind, click.IntRange) else "number", **limits}
    if kind is click.INT or kind is click.FLOAT:
        return {"type": "integer" if kind is click.INT else "number"}
    return {"type": "text"}


def _label(parameter: click.Parameter) -> str:
    """Few words: the longest flag's own, or those of an argument."""
    if isinstance(parameter, click.Option):
        text = max(parameter.opts, key=len).lstrip("-")
    else:
        text = parameter.metavar or str(parameter.name)
        text = text.replace("[MODEL] LAYERS...", "layers").replace("...", "").lower()
    return text.replace("-", " ").replace("_", " ").capitalize()


def _help(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Option):
        return parameter.help or ""
    return parameter.says if isinstance(parameter, Explained) else ""


def _texts(english: tuple[str, str], russian: tuple[str, str] | None) -> dict[str, Any]:
    told = {"en": english} | ({} if russian is None else {"ru": russian})
    return {
        "label": {language: label for language, (label, _) in told.items()},
        "help": {language: says for language, (_, says) in told.items()},
    }
