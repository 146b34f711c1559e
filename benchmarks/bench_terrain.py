"""Terrain derivatives and their peers: pytest for times, as a script a table of ratios.

``PROSPECT_BENCH_SIZE`` sets the side of the layer (cells). Ours runs on two threads over
stripes of rows. Peers take one call an output, and a set is compared with the calls they have
for it: xarray-spatial 0.5 has slope, aspect and curvature of the eight, later versions
ruggedness, position and roughness as well; gdaldem has all but the curvatures. gdaldem is a
program that reads and writes files, here uncompressed and in memory where there is /dev/shm:
only *processor time* is compared, all of the program's with that of ours on both threads.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from prospect.features.terrain import terrain_derivatives
from prospect.grid import Cell

SIZE = int(os.environ.get("PROSPECT_BENCH_SIZE", "1024"))
THREADS = 2
CELL = Cell(30.0, 30.0)
STRIPE = 256
EIGHT = [
    "slope",
    "aspect",
    "profile_curvature",
    "plan_curvature",
    "total_curvature",
    "ruggedness",
    "position",
    "roughness",
]
SETS = {
    "slope": ["slope"],
    "aspect": ["aspect"],
    "total_curvature": ["total_curvature"],
    "hillshade": ["hillshade"],
    "eight fused": EIGHT,
}


def relief(side: int) -> np.ndarray:
    """Hills with noise, 2 % of them gaps."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side].astype(np.float32) / 40
    values = 1000 + 200 * np.sin(y) * np.cos(x) + rng.normal(size=(side, side))
    values[rng.random((side, side)) < 0.02] = np.nan
    return values.astype(np.float32)


def ours(values: np.ndarray, outputs: list[str]) -> Callable:
    block = np.pad(values, 1, constant_values=np.nan)
    side = values.shape[0]
    parts = [
        (y, np.empty((len(outputs), min(STRIPE, side - y), side), np.float32))
        for y in range(0, side, STRIPE)
    ]

    def one(job: tuple[int, np.ndarray]) -> None:
        y, out = job
        near = block[y : y + out.shape[1] + 2]
        terrain_derivatives.compute(near, out=out, cell=CELL, outputs=outputs)

    pool = ThreadPoolExecutor(THREADS)
    return lambda: list(pool.map(one, parts))


def xrspatial(values: np.ndarray, outputs: list[str]) -> Callable:
    import xarray as xr
    from xrspatial import aspect, curvature, hillshade, slope

    place = np.arange(values.shape[0]) * 30.0
    data = xr.DataArray(values, dims=("y", "x"), coords={"y": place, "x": place})
    data.attrs["res"] = (30.0, 30.0)
    calls = {
        "slope": slope,
        "aspect": aspect,
        "total_curvature": curvature,
        "hillshade": hillshade,
    }
    if find_spec("xrspatial.terrain_metrics"):
        from xrspatial.terrain_metrics import roughness, tpi, tri

        calls |= {"ruggedness": tri, "position": tpi, "roughness": roughness}
    wanted = [calls[name] for name in outputs if name in calls]
    return lambda: [call(data) for call in wanted]


GDALDEM = {
    "slope": ["slope"],
    "aspect": ["aspect"],
    "hillshade": ["hillshade"],
    "ruggedness": ["TRI", "-alg", "Riley"],
    "position": ["TPI"],
    "roughness": ["roughness"],
}


def gdaldem_seconds(values: np.ndarray, outputs: list[str], rounds: int = 3) -> float:
    """Processor time of the program's runs for what it has of the outputs, the least of rounds."""
    import resource

    import rasterio

    runs = [GDALDEM[name] for name in outputs if name in GDALDEM]
    shape = {"height": values.shape[0], "width": values.shape[1], "count": 1}
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        path, made = Path(folder) / "elevation.tif", Path(folder) / "made.tif"
        place = rasterio.Affine(30, 0, 500_000, 0, -30, 4_400_000)
        about = {"dtype": "float32", "nodata": np.nan, "crs": "EPSG:32642", "transform": place}
        with rasterio.open(path, "w", driver="GTiff", **shape, **about) as target:
            target.write(values, 1)
        best = np.inf
        for _ in range(rounds):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            for mode, *more in runs:
                subprocess.run(["gdaldem", mode, path, made, *more, "-q"], check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
            best = min(best, spent)
    return best


ENGINES = {"ours": ("numba", ours), "xrspatial": ("xrspatial", xrspatial)}
INSTALLED = [name for name, (module, _) in ENGINES.items() if find_spec(module)]


@pytest.mark.parametrize("outputs", SETS)
@pytest.mark.parametrize("engine", INSTALLED)
def test_terrain(benchmark, engine: str, outputs: str) -> None:
    run = ENGINES[engine][1](relief(SIZE), SETS[outputs])
    run()
    benchmark.extra_info["cells"] = SIZE * SIZE
    benchmark.pedantic(run, rounds=3)


def table(size: int) -> None:
    """Print million cells a second, and ours over the peers, engines taking turns."""
    values = relief(size)
    for name, outputs in SETS.items():
        runs = {engine: ENGINES[engine][1](values, outputs) for engine in INSTALLED}
        best, work = dict.fromkeys(INSTALLED, np.inf), np.inf
        for run in runs.values():
            run()
        for _ in range(3):
            for engine, run in runs.items():
                begin, spent = time.perf_counter(), time.process_time()
                run()
                best[engine] = min(best[engine], (time.perf_counter() - begin) / size**2)
                if engine == "ours":
                    work = min(work, time.process_time() - spent)
        rates = "  ".join(
            f"{engine} {1e-6 / seconds:7.1f} (x{seconds / best['ours']:.1f})"
            for engine, seconds in best.items()
        )
        if shutil.which("gdaldem") and GDALDEM.keys() & set(outputs):
            rates += f"  gdaldem, processor time (x{gdaldem_seconds(values, outputs) / work:.1f})"
        print(f"{name:16}  {rates}", flush=True)
    absent = [engine for engine in ENGINES if engine not in INSTALLED]
    absent += [] if shutil.which("gdaldem") else ["gdaldem"]
    print(f"Left out, not installed: {', '.join(absent) or 'none'}.")


if __name__ == "__main__":
    table(int(sys.argv[1]) if len(sys.argv) > 1 else 4096)
