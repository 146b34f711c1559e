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
    count: int = 1,
) -> Array:
    """
    A field of ``shape``, filtered; the block carries ``halo`` on every side.

    ``plane_stays`` says whether the filter leaves a plane as it is, or takes it out. For a
    filter that leaves nothing fine, ``count`` by ``count`` cells are averaged before, and
    interpolated after; it cuts the lattice and the halo.
    """
    side = grid.LATTICE
    tall, broad = -shape[0] % side, -shape[1] % side
    # The last blocks may be cut off by the map's edge: their windows are whole all the same.
    block = np.pad(block, ((0, tall), (0, broad)), constant_values=np.nan)
    window = _Window(
        side // count,
        (halo[0] // count, halo[1] // count),
        Cell(cell.dy * count, cell.dx * count),
        filter_of,
        plane_stays,
        0 if count == 1 else 1,
    )
    out = np.empty((shape[0] + tall, shape[1] + broad), np.float64)
    for y in range(0, out.shape[0], side):
        for x in range(0, out.shape[1], side):
            near = block[y : y + side + 2 * halo[0], x : x + side + 2 * halo[1]]
            place = (slice(y, y + side), slice(x, x + side))
            valid = np.isfinite(near[halo[0] : halo[0] + side, halo[1] : halo[1] + side])
            if not valid.any():
                out[place] = np.nan
                continue
            answer = window.apply(*averaged(near.astype(np.float64), count))
            out[place] = np.where(valid, refined(answer, count), np.nan)
    return out[: shape[0], : shape[1]]


class _Window:
    """A filter made ready for windows of one size."""

    def __init__(
        self,
        side: int,
        halo: tuple[int, int],
        cell: Cell,
        filter_of: FilterOf,
        plane_stays: bool,
        margin: int,
    ) -> None:
        rims = [max(cells // 2, 1) for cells in halo]
        sizes = [side + 2 * cells for cells in halo]
        self.shape = tuple(
            fft.next_fast_len(n + 2 * rim, real=True) for n, rim in zip(sizes, rims, strict=True)
        )
        north = -2 * np.pi * fft.fftfreq(self.shape[0], cell.dy)[:, None]
        east = 2 * np.pi * fft.rfftfreq(self.shape[1], cell.dx)[None, :]
        self.factors = filter_of(east, north)
        self.fade = taper(sizes[0], rims[0])[:, None] * taper(sizes[1], rims[1])[None, :]
        self.mirror = [(rim, rim) for rim in rims]
        self.inner = tuple(slice(n - margin, n + side + margin) for n in halo)
        self.core = tuple(
            slice(n + rim - margin, n + rim + side + margin)
            for n, rim in zip(halo, rims, strict=True)
        )
        self.plane_stays = plane_stays

    def apply(self, values: Array, valid: Array) -> Array:
        """The window's block, and a margin around it, filtered."""
        plane = plane_of(values, valid)
        values = fill(np.where(valid, values - plane, 0.0), valid.astype(np.float64))
        values = np.pad(values, self.mirror, mode="symmetric") * self.fade
        spectrum = fft.rfft2(values, self.shape, workers=1) * self.factors
        answer = np.asarray(fft.irfft2(spectrum, self.shape, workers=1)[self.core])
        return answer + plane[self.inner] if self.plane_stays else answer


def averaged(values: Array, count: int) -> tuple[Array, Array]:
    """Means of the valid ones of ``count`` by ``count`` cells, and where there are any."""
    valid = np.isfinite(values)
    if count == 1:
        return values, valid
    shape = (values.shape[0] // count, count, values.shape[1] // count, count)
    many = valid.reshape(shape).sum(axis=(1, 3))
    sums = np.where(valid, values, 0.0).reshape(shape).sum(axis=(1, 3))
    return sums / np.maximum(many, 1), many > 0


def refined(coarse: Array, count: int) -> Array:
    """``count`` cells for every cell but the outer ring, interpolated between centres."""
    if count == 1:
        return coarse
    for _ in range(2):
        fine = (np.arange((coarse.shape[0] - 2) * count) + 0.5) / count + 0.5
        low = np.floor(fine).astype(np.int64)
        share = (fine - low)[:, None]
        coarse = (coarse[low] * (1 - share) + coarse[low + 1] * share).T
    return coarse


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
