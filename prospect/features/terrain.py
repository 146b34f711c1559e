"""Shape of the ground: derivatives of an elevation layer, on cells square or not.

Slope, aspect and shading use the gradient of ``method``: ``'horn'`` (all eight neighbours,
steadier on noisy elevation) or ``'zevenbergen-thorne'`` (four neighbours, sharper). Curvatures
follow Zevenbergen and Thorne and are positive where the ground is convex. A cell with a gap
among its 3 × 3, and so the grid's outer ring, is a gap.
"""

from __future__ import annotations

import numpy as np

from prospect import grid
from prospect.errors import RecipeError
from prospect.features import windows
from prospect.features.operation import Array, Parameters, one_cell, operation
from prospect.features.surface import OUTPUTS, SURFACE, asks, derive, some_outputs
from prospect.features.windows import fewest, require_length, require_outputs
from prospect.grid import Cell


def around(cell: Cell, parameters: Parameters) -> tuple[int, int]:
    """Rows and columns that ``radius`` reaches to."""
    return cell.halo(require_length("radius", float(parameters["radius"])))


def around_and_one(cell: Cell, parameters: Parameters) -> tuple[int, int]:
    """As far as ``radius``, and one cell more for the gradient there."""
    rows, cols = around(cell, parameters)
    return rows + 1, cols + 1


@operation(halo=one_cell, units="degree", joint=asks("slope"))
def slope(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    method: str = "horn",
) -> None:
    """
    Steepness of the ground.

    Steep ground sheds its cover and shows its rock; fault scarps are lines of it.

    Parameters
    ----------
    elevation : DataArray of shape (y, x)
        Metres; NaN marks gaps.
    method : 'horn' or 'zevenbergen-thorne'
        Of the gradient.

    Returns
    -------
    DataArray of shape (y, x), float32
        Degrees from 0 to 90. NaN in gaps and beside them.

    References
    ----------
    .. [1] Horn (1981). Hill shading and the reflectance map. Proceedings of the IEEE 69(1).
    .. [2] Zevenbergen and Thorne (1987). Quantitative analysis of land surface topography. Earth
       Surface Processes and Landforms 12(1).
    """
    derive(block, out[None], cell, {"slope": 0}, method)


@operation(halo=one_cell, units="degree", joint=asks("aspect"))
def aspect(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    method: str = "horn",
) -> None:
    """
    Azimuth that the ground falls to.

    For people and maps; a model wants eastness and northness, which do not jump at north.

    Parameters
    ----------
    elevation : DataArray of shape (y, x)
        Metres; NaN marks gaps.
    method : 'horn' or 'zevenbergen-thorne'
        Of the gradient.

    Returns
    -------
    DataArray of shape (y, x), float32
        Degrees clockwise from grid north, 0 to 360. NaN in gaps, beside them, and where it is flat.

    References
    ----------
    .. [1] Horn (1981). Hill shading and the reflectance map. Proceedings of the IEEE 69(1).
    .. [2] Zevenbergen and Thorne (1987). Quantitative analysis of land surface topography. Earth
       Surface Processes and Landforms 12(1).
    """
    derive(block, out[None], cell, {"aspect": 0}, method)


@operation(halo=one_cell, units="1", joint=asks("eastness"))
def eastness(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    method: str = "horn",
) -> None:
    """
    Sine of the aspect: how much the ground falls to the east.

    With northness it shows preferred directions, such as dip slopes.

    Parameters
    ----------
    elevation : DataArray of shape (y, x)
        Metres; NaN marks gaps.
    method : 'horn' or 'zevenbergen-thorne'
        Of the gradient.

    Returns
    -------
    DataArray of shape (y, x), float32
        From -1 (falls west) to 1 (falls east), 0 where it is flat. NaN in gaps and beside them.

    References
    ----------
    .. [1] Horn (1981). Hill shading and the reflectance map. Proceedings of the IEEE 69(1).
    .. [2] Zevenbergen and Thorne (1987). Quantitative analysis of land surface topography. Earth
       Surface Processes and Landforms 12(1).
    """
    derive(block, out[None], cell, {"eastness": 0}, method)


@operation(halo=one_cell, units="1", joint=asks("northness"))
def northness(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    method: str = "horn",
) -> None:
    """
    Cosine of the aspect: how much the ground falls to the north.

    With eastness it shows preferred directions, such as dip slopes.

    Parameters
    ----------
    elevation : DataArray of shape (y, x)
        Metres; NaN marks gaps.
    method : 'horn' or 'zevenbergen-thorne'
        Of the gradient.

    Returns
    -------
    DataArray of shape (y, x), float32
        From -1 (falls south) to 1 (falls north), 0 where it is flat. NaN in gaps and beside them.

    References
    ----------
    .. [1] Horn (1981). Hill shading and the reflectance map. Proceedings of the IEEE 69(1).
    .. [2] Zevenbergen and Thorne (1987). Quantitative analysis of land surface topography. Earth
       Surface Processes and Landforms 12(1).
    """
    derive(block, out[None], cell, {"northness": 0}, method)


