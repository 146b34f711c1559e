"""Features from lines, and the script that rasterises and filters; a table when run.

``PROSPECT_BENCH_SIZE`` sets the side of the layer (cells). Both start from the same shapely
lines in memory and end with a raster. The peer is what one writes with rasterio, SciPy and
OpenCV: every segment burnt in with its number, its direction looked up, three box filters;
lines counted in every cell, clusters of cells with two or more taken as nodes, a Gaussian
over them. It is approximate where ours measures: a cell knows one segment, a node one cell.
Ours runs on two threads, OpenCV on the threads it has.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import pytest
import shapely
from affine import Affine

from prospect.grid import Grid

SIZE = int(os.environ.get("PROSPECT_BENCH_SIZE", "1024"))
THREADS = 2
CELL = 100.0
RADIUS = 3000.0
CASES = ("strike variance", "node density")


def grid_of(side: int) -> Grid:
    """A square grid of 100 m cells."""
    return Grid("EPSG:32642", Affine(CELL, 0, 500_000, 0, -CELL, 4_400_000), (side, side))


def network(side: int) -> np.ndarray:
    """Rough lines as dense as on a 1:200,000 map: one a 50 km², of 15 segments."""
    rng = np.random.default_rng(0)
    count = max(10, int((side * CELL / 1000) ** 2 / 50))
    strike = np.radians(rng.choice([40.0, 70.0, 130.0], count) + rng.normal(0, 8, count))
    length = np.minimum(4000 * (1 + rng.pareto(1.6, count)), 45_000)
    turns = strike[:, None] + rng.normal(0, 0.15, (count, 15))
    steps = (length / 15)[:, None]
    start = rng.uniform(0, side * CELL, (count, 2))
    x = start[:, :1] + np.cumsum(np.hstack([np.zeros((count, 1)), steps * np.sin(turns)]), axis=1)
    y = start[:, 1:] + np.cumsum(np.hstack([np.zeros((count, 1)), steps * np.cos(turns)]), axis=1)
    corner = grid_of(side).bounds
    return shapely.linestrings(np.stack([x + corner[0], y + corner[1]], axis=-1))


def script(case: str, side: int) -> Callable[[], np.ndarray]:
    """What one writes without us."""
    import cv2
    from rasterio.enums import MergeAlg
    from rasterio.features import rasterize
    from scipy import ndimage

    cv2.setNumThreads(THREADS)
    lines, grid = network(side), grid_of(side)
    burn = {"out_shape": grid.shape, "transform": grid.transform, "all_touched": True}

    def strike_variance() -> np.ndarray:
        ends, line = shapely.get_coordinates(lines, return_index=True)
        same = line[1:] == line[:-1]
        first, last = ends[:-1][same], ends[1:][same]
        segments = shapely.linestrings(np.stack([first, last], axis=1))
        numbers = np.arange(1, len(segments) + 1)
        burnt = rasterize(zip(segments, numbers, strict=True), dtype="int32", **burn)
        angle = 2 * np.arctan2(*(last - first).T)
        cosine = np.concatenate([[0], np.cos(angle)]).astype(np.float32)[burnt]
        sine = np.concatenate([[0], np.sin(angle)]).astype(np.float32)[burnt]
        reach = int(RADIUS / CELL)
        box = (2 * reach + 1, 2 * reach + 1)
        edge = {"normalize": False, "borderType": cv2.BORDER_CONSTANT}
        c, s = (cv2.boxFilter(values, -1, box, **edge) for values in (cosine, sine))
        n = cv2.boxFilter((burnt > 0).astype(np.float32), -1, box, **edge)
        with np.errstate(invalid="ignore", divide="ignore"):
            return 1 - cv2.magnitude(c, s) / np.where(n > 0.5, n, np.nan)

    def node_density() -> np.ndarray:
        pairs = ((line, 1) for line in lines)
        count = rasterize(pairs, merge_alg=MergeAlg.add, dtype="uint8", **burn)
        labels, _ = ndimage.label(count > 1, np.ones((3, 3)))
        first = np.unique(labels.ravel(), return_index=True)[1][1:]
        nodes = np.zeros(grid.shape, np.float32)
        nodes.ravel()[first] = 1
        sigma = RADIUS / CELL
        half = int(4 * sigma)
        side = (2 * half + 1, 2 * half + 1)
        density = cv2.GaussianBlur(nodes, side, sigma, borderType=cv2.BORDER_CONSTANT)
        return density / np.float32(CELL * CELL / 1e6)

    return strike_variance if case == "strike variance" else node_density


def ours(case: str, side: int) -> Callable[[], np.ndarray]:
    """A recipe of one row."""
    import xarray as xr

    from prospect.features import FeatureBuilder
    from prospect.stack import vector_layer

    grid = grid_of(side)
    like = xr.DataArray(
        np.zeros(grid.shape, np.float32), coords=grid.coordinates(), dims=("y", "x")
    )
    row = {"name": "a", "operation": case.replace(" ", "_"), "of": "faults"}
    if case == "strike variance":
        row |= {"radius": RADIUS, "shape": "square"}
    else:
        row |= {"sigma": RADIUS}
    lines = network(side)
    builder = FeatureBuilder([row]).fit(xr.Dataset({"faults": vector_layer(lines, like=like)}))

    def run() -> np.ndarray:
        stack = xr.Dataset({"faults": vector_layer(lines, like=like)})
        return builder.transform(stack, workers=THREADS).values[0]

    return run


ENGINES = {"ours": ("numba", ours), "script": ("cv2", script)}
INSTALLED = [name for name, (module, _) in ENGINES.items() if find_spec(module)]


def prepare(case: str, engine: str, size: int) -> tuple[Callable, int]:
    """What to call, warmed up, and how many cells it does."""
    run = ENGINES[engine][1](case, size)
    run()
    return run, size * size


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("engine", INSTALLED)
def test_structure(benchmark, case: str, engine: str) -> None:
    run, cells = prepare(case, engine, SIZE)
    benchmark.extra_info["cells"] = cells
    benchmark.pedantic(run, rounds=3)


def test_the_script_computes_about_the_same() -> None:
    for case, least in (("strike variance", 0.9), ("node density", 0.9)):
        one, other = ours(case, 512)(), script(case, 512)()
        both = np.isfinite(one) & np.isfinite(other)
        assert both.mean() > 0.8
        assert np.corrcoef(one[both], other[both])[0, 1] > least


def table(size: int) -> None:
    """Print million cells a second, and ours over the script, engines taking turns."""
    for case in CASES:
        runs = {engine: prepare(case, engine, size) for engine in INSTALLED}
        best = dict.fromkeys(INSTALLED, np.inf)
        work = dict.fromkeys(INSTALLED, np.inf)
        for _ in range(3):
            for engine, (run, cells) in runs.items():
                begin, spent = time.perf_counter(), time.process_time()
                run()
                best[engine] = min(best[engine], (time.perf_counter() - begin) / cells)
                work[engine] = min(work[engine], (time.process_time() - spent) / cells)
        told = "  ".join(
            f"{engine} {1e-6 / seconds:7.1f} (x{seconds / best['ours']:.1f}, processor time "
            f"x{work[engine] / work['ours']:.1f})"
            for engine, seconds in best.items()
        )
        print(f"{case:16}  {told}", flush=True)


if __name__ == "__main__":
    table(int(sys.argv[1]) if len(sys.argv) > 1 else 4096)
