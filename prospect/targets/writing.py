"""Targets as files: for a GIS, a table, a receiver in the field."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prospect.errors import OutputError
from prospect.raster import atomic_path
from prospect.styles import TARGET_MARKS, target_style
from prospect.vector import write_vector, write_waypoints


def write_targets(targets: Any, output: Path | str, formats: Sequence[str] = ()) -> list[Path]:
    """
    Write targets, with a QGIS style beside files that it fits.

    Parameters
    ----------
    targets : GeoDataFrame
        From :func:`prospect.targets.find_targets`.
    output : path
        ``.gpkg``, ``.geojson``, ``.shp`` or ``.csv``.
    formats : sequence of str
        Endings of further files of the same name; ``gpx`` has the peaks as waypoints.

    Returns
    -------
    list of Path

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    output = Path(output)
    endings = dict.fromkeys((output.suffix.lower(), *(f".{each}" for each in formats)))
    written = []
    for ending in endings:
        path = output.with_suffix(ending)
        if ending == ".gpx":
            _waypoints(targets, path)
        else:
            write_vector(targets, path)
        written.append(path)
    if {".gpkg", ".geojson", ".shp"} & set(endings):
        with atomic_path(output.with_suffix(".qml")) as path:
            path.write_text(target_style(), encoding="utf-8", newline="\n")
    return written


def _waypoints(targets: Any, path: Path) -> None:
    if "lon" not in targets:
        raise OutputError(
            "Waypoints need longitude and latitude, which a local grid has not: leave out gpx."
        )
    names, notes = [], []
    for _, row in targets.iterrows():
        names.append(f"{TARGET_MARKS[str(row['list'])]}{row['rank']}")
        notes.append(
            f"{row['area_km2']:.1f} km2, peak {row['peak']:.2f}"
            + (f"; {row['drivers']}" if row.get("drivers") else "")
        )
    write_waypoints(path, targets["lon"], targets["lat"], names, notes)
