"""The cells, blocks of ground and folds that a model is put to the test on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from prospect.errors import ModelError
from prospect.folds import (
    BlockFolds,
    BufferedLeaveOneOut,
    LeavePairOut,
    LeaveRegionOut,
    NearestNeighbourFolds,
    RandomFolds,
)
from prospect.model import Model
from prospect.progress import Progress, silent
from prospect.samples import UNLIKE, Samples, features_at


def samples_of(
    model: Model, stack: xr.Dataset, *, workers: int | None = None, progress: Progress = silent
) -> Samples:
    """The cells a model was trained on, with their features built again."""
    kept = {name: np.asarray(model.samples[name]) for name in ("x", "y", "weight", "group")}
    grid = model.builder.require_grid(stack)
    row, col, inside = grid.index(kept["x"], kept["y"])
    if not inside.all():
        raise ModelError(
            f"{int((~inside).sum())} of the cells the model was trained on lie outside these "
            "layers: give the layers it was trained on."
        )
    with progress("Building features at the samples"):
        features = features_at(model.builder, stack, row, col, workers=workers)
    kind = np.asarray(model.samples["label"], np.int64)
    unlike = dict(model.record.get("background", {})).get("from") in UNLIKE
    return Samples(**kept, kind=kind, features=features, unlike=unlike)


def make_splitter(
    kind: str,
    block: float,
    buffer: float,
    n_splits: int,
    random_state: int,
    regions: Sequence[BaseGeometry] | None = None,
) -> Any:
    """Folds by the name that people give them."""
    if kind == "block":
        return BlockFolds(block, n_splits, buffer=buffer, random_state=random_state)
    if kind == "knndm":
        return NearestNeighbourFolds(n_splits, buffer=buffer, random_state=random_state)
    if kind == "random":
        return RandomFolds(n_splits, random_state=random_state)
    if kind == "leave-one-out":
        return BufferedLeaveOneOut(max(block / 2, buffer))
    if kind == "region":
        return LeaveRegionOut(regions, buffer=buffer)
    return LeavePairOut(max(block / 2, buffer), random_state=random_state)


def blocks_of(samples: Samples, size: float) -> NDArray[np.int64]:
    """The block of ground of each sample, for intervals."""
    names = np.floor(samples.coordinates / size).astype(np.int64)
    return np.asarray(np.unique(names, axis=0, return_inverse=True)[1].ravel(), np.int64)
