"""Filters of a field by wavenumber, lattice block by lattice block.

Every block is transformed from the same window, whatever the tile: the block and ``reach``
cells around it. The window's own plane is taken out, gaps are filled from around them,
coarse to fine, and the window is mirrored at its rims and tapered there. So the answer
differs from that of one transform of the whole map, by as much as each operation states,
but never by tile.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import fft

from prospect import grid
from prospect.errors import RecipeError
from prospect.features.operation import Array, Parameters
from prospect.grid import Cell

REACH = 64
"""Cells that a window reaches beyond its block, if nothing else is said."""

MOST_REACH = 1024
"""Cells beyond which windows would be too large for memory."""

RELAXATIONS = 8
"""Passes by which a fill settles at every coarseness."""

FilterOf = Callable[[Array, Array], Array]
"""From wavenumbers east and north, radians a metre, to the factors of a spectrum."""


def reach_cells(cell: Cell, reach: float) -> tuple[int, int]:
    """Rows and columns of a reach in metres; 64 cells for 0."""
    if not 0 <= reach < np.inf:
        raise RecipeError(f"'reach' is a length in metres, 0 for {REACH} cells; {reach:g} came.")
    rows, cols = cell.halo(reach) if reach else (REACH, REACH)
    if max(rows, cols) > MOST_REACH:
        raise RecipeError(
            f"A window reaches {MOST_REACH} cells at most, but {max(rows, cols)} came: "
            "use a smaller height or reach, or larger cells."
        )
    return rows, cols


def within_reach(cell: Cell, parameters: Parameters) -> tuple[int, int]:
    """Halo of an operation whose windows reach ``reach`` metres."""
    return reach_cells(cell, float(parameters["reach"]))


def filtered(
    block: Array,
    cell: Cell,
    halo: tuple[int, int],
    filter_of: FilterOf,
    shape: tuple[int, ...],
    plane_stays: bool,
) -> Array:
    """
    A field of ``shape``, filtered; the block carries ``halo`` on every side.

    ``plane_stays`` says whether the filter leaves a plane as it is, or takes it out.
    """
    rows, cols = halo
    side = grid.LATTICE
    tall, broad = -shape[0] % side, -shape[1] % side
    # The last blocks may be cut off by the map's edge: their windows are whole all the same.
    block = np.pad(block, ((0, tall), (0, broad)), constant_values=np.nan)
    size = (side + 2 * rows, side + 2 * cols)
    rims = (max(rows // 2, 1), max(cols // 2, 1))
    padded = tuple(
        fft.next_fast_len(n + 2 * rim, real=True) for n, rim in zip(size, rims, strict=True)
    )
    north = -2 * np.pi * fft.fftfreq(padded[0], cell.dy)[:, None]
    east = 2 * np.pi * fft.rfftfreq(padded[1], cell.dx)[None, :]
    factors = filter_of(east, north)
    fade = taper(size[0], rims[0])[:, None] * taper(size[1], rims[1])[None, :]
    mirror = ((rims[0], rims[0]), (rims[1], rims[1]))
    core = (
        slice(rims[0] + rows, rims[0] + rows + side),
        slice(rims[1] + cols, rims[1] + cols + side),
    )
    inner = (slice(rows, rows + side), slice(cols, cols + side))
    out = np.empty((shape[0] + tall, shape[1] + broad), np.float64)
    for y in range(0, out.shape[0], side):
        for x in range(0, out.shape[1], side):
            near = block[y : y + size[0], x : x + size[1]].astype(np.float64)
            place = (slice(y, y + side), slice(x, x + side))
            valid = np.isfinite(near)
            if not valid[inner].any():
                out[place] = np.nan
                continue
            plane = plane_of(near, valid)
            near = fill(np.where(valid, near - plane, 0.0), valid.astype(np.float64))
            near = np.pad(near, mirror, mode="symmetric") * fade
            spectrum = fft.rfft2(near, padded, workers=1) * factors
            answer = fft.irfft2(spectrum, padded, workers=1)[core]
            if plane_stays:
                answer = answer + plane[inner]
            out[place] = np.where(valid[inner], answer, np.nan)
    return out[: shape[0], : shape[1]]


def taper(size: int, rim: int) -> Array:
    """1 over ``size`` cells, falling to 0 as a cosine over the rims on both sides of them."""
    edge = 0.5 - 0.5 * np.cos(np.pi * (np.arange(rim) + 0.5) / rim)
    return np.concatenate([edge, np.ones(size), edge[::-1]])


def plane_of(values: Array, valid: Array) -> Array:
    """The plane of least squares through the valid values."""
    y, x = np.meshgrid(
        np.linspace(-1, 1, values.shape[0]), np.linspace(-1, 1, values.shape[1]), indexing="ij"
    )
    count = float(valid.sum())
    # Sums in one fixed order, no BLAS: the same window gives the same bits.
    mean, mean_x, mean_y = (
        float(np.sum(np.where(valid, term, 0.0))) / count for term in (values, x, y)
    )
    x, y = x - mean_x, y - mean_y
    at_x, at_y, held = (np.where(valid, term, 0.0) for term in (x, y, values - mean))
    xx, xy, yy = (float(np.sum(p * q)) for p, q in ((at_x, at_x), (at_x, at_y), (at_y, at_y)))
    right_x, right_y = float(np.sum(at_x * held)), float(np.sum(at_y * held))
    # A line of cells has a slope along itself only; the little added settles the other at 0.
    little = 1e-9 * (xx + yy) + 1e-12
    xx, yy = xx + little, yy + little
    bottom = xx * yy - xy * xy
    slope_x = (yy * right_x - xy * right_y) / bottom
    slope_y = (xx * right_y - xy * right_x) / bottom
    return np.asarray(mean + slope_x * x + slope_y * y)


def fill(values: Array, weights: Array) -> Array:
    """
    Values with gaps (weight 0) filled smoothly from around them.

    Coarse to fine, each picture relaxed so that it meets the values without a step: near
    to the harmonic fill, at the cost of a few passes.
    """
    if weights.all() or max(values.shape) == 1:
        return values
    tall, broad = values.shape[0] % 2, values.shape[1] % 2
    w = np.pad(weights, ((0, tall), (0, broad)))
    v = np.pad(values, ((0, tall), (0, broad))) * w
    total = w[::2, ::2] + w[1::2, ::2] + w[::2, 1::2] + w[1::2, 1::2]
    sums = v[::2, ::2] + v[1::2, ::2] + v[::2, 1::2] + v[1::2, 1::2]
    known = total > 0
    coarse = np.where(known, sums / np.where(known, total, 1.0), 0.0)
    coarse = fill(coarse, known.astype(np.float64))
    finer = _finer(_finer(coarse).T).T[: values.shape[0], : values.shape[1]]
    out = np.where(weights > 0, values, finer)
    for _ in range(RELAXATIONS):
        around = np.pad(out, 1, mode="edge")
        mean = around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:]
        out = np.where(weights > 0, values, 0.25 * mean)
    return out


def _finer(coarse: Array) -> Array:
    """Twice the rows, interpolated between the centres of the coarse ones."""
    above = np.concatenate([coarse[:1], coarse[:-1]])
    below = np.concatenate([coarse[1:], coarse[-1:]])
    out = np.empty((2 * coarse.shape[0], coarse.shape[1]))
    out[::2] = 0.75 * coarse + 0.25 * above
    out[1::2] = 0.75 * coarse + 0.25 * below
    return out
