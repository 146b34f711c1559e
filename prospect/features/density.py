"""What lies around a cell per area: windows of even weight, or of a Gaussian's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prospect.errors import RecipeError
from prospect.features.operation import Array, Parameters
from prospect.features.smoothing import TAIL, bell, smooth
from prospect.features.windows import moments, reach_of, require_length
from prospect.grid import Cell

SHARE = 16
"""Room is made for one cell in so many; more, once more are counted."""


def within(cell: Cell, parameters: Parameters) -> tuple[int, int]:
    """Rows and columns that ``radius`` or ``sigma`` reaches to."""
    return cell.halo(_reach(parameters.get("radius"), parameters.get("sigma")))


def per_area(
    block: Array,
    out: Array,
    cell: Cell,
    radius: float | None,
    sigma: float | None,
    shape: str,
    unit: float,
) -> None:
    """Fill ``out`` with what cells hold per km² of the window inside the grid, in ``unit``."""
    _reach(radius, sigma)
    if sigma is not None:
        smooth(block, out, cell, sigma, 0.0)
    else:
        assert radius is not None
        moments(block, out[None], cell, radius, 0.0, shape, (0, -1, -1))
    out *= np.float32(1e6 / unit / (cell.dy * cell.dx))


@dataclass(frozen=True)
class Entries:
    """The cells of a block that are not 0 in its first plane, by rows, and which lie inside."""

    starts: Array
    columns: Array
    values: Array
    rows_in: Array
    cols_in: Array


def entries(blocks: Sequence[Array], rows: int, cols: int) -> Entries:
    """What is in blocks with a halo, whose cells beyond the grid are gaps."""
    from prospect._kernels import sparse as kernels

    first = blocks[0]
    starts = np.empty(first.shape[0] + 1, np.int64)
    columns = np.empty(first.size // SHARE, np.int64)
    kernels.find(first, starts, columns)
    if starts[-1] > columns.size:
        columns = np.empty(starts[-1], np.int64)
        kernels.find(first, starts, columns)
    values = np.empty((len(blocks), starts[-1]), np.float32)
    for block, line in zip(blocks, values, strict=True):
        kernels.pick(block, starts, columns, line)
    return Entries(
        starts, columns, values, np.isfinite(first[:, cols]), np.isfinite(first[rows, :])
    )


def sparse_means(
    blocks: Sequence[Array], out: Array, cell: Cell, sigma: float, factor: float = 1.0
) -> None:
    """Fill planes with means under a bell of blocks that are 0 nearly everywhere."""
    from prospect._kernels import sparse as kernels

    rows, cols = cell.halo(_reach(None, sigma))
    e = entries(blocks, rows, cols)
    bells = bell(sigma, cell.dy, rows), bell(sigma, cell.dx, cols)
    kernels.bell_means(e.starts, e.columns, e.values, *bells, e.rows_in, e.cols_in, factor, out)


def sparse_per_area(
    block: Array,
    out: Array,
    cell: Cell,
    radius: float | None,
    sigma: float | None,
    shape: str,
    unit: float,
) -> None:
    """As :func:`per_area`, for a block of fixed-point numbers that are 0 nearly everywhere."""
    from prospect._kernels import sparse as kernels

    factor = 1e6 / unit / (cell.dy * cell.dx)
    rows, cols = cell.halo(_reach(radius, sigma))
    if sigma is not None:
        sparse_means([block], out[None], cell, sigma, factor)
        return
    assert radius is not None
    reach, _ = reach_of(cell, radius, shape)
    e = entries([block], rows, cols)
    kernels.disc_means(
        e.starts, e.columns, e.values, reach, cols, e.rows_in, e.cols_in, factor, out
    )


def sparse_variance(
    blocks: Sequence[Array],
    out: Array,
    cell: Cell,
    radius: float | None,
    sigma: float | None,
    shape: str,
) -> None:
    """Fill ``out`` with the circular variance of vectors: their lengths, and two components."""
    from prospect._kernels import sparse as kernels

    rows, cols = cell.halo(_reach(radius, sigma))
    if sigma is not None:
        means = np.empty((3, *out.shape), np.float32)
        sparse_means(blocks, means, cell, sigma)
        kernels.variance(means[0].ravel(), means[1].ravel(), means[2].ravel(), out.ravel())
        return
    assert radius is not None
    reach, _ = reach_of(cell, radius, shape)
    e = entries(blocks, rows, cols)
    kernels.disc_variance(e.starts, e.columns, e.values, reach, cols, out)


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
