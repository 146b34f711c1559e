"""Operations on gridded fields such as magnetics and gravity, named as harmonica names them.

What goes by wavenumber is done in windows (see ``wavenumber``). Its errors were measured
on random-fractal fields of spectral power k^-3, 1536 cells square, against one transform
of the whole, and on the pole anomaly of a prism without bottom, 40 by 60 cells and 5 deep,
against the formula. They are root mean squares over the deviation of the right answer,
and hold 64 cells and more from the map's edge, where any transform must guess.
"""

from __future__ import annotations

import numpy as np

from prospect import grid
from prospect.errors import RecipeError
from prospect.features.operation import Array, Parameters, one_cell, operation
from prospect.features.wavenumber import MOST_REACH, REACH, filtered, reach_cells, within_reach
from prospect.features.windows import require_length
from prospect.grid import Cell

COARSE = 16
"""A continuation is taken on cells no larger than its height over this."""

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


@operation(halo=one_cell, units="{unit}/m")
def horizontal_gradient(layer: Array, *, out: Array, cell: Cell) -> None:
    """
    Magnitude of the horizontal gradient of a gridded field.

    Its ridges follow steep contacts and faults [1]_.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
        Field on a projected grid, e.g. the magnetic anomaly in nT. NaN marks gaps.

    Returns
    -------
    DataArray of shape (y, x), float32
        Gradient per metre, by central differences. NaN on the outer ring, in gaps and
        beside them.

    Raises
    ------
    GridError
        If ``layer`` is not on a regular, projected (y, x) grid.

    References
    ----------
    .. [1] Blakely and Simpson (1986). Approximating edges of source bodies from
       magnetic or gravity anomalies. Geophysics 51(7).
    """
    from prospect._kernels import terrain as kernels

    kernels.gradient_magnitude(layer, cell.dy, cell.dx, out)


@operation(halo=one_cell, units="{unit}/m")
def derivative_easting(layer: Array, *, out: Array, cell: Cell) -> None:
    """
    Change of a field per metre eastward.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
        Field on a projected grid. NaN marks gaps.

    Returns
    -------
    DataArray of shape (y, x), float32
        Per metre, by central differences. NaN in gaps, beside them to the east and west,
        and on the map's first and last column.
    """
    np.subtract(layer[1:-1, 2:], layer[1:-1, :-2], out=out)
    out *= np.float32(0.5 / cell.dx)
    out[np.isnan(layer[1:-1, 1:-1])] = np.nan


@operation(halo=one_cell, units="{unit}/m")
def derivative_northing(layer: Array, *, out: Array, cell: Cell) -> None:
    """
    Change of a field per metre northward.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
        Field on a projected grid. NaN marks gaps.

    Returns
    -------
    DataArray of shape (y, x), float32
        Per metre, by central differences. NaN in gaps, beside them to the north and south,
        and on the map's first and last row.
    """
    np.subtract(layer[:-2, 1:-1], layer[2:, 1:-1], out=out)
    out *= np.float32(0.5 / cell.dy)
    out[np.isnan(layer[1:-1, 1:-1])] = np.nan


@operation(halo=within_reach, units="{unit}/m", anchored=True)
def derivative_upward(block: Array, *, out: Array, cell: Cell, reach: float = 0.0) -> None:
    """
    Change of a field per metre upward.

    Sharpens shallow sources against deep ones. Taken by wavenumber in windows,
    which is wrong by 1 to 2 % on a fractal field and by 3 % on a prism (1 % of its peak at
    most); on the rim of the map by up to 15 % of the peak.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
        Field on a projected grid. NaN marks gaps.
    reach : float
        How far windows reach beyond a block of 256 cells, metres; 0 means 64 cells.

    Returns
    -------
    DataArray of shape (y, x), float32
        Per metre, negative over a source. Gaps are filled for the transform and stay gaps.

    References
    ----------
    .. [1] Blakely (1995). Potential Theory in Gravity and Magnetic Applications. Cambridge.
    """
    out[...] = upward(block, out.shape, cell, reach)


@operation(halo=within_reach, units="{unit}/m", anchored=True)
def total_gradient_amplitude(block: Array, *, out: Array, cell: Cell, reach: float = 0.0) -> None:
    """
    Length of the gradient in all three directions: the analytic signal.

    Peaks over edges and thin bodies, and hardly minds how they are magnetised [1]_. The
    upward part is that of ``derivative_upward``.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
        Field on a projected grid. NaN marks gaps.
    reach : float
        How far windows reach beyond a block of 256 cells, metres; 0 means 64 cells.

    Returns
    -------
    DataArray of shape (y, x), float32
        Per metre. NaN on the outer ring, in gaps and beside them.

    References
    ----------
    .. [1] Roest, Verhoef and Pilkington (1992). Magnetic interpretation using the 3-D
       analytic signal. Geophysics 57(1).
    """
    np.hypot(across(block, out.shape, cell), upward(block, out.shape, cell, reach), out=out)


