"""Ranks of a rectangle's cells, which windows then count instead of values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from prospect._kernels._jit import kernel

Floats = NDArray[np.float32]


@kernel
def sort_cells(
    block: Floats, top: int, left: int, h: int, w: int, gap: int, ranks: Any, values: Floats
) -> int:
    """
    Ranks of a rectangle's cells, equal values in any order, and the values in order.

    ``ranks`` of gaps become ``gap``. Answers how many values there are.
    """
    pairs, digits = np.empty((2, h * w + 1), np.uint64), np.zeros((3, 2048), np.uint32)
    low, middle, high = digits[0], digits[1], digits[2]
    one, last, ten = np.uint32(1), np.uint32(2047), np.uint32(11)
    sign, none = np.uint32(0x80000000), np.uint32(0x7F800000)
    p, q = pairs[0], pairs[1]
    words = block.view(np.uint32)
    n = np.uint64(0)
    for y in range(h):
        row, line = words[top + y, left : left + w], ranks[y]
        start = np.uint64(y * ranks.shape[1])
        for x in range(w):
            bits = row[x] if row[x] != sign else np.uint32(0)
            # Bits of a float sort as whole numbers once negative ones are turned round.
            key = ~bits if bits >> np.uint32(31) else bits | sign
            line[x] = gap
            p[n] = (np.uint64(key) << np.uint64(32)) | (start + np.uint64(x))
            if (bits & ~sign) < none:
                low[key & last] += one
                middle[(key >> ten) & last] += one
                high[key >> (ten + ten)] += one
                n += np.uint64(1)
    for digit in range(3):
        before, row = np.uint32(0), digits[digit]
        for i in range(row.shape[0]):
            here = row[i]
            row[i] = before
            before = np.uint32(before + here)
    for i in range(n):
        digit = (p[i] >> np.uint64(32)) & np.uint64(2047)
        q[low[digit]] = p[i]
        low[digit] += one
    for i in range(n):
        digit = (q[i] >> np.uint64(43)) & np.uint64(2047)
        p[middle[digit]] = q[i]
        middle[digit] += one
    flat, bits_of = ranks.reshape(-1), values.view(np.uint32)
    for i in range(n):
        pair = p[i]
        rank = high[pair >> np.uint64(54)]
        high[pair >> np.uint64(54)] += one
        key = np.uint32(pair >> np.uint64(32))
        bits_of[rank] = key ^ sign if key >> np.uint32(31) else ~key
        flat[pair & np.uint64(0xFFFFFFFF)] = rank
    return int(n)
