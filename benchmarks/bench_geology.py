"""Rocks and assays: pytest for times, run as a script for a table of ratios.

``PROSPECT_BENCH_SIZE`` sets the side of the layers (cells). Shares of 15 classes in windows of
31 cells stand against SciPy's uniform_filter, a call a class, by the same stripes on the same
threads. Log-ratios of 18 elements (18 centred ones, 5 balances, 5 ratios and 18 robust z of
logarithms: 46 outputs) stand against copying a layer into every output, by the same stripes on
the same threads.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest

from prospect.features.lithology import shares_together
from prospect.features.logarithms import Mix, mix_together
from prospect.grid import Cell

SIZE = int(os.environ.get("PROSPECT_BENCH_SIZE", "1024"))
THREADS = 2
STRIPE = 256
CELL = Cell(1.0, 1.0)
CLASSES, RADIUS = 15, 15
ELEMENTS = 18


def rocks(side: int) -> np.ndarray:
    """A map of classes in patches of some tens of cells, 2 % of it gaps."""
    rng = np.random.default_rng(0)
    coarse = -(-side // 24)
    patches = rng.integers(0, CLASSES, (coarse, coarse)).astype(np.int32)
    y, x = np.mgrid[:side, :side]
    bend = (12 * np.sin(y / 17 + x / 41)).astype(np.int64)
    codes = patches[(y + bend).clip(0, side - 1) // 24, (x + bend).clip(0, side - 1) // 24]
    codes[rng.random((side, side)) < 0.02] = -1
    return codes


def in_stripes(side: int, depth: int, one: Callable[[int, int, np.ndarray], None]) -> Callable:
    """A call that does all stripes on the threads, outputs used again."""
    outs = [np.zeros((depth, STRIPE, side), np.float32) for _ in range(THREADS)]
    starts = range(0, side, STRIPE)

    def mine(worker: int) -> None:
        for top in starts[worker::THREADS]:
            rows = min(STRIPE, side - top)
            one(top, rows, outs[worker][:, :rows])

    pool = ThreadPoolExecutor(THREADS)
    return lambda: list(pool.map(mine, range(THREADS)))


def our_shares(side: int) -> Callable:
    block = np.pad(rocks(side), RADIUS, constant_values=-1)
    asked = [(k, (k,)) for k in range(CLASSES)]

    def one(top: int, rows: int, out: np.ndarray) -> None:
        near = block[top : top + rows + 2 * RADIUS]
        shares_together(near, out, CELL, asked, (float(RADIUS), 0.25, "square"))

    return in_stripes(side, CLASSES, one)


def scipy_shares(side: int) -> Callable:
    from scipy import ndimage

    block = np.pad(rocks(side), RADIUS, constant_values=-1)

    def one(top: int, rows: int, out: np.ndarray) -> None:
        near = block[top : top + rows + 2 * RADIUS]
        inner = (slice(RADIUS, -RADIUS), slice(RADIUS, -RADIUS))
        for k in range(CLASSES):
            flags = (near == k).astype(np.float32)
            out[k] = ndimage.uniform_filter(flags, 2 * RADIUS + 1, mode="constant")[inner]

    return in_stripes(side, CLASSES, one)


def assays(side: int) -> list[np.ndarray]:
    """Skewed layers with 2 % gaps."""
    rng = np.random.default_rng(1)
    layers = [rng.lognormal(size=(side, side)).astype(np.float32) for _ in range(ELEMENTS)]
    for layer in layers:
        layer[rng.random((side, side)) < 0.02] = np.nan
    return layers


def mixes() -> list[tuple[tuple[int, ...], Mix]]:
    """What clr, balances, ratios and z ask for."""
    every, floors = tuple(range(ELEMENTS)), (1e-3,) * ELEMENTS
    asked = [(every, Mix(floors, ((k, 1.0),), mean=-1.0)) for k in every]
    for above in (1, 2, 3):
        six = tuple(range(above, above + 6))
        weights = tuple((k, 0.4 if k < above else -0.4) for k in range(6))
        asked.append((six, Mix(floors[:6], weights)))
    for above in (6, 9):
        weights = tuple((k, 0.2 if k < above else -0.2) for k in every)
        asked.append((every, Mix(floors, weights)))
    asked += [((k, k + 5), Mix(floors[:2], ((0, 1.0), (1, -1.0)))) for k in range(5)]
    asked += [((k,), Mix(floors[:1], ((0, 0.7),), shift=0.3)) for k in every]
    return asked


def our_ratios(side: int) -> Callable:
    layers, asked = assays(side), list(enumerate(mixes()))

    def one(top: int, rows: int, out: np.ndarray) -> None:
        mix_together([layer[top : top + rows] for layer in layers], out, CELL, asked, None)

    return in_stripes(side, len(asked), one)


def copies(side: int) -> Callable:
    layers, depth = assays(side), len(mixes())

    def one(top: int, rows: int, out: np.ndarray) -> None:
        for k in range(depth):
            np.copyto(out[k], layers[k % ELEMENTS][top : top + rows])

    return in_stripes(side, depth, one)


CASES = {
    "15 class shares, 31 cells": {"ours": ("numba", our_shares), "scipy": ("scipy", scipy_shares)},
    "log-ratios of 18 elements": {"ours": ("numba", our_ratios), "copy": ("numpy", copies)},
}
"""Engines by case: the module each needs, and what prepares it."""


def cases() -> list[tuple[str, str]]:
    """Case and engine, where the engine is installed."""
    return [
        (case, engine)
        for case, engines in CASES.items()
        for engine, (module, _) in engines.items()
        if find_spec(module)
    ]


def prepare(case: str, engine: str, size: int) -> tuple[Callable, int]:
    """What to call, warmed up, and how many cells it does."""
    run = CASES[case][engine][1](size)
    run()
    return run, size * size


@pytest.mark.parametrize(("case", "engine"), cases())
def test_geology(benchmark, case: str, engine: str) -> None:
    run, cells = prepare(case, engine, SIZE)
    benchmark.extra_info["cells"] = cells
    benchmark.pedantic(run, rounds=3)


def test_shares_are_those_of_the_peer() -> None:
    pytest.importorskip("scipy")
    from scipy import ndimage

    codes = rocks(120)
    ours = np.empty((CLASSES, 120, 120), np.float32)
    block = np.pad(codes, RADIUS, constant_values=-1)
    asked = [(k, (k,)) for k in range(CLASSES)]
    shares_together(block, ours, CELL, asked, (float(RADIUS), 0.25, "square"))
    theirs = np.array(
        [
            ndimage.uniform_filter((codes == k).astype(float), 31, mode="constant")
            / ndimage.uniform_filter((codes >= 0).astype(float), 31, mode="constant")
            for k in range(CLASSES)
        ]
    )
    there = ~np.isnan(ours)
    assert there.mean() > 0.9
    np.testing.assert_allclose(ours[there], theirs[there], atol=1e-6)


def table(size: int, wanted: str = "") -> None:
    """Print nanoseconds of processor time a cell, and ours over the peer, taking turns."""
    for case in CASES:
        if wanted not in case:
            continue
        runs = {engine: prepare(case, engine, size) for other, engine in cases() if other == case}
        best = dict.fromkeys(runs, np.inf)
        for _ in range(5):
            for engine, (run, cells) in runs.items():
                begin = time.process_time()
                run()
                best[engine] = min(best[engine], (time.process_time() - begin) / cells)
        told = "  ".join(
            f"{engine} {1e9 * seconds:6.1f} ns (x{seconds / best['ours']:.2f})"
            for engine, seconds in best.items()
        )
        print(f"{case:28} {told}", flush=True)


if __name__ == "__main__":
    table(int(sys.argv[1]) if len(sys.argv) > 1 else 2048, wanted="".join(sys.argv[2:3]))
