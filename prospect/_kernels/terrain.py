"""Derivatives of a surface from 3 × 3 cells: all that are wanted in one pass.

Every output is a loop of its own along a row, which vectorises; divisions and roots are shared
or few, and the polynomials fuse their products and sums.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numba.extending import intrinsic
from numpy.typing import NDArray

from prospect._kernels._jit import kernel

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

SLOPE, ASPECT, EAST, NORTH, PROFILE, PLAN, TOTAL, RUGGED, POSITION, ROUGH, SHADE = range(11)
NORMAL_X, NORMAL_Y, NORMAL_Z = range(11, 14)
"""Where ``places`` says in which plane of ``out`` an output goes, or -1."""

STRIP = 2048
"""Columns that are done together, so that what lies between stays in a near cache."""

SPARE = 80
"""Cells between rows of scratch: whole pages apart, writes to one would hold up reads of all."""


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
    scratch = np.empty((7, min(STRIP, width) + SPARE), np.float32)
    curved = places[PROFILE] >= 0 or places[PLAN] >= 0
    length = places[SHADE] >= 0 or max(places[NORMAL_X], places[NORMAL_Y], places[NORMAL_Z]) >= 0
    leaning = length or max(places[SLOPE], places[ASPECT], places[EAST], places[NORTH]) >= 0
    for y in range(height):
        for x in range(0, width, STRIP):
            end = min(x + STRIP, width)
            n = end - x
            gap, p, q = scratch[0, :n], scratch[1, :n], scratch[2, :n]
            norm, bent = scratch[3, :n], scratch[4, :n]
            low, high = scratch[5, : n + 2], scratch[6, : n + 2]
            above, here = block[y, x : end + 2], block[y + 1, x : end + 2]
            below = block[y + 2, x : end + 2]
            gaps_of(above, here, below, low, gap)
            if leaning and horn:
                gradient_of_eight(above, here, below, dy, dx, p, q)
            elif leaning:
                gradient_of_four(above, here, below, dy, dx, p, q)
            if places[SLOPE] >= 0:
                slope_of(p, q, gap, out[places[SLOPE], y, x:end])
            if places[ASPECT] >= 0:
                aspect_of(p, q, gap, out[places[ASPECT], y, x:end])
            if places[EAST] >= 0:
                part_of(p, q, gap, out[places[EAST], y, x:end])
            if places[NORTH] >= 0:
                part_of(q, p, gap, out[places[NORTH], y, x:end])
            if curved:
                profile(above, here, below, dy, dx, bent)
            if places[PROFILE] >= 0:
                line = out[places[PROFILE], y, x:end]
                for j in range(n):
                    line[j] = bent[j] + gap[j]
            if places[PLAN] >= 0:
                plan(above, here, below, dy, dx, bent, gap, out[places[PLAN], y, x:end])
            if places[TOTAL] >= 0:
                total(above, here, below, dy, dx, gap, out[places[TOTAL], y, x:end])
            if places[RUGGED] >= 0:
                ruggedness(above, here, below, gap, out[places[RUGGED], y, x:end])
            if places[POSITION] >= 0:
                position(above, here, below, low, gap, out[places[POSITION], y, x:end])
            if places[ROUGH] >= 0:
                roughness(above, here, below, low, high, gap, out[places[ROUGH], y, x:end])
            if length:
                one = np.float32(1.0)
                for j in range(n):
                    norm[j] = one / math.sqrt(one + (p[j] * p[j] + q[j] * q[j]))
            if places[SHADE] >= 0:
                shade(p, q, norm, sun, gap, out[places[SHADE], y, x:end])
            if places[NORMAL_X] >= 0:
                line = out[places[NORMAL_X], y, x:end]
                for j in range(n):
                    line[j] = p[j] * norm[j] + gap[j]
            if places[NORMAL_Y] >= 0:
                line = out[places[NORMAL_Y], y, x:end]
                for j in range(n):
                    line[j] = q[j] * norm[j] + gap[j]
            if places[NORMAL_Z] >= 0:
                line = out[places[NORMAL_Z], y, x:end]
                for j in range(n):
                    line[j] = norm[j] + gap[j]


def multiply_add(context: Any, a: Any, b: Any, c: Any) -> Any:
    """a · b + c, rounded once: the same bits wherever in a vector a cell falls."""
    return a(a, b, c), lambda _, builder, __, values: builder.fma(*values)


fused = cast(Callable[[Any, Any, Any], Any], intrinsic(multiply_add))


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
def gradient_of_eight(
    above: Floats, here: Floats, below: Floats, dy: float, dx: float, p: Floats, q: Floats
) -> None:
    """Rise to the east and to the north by Horn; in float64 to the end, for the sake of flats."""
    n = p.shape[0]
    a, b, c = above[:n], above[1 : n + 1], above[2 : n + 2]
    i, m = here[:n], here[2 : n + 2]
    s, t, u = below[:n], below[1 : n + 1], below[2 : n + 2]
    east, north = 1 / (8 * dx), 1 / (8 * dy)
    for j in range(n):
        # Both at once, for they share the diagonals and their widening.
        rising = np.float64(c[j]) - np.float64(s[j])
        falling = np.float64(u[j]) - np.float64(a[j])
        along = np.float64(m[j]) - np.float64(i[j])
        across = np.float64(b[j]) - np.float64(t[j])
        p[j] = fused(2.0, along, rising + falling) * east
        q[j] = fused(2.0, across, rising - falling) * north


@kernel
def gradient_of_four(
    above: Floats, here: Floats, below: Floats, dy: float, dx: float, p: Floats, q: Floats
) -> None:
    """Rise to the east and to the north between the neighbours."""
    n = p.shape[0]
    north, west, east, south = above[1 : n + 1], here[:n], here[2 : n + 2], below[1 : n + 1]
    along, across = np.float32(1 / (2 * dx)), np.float32(1 / (2 * dy))
    for j in range(n):
        p[j] = (east[j] - west[j]) * along
    for j in range(n):
        q[j] = (north[j] - south[j]) * across


@kernel
def arctan(x: Any) -> Any:
    """Degrees, of 0 to 1, to 4e-5°: minimax, by Remez; libm's does not vectorise."""
    z = x * x
    s = fused(z, np.float32(0.4505385756), np.float32(-2.1206896305))
    s = fused(s, z, np.float32(4.8054661751))
    s = fused(s, z, np.float32(-7.7275919914))
    s = fused(s, z, np.float32(11.3912506104))
    s = fused(s, z, np.float32(-19.0946865082))
    return x * fused(s, z, np.float32(57.2957420349))