@operation(halo=one_cell, units="1/m", joint=asks("profile_curvature"))
def profile_curvature(
    block: Array,
    *,
    out: Array,
    cell: Cell,
) -> None:
    """
    Curvature of the ground down its slope.

    Convex breaks mark resistant beds, concave ones soft rock and faults.

    Parameters
    ----------
    elevation : DataArray of shape (y, x)
        Metres; NaN marks gaps.

    Returns
    -------
    DataArray of shape (y, x), float32
        Per metre, positive where convex, 0 where it is flat. NaN in gaps and beside them.

    References
    ----------
    .. [1] Zevenbergen and Thorne (1987). Quantitative analysis of land surface topography. Earth
       Surface Processes and Landforms 12(1).
    """
    derive(block, out[None], cell, {"profile_curvature": 0})


@operation(halo=one_cell, units="1/m", joint=asks("plan_curvature"))
def plan_curvature(
    block: Array,
    *,
    out: Array,
    cell: Cell,
) -> None:
    """
    Curvature of the ground across its slope.

    Spurs are convex and hollows concave: where water, and what it carries, gathers.

    Parameters
    ----------
    elevation : DataArray of shape (y, x)
        Metres; NaN marks gaps.

    Returns
    -------
    DataArray of shape (y, x), float32
        Per metre, positive on spurs, 0 where it is flat. NaN in gaps and beside them.

    References
    ----------
    .. [1] Zevenbergen and Thorne (1987). Quantitative analysis of land surface topography. Earth
       Surface Processes and Landforms 12(1).
    """
    derive(block, out[None], cell, {"plan_curvature": 0})


@operation(halo=one_cell, units="1/m", joint=asks("total_curvature"))
def total_curvature(
    block: Array,
    *,
    out: Array,
    cell: Cell,
) -> None:
    """
    Curvature of the ground in all, profile and plan together.

    Positive on ridges and knolls, negative in valleys and pits.

    Parameters
    ----------
    elevation : DataArray of shape (y, x)
        Metres; NaN marks gaps.

    Returns
    -------
    DataArray of shape (y, x), float32
        Per metre, positive where convex. NaN in gaps and beside them.

    References
    ----------
    .. [1] Zevenbergen and Thorne (1987). Quantitative analysis of land surface topography. Earth
       Surface Processes and Landforms 12(1).
    """
    derive(block, out[None], cell, {"total_curvature": 0})


@operation(halo=one_cell, units="{unit}", joint=asks("ruggedness"))
def ruggedness(
    block: Array,
    *,
    out: Array,
    cell: Cell,
) -> None:
    """
    Riley's terrain ruggedness index over 3 × 3 cells.

    Root of the summed squared differences to the eight neighbours.

    Parameters
    ----------
    elevation : DataArray of shape (y, x)
        Metres; NaN marks gaps.

    Returns
    -------
    DataArray of shape (y, x), float32
        In the elevation's unit. NaN in gaps and beside them.

    References
    ----------
    .. [1] Riley, DeGloria and Elliot (1999). A terrain ruggedness index that quantifies
       topographic heterogeneity. Intermountain Journal of Sciences 5.
    """
    derive(block, out[None], cell, {"ruggedness": 0})


@operation(halo=one_cell, units="{unit}", joint=asks("roughness"))
def roughness(
    block: Array,
    *,
    out: Array,
    cell: Cell,
) -> None:
    """
    Highest less lowest elevation of 3 × 3 cells.

    Relief at the scale of a cell.

    Parameters
    ----------
    elevation : DataArray of shape (y, x)
        Metres; NaN marks gaps.

    Returns
    -------
    DataArray of shape (y, x), float32
        In the elevation's unit. NaN in gaps and beside them.

    References
    ----------
    .. [1] Wilson et al. (2007). Multiscale terrain analysis of multibeam bathymetry data.
       Marine Geodesy 30(1-2).
    """
    derive(block, out[None], cell, {"roughness": 0})


