"""Trees over a block of cells: 8 by 8 cells go down as the bits of one word."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prospect._kernels._jit import kernel
from prospect._kernels.patches import aligned, at_most, count, paint

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Words = NDArray[np.uint64]

SIDE = 8
"""Cells a side of a patch: 64 of them, compact, meet fewer nodes than 64 in a row."""

BATCH = 63
"""Trees that a patch goes down together; a power of two when one is added."""

NO_LEAF = -1
"""What stands for a leaf of value 0, which adds nothing."""

ZERO, ONE, TWO, THREE, FOUR = (np.uint64(n) for n in range(5))
RING = np.uint64(64 * (BATCH + 1) - 1)


@kernel
def add_trees(
    block: Floats,
    valid: NDArray[np.bool_],
    features: Longs,
    fills: Floats,
    nodes: Ints,
    roots: Longs,
    values: Doubles,
    starts: Longs,
    ends: Longs,
    votes: bool,
    start: float,
    across: int,
    total: Doubles,
    squares: Doubles,
    inner: Doubles,
) -> None:
    """
    Sum of what the leaves say, tree after tree, over the valid cells of a block.

    ``features`` and ``fills`` are the columns that nodes compare: which plane of the block,
    and what stands for its gaps (NaN goes right, minus infinity left). A node is four
    numbers: the bits of its threshold, 64 times its column, and two children, which are
    nodes from 0 on, or leaves: the complement of 65,536 times the tree's place in its batch
    plus the place of its value among the tree's own, which begin at ``starts``. The value
    at place 0 is 0. With ``votes`` every other value is 1. ``across`` patches a side are
    loaded before the first batch of trees. ``squares``, if not empty, sums squared values.

    With ``ends`` trees are parted into draws: after the last tree of a draw it says how many
    the draw has, and 0 elsewhere. Then sums are those of the draws' means, and of their
    squares, and ``inner`` of the variances between the trees of a draw. Without, it is left.
    """
    height, width = valid.shape
    far = 64 if squares.size else 0
    patches = across * across
    columns = features.size
    cells = aligned(patches * columns * 256).view(np.float32)
    painted = aligned(BATCH * 128).view(np.uint16)
    counts = aligned(64)
    chosen = np.empty(BATCH, np.uint64)
    whole = np.empty(patches, np.uint64)
    sums, sums2 = np.empty((patches, 64)), np.empty((patches, far))
    drawn = np.empty((patches, 64 if ends.size else 0))
    drawn2, within = np.empty((patches, far)), np.empty((patches, far))
    queue, queued = np.empty(RING + ONE, np.uint64), np.empty(RING + ONE, np.int32)
    masks, leaves = np.empty(RING + ONE, np.uint64), np.empty(RING + ONE, np.int32)
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
            sums[:] = start
            sums2[:] = 0.0
            drawn[:], drawn2[:], within[:] = 0.0, 0.0, 0.0
            for first in range(0, roots.size, BATCH):
                last = min(first + BATCH, roots.size)
                for p in range(patches):
                    if whole[p] == ZERO:
                        continue
                    found = descend(
                        nodes,
                        roots[first:last],
                        cells[p * columns * 64 :],
                        whole[p],
                        queue,
                        queued,
                        masks,
                        leaves,
                    )
                    if votes:
                        tally(masks, leaves, found, chosen[: last - first], counts, sums[p])
                    else:
                        gather(
                            masks,
                            leaves,
                            found,
                            values,
                            starts[first:last],
                            ends[first:last],
                            painted,
                            sums[p],
                            sums2[p],
                            drawn[p],
                            drawn2[p],
                            within[p],
                        )
            for p in range(patches):
                top, left = y + p // across * SIDE, x + p % across * SIDE
                if ends.size:
                    write(drawn[p], whole[p], top, left, total)
                    if far:
                        write(drawn2[p], whole[p], top, left, squares)
                        write(within[p], whole[p], top, left, inner)
                    continue
                write(sums[p], whole[p], top, left, total)
                if far:
                    write(sums[p] if votes else sums2[p], whole[p], top, left, squares)


@kernel
def descend(
    nodes: Ints,
    roots: Longs,
    cells: Floats,
    whole: np.uint64,
    queue: Words,
    queued: Ints,
    masks: Words,
    leaves: Ints,
) -> np.uint64:
    """
    Send a patch down a batch of trees; the leaves it reaches, with the cells in each.

    Nothing is decided by a jump: both children are always written, and the end of the
    queue moves on only past those that cells go to.
    """
    head, tail, found = ZERO, ZERO, ZERO
    for t in range(roots.size):
        if roots[t] >= 0:
            queue[tail], queued[tail] = whole, roots[t]
            tail += ONE
        elif roots[t] != NO_LEAF:
            masks[found], leaves[found] = whole, roots[t]
            found += ONE
    while head < tail:
        at = head & RING
        head += ONE
        mask, node = queue[at], np.uint64(queued[at]) * FOUR
        below = at_most(cells, np.uint64(nodes[node + ONE]), nodes[node])
        low, left = mask & below, nodes[node + TWO]
        high, right = mask & ~below, nodes[node + THREE]
        at = tail & RING
        queue[at], queued[at] = low, left
        tail += np.uint64((low != ZERO) & (left >= 0))
        at = tail & RING
        queue[at], queued[at] = high, right
        tail += np.uint64((high != ZERO) & (right >= 0))
        masks[found], leaves[found] = low, left
        found += np.uint64((low != ZERO) & (left < NO_LEAF))
        masks[found], leaves[found] = high, right
        found += np.uint64((high != ZERO) & (right < NO_LEAF))
    return found


@kernel
def tally(
    masks: Words,
    leaves: Ints,
    found: np.uint64,
    chosen: Words,
    counts: NDArray[np.uint8],
    sums: Doubles,
) -> None:
    """Add the trees' votes: counts are exact, so their order does not matter."""
    chosen[:] = ZERO
    for i in range(found):
        chosen[~leaves[i] >> 16] |= masks[i]
    counts[:] = 0
    for t in range(chosen.size):
        count(counts, ZERO, chosen[t])
    for j in range(64):
        sums[j] += counts[j]


