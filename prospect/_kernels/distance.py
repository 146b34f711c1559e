"""Exact Euclidean distance on a grid, in whole numbers, so that no order of work shows."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from prospect._kernels._jit import kernel

Flags = NDArray[np.uint8]
Steps = NDArray[np.int16]

FAR = np.int16(32000)
"""Rows to a source that the column does not have."""


@kernel
def distance(
    source: Flags,
    rows: int,
    cols: int,
    tall: int,
    broad: int,
    unit: float,
    cap: float,
    down: Steps,
    out: NDArray[np.float32],
) -> None:
    """
    Fill ``out`` with the distance to the nearest source, at most ``cap``.

    A cell is ``tall`` × ``broad`` units, both whole, so that squares are exact and the
    nearest source is the nearest whatever was looked at first.
    """
    nearest_in_column(source, rows, down)
    height, width = out.shape
    wide = down.shape[1]
    site, cost = np.empty(wide, np.int64), np.empty(wide)
    start = np.empty(wide + 1)
    weight, step = np.float64(broad) * broad, np.float64(tall) * tall
    for y in range(height):
        steps, row = down[y], out[y]
        last = -1
        for x in range(wide):
            if steps[x] > rows:
                continue
            here = step * steps[x] * steps[x]
            begin = -1.0
            while last >= 0:
                other = site[last]
                ahead = weight * (x - other) * (x + other) + (here - cost[last])
                begin = ahead / (2.0 * weight * (x - other))
                if begin > start[last]:
                    break
                last -= 1
                begin = -1.0
            last += 1
            site[last], cost[last], start[last] = x, here, begin
        if last < 0:
            row[:] = np.float32(cap)
            continue
        start[last + 1] = np.inf
        k = 0
        for x in range(width):
            while start[k + 1] < x + cols:
                k += 1
            away = x + cols - site[k]
            metres = unit * math.sqrt(cost[k] + weight * away * away)
            row[x] = np.float32(metres if metres < cap else cap)


@kernel
def nearest_in_column(source: Flags, rows: int, down: Steps) -> None:
    """Rows from every cell of ``down`` to the nearest source above or below, at most FAR."""
    height, wide = down.shape
    since = np.full(wide, FAR, np.int16)
    for y in range(source.shape[0]):
        step_on(source[y], since)
        if 0 <= y - rows < height:
            nearest = down[y - rows]
            for x in range(wide):
                nearest[x] = since[x]
    since[:] = FAR
    for y in range(source.shape[0] - 1, -1, -1):
        step_on(source[y], since)
        if 0 <= y - rows < height:
            nearest = down[y - rows]
            for x in range(wide):
                nearest[x] = nearest[x] if nearest[x] < since[x] else since[x]


@kernel
def step_on(row: Flags, since: Steps) -> None:
    """One row further from the sources passed; 0 on those of this row."""
    for x in range(row.shape[0]):
        more = np.int16(since[x] + 1) if since[x] < FAR else since[x]
        since[x] = np.int16(0) if row[x] else more


@kernel
def chain_lengths(
    block: NDArray[np.float32], tall: float, broad: float, out: NDArray[np.float32]
) -> None:
    """Length of the links to neighbours; a corner cut by a straight step is no link of its own."""
    slant = np.float32(math.sqrt(tall * tall + broad * broad))
    down, across, none = np.float32(tall), np.float32(broad), np.float32(0.0)
    for y in range(out.shape[0]):
        above, here, below = block[y], block[y + 1], block[y + 2]
        line = out[y]
        for x in range(line.shape[0]):
            if not here[x + 1] > none:
                line[x] = none if here[x + 1] == here[x + 1] else np.float32(np.nan)
                continue
            north, south = above[x + 1] > none, below[x + 1] > none
            west, east = here[x] > none, here[x + 2] > none
            total = down * (north + south) + across * (west + east)
            total += slant * (above[x] > none and not (west or north))
            total += slant * (above[x + 2] > none and not (east or north))
            total += slant * (below[x] > none and not (west or south))
            total += slant * (below[x + 2] > none and not (east or south))
            line[x] = total
