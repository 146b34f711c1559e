"""Evidence added up feature by feature: lines, steps of weights, and fuzzy memberships."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prospect._kernels._jit import kernel

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Longs = NDArray[np.int64]
Mask = NDArray[np.bool_]

BUNDLED = 128
"""Cells of a row whose values stay in near memory while many lines read them."""

RISING, FALLING, MIDDLE = 0, 1, 2
"""How a membership goes with its feature."""


@kernel
def add_lines(
    block: Floats,
    planes: Longs,
    fills: Doubles,
    centre: Doubles,
    divisor: Doubles,
    slope: Doubles,
    total: Doubles,
) -> None:
    """Add ``slope * (value - centre) / divisor`` of every plane, one after another."""
    for y in range(total.shape[0]):
        line = total[y]
        for f in range(planes.size):
            values, fill = block[planes[f], y], fills[f]
            middle, over, times = centre[f], divisor[f], slope[f]
            for x in range(line.size):
                value = np.float64(values[x])
                value = fill if np.isnan(value) else value
                line[x] += times * ((value - middle) / over)


@kernel
def add_steps(
    block: Floats,
    planes: Longs,
    fills: Doubles,
    edges: Doubles,
    first_edge: Longs,
    weights: Doubles,
    first_weight: Longs,
    total: Doubles,
) -> None:
    """
    Add the weight of the class that every plane's value falls into; nothing for a gap.

    A class is closed below: its edge belongs to what lies above. Plane ``f`` has the edges
    from ``first_edge[f]`` up to those of the next, and one weight more.
    """
    code = np.empty(total.shape[1], np.int64)
    for y in range(total.shape[0]):
        line = total[y]
        for f in range(planes.size):
            values, fill = block[planes[f], y], fills[f]
            table = weights[first_weight[f] : first_weight[f + 1]]
            code[:] = 0
            for e in range(first_edge[f], first_edge[f + 1]):
                edge = edges[e]
                for x in range(line.size):
                    value = np.float64(values[x])
                    value = fill if np.isnan(value) else value
                    code[x] += np.int64(value >= edge)
            for x in range(line.size):
                if not np.isnan(values[x]) or not np.isnan(fill):
                    line[x] += table[code[x]]


@kernel
def overlay(
    block: Floats,
    planes: Longs,
    fills: Doubles,
    group: Longs,
    shape: Longs,
    low: Doubles,
    high: Doubles,
    floor: float,
    found: Doubles,
) -> None:
    """
    Combine memberships of ``found.shape[1:]`` cells, planes of one group by their largest.

    ``found`` gets, over the groups that are known in a cell, the product of memberships, that
    of their complements, the number of groups, the smallest and the largest. Planes of a
    group stand together.
    """
    width = found.shape[2]
    value = np.empty(width)
    for y in range(found.shape[1]):
        product, complement, known = found[0, y], found[1, y], found[2, y]
        least, most = found[3, y], found[4, y]
        product[:], complement[:], known[:] = 1.0, 1.0, 0.0
        least[:], most[:] = np.inf, -np.inf
        for f in range(planes.size):
            if f == 0 or group[f] != group[f - 1]:
                value[:] = np.nan
            values, fill, kind = block[planes[f], y], fills[f], shape[f]
            begin, span = low[f] / 2, high[f] / 2 - low[f] / 2
            for x in range(width):
                seen = np.float64(values[x])
                seen = fill if np.isnan(seen) else seen
                if np.isnan(seen):
                    continue
                rise = min(max((seen / 2 - begin) / span, 0.0), 1.0)
                if kind == FALLING:
                    rise = 1 - rise
                elif kind == MIDDLE:
                    off = 2 * (2 * rise - 1)
                    rise = 1 / (1 + off * off)
                member = floor + (1 - 2 * floor) * rise
                if np.isnan(value[x]) or member > value[x]:
                    value[x] = member
            if f + 1 < planes.size and group[f + 1] == group[f]:
                continue
            for x in range(width):
                if not np.isnan(value[x]):
                    product[x] *= value[x]
                    complement[x] *= 1 - value[x]
                    known[x] += 1
                    least[x], most[x] = min(least[x], value[x]), max(most[x], value[x])


@kernel
def add_bundle(
    block: Floats,
    row: int,
    planes: Longs,
    fills: Doubles,
    slopes: Doubles,
    intercepts: Doubles,
    logits: Doubles,
) -> None:
    """Logits of many lines over one row of cells: every value is read once for all of them."""
    width = logits.shape[1]
    cells = np.empty((planes.size, BUNDLED))
    for left in range(0, width, BUNDLED):
        count = min(BUNDLED, width - left)
        for f in range(planes.size):
            values, fill, own = block[planes[f], row, left:], fills[f], cells[f]
            for x in range(count):
                value = np.float64(values[x])
                own[x] = fill if np.isnan(value) else value
        for m in range(intercepts.size):
            line = logits[m, left : left + count]
            line[:] = intercepts[m]
            for f in range(planes.size):
                slope, own = slopes[m, f], cells[f]
                for x in range(count):
                    line[x] += slope * own[x]


@kernel
def add_shares(
    shares: Doubles,
    levels: Longs,
    side: int,
    total: Doubles,
    squares: Doubles,
    squared_sums: Doubles,
) -> None:
    """
    Sums over members (member, cell) of their shares and squares, and squared sums of levels.

    ``levels`` (factor, member) are places from 0 to ``side``; of no factors at all only the
    sum is made.
    """
    width, factors = total.size, levels.shape[0]
    total[:] = 0.0
    for m in range(shares.shape[0]):
        said = shares[m]
        for x in range(width):
            total[x] += said[x]
    if factors == 0:
        return
    squares[:] = 0.0
    for m in range(shares.shape[0]):
        said = shares[m]
        for x in range(width):
            squares[x] += said[x] * said[x]
    part = np.empty(width)
    for f in range(factors):
        sums = squared_sums[f]
        sums[:] = 0.0
        for level in range(side):
            part[:] = 0.0
            for m in range(shares.shape[0]):
                if levels[f, m] == level:
                    said = shares[m]
                    for x in range(width):
                        part[x] += said[x]
            for x in range(width):
                sums[x] += part[x] * part[x]
