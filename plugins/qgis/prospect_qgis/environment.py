"""Where the program is, and the environment that it runs in: not that of QGIS."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

WINDOWS = os.name == "nt"

# QGIS sets these for its own Python and libraries; another Python would take them for its own.
_FOREIGN = frozenset(
    "PYTHONHOME PYTHONPATH PYTHONEXECUTABLE PYTHONSTARTUP PYTHONNOUSERSITE PYTHONSAFEPATH "
    "__PYVENV_LAUNCHER__ VIRTUAL_ENV CONDA_PREFIX LD_LIBRARY_PATH LD_PRELOAD "
    "DYLD_LIBRARY_PATH DYLD_FRAMEWORK_PATH DYLD_FALLBACK_LIBRARY_PATH SSL_CERT_FILE "
    "QT_PLUGIN_PATH OSGEO4W_ROOT".split()
)
_FOREIGN_FAMILIES = ("GDAL_", "PROJ_", "OGR_", "CPL_", "VSI_", "QGIS_", "O4W_")


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """
    What a program of its own Python may inherit.

    Variables of Python, of shared libraries and of GDAL and PROJ are left out, and so are the
    folders of OSGeo4W on the path, which hold other builds of the same libraries.
    """
    kept = {
        name: value
        for name, value in environ.items()
        if name.upper() not in _FOREIGN and not name.upper().startswith(_FOREIGN_FAMILIES)
    }
    root = environ.get("OSGEO4W_ROOT")
    if root:
        folders = kept.get("PATH", "").split(os.pathsep)
        kept["PATH"] = os.pathsep.join(f for f in folders if not _within(f, root))
    # Lines are wanted as they come, in an encoding that does not depend on the system.
    return {**kept, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}


def _within(folder: str, root: str) -> bool:
    norm = os.path.normcase(os.path.normpath(folder))
    return (norm + os.sep).startswith(os.path.normcase(os.path.normpath(root)) + os.sep)


def script(folder: Path, name: str) -> Path:
    """A program of a virtual environment."""
    return folder / "Scripts" / f"{name}.exe" if WINDOWS else folder / "bin" / name


def find_command(named: str, own: Path | None, environ: Mapping[str, str]) -> Path | None:
    """
    The program: as named in the setting, as set up by the plugin, or on the path.

    One that is named is taken as it is, so that a wrong name is noticed.
    """
    if named.strip():
        return Path(named.strip()).expanduser()
    if own is not None and own.is_file():
        return own
    found = shutil.which("prospect", path=clean_environment(environ).get("PATH"))
    return Path(found) if found else None
