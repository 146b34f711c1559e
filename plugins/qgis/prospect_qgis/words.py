"""Values of a form become the words of a command line, by the command's own description."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def words_of(command: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
    """
    The command's name, options and arguments.

    Parameters
    ----------
    command : mapping
        One of the description's commands.
    values : mapping
        By name of parameter: a text, a number, true or false, a list where several are
        taken; None or an empty list where nothing was said. Defaults need no word.

    Raises
    ------
    KeyError
        If a value is for no parameter of the command.
    """
    known = {parameter["name"]: parameter for parameter in command["parameters"]}
    given = {known[name]["name"]: value for name, value in values.items()}
    options: list[str] = []
    arguments: list[str] = []
    for name, parameter in known.items():
        value = given.get(name)
        if value is None or value is False or value in ("", [], parameter["default"]):
            continue
        if not parameter["flags"]:
            arguments += _texts(value)
            continue
        flag = max(parameter["flags"], key=len)
        if value is True:
            options.append(flag)
        elif parameter["values"] > 1:
            options += [flag, *_texts(value)]
        else:
            # One word each, so that a value may begin with a dash.
            options += [f"{flag}={text}" for text in _texts(value)]
    return [*command["name"].split(), *options, *arguments]


def _texts(value: Any) -> list[str]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_text(each) for each in value]
    return [_text(value)]


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) and value.is_integer() else str(value)


def event_of(line: str) -> dict[str, Any] | None:
    """A line of progress, or None for words meant for people."""
    if not line.startswith("{"):
        return None
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


def percent(event: Mapping[str, Any]) -> float:
    """How much of what is going on is done."""
    if event["event"] == "end":
        return 100.0
    return 100.0 * min(1.0, event["done"] / event["total"]) if event.get("total") else 0.0


def sentence_of(lines: Sequence[str]) -> str:
    """The error that a command ends with: from the last ``Error:`` to the end."""
    for k in range(len(lines) - 1, -1, -1):
        if lines[k].startswith("Error: "):
            return " ".join([lines[k][len("Error: ") :], *map(str.strip, lines[k + 1 :])]).strip()
    return ""
