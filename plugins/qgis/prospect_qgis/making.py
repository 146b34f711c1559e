"""Makes an environment for the program and installs it there: steps that any Python can take."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from .description import CommandError, ask
from .environment import WINDOWS, script

PYTHONS = ("python3.13", "python3.12", "python3.11", "python3", "python")
PROBE = "import sys, venv, ensurepip; raise SystemExit(sys.version_info < (3, 11))"

Run = Callable[[list], str]
"""Runs words, and returns a sentence if they fail."""


def find_python(named: str, environ: Mapping[str, str], say: Callable[..., str]) -> Path:
    """
    A Python that can make environments: the one that is named, or one on the path.

    Raises
    ------
    CommandError
        If there is none.
    """
    if named:
        if not fits([named], environ):
            raise CommandError(say("unfit_python", python=named))
        return Path(named)
    tried = []
    for name in PYTHONS:
        found = shutil.which(name, path=environ.get("PATH"))
        if found and found not in tried:
            tried.append(found)
            if fits([found], environ):
                return Path(found)
    launcher = shutil.which("py", path=environ.get("PATH")) if WINDOWS else None
    for version in ("-3.13", "-3.12", "-3.11") if launcher else ():
        tried.append(f"py {version}")
        if fits([launcher, version], environ):
            code = "import sys; print(sys.executable)"
            return Path(subprocess.check_output([launcher, version, "-c", code], text=True).strip())
    raise CommandError(say("no_python", tried=", ".join(tried) or "PATH"))


def fits(words: list[str], environ: Mapping[str, str]) -> bool:
    """Whether a Python is new enough, and has what environments are made with."""
    try:
        done = subprocess.run(
            [*words, "-c", PROBE], env=dict(environ), capture_output=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def what_to_install(wheels: str, copy: str, say: Callable[..., str]) -> list[str]:
    """
    The words for pip; the name alone is never asked for on an index, where another has it.

    Raises
    ------
    CommandError
        If there is nothing to install from.
    """
    if not wheels and not copy:
        raise CommandError(say("wheels_or_copy"))
    offline = ["--no-index", "--find-links", wheels] if wheels else []
    if copy:
        return [*offline, copy]
    found = [p.name for p in Path(wheels).glob("*.whl") if re.match(r"prospect-\d", p.name)]
    if not found:
        raise CommandError(say("no_wheel", folder=wheels))
    return [*offline, "prospect"]


def make(
    root: Path,
    python: Path,
    install: list[str],
    environ: Mapping[str, str],
    say: Callable[..., str],
    step: Callable[[str, list[str]], str],
) -> tuple[Path, dict]:
    """
    A new environment below ``root``, in place of those before it once it works.

    Parameters
    ----------
    step : callable
        Takes a title and words, runs them, and returns what went wrong, or nothing.

    Returns
    -------
    command : Path
    description : dict

    Raises
    ------
    CommandError
        If a step fails; nothing of it is left then, and what was there before still works.
    """
    before = environments(root)
    folder = root / f"venv-{1 + max((_number(each) for each in before), default=0)}"
    pip = [str(script(folder, "python")), "-m", "pip", "install", "--disable-pip-version-check"]
    try:
        for title, words in (
            (say("making", python=python), [str(python), "-m", "venv", str(folder)]),
            (say("installing"), [*pip, *install]),
        ):
            wrong = step(title, words)
            if wrong:
                raise CommandError(say("step_failed", step=title, said=wrong))
        command = script(folder, "prospect")
        found = ask(command, environ, say)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    for each in before:
        shutil.rmtree(each, ignore_errors=True)  # one in use on Windows stays until next time
    return command, found


def environments(root: Path) -> list[Path]:
    """The environments made so far, oldest first."""
    return sorted((p for p in root.glob("venv-*") if p.name[5:].isdigit()), key=_number)


def own_command(root: Path) -> Path | None:
    """The program of the newest environment."""
    found = [script(each, "prospect") for each in environments(root)]
    return next((each for each in reversed(found) if os.access(each, os.X_OK)), None)


def _number(folder: Path) -> int:
    return int(folder.name[5:])
