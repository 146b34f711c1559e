"""Moving windows and their peers: pytest for times, run as a script for a table of ratios.

``PROSPECT_BENCH_SIZE`` sets the side of the layer (cells), 2 % of which are gaps. Ours runs on
two threads over stripes of lattice rows; peers use the threads they have. Slow peers are timed
on a corner, a smaller one for long windows, and compared by the time of a cell. OpenCV's box
filter runs twice, for values and for counts; SciPy's median and OpenCV's extrema know no gaps.
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

from prospect.features.operation import Operation, get_operation
from prospect.grid import LATTICE, Cell

SIZE = int(os.environ.get("PROSPECT_BENCH_SIZE", "1024"))
THREADS = 2
SIDES = (3, 11, 31, 101)
CELL = Cell(1.0, 1.0)
SLOW, SLOWEST, WIDE = 320, 128, 1024
"""Sides of the corner for slow peers, the same for windows beyond 31 cells, and of our medians."""


def layer(side: int, gaps: float = 0.02) -> np.ndarray:
    """Smooth relief with noise, some of it gaps."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(side, side)).astype(np.float32)
    values += np.sin(np.arange(side) / 50, dtype=np.float32) * 10
    values[rng.random(values.shape) < gaps] = np.nan
    return values


def ours(name: str, length: str = "radius", stripe: int = 2 * LATTICE, **more: object) -> Callable:
    """An operation on two threads over stripes of so many rows."""

    def prepare(values: np.ndarray, radius: int) -> Callable[[], np.ndarray]:
        operation: Operation = get_operation(name)
        settings = {length: float(radius), **more}
        rows, cols = operation.halo(CELL, settings)
        block = np.pad(values, ((rows, rows), (cols, cols)), constant_values=np.nan)
        names = operation.columns(settings) if operation.columns else [None]
        shape = values.shape
        starts = range(0, shape[0], stripe)
        depth = (len(names),) if operation.columns else ()
        parts = [
            np.empty((*depth, min(stripe, shape[0] - y), shape[1]), np.float32) for y in starts
        ]

        def one(job: tuple[int, np.ndarray]) -> None:
            y, out = job
            near = block[y : y + out.shape[-2] + 2 * rows]
            operation.compute(near, out=out, cell=CELL, **settings)

        pool = ThreadPoolExecutor(THREADS)
        return lambda: list(pool.map(one, zip(starts, parts, strict=True)))

    return prepare


def opencv_mean(values: np.ndarray, radius: int) -> Callable:
    import cv2

    cv2.setNumThreads(THREADS)
    side = (2 * radius + 1, 2 * radius + 1)
    valid = np.isfinite(values).astype(np.float32)
    filled = np.nan_to_num(values)

    def run() -> np.ndarray:
        total = cv2.boxFilter(filled, -1, side, normalize=False)
        return cv2.divide(total, cv2.boxFilter(valid, -1, side, normalize=False), total)

    return run


def opencv_mean_std(values: np.ndarray, radius: int) -> Callable:
    import cv2

    cv2.setNumThreads(THREADS)
    side = (2 * radius + 1, 2 * radius + 1)
    valid = np.isfinite(values).astype(np.float32)
    filled = np.nan_to_num(values)

    def run() -> np.ndarray:
        count = cv2.boxFilter(valid, -1, side, normalize=False)
        mean = cv2.divide(cv2.boxFilter(filled, -1, side, normalize=False), count)
        square = cv2.divide(cv2.sqrBoxFilter(filled, cv2.CV_32F, side, normalize=False), count)
        return cv2.sqrt(cv2.max(cv2.subtract(square, cv2.multiply(mean, mean)), 0))

    return run


def opencv_min_max(values: np.ndarray, radius: int) -> Callable:
    import cv2

    cv2.setNumThreads(THREADS)
    filled = np.nan_to_num(values)
    element = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    return lambda: (cv2.erode(filled, element), cv2.dilate(filled, element))


def scipy_median(values: np.ndarray, radius: int) -> Callable:
    from scipy import ndimage

    filled = np.nan_to_num(values)
    return lambda: ndimage.median_filter(filled, 2 * radius + 1)


def bottleneck_min_max(values: np.ndarray, radius: int) -> Callable:
    import bottleneck

    side = 2 * radius + 1

    def run() -> None:
        for move in (bottleneck.move_min, bottleneck.move_max):
            move(move(values, side, min_count=1, axis=0), side, min_count=1, axis=1)

    return run


