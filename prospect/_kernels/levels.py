"""Trees over a block of cells, with sums apart for every level that trees belong to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prospect._kernels._jit import kernel
from prospect._kernels.forest import (
    BATCH,
    ONE,
    RING,
    SIDE,
    ZERO,
    Doubles,
    Floats,
    Ints,
    Longs,
    bits_of,
    descend,
    load,
    write,
)
from prospect._kernels.patches import aligned, paint


@kernel
def add_levels(
    block: Floats,
    valid: NDArray[np.bool_],
    features: Longs,
    fills: Floats,
    nodes: Ints,
    roots: Longs,
    values: Doubles,
    starts: Longs,
    levels: Longs,
    count: int,
    total: Doubles,
    squares: Doubles,
    squared_sums: Doubles,
) -> None:
    """
    Sums over trees of what they say, of its square, and the squared sums of their levels.

    Trees come as :func:`prospect._kernels.forest.add_trees` takes them, and are added in the
    same order. ``levels`` (factor, tree) are places from 0 to ``count``; what the trees of a
    level say is summed, and the squares of these sums are added up for each factor in
    ``squared_sums`` (factor, rows, cols).
    """
    height, width = valid.shape
    columns, factors = features.size, levels.shape[0]
    cells = aligned(columns * 256).view(np.float32)
    painted = aligned(BATCH * 128).view(np.uint16)
    queue, queued = np.empty(RING + ONE, np.uint64), np.empty(RING + ONE, np.int32)
    masks, leaves = np.empty(RING + ONE, np.uint64), np.empty(RING + ONE, np.int32)
    sums, sums2, said = np.empty(64), np.empty(64), np.empty(64)
    parts = np.empty((factors * count, 64))
    for top in range(0, height, SIDE):
        for left in range(0, width, SIDE):
            whole = bits_of(valid, top, left)
            if whole == ZERO:
                continue
            load(block, top, left, features, fills, cells)
            sums[:] = 0.0
            sums2[:] = 0.0
            parts[:] = 0.0
            for first in range(0, roots.size, BATCH):
                last = min(first + BATCH, roots.size)
                found = descend(
                    nodes, roots[first:last], cells, whole, queue, queued, masks, leaves
                )
                painted[: (last - first) * 64] = 0
                for i in range(found):
                    leaf = ~leaves[i]
                    place = np.uint64(leaf >> 16) * np.uint64(64)
                    paint(painted, place, masks[i], np.uint16(leaf & 0xFFFF))
                for t in range(first, last):
                    table, place_of = values[starts[t] :], painted[(t - first) * 64 :]
                    for j in range(64):
                        said[j] = table[np.uint64(place_of[j])]
                    for j in range(64):
                        sums[j] += said[j]
                        sums2[j] += said[j] * said[j]
                    for f in range(factors):
                        part = parts[f * count + levels[f, t]]
                        for j in range(64):
                            part[j] += said[j]
            write(sums, whole, top, left, total)
            write(sums2, whole, top, left, squares)
            for f in range(factors):
                said[:] = 0.0
                for level in range(count):
                    part = parts[f * count + level]
                    for j in range(64):
                        said[j] += part[j] * part[j]
                write(said, whole, top, left, squared_sums[f])
