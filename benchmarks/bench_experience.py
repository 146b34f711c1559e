"""Distance to the nearest training cell and SciPy's tree: pytest for times, as a script ratios.

500 training cells, 30 features as smooth as those of bench_inference, all of one importance or
weighted as a forest would. ``PROSPECT_BENCH_SIZE`` sets the side of the block (cells). SciPy
answers for a corner; processor time of one thread of each.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from bench_inference import CORNER, SIZE, layers, sample
from scipy.spatial import cKDTree

from prospect.applicability import applicability

IMPORTANCE = {
    "of one importance": np.ones(30),
    "weighted": np.sort(np.random.default_rng(0).exponential(size=30)),
}


def remembered(importance: str):
    cells = sample(500, 1.0, 0.5)[0]
    every = np.arange(len(cells))
    return applicability(cells, IMPORTANCE[importance], every % 2, every < 20)


def ours(importance: str, size: int) -> tuple[Callable, int]:
    experience = remembered(importance)
    block = layers(size)
    return lambda: experience.dissimilarity(block), size * size


def scipy(importance: str, size: int) -> tuple[Callable, int]:
    experience = remembered(importance)
    corner = layers(size)[:, : CORNER[0] // 2, : CORNER[1] // 2].reshape(30, -1).T
    cells = (corner - experience.centre) * experience.scale
    tree = cKDTree(experience.points[:, :30])
    return lambda: tree.query(cells), len(cells)


ENGINES = {"ours": ours, "scipy": scipy}


@pytest.mark.parametrize("importance", IMPORTANCE)
@pytest.mark.parametrize("engine", ENGINES)
def test_experience(benchmark, engine: str, importance: str) -> None:
    run, cells = ENGINES[engine](importance, SIZE)
    run()
    benchmark.extra_info["cells"] = cells
    benchmark.pedantic(run, rounds=3)


def table(size: int) -> None:
    """Print million cells a second of one thread, and ours over the peer, taking turns."""
    for importance in IMPORTANCE:
        runs = {engine: make(importance, size) for engine, make in ENGINES.items()}
        best = dict.fromkeys(runs, np.inf)
        for _ in range(4):
            for engine, (run, cells) in runs.items():
                begin = time.thread_time()
                run()
                best[engine] = min(best[engine], (time.thread_time() - begin) / cells)
        ratio = best["scipy"] / best["ours"]
        print(f"{importance:18} {1e-6 / best['ours']:5.2f} Mpx/s a thread  scipy x{ratio:.1f}")


if __name__ == "__main__":
    table(SIZE)