@operation(halo=within_reach, units="degree", anchored=True)
def tilt_angle(block: Array, *, out: Array, cell: Cell, reach: float = 0.0) -> None:
    """
    Angle of the gradient against the horizontal.

    Positive over sources, zero near their edges, and as clear for deep sources as for
    shallow ones [1]_. Magnetics want reduction to the pole before. The upward part is that
    of ``derivative_upward``.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
        Field on a projected grid. NaN marks gaps.
    reach : float
        How far windows reach beyond a block of 256 cells, metres; 0 means 64 cells.

    Returns
    -------
    DataArray of shape (y, x), float32
        Degrees from -90 to 90. NaN on the outer ring, in gaps and beside them.

    References
    ----------
    .. [1] Miller and Singh (1994). Potential field tilt: a new concept for location of
       potential field sources. Journal of Applied Geophysics 32(2-3).
    """
    # Over a source the field falls upward: against z down, as the reference has it.
    down = -upward(block, out.shape, cell, reach)
    np.arctan2(down, across(block, out.shape, cell), out=out, casting="same_kind")
    np.degrees(out, out=out)


@operation(halo=within_reach, units="1", anchored=True)
def theta_map(block: Array, *, out: Array, cell: Cell, reach: float = 0.0) -> None:
    """
    Horizontal gradient over the whole gradient, the cosine of the theta map.

    1 along edges, whatever the strength of the source [1]_. The upward part is that of
    ``derivative_upward``.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
        Field on a projected grid. NaN marks gaps.
    reach : float
        How far windows reach beyond a block of 256 cells, metres; 0 means 64 cells.

    Returns
    -------
    DataArray of shape (y, x), float32
        From 0 to 1, 0 where the field is flat. NaN on the outer ring, in gaps and beside
        them.

    References
    ----------
    .. [1] Wijns, Perez and Kowalczyk (2005). Theta map: edge detection in magnetic data.
       Geophysics 70(4).
    """
    level = across(block, out.shape, cell)
    whole = np.hypot(level, upward(block, out.shape, cell, reach))
    out[...] = np.where(np.isnan(whole), np.nan, 0)
    np.divide(level, whole, out=out, where=whole > 0, casting="same_kind")


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
    inclination = float(parameters["inclination"])
    guard = float(parameters["amplitude_inclination"])
    if not -90 <= inclination <= 90 or not 0 <= guard <= 90:
        raise RecipeError(
            "Inclinations are degrees, from -90 to 90 for the field's and 0 to 90 for the "
            f"guard, but {inclination:g} and {guard:g} came."
        )
    if max(abs(inclination), guard) < LEAST_INCLINATION:
        raise RecipeError(
            f"Reduction to the pole is unstable at an inclination of {inclination:g} degrees: "
            f"give amplitude_inclination = {LEAST_INCLINATION:g} or more, or use "
            "total_gradient_amplitude."
        )
    return within_reach(cell, parameters)


@operation(halo=_within_reach_of_pole, anchored=True)
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
    remanence misleads. An anomaly much smaller than a window is put right within 2 to 4 %.
    What is as long as the map is not: turning its phase takes the whole of it, and on a
    fractal field windows differ from one transform by 15 % at an inclination of 75
    degrees, 35 % at 60, 60 % at 45, with steps between blocks. Where the survey gives a
    reduced grid, use that.

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
        How far windows reach beyond a block of 256 cells, metres; 0 means 64 cells.

    Returns
    -------
    DataArray of shape (y, x), float32
        In the unit of the layer. Gaps are filled for the transform and stay gaps.

    Raises
    ------
    RecipeError
        If the inclination is below 20 degrees and there is no guard.

    References
    ----------
    .. [1] MacLeod, Jones and Dai (1993). 3-D analytic signal in the interpretation of
       total magnetic field data at low magnetic latitudes. Exploration Geophysics 24(4).
    """
    dip, turn = np.radians(inclination), np.radians(declination)
    guard = np.radians(max(amplitude_inclination, abs(inclination)))

    def to_pole(east: Array, north: Array) -> Array:
        length = np.hypot(east, north)
        course = (east * np.sin(turn) + north * np.cos(turn)) / np.where(length == 0, 1, length)
        level = np.cos(dip) * course
        amplitude = np.sin(guard) ** 2 + (np.cos(guard) * course) ** 2
        factors = (np.sin(dip) - 1j * level) ** 2 / (amplitude * (np.sin(dip) ** 2 + level**2))
        return np.asarray(np.where(length == 0, 1, factors))

    halo = reach_cells(cell, reach)
    out[...] = filtered(block, cell, halo, to_pole, out.shape, plane_stays=True)


def upward(block: Array, shape: tuple[int, ...], cell: Cell, reach: float) -> Array:
    """Derivative upward, float32: the field's own wavenumbers, with a minus."""
    halo = reach_cells(cell, reach)
    values = filtered(block, cell, halo, lambda e, n: -np.hypot(e, n), shape, plane_stays=False)
    return values.astype(np.float32)


def across(block: Array, shape: tuple[int, ...], cell: Cell) -> Array:
    """Length of the horizontal gradient of a block with any halo, float32."""
    rows, cols = (block.shape[0] - shape[0]) // 2, (block.shape[1] - shape[1]) // 2
    near = block[rows - 1 : rows + shape[0] + 1, cols - 1 : cols + shape[1] + 1]
    level = np.empty(shape, np.float32)
    horizontal_gradient.compute(near, out=level, cell=cell)
    return level


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