@kernel
def slope_of(p: Floats, q: Floats, gap: Floats, line: Floats) -> None:
    """Steepest slope in degrees."""
    one, right = np.float32(1.0), np.float32(90.0)
    for j in range(line.shape[0]):
        rise = math.sqrt(fused(p[j], p[j], q[j] * q[j]))
        steep = rise > one
        angle = arctan(one / rise if steep else rise)
        line[j] = (right - angle if steep else angle) + gap[j]


@kernel
def aspect_of(p: Floats, q: Floats, gap: Floats, line: Floats) -> None:
    """Azimuth of the way down, degrees clockwise from north; NaN where it is flat."""
    zero = np.float32(0.0)
    for j in range(line.shape[0]):
        east, north = abs(p[j]), abs(q[j])
        more, less = (east, north) if east > north else (north, east)
        angle = arctan(less / more)
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
def profile(above: Floats, here: Floats, below: Floats, dy: float, dx: float, bent: Floats) -> None:
    """Curvature along the gradient, of Zevenbergen and Thorne; 0 where it is flat."""
    n = bent.shape[0]
    a, b, c = above[:n], above[1 : n + 1], above[2 : n + 2]
    i, k, m = here[:n], here[1 : n + 1], here[2 : n + 2]
    s, t, u = below[:n], below[1 : n + 1], below[2 : n + 2]
    east, north, zero = np.float32(1 / dx), np.float32(1 / dy), np.float32(0.0)
    along, across = np.float32(-1 / (dx * dx)), np.float32(-1 / (dy * dy))
    mixed = np.float32(-1 / (2 * dx * dy))
    for j in range(n):
        g, h = (m[j] - i[j]) * east, (b[j] - t[j]) * north
        d, e = ((i[j] - k[j]) + (m[j] - k[j])) * along, ((b[j] - k[j]) + (t[j] - k[j])) * across
        f = ((c[j] - a[j]) - (u[j] - s[j])) * mixed
        gg, hh = g * g, h * h
        steep = gg + hh
        turn = fused(d, gg, fused(e, hh, f * (g * h))) / steep
        bent[j] = turn if steep > zero else zero


