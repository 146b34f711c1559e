"""Cells with features, before any model: ground that counts, deposits, background."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.spatial import KDTree
from scipy.stats import rankdata

from prospect.clusters import TOGETHER
from prospect.errors import LabelError
from prospect.features import FeatureBuilder
from prospect.features.plan import tiles
from prospect.grid import LATTICE, Grid, Window
from prospect.ground import Ground
from prospect.labels import MIN_DEPOSITS, Labels, draw_background, keep_away
from prospect.matching import Binding, bind
from prospect.progress import Progress, silent

BACKGROUND = 4_000
"""Background cells that a model learns from."""

MEASURED_ON = 10_000
"""Cells that the area is measured by: uniform over the ground that counts, nothing kept away."""

KEEP_AWAY = 3_000.0
"""Background for training keeps this far, in metres, from deposits (METHODS: background)."""

METHODS = ("distance", "deposits", "dissimilar", "mixed")
"""Where background comes from: anywhere away from deposits; deposits of other commodities, which
are looked for where this one is; ground unlike that of the deposits; all of it."""

UNLIKE = ("dissimilar", "mixed")
"""Of these, those that leave out what is like the deposits."""

OTHERS_SHARE = 1 / 3
"""In a mixed background deposits of other commodities weigh this share of it."""

UNLIKE_SHARE = 0.5
"""Of the background, the share most unlike the deposits that dissimilar background keeps."""

PLACINGS = 19
"""Further places that deposits may stand at: with the stated one as many as training draws."""

POSITIONAL_ERROR = 300.0
"""How far, in metres, deposits may stand from where they are said to, if nothing is stated."""

BARREN = -2
"""Group of ground that is known to be barren."""

_TILE = 2 * LATTICE


@dataclass(frozen=True, eq=False)
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
    unlike : bool
        Learn from background that is unlike the deposits learnt from; which that is can only
        be told in every fold anew.
    placings : array of shape (m, deposits, k), float32, optional
        Features of the deposits, in their order, where else they may stand.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    kind: NDArray[np.int64]
    weight: NDArray[np.float64]
    group: NDArray[np.int64]
    features: NDArray[np.float32]
    unlike: bool = False
    placings: NDArray[np.float32] | None = None

    @property
    def coordinates(self) -> NDArray[np.float64]:
        """x and y, of shape (n, 2)."""
        return np.column_stack([self.x, self.y])

    def learnt(self, among: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """
        Which of some samples are learnt from; by default of all.

        What is only there to measure by is not, nor is, of dissimilar background, what is
        like those of the deposits that are among them; ground known to be barren is.
        """
        kept = np.arange(self.kind.size) if among is None else among
        kept = kept[self.kind[kept] >= 0]
        positive = self.kind[kept] == 1
        if not self.unlike or not positive.any() or positive.all():
            return kept
        distance = unlikeness(self.features[kept], positive)
        known = self.group[kept] == BARREN
        drawn = ~positive & ~known
        if drawn.any():
            known |= distance >= np.quantile(distance[drawn], 1 - UNLIKE_SHARE)
        return np.asarray(kept[positive | known], np.int64)

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


def unlikeness(features: NDArray[np.float32], positive: NDArray[np.bool_]) -> NDArray[np.float64]:
    """
    How far each cell is from the nearest deposit, in what its features say.

    Parameters
    ----------
    features : array of shape (n, k)
        Gaps count as the median.
    positive : array of shape (n,), bool

    Returns
    -------
    array of shape (n,)
        Euclidean distance of ranks from 0 to 1, which no outlier stretches.
    """
    ranks = np.full(features.shape, 0.5)
    for column, values in zip(ranks.T, features.T, strict=True):
        known = ~np.isnan(values)
        if known.any():
            column[known] = rankdata(values[known]) / known.sum()
    nearest, _ = KDTree(ranks[positive]).query(ranks)
    return np.asarray(nearest, float)


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
    method: str = "distance",
    chance: NDArray[np.float32] | None = None,
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
    method : str
        Where background comes from, of ``METHODS``.
    chance : array of shape (y, x), optional
        How likely each cell is to be drawn as background: where deposits would have been
        seen. What the area is measured by is drawn evenly all the same.
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
    learn = background_cells(
        labels, counts, grid, background, method=method, chance=chance, random_state=rng
    )
    measure = draw_background(counts, grid, measured_on, random_state=rng)
    barren = counts[labels.barren_row, labels.barren_col]
    row = np.concatenate([labels.row, labels.barren_row[barren], learn[0], measure[0]])
    col = np.concatenate([labels.col, labels.barren_col[barren], learn[1], measure[1]])
    sizes = (labels.row.size, int(barren.sum()), learn[0].size, measure[0].size)
    kind = np.repeat(np.array([1, 0, 0, -1], np.int64), sizes)
    weight = np.ones(row.size)
    weight[: sizes[0]] = labels.weight
    weight[sizes[0] + sizes[1] :][: sizes[2]] = learn[2]
    group = np.full(row.size, -1, np.int64)
    group[: sizes[0]] = labels.group
    group[sizes[0] : sizes[0] + sizes[1]] = BARREN
    places = replaced(labels.row, labels.col, counts, grid, positional_error, random_state)
    pairs = zip((row, col), places, strict=True)
    with progress("Building features at the samples"):
        rows, cols = (np.concatenate([told, again.ravel()]) for told, again in pairs)
        features = features_at(builder, stack, rows, cols, workers=workers)
    placings = features[row.size :].reshape(len(places[0]), labels.row.size, features.shape[1])
    made = Samples(
        grid.x[col],
        grid.y[row],
        kind,
        weight,
        group,
        features[: row.size],
        unlike=method in UNLIKE,
    )
    return replace(made, placings=placings) if len(placings) else made


def background_cells(
    labels: Labels,
    counts: NDArray[np.bool_],
    grid: Grid,
    count: int,
    *,
    method: str = "distance",
    chance: NDArray[np.float32] | None = None,
    random_state: int | np.random.Generator = 0,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """
    One draw of background to learn from.

    Parameters
    ----------
    labels : Labels
        Background keeps 3 km from their deposits, and 1 km from occurrences of commodities
        that are associated with theirs.
    counts : array of shape (y, x), bool
        The ground that counts.
    grid : Grid
    count : int
        Cells to draw. Deposits of other commodities are taken all.
    method : str
        Of ``METHODS``. ``dissimilar`` draws as ``distance`` does: what is unlike the deposits
        is told from features, in every fold anew, by :meth:`Samples.learnt`.
    chance : array of shape (y, x), optional
        How likely each cell is to be drawn.
    random_state : int or Generator
        Another number makes another draw.

    Returns
    -------
    row, col : array of shape (n,), int
    weight : array of shape (n,)
        1, but for deposits of other commodities in a mixed background.

    Raises
    ------
    LabelError
        If no cell is left, there are too few deposits of other commodities, or a chance is
        given where these are all.
    """
    if method not in METHODS:
        raise LabelError(f"Background is of {', '.join(METHODS)}, but '{method}' came.")
    away = keep_away(counts, grid, (labels.x, labels.y), KEEP_AWAY)
    others = labels.other_barren
    kin = labels.other_x[~others], labels.other_y[~others]
    away = keep_away(away, grid, kin, TOGETHER)
    row, col, inside = grid.index(labels.other_x[others], labels.other_y[others])
    row, col = row[inside], col[inside]
    near = keep_away(counts, grid, (labels.x, labels.y), TOGETHER)[row, col]
    found = np.unique(row[near] * grid.cols + col[near])
    if method == "deposits" and found.size < MIN_DEPOSITS:
        raise LabelError(
            f"{found.size} deposits of other commodities stand on usable ground, but at least "
            f"{MIN_DEPOSITS} are needed to be the background: give a table that has them, or take "
            "background by distance."
        )
    if method == "mixed" and not found.size:
        raise LabelError(
            "No deposit of another commodity stands on usable ground, so background cannot be "
            "mixed with any: give a table that has them, or take background by distance."
        )
    if method == "deposits" and chance is not None:
        raise LabelError(
            "Background that is deposits of other commodities is taken as it stands, so it cannot "
            "be matched: leave the match out, or take background by distance."
        )
    if method == "deposits":
        return *np.divmod(found, grid.cols), np.ones(found.size)
    row, col = draw_background(away, grid, count, chance=chance, random_state=random_state)
    weight = np.ones(row.size)
    if method == "mixed" and found.size:
        share = OTHERS_SHARE / (1 - OTHERS_SHARE) * row.size / found.size
        weight = np.concatenate([weight, np.full(found.size, share)])
        row, col = (
            np.concatenate(pair)
            for pair in zip((row, col), np.divmod(found, grid.cols), strict=True)
        )
    return row, col, weight


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
