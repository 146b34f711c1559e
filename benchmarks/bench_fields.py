"""Gradients of gridded fields and harmonica: pytest for times, as a script a table of ratios.

``PROSPECT_BENCH_SIZE`` sets the side of the layer (cells). Ours runs on two threads over
stripes of lattice blocks, windows and all. harmonica takes one call each, refuses gaps, and
transforms the whole; it is given no padding, which would slow it down, and as many threads
as its libraries take.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest

from prospect.features import potential_field
from prospect.grid import LATTICE, Cell

SIZE = int(os.environ.get("PROSPECT_BENCH_SIZE", "1024"))
THREADS = 2
CELL = Cell(100.0, 100.0)
REACH = 64
SETS = {
    "upward": ["up"],
    "tilt": ["tilt"],
    "five fused": ["east", "north", "up", "amplitude", "tilt"],
}


def magnetics(side: int) -> np.ndarray:
    """Hills with noise, without gaps."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side].astype(np.float32) / 40
    values = 50_000 + 200 * np.sin(y) * np.cos(x) + rng.normal(size=(side, side))
    return values.astype(np.float32)


def ours(values: np.ndarray, quantities: list[str]) -> Callable:
    block = np.pad(values, REACH, constant_values=np.nan)
    side = values.shape[0]
    parts = [
        (y, np.empty((len(quantities), min(LATTICE, side - y), side), np.float32))
        for y in range(0, side, LATTICE)
    ]
    asked = list(enumerate(quantities))

    def one(job: tuple[int, np.ndarray]) -> None:
        y, out = job
        near = block[y : y + out.shape[1] + 2 * REACH]
        potential_field.together(near, out, CELL, asked, 0.0)

    pool = ThreadPoolExecutor(THREADS)
    return lambda: list(pool.map(one, parts))


def harmonica(values: np.ndarray, quantities: list[str]) -> Callable:
    import harmonica as hm
    import xarray as xr

    place = np.arange(values.shape[0]) * CELL.dx
    data = xr.DataArray(
        values, dims=("northing", "easting"), coords={"northing": place, "easting": place}
    )
    calls = {
        "east": hm.derivative_easting,
        "north": hm.derivative_northing,
        "up": hm.derivative_upward,
        "amplitude": hm.total_gradient_amplitude,
        "tilt": hm.tilt_angle,
    }
    wanted = [calls[name] for name in quantities]

    def run() -> list:
        with warnings.catch_warnings():
            # Its libraries warn of one another.
            warnings.simplefilter("ignore", FutureWarning)
            return [call(data) for call in wanted]

    return run


ENGINES = {"ours": ("numba", ours), "harmonica": ("harmonica", harmonica)}
INSTALLED = [name for name, (module, _) in ENGINES.items() if find_spec(module)]


@pytest.mark.parametrize("quantities", SETS)
@pytest.mark.parametrize("engine", INSTALLED)
def test_fields(benchmark, engine: str, quantities: str) -> None:
    run = ENGINES[engine][1](magnetics(SIZE), SETS[quantities])
    run()
    benchmark.extra_info["cells"] = SIZE * SIZE
    benchmark.pedantic(run, rounds=3)


def table(size: int) -> None:
    """Print million cells a second, and ours over the peer, engines taking turns."""
    values = magnetics(size)
    for name, quantities in SETS.items():
        runs = {engine: ENGINES[engine][1](values, quantities) for engine in INSTALLED}
        best = dict.fromkeys(INSTALLED, np.inf)
        for run in runs.values():
            run()
        for _ in range(3):
            for engine, run in runs.items():
                begin = time.perf_counter()
                run()
                best[engine] = min(best[engine], (time.perf_counter() - begin) / size**2)
        rates = "  ".join(
            f"{engine} {1e-6 / seconds:7.1f} (x{seconds / best['ours']:.1f})"
            for engine, seconds in best.items()
        )
        print(f"{name:16}  {rates}", flush=True)


if __name__ == "__main__":
    table(int(sys.argv[1]) if len(sys.argv) > 1 else 4096)
