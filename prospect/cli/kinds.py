"""What values of the command line are beyond their type, so that a form offers the right field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


class Place(click.Path):
    """
    A path, and what stands there.

    ``kind`` is ``file``, ``folder``, ``raster``, ``map`` (a raster that was scored), ``vector``,
    ``points`` (vectors or a table), ``table``, ``model``, ``page``, ``project``, ``layers`` (a
    project, or files in any order) or ``model and layers``. ``writes`` is empty for what is
    read; ``always`` for what is written in any case, ``if named`` for what is else left out.
    """

    def __init__(self, kind: str, *, writes: str = "", **attributes: Any) -> None:
        super().__init__(path_type=Path, **attributes)
        self.kind, self.writes = kind, writes


class Explained(click.Argument):
    """An argument that says what it is."""

    def __init__(self, *declared: Any, says: str = "", **attributes: Any) -> None:
        super().__init__(*declared, **attributes)
        self.says = says


class Rare(click.Option):
    """An option that few need: a form keeps it folded away."""


class Shell(click.Option):
    """An option of the shell: a form has means of its own."""
