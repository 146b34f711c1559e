"""Cells with features, before any model: ground that counts, deposits, background."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
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

PLACINGS = 19
"""Further places that deposits may stand at: with the stated one as many as training draws."""

POSITIONAL_ERROR = 300.0
"""How far, in metres, deposits may stand from where they are said to, if nothing is stated."""

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
        Deposit of the cell; -1 for background.
    features : array of shape (n, k), float32
    placings : array of shape (m, deposits, k), float32, optional
        Features of the deposits, in their order, where else they may stand.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    kind: NDArray[np.int64]
    weight: NDArray[np.float64]
    group: NDArray[np.int64]
    features: NDArray[np.float32]
    placings: NDArray[np.float32] | None = None

    @property
    def coordinates(self) -> NDArray[np.float64]:
        """x and y, of shape (n, 2)."""
        return np.column_stack([self.x, self.y])

    def learnt_from(self, rows: NDArray[np.int64]) -> dict[str, Any]:
        """What :func:`prospect.learners.fit` takes, of some rows that are learnt from."""
        positive = self.kind[rows] == 1
        placings = None
        if self.placings is not None:
            place = np.cumsum(self.kind == 1) - 1
            placings = self.placings[:, place[rows[positive]]]
        return {
            "features": self.features[rows],
            "positive": positive,
            "weight": self.weight[rows],
            "group": self.group[rows],
            "placings": placings,
        }


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
    positional_error: float = 0.0,
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
    positional_error : float, metres
        How far deposits may stand from where they are said to; with 0 they stand there.
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
    places = replaced(labels.row, labels.col, counts, grid, positional_error, random_state)
    pairs = zip((row, col), places, strict=True)
    with progress("Building features at the samples"):
        rows, cols = (np.concatenate([told, again.ravel()]) for told, again in pairs)
        features = features_at(builder, stack, rows, cols, workers=workers)
    placings = features[row.size :].reshape(len(places[0]), labels.row.size, features.shape[1])
    made = Samples(grid.x[col], grid.y[row], kind, weight, group, features[: row.size])
    return replace(made, placings=placings) if len(placings) else made


def replaced(
    row: NDArray[np.int64],
    col: NDArray[np.int64],
    counts: NDArray[np.bool_],
    grid: Grid,
    positional_error: float,
    random_state: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """
    Cells that deposits may stand in, if their positions are not exact.

    Parameters
    ----------
    row, col : array of shape (n,), int
        Where they are said to stand.
    counts : array of shape (y, x), bool
        The ground that counts; a deposit that would leave it stays where it is.
    grid : Grid
    positional_error : float, metres
        Radius of the disc that positions are drawn from, uniformly, around any point of
        the cell.
    random_state : int

    Returns
    -------
    row, col : array of shape (placings, n), int
        None at all if there is no error.
    """
    if not positional_error > 0:
        return np.empty((0, row.size), np.int64), np.empty((0, row.size), np.int64)
    rng = np.random.default_rng([random_state, 2])
    shape = (PLACINGS, row.size)
    away = positional_error * np.sqrt(rng.random(shape))
    angle = rng.uniform(0, 2 * np.pi, shape)
    width, height = abs(grid.transform.a), abs(grid.transform.e)
    down = np.floor(rng.random(shape) + away * np.sin(angle) / height).astype(np.int64)
    right = np.floor(rng.random(shape) + away * np.cos(angle) / width).astype(np.int64)
    there_row = np.clip(row + down, 0, grid.rows - 1)
    there_col = np.clip(col + right, 0, grid.cols - 1)
    stays = ~counts[there_row, there_col]
    return np.where(stays, row, there_row), np.where(stays, col, there_col)


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
