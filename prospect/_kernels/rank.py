"""Order and counts in moving windows: exact, so that no order of work shows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prospect._kernels._jit import kernel
from prospect._kernels.sorting import sort_cells

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]


@kernel
def window_rank(
    block: Floats, reach: Ints, tall: Ints, share: float, fewest: int, tile: int, out: Floats
) -> None:
    """Quantile of every window, by a two-level count of ranks that moves from cell to cell."""
    height, width = out.shape
    rows, cols = reach.shape[0] // 2, tall.shape[0] // 2
    cells = (tile + 2 * rows) * (tile + 2 * cols)
    ranks = np.empty((tile + 2 * rows, tile + 2 * cols), np.int32)
    values = np.empty(cells, np.float32)
    fine, coarse = np.zeros(cells + 128, np.int32), np.zeros((cells >> 6) + 3, np.int32)
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            bottom, right = min(top + tile, height), min(left + tile, width)
            h, w = bottom - top + 2 * rows, right - left + 2 * cols
            sort_cells(block, top, left, h, w, -1, ranks, values)
            fine[:] = 0
            coarse[:] = 0
            count, below, group = 0, 0, 0
            for i in range(2 * rows + 1):
                for x in range(cols - reach[i], cols + reach[i] + 1):
                    n, _ = recount(fine, coarse, ranks[i, x], 1, group)
                    count += n
            y, x, way = 0, 0, 1
            while True:
                if count < fewest or ranks[y + rows, x + cols] < 0:
                    out[top + y, left + x] = np.nan
                else:
                    position = share * (count - 1)
                    nth = int(position)
                    while below > nth:
                        group -= 1
                        below -= coarse[group]
                    while below + coarse[group] <= nth:
                        below += coarse[group]
                        group += 1
                    k, passed = group << 6, below
                    while passed + fine[k] <= nth:
                        passed += fine[k]
                        k += 1
                    value, between = np.float64(values[k]), position - nth
                    if between > 0.0:
                        if passed + fine[k] <= nth + 1:
                            k += 1
                            while fine[k] == 0:
                                k += 1
                        value += (values[k] - value) * between
                    out[top + y, left + x] = value
                if 0 <= x + way < right - left:
                    for i in range(2 * rows + 1):
                        if reach[i] >= 0:
                            gone, come = x + cols - way * reach[i], x + cols + way * (reach[i] + 1)
                            n, b = recount(fine, coarse, ranks[y + i, gone], -1, group)
                            m, c = recount(fine, coarse, ranks[y + i, come], 1, group)
                            count += n + m
                            below += b + c
                    x += way
                elif y + 1 < bottom - top:
                    for j in range(2 * cols + 1):
                        if tall[j] >= 0:
                            gone, come = y + rows - tall[j], y + rows + tall[j] + 1
                            n, b = recount(fine, coarse, ranks[gone, x + j], -1, group)
                            m, c = recount(fine, coarse, ranks[come, x + j], 1, group)
                            count += n + m
                            below += b + c
                    y += 1
                    way = -way
                else:
                    break


BINS, GROUP = 256, 16
"""Equal parts of a tile's sorted values, and how many parts make a group."""


