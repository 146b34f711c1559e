"""A field as it would be elsewhere or of other sources: higher up, at the pole, as gravity.

What goes by wavenumber is done in windows (see ``wavenumber``). Its errors were measured
on random-fractal fields of spectral power k^-3, 1536 cells square, against one transform
of the whole, and on the pole anomaly of a prism without bottom, 40 by 60 cells and 5 deep,
against the formula. They are root mean squares over the deviation of the right answer,
and hold 64 cells and more from the map's edge, where any transform must guess. Whole maps
were a part of 1536 cells square of such a field of 3072.
"""

from __future__ import annotations

import numpy as np

from prospect import grid
from prospect.errors import RecipeError
from prospect.features.operation import Array, Parameters, operation
from prospect.features.wavenumber import (
    MOST_REACH,
    REACH,
    FilterOf,
    filtered,
    filtered_whole,
    reach_cells,
)
from prospect.features.windows import require_length
from prospect.grid import Cell

COARSE = 16
"""A continuation is taken on cells no larger than its height over this."""

POISSON = 6.6743e-8
"""mGal a radian per nT and metre, for 1 kg/m3 to 1 A/m: G over mu0 / 4 pi, in these units."""

LEAST_INCLINATION = 20.0
"""Degrees below which reduction to the pole blows noise up into stripes."""


def coarseness(cell: Cell, height: float) -> int:
    """Cells a side to average before a continuation: a power of 2 that cuts the lattice."""
    count = 1
    while height >= 2 * count * COARSE * max(cell) and grid.LATTICE % (2 * count) == 0:
        count *= 2
    return count


