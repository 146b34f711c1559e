"""Moving windows with gaps: each lattice block is computed alone, so a tile equals the whole."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prospect._kernels._jit import kernel
from prospect._kernels.lanes import WORDS, run_on

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

ABREAST = 4
"""Blocks whose running sums go side by side: an addition waits for none of the others."""


@kernel
def box_moments(
    block: Floats,
    rows: int,
    cols: int,
    lattice: int,
    fewest: int,
    mean_at: int,
    std_at: int,
    z_at: int,
    out: NDArray[np.float32],
) -> None:
    """Mean, standard deviation and local z into the planes of ``out`` that are not negative."""
    height, width = out.shape[1], out.shape[2]
    depth, length = 2 * rows + 1, 2 * cols + 1
    spread = std_at >= 0 or z_at >= 0
    chunk, broad = ABREAST * lattice, lattice + 2 * cols
    square, level = np.zeros(ABREAST * broad), np.zeros(chunk)
    s, q, total = np.zeros(chunk), np.zeros(chunk), np.zeros(chunk + 2 * cols)
    # Sums of counts are made some at a time, the last ones in vain.
    count, n = np.zeros(chunk + 2 * cols + WORDS, np.float32), np.zeros(chunk + WORDS, np.float32)
    first = np.empty(broad)
    for top in range(0, height, lattice):
        bottom = min(top + lattice, height)
        for left in range(0, width, chunk):
            w = min(chunk, width - left)
            wide = w + 2 * cols
            total[:] = 0.0
            count[:] = 0.0
            for y in range(top, top + depth - 1):
                add(block[y, left : left + wide], total, count)
            if spread:
                square[:] = 0.0
                for b in range(left, left + w, lattice):
                    edge = min(b + lattice, width) + 2 * cols
                    base = level_of(block, top, bottom + depth - 1, b, edge, first)
                    level[b - left : b - left + lattice] = base
                    at = (b - left) // lattice * broad
                    for y in range(top, top + depth - 1):
                        add_squares(block[y, b:edge], base, square[at : at + broad])
            for y in range(top, bottom):
                row = block[y + depth - 1, left : left + wide]
                if y == top:
                    add(row, total, count)
                else:
                    move(row, block[y - 1, left : left + wide], total, count)
                run_sums(total, lattice, length, lattice, s)
                run_counts(count, length, w, n)
                if spread:
                    for b in range(left, left + w, lattice):
                        edge = min(b + lattice, width) + 2 * cols
                        at = (b - left) // lattice * broad
                        column = square[at : at + broad]
                        come = block[y + depth - 1, b:edge]
                        if y == top:
                            add_squares(come, level[b - left], column)
                        else:
                            move_squares(come, block[y - 1, b:edge], level[b - left], column)
                    run_sums(square, broad, length, lattice, q)
                centre = block[y + rows, left + cols : left + cols + w]
                if mean_at >= 0:
                    put_mean(s, n, centre, fewest, out[mean_at, y, left : left + w])
                if std_at >= 0:
                    put_std(s, q, n, level, centre, fewest, out[std_at, y, left : left + w])
                if z_at >= 0:
                    put_z(s, q, n, level, centre, fewest, out[z_at, y, left : left + w])


@kernel
def put_mean(sums: Doubles, count: Floats, centre: Floats, fewest: int, line: Floats) -> None:
    """Write a row of means; gaps stay gaps, and so do windows that hold too little."""
    least = np.float32(fewest)
    for j in range(line.shape[0]):
        known = (abs(centre[j]) < np.inf) & (count[j] >= least)
        # One step of Newton from float32: a division of doubles takes as long as all the rest.
        guess = np.float64(np.float32(1.0) / count[j])
        mean = sums[j] * (guess * (2.0 - count[j] * guess))
        line[j] = np.float32(mean) if known else np.float32(np.nan)


@kernel
def put_std(
    sums: Doubles,
    squares: Doubles,
    count: Floats,
    level: Doubles,
    centre: Floats,
    fewest: int,
    line: Floats,
) -> None:
    """Write a row of spreads about the mean, from squares about a level."""
    least = np.float32(fewest)
    for j in range(line.shape[0]):
        known = (abs(centre[j]) < np.inf) & (count[j] >= least)
        guess = np.float64(np.float32(1.0) / count[j])
        inverse = guess * (2.0 - count[j] * guess)
        away = sums[j] * inverse - level[j]
        variance = np.float32(squares[j] * inverse - away * away)
        std = math.sqrt(variance if variance > 0.0 else np.float32(0.0))
        line[j] = std if known else np.float32(np.nan)


@kernel
def put_z(
    sums: Doubles,
    squares: Doubles,
    count: Floats,
    level: Doubles,
    centre: Floats,
    fewest: int,
    line: Floats,
) -> None:
    """Write a row of how many spreads the centre lies above the mean; 0 where none is."""
    put_std(sums, squares, count, level, centre, fewest, line)
    for j in range(line.shape[0]):
        guess = np.float64(np.float32(1.0) / count[j])
        away = np.float32(centre[j] - sums[j] * (guess * (2.0 - count[j] * guess)))
        line[j] = line[j] if line[j] == 0.0 else away / line[j]


@kernel
def run_sums(values: Doubles, stride: int, length: int, lattice: int, sums: Doubles) -> None:
    """Running sums of ``length`` neighbours along four lattice blocks at once."""
    a, b, c, d = values, values[stride:], values[2 * stride :], values[3 * stride :]
    p, q, r = sums[:lattice], sums[lattice:], sums[2 * lattice :]
    s = sums[3 * lattice :]
    u, v, w, x = a[0], b[0], c[0], d[0]
    for k in range(1, length):
        u += a[k]
        v += b[k]
        w += c[k]
        x += d[k]
    p[0], q[0], r[0], s[0] = u, v, w, x
    e, f, g, h = a[length:], b[length:], c[length:], d[length:]
    for k in range(lattice - 1):
        u += e[k] - a[k]
        v += f[k] - b[k]
        w += g[k] - c[k]
        x += h[k] - d[k]
        p[k + 1] = u
        q[k + 1] = v
        r[k + 1] = w
        s[k + 1] = x


@kernel
def run_counts(count: Floats, length: int, w: int, counts: Floats) -> None:
    """Running sums of ``length`` neighbours, which are whole numbers: exact in any order."""
    running = np.float32(0.0)
    for k in range(length):
        running += count[k]
    counts[0] = running
    for k in range(0, w - 1, WORDS):
        running = run_on(count, k, length, running, counts)


@kernel
def level_of(block: Floats, top: int, bottom: int, left: int, right: int, first: Doubles) -> float:
    """Mean of every column's first value: what to subtract before squaring; 0 if none."""
    wide = right - left
    first[:wide] = np.nan
    for y in range(top, bottom):
        missing = 0
        row = block[y, left:right]
        for j in range(wide):
            value = np.float64(row[j]) if abs(row[j]) < np.inf else np.nan
            first[j] = first[j] if first[j] == first[j] else value
        for j in range(wide):
            missing += 0 if first[j] == first[j] else 1
        if missing == 0:
            break
    total, count = 0.0, 0
    for j in range(wide):
        if first[j] == first[j]:
            total += first[j]
            count += 1
    return total / count if count else 0.0


