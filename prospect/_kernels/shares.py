"""Counts of classes in square windows: whole numbers, so that a tile equals the whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prospect._kernels._jit import kernel

Floats = NDArray[np.float32]
Codes = NDArray[np.int32]
Slots = NDArray[np.uint16]
Ints = NDArray[np.int64]

CHUNK = 1024
"""Columns that are counted at once: the counts of some twenty classes stay in the cache."""


@kernel
def slots_of(block: Codes, codes: Codes, out: Slots) -> None:
    """0 for a gap, 1 for a class that nobody asks for, else 2 and its place in ``codes``."""
    last, slot = np.int32(-1), np.uint16(0)
    for y in range(block.shape[0]):
        for x in range(block.shape[1]):
            code = block[y, x]
            # Rocks lie in patches: mostly it is the same as beside.
            if code != last:
                last = code
                slot = np.uint16(0)
                if code >= 0:
                    at = np.searchsorted(codes, code)
                    found = at < codes.shape[0] and codes[at] == code
                    slot = np.uint16(2 + at) if found else np.uint16(1)
            out[y, x] = slot


@kernel
def box_shares(
    slots: Slots,
    owners: Slots,
    starts: Ints,
    members: Ints,
    rows: int,
    cols: int,
    fewest: int,
    planes: Ints,
    out: Floats,
) -> None:
    """Share of every group in the window.

    Slot ``k`` belongs to the group ``owners[k]``, which beyond the last group is none, and to
    further ones from ``starts[k]`` on.
    """
    height, width = out.shape[1], out.shape[2]
    groups, depth, length = planes.shape[0], 2 * rows + 1, 2 * cols + 1
    counts = np.zeros((groups + 2, CHUNK + 2 * cols), np.int32)
    sums, divisor = np.zeros(CHUNK, np.int32), np.zeros(CHUNK, np.float32)
    for left in range(0, width, CHUNK):
        w = min(CHUNK, width - left)
        wide = w + 2 * cols
        counts[:] = 0
        for y in range(depth - 1):
            count_row(slots[y, left : left + wide], 1, owners, starts, members, counts)
        for y in range(height):
            come = slots[y + depth - 1, left : left + wide]
            if y > 0:
                count_row(slots[y - 1, left : left + wide], -1, owners, starts, members, counts)
            count_row(come, 1, owners, starts, members, counts)
            run_counts(counts[groups + 1, :wide], length, sums[:w])
            centre = slots[y + rows, left + cols : left + cols + w]
            for x in range(w):
                known = centre[x] > 0 and sums[x] >= fewest
                divisor[x] = np.float32(sums[x]) if known else np.float32(np.nan)
            for k in range(groups):
                some = np.int32(0)
                for x in range(wide):
                    some |= counts[k, x]
                if some != 0:
                    run_counts(counts[k, :wide], length, sums[:w])
                else:
                    sums[:w] = 0
                line = out[planes[k], y, left : left + w]
                for x in range(w):
                    line[x] = np.float32(sums[x]) / divisor[x]


@kernel
def count_row(
    row: Slots, step: int, owners: Slots, starts: Ints, members: Ints, counts: Codes
) -> None:
    """Count a row in or out of its columns; the last line counts whatever is no gap."""
    valid, one = counts[counts.shape[0] - 1], np.int32(step)
    for x in range(row.shape[0]):
        valid[x] += one if row[x] > 0 else np.int32(0)
    # No branches: what nobody asks for has a line of its own.
    for x in range(row.shape[0]):
        counts[owners[row[x]], x] += one
    if members.shape[0] > 0:
        for x in range(row.shape[0]):
            for m in range(starts[row[x]], starts[row[x] + 1]):
                counts[members[m], x] += one


@kernel
def run_counts(values: Codes, length: int, sums: Codes) -> None:
    """Running sums of ``length`` neighbours."""
    total = np.int32(0)
    for k in range(length):
        total += values[k]
    sums[0] = total
    come, gone = values[length:], values
    for k in range(sums.shape[0] - 1):
        total += come[k] - gone[k]
        sums[k + 1] = total
