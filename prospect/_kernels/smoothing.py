"""Weighted means with gaps: every sum starts afresh, so a tile equals the whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prospect._kernels._jit import kernel

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@kernel
def weighted_mean(block: Floats, down: Doubles, across: Doubles, least: float, out: Floats) -> None:
    """Mean with weights that are a column times a row, both symmetric; gaps weigh nothing."""
    height, width = out.shape
    rows, cols = down.shape[0] // 2, across.shape[0] // 2
    chunk = 512
    tall, most = block.shape[0], min(chunk, width) + 2 * cols
    clean, held = np.empty((tall, most), np.float32), np.empty((tall, most), np.float32)
    value, weight = np.empty(most), np.empty(most)
    values, weights = np.empty(chunk), np.empty(chunk)
    for left in range(0, width, chunk):
        w = min(chunk, width - left)
        wide = w + 2 * cols
        for y in range(tall):
            row, filled, valid = block[y, left : left + wide], clean[y], held[y]
            for x in range(wide):
                filled[x] = row[x] if abs(row[x]) < np.inf else np.float32(0.0)
            for x in range(wide):
                valid[x] = np.float32(abs(row[x]) < np.inf)
        for y in range(height):
            weigh(clean, y, rows, wide, down, value)
            weigh(held, y, rows, wide, down, weight)
            weigh_along(value, w, across, values)
            weigh_along(weight, w, across, weights)
            centre = block[y + rows, left + cols : left + cols + w]
            line = out[y, left : left + w]
            for x in range(w):
                known = abs(centre[x]) < np.inf and weights[x] >= least
                line[x] = np.float32(values[x] / weights[x]) if known else np.float32(np.nan)


@kernel
def weigh(values: Floats, y: int, rows: int, wide: int, down: Doubles, sums: Doubles) -> None:
    """Sums of columns by symmetric weights, two pairs of rows at a time."""
    share, middle = down[rows], values[y + rows]
    for x in range(wide):
        sums[x] = share * middle[x]
    for i in range(0, rows - 1, 2):
        one, two = down[i], down[i + 1]
        a, b = values[y + i], values[y + i + 1]
        c, d = values[y + 2 * rows - i - 1], values[y + 2 * rows - i]
        for x in range(wide):
            outer, inner = np.float64(a[x]) + d[x], np.float64(b[x]) + c[x]
            sums[x] += one * outer + two * inner
    if rows % 2:
        one, b, c = down[rows - 1], values[y + rows - 1], values[y + rows + 1]
        for x in range(wide):
            sums[x] += one * (np.float64(b[x]) + c[x])


@kernel
def weigh_along(values: Doubles, w: int, across: Doubles, sums: Doubles) -> None:
    """Sums along a row by symmetric weights, two pairs of cells at a time."""
    cols = across.shape[0] // 2
    share, middle = across[cols], values[cols : cols + w]
    for x in range(w):
        sums[x] = share * middle[x]
    for j in range(0, cols - 1, 2):
        one, two = across[j], across[j + 1]
        a, b = values[j : j + w], values[j + 1 : j + 1 + w]
        c, d = values[2 * cols - j - 1 :], values[2 * cols - j :]
        for x in range(w):
            sums[x] += one * (a[x] + d[x]) + two * (b[x] + c[x])
    if cols % 2:
        one, b, c = across[cols - 1], values[cols - 1 : cols - 1 + w], values[cols + 1 :]
        for x in range(w):
            sums[x] += one * (b[x] + c[x])