@kernel
def add(row: Floats, total: Doubles, count: Floats) -> None:
    """Add a row to the column sums and counts."""
    for j in range(row.shape[0]):
        total[j] += np.float64(row[j]) if abs(row[j]) < np.inf else 0.0
    for j in range(row.shape[0]):
        count[j] += np.float32(abs(row[j]) < np.inf)


@kernel
def move(row: Floats, old: Floats, total: Doubles, count: Floats) -> None:
    """Add a row to the column sums and counts, and drop the one that leaves."""
    for j in range(row.shape[0]):
        came = np.float64(row[j]) if abs(row[j]) < np.inf else 0.0
        went = np.float64(old[j]) if abs(old[j]) < np.inf else 0.0
        total[j] += came - went
    for j in range(row.shape[0]):
        count[j] += np.float32(abs(row[j]) < np.inf) - np.float32(abs(old[j]) < np.inf)


@kernel
def add_squares(row: Floats, level: float, square: Doubles) -> None:
    """Add a row to the column sums of squares."""
    for j in range(row.shape[0]):
        away = np.float64(row[j]) - level if abs(row[j]) < np.inf else 0.0
        square[j] += away * away


@kernel
def move_squares(row: Floats, old: Floats, level: float, square: Doubles) -> None:
    """Add a row to the column sums of squares, and drop the one that leaves."""
    for j in range(row.shape[0]):
        came = np.float64(row[j]) - level if abs(row[j]) < np.inf else 0.0
        went = np.float64(old[j]) - level if abs(old[j]) < np.inf else 0.0
        square[j] += came * came - went * went


