"""Windows over layers that are 0 nearly everywhere: only the cells that are not do any work.

Entries come by rows: ``starts[y]`` is the first of row ``y``, ``columns`` ascend within it.
Sums of a disc are of fixed-point numbers and therefore exact, in whatever order; sums under a
bell are taken by rows, then by columns, from the first to the last that a cell sees.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from prospect._kernels._jit import kernel

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@kernel
def find(block: Floats, starts: Ints, columns: Ints) -> None:
    """Columns of the cells above 0, row by row; ``columns`` may be short on a first turn."""
    count = 0
    for y in range(block.shape[0]):
        starts[y] = count
        row = block[y]
        found = 0
        for x in range(row.shape[0]):
            found += row[x] > np.float32(0.0)
        if found and count + found <= columns.shape[0]:
            at = count
            for x in range(row.shape[0]):
                if row[x] > np.float32(0.0):
                    columns[at] = x
                    at += 1
        count += found
    starts[block.shape[0]] = count


@kernel
def pick(block: Floats, starts: Ints, columns: Ints, values: Floats) -> None:
    """The values of entries."""
    for y in range(block.shape[0]):
        for e in range(starts[y], starts[y + 1]):
            values[e] = block[y, columns[e]]


@kernel
def disc_means(
    starts: Ints,
    columns: Ints,
    values: Floats,
    reach: Ints,
    cols: int,
    rows_in: Flags,
    cols_in: Flags,
    factor: float,
    out: Floats,
) -> None:
    """Mean over a window's cells inside the grid, ``reach[i]`` to both sides, times a factor."""
    height, width = out.shape
    steps, cells, sums = np.zeros((1, width + 1)), np.zeros(width), np.zeros(width)
    before = np.zeros(cols_in.shape[0] + 1)
    for x in range(cols_in.shape[0]):
        before[x + 1] = before[x] + cols_in[x]
    held = np.zeros(reach.shape[0], np.bool_)
    for y in range(height):
        same = y > 0
        for i in range(reach.shape[0]):
            same = same and held[i] == rows_in[y + i]
            held[i] = rows_in[y + i]
        if not same:
            cells[:] = 0.0
            for i in range(reach.shape[0]):
                if held[i] and reach[i] >= 0:
                    here, there = cols - reach[i], cols + reach[i] + 1
                    for x in range(width):
                        cells[x] += before[x + there] - before[x + here]
            for x in range(width):
                cells[x] = factor / cells[x]
        move_down(starts, columns, values, reach, cols, y, steps)
        total, line = 0.0, out[y]
        for x in range(width):
            total += steps[0, x]
            sums[x] = total
        for x in range(width):
            line[x] = np.float32(sums[x] * cells[x])


@kernel
def disc_variance(
    starts: Ints,
    columns: Ints,
    values: Floats,
    reach: Ints,
    cols: int,
    out: Floats,
) -> None:
    """One less the length of the summed vectors (planes 1 and 2) over the sum of plane 0."""
    height, width = out.shape
    steps, sums = np.zeros((3, width + 1)), np.zeros((3, width), np.float32)
    for y in range(height):
        move_down(starts, columns, values, reach, cols, y, steps)
        one, two, three = steps[0], steps[1], steps[2]
        total, east, north = sums[0], sums[1], sums[2]
        t, e, n = 0.0, 0.0, 0.0
        for x in range(width):
            t += one[x]
            e += two[x]
            n += three[x]
            total[x] = t
            east[x] = e
            north[x] = n
        variance(total, east, north, out[y])


@kernel
def variance(total: Floats, east: Floats, north: Floats, line: Floats) -> None:
    """What of the lengths is lost in the sum of directions; no number where nothing is."""
    for x in range(line.shape[0]):
        length = math.sqrt(east[x] * east[x] + north[x] * north[x])
        lost = np.float32(1.0) - length / total[x]
        lost = lost if lost > np.float32(0.0) else np.float32(0.0)
        line[x] = lost if total[x] > np.float32(0.0) else np.float32(np.nan)


@kernel
def move_down(
    starts: Ints, columns: Ints, values: Floats, reach: Ints, cols: int, y: int, steps: Doubles
) -> None:
    """Where the sums over the windows of row ``y`` step up and down, from those of the last."""
    depth = reach.shape[0]
    square = reach[0] == reach[depth // 2]
    if square and y > 0:
        # Exact sums: what is added and taken away leaves nothing behind.
        step_row(starts, columns, values, y - 1, reach[0], cols, -1.0, steps)
        step_row(starts, columns, values, y + depth - 1, reach[0], cols, 1.0, steps)
        return
    steps[:] = 0.0
    for i in range(depth):
        if reach[i] >= 0:
            step_row(starts, columns, values, y + i, reach[i], cols, 1.0, steps)


@kernel
def step_row(
    starts: Ints,
    columns: Ints,
    values: Floats,
    y: int,
    reach: int,
    cols: int,
    sign: float,
    steps: Doubles,
) -> None:
    """Add the steps that the entries of one row make, or take them away."""
    width = steps.shape[1] - 1
    for e in range(starts[y], starts[y + 1]):
        left, right = columns[e] - cols - reach, columns[e] - cols + reach + 1
        if right > 0 and left < width:
            left, right = max(left, 0), min(right, width)
            for p in range(steps.shape[0]):
                steps[p, left] += sign * values[p, e]
                steps[p, right] -= sign * values[p, e]


@kernel
def bell_means(
    starts: Ints,
    columns: Ints,
    values: Floats,
    down: Doubles,
    across: Doubles,
    rows_in: Flags,
    cols_in: Flags,
    factor: float,
    out: Floats,
) -> None:
    """Mean under a bell over the cells inside the grid, times a factor; a plane a value."""
    planes, height, width = out.shape
    depth, length = down.shape[0], across.shape[0]
    column, sums, share = np.zeros(cols_in.shape[0]), np.zeros(width), np.zeros(width)
    for x in range(width):
        for j in range(length):
            share[x] += across[j] * cols_in[x + j]
    for y in range(height):
        weight = 0.0
        for i in range(depth):
            weight += down[i] * rows_in[y + i]
        for p in range(planes):
            for i in range(depth):
                for e in range(starts[y + i], starts[y + i + 1]):
                    column[columns[e]] += down[i] * values[p, e]
            sums[:] = 0.0
            for x in range(column.shape[0]):
                if column[x] != 0.0:
                    first, last = max(x - length + 1, 0), min(x + 1, width)
                    # Symmetric, so that it need not be turned round.
                    add_scaled(across[first - x + length - 1 :], column[x], sums[first:last])
                    column[x] = 0.0
            line = out[p, y]
            for x in range(width):
                line[x] = np.float32(factor * sums[x] / (weight * share[x]))


@kernel
def add_scaled(weights: Doubles, value: float, sums: Doubles) -> None:
    """Add weights times a value."""
    for j in range(sums.shape[0]):
        sums[j] += value * weights[j]
