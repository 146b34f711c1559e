"""The doctor for coordinates: zones, swapped axes, points outside their system's area."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError
from pyproj.transformer import TransformerGroup

from prospect.errors import GridError
from prospect.grid import crs_name, equal_epsg, parse_crs

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
    elif _northing_for_easting(x[known], y[known], system):
        # The zone is not the system's either, which is told below of the eastings.
        x, y = y, x
        notes.append("the columns were swapped: the first runs north, the second east")
    if system.is_projected:
        try:
            _require_zone(x[known], system)
        except GridError as error:
            raise GridError(" ".join([*(f"{_capital(n)}." for n in notes), str(error)])) from error
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
    for east, north, swapped in ((x, y, ""), (y, x, ", its first column running north")):
        zones = Counter(zone_of(east).tolist())
        zones.pop(0, None)
        # Of the southern hemisphere, and of short numbers, nothing is known.
        if sum(zones.values()) < east.size or _northing(east) or not (north > 3.5e6).all():
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


def doubts_of(crs: CRS, bounds: tuple[float, float, float, float] | None = None) -> list[str]:
    """
    What a person should know of a coordinate system, and of data said to be in it.

    Parameters
    ----------
    crs : CRS
    bounds : (west, south, east, north), optional
        Of the data, in that system.

    Returns
    -------
    list of str
        A clause each: a system without a code and the one it equals, what zone a
        Gauss–Krüger system is of and how it writes it, data that cannot be in it, are
        swapped, or lie beyond its area. Empty for a plain system with data where it holds.
    """
    found = []
    # A system with TOWGS84 is bound to WGS 84; the projection is that of its source.
    plain = crs.source_crs if crs.is_bound and crs.source_crs is not None else crs
    code = plain.to_epsg()
    if code is None and not crs.is_engineering:
        code = equal_epsg(plain)
        equal = f"; it equals EPSG:{code} but for the name of the datum" if code else ""
        found.append(f"its coordinate system {crs_name(plain)}{equal}")
    elif code is not None and plain.to_epsg(min_confidence=100) is None:
        found.append(f"its coordinate system is called '{plain.name}'; it equals EPSG:{code}")
    if crs.is_bound and crs.coordinate_operation is not None:
        shift = ", ".join(f"{p.value:g}" for p in crs.coordinate_operation.params)
        found.append(f"it gives its own shift to WGS 84: {shift}")
    zone = gauss_kruger(crs)
    if zone:
        found.append(zone)
    if bounds is None or not np.isfinite(bounds).all():
        return found
    west, south, east, north = bounds
    x, y = np.array([west, east, west, east]), np.array([south, south, north, north])
    if crs.is_geographic and not _degrees(x, y) and not _degrees(y, x):
        found.append(
            f"it is said to be in degrees, but spans x from {west:g} to {east:g} and y from "
            f"{south:g} to {north:g}: name its true system with --crs"
        )
    elif _swapped(x, y, crs) or _northing_for_easting(x, y, crs):
        found.append("its axes are swapped, x runs north: swap them, for example in QGIS")
    else:
        try:
            _require_zone(x, crs)
        except GridError as error:
            found.append(str(error).rstrip("."))
        else:
            outside = 4 - int(_inside(x, y, crs).sum())
            if outside and (crs.is_projected or crs.is_geographic):
                where = "it lies" if outside == 4 else "it reaches"
                found.append(f"{where} beyond the area that {crs_name(crs)} is meant for")
    return found


def gauss_kruger(crs: CRS) -> str:
    """In words: the zone of a Gauss–Krüger system and how it writes it; empty for others."""
    crs = crs.source_crs if crs.is_bound and crs.source_crs is not None else crs
    operation = crs.coordinate_operation
    if not crs.is_projected or operation is None or operation.method_code != "9807":
        return ""
    if crs.ellipsoid is None or "Krass" not in crs.ellipsoid.name:
        return ""
    params = {param.name: float(param.value) for param in operation.params}
    meridian = params.get("Longitude of natural origin", 0.0)
    easting = params.get("False easting", 0.0)
    number = int(easting // 1e6)
    wide, narrow = (meridian + 3) / 6, meridian / 3
    if wide == int(wide) and number in (0, int(wide)):
        name = f"6° zone {int(wide)}"
    elif narrow == int(narrow):
        name = f"3° zone {int(narrow)}"
    else:
        name = f"with a meridian of its own, {meridian:g}°"
    written = f"{number} stands before eastings" if number else "nothing stands before eastings"
    return f"Gauss–Krüger {name}; {written}"


def operation_between(source: CRS, target: CRS, at: tuple[float, float] | None = None) -> str:
    """
    In words: the operation that PROJ brings coordinates over by, and how accurate it is.

    Parameters
    ----------
    source, target : CRS
    at : (x, y), optional
        A place in ``source``: of several operations PROJ takes the one whose area holds it.
    """
    text = f"brought from {crs_name(source)} to {crs_name(target)}"
    found: Transformer | None = None
    if at is not None and np.isfinite(at).all():
        transformer = Transformer.from_crs(source, target, always_xy=True)
        transformer.transform(*at)
        with suppress(ProjError):
            found = transformer.get_last_used_operation()
    if found is None:
        found = next(iter(TransformerGroup(source, target, always_xy=True).transformers), None)
    if found is None:
        return text
    steps = [s for s in found.description.split(" + ") if not s.startswith("axis order")]
    known = f"accuracy {found.accuracy:g} m" if found.accuracy >= 0 else "accuracy unknown"
    if found.accuracy == 0:
        known = "the same datum"
    return f"{text} ({' + '.join(steps) or 'no change'}; {known})"


def _by_prefix(x: Values, y: Values, known: NDArray[np.bool_]) -> Placed:
    notes: list[str] = []
    # Northings of 32 to 50 degrees would be "zones" of 3 to 5.
    if _northing(x[known]) and not _northing(y[known]):
        x, y = y, x
        notes.append("the columns were swapped: the first runs north, the second east")
    zone = zone_of(np.where(known, x, np.nan))
    bare = known & ((zone == 0) | (zone > 32))
    if bare.any():
        turned = "".join(f"{_capital(note)}. " for note in notes)
        raise GridError(
            f"{turned}{int(bare.sum())} of {int(known.sum())} eastings carry no Gauss–Krüger zone "
            f"(the first is {x[bare][0]:.0f}): give those of each zone in a file of their own, "
            "with its system, such as EPSG:2502 for zone 12."
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


def _northing_for_easting(x: Values, y: Values, system: CRS) -> bool:
    """Whether eastings are northings, and of a zone that the system does not begin with."""
    if not system.is_projected or system.coordinate_operation is None:
        return False
    params = {param.name: param.value for param in system.coordinate_operation.params}
    begins = int(float(params.get("False easting", 0.0)) // 1e6)
    return _northing(x) and not _northing(y) and bool((zone_of(x) != begins).all())


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


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