def _within_height(cell: Cell, parameters: Parameters) -> tuple[int, int]:
    height, reach = require_length("height", float(parameters["height"])), parameters["reach"]
    if reach:
        rows, cols = reach_cells(cell, float(reach))
    else:
        wanted = cell.halo(4 * height)
        rows, cols = (min(max(cells, REACH), MOST_REACH) for cells in wanted)
    count = coarseness(cell, height)
    return -(-rows // count) * count, -(-cols // count) * count


@operation(halo=_within_height, anchored=True)
def upward_continuation(
    block: Array, *, out: Array, cell: Cell, height: float, reach: float = 0.0
) -> None:
    """
    The field as it would be measured higher up.

    Shallow sources fade, the basement and the region stay. Taken in windows, which is wrong
    by 1 to 2 % at a height of 5 cells and 6 to 9 % at 20 on a fractal field, about 18 % at
    50; on a prism by 1 % at 5 and 5 % at 30 cells. What is wrong is of the windows' own
    length: slow swells, and small steps between blocks.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
        Field on a projected grid. NaN marks gaps.
    height : float
        Metres above the level of the layer.
    reach : float
        How far windows reach beyond a block of 256 cells, metres; 0 means 64 cells, or
        four heights if that is more, and at most 1024 cells.

    Returns
    -------
    DataArray of shape (y, x), float32
        In the unit of the layer. Gaps are filled for the transform and stay gaps.

    References
    ----------
    .. [1] Blakely (1995). Potential Theory in Gravity and Magnetic Applications. Cambridge.
    """
    out[...] = continued(block, out.shape, cell, height, reach)


@operation(halo=_within_height, anchored=True)
def residual(block: Array, *, out: Array, cell: Cell, height: float, reach: float = 0.0) -> None:
    """
    A field less its own upward continuation: what is shallow in it.

    A gravity low over a basin without the root of the mountains beside it. The error
    is that of ``upward_continuation``: 4 to 7 % of the residual at a height of 5 cells, 8 to
    16 % at 20, on a fractal field.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
        Field on a projected grid. NaN marks gaps.
    height : float
        Metres of the continuation: sources deeper than about half of it are taken out.
    reach : float
        How far windows reach beyond a block of 256 cells, metres; 0 means 64 cells, or
        four heights if that is more, and at most 1024 cells.

    Returns
    -------
    DataArray of shape (y, x), float32
        In the unit of the layer. Gaps are filled for the transform and stay gaps.

    References
    ----------
    .. [1] Jacobsen (1987). A case for upward continuation as a standard separation filter
       for potential-field maps. Geophysics 52(8).
    """
    rows, cols = _within_height(cell, {"height": height, "reach": reach})
    here = block[rows : rows + out.shape[0], cols : cols + out.shape[1]]
    np.subtract(
        here, continued(block, out.shape, cell, height, reach), out=out, casting="same_kind"
    )


def _within_reach_of_pole(cell: Cell, parameters: Parameters) -> tuple[int, int]:
    inclination, declination = float(parameters["inclination"]), float(parameters["declination"])
    guard = float(parameters["amplitude_inclination"])
    if not -90 <= inclination <= 90 or not 0 <= guard <= 90:
        raise RecipeError(
            "Inclinations are degrees, from -90 to 90 for the field's and 0 to 90 for the "
            f"guard, but {inclination:g} and {guard:g} came."
        )
    if not -180 <= declination <= 360:
        raise RecipeError(
            f"A declination is degrees east of north, from -180 to 360, but {declination:g} came."
        )
    if max(abs(inclination), guard) < LEAST_INCLINATION:
        raise RecipeError(
            f"Reduction to the pole is unstable at an inclination of {inclination:g} degrees: "
            f"give amplitude_inclination = {LEAST_INCLINATION:g} or more, or use "
            "total_gradient_amplitude."
        )
    reach = float(parameters.get("reach", 0.0))
    return reach_cells(cell, reach) if reach else (0, 0)


def without_reach(parameters: Parameters) -> bool:
    """Whether the whole map is taken at once, since no windows are asked for."""
    return not parameters["reach"]


def always(parameters: Parameters) -> bool:
    """Of what makes sense for whole maps only."""
    return True


@operation(halo=_within_reach_of_pole, anchored=True, whole=without_reach)
def reduction_to_pole(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    inclination: float,
    declination: float,
    amplitude_inclination: float = 0.0,
    reach: float = 0.0,
) -> None:
    """
    A magnetic anomaly as it would be if field and magnetisation were vertical.

    Puts anomalies over their sources. Magnetisation is taken to be along the field:
    remanence misleads. The whole map is turned at once, up to 67 million cells, before any
    tile is; a small anomaly is put right within 3 %. What is as long as the map hangs on
    what lies beyond: on a part of a fractal field it is wrong by 8 % at an inclination of
    75 degrees, 19 % at 60, 31 % at 45 and 41 % at 30. Larger maps go by windows, if
    ``reach`` is given: then by 30, 55, 74 and 91 %, with steps between blocks. Where the
    survey gives a reduced grid, use that.

    Inclination and declination are those of the IGRF at the survey's middle and date, which
    any calculator gives, e.g. ``ppigrf.igrf(lon, lat, kilometres, date)`` as east, north
    and up: atan2(-up, hypot(east, north)) and atan2(east, north). A declination counts
    from true north: take the grid's convergence off it.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
        Total-field anomaly on a projected grid, nT. NaN marks gaps.
    inclination : float
        Of the field, degrees, positive downward.
    declination : float
        Of the field against the grid's north, degrees, positive eastward.
    amplitude_inclination : float
        Guard at low latitude, degrees: the inclination used for amplitudes where that of
        the field is less [1]_. 0 for none.
    reach : float
        How far windows reach beyond a block of 256 cells, metres; 0 means no windows but
        the whole map.

    Returns
    -------
    DataArray of shape (y, x), float32
        In the unit of the layer. Gaps are filled for the transform and stay gaps.

    Raises
    ------
    RecipeError
        If the inclination is below 20 degrees and there is no guard, or the map is too large.

    References
    ----------
    .. [1] MacLeod, Jones and Dai (1993). 3-D analytic signal in the interpretation of
       total magnetic field data at low magnetic latitudes. Exploration Geophysics 24(4).
    """
    to_pole = pole_filter(inclination, declination, amplitude_inclination)
    if reach:
        halo = reach_cells(cell, reach)
        out[...] = filtered(block, cell, halo, to_pole, out.shape, plane_stays=True)
    else:
        out[...] = filtered_whole(block, cell, to_pole, plane_stays=True)


def _within_reach_of_gravity(cell: Cell, parameters: Parameters) -> tuple[int, int]:
    if not float(parameters["ratio"]) > 0:
        raise RecipeError(
            "'ratio' is density over magnetisation, kg/m3 to A/m, above 0, "
            f"but {parameters['ratio']:g} came."
        )
    return _within_reach_of_pole(cell, parameters)


@operation(halo=_within_reach_of_gravity, units="mGal", whole=always)
def pseudo_gravity(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    inclination: float,
    declination: float,
    ratio: float = 100.0,
    amplitude_inclination: float = 0.0,
) -> None:
    """
    The gravity anomaly that the sources of a magnetic one would make, by Poisson's relation.

    Draws deep and wide bodies together, and its horizontal gradient has its ridges over
    their edges [1]_. It rests on what is long in a map, so the whole of it is taken at once,
    up to 67 million cells, before any tile is. That of a prism in the middle is right
    within 2 % about a level of its own; on a part of a fractal field, less planes, it is
    wrong by 28 % at an inclination of 75 degrees, 39 % at 60 and 54 % at 45.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
        Total-field anomaly on a projected grid, nT. NaN marks gaps.
    inclination : float
        Of the field, degrees, positive downward. 90 where the anomaly is reduced to the
        pole already.
    declination : float
        Of the field against the grid's north, degrees, positive eastward.
    ratio : float
        Density over magnetisation, kg/m3 to A/m.
    amplitude_inclination : float
        Guard at low latitude, as in ``reduction_to_pole``.

    Returns
    -------
    DataArray of shape (y, x), float32
        mGal about a level and a trend that are unknown. Gaps are filled for the transform
        and stay gaps.

    Raises
    ------
    RecipeError
        If the inclination is below 20 degrees and there is no guard, or the map is too large.

    References
    ----------
    .. [1] Cordell and Grauch (1985). Mapping basement magnetization zones from aeromagnetic
       data in the San Juan basin, New Mexico. The Utility of Regional Gravity and Magnetic
       Anomaly Maps. SEG.
    """
    to_pole = pole_filter(inclination, declination, amplitude_inclination)
    scale = POISSON * ratio

    def to_gravity(east: Array, north: Array) -> Array:
        length = np.hypot(east, north)
        factors = scale * to_pole(east, north) / np.where(length == 0, np.inf, length)
        return np.asarray(factors)

    out[...] = filtered_whole(block, cell, to_gravity, plane_stays=False)


def pole_filter(inclination: float, declination: float, amplitude_inclination: float) -> FilterOf:
    """Factors of a reduction to the pole."""
    dip, turn = np.radians(inclination), np.radians(declination)
    guard = np.radians(max(amplitude_inclination, abs(inclination)))

    def to_pole(east: Array, north: Array) -> Array:
        length = np.hypot(east, north)
        course = (east * np.sin(turn) + north * np.cos(turn)) / np.where(length == 0, 1, length)
        level = np.cos(dip) * course
        amplitude = np.sin(guard) ** 2 + (np.cos(guard) * course) ** 2
        factors = (np.sin(dip) - 1j * level) ** 2 / (amplitude * (np.sin(dip) ** 2 + level**2))
        return np.asarray(np.where(length == 0, 1, factors))

    return to_pole


def continued(
    block: Array, shape: tuple[int, ...], cell: Cell, height: float, reach: float
) -> Array:
    """The field at a height, float64."""
    halo = _within_height(cell, {"height": height, "reach": reach})

    def fade(east: Array, north: Array) -> Array:
        return np.asarray(np.exp(-height * np.hypot(east, north)))

    # High up nothing fine is left: coarser cells give the same at a fraction of the cost.
    count = coarseness(cell, height)
    return filtered(block, cell, halo, fade, shape, plane_stays=True, count=count)
