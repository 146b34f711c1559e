"""Filters of a field by wavenumber: lattice block by lattice block, or a whole map at once.

Every block is transformed from the same window, whatever the tile: the block and ``reach``
cells around it. The plane of a window or map is taken out, gaps are filled from around
them, coarse to fine, and it is mirrored at its rims and tapered there. So the answer by
windows differs from that of one transform of the whole map, by as much as each operation
states, but never by tile. Transforms are in single precision, planes in double.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

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

MOST_CELLS = 2**26
"""Cells of a map beyond which it is not transformed whole: that takes about 20 bytes a cell."""

WHOLE_RIM = 256
"""Cells, at most, over which a whole map is mirrored and fades."""

RELAXATIONS = 8
"""Passes by which a fill settles at every coarseness."""

FilterOf = Callable[[Array, Array], Array]
"""From wavenumbers east and north, radians a metre, to the factors of a spectrum."""


def reach_cells(cell: Cell, reach: float) -> tuple[int, int]:
    """Rows and columns of a reach in metres; 64 cells for 0."""
    if not 0 <= reach < np.inf:
        raise RecipeError(f"'reach' is a length in metres, 0 for {REACH} cells; {reach:g} came.")
    rows, cols = cell.halo(reach) if reach else (REACH, REACH)
    rows, cols = max(rows, 1), max(cols, 1)
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
    side, inner = grid.LATTICE, (halo[0] // count, halo[1] // count)
    larger = Cell(cell.dy * count, cell.dx * count)
    margin = 0 if count == 1 else 1
    window = LatticeWindow(side // count, inner, larger, filter_of, plane_stays, margin)
    coarse = averaged(block, count)
    out = np.empty(shape, np.float64)
    for y in range(0, shape[0], side):
        for x in range(0, shape[1], side):
            part = out[y : y + side, x : x + side]
            valid = np.isfinite(
                block[y + halo[0] :, x + halo[1] :][: part.shape[0], : part.shape[1]]
            )
            if not valid.any():
                part[:] = np.nan
                continue
            near = window.around(coarse, y // count, x // count)
            answer = refined(window.apply(near), count)
            part[:] = np.where(valid, answer[: part.shape[0], : part.shape[1]], np.nan)
    return out


def filtered_whole(block: Array, cell: Cell, filter_of: FilterOf, plane_stays: bool) -> Array:
    """
    A whole map filtered in one transform; gaps stay gaps.

    Raises
    ------
    RecipeError
        If it has more cells than memory is sure to hold.
    """
    require_whole(block.shape)
    rims = [min(max(n // 8, 1), n, WHOLE_RIM) for n in block.shape]
    valid = np.isfinite(block)
    if not valid.any():
        return np.full(block.shape, np.nan, np.float32)
    every = [slice(0, n) for n in block.shape]
    window = Transform(block.shape, rims, every, cell, filter_of, plane_stays)
    answer = window.apply(block)
    answer[~valid] = np.nan
    return answer


def require_whole(shape: tuple[int, ...]) -> None:
    """Check that a map is small enough to be transformed whole."""
    cells = shape[0] * shape[1]
    if cells > MOST_CELLS:
        raise RecipeError(
            f"A map that is transformed whole has {MOST_CELLS} cells at most, but there are "
            f"{cells}: take larger cells or a part of it."
        )


class Transform:
    """
    A filter made ready for maps or windows of one size.

    Parameters
    ----------
    sizes : (int, int)
    rims : (int, int)
        Cells over which it is mirrored and fades at every side.
    inner : (slice, slice)
        Rows and columns of the answer.
    cell : Cell
    filter_of : FilterOf
    plane_stays : bool
        Whether the filter leaves a plane as it is, or takes it out.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        rims: Sequence[int],
        inner: Sequence[slice],
        cell: Cell,
        filter_of: FilterOf,
        plane_stays: bool,
    ) -> None:
        self.sizes, self.inner = tuple(sizes), tuple(inner)
        self.shape = tuple(
            fft.next_fast_len(n + 2 * rim, real=True) for n, rim in zip(sizes, rims, strict=True)
        )
        self.factors = factors_of(filter_of, self.shape, cell)
        self.fades = [taper(rim) for rim in rims]
        self.plane_stays = plane_stays

    def apply(self, near: Array) -> Array:
        """The inner part of a map, filtered; float32."""
        valid = np.isfinite(near)
        whole = bool(valid.all())
        if not whole:
            near = np.where(valid, near, np.float32(np.nan))
        values, plane = without_plane(near, valid)
        if not whole:
            values = fill(values, valid)
        places = [
            slice(part.start + fade.size, part.stop + fade.size)
            for part, fade in zip(self.inner, self.fades, strict=True)
        ]
        spectrum = np.ascontiguousarray(self.transform(values)[places[0]])
        answer = fft.irfft(spectrum, self.shape[1], axis=1, workers=1)[:, places[1]]
        if self.plane_stays:
            base, north, east = plane
            y, x = (2 * np.arange(n) / max(n - 1, 1) - 1 for n in self.sizes)
            answer = answer + east * x[None, self.inner[1]]
            answer += base + north * y[self.inner[0], None]
        return np.ascontiguousarray(answer)

    def transform(self, values: Array) -> Array:
        """Rows of the filtered window, still as spectra along themselves."""
        from prospect._kernels import potential as kernels

        # Mirrored rows are scaled rows: they need no transform of their own.
        lines = np.empty((values.shape[0], self.shape[1]), np.float32)
        kernels.mirrored(values, self.fades[1], lines)
        rows = fft.rfft(lines, axis=1, workers=1)
        rim, size = self.fades[0].size, values.shape[0]
        spectrum = np.zeros((self.shape[0], rows.shape[1]), rows.dtype)
        spectrum[rim : rim + size] = rows
        fade = self.fades[0][:, None]
        spectrum[:rim] = (rows[:rim] * fade)[::-1]
        spectrum[rim + size : size + 2 * rim] = rows[::-1][:rim] * fade
        spectrum = fft.fft(spectrum, axis=0, overwrite_x=True, workers=1)
        spectrum *= self.factors
        return np.asarray(fft.ifft(spectrum, axis=0, overwrite_x=True, workers=1))


