"""How far cells are from the nearest of some points, in many dimensions: exact, patch by patch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prospect._kernels._jit import kernel
from prospect._kernels.patches import FEW, add_squares, aligned, below

Floats = NDArray[np.float32]

SIDE = 4
LANES = FEW
"""Cells of a patch: with more the box around them says less, with fewer it costs more."""

GROUP = 4
"""Dimensions that are summed together; points have a multiple of it, the last ones 0."""

LIKELY = 8
"""Points that are looked at first: those that were nearest to cells beside, most recently."""

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
    alike: what is too far from the box around a patch is too far from all of its cells. Every
    distance is summed in one order, so the patches leave no trace in it.
    """
    height, width = valid.shape
    count, dimensions = points.shape
    by_dimension, every = points.T.copy(), points.ravel()
    scratch = aligned((dimensions + 2) * LANES * 4).view(np.float32)
    scratch[:] = 0.0
    cells, sums, best = scratch[2 * LANES :], scratch[:LANES], scratch[LANES : 2 * LANES]
    low, up = np.zeros(dimensions, np.float32), np.zeros(dimensions, np.float32)
    away = np.empty(count, np.float32)
    inside = np.empty(LANES, np.bool_)
    likely, known = np.zeros(LIKELY, np.int64), 0
    for top in range(0, height, SIDE):
        for left in range(0, width, SIDE):
            high, wide = min(SIDE, height - top), min(SIDE, width - left)
            if not fill(block, valid, planes, centre, scale, top, left, inside, cells, low, up):
                continue
            from_box(by_dimension, low, up, away)
            best[:] = np.inf
            # What was nearest to the cells beside is likely to be, and then few others can be.
            for turn in range(min(known, LIKELY)):
                p = likely[turn]
                away[p] = np.inf
                if measure(cells, every, p * dimensions, dimensions, sums, best):
                    for j in range(LANES):
                        best[j] = min(best[j], sums[j])
            limit = best.max() * SLACK
            for p in range(count):
                if away[p] <= limit and measure(
                    cells, every, p * dimensions, dimensions, sums, best
                ):
                    for j in range(LANES):
                        best[j] = min(best[j], sums[j])
                    limit = best.max() * SLACK
                    likely[known % LIKELY] = p
                    known += 1
            for i in range(high):
                for j in range(wide):
                    if inside[i * SIDE + j]:
                        out[top + i, left + j] = np.sqrt(best[i * SIDE + j])


@kernel
def count_within(
    block: Floats,
    valid: NDArray[np.bool_],
    planes: NDArray[np.int64],
    centre: Floats,
    scale: Floats,
    points: Floats,
    radius: np.float32,
    out: Floats,
) -> None:
    """How many points are no farther from each valid cell than a radius; see above."""
    height, width = valid.shape
    count, dimensions = points.shape
    by_dimension, every = points.T.copy(), points.ravel()
    scratch = aligned((dimensions + 2) * LANES * 4).view(np.float32)
    scratch[:] = 0.0
    cells, sums, most = scratch[2 * LANES :], scratch[:LANES], scratch[LANES : 2 * LANES]
    low, up = np.zeros(dimensions, np.float32), np.zeros(dimensions, np.float32)
    away = np.empty(count, np.float32)
    inside = np.empty(LANES, np.bool_)
    found = np.empty(LANES, np.float32)
    squared = radius * radius
    most[:] = squared * SLACK
    for top in range(0, height, SIDE):
        for left in range(0, width, SIDE):
            high, wide = min(SIDE, height - top), min(SIDE, width - left)
            if not fill(block, valid, planes, centre, scale, top, left, inside, cells, low, up):
                continue
            from_box(by_dimension, low, up, away)
            found[:] = 0.0
            for p in range(count):
                if away[p] <= most[0] and measure(
                    cells, every, p * dimensions, dimensions, sums, most
                ):
                    for j in range(LANES):
                        if sums[j] <= squared:
                            found[j] += np.float32(1.0)
            for i in range(high):
                for j in range(wide):
                    if inside[i * SIDE + j]:
                        out[top + i, left + j] = found[i * SIDE + j]


@kernel
def fill(
    block: Floats,
    valid: NDArray[np.bool_],
    planes: NDArray[np.int64],
    centre: Floats,
    scale: Floats,
    top: int,
    left: int,
    inside: NDArray[np.bool_],
    cells: Floats,
    low: Floats,
    up: Floats,
) -> bool:
    """Bring a patch to scale, with the box around it; false if none of its cells is valid."""
    high, wide = min(SIDE, valid.shape[0] - top), min(SIDE, valid.shape[1] - left)
    inside[:] = False
    for i in range(high):
        for j in range(wide):
            inside[i * SIDE + j] = valid[top + i, left + j]
    if not inside.any():
        return False
    first = np.argmax(inside)
    for d in range(planes.size):
        line, plane = cells[d * LANES : (d + 1) * LANES], block[planes[d]]
        for i in range(high):
            for j in range(wide):
                value = (plane[top + i, left + j] - centre[d]) * scale[d]
                line[i * SIDE + j] = np.float32(0.0) if np.isnan(value) else value
        least, most = line[first], line[first]
        for j in range(LANES):
            if inside[j]:
                least, most = min(least, line[j]), max(most, line[j])
            else:
                line[j] = line[first]
        low[d], up[d] = least, most
    return True


@kernel
def from_box(by_dimension: Floats, low: Floats, up: Floats, away: Floats) -> None:
    """Squared distance of every point from a box."""
    away[:] = 0.0
    for d in range(by_dimension.shape[0]):
        line, least, most = by_dimension[d], low[d], up[d]
        for p in range(away.size):
            beyond = max(max(least - line[p], line[p] - most), np.float32(0.0))
            away[p] += beyond * beyond


@kernel
def measure(
    cells: Floats, points: Floats, start: int, dimensions: int, sums: Floats, best: Floats
) -> bool:
    """
    Squared distances from the point that starts there; false, and unfinished, where none can
    become the best.
    """
    sums[:] = 0.0
    for d in range(0, dimensions, GROUP):
        add_squares(cells, points, np.uint64(start), np.uint64(d), sums)
        if below(sums, best) == 0:
            return False
    return True
