"""
How long the folds of a country take: 40 clustered deposits and 400,000 cells.

    python benchmarks/validation_folds.py
"""

from __future__ import annotations

import time

import numpy as np

from prospect.folds import (
    BlockFolds,
    BufferedLeaveOneOut,
    LeavePairOut,
    LeaveRegionOut,
    NearestNeighbourFolds,
)

CELLS, DEPOSITS, WIDTH = 400_000, 40, 400_000.0


def main() -> None:
    rng = np.random.default_rng(0)
    centres = rng.uniform(0, WIDTH, (8, 2))
    deposits = centres[rng.integers(0, 8, DEPOSITS)] + rng.normal(0, 12_000, (DEPOSITS, 2))
    where = np.concatenate([deposits, rng.uniform(0, WIDTH, (CELLS, 2))])
    y = np.repeat([1, 0], [DEPOSITS, CELLS])
    features = rng.normal(size=(len(y), 5))
    print("| folds | models | seconds (wall) | seconds (processor) |\n|---|---|---|---|")
    for name, folds in {
        "blocks of 40 km, buffer 5 km": BlockFolds(40_000, buffer=5_000),
        "blocks sized by features, buffer 5 km": BlockFolds(buffer=5_000),
        "kNNDM": NearestNeighbourFolds(),
        "kNNDM, buffer 5 km": NearestNeighbourFolds(buffer=5_000),
        "500 pairs, buffer 10 km": LeavePairOut(10_000),
        "one deposit, buffer 10 km": BufferedLeaveOneOut(10_000),
        "regions, buffer 5 km": LeaveRegionOut(buffer=5_000),
    }.items():
        wall, processor = time.monotonic(), time.process_time()
        count = sum(1 for _ in folds.split(features, y, where))
        print(
            f"| {name} | {count} | {time.monotonic() - wall:.1f} | "
            f"{time.process_time() - processor:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
