"""Who computes tiles: this thread, several threads, or processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from prospect.grid import Window
from prospect.progress import Progress
from prospect.scoring.tile import Job, score_tile

ENGINES = ("serial", "threads", "processes")


def run_tiles(
    job: Job, windows: Sequence[Window], engine: str, workers: int, progress: Progress
) -> Iterator[tuple[Window, NDArray[np.float32]]]:
    """Scored tiles in order, few of them in flight."""
    backend = {"serial": "sequential", "threads": "threading", "processes": "loky"}[engine]
    cells = sum(window.height * window.width for window in windows)
    with progress(f"Scoring {job.model.commodity}", cells, "cells") as done:
        pool = Parallel(
            n_jobs=workers, backend=backend, return_as="generator", pre_dispatch=2 * workers
        )
        # Closing the generator is what stops the workers when something fails here.
        with closing(pool(delayed(score_tile)(job, window) for window in windows)) as results:
            for window, block in zip(windows, results, strict=True):
                yield window, block
                done(window.height * window.width)