class LatticeWindow(Transform):
    """A filter made ready for the windows of lattice blocks."""

    def __init__(
        self,
        side: int,
        halo: tuple[int, int],
        cell: Cell,
        filter_of: FilterOf,
        plane_stays: bool,
        margin: int = 0,
    ) -> None:
        sizes = [side + 2 * cells for cells in halo]
        rims = [max(cells // 2, 1) for cells in halo]
        inner = [slice(cells - margin, cells + side + margin) for cells in halo]
        super().__init__(sizes, rims, inner, cell, filter_of, plane_stays)

    def around(self, block: Array, y: int, x: int) -> Array:
        """
        A copy of the window around the lattice block at a place of a field with its halo.

        The last blocks may be cut off by the map's edge: their windows are whole all the same.
        """
        near = np.full(self.sizes, np.nan, np.float32)
        some = block[y : y + self.sizes[0], x : x + self.sizes[1]]
        near[: some.shape[0], : some.shape[1]] = some
        return near


def factors_of(filter_of: FilterOf, shape: tuple[int, ...], cell: Cell) -> Array:
    """A filter at the wavenumbers of a real transform, in single precision."""
    north = -2 * np.pi * fft.fftfreq(shape[0], cell.dy)[:, None]
    east = 2 * np.pi * fft.rfftfreq(shape[1], cell.dx)[None, :]
    factors = filter_of(east, north)
    return factors.astype(np.complex64 if np.iscomplexobj(factors) else np.float32)


def without_plane(values: Array, valid: Array) -> tuple[Array, tuple[float, float, float]]:
    """Values less their plane of least squares; its middle, and its rise to half a side."""
    from prospect._kernels import potential as kernels

    sums = np.empty(9)
    shift = float(values.ravel()[valid.argmax()])
    kernels.moments(values, shift, sums)
    count, mean_y, mean_x = sums[0], sums[1] / sums[0], sums[2] / sums[0]
    yy, xy, xx = sums[3:6] - count * np.array([mean_y**2, mean_y * mean_x, mean_x**2])
    right_y, right_x = sums[7] - mean_y * sums[6], sums[8] - mean_x * sums[6]
    # A line of cells has a slope along itself only; the little added settles the other at 0.
    little = 1e-9 * (xx + yy) + 1e-12
    xx, yy = xx + little, yy + little
    bottom = xx * yy - xy * xy
    north = (xx * right_y - xy * right_x) / bottom
    east = (yy * right_x - xy * right_y) / bottom
    base = shift + sums[6] / count - north * mean_y - east * mean_x
    plane = float(base), float(north), float(east)
    out = np.empty_like(values)
    kernels.levelled(values, plane, out)
    return out, plane


def averaged(block: Array, count: int) -> Array:
    """Means of the valid ones of ``count`` by ``count`` cells; gaps where there are none."""
    from prospect._kernels import potential as kernels

    if count == 1:
        return block
    coarse = np.empty((-(-block.shape[0] // count), -(-block.shape[1] // count)), np.float32)
    kernels.averaged(np.ascontiguousarray(block, np.float32), count, coarse)
    return coarse


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


def taper(rim: int) -> Array:
    """From 1 to 0 as a cosine, over the cells of a rim outward."""
    edge = 0.5 + 0.5 * np.cos(np.pi * (np.arange(rim) + 0.5) / rim)
    return edge.astype(np.float32)


def fill(values: Array, known: Array) -> Array:
    """
    Values with gaps filled smoothly from around them.

    Coarse to fine, each picture relaxed so that it meets the values without a step: near
    to the harmonic fill, at the cost of a few passes.
    """
    from prospect._kernels import potential as kernels

    if known.all() or max(values.shape) == 1:
        return values
    shape = -(-values.shape[0] // 2), -(-values.shape[1] // 2)
    coarse, some = np.empty(shape, np.float32), np.empty(shape, np.bool_)
    kernels.halved(values, known, coarse, some)
    gaps = ~known
    ends = np.stack([gaps.argmax(axis=1), gaps.shape[1] - gaps[:, ::-1].argmax(axis=1)], axis=1)
    ends[~gaps.any(axis=1)] = 0
    out = values.copy()
    kernels.filled(fill(coarse, some), known, ends, RELAXATIONS, out)
    return out
