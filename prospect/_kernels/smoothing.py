"""Weighted means with gaps: every sum starts afresh, so a tile equals the whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prospect._kernels._jit import kernel

Floats = NDArray[np.float32]


@kernel
def weighted_mean(
    block: Floats, down: Floats, across: Floats, least: float, lattice: int, out: Floats
) -> None:
    """
    Mean with weights that are a column times a row, both symmetric; gaps weigh nothing.

    In float32, about a level that each lattice block has of its own: an offset costs nothing.
    """
    height, width = out.shape
    rows, cols = down.shape[0] // 2, across.shape[0] // 2
    depth, most = 2 * rows + 1, lattice + 2 * cols
    filled, valid = np.empty(most, np.float32), np.empty(most, np.float32)
    values, weights = np.empty((depth, lattice), np.float32), np.empty((depth, lattice), np.float32)
    value, weight = np.empty(lattice, np.float32), np.empty(lattice, np.float32)
    none, zero, one = np.float32(np.inf), np.float32(0.0), np.float32(1.0)
    enough = np.float32(least)
    for top in range(0, height, lattice):
        for left in range(0, width, lattice):
            h, w = min(lattice, height - top), min(lattice, width - left)
            wide = w + 2 * cols
            level = level_of(block, top, left, h + 2 * rows, wide, filled, valid)
            for y in range(h + 2 * rows):
                row, at = block[top + y, left : left + wide], y % depth
                for x in range(wide):
                    filled[x] = row[x] - level if abs(row[x]) < none else zero
                for x in range(wide):
                    valid[x] = one if abs(row[x]) < none else zero
                weigh_along(filled, across, values[at, :w])
                weigh_along(valid, across, weights[at, :w])
                if y < 2 * rows:
                    continue
                weigh(values, at + 1, down, value[:w])
                weigh(weights, at + 1, down, weight[:w])
                y_out = top + y - 2 * rows
                centre = block[y_out + rows, left + cols : left + cols + w]
                line = out[y_out, left : left + w]
                for x in range(w):
                    known = (abs(centre[x]) < none) & (weight[x] >= enough)
                    line[x] = level + value[x] / weight[x] if known else np.float32(np.nan)


@kernel
def level_of(
    block: Floats, top: int, left: int, h: int, w: int, low: Floats, high: Floats
) -> np.float32:
    """The middle of what a rectangle holds if that is more than the range, otherwise 0."""
    none = np.float32(np.inf)
    low[:w] = none
    high[:w] = none
    for y in range(top, top + h):
        row = block[y, left : left + w]
        for x in range(w):
            value = row[x] if abs(row[x]) < none else none
            low[x] = value if value < low[x] else low[x]
        for x in range(w):
            value = -row[x] if abs(row[x]) < none else none
            high[x] = value if value < high[x] else high[x]
    lowest, highest = low[0], high[0]
    for x in range(w):
        lowest, highest = min(lowest, low[x]), min(highest, high[x])
    middle = np.float32(0.5) * lowest - np.float32(0.5) * highest
    return middle if abs(middle) > -highest - lowest else np.float32(0.0)


@kernel
def weigh(ring: Floats, first: int, down: Floats, sums: Floats) -> None:
    """Sums of columns by symmetric weights, four pairs of rows at a time."""
    depth, w = ring.shape[0], sums.shape[0]
    rows = depth // 2
    share, middle = down[rows], ring[(first + rows) % depth]
    for x in range(w):
        sums[x] = share * middle[x]
    last = first + depth - 1
    for i in range(rows % 4):
        p, a, b = down[i], ring[(first + i) % depth], ring[(last - i) % depth]
        for x in range(w):
            sums[x] += p * (a[x] + b[x])
    for i in range(rows % 4, rows, 4):
        p, a, b = down[i], ring[(first + i) % depth], ring[(last - i) % depth]
        q, c, d = down[i + 1], ring[(first + i + 1) % depth], ring[(last - i - 1) % depth]
        r, e, f = down[i + 2], ring[(first + i + 2) % depth], ring[(last - i - 2) % depth]
        s, g, h = down[i + 3], ring[(first + i + 3) % depth], ring[(last - i - 3) % depth]
        for x in range(w):
            outer, inner = p * (a[x] + b[x]) + q * (c[x] + d[x]), r * (e[x] + f[x])
            sums[x] += outer + (inner + s * (g[x] + h[x]))


@kernel
def weigh_along(values: Floats, across: Floats, sums: Floats) -> None:
    """Sums along a row by symmetric weights, four pairs of cells at a time."""
    cols, w = across.shape[0] // 2, sums.shape[0]
    share, middle, last = across[cols], values[cols : cols + w], 2 * cols
    for x in range(w):
        sums[x] = share * middle[x]
    for j in range(cols % 4):
        p, a, b = across[j], values[j:], values[last - j :]
        for x in range(w):
            sums[x] += p * (a[x] + b[x])
    for j in range(cols % 4, cols, 4):
        p, a, b = across[j], values[j:], values[last - j :]
        q, c, d = across[j + 1], values[j + 1 :], values[last - j - 1 :]
        r, e, f = across[j + 2], values[j + 2 :], values[last - j - 2 :]
        s, g, h = across[j + 3], values[j + 3 :], values[last - j - 3 :]
        for x in range(w):
            outer, inner = p * (a[x] + b[x]) + q * (c[x] + d[x]), r * (e[x] + f[x])
            sums[x] += outer + (inner + s * (g[x] + h[x]))
