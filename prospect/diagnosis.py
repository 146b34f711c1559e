"""What a report of a problem should say about the computer."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from prospect._version import __version__


def diagnosis() -> dict[str, str]:
    """
    Versions, processors, memory and disk.

    Returns
    -------
    dict of str to str
        Names and texts, in order.
    """
    import pyproj

    from prospect.raster import GDAL_VERSION
    from prospect.record import versions

    facts = {
        "prospect": __version__,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processors": str(os.cpu_count()),
        "memory": _memory(),
        "disk here": f"{shutil.disk_usage(Path.cwd()).free / 1e9:.0f} GB free",
        "GDAL": GDAL_VERSION,
        "PROJ data": _proj_data(pyproj.datadir.get_data_dir()),
    }
    return facts | versions()


def _memory() -> str:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return "unknown"
    return f"{total / 1e9:.0f} GB"


def _proj_data(folder: str) -> str:
    return folder if (Path(folder) / "proj.db").exists() else f"missing in {folder}: install again"