@operation(halo=one_cell, units="1", joint=asks("hillshade"))
def hillshade(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    azimuth: float = 315.0,
    altitude: float = 45.0,
    method: str = "horn",
) -> None:
    """
    How bright the ground is under one light.

    Lineaments show under a light across their strike.

    Parameters
    ----------
    elevation : DataArray of shape (y, x)
        Metres; NaN marks gaps.
    azimuth, altitude : float
        Of the light: degrees clockwise from grid north, and above the horizon.
    method : 'horn' or 'zevenbergen-thorne'
        Of the gradient.

    Returns
    -------
    DataArray of shape (y, x), float32
        From 0 (in its own shade) to 1. NaN in gaps and beside them.

    References
    ----------
    .. [1] Horn (1981). Hill shading and the reflectance map. Proceedings of the IEEE 69(1).
    """
    if not 0 <= altitude <= 90:
        raise RecipeError(f"'altitude' is from 0 to 90 degrees, but {altitude:g} came.")
    derive(block, out[None], cell, {"hillshade": 0}, method, (azimuth, altitude))


@operation(halo=around, anchored=True, joint=windows.asks("position"))
def topographic_position(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    radius: float,
    min_valid: float = 0.25,
) -> None:
    """
    Height above the mean of the surroundings.

    Ridges are positive and valleys negative; on slopes and plains it is about 0. The wider
    the window, the larger the forms.

    Parameters
    ----------
    elevation : DataArray of shape (y, x)
        Metres; NaN marks gaps.
    radius : float
        Reach of the square window to every side, metres.
    min_valid : float
        Share of the window's cells that must hold a value.

    Returns
    -------
    DataArray of shape (y, x), float32
        In the elevation's unit. NaN in gaps and where the window holds too few values.

    References
    ----------
    .. [1] Weiss (2001). Topographic position and landforms analysis. ESRI User Conference.
    """
    from prospect._kernels import focal as kernels

    rows, cols = cell.halo(radius)
    needed = fewest((2 * rows + 1) * (2 * cols + 1), min_valid)
    kernels.box_moments(block, rows, cols, grid.LATTICE, needed, 0, -1, -1, out[None])
    height, width = out.shape
    np.subtract(block[rows : rows + height, cols : cols + width], out, out=out)


@operation(halo=around_and_one, units="1", anchored=True)
def vector_ruggedness(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    radius: float,
    min_valid: float = 0.25,
    method: str = "horn",
) -> None:
    """
    Ruggedness of the surroundings, whatever their slope: spread of the normals.

    Tells broken ground from ground that is merely steep.

    Parameters
    ----------
    elevation : DataArray of shape (y, x)
        Metres; NaN marks gaps.
    radius : float
        Reach of the square window to every side, metres.
    min_valid : float
        Share of the window's cells that must have a normal.
    method : 'horn' or 'zevenbergen-thorne'
        Of the gradient.

    Returns
    -------
    DataArray of shape (y, x), float32
        From 0 (a plane) to 1. NaN in gaps, beside them, and where the window holds too few values.

    References
    ----------
    .. [1] Sappington, Longshore and Thompson (2007). Quantifying landscape ruggedness for animal
       habitat analysis. Journal of Wildlife Management 71(5).
    """
    from prospect._kernels import focal as kernels

    rows, cols = cell.halo(radius)
    needed = fewest((2 * rows + 1) * (2 * cols + 1), min_valid)
    normals = np.empty((3, block.shape[0] - 2, block.shape[1] - 2), np.float32)
    derive(block, normals, cell, {"normal": 0}, method)
    # Normals have length 1, so their variances add up to 1 - (mean normal)²: unlike that
    # difference they keep their digits where the ground is smooth.
    spread, part = np.zeros(out.shape), np.empty_like(out)
    for axis in normals:
        kernels.box_moments(axis, rows, cols, grid.LATTICE, needed, -1, 0, -1, part[None])
        spread += np.square(part, dtype=np.float64)
    out[:] = spread / (1 + np.sqrt(np.maximum(1 - spread, 0)))


@operation(halo=one_cell, columns=some_outputs, units="", joint=(SURFACE, some_outputs))
def terrain_derivatives(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    outputs: list[str],
    method: str = "horn",
) -> None:
    """
    Several derivatives of the ground in one pass over it.

    The same values as the single operations give, for little more than one of them costs.

    Parameters
    ----------
    elevation : DataArray of shape (y, x)
        Metres; NaN marks gaps.
    outputs : list of str
        Any of 'slope', 'aspect', 'eastness', 'northness', 'profile_curvature',
        'plan_curvature', 'total_curvature', 'ruggedness', 'position' (height above the mean
        of the eight neighbours), 'roughness', 'hillshade' (light from 315°, 45° high).
    method : 'horn' or 'zevenbergen-thorne'
        Of the gradient.

    Returns
    -------
    DataArray of shape (feature, y, x), float32
        One plane an output, each in the unit of the operation of that name. NaN in gaps
        and beside them.
    """
    wanted = require_outputs(outputs, OUTPUTS)
    derive(block, out, cell, {name: k for k, name in enumerate(wanted)}, method)
