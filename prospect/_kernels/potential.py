"""Gridded fields: windows made ready for a transform, and all gradients in one pass."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from prospect._kernels._jit import kernel
from prospect._kernels.terrain import arctan

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

EAST, NORTH, UP, LEVEL, AMPLITUDE, TILT, LEVEL_TILT, THETA = range(8)
"""Where ``places`` says in which plane of ``out`` a quantity goes, or -1."""


@kernel
def gradients(
    block: Floats,
    margin: tuple[int, int],
    up: Floats,
    dy: float,
    dx: float,
    places: NDArray[np.int64],
    corner: tuple[int, int],
    size: tuple[int, int],
    out: Floats,
) -> None:
    """
    Fill a rectangle of the wanted planes.

    ``block`` has ``margin`` more cells on every side than ``out``; ``up`` covers the
    rectangle, and is not looked at unless a quantity needs it.
    """
    width, zero = size[1], np.float32(0.0)
    along, across = np.float32(0.5 / dx), np.float32(0.5 / dy)
    p, q = np.empty(width, np.float32), np.empty(width, np.float32)
    level, gap = np.empty(width, np.float32), np.empty(width, np.float32)
    for i in range(size[0]):
        y, x = corner[0] + i, corner[1]
        r, c = y + margin[0], x + margin[1]
        here = block[r, c : c + width]
        west, east = block[r, c - 1 : c - 1 + width], block[r, c + 1 : c + 1 + width]
        north, south = block[r - 1, c : c + width], block[r + 1, c : c + width]
        for j in range(width):
            p[j] = (east[j] - west[j]) * along
        for j in range(width):
            q[j] = (north[j] - south[j]) * across
        for j in range(width):
            level[j] = math.sqrt(p[j] * p[j] + q[j] * q[j])
        for j in range(width):
            gap[j] = (level[j] + here[j]) * zero
        if places[EAST] >= 0:
            line = out[places[EAST], y, x : x + width]
            for j in range(width):
                line[j] = p[j] + here[j] * zero
        if places[NORTH] >= 0:
            line = out[places[NORTH], y, x : x + width]
            for j in range(width):
                line[j] = q[j] + here[j] * zero
        if places[LEVEL] >= 0:
            line = out[places[LEVEL], y, x : x + width]
            for j in range(width):
                line[j] = level[j] + gap[j]
        if places[UP] >= 0:
            line, rise = out[places[UP], y, x : x + width], up[i, :width]
            for j in range(width):
                line[j] = rise[j] + here[j] * zero
        if places[AMPLITUDE] >= 0:
            line, rise = out[places[AMPLITUDE], y, x : x + width], up[i, :width]
            for j in range(width):
                line[j] = math.sqrt(level[j] * level[j] + rise[j] * rise[j]) + gap[j]
        if places[TILT] >= 0:
            tilt_of(up[i, :width], level, gap, out[places[TILT], y, x : x + width])
        if places[LEVEL_TILT] >= 0:
            level_tilt_of(up[i, :width], level, gap, out[places[LEVEL_TILT], y, x : x + width])
        if places[THETA] >= 0:
            line, rise = out[places[THETA], y, x : x + width], up[i, :width]
            for j in range(width):
                whole = math.sqrt(level[j] * level[j] + rise[j] * rise[j])
                line[j] = (level[j] / whole if whole > zero else zero) + gap[j]


@kernel
def tilt_of(up: Floats, level: Floats, gap: Floats, line: Floats) -> None:
    """Angle of what falls upward against the horizontal, degrees; 0 where it is flat."""
    zero, right = np.float32(0.0), np.float32(90.0)
    for j in range(line.shape[0]):
        steep, flat = abs(up[j]), level[j]
        more, less = (steep, flat) if steep > flat else (flat, steep)
        angle = arctan(less / more) if more > zero else zero
        angle = right - angle if steep > flat else angle
        line[j] = (-angle if up[j] > zero else angle) + gap[j]


@kernel
def level_tilt_of(up: Floats, level: Floats, gap: Floats, line: Floats) -> None:
    """Angle of the gradient against the vertical, degrees; 0 where it is flat."""
    zero, right = np.float32(0.0), np.float32(90.0)
    for j in range(line.shape[0]):
        steep, flat = abs(up[j]), level[j]
        more, less = (flat, steep) if flat > steep else (steep, flat)
        angle = arctan(less / more) if more > zero else zero
        line[j] = (right - angle if flat > steep else angle) + gap[j]


@kernel
def moments(values: Floats, shift: float, sums: Doubles) -> None:
    """
    Sums over the valid cells for a plane of least squares.

    Of 1, y, x, yy, xy, xx, v, yv, xv, with x and y from -1 to 1 over the window and v
    less ``shift``: columns first, one row after another.
    """
    height, width = values.shape
    many, first, second = np.zeros(width), np.zeros(width), np.zeros(width)
    held, turned = np.zeros(width), np.zeros(width)
    for i in range(height):
        y, line = place(i, height), values[i]
        for j in range(width):
            v = np.float64(line[j]) - shift
            there = v == v
            held[j] += v if there else 0.0
            turned[j] += v * y if there else 0.0
            many[j] += 1.0 if there else 0.0
            first[j] += y if there else 0.0
            second[j] += y * y if there else 0.0
    sums[:] = 0.0
    for j in range(width):
        x = place(j, width)
        sums[0] += many[j]
        sums[1] += first[j]
        sums[2] += many[j] * x
        sums[3] += second[j]
        sums[4] += first[j] * x
        sums[5] += many[j] * x * x
        sums[6] += held[j]
        sums[7] += turned[j]
        sums[8] += held[j] * x


@kernel
def place(index: int, size: int) -> float:
    """Where a cell lies, from -1 to 1."""
    return 2.0 * index / (size - 1) - 1.0 if size > 1 else -1.0


@kernel
def levelled(values: Floats, plane: tuple[float, float, float], out: Floats) -> None:
    """Values less their plane; gaps stay gaps."""
    height, width = values.shape
    slope = np.empty(width)
    for j in range(width):
        slope[j] = plane[2] * place(j, width)
    for i in range(height):
        base, line, there = plane[0] + plane[1] * place(i, height), values[i], out[i]
        for j in range(width):
            there[j] = np.float32(np.float64(line[j]) - (base + slope[j]))


@kernel
def mirrored(values: Floats, fade: Floats, out: Floats) -> None:
    """Rows mirrored at both ends over as many cells as ``fade`` has, faded there; 0 beyond."""
    rim, width = fade.shape[0], values.shape[1]
    for i in range(values.shape[0]):
        line, there = values[i], out[i]
        there[rim : rim + width] = line
        for j in range(rim):
            there[rim - 1 - j] = line[j] * fade[j]
            there[rim + width + j] = line[width - 1 - j] * fade[j]
        there[2 * rim + width :] = 0


@kernel
def averaged(values: Floats, count: int, out: Floats) -> None:
    """Means of the valid ones of ``count`` by ``count`` cells."""
    height, width = values.shape
    sums, many = np.empty(width), np.empty(width)
    for i in range(out.shape[0]):
        sums[:] = 0.0
        many[:] = 0.0
        for y in range(i * count, min((i + 1) * count, height)):
            line = values[y]
            for j in range(width):
                there = math.isfinite(line[j])
                sums[j] += line[j] if there else np.float32(0.0)
                many[j] += 1.0 if there else 0.0
        for j in range(out.shape[1]):
            total, found = 0.0, 0.0
            for x in range(j * count, min((j + 1) * count, width)):
                total += sums[x]
                found += many[x]
            out[i, j] = total / found if found > 0 else np.nan


@kernel
def halved(
    values: Floats, known: NDArray[np.bool_], coarse: Floats, some: NDArray[np.bool_]
) -> None:
    """Means of the known ones of two by two cells, and where there are any."""
    height, width = values.shape
    for i in range(coarse.shape[0]):
        for j in range(coarse.shape[1]):
            total, count = np.float32(0.0), 0
            for y in range(2 * i, min(2 * i + 2, height)):
                for x in range(2 * j, min(2 * j + 2, width)):
                    if known[y, x]:
                        total += values[y, x]
                        count += 1
            coarse[i, j] = total / np.float32(max(count, 1))
            some[i, j] = count > 0


@kernel
def filled(
    coarse: Floats,
    known: NDArray[np.bool_],
    ends: NDArray[np.int64],
    passes: int,
    values: Floats,
) -> None:
    """
    Fill gaps from a picture half as fine, then relax them.

    In a pass every gap becomes the mean of its four neighbours before the pass. ``ends``
    says for every row where its gaps begin and end.
    """
    height, width = values.shape
    near, far, quarter = np.float32(0.75), np.float32(0.25), np.float32(0.25)
    for i in range(height):
        y = i // 2
        other = min(max(y + 2 * (i % 2) - 1, 0), coarse.shape[0] - 1)
        for j in range(ends[i, 0], ends[i, 1]):
            if not known[i, j]:
                x = j // 2
                beside = min(max(x + 2 * (j % 2) - 1, 0), coarse.shape[1] - 1)
                here = near * coarse[y, x] + far * coarse[other, x]
                there = near * coarse[y, beside] + far * coarse[other, beside]
                values[i, j] = near * here + far * there
    above, kept = np.empty(width, np.float32), np.empty(width, np.float32)
    mean = np.empty(width, np.float32)
    for _ in range(passes):
        above[:] = values[0]
        for i in range(height):
            begin, end = ends[i, 0], ends[i, 1]
            if begin == end:
                above[:] = values[i]
                continue
            line, there, below = values[i], known[i], values[min(i + 1, height - 1)]
            kept[:] = line
            first, last = max(begin, 1), min(end, width - 1)
            count = max(last - first, 0)
            north, south = above[first : first + count], below[first : first + count]
            west, east = kept[first - 1 : first - 1 + count], kept[first + 1 : first + 1 + count]
            inner, valid = line[first : first + count], there[first : first + count]
            for j in range(count):
                mean[j] = quarter * ((north[j] + south[j]) + (west[j] + east[j]))
            for j in range(count):
                inner[j] = inner[j] if valid[j] else mean[j]
            for j in (0, width - 1):
                if not there[j]:
                    sides = kept[max(j - 1, 0)] + kept[min(j + 1, width - 1)]
                    line[j] = quarter * ((above[j] + below[j]) + sides)
            above[:] = kept
