"""What moved the trees' answer on its way down: patch by patch, as the bits of one word."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prospect._kernels._jit import kernel
from prospect._kernels.forest import BATCH, FOUR, ONE, RING, SIDE, THREE, TWO, ZERO, bits_of, load
from prospect._kernels.patches import add_either, aligned, at_most

Floats = NDArray[np.float32]
Longs = NDArray[np.int64]


@kernel
def attribute_trees(
    block: Floats,
    valid: NDArray[np.bool_],
    features: Longs,
    fills: Floats,
    nodes: NDArray[np.int32],
    gains: Floats,
    roots: Longs,
    groups: Longs,
    across: int,
    out: Floats,
) -> None:
    """
    Sum what a node's answer gains towards its child, by the group of the column it compares.

    Nodes are those of ``add_trees``; ``gains`` holds two numbers a node, of its left child
    and of its right one, and ``groups`` one a column. ``out`` (group, row, column) is set at
    valid cells. A cell's gains are added in one order, whatever its neighbours.
    """
    height, width = valid.shape
    patches = across * across
    columns, count = features.size, out.shape[0]
    cells = aligned(patches * columns * 256).view(np.float32)
    sums = aligned(patches * count * 256).view(np.float32)
    whole = np.empty(patches, np.uint64)
    queue, queued = np.empty(RING + ONE, np.uint64), np.empty(RING + ONE, np.int32)
    step = across * SIDE
    for y in range(0, height, step):
        for x in range(0, width, step):
            some = ZERO
            for p in range(patches):
                top, left = y + p // across * SIDE, x + p % across * SIDE
                whole[p] = bits_of(valid, top, left)
                some |= whole[p]
                if whole[p] != ZERO:
                    load(block, top, left, features, fills, cells[p * columns * 64 :])
            if some == ZERO:
                continue
            sums[:] = 0.0
            for first in range(0, roots.size, BATCH):
                for p in range(patches):
                    if whole[p] != ZERO:
                        follow(
                            nodes,
                            gains,
                            roots[first : min(first + BATCH, roots.size)],
                            groups,
                            cells[p * columns * 64 :],
                            whole[p],
                            queue,
                            queued,
                            sums[p * count * 64 :],
                        )
            for p in range(patches):
                top, left = y + p // across * SIDE, x + p % across * SIDE
                for g in range(count):
                    begin = (p * count + g) * 64
                    for i in range(min(SIDE, height - top)):
                        for j in range(min(SIDE, width - left)):
                            if whole[p] >> np.uint64(i * SIDE + j) & ONE:
                                out[g, top + i, left + j] = sums[begin + i * SIDE + j]


@kernel
def follow(
    nodes: NDArray[np.int32],
    gains: Floats,
    roots: Longs,
    groups: Longs,
    cells: Floats,
    whole: np.uint64,
    queue: NDArray[np.uint64],
    queued: NDArray[np.int32],
    sums: Floats,
) -> None:
    """Send a patch down a batch of trees, and add up what each step gains."""
    head, tail = ZERO, ZERO
    for t in range(roots.size):
        if roots[t] >= 0:
            queue[tail], queued[tail] = whole, roots[t]
            tail += ONE
    while head < tail:
        at = head & RING
        head += ONE
        mask, number = queue[at], np.uint64(queued[at])
        node = number * FOUR
        column = np.uint64(nodes[node + ONE])
        below = at_most(cells, column, nodes[node])
        low, left = mask & below, nodes[node + TWO]
        high, right = mask & ~below, nodes[node + THREE]
        place = np.uint64(groups[column >> np.uint64(6)] * 64)
        add_either(sums, place, low, gains[number * TWO], high, gains[number * TWO + ONE])
        at = tail & RING
        queue[at], queued[at] = low, left
        tail += np.uint64((low != ZERO) & (left >= 0))
        at = tail & RING
        queue[at], queued[at] = high, right
        tail += np.uint64((high != ZERO) & (right >= 0))