@kernel
def gather(
    masks: Words,
    leaves: Ints,
    found: np.uint64,
    values: Doubles,
    starts: Longs,
    ends: Longs,
    painted: NDArray[np.uint16],
    sums: Doubles,
    sums2: Doubles,
    drawn: Doubles,
    drawn2: Doubles,
    within: Doubles,
) -> None:
    """Add the values of leaves, tree after tree: every cell learns its leaf's place first."""
    painted[: starts.size * 64] = 0
    for i in range(found):
        leaf = ~leaves[i]
        paint(painted, np.uint64(leaf >> 16) * np.uint64(64), masks[i], np.uint16(leaf & 0xFFFF))
    for t in range(starts.size):
        table, place = values[starts[t] :], painted[t * 64 : t * 64 + 64]
        for j in range(64):
            sums[j] += table[np.uint64(place[j])]
        for j in range(sums2.size):
            value = table[np.uint64(place[j])]
            sums2[j] += value * value
        if ends.size and ends[t]:
            close_draw(float(ends[t]), sums, sums2, drawn, drawn2, within)


@kernel
def close_draw(
    count: float, sums: Doubles, sums2: Doubles, drawn: Doubles, drawn2: Doubles, within: Doubles
) -> None:
    """Add the mean of a draw's trees, and begin the next draw."""
    for j in range(64):
        mean = sums[j] / count
        drawn[j] += mean
        if sums2.size:
            drawn2[j] += mean * mean
            within[j] += max(sums2[j] / count - mean * mean, 0.0)
    sums[:], sums2[:] = 0.0, 0.0


@kernel
def load(block: Floats, top: int, left: int, features: Longs, fills: Floats, cells: Floats) -> None:
    """A patch of the block, column by column, its gaps filled."""
    height, width = min(SIDE, block.shape[1] - top), min(SIDE, block.shape[2] - left)
    if height == SIDE and width == SIDE:
        load_whole(block, top, left, features, fills, cells)
        return
    for c in range(features.size):
        plane, fill = block[features[c]], fills[c]
        for i in range(height):
            for j in range(width):
                value = plane[top + i, left + j]
                cells[(c * SIDE + i) * SIDE + j] = fill if np.isnan(value) else value


@kernel
def load_whole(
    block: Floats, top: int, left: int, features: Longs, fills: Floats, cells: Floats
) -> None:
    """The same of a patch that no edge cuts: loops of fixed length become vectors."""
    for c in range(features.size):
        plane, fill = block[features[c]], fills[c]
        for i in range(SIDE):
            row = plane[np.uint64(top + i)]
            for j in range(SIDE):
                value = row[np.uint64(left + j)]
                cells[np.uint64((c * SIDE + i) * SIDE + j)] = fill if np.isnan(value) else value


@kernel
def bits_of(valid: NDArray[np.bool_], top: int, left: int) -> np.uint64:
    """The valid cells of a patch as bits; none beyond the block."""
    bits = ZERO
    for i in range(min(SIDE, valid.shape[0] - top)):
        for j in range(min(SIDE, valid.shape[1] - left)):
            bits |= np.uint64(valid[top + i, left + j]) << np.uint64(i * SIDE + j)
    return bits


@kernel
def write(sums: Doubles, whole: np.uint64, top: int, left: int, out: Doubles) -> None:
    """Put the cells of a patch back in their places."""
    for i in range(min(SIDE, out.shape[0] - top)):
        for j in range(min(SIDE, out.shape[1] - left)):
            if whole >> np.uint64(i * SIDE + j) & ONE:
                out[top + i, left + j] = sums[i * SIDE + j]
