"""Gaussian means and their differences, gaps skipped; what a gap is stays one."""

from __future__ import annotations

import numpy as np

from prospect import grid
from prospect.errors import RecipeError
from prospect.features.operation import Array, Parameters, operation
from prospect.features.windows import require_length, require_share
from prospect.grid import Cell

TAIL = 4.0
"""A Gaussian ends after so many of its sigmas: 6e-5 of its weight lie beyond."""


def within_sigma(cell: Cell, parameters: Parameters) -> tuple[int, int]:
    """Rows and columns that the widest Gaussian reaches to."""
    names = [name for name in ("sigma", "fine", "coarse") if name in parameters]
    return cell.halo(TAIL * max(require_length(n, float(parameters[n])) for n in names))


def bell(sigma: float, step: float, count: int) -> Array:
    """Weights of a Gaussian on cells, as many to both sides as it reaches; they add up to 1."""
    distance = np.arange(-count, count + 1) * step
    weights = np.exp(-0.5 * (distance / sigma) ** 2)
    return np.asarray(weights / weights.sum())


def smooth(block: Array, out: Array, cell: Cell, sigma: float, min_valid: float) -> None:
    """Fill ``out`` with a Gaussian mean; the block may carry more halo than it needs."""
    from prospect._kernels import smoothing as kernels

    least = max(require_share("min_valid", min_valid), 1e-9)
    rows, cols = cell.halo(TAIL * sigma)
    spare_rows = (block.shape[0] - out.shape[0]) // 2 - rows
    spare_cols = (block.shape[1] - out.shape[1]) // 2 - cols
    near = block[spare_rows : block.shape[0] - spare_rows, spare_cols : block.shape[1] - spare_cols]
    down = bell(sigma, cell.dy, rows).astype(np.float32)
    across = bell(sigma, cell.dx, cols).astype(np.float32)
    # Sums of weights are good to less than 1e-6: a share that is just reached counts.
    least = max(least - 1e-6, 1e-9)
    kernels.weighted_mean(np.ascontiguousarray(near), down, across, least, grid.LATTICE, out)


@operation(halo=within_sigma, anchored=True)
def gaussian(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    sigma: float,
    min_valid: float = 0.25,
) -> None:
    """
    Mean of the surroundings, weighted by a Gaussian of the distance.

    Smooths without the corners of a box; gaps weigh nothing (normalised convolution [1]_).
    The bell is cut at 4 sigma, where 6e-5 of its weight are left. Sums are float32, about
    the middle of each lattice block where values lie far from 0: good to 1e-6 of them.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
        Any continuous layer; NaN marks gaps.
    sigma : float
        Width of the bell, metres.
    min_valid : float
        Share of the weight that must lie on values.

    Returns
    -------
    DataArray of shape (y, x), float32
        In the layer's unit. NaN in gaps and where the window holds too few values.

    References
    ----------
    .. [1] Knutsson and Westin (1993). Normalized and differential convolution. CVPR.
    """
    smooth(block, out, cell, sigma, min_valid)


@operation(halo=within_sigma, anchored=True)
def difference_of_gaussians(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    fine: float,
    coarse: float,
    min_valid: float = 0.25,
) -> None:
    """
    A fine Gaussian mean less a coarse one: what is there at a scale between the two.

    Finds anomalies of one size, and neither the noise below nor the region above.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
        Any continuous layer; NaN marks gaps.
    fine, coarse : float
        Sigmas of the two, metres.
    min_valid : float
        Share of each bell's weight that must lie on values.

    Returns
    -------
    DataArray of shape (y, x), float32
        In the layer's unit. NaN in gaps and where the window holds too few values.

    References
    ----------
    .. [1] Marr and Hildreth (1980). Theory of edge detection. Proceedings of the Royal
       Society B 207.
    """
    if not fine < coarse:
        raise RecipeError(f"'fine' must be less than 'coarse', but {fine:g} and {coarse:g} came.")
    region = np.empty_like(out)
    smooth(block, region, cell, coarse, min_valid)
    smooth(block, out, cell, fine, min_valid)
    out -= region
