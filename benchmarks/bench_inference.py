"""Trees over blocks and scikit-learn: pytest for times, as a script a table of ratios.

``PROSPECT_BENCH_SIZE`` sets the side of the layers (cells): 30 features (33 for the default
estimator, which is fitted as ``prospect train`` does), Gaussian noise smoothed over 4 to 32
cells, so that neighbours are alike as on a map. Ours runs on two threads over stripes of rows,
scikit-learn with ``n_jobs=2`` (boosting: two threads of OpenMP) on a corner of the same cells.
Beside it stands processor time, one thread of each, which neighbours on the machine disturb less.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from threadpoolctl import threadpool_limits

from prospect.inference import compile_estimator
from prospect.learners import fit, learner, likelihood

SIZE = int(os.environ.get("PROSPECT_BENCH_SIZE", "256"))
THREADS = 2
STRIPE = 64
CORNER = (128, 256)
SMOOTH = (4, 8, 16, 32)


@cache
def layers(size: int, features: int = 30, gaps: float = 0.0) -> np.ndarray:
    """Features of shape (feature, y, x), each as smooth as one of SMOOTH, gaps in holes."""
    rng = np.random.default_rng(0)
    block = np.empty((features, size, size), np.float32)
    for f in range(features):
        field = gaussian_filter(rng.normal(size=(size, size)), SMOOTH[f % 4], mode="wrap")
        block[f] = field / field.std()
        if gaps:
            holes = gaussian_filter(rng.normal(size=(size, size)), 8, mode="wrap")
            block[f, holes > np.quantile(holes, 1 - gaps)] = np.nan
    return block


def sample(count: int, noise: float, share: float, **more: float) -> tuple[np.ndarray, np.ndarray]:
    """Cells to learn from; a share of them deposits, told from the rest less well by noise."""
    block = layers(1024, **more)
    rng = np.random.default_rng(1)
    cells = rng.integers(0, block.shape[1], (2, count))
    values = np.ascontiguousarray(block[:, cells[0], cells[1]].T)
    known = np.nan_to_num(values)
    truth = known[:, 0] + known[:, 5] * known[:, 9] + np.abs(known[:, 2])
    truth += noise * rng.normal(size=count)
    return values, (truth > np.quantile(truth, 1 - share)).astype(int)


def random_forest() -> RandomForestClassifier:
    return RandomForestClassifier(200, random_state=0, n_jobs=2).fit(*sample(2300, 1.5, 0.3))


def few_deposits() -> RandomForestClassifier:
    return RandomForestClassifier(300, random_state=0, n_jobs=2).fit(*sample(4000, 0.5, 0.01))


def extra_trees() -> ExtraTreesClassifier:
    values, label = sample(700, 1.0, 0.3)
    weight = np.where(label == 1, 0.5 / label.mean(), 0.5 / (1 - label.mean()))
    forest = ExtraTreesClassifier(400, min_samples_leaf=3, random_state=0, n_jobs=2)
    return forest.fit(values, label, sample_weight=weight)


def small_bags() -> RandomForestClassifier:
    values, label = sample(4000, 0.5, 0.02)
    drawn = np.concatenate([np.flatnonzero(label), np.flatnonzero(label == 0)[: label.sum()]])
    # As a forest: BaggingClassifier checks its cells again for every tree, which flatters us.
    forest = RandomForestClassifier(2000, max_samples=0.5, random_state=0, n_jobs=2)
    return forest.fit(values[drawn], label[drawn])


def large_forest() -> RandomForestClassifier:
    forest = RandomForestClassifier(500, max_samples=18_000, random_state=0, n_jobs=2)
    return forest.fit(*sample(40_000, 2.0, 0.3))


def boosting() -> HistGradientBoostingClassifier:
    model = HistGradientBoostingClassifier(max_iter=200, early_stopping=False, random_state=0)
    return model.fit(*sample(20_000, 1.0, 0.3))


def by_default() -> object:
    values, label = sample(4040, 0.5, 0.01, features=33, gaps=0.02)
    return fit(learner("extra-trees", n_jobs=2), values, label == 1, np.ones(len(label)))


MODELS = {
    "random forest, 200 trees": random_forest,
    "random forest, 300 trees, 40 deposits": few_deposits,
    "extra trees, 400, 3 a leaf": extra_trees,
    "2,000 bags of a tree": small_bags,
    "random forest, 500 large trees": large_forest,
    "histogram boosting, 200 iterations": boosting,
    "the default estimator, 33 features": by_default,
}
QUICK = ("random forest, 200 trees", "histogram boosting, 200 iterations")


@cache
def fitted(name: str) -> object:
    return MODELS[name]()


def features_of(name: str, size: int) -> np.ndarray:
    return layers(size, 33, 0.02) if name.startswith("the default") else layers(size)


def ours(name: str, size: int, threads: int = THREADS) -> tuple[Callable, int]:
    """Our traversal over stripes of rows, and how many cells it does."""
    predictor = compile_estimator(fitted(name))
    block = features_of(name, size)
    parts = [block[:, y : y + STRIPE].copy() for y in range(0, size, STRIPE)]
    if threads == 1:
        return lambda: [predictor.predict(part) for part in parts], size * size
    pool = ThreadPoolExecutor(threads)
    return lambda: list(pool.map(predictor.predict, parts)), size * size


def sklearn(name: str, size: int, threads: int = THREADS) -> tuple[Callable, int]:
    """The estimator itself on as many threads, over a corner."""
    model = fitted(name)
    corner = features_of(name, size)[:, : CORNER[0], : CORNER[1]]
    cells = np.ascontiguousarray(corner.reshape(len(corner), -1).T)
    jobs = {key: threads for key in model.get_params() if key.split("__")[-1] == "n_jobs"}

    def run() -> np.ndarray:
        model.set_params(**jobs)
        with threadpool_limits(threads):
            return likelihood(model, cells)

    return run, len(cells)


ENGINES = {"ours": ours, "sklearn": sklearn}


def prepare(name: str, engine: str, size: int) -> tuple[Callable, int]:
    """A call, and how many cells it does."""
    return ENGINES[engine](name, size)


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("engine", ENGINES)
def test_inference(benchmark, engine: str, name: str) -> None:
    run, cells = prepare(name, engine, SIZE)
    run()
    benchmark.extra_info["cells"] = cells
    benchmark.pedantic(run, rounds=3)


def ratios(name: str, size: int, rounds: int = 3) -> tuple[float, float, float]:
    """Million cells a second, times and processor time of one thread of scikit-learn over ours."""
    runs = {(e, n): ENGINES[e](name, size, n) for e in ENGINES for n in (THREADS, 1)}
    best = dict.fromkeys(runs, np.inf)
    for turn in range(rounds + 1):
        for (engine, threads), (run, cells) in runs.items():
            clock = time.perf_counter if threads > 1 else time.process_time
            begin = clock()
            run()
            if turn:
                best[engine, threads] = min(best[engine, threads], (clock() - begin) / cells)
    return (
        1e-6 / best["ours", THREADS],
        best["sklearn", THREADS] / best["ours", THREADS],
        best["sklearn", 1] / best["ours", 1],
    )


def nodes(model: object) -> int:
    """How many nodes the trees of a model have."""
    last = model[-1] if hasattr(model, "steps") else model
    if hasattr(last, "_predictors"):
        return sum(len(predictor.nodes) for (predictor,) in last._predictors)
    return sum(tree.tree_.node_count for tree in last.estimators_)


def table(size: int, names: list[str]) -> None:
    """Print rates and ratios, engines taking turns."""
    for name in names:
        rate, wall, spent = ratios(name, size)
        count = nodes(fitted(name)) / 1000
        print(
            f"{name:40} {count:6.0f} k nodes {rate:6.2f} Mpx/s  times x{wall:.1f}  "
            f"processor time x{spent:.1f}",
            flush=True,
        )


if __name__ == "__main__":
    wanted = [name for name in MODELS if not sys.argv[1:] or any(a in name for a in sys.argv[1:])]
    table(SIZE, wanted)
