"""The doctor for coordinates: zones, swapped axes, points outside their system's area."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.transformer import TransformerGroup

from prospect.errors import GridError
from prospect.grid import crs_name, parse_crs

BY_PREFIX = "gauss-kruger"
"""Named as a coordinate system: every row by the zone that its easting starts with."""

_ZONES = range(1, 61)

Values = NDArray[np.float64]


class Placed(NamedTuple):
    """Points with a system they can be trusted in, and what was decided about them."""

    x: Values
    y: Values
    crs: CRS
    notes: tuple[str, ...]


def place(x: Values, y: Values, crs: str | CRS) -> Placed:
    """
    Make sure that coordinates mean what their system says.

    Parameters
    ----------
    x, y : array of shape (n,)
        As the table gives them; NaN where there are none.
    crs : str or CRS
        What they are declared to be, or ``gauss-kruger`` for Pulkovo 1942 with each row's
        zone before its easting.

    Returns
    -------
    Placed
        Swapped axes are put right and said: in Soviet tables X runs north. Rows of
        several zones come in the commonest zone's system.

    Raises
    ------
    GridError
        If coordinates cannot be of the declared system.
    """
    known = np.isfinite(x) & np.isfinite(y)
    by_prefix = isinstance(crs, str) and crs == BY_PREFIX
    if not known.any():
        return Placed(x, y, parse_crs("EPSG:28412" if by_prefix else crs), ())
    if by_prefix:
        return _by_prefix(x, y, known)
    system = parse_crs(crs)
    notes: list[str] = []
    if _swapped(x[known], y[known], system):
        x, y = y, x
        north, east = ("latitude", "longitude") if system.is_geographic else ("north", "east")
        notes.append(f"the columns were swapped: the first runs {north}, the second {east}")
    if system.is_projected:
        _require_zone(x[known], system)
    outside = ~_inside(x, y, system) & known
    if outside.any():
        count = int(outside.sum())
        notes.append(
            f"{count} of {int(known.sum())} points lie outside the area that "
            f"{crs_name(system)} is meant for"
        )
    return Placed(x, y, system, tuple(notes))


def zone_of(x: Values) -> NDArray[np.int64]:
    """
    The zone number before each easting, of Gauss–Krüger coordinates in metres.

    Returns
    -------
    array of shape (n,), int
        0 where an easting carries none.
    """
    with np.errstate(invalid="ignore"):
        zone = np.where(np.isfinite(x), np.floor_divide(x, 1e6), 0).astype(np.int64)
    return np.where(np.isin(zone, _ZONES), zone, 0)


def suggest(x: Values, y: Values) -> str:
    """
    What coordinates without a declared system could be; one sentence, empty when unknown.

    Parameters
    ----------
    x, y : array of shape (n,)
    """
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if not x.size:
        return ""
    if _degrees(x, y) or _degrees(y, x):
        return "they look like degrees: EPSG:4326, or EPSG:4284 if from Soviet maps"
    for east, swapped in ((x, ""), (y, ", its first column running north")):
        zones = Counter(zone_of(east).tolist())
        zones.pop(0, None)
        if sum(zones.values()) < east.size or _northing(east):
            continue
        if len(zones) > 1:
            listed = " and ".join(str(zone) for zone in sorted(zones))
            return f"they look like Gauss–Krüger in zones {listed}{swapped}: --crs {BY_PREFIX}"
        zone = next(iter(zones))
        if zone <= 32:
            return f"they look like Gauss–Krüger zone {zone}{swapped}: EPSG:{28400 + zone}"
    if any(((values > 1e5) & (values < 9e5)).all() for values in (x, y)):
        return (
            "they look like metres of a zone that nothing tells: EPSG:2501 to 2504 for "
            "Gauss–Krüger zones 11 to 14, EPSG:32641 to 32644 for UTM; the map sheet's number "
            "less 30 is the Gauss–Krüger zone (J-42: 12)"
        )
    return ""


def operation_between(source: CRS, target: CRS) -> str:
    """In words: the operation that PROJ brings coordinates over by, and how accurate it is."""
    group = TransformerGroup(source, target, always_xy=True)
    text = f"brought from {crs_name(source)} to {crs_name(target)}"
    if not group.transformers:
        return text
    accuracy = group.transformers[0].accuracy
    known = f"accuracy {accuracy:g} m" if accuracy >= 0 else "accuracy unknown"
    return f"{text} ({group.transformers[0].description}; {known})"


def _by_prefix(x: Values, y: Values, known: NDArray[np.bool_]) -> Placed:
    notes: list[str] = []
    if not (zone_of(x[known]) > 0).all() and (zone_of(y[known]) > 0).all():
        # Northings of 36 to 44 degrees are 4.0 to 4.9 million: a "zone" of 4 or so.
        x, y = y, x
    if _northing(x[known]) and not _northing(y[known]):
        x, y = y, x
        notes.append("the columns were swapped: the first runs north, the second east")
    zone = zone_of(np.where(known, x, np.nan))
    bare = known & ((zone == 0) | (zone > 32))
    if bare.any():
        raise GridError(
            f"{int(bare.sum())} of {int(known.sum())} eastings carry no Gauss–Krüger zone (the "
            f"first is {x[bare][0]:.0f}): give those of each zone in a file of their own, with "
            "its system, such as EPSG:2502 for zone 12."
        )
    counts = Counter(zone[known].tolist())
    main = max(counts, key=lambda number: (counts[number], -number))
    system = parse_crs(f"EPSG:{28400 + main}")
    x, y = x.copy(), y.copy()
    for number in counts:
        if number != main:
            here = known & (zone == number)
            transformer = Transformer.from_crs(28400 + number, system, always_xy=True)
            x[here], y[here] = transformer.transform(x[here], y[here])
    if len(counts) > 1:
        told = ", ".join(f"{counts[number]} in zone {number}" for number in sorted(counts))
        notes.append(f"zones are mixed ({told}): all were brought to zone {main}")
    else:
        notes.append(f"read as {crs_name(system)}, by the zone before the eastings")
    return Placed(x, y, system, tuple(notes))


def _swapped(x: Values, y: Values, system: CRS) -> bool:
    """Whether the points fit their system's area only the other way round."""
    if not (system.is_geographic or system.is_projected):
        return False
    straight = _inside(x, y, system).mean()
    turned = _inside(y, x, system).mean()
    return bool(turned > 0.5 and straight < 0.5)