@kernel
def plan(
    above: Floats,
    here: Floats,
    below: Floats,
    dy: float,
    dx: float,
    bent: Floats,
    gap: Floats,
    line: Floats,
) -> None:
    """Curvature across the gradient: what profile curvature leaves of the total; 0 on flats."""
    n = bent.shape[0]
    b, t = above[1 : n + 1], below[1 : n + 1]
    i, k, m = here[:n], here[1 : n + 1], here[2 : n + 2]
    along, across = np.float32(-1 / (dx * dx)), np.float32(-1 / (dy * dy))
    zero = np.float32(0.0)
    for j in range(n):
        d, e = (i[j] - k[j]) + (m[j] - k[j]), (b[j] - k[j]) + (t[j] - k[j])
        rest = fused(d, along, e * across) - bent[j]
        line[j] = (zero if m[j] == i[j] and b[j] == t[j] else rest) + gap[j]


@kernel
def total(
    above: Floats, here: Floats, below: Floats, dy: float, dx: float, gap: Floats, line: Floats
) -> None:
    """Curvature along x and along y together."""
    n = gap.shape[0]
    b, t = above[1 : n + 1], below[1 : n + 1]
    i, k, m = here[:n], here[1 : n + 1], here[2 : n + 2]
    along, across = np.float32(-1 / (dx * dx)), np.float32(-1 / (dy * dy))
    for j in range(n):
        d, e = (i[j] - k[j]) + (m[j] - k[j]), (b[j] - k[j]) + (t[j] - k[j])
        line[j] = fused(d, along, e * across) + gap[j]


@kernel
def ruggedness(above: Floats, here: Floats, below: Floats, gap: Floats, line: Floats) -> None:
    """Root of the summed squares of the differences to the eight neighbours."""
    n = gap.shape[0]
    a, b, c = above[:n], above[1 : n + 1], above[2 : n + 2]
    i, k, m = here[:n], here[1 : n + 1], here[2 : n + 2]
    s, t, u = below[:n], below[1 : n + 1], below[2 : n + 2]
    for j in range(n):
        o = k[j]
        a0, b0, c0, i0 = a[j] - o, b[j] - o, c[j] - o, i[j] - o
        m0, s0, t0, u0 = m[j] - o, s[j] - o, t[j] - o, u[j] - o
        high = fused(a0, a0, fused(b0, b0, fused(c0, c0, i0 * i0)))
        low = fused(m0, m0, fused(s0, s0, fused(t0, t0, u0 * u0)))
        line[j] = math.sqrt(high + low) + gap[j]


@kernel
def position(
    above: Floats, here: Floats, below: Floats, column: Floats, gap: Floats, line: Floats
) -> None:
    """Height above the mean of the eight neighbours, from differences within columns first."""
    n = gap.shape[0]
    for j in range(n + 2):
        column[j] = (here[j] - above[j]) + (here[j] - below[j])
    left, middle, right = column[:n], column[1 : n + 1], column[2 : n + 2]
    i, k, m = here[:n], here[1 : n + 1], here[2 : n + 2]
    for j in range(n):
        beside = (k[j] - i[j]) + (k[j] - m[j])
        around = (left[j] + right[j]) + middle[j]
        line[j] = fused(np.float32(3.0), beside, around) * np.float32(0.125) + gap[j]


@kernel
def roughness(
    above: Floats,
    here: Floats,
    below: Floats,
    low: Floats,
    high: Floats,
    gap: Floats,
    line: Floats,
) -> None:
    """Highest less lowest of the nine cells."""
    n = gap.shape[0]
    for j in range(n + 2):
        low[j] = least(least(above[j], here[j]), below[j])
    for j in range(n + 2):
        high[j] = most(most(above[j], here[j]), below[j])
    a, b, c = low[:n], low[1 : n + 1], low[2 : n + 2]
    s, t, u = high[:n], high[1 : n + 1], high[2 : n + 2]
    for j in range(n):
        line[j] = most(most(s[j], t[j]), u[j]) - least(least(a[j], b[j]), c[j]) + gap[j]


@kernel
def shade(p: Floats, q: Floats, norm: Floats, sun: Doubles, gap: Floats, line: Floats) -> None:
    """Light on the ground; 0 in its own shade."""
    east, north, up = np.float32(sun[0]), np.float32(sun[1]), np.float32(sun[2])
    dark = np.float32(0.0)
    for j in range(line.shape[0]):
        light = (up - (p[j] * east + q[j] * north)) * norm[j]
        line[j] = (light if light > dark else dark) + gap[j]


@kernel
def least(a: np.float32, b: np.float32) -> np.float32:
    """The lesser; a plain choice, which vectorises."""
    return a if a < b else b


@kernel
def most(a: np.float32, b: np.float32) -> np.float32:
    """The greater."""
    return a if a > b else b