@kernel
def box_rank(
    block: Floats, rows: int, cols: int, share: float, fewest: int, tile: int, out: Floats
) -> None:
    """
    As window_rank, for a rectangle: counts of columns by part of the sorted values.

    A window's counts are those of its neighbour, more one column and less another, which
    are rows of numbers; they lead to a few sorted values, which are looked through.
    """
    height, width = out.shape
    depth, length = 2 * rows + 1, 2 * cols + 1
    tall, broad = tile + 2 * rows, tile + 2 * cols
    ranks, values = np.empty((tall, broad), np.int32), np.empty(tall * broad, np.float32)
    part = np.empty((tall, broad), np.int16)
    sorted_y, sorted_x = np.empty(tall * broad, np.int32), np.empty(tall * broad, np.int32)
    # Below 0 becomes far above, so that one comparison tells both ends.
    tallest, longest = np.uint16(depth), np.uint16(length)
    column = np.empty((broad, BINS), np.uint16)
    group = np.empty((broad, BINS // GROUP), np.uint16)
    held = np.empty(broad, np.int64)
    fine, coarse = np.empty(BINS, np.uint16), np.empty(BINS // GROUP, np.uint16)
    # Four counts are added at once: none of them passes 16 bits, so none spills over.
    columns, groups = column.view(np.uint64), group.view(np.uint64)
    fines, coarses = fine.view(np.uint64), coarse.view(np.uint64)
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            bottom, right = min(top + tile, height), min(left + tile, width)
            h, w = bottom - top, right - left
            wide = w + 2 * cols
            n = sort_cells(block, top, left, h + 2 * rows, wide, -1, ranks, values)
            size = n // BINS + 1
            for row in range(h + 2 * rows):
                for col in range(wide):
                    rank = ranks[row, col]
                    part[row, col] = np.uint32(rank) // np.uint32(size) if rank >= 0 else -1
                    if rank >= 0:
                        sorted_y[rank], sorted_x[rank] = row, col
            column[:] = 0
            group[:] = 0
            held[:] = 0
            for y in range(depth - 1):
                count_row(part[y, :wide], 1, column, group, held)
            for y in range(h):
                count_row(part[y + depth - 1, :wide], 1, column, group, held)
                fine[:] = 0
                coarse[:] = 0
                count = 0
                for x in range(length - 1):
                    add_counts(columns[x], fines)
                    add_counts(groups[x], coarses)
                    count += held[x]
                for x in range(w):
                    if x == 0:
                        add_counts(columns[length - 1], fines)
                        add_counts(groups[length - 1], coarses)
                    else:
                        move_counts(columns[x + length - 1], columns[x - 1], fines)
                        move_counts(groups[x + length - 1], groups[x - 1], coarses)
                        count -= held[x - 1]
                    count += held[x + length - 1]
                    if count < fewest or part[y + rows, x + cols] < 0:
                        out[top + y, left + x] = np.nan
                        continue
                    position = share * (count - 1)
                    nth = int(position)
                    between, below, g = position - nth, 0, 0
                    while below + coarse[g] <= nth:
                        below += coarse[g]
                        g += 1
                    k = g * GROUP
                    while below + fine[k] <= nth:
                        below += fine[k]
                        k += 1
                    after = below + fine[k]
                    i = k * size - 1
                    while below <= nth:
                        i += 1
                        down, along = np.uint16(sorted_y[i] - y), np.uint16(sorted_x[i] - x)
                        below += 1 if (down < tallest) & (along < longest) else 0
                    value = np.float64(values[i])
                    if between > 0.0:
                        if after == nth + 1:
                            k += 1
                            while fine[k] == 0:
                                k += 1
                            i = k * size - 1
                        while below <= nth + 1:
                            i += 1
                            down, along = np.uint16(sorted_y[i] - y), np.uint16(sorted_x[i] - x)
                            below += 1 if (down < tallest) & (along < longest) else 0
                        value += (values[i] - value) * between
                    out[top + y, left + x] = value
                count_row(part[y, :wide], -1, column, group, held)


@kernel
def count_row(parts: Any, by: int, column: Any, group: Any, held: Ints) -> None:
    """Count a row of values into, or out of, the columns."""
    for x in range(parts.shape[0]):
        k = parts[x]
        if k >= 0:
            column[x, k] += by
            group[x, k // GROUP] += by
            held[x] += by


@kernel
def add_counts(come: Any, counts: Any) -> None:
    """Add a column's counts."""
    for k in range(counts.shape[0]):
        counts[k] += come[k]


@kernel
def move_counts(come: Any, gone: Any, counts: Any) -> None:
    """Add a column's counts, and take another's away."""
    for k in range(counts.shape[0]):
        counts[k] += come[k] - gone[k]


@kernel
def nine_rank(block: Floats, share: float, fewest: int, out: Floats) -> None:
    """Quantile of 3 × 3 cells by a sorting network, eight or sixteen windows at a time."""
    height, width = out.shape
    top, none, zero = np.float32(share), np.float32(np.inf), np.float32(0.0)
    one, least = np.float32(1.0), np.float32(fewest)
    bank, held = np.empty((3, width + 2), np.float32), np.empty((3, width + 2), np.float32)
    for y in range(height + 2):
        row, filled, valid = block[y], bank[y % 3], held[y % 3]
        for x in range(width + 2):
            value = row[x] + zero
            filled[x] = value if abs(value) < none else none
        for x in range(width + 2):
            valid[x] = one if filled[x] < none else zero
        if y < 2:
            continue
        centre, line = block[y - 1, 1 : width + 1], out[y - 2]
        r, s, t = bank[0], bank[1], bank[2]
        u, v, w = held[0], held[1], held[2]
        for x in range(width):
            a, b, c = r[x], r[x + 1], r[x + 2]
            d, e, f = s[x], s[x + 1], s[x + 2]
            g, h, i = t[x], t[x + 1], t[x + 2]
            a, d = ordered(a, d)
            b, h = ordered(b, h)
            c, f = ordered(c, f)
            e, i = ordered(e, i)
            a, h = ordered(a, h)
            c, e = ordered(c, e)
            d, i = ordered(d, i)
            f, g = ordered(f, g)
            a, c = ordered(a, c)
            b, d = ordered(b, d)
            e, f = ordered(e, f)
            h, i = ordered(h, i)
            b, e = ordered(b, e)
            d, g = ordered(d, g)
            f, h = ordered(f, h)
            a, b = ordered(a, b)
            c, e = ordered(c, e)
            d, f = ordered(d, f)
            g, i = ordered(g, i)
            c, d = ordered(c, d)
            e, f = ordered(e, f)
            g, h = ordered(g, h)
            b, c = ordered(b, c)
            d, e = ordered(d, e)
            f, g = ordered(f, g)
            count = (u[x] + u[x + 1] + u[x + 2]) + (v[x] + v[x + 1] + v[x + 2])
            count += w[x] + w[x + 1] + w[x + 2]
            # Gaps were sorted to the end: the place among the values chooses two of them.
            place = top * (count - one)
            low, high = a, b
            low, high = (b, c) if place >= one else (low, high)
            low, high = (c, d) if place >= np.float32(2.0) else (low, high)
            low, high = (d, e) if place >= np.float32(3.0) else (low, high)
            low, high = (e, f) if place >= np.float32(4.0) else (low, high)
            low, high = (f, g) if place >= np.float32(5.0) else (low, high)
            low, high = (g, h) if place >= np.float32(6.0) else (low, high)
            low, high = (h, i) if place >= np.float32(7.0) else (low, high)
            low, high = (i, i) if place >= np.float32(8.0) else (low, high)
            between = place - math.floor(place)
            step = (high - low) * between
            known = abs(centre[x]) < none and count >= least
            value = low + step if between > zero else low
            line[x] = value if known else np.float32(np.nan)


@kernel
def ordered(a: np.float32, b: np.float32) -> Any:
    """Two values, the lesser first; plain choices, which vectorise."""
    return a if a < b else b, b if a < b else a


@kernel
def recount(fine: Any, coarse: Any, rank: int, by: int, group: int) -> Any:
    """Count a rank in or out: the change of the count, and of the count below the group."""
    if rank < 0:
        return 0, 0
    fine[rank] += by
    coarse[rank >> 6] += by
    return by, by if rank >> 6 < group else 0


@kernel
def window_classes(
    classes: Any, reach: Ints, tall: Ints, terms: Doubles, fewest: int, out: Floats
) -> None:
    """Entropy of the classes in a window from ``terms`` n·ln n; without terms, the commonest."""
    height, width = out.shape
    rows, cols = reach.shape[0] // 2, tall.shape[0] // 2
    many = 0
    for row in classes:
        for one in row:
            many = max(many, one + 1)
    # A place more at the end, where gaps, which are -1, are counted.
    counts = np.zeros(many + 1, np.int64)
    cells = 0
    for i in range(2 * rows + 1):
        for x in range(cols - reach[i], cols + reach[i] + 1):
            counts[classes[i, x]] += 1
            cells += 1
    y, x, way = 0, 0, 1
    while True:
        valid = cells - counts[many]
        if valid < fewest or classes[y + rows, x + cols] < 0:
            out[y, x] = np.nan
        elif terms.shape[0] > 0:
            total = 0.0
            for k in range(many):
                total += terms[counts[k]]
            out[y, x] = max(terms[valid] - total, 0.0) / valid
        else:
            most = 0
            for k in range(1, many):
                if counts[k] > counts[most]:
                    most = k
            out[y, x] = most
        if 0 <= x + way < width:
            for i in range(2 * rows + 1):
                if reach[i] >= 0:
                    counts[classes[y + i, x + cols - way * reach[i]]] -= 1
                    counts[classes[y + i, x + cols + way * (reach[i] + 1)]] += 1
            x += way
        elif y + 1 < height:
            for j in range(2 * cols + 1):
                if tall[j] >= 0:
                    counts[classes[y + rows - tall[j], x + j]] -= 1
                    counts[classes[y + rows + tall[j] + 1, x + j]] += 1
            y += 1
            way = -way
        else:
            return
