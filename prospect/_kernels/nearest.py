"""How far cells are from the nearest of some points, in many dimensions: exact, patch by patch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prospect._kernels._jit import kernel

Floats = NDArray[np.float32]

SIDE = 8
LANES = SIDE * SIDE
GROUP = 4
"""Dimensions that are summed together; points have a multiple of it, the last ones 0."""

SLACK = np.float32(1.0001)
"""What rounding could hide, far more than it does."""


@kernel
def nearest_distance(
    block: Floats,
    valid: NDArray[np.bool_],
    planes: NDArray[np.int64],
    centre: Floats,
    scale: Floats,
    points: Floats,
    out: Floats,
) -> None:
    """
    Distance of each valid cell from the nearest point, in planes brought to their scale.

    A gap lies at the centre. Points (point, dimension) are on scale already. Neighbours are
    alike: what is too far from the middle of a patch is too far from all of its cells. Every
    distance is summed in one order, so the patches leave no trace in it.
    """
    height, width = valid.shape
    count, dimensions = points.shape
    by_dimension = points.T.copy()
    cells = np.zeros((dimensions, LANES), np.float32)
    middle = np.zeros(dimensions, np.float32)
    best, sums = np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    away = np.empty(count, np.float32)
    inside = np.empty(LANES, np.bool_)
    for top in range(0, height, SIDE):
        for left in range(0, width, SIDE):
            high, wide = min(SIDE, height - top), min(SIDE, width - left)
            inside[:] = False
            for i in range(high):
                for j in range(wide):
                    inside[i * SIDE + j] = valid[top + i, left + j]
            if not inside.any():
                continue
            first = np.argmax(inside)
            for d in range(planes.size):
                line, plane = cells[d], block[planes[d]]
                for i in range(high):
                    for j in range(wide):
                        value = (plane[top + i, left + j] - centre[d]) * scale[d]
                        line[i * SIDE + j] = np.float32(0.0) if np.isnan(value) else value
                low, top_value = line[first], line[first]
                for j in range(LANES):
                    if inside[j]:
                        low, top_value = min(low, line[j]), max(top_value, line[j])
                    else:
                        line[j] = line[first]
                middle[d] = np.float32(0.5) * (low + top_value)
            radius = np.float32(0.0)
            measure(cells, middle, sums, np.full(LANES, np.inf, np.float32))
            for j in range(LANES):
                radius = max(radius, sums[j])
            radius = np.sqrt(radius)
            away[:] = 0.0
            for d in range(dimensions):
                line, at = by_dimension[d], middle[d]
                for p in range(count):
                    away[p] += (line[p] - at) * (line[p] - at)
            best[:] = np.inf
            worst = np.float32(np.inf)
            nearest = int(np.argmin(away))
            for n in range(count + 1):
                p = nearest if n == 0 else n - 1
                if (n > 0 and p == nearest) or np.sqrt(away[p]) > (worst + radius) * SLACK:
                    continue
                if measure(cells, points[p], sums, best):
                    farthest = np.float32(0.0)
                    for j in range(LANES):
                        best[j] = min(best[j], sums[j])
                        farthest = max(farthest, best[j])
                    worst = np.sqrt(farthest)
            for i in range(high):
                for j in range(wide):
                    if inside[i * SIDE + j]:
                        out[top + i, left + j] = np.sqrt(best[i * SIDE + j])


@kernel
def measure(cells: Floats, point: Floats, sums: Floats, best: Floats) -> bool:
    """Squared distances from a point; false, and unfinished, where none can become the best."""
    sums[:] = 0.0
    for d in range(0, cells.shape[0], GROUP):
        a, b, c, e = cells[d], cells[d + 1], cells[d + 2], cells[d + 3]
        at, bt, ct, et = point[d], point[d + 1], point[d + 2], point[d + 3]
        for j in range(LANES):
            one, two = (a[j] - at) * (a[j] - at), (b[j] - bt) * (b[j] - bt)
            three, four = (c[j] - ct) * (c[j] - ct), (e[j] - et) * (e[j] - et)
            sums[j] += (one + two) + (three + four)
        nearer = 0
        for j in range(LANES):
            nearer += sums[j] < best[j]
        if nearer == 0:
            return False
    return True
