"""Derivatives of a surface from 3 × 3 cells: all that are wanted in one pass."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prospect._kernels._jit import kernel

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

SLOPE, ASPECT, EAST, NORTH, PROFILE, PLAN, TOTAL, RUGGED, POSITION, ROUGH, SHADE = range(11)
NORMAL_X, NORMAL_Y, NORMAL_Z = range(11, 14)
"""Where ``places`` says in which plane of ``out`` an output goes, or -1."""

DEGREES = np.float32(180 / math.pi)


@kernel
def surface(
    block: Floats,
    dy: float,
    dx: float,
    horn: bool,
    sun: Doubles,
    places: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Fill the wanted planes; a cell with a gap among its 3 × 3 is one."""
    height, width = out.shape[1], out.shape[2]
    gap, column = np.empty(width, np.float32), np.empty(width + 2, np.float32)
    p, q = np.empty(width, np.float32), np.empty(width, np.float32)
    g, h = np.empty(width, np.float32), np.empty(width, np.float32)
    d, e = np.empty(width, np.float32), np.empty(width, np.float32)
    f, norm = np.empty(width, np.float32), np.empty(width, np.float32)
    bent = places[PROFILE] >= 0 or places[PLAN] >= 0 or places[TOTAL] >= 0
    length = places[SHADE] >= 0 or max(places[NORMAL_X], places[NORMAL_Y], places[NORMAL_Z]) >= 0
    for y in range(height):
        above, here, below = block[y], block[y + 1], block[y + 2]
        gaps_of(above, here, below, column, gap)
        gradient(above, here, below, dy, dx, horn, p, q)
        if places[SLOPE] >= 0:
            slope_of(p, q, gap, out[places[SLOPE], y])
        if places[ASPECT] >= 0:
            aspect_of(p, q, gap, out[places[ASPECT], y])
        if places[EAST] >= 0:
            part_of(p, q, gap, out[places[EAST], y])
        if places[NORTH] >= 0:
            part_of(q, p, gap, out[places[NORTH], y])
        if bent:
            gradient(above, here, below, dy, dx, False, g, h)
            curve(above, here, below, dy, dx, d, e, f)
        if places[PROFILE] >= 0:
            bend(d, e, f, g, h, np.float32(1.0), gap, out[places[PROFILE], y])
        if places[PLAN] >= 0:
            bend(d, e, f, h, g, np.float32(-1.0), gap, out[places[PLAN], y])
        if places[TOTAL] >= 0:
            line = out[places[TOTAL], y]
            for j in range(width):
                line[j] = np.float32(-2.0) * (d[j] + e[j]) + gap[j]
        if places[RUGGED] >= 0:
            ruggedness(above, here, below, gap, out[places[RUGGED], y])
        if places[POSITION] >= 0:
            position(above, here, below, gap, out[places[POSITION], y])
        if places[ROUGH] >= 0:
            roughness(above, here, below, gap, out[places[ROUGH], y])
        if length:
            one = np.float32(1.0)
            for j in range(width):
                norm[j] = one / math.sqrt(one + (p[j] * p[j] + q[j] * q[j]))
        if places[SHADE] >= 0:
            east, north, up = np.float32(sun[0]), np.float32(sun[1]), np.float32(sun[2])
            line = out[places[SHADE], y]
            for j in range(width):
                light = (up - (p[j] * east + q[j] * north)) * norm[j]
                line[j] = (light if light > np.float32(0.0) else np.float32(0.0)) + gap[j]
        if places[NORMAL_X] >= 0:
            line = out[places[NORMAL_X], y]
            for j in range(width):
                line[j] = p[j] * norm[j] + gap[j]
        if places[NORMAL_Y] >= 0:
            line = out[places[NORMAL_Y], y]
            for j in range(width):
                line[j] = q[j] * norm[j] + gap[j]
        if places[NORMAL_Z] >= 0:
            line = out[places[NORMAL_Z], y]
            for j in range(width):
                line[j] = norm[j] + gap[j]


@kernel
def gradient_magnitude(block: Floats, dy: float, dx: float, out: Floats) -> None:
    """Size of the gradient by central differences; gaps and cells beside one become gaps."""
    along, across, zero = np.float32(0.5 / dx), np.float32(0.5 / dy), np.float32(0.0)
    for y in range(out.shape[0]):
        line, n = out[y], out.shape[1]
        north, south = block[y, 1 : n + 1], block[y + 2, 1 : n + 1]
        west, here, east = block[y + 1, :n], block[y + 1, 1 : n + 1], block[y + 1, 2:]
        for x in range(n):
            p, q = (east[x] - west[x]) * along, (north[x] - south[x]) * across
            line[x] = math.sqrt(p * p + q * q) + here[x] * zero


