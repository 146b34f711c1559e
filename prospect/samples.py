"""Cells with features, before any model: ground that counts, deposits, background."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from prospect.errors import LabelError
from prospect.features import FeatureBuilder
from prospect.features.plan import tiles
from prospect.grid import LATTICE, Grid, Window
from prospect.ground import Ground
from prospect.labels import Labels, draw_background
from prospect.matching import Binding, bind
from prospect.progress import Progress, silent

BACKGROUND = 4_000
"""Background cells that a model learns from."""

MEASURED_ON = 10_000
"""Cells that the area is measured by: uniform over the ground that counts, nothing kept away."""

KEEP_AWAY = 3_000.0
"""Background for training keeps this far, in metres, from deposits (METHODS: background)."""

BARREN = -2
"""Group of ground that is known to be barren."""

_TILE = 2 * LATTICE


@dataclass(frozen=True)
class Samples:
    """
    Cells with features, before any model.

    Attributes
    ----------
    x, y : array of shape (n,)
    kind : array of shape (n,), int
        1 deposit, 0 background to learn from, -1 only to measure the area.
    weight : array of shape (n,)
    group : array of shape (n,), int
        Deposit of the cell; -1 for background, -2 for ground known to be barren.
    features : array of shape (n, k), float32
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    kind: NDArray[np.int64]
    weight: NDArray[np.float64]
    group: NDArray[np.int64]
    features: NDArray[np.float32]

    @property
    def coordinates(self) -> NDArray[np.float64]:
        """x and y, of shape (n, 2)."""
        return np.column_stack([self.x, self.y])


def ground_mask(
    stack: xr.Dataset,
    ground: Ground,
    bindings: Mapping[str, Binding],
    *,
    workers: int | None = None,
) -> NDArray[np.bool_]:
    """
    The ground that counts, for the whole grid.

    Returns
    -------
    array of shape (y, x), bool
    """
    grid = Grid.of(stack)
    result = np.zeros(grid.shape, bool)

    def one(window: Window) -> None:
        result[window.slices] = ground.mask(stack, window, bindings)

    _in_threads(one, tiles(grid.window, _TILE), workers)
    return result


def on_ground(labels: Labels, counts: NDArray[np.bool_]) -> Labels:
    """
    The deposits that stand on ground that counts; the others are counted.

    Raises
    ------
    LabelError
        If there are some and none does.
    """
    kept = labels.where(counts[labels.row, labels.col], "on gaps or outside the area")
    if labels.deposits > 0 and kept.deposits == 0:
        raise LabelError(
            f"All {labels.deposits} deposits stand on gaps of required layers or outside the "
            "area: check the area, the permissive ground and which layers are required."
        )
    return kept


def draw_samples(
    builder: FeatureBuilder,
    stack: xr.Dataset,
    labels: Labels,
    counts: NDArray[np.bool_],
    *,
    background: int = BACKGROUND,
    measured_on: int = MEASURED_ON,
    random_state: int = 0,
    workers: int | None = None,
    progress: Progress = silent,
) -> Samples:
    """
    Deposits, background to learn from and cells to measure by, with their features.

    Parameters
    ----------
    builder : FeatureBuilder
        Fitted.
    stack : Dataset
    labels : Labels
        On ground that counts.
    counts : array of shape (y, x), bool
        The ground that counts.
    background, measured_on : int
        Cells to draw: away from deposits, and anywhere.
    random_state : int
    workers : int, optional
    progress : callable

    Returns
    -------
    Samples
    """
    grid = Grid.of(stack)
    rng = np.random.default_rng([random_state, 1])
    learn = draw_background(
        counts,
        grid,
        background,
        away_from=(labels.x, labels.y),
        distance=KEEP_AWAY,
        random_state=rng,
    )
    measure = draw_background(counts, grid, measured_on, random_state=rng)
    barren = counts[labels.barren_row, labels.barren_col]
    row = np.concatenate([labels.row, labels.barren_row[barren], learn[0], measure[0]])
    col = np.concatenate([labels.col, labels.barren_col[barren], learn[1], measure[1]])
    sizes = (labels.row.size, int(barren.sum()) + learn[0].size, measure[0].size)
    kind = np.repeat(np.array([1, 0, -1], np.int64), sizes)
    weight = np.ones(row.size)
    weight[: sizes[0]] = labels.weight
    group = np.full(row.size, -1, np.int64)
    group[: sizes[0]] = labels.group
    group[sizes[0] : sizes[0] + int(barren.sum())] = BARREN
    with progress("Building features at the samples"):
        features = features_at(builder, stack, row, col, workers=workers)
    return Samples(grid.x[col], grid.y[row], kind, weight, group, features)


def features_at(
    builder: FeatureBuilder,
    stack: xr.Dataset,
    row: NDArray[np.int64],
    col: NDArray[np.int64],
    *,
    workers: int | None = None,
) -> NDArray[np.float32]:
    """
    The features of some cells.

    Parameters
    ----------
    builder : FeatureBuilder
        Fitted.
    stack : Dataset
    row, col : array of shape (n,), int
    workers : int, optional

    Returns
    -------
    array of shape (n, feature), float32
        NaN where a feature has no value.
    """
    grid = builder.require_grid(stack)
    bindings = bind(builder.layers_, stack)
    stack = builder.settle(stack, bindings)
    out = np.empty((row.size, len(builder.feature_names)), np.float32)
    columns = -(-grid.cols // _TILE)
    tile_of = (row // _TILE) * columns + col // _TILE

    def one(number: int) -> None:
        window = Window(number // columns * _TILE, number % columns * _TILE, _TILE, _TILE)
        window = window.intersect(grid.window)
        block = builder.compute(stack, window, bindings)
        here = np.flatnonzero(tile_of == number)
        out[here] = block[:, row[here] - window.row, col[here] - window.col].T

    _in_threads(one, (int(number) for number in np.unique(tile_of)), workers)
    return out


def _in_threads(function: Callable[[Any], None], items: Iterable[Any], workers: int | None) -> None:
    """Call a function on every item, on threads; the first error comes out."""
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(function, items):
            pass
