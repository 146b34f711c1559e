"""
Order in narrow windows: sets of ranks as bits, exact, so that no order of work shows.

A tile is sorted, so that every cell has a rank of its own. 64 ranks are a part; a column of
a window's height is a set, one word a part, and the sum of how many of its values lie below
each part. The sums of a window's columns, which move on by one column, tell the part of the
wanted value; the union of its columns' words, the value.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from prospect._kernels._jit import kernel
from prospect._kernels.lanes import LANES, WORDS, count_up_to, move_counts, union_of
from prospect._kernels.sorting import sort_cells

Floats = NDArray[np.float32]

CELLS = 64 * (LANES - 1)
"""How many cells a tile with its surroundings has at most: the last part is that of gaps."""

ONES, PAIRS = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
NIBBLES, BYTES = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x0101010101010101)
TOPS = np.uint64(0x8080808080808080)

PLACES = np.array(
    [
        [([i for i in range(8) if byte >> i & 1] + [0] * 8)[k] for k in range(8)]
        for byte in range(256)
    ],
    np.uint8,
)
"""Where the k-th set bit of a byte is."""


def tile_of(rows: int, cols: int) -> tuple[int, int]:
    """Height and width of a tile for a window that reaches so far; 0 if none is large enough."""
    tall = min(40, 63 - 2 * rows)
    wide = min(48, CELLS // (tall + 2 * rows) - 2 * cols) if tall > 0 else 0
    return (tall, wide) if min(tall, wide) >= 20 else (0, 0)


@kernel
def set_rank(
    block: Floats, rows: int, cols: int, share: float, fewest: int, th: int, tw: int, out: Floats
) -> None:
    """Quantile of every window in tiles of ``th`` × ``tw`` cells, which tile_of gives."""
    height, width = out.shape
    depth, length = 2 * rows + 1, 2 * cols + 1
    tall, broad = th + 2 * rows, tw + 2 * cols
    parts = -(-tall * broad // 64)
    gap = 64 * parts
    # What a window without values points to is nothing, but must be there.
    ranks, values = np.empty((tall, broad), np.int32), np.zeros(64 * (parts + 3), np.float32)
    empty = np.full(broad, gap, np.int32)
    # Unions read whole vectors, so rows of words end in some that nobody asks for.
    sets = np.empty((parts + 1, broad + WORDS), np.uint64)
    stride, flat = broad + WORDS, sets.reshape(-1)
    keep = np.zeros(-(-length // WORDS) * WORDS, np.uint64)
    keep[:length] = ~np.uint64(0)
    # What a value of each part adds to the sums, and nothing for a gap.
    steps = np.zeros((parts + 1, LANES), np.uint16)
    for k in range(parts):
        steps[k, k + 1 :] = 1
    below, held = np.empty((broad, LANES), np.uint16), np.empty(broad, np.int32)
    window, many = np.empty((1, LANES), np.uint16), np.empty(tw, np.int32)
    nth, part = np.empty((2, tw), np.int32), np.empty((2, tw), np.int32)
    words, between = np.empty((2, tw), np.uint64), np.empty(tw)
    for top in range(0, height, th):
        for left in range(0, width, tw):
            h, w = min(top + th, height) - top, min(left + tw, width) - left
            wide = w + 2 * cols
            sort_cells(block, top, left, h + 2 * rows, wide, gap, ranks, values)
            sets[:, :] = np.uint64(0)
            below[:, :] = 0
            held[:] = 0
            for y in range(depth - 1):
                move_columns(ranks[y, :wide], empty, gap, steps, below, flat, stride, held)
            for y in range(h):
                old = ranks[y - 1] if y > 0 else empty
                come = ranks[y + depth - 1, :wide]
                move_columns(come, old, gap, steps, below, flat, stride, held)
                count_along(held, length, many[:w])
                for x in range(w):
                    place = share * max(many[x] - 1, 0)
                    nth[0, x] = int(place)
                    between[x] = place - nth[0, x]
                    nth[1, x] = nth[0, x] + np.int32(between[x] > 0.0)
                window[:] = 0
                for x in range(length - 1):
                    move_counts(window, 0, below, x, steps, parts)
                for x in range(w):
                    move_counts(window, 0, below, x + length - 1, steps, parts)
                    for i in range(2):
                        k = min(count_up_to(window, 0, nth[i, x]) - 1, parts)
                        word = np.uint64(0)
                        for j in range(0, length, WORDS):
                            word |= union_of(flat, k * stride + x + j, keep, j)
                        words[i, x] = word
                        part[i, x] = 64 * k
                        nth[i, x] -= window[0, k]
                    move_counts(window, 0, steps, parts, below, x)
                find_bits(words[0, :w], nth[0, :w], part[0, :w])
                find_bits(words[1, :w], nth[1, :w], part[1, :w])
                centre, line = ranks[y + rows, cols : cols + w], out[top + y, left : left + w]
                for x in range(w):
                    value = np.float64(values[part[0, x]])
                    value += (values[part[1, x]] - value) * between[x]
                    known = (many[x] >= fewest) & (centre[x] != gap)
                    line[x] = np.float32(value) if known else np.float32(np.nan)


@kernel
def move_columns(
    come: Any, gone: Any, gap: int, steps: Any, below: Any, sets: Any, stride: int, held: Any
) -> None:
    """Take a row of ranks into the columns, and another out."""
    one = np.uint64(1)
    for x in range(come.shape[0]):
        new, old = come[x], gone[x]
        sets[(new >> 6) * stride + x] ^= one << np.uint64(new & 63)
        sets[(old >> 6) * stride + x] ^= one << np.uint64(old & 63)
        move_counts(below, x, steps, new >> 6, steps, old >> 6)
    for x in range(come.shape[0]):
        held[x] += np.int32(come[x] < gap) - np.int32(gone[x] < gap)


@kernel
def count_along(held: Any, length: int, many: Any) -> None:
    """How many values a window has."""
    count = 0
    for x in range(length - 1):
        count += held[x]
    for x in range(many.shape[0]):
        count += held[x + length - 1]
        many[x] = count
        count -= held[x]


@kernel
def find_bits(words: Any, nth: Any, at: Any) -> None:
    """Add where each word's nth bit is that is set."""
    one, two, three, byte = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(255)
    four, seven, eight, most = np.uint64(4), np.uint64(7), np.uint64(8), np.uint64(56)
    for x in range(words.shape[0]):
        word, n = words[x], np.uint64(nth[x])
        bits = word - ((word >> one) & ONES)
        bits = (bits & PAIRS) + ((bits >> two) & PAIRS)
        # Every byte how many are set up to its end, then how many bytes end too early.
        passed = ((bits + (bits >> four)) & NIBBLES) * BYTES
        beyond = (((passed | TOPS) - (n + one) * BYTES) & TOPS) >> seven
        shift = (eight - ((beyond * BYTES) >> most)) << three
        n -= ((passed << eight) >> shift) & byte
        at[x] += np.int32(shift + PLACES[(word >> shift) & byte, n & seven])
