"""One tile: read, ground that counts, features, bands; the same wherever it is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from prospect.bands import BandMaker, compile_bands
from prospect.features import FeatureBuilder
from prospect.features.overlap import Overlap
from prospect.features.running import own_workspace
from prospect.grid import LATTICE, Grid, Window
from prospect.ground import Area, Ground
from prospect.matching import Binding
from prospect.model import Model
from prospect.vector import area_mask

Tile = Mapping[str, NDArray[Any]]
"""The bands of a tile, by name, each of shape (rows, cols)."""


@dataclass(frozen=True)
class Job:
    """Everything one tile needs to be scored, wherever that happens."""

    builder: FeatureBuilder
    maker: BandMaker
    ground: Ground
    stack: xr.Dataset
    bindings: Mapping[str, Binding]
    exclude: Area | None = None
    overlap: Overlap | None = None

    @classmethod
    def of(
        cls,
        model: Model,
        stack: xr.Dataset,
        bindings: Mapping[str, Binding],
        exclude: Area | None = None,
        names: Sequence[str] | None = None,
    ) -> Job:
        """A job that carries of the model what asks its estimator, and no more."""
        maker = compile_bands(model, names)
        return cls(model.builder, maker, model.ground, stack, bindings, exclude)


def score_tile(job: Job, window: Window) -> Tile | None:
    """
    Score one tile; the same function runs serially, on threads and in processes.

    Trees are asked cell by cell, other estimators a lattice block at a time, so that the
    tile's size leaves no trace in sums. Features are built for lattice blocks that count.

    Parameters
    ----------
    job : Job
    window : Window
        Of whole lattice blocks, but for those that the grid cuts.

    Returns
    -------
    mapping of str to array of shape (height, width), or None
        Every band, gaps where the ground does not count; None where nothing does.
    """
    counts = ground_of(job, window)
    if not counts.any():
        return None
    tile = {band.name: band.empty((window.height, window.width)) for band in job.maker.bands}
    space = own_workspace()
    for part in parts_that_count(counts):
        here = part.slices
        place = Window(window.row + part.row, window.col + part.col, part.height, part.width)
        # Memory never touched before is slow: a thread's block serves all its tiles.
        shape = (len(job.builder.feature_names), part.height, part.width)
        features = space.take(shape, np.dtype(np.float32))
        job.builder.compute(job.stack, place, job.bindings, features, job.overlap)
        valid = counts[here] & ~_unknown(features, counts[here])
        for name, values in job.maker.compute(features, valid).items():
            tile[name][here] = values
        space.give(features)
    return tile


def ground_of(job: Job, window: Window) -> NDArray[np.bool_]:
    """Which cells of a window count."""
    counts = job.ground.mask(job.stack, window, job.bindings)
    if job.exclude is not None and counts.any():
        grid = Grid.of(job.stack)
        counts &= ~area_mask(job.exclude.on(grid), grid, window)
    return counts


def parts_that_count(counts: NDArray[np.bool_]) -> Iterator[Window]:
    """
    Rectangles of lattice blocks that hold every cell that counts, and few others.

    Parameters
    ----------
    counts : array of shape (height, width), bool
        Begins on the lattice.

    Yields
    ------
    Window
        Within the array: runs of blocks, as high as the same run goes on downward.
    """
    rows, cols = counts.shape
    whole = Window(0, 0, rows, cols)
    begun: dict[tuple[int, int], int] = {}
    for top in range(0, rows + LATTICE, LATTICE):
        band = np.atleast_1d(counts[top : top + LATTICE].any(axis=0))
        starts = range(0, cols, LATTICE)
        full = [False, *(bool(band[c : c + LATTICE].any()) for c in starts), False]
        edges = [k for k in range(len(full) - 1) if full[k] != full[k + 1]]
        runs = set(zip(edges[::2], edges[1::2], strict=True))
        for run in [run for run in begun if run not in runs]:
            first = begun.pop(run)
            height, width = top - first, (run[1] - run[0]) * LATTICE
            yield Window(first, run[0] * LATTICE, height, width).intersect(whole)
        for run in sorted(runs):
            begun.setdefault(run, top)


def _unknown(features: NDArray[np.float32], counts: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of the cells that count have no feature at all."""
    unknown = counts
    for plane in features:
        unknown = unknown & np.isnan(plane)
        if not unknown.any():
            break
    return unknown