def _inside(x: Values, y: Values, system: CRS) -> NDArray[np.bool_]:
    """Which points lie in the area that a system is meant for, with a margin of 3 degrees."""
    area = system.area_of_use
    if area is None:
        return np.ones(x.shape, bool)
    if system.is_geographic:
        lon, lat = x, y
    else:
        lon, lat = Transformer.from_crs(system, 4326, always_xy=True).transform(x, y)
        lon, lat = np.asarray(lon), np.asarray(lat)
    margin = 3.0
    west, east = area.west - margin, area.east + margin
    within = (west <= lon) & (lon <= east) if area.west <= area.east else np.ones(x.shape, bool)
    return np.asarray(within & (area.south - margin <= lat) & (lat <= area.north + margin))


def _require_zone(x: Values, system: CRS) -> None:
    """Refuse eastings whose zone is not that of a Gauss–Krüger system."""
    if system.coordinate_operation is None or "Gauss-Kr" not in system.name:
        return
    params = {param.name: param.value for param in system.coordinate_operation.params}
    east = float(params.get("False easting", 0.0))
    zones = zone_of(x)
    wanted = int(east // 1e6)
    strange = zones != wanted
    if not strange.any():
        return
    found = sorted(set(zones[strange].tolist()))
    if wanted == 0 and 0 not in found:
        raise GridError(
            f"{int(strange.sum())} of {x.size} eastings start with zone "
            f"{' and '.join(map(str, found))} (the first is {x[strange][0]:.0f}), but "
            f"{crs_name(system)} has none before them: use --crs {BY_PREFIX}."
        )
    if wanted > 0:
        others = f"zone {' and '.join(map(str, found))}" if 0 not in found else "no zone"
        raise GridError(
            f"{int(strange.sum())} of {x.size} eastings carry {others} (the first is "
            f"{x[strange][0]:.0f}), but {crs_name(system)} starts them with {wanted}: use --crs "
            f"{BY_PREFIX} for mixed zones, or the system without the prefix."
        )


def _degrees(lon: Values, lat: Values) -> bool:
    return bool((np.abs(lon) <= 180).all() and (np.abs(lat) <= 90).all())


def _northing(values: Values) -> bool:
    """Whether values look like northings of 32 to 50 degrees."""
    return bool(((values > 3.5e6) & (values < 5.6e6)).all())
