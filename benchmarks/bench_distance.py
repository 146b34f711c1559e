"""Distance transforms and their peers: pytest for times, as a script a table of ratios.

``PROSPECT_BENCH_SIZE`` sets the side of the layer (cells). Ours runs on two threads over
stripes of rows with a halo of the cap; OpenCV and edt use the threads they have, and know
no cap. Million cells a second.
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

from prospect.features.operation import get_operation
from prospect.grid import Cell

SIZE = int(os.environ.get("PROSPECT_BENCH_SIZE", "1024"))
THREADS = 2
CELL = Cell(30.0, 30.0)
CAP = 10_000.0
PATTERNS = ("0.5 % points", "60 points", "150 lines")


def sources(pattern: str, side: int) -> np.ndarray:
    """1 on the sources, 0 elsewhere."""
    rng = np.random.default_rng(0)
    if pattern == "0.5 % points":
        return (rng.random((side, side)) < 0.005).astype(np.float32)
    values = np.zeros((side, side), np.float32)
    if pattern == "60 points":
        values[tuple(rng.integers(0, side, (2, 60)))] = 1
        return values
    for x, y, u, v in rng.integers(0, side, (150, 4)):
        steps = max(abs(u - x), abs(v - y)) + 1
        rows = np.linspace(y, v, steps).round().astype(int)
        values[rows, np.linspace(x, u, steps).round().astype(int)] = 1
    return values


def ours(values: np.ndarray) -> Callable:
    operation = get_operation("distance_to")
    rows, cols = operation.halo(CELL, {"cap": CAP})
    block = np.pad(values, ((rows, rows), (cols, cols)), constant_values=np.nan)
    side = values.shape[0]
    stripe = -(-side // THREADS // 256) * 256
    parts = [
        (y, np.empty((min(stripe, side - y), side), np.float32)) for y in range(0, side, stripe)
    ]

    def one(job: tuple[int, np.ndarray]) -> None:
        y, out = job
        near = block[y : y + out.shape[0] + 2 * rows]
        operation.compute(near, out=out, cell=CELL, cap=CAP)

    pool = ThreadPoolExecutor(THREADS)
    return lambda: list(pool.map(one, parts))


def opencv(values: np.ndarray) -> Callable:
    import cv2

    cv2.setNumThreads(THREADS)
    empty = (values == 0).astype(np.uint8)
    return lambda: cv2.distanceTransform(empty, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def edt(values: np.ndarray) -> Callable:
    import edt

    empty = values == 0
    return lambda: edt.edt(empty, anisotropy=(30.0, 30.0), parallel=THREADS)


def scipy(values: np.ndarray) -> Callable:
    from scipy import ndimage

    empty = values[:1024, :1024] == 0
    return lambda: ndimage.distance_transform_edt(empty, sampling=(30.0, 30.0))


ENGINES = {
    "ours": ("numba", ours),
    "opencv": ("cv2", opencv),
    "edt": ("edt", edt),
    "scipy": ("scipy", scipy),
}
INSTALLED = [name for name, (module, _) in ENGINES.items() if find_spec(module)]


def prepare(pattern: str, engine: str, size: int) -> tuple[Callable, int]:
    """What to call, warmed up, and how many cells it does."""
    run = ENGINES[engine][1](sources(pattern, size))
    run()
    side = min(size, 1024) if engine == "scipy" else size
    return run, side * side


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("engine", INSTALLED)
def test_distance(benchmark, pattern: str, engine: str) -> None:
    run, cells = prepare(pattern, engine, SIZE)
    benchmark.extra_info["cells"] = cells
    benchmark.pedantic(run, rounds=3)


def table(size: int) -> None:
    """Print million cells a second, and ours over each peer, engines taking turns."""
    for pattern in PATTERNS:
        runs = {engine: prepare(pattern, engine, size) for engine in INSTALLED}
        best = dict.fromkeys(INSTALLED, np.inf)
        for _ in range(3):
            for engine, (run, cells) in runs.items():
                begin = time.perf_counter()
                run()
                best[engine] = min(best[engine], (time.perf_counter() - begin) / cells)
        rates = "  ".join(
            f"{engine} {1e-6 / seconds:7.1f} (x{seconds / best['ours']:.1f})"
            for engine, seconds in best.items()
        )
        print(f"{pattern:14}  {rates}", flush=True)


if __name__ == "__main__":
    table(int(sys.argv[1]) if len(sys.argv) > 1 else 4096)
