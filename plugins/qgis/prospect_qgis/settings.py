"""What the plugin knows of this QGIS: its language, its profile, the program it is to run."""

from __future__ import annotations

import os
from pathlib import Path

from qgis.core import QgsApplication, QgsSettings

from .description import CommandError, ask, remembered, shipped
from .environment import clean_environment, find_command
from .making import own_command
from .texts import Texts

NAME = "PROSPECT_COMMAND"
"""Of the setting among those of Processing."""


def texts() -> Texts:
    """Texts in the language of QGIS."""
    return Texts(QgsApplication.instance().locale())


def root() -> Path:
    """The plugin's own folder in the profile."""
    return Path(QgsApplication.qgisSettingsDirPath()) / "prospect"


def environment() -> dict[str, str]:
    """What the program inherits."""
    return clean_environment(os.environ)


def command() -> Path | None:
    """The program, if there is one."""
    named = str(QgsSettings().value(f"Processing/Configuration/{NAME}", "") or "")
    return find_command(named, own_command(root()), os.environ)


def require_command(say: Texts) -> Path:
    """The program, or a sentence about how to get one."""
    found = command()
    if found is None:
        raise CommandError(say("no_command"))
    return found


def describe(say: Texts) -> dict:
    """What forms are made of: the program's own description, else the one that was packed."""
    found = command()
    if found is None:
        return shipped()
    try:
        kept = root() / "description.json"
        return remembered(found, kept, lambda: ask(found, environment(), say))
    except CommandError:
        return shipped()  # why is said when something is run