@kernel
def shaped_moments(
    block: Floats,
    reach: Ints,
    cols: int,
    lattice: int,
    fewest: int,
    mean_at: int,
    std_at: int,
    z_at: int,
    out: NDArray[np.float32],
) -> None:
    """As box_moments, over the ``reach[i]`` cells to both sides of the centre in row ``i``."""
    height, width = out.shape[1], out.shape[2]
    depth, broad = reach.shape[0], lattice + 2 * cols
    totals, squares = np.zeros((depth, broad + 1)), np.zeros((depth, broad + 1))
    counts = np.zeros((depth, broad + 1), np.float32)
    s, q, n = np.zeros(lattice), np.zeros(lattice), np.zeros(lattice, np.float32)
    level, first = np.zeros(lattice), np.empty(broad)
    for top in range(0, height, lattice):
        bottom = min(top + lattice, height)
        for left in range(0, width, lattice):
            w = min(lattice, width - left)
            edge = left + w + 2 * cols
            level[:] = level_of(block, top, bottom + depth - 1, left, edge, first)
            for y in range(top, bottom + depth - 1):
                at = y % depth
                row = block[y, left:edge]
                prefix_sums(row, level[0], totals[at], squares[at], counts[at])
                middle = y - depth + 1
                if middle < top:
                    continue
                s[:] = 0.0
                q[:] = 0.0
                n[:] = 0.0
                for i in range(depth):
                    if reach[i] >= 0:
                        at = (middle + i) % depth
                        here, there = cols - reach[i], cols + reach[i] + 1
                        add_run(totals[at], here, there, s[:w])
                        add_run(squares[at], here, there, q[:w])
                        add_run(counts[at], here, there, n[:w])
                centre = block[middle + depth // 2, left + cols : left + cols + w]
                if mean_at >= 0:
                    put_mean(s, n, centre, fewest, out[mean_at, middle, left : left + w])
                if std_at >= 0:
                    put_std(s, q, n, level, centre, fewest, out[std_at, middle, left : left + w])
                if z_at >= 0:
                    put_z(s, q, n, level, centre, fewest, out[z_at, middle, left : left + w])


@kernel
def prefix_sums(
    row: Floats, level: float, totals: Doubles, squares: Doubles, counts: Floats
) -> None:
    """Sums of a row's values, squares about the level, and counts, from its start."""
    total, square, count = 0.0, 0.0, np.float32(0.0)
    for j in range(row.shape[0]):
        if abs(row[j]) < np.inf:
            away = row[j] - level
            total += row[j]
            square += away * away
            count += np.float32(1.0)
        totals[j + 1] = total
        squares[j + 1] = square
        counts[j + 1] = count


@kernel
def add_run(prefix: Any, here: int, there: int, sums: Any) -> None:
    """Add a run of every cell, from its prefix sums."""
    begin, end = prefix[here : here + sums.shape[0]], prefix[there : there + sums.shape[0]]
    for j in range(sums.shape[0]):
        sums[j] += end[j] - begin[j]


@kernel
def box_lowest(block: Floats, rows: int, cols: int, sign: int, out: Floats) -> None:
    """Lowest of the window for sign 1, highest for -1: doubling along rows, van Herk down."""
    height, width = out.shape
    depth, length = 2 * rows + 1, 2 * cols + 1
    chunk = min(width, 1024 if depth < 128 else 256)
    one, none = np.float32(sign), np.float32(np.inf)
    bank = np.empty((2, chunk + 2 * cols), np.float32)
    # Rows of runs, then lowest from each row to its block's end: of this block and the last.
    tails, ahead = np.empty((2, depth, chunk), np.float32), np.empty(chunk, np.float32)
    for left in range(0, width, chunk):
        w = min(chunk, width - left)
        this = 0
        for start in range(0, height + depth - 1, depth):
            ahead[:] = none
            many = min(depth, height + depth - 1 - start)
            for i in range(many):
                row, values = block[start + i, left : left + w + 2 * cols], bank[0]
                for j in range(row.shape[0]):
                    # A zero is added so that no negative zero tells which came first.
                    value = one * row[j] + np.float32(0.0)
                    values[j] = value if abs(value) < none else none
                lowest_of_runs(bank, w + 2 * cols, length, tails[this, i, :w])
                lower(ahead, tails[this, i])
                if start > 0 and i + 1 < depth:
                    y = start - depth + i + 1
                    centre = block[y + rows, left + cols : left + cols + w]
                    put_lower(ahead, tails[1 - this, i + 1], one, centre, out[y, left : left + w])
            if many == depth:
                for i in range(depth - 2, -1, -1):
                    lower(tails[this, i], tails[this, i + 1])
                centre = block[start + rows, left + cols : left + cols + w]
                whole = tails[this, 0]
                put_lower(whole, whole, one, centre, out[start, left : left + w])
            this = 1 - this


@kernel
def clear_few(
    block: Floats, rows: int, cols: int, fewest: int, planes: Ints, out: NDArray[np.float32]
) -> None:
    """Make gaps in the planes where a window holds too few values; whole numbers, so exact."""
    height, width = out.shape[1], out.shape[2]
    length = 2 * cols + 1
    count, held = np.zeros(width + 2 * cols, np.int32), np.empty(width, np.int32)
    for y in range(2 * rows):
        tally(block[y], np.int32(1), count)
    for y in range(height):
        tally(block[y + 2 * rows], np.int32(1), count)
        thinnest = count[0]
        for x in range(count.shape[0]):
            thinnest = count[x] if count[x] < thinnest else thinnest
        # Most rows are full enough even if every column of a window were the thinnest.
        if thinnest * length < fewest:
            running = np.int32(0)
            for x in range(length - 1):
                running += count[x]
            for x in range(width):
                running += count[x + length - 1]
                held[x] = running
                running -= count[x]
            for k in planes:
                line = out[k, y]
                for x in range(width):
                    line[x] = line[x] if held[x] >= fewest else np.float32(np.nan)
        tally(block[y], np.int32(-1), count)


@kernel
def tally(row: Floats, by: np.int32, count: NDArray[np.int32]) -> None:
    """Count the values of a row in, or out."""
    for x in range(row.shape[0]):
        count[x] += by if abs(row[x]) < np.inf else np.int32(0)


@kernel
def lowest_of_runs(bank: Floats, wide: int, length: int, out: Floats) -> None:
    """Lowest of ``length`` neighbours, from runs of doubling length that overlap."""
    this, run = 0, 1
    while 2 * run <= length:
        wide -= run
        # Rows of a bank by number: exchanging two arrays keeps the loop from being vectorised.
        here, later, there = bank[this, :wide], bank[this, run : run + wide], bank[1 - this, :wide]
        for j in range(wide):
            there[j] = here[j] if here[j] < later[j] else later[j]
        run *= 2
        this = 1 - this
    first, last = bank[this], bank[this, length - run :]
    for j in range(out.shape[0]):
        out[j] = first[j] if first[j] < last[j] else last[j]


@kernel
def lower(values: Floats, others: Floats) -> None:
    """Keep the lower of two rows in the first."""
    for j in range(values.shape[0]):
        values[j] = values[j] if values[j] < others[j] else others[j]


@kernel
def put_lower(a: Floats, b: Floats, sign: np.float32, centre: Floats, line: Floats) -> None:
    """Write the lower of two rows; gaps stay gaps."""
    none = np.float32(np.inf)
    for j in range(line.shape[0]):
        low = a[j] if a[j] < b[j] else b[j]
        line[j] = sign * low + np.float32(0.0) if abs(centre[j]) < none else np.float32(np.nan)


@kernel
def shaped_lowest(block: Floats, reach: Ints, cols: int, sign: int, out: Floats) -> None:
    """As box_lowest, over the ``reach[i]`` cells to both sides of the centre in row ``i``."""
    height, width = out.shape
    depth, chunk = reach.shape[0], 256
    one, none = np.float32(sign), np.float32(np.inf)
    sizes = 1
    while 2**sizes <= 2 * cols + 1:
        sizes += 1
    runs = np.empty((depth, sizes, chunk + 2 * cols), np.float32)
    low = np.empty(chunk, np.float32)
    for left in range(0, width, chunk):
        w = min(chunk, width - left)
        for y in range(height + depth - 1):
            row, at = block[y, left : left + w + 2 * cols], y % depth
            first = runs[at, 0]
            for j in range(row.shape[0]):
                value = one * row[j] + np.float32(0.0)
                first[j] = value if abs(value) < none else none
            for size in range(1, sizes):
                here, there = runs[at, size - 1], runs[at, size]
                later = here[2 ** (size - 1) :]
                for j in range(row.shape[0] - 2**size + 1):
                    there[j] = here[j] if here[j] < later[j] else later[j]
            middle = y - depth + 1
            if middle < 0:
                continue
            low[:] = none
            for i in range(depth):
                if reach[i] >= 0:
                    length, size = 2 * reach[i] + 1, 0
                    while 2 ** (size + 1) <= length:
                        size += 1
                    part = runs[(middle + i) % depth, size]
                    begin = cols - reach[i]
                    lower(low[:w], part[begin : begin + w])
                    begin += length - 2**size
                    lower(low[:w], part[begin : begin + w])
            centre = block[middle + depth // 2, left + cols : left + cols + w]
            put_lower(low, low, one, centre, out[middle, left : left + w])