@kernel
def gaps_of(above: Floats, here: Floats, below: Floats, column: Floats, gap: Floats) -> None:
    """What makes a gap when added: 0 where all nine cells hold a value, else NaN."""
    n = gap.shape[0]
    for j in range(n + 2):
        column[j] = (above[j] + here[j] + below[j]) * np.float32(0.0)
    left, middle, right = column[:n], column[1 : n + 1], column[2 : n + 2]
    for j in range(n):
        gap[j] = left[j] + middle[j] + right[j]


@kernel
def gradient(
    above: Floats,
    here: Floats,
    below: Floats,
    dy: float,
    dx: float,
    horn: bool,
    p: Floats,
    q: Floats,
) -> None:
    """Rise to the east and to the north; neighbours are subtracted before anything is added."""
    n = p.shape[0]
    a, b, c = above[:n], above[1 : n + 1], above[2:]
    i, m = here[:n], here[2:]
    s, t, u = below[:n], below[1 : n + 1], below[2:]
    if horn:
        east, north = 1 / (8 * dx), 1 / (8 * dy)
        for j in range(n):
            top, low = np.float64(c[j]) - a[j], np.float64(u[j]) - s[j]
            p[j] = (2.0 * (np.float64(m[j]) - i[j]) + (top + low)) * east
        for j in range(n):
            left, right = np.float64(a[j]) - s[j], np.float64(c[j]) - u[j]
            q[j] = (2.0 * (np.float64(b[j]) - t[j]) + (left + right)) * north
    else:
        east, north = 1 / (2 * dx), 1 / (2 * dy)
        for j in range(n):
            p[j] = (m[j] - i[j]) * np.float32(east)
        for j in range(n):
            q[j] = (b[j] - t[j]) * np.float32(north)


@kernel
def arctan(x: Any) -> Any:
    """Of 0 to 1, to 2e-8 (Abramowitz and Stegun 4.4.49); libm's does not vectorise."""
    z = x * x
    s = np.float32(0.0028662257) * z - np.float32(0.0161657367)
    s = s * z + np.float32(0.0429096138)
    s = s * z - np.float32(0.0752896400)
    s = s * z + np.float32(0.1065626393)
    s = s * z - np.float32(0.1420889944)
    s = s * z + np.float32(0.1999355085)
    s = s * z - np.float32(0.3333314528)
    return x + x * (s * z)


@kernel
def slope_of(p: Floats, q: Floats, gap: Floats, line: Floats) -> None:
    """Steepest slope in degrees."""
    one, right = np.float32(1.0), np.float32(90.0)
    for j in range(line.shape[0]):
        rise = math.sqrt(p[j] * p[j] + q[j] * q[j])
        steep = rise > one
        angle = arctan(one / rise if steep else rise) * DEGREES
        line[j] = (right - angle if steep else angle) + gap[j]


@kernel
def aspect_of(p: Floats, q: Floats, gap: Floats, line: Floats) -> None:
    """Azimuth of the way down, degrees clockwise from north; NaN where it is flat."""
    zero = np.float32(0.0)
    for j in range(line.shape[0]):
        east, north = abs(p[j]), abs(q[j])
        more, less = (east, north) if east > north else (north, east)
        angle = arctan(less / more) * DEGREES
        angle = np.float32(90.0) - angle if east > north else angle
        angle = np.float32(180.0) - angle if q[j] > zero else angle
        angle = np.float32(360.0) - angle if p[j] > zero else angle
        angle = zero if angle >= np.float32(360.0) else angle
        line[j] = angle + gap[j]


@kernel
def part_of(p: Floats, q: Floats, gap: Floats, line: Floats) -> None:
    """Share of the way down that goes along the first axis; 0 where it is flat."""
    zero = np.float32(0.0)
    for j in range(line.shape[0]):
        rise = math.sqrt(p[j] * p[j] + q[j] * q[j])
        part = -p[j] / rise
        line[j] = (part if rise > zero else zero) + gap[j]


