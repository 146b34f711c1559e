"""Straight segments on a grid: what of each lies in every cell, and where several meet."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from prospect._kernels._jit import kernel

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]


@kernel
def strikes(segments: Doubles, out: Doubles) -> None:
    """Degrees clockwise from north, 0 to 180, of segments (x, y, x, y) whose y runs south."""
    for k in range(segments.shape[0]):
        east = segments[k, 2] - segments[k, 0]
        north = segments[k, 1] - segments[k, 3]
        degrees = math.degrees(math.atan2(east, north))
        degrees += 180.0 if degrees < 0.0 else 0.0
        out[k] = 0.0 if degrees >= 180.0 else degrees


@kernel
def share_out(
    segments: Doubles,
    weights: Doubles,
    unit: float,
    row: int,
    col: int,
    inside: tuple[int, int, int, int],
    out: NDArray[np.float32],
) -> None:
    """
    Add to every cell the weights of the segments, each by the share of it that lies there.

    Segments are in cells from the grid's corner, weights in units; cells get whole units.
    A share follows from the segment and the cell's own lines alone, so it is the same in
    every window. What runs along a line between two cells counts to the one south or east of
    it. ``inside`` are the first and last row and column that get anything.
    """
    for k in range(segments.shape[0]):
        x, y, weight = segments[k, 0], segments[k, 1], weights[k]
        dx, dy = segments[k, 2] - x, segments[k, 3] - y
        r = max(math.floor(min(y, y + dy)), float(inside[0]))
        bottom = min(math.floor(max(y, y + dy)), float(inside[1]))
        while r <= bottom:
            begin, end = 0.0, 1.0
            if dy != 0.0:
                one, two = (r - y) / dy, (r + 1.0 - y) / dy
                begin, end = max(begin, min(one, two)), min(end, max(one, two))
            if end > begin:
                along = out[int(r) - row]
                west, east = x + begin * dx, x + end * dx
                c = max(math.floor(min(west, east)) - 1.0, float(inside[2]))
                right = min(math.floor(max(west, east)) + 1.0, float(inside[3]))
                while c <= right:
                    if dx != 0.0:
                        one, two = (c - x) / dx, (c + 1.0 - x) / dx
                        share = min(end, max(one, two)) - max(begin, min(one, two))
                    else:
                        share = end - begin if math.floor(x) == c else 0.0
                    if share > 0.0:
                        along[int(c) - col] += np.float32(unit * np.rint(weight * share))
                    c += 1.0
            r += 1.0


@kernel
def meetings(
    segments: Doubles, one: Ints, two: Ints, snap: float, points: Doubles, found: Ints
) -> None:
    """
    Where pairs of segments cross, or an end of one lies within ``snap`` of the other.

    ``points`` has room for four a pair. Ends that two segments share are left to the caller.
    """
    count = 0
    for k in range(one.shape[0]):
        a, b = segments[one[k]], segments[two[k]]
        dx, dy, ex, ey = a[2] - a[0], a[3] - a[1], b[2] - b[0], b[3] - b[1]
        cross = dx * ey - dy * ex
        gap_x, gap_y = b[0] - a[0], b[1] - a[1]
        if cross != 0.0:
            t, u = (gap_x * ey - gap_y * ex) / cross, (gap_x * dy - gap_y * dx) / cross
            if 0.0 < t < 1.0 and 0.0 < u < 1.0:
                # A line along an axis keeps its coordinate to the last bit.
                points[count, 0] = b[0] if ex == 0.0 else a[0] + t * dx
                points[count, 1] = b[1] if ey == 0.0 else a[1] + t * dy
                count += 1
                continue
        for end in range(2):
            for this, other in ((a, b), (b, a)):
                x, y = this[2 * end], this[2 * end + 1]
                shared = (x == other[0] and y == other[1]) or (x == other[2] and y == other[3])
                if not shared and away(other, x, y) <= snap:
                    points[count, 0], points[count, 1] = x, y
                    count += 1
    found[0] = count


@kernel
def away(segment: Doubles, x: float, y: float) -> float:
    """Distance of a point from a segment."""
    dx, dy = segment[2] - segment[0], segment[3] - segment[1]
    t = ((x - segment[0]) * dx + (y - segment[1]) * dy) / (dx * dx + dy * dy)
    t = min(max(t, 0.0), 1.0)
    return math.sqrt((segment[0] + t * dx - x) ** 2 + (segment[1] + t * dy - y) ** 2)


@kernel
def arms(
    segments: Doubles,
    owners: NDArray[np.int8],
    points: Doubles,
    starts: Ints,
    near: Ints,
    snap: float,
    apart: float,
    out: Ints,
    sides: Ints,
) -> None:
    """
    In how many directions lines leave every point, and whose lines do.

    ``near[starts[k] : starts[k + 1]]`` are the segments about point ``k``; directions count as
    one when the sine between them is at most ``apart``. ``sides`` gets a bit an owner.
    """
    most = 1
    for k in range(points.shape[0]):
        most = max(most, starts[k + 1] - starts[k])
    way = np.empty((2 * most, 2))
    for k in range(points.shape[0]):
        x, y = points[k]
        count = 0
        side = 0
        for i in range(starts[k], starts[k + 1]):
            s = segments[near[i]]
            if away(s, x, y) > snap:
                continue
            dx, dy = s[2] - s[0], s[3] - s[1]
            length = math.sqrt(dx * dx + dy * dy)
            for end in range(2):
                if math.sqrt((s[2 * end] - x) ** 2 + (s[2 * end + 1] - y) ** 2) <= snap:
                    continue
                side |= 1 << owners[near[i]]
                sign = 2.0 * end - 1.0
                u, v = sign * dx / length, sign * dy / length
                known = False
                for j in range(count):
                    along = u * way[j, 0] + v * way[j, 1]
                    across = u * way[j, 1] - v * way[j, 0]
                    known = known or (along > 0.0 and abs(across) <= apart)
                if not known:
                    way[count, 0], way[count, 1] = u, v
                    count += 1
        out[k] = count
        sides[k] = side


@kernel
def first_of_each(points: Doubles, snap: float, kept: NDArray[np.bool_]) -> None:
    """Of sorted points, those that no earlier one lies within ``snap`` of."""
    for k in range(points.shape[0]):
        kept[k] = True
        j = k - 1
        while j >= 0 and points[k, 0] - points[j, 0] <= snap:
            if (
                math.sqrt((points[k, 0] - points[j, 0]) ** 2 + (points[k, 1] - points[j, 1]) ** 2)
                <= snap
            ):
                kept[k] = False
                break
            j -= 1
