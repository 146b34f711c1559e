"""The command line told to machines: every command, argument and option, from the parsers."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Iterator, Mapping, Sequence
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

Table = Mapping[str, Mapping[str, Any]]
"""Texts by command, or ``common``, and by name of parameter."""


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
def texts(language: str) -> Table:
    """Labels in English where options' own words would not do; labels and helps in Russian."""
    text = Path(__file__).with_name(f"{language}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _text(language: str, command: str, name: str) -> Any:
    table = texts(language)
    return table.get(command, {}).get(name) or table["common"].get(name)


def _commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def _command(name: str, command: click.Command) -> dict[str, Any]:
    says = inspect.cleandoc(command.help or "")
    russian = texts("ru").get(name, {}).get("command")
    example = inspect.cleandoc((command.epilog or "").replace("\b", ""))
    return {
        "name": name,
        **_texts((texts("en").get(name, {}).get("command") or name.capitalize(), says), russian),
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
            (_text("en", command, name) or _label(parameter), _help(parameter)),
            _text("ru", command, name),
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


def _texts(english: Sequence[str], russian: Sequence[str] | None) -> dict[str, Any]:
    told = {"en": english} | ({} if russian is None else {"ru": russian})
    return {
        "label": {language: label for language, (label, _) in told.items()},
        "help": {language: says for language, (_, says) in told.items()},
    }