@kernel
def curve(
    above: Floats,
    here: Floats,
    below: Floats,
    dy: float,
    dx: float,
    d: Floats,
    e: Floats,
    f: Floats,
) -> None:
    """Second-order terms of Zevenbergen and Thorne: along x, along y, and mixed."""
    n = d.shape[0]
    a, b, c = above[:n], above[1 : n + 1], above[2:]
    i, k, m = here[:n], here[1 : n + 1], here[2:]
    s, t, u = below[:n], below[1 : n + 1], below[2:]
    along, across = np.float32(1 / (2 * dx * dx)), np.float32(1 / (2 * dy * dy))
    mixed = np.float32(1 / (4 * dx * dy))
    for j in range(n):
        d[j] = ((i[j] - k[j]) + (m[j] - k[j])) * along
    for j in range(n):
        e[j] = ((b[j] - k[j]) + (t[j] - k[j])) * across
    for j in range(n):
        f[j] = ((c[j] - a[j]) - (u[j] - s[j])) * mixed


@kernel
def bend(
    d: Floats,
    e: Floats,
    f: Floats,
    g: Floats,
    h: Floats,
    sign: np.float32,
    gap: Floats,
    line: Floats,
) -> None:
    """Curvature along the gradient (g, h); across it with the two exchanged and sign -1."""
    zero = np.float32(0.0)
    for j in range(line.shape[0]):
        steep = g[j] * g[j] + h[j] * h[j]
        first = d[j] * (g[j] * g[j]) + e[j] * (h[j] * h[j])
        bent = np.float32(-2.0) * (first + sign * f[j] * (g[j] * h[j])) / steep
        line[j] = (bent if steep > zero else zero) + gap[j]


@kernel
def ruggedness(above: Floats, here: Floats, below: Floats, gap: Floats, line: Floats) -> None:
    """Root of the summed squares of the differences to the eight neighbours."""
    n = gap.shape[0]
    a, b, c = above[:n], above[1 : n + 1], above[2:]
    i, k, m = here[:n], here[1 : n + 1], here[2:]
    s, t, u = below[:n], below[1 : n + 1], below[2:]
    for j in range(n):
        o = k[j]
        a0, b0, c0, i0 = a[j] - o, b[j] - o, c[j] - o, i[j] - o
        m0, s0, t0, u0 = m[j] - o, s[j] - o, t[j] - o, u[j] - o
        high = (a0 * a0 + b0 * b0) + (c0 * c0 + i0 * i0)
        low = (m0 * m0 + s0 * s0) + (t0 * t0 + u0 * u0)
        line[j] = math.sqrt(high + low) + gap[j]


@kernel
def position(above: Floats, here: Floats, below: Floats, gap: Floats, line: Floats) -> None:
    """Height above the mean of the eight neighbours."""
    n = gap.shape[0]
    a, b, c = above[:n], above[1 : n + 1], above[2:]
    i, k, m = here[:n], here[1 : n + 1], here[2:]
    s, t, u = below[:n], below[1 : n + 1], below[2:]
    for j in range(n):
        o = k[j]
        high = ((o - a[j]) + (o - b[j])) + ((o - c[j]) + (o - i[j]))
        low = ((o - m[j]) + (o - s[j])) + ((o - t[j]) + (o - u[j]))
        line[j] = (high + low) * np.float32(0.125) + gap[j]


@kernel
def roughness(above: Floats, here: Floats, below: Floats, gap: Floats, line: Floats) -> None:
    """Highest less lowest of the nine cells."""
    n = gap.shape[0]
    a, b, c = above[:n], above[1 : n + 1], above[2:]
    i, k, m = here[:n], here[1 : n + 1], here[2:]
    s, t, u = below[:n], below[1 : n + 1], below[2:]
    for j in range(n):
        low = least(least(least(a[j], b[j]), least(c[j], i[j])), least(least(k[j], m[j]), s[j]))
        high = most(most(most(a[j], b[j]), most(c[j], i[j])), most(most(k[j], m[j]), s[j]))
        low, high = least(low, least(t[j], u[j])), most(high, most(t[j], u[j]))
        line[j] = high - low + gap[j]


@kernel
def least(a: np.float32, b: np.float32) -> np.float32:
    """The lesser; a plain choice, which vectorises."""
    return a if a < b else b


@kernel
def most(a: np.float32, b: np.float32) -> np.float32:
    """The greater."""
    return a if a > b else b
