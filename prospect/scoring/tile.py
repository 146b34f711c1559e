"""One tile: read, features, ground that counts, prediction; the same wherever it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from prospect.features.running import own_workspace
from prospect.grid import Grid, Window
from prospect.ground import Area
from prospect.inference import Predictor, compile_estimator
from prospect.learners import single_threaded
from prospect.matching import Binding
from prospect.model import Model
from prospect.vector import area_mask


@dataclass(frozen=True)
class Job:
    """Everything one tile needs to be scored, wherever that happens."""

    model: Model
    predictor: Predictor
    stack: xr.Dataset
    bindings: Mapping[str, Binding]
    exclude: Area | None

    @classmethod
    def of(
        cls,
        model: Model,
        stack: xr.Dataset,
        bindings: Mapping[str, Binding],
        exclude: Area | None = None,
    ) -> Job:
        """A job that carries the estimator once, as what asks it."""
        predictor = compile_estimator(single_threaded(model.estimator))
        return cls(replace(model, estimator=None), predictor, stack, bindings, exclude)


def score_tile(job: Job, window: Window) -> NDArray[np.float32]:
    """
    Score one tile; the same function runs serially, on threads and in processes.

    Trees are asked cell by cell, other estimators a lattice block at a time, so that the
    tile's size leaves no trace in sums.

    Returns
    -------
    array of shape (height, width), float32
        NaN where the ground does not count.
    """
    out = np.full((window.height, window.width), np.nan, np.float32)
    counts = job.model.ground.mask(job.stack, window, job.bindings)
    grid = Grid.of(job.stack)
    if job.exclude is not None and counts.any():
        counts &= ~area_mask(job.exclude.on(grid), grid, window)
    if not counts.any():
        return out
    # Memory never touched before is slow: a thread's block serves all its tiles.
    space = own_workspace()
    shape = (len(job.model.feature_names), window.height, window.width)
    features = space.take(shape, np.dtype(np.float32))
    job.model.builder.compute(job.stack, window, job.bindings, features)
    counts &= ~_unknown(features, counts)
    out[:] = job.predictor.predict(features, counts)
    space.give(features)
    return out


def _unknown(features: NDArray[np.float32], counts: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of the cells that count have no feature at all."""
    unknown = counts
    for plane in features:
        unknown = unknown & np.isnan(plane)
        if not unknown.any():
            break
    return unknown
