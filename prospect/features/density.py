"""What lies around a cell per area: windows of even weight, or of a Gaussian's."""

from __future__ import annotations

import numpy as np

from prospect.errors import RecipeError
from prospect.features.operation import Array, Parameters
from prospect.features.smoothing import TAIL, smooth
from prospect.features.windows import moments, require_length
from prospect.grid import Cell


def within(cell: Cell, parameters: Parameters) -> tuple[int, int]:
    """Rows and columns that ``radius`` or ``sigma`` reaches to."""
    return cell.halo(_reach(parameters.get("radius"), parameters.get("sigma")))


def circle_or_bell(
    block: Array,
    out: Array,
    cell: Cell,
    radius: float | None,
    sigma: float | None,
    shape: str,
) -> None:
    """Fill ``out`` with means of the part of the window that is inside the grid."""
    _reach(radius, sigma)
    if sigma is not None:
        smooth(block, out, cell, sigma, 0.0)
    else:
        assert radius is not None
        moments(block, out[None], cell, radius, 0.0, shape, (0, -1, -1))


def per_area(
    block: Array,
    out: Array,
    cell: Cell,
    radius: float | None,
    sigma: float | None,
    shape: str,
    unit: float,
) -> None:
    """Fill ``out`` with what cells hold per km², in ``unit``."""
    circle_or_bell(block, out, cell, radius, sigma, shape)
    out *= np.float32(1e6 / unit / (cell.dy * cell.dx))


def _reach(radius: float | None, sigma: float | None) -> float:
    if (radius is None) == (sigma is None):
        came = "neither came" if radius is None else "both came"
        raise RecipeError(
            f"A density takes either 'radius' or 'sigma', in metres, but {came}: give a radius "
            "for a window of even weight, or a sigma for a Gaussian."
        )
    if radius is not None:
        return require_length("radius", radius)
    assert sigma is not None
    return TAIL * require_length("sigma", sigma)