def xrspatial_mean(values: np.ndarray, radius: int) -> Callable:
    import xarray as xr
    from xrspatial.focal import focal_stats

    side = np.ones((2 * radius + 1, 2 * radius + 1))
    data = xr.DataArray(values, dims=("y", "x"))
    return lambda: focal_stats(data, side, stats_funcs=["mean"])


def scipy_gaussian(values: np.ndarray, radius: int) -> Callable:
    from scipy import ndimage

    valid = np.isfinite(values).astype(np.float32)
    filled = np.nan_to_num(values)

    def run() -> np.ndarray:
        total = ndimage.gaussian_filter(filled, radius, mode="constant")
        return total / ndimage.gaussian_filter(valid, radius, mode="constant")

    return run


QUANTITIES: dict[str, dict[str, tuple[str, Callable, bool]]] = {
    "mean": {
        "ours": ("numba", ours("focal_mean", min_valid=0.0), False),
        "opencv": ("cv2", opencv_mean, False),
        "xrspatial": ("xrspatial", xrspatial_mean, True),
    },
    "mean and std": {
        "ours": (
            "numba",
            ours("focal_statistics", outputs=["mean", "std"], min_valid=0.0),
            False,
        ),
        "opencv": ("cv2", opencv_mean_std, False),
    },
    "min and max": {
        "ours": (
            "numba",
            ours("focal_statistics", outputs=["min", "max"], min_valid=0.0),
            False,
        ),
        "opencv": ("cv2", opencv_min_max, False),
        "bottleneck": ("bottleneck", bottleneck_min_max, True),
    },
    "median": {
        "ours": ("numba", ours("focal_median", min_valid=0.0), False),
        "scipy": ("scipy", scipy_median, True),
    },
    "gaussian": {
        "ours": ("numba", ours("gaussian", "sigma", min_valid=0.0), False),
        "scipy": ("scipy", scipy_gaussian, False),
    },
    "circle mean and std": {
        "ours": (
            "numba",
            ours("focal_statistics", outputs=["mean", "std"], min_valid=0.0, shape="circle"),
            False,
        ),
    },
}
"""Engines by quantity: the module each needs, what prepares it, and whether it is slow."""


def cases() -> list[tuple[str, str]]:
    """Quantity and engine, where the engine is installed."""
    return [
        (quantity, engine)
        for quantity, engines in QUANTITIES.items()
        for engine, (module, _, _) in engines.items()
        if find_spec(module)
    ]


def engines_of(quantity: str, side: int) -> list[str]:
    """Engines that are worth waiting for; a long window is long for those that visit its cells."""
    return [
        engine
        for other, engine in cases()
        if other == quantity
        and (side <= 11 or engine != "xrspatial")
        and (side <= 11 or engine != "scipy" or quantity == "median")
    ]


def prepare(quantity: str, engine: str, radius: int, size: int) -> tuple[Callable, int]:
    """What to call, warmed up, and how many cells it does."""
    _, make, slow = QUANTITIES[quantity][engine]
    side = size
    if slow:
        side = min(size, SLOW if radius <= 15 else SLOWEST)
    elif quantity == "median" and radius > 5:
        side = min(size, WIDE)
    run = make(layer(side), radius)
    run()
    return run, side * side


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("quantity", "engine"), cases())
def test_windows(benchmark, quantity: str, engine: str, side: int) -> None:
    run, cells = prepare(quantity, engine, side // 2, SIZE)
    benchmark.extra_info["cells"] = cells
    benchmark.pedantic(run, rounds=3)


def table(size: int, sides: tuple[int, ...] = SIDES, wanted: str = "") -> None:
    """Print million cells a second, and ours over each peer, engines taking turns."""
    for quantity in QUANTITIES:
        if wanted not in quantity:
            continue
        for side in sides:
            engines = engines_of(quantity, side)
            runs = {engine: prepare(quantity, engine, side // 2, size) for engine in engines}
            best = dict.fromkeys(engines, np.inf)
            for _ in range(3):
                for engine, (run, cells) in runs.items():
                    begin = time.perf_counter()
                    run()
                    best[engine] = min(best[engine], (time.perf_counter() - begin) / cells)
            rates = "  ".join(
                f"{engine} {1e-6 / seconds:7.1f} (x{seconds / best['ours']:.1f})"
                for engine, seconds in best.items()
            )
            print(f"{quantity:20} {side:4}  {rates}", flush=True)


if __name__ == "__main__":
    table(int(sys.argv[1]) if len(sys.argv) > 1 else 4096, wanted="".join(sys.argv[2:3]))
