"""What the program says it can do: asked once, then kept until the program changes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

SCHEMA = 1
"""Form of the description that this plugin understands."""

SECONDS = 120
"""A program just installed is read from a cold disk."""


class CommandError(Exception):
    """A sentence about why the program cannot be used."""


def ask(
    command: Path, environ: Mapping[str, str], say: Callable[..., str], folder: Path | None = None
) -> dict[str, Any]:
    """
    Ask the program to describe itself.

    Raises
    ------
    CommandError
        If it cannot be started, does not answer, or answers in another form.
    """
    hidden = {"creationflags": 0x08000000} if hasattr(subprocess, "STARTUPINFO") else {}
    try:
        done = subprocess.run(
            [str(command), "--describe"],
            env=dict(environ),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=SECONDS,
            check=False,
            **hidden,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise CommandError(say("cannot_start", command=command, why=why)) from error
    try:
        found = json.loads(done.stdout)
        schema = found["schema"]
    except (ValueError, TypeError, KeyError) as error:
        said = " ".join((done.stderr or done.stdout).split())[-300:]
        raise CommandError(say("too_old", command=command, said=said)) from error
    if schema != SCHEMA:
        version = found.get("prospect", "?")
        raise CommandError(say("other_schema", version=version, schema=schema, known=SCHEMA))
    return found


def shipped() -> dict[str, Any]:
    """The description that the plugin was packed with: forms for who has no program yet."""
    path = Path(__file__).with_name("description.json")
    return json.loads(path.read_text(encoding="utf-8"))


def remembered(command: Path, kept: Path, ask_it: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """
    The description of a program, read from ``kept`` while the program's file is the same.

    Raises
    ------
    CommandError
        As :func:`ask`.
    """
    try:
        about = command.stat()
    except OSError:
        return ask_it()
    mark = [str(command), about.st_mtime, about.st_size]
    try:
        before = json.loads(kept.read_text(encoding="utf-8"))
        if before["of"] == mark and before["description"]["schema"] == SCHEMA:
            return before["description"]
    except (OSError, ValueError, TypeError, KeyError):
        pass
    found = ask_it()
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps({"of": mark, "description": found}), encoding="utf-8")
    except OSError:
        pass  # it is asked again next time
    return found


def command_of(description: Mapping[str, Any], name: str) -> dict[str, Any]:
    """One command of a description."""
    return next(each for each in description["commands"] if each["name"] == name)
