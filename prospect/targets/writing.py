"""Targets as files: for a GIS, a table, a receiver in the field."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyproj import Transformer

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
        Endings of further files of the same name; ``gpx`` has the peaks as waypoints, and
        the ends of traverses where :func:`prospect.targets.narrow` told them.

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
    names, notes, places = [], [], []
    to_degrees = Transformer.from_crs(targets.crs, "EPSG:4326", always_xy=True)
    for _, row in targets.iterrows():
        name = f"{TARGET_MARKS[str(row['list'])]}{row['rank']}"
        names.append(name)
        notes.append(
            f"{row['area_km2']:.1f} km2, peak {row['peak']:.2f}"
            + (f"; {row['drivers']}" if row.get("drivers") else "")
        )
        places.append((row["lon"], row["lat"]))
        if "line_to" in targets and math.isfinite(row["line_to"]):
            for end, which in (("1", "start"), ("2", "end")):
                names.append(f"{name}-{end}")
                notes.append(f"{which} of the traverse")
                places.append(to_degrees.transform(row[f"line_x{end}"], row[f"line_y{end}"]))
    lon, lat = zip(*places, strict=True) if places else ((), ())
    write_waypoints(path, lon, lat, names, notes)
