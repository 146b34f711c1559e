"""Labels, features and folds become a model that knows how good it is."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from prospect._version import __version__
from prospect.commodities import Commodity, load_commodity
from prospect.encoding import prepare
from prospect.errors import LabelError
from prospect.features import FeatureBuilder
from prospect.features.plan import tiles
from prospect.folds import BlockFolds, RandomFolds, size_by_residuals
from prospect.grid import LATTICE, Grid, Window
from prospect.ground import Area, Ground, make_ground
from prospect.labels import Labels, draw_background, read_labels, require_enough
from prospect.learners import fit, learner, likelihood, needs_labels
from prospect.matching import Binding, bind
from prospect.metrics import summarise
from prospect.model import Model
from prospect.progress import Progress, silent
from prospect.project import OccurrenceSpec
from prospect.tables import write_table

BACKGROUND = 4_000
"""Background cells that a model learns from."""

MEASURED_ON = 10_000
"""Cells that the area is measured by: uniform over the ground that counts, nothing kept away."""

KEEP_AWAY = 3_000.0
"""Background for training keeps this far, in metres, from deposits (METHODS: background)."""

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


def train(
    stack: xr.Dataset,
    occurrences: OccurrenceSpec | Path | str | pd.DataFrame | None,
    commodity: str | Path | Commodity,
    *,
    folds: Any = None,
    estimator: Any = None,
    random_state: int = 0,
    block_size: float | None = None,
    n_splits: int = 5,
    area: Path | str | Area | None = None,
    permissive: str | None = None,
    background: int = BACKGROUND,
    rejects: Path | str | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> Model:
    """
    Learn where a commodity is likely.

    Parameters
    ----------
    stack : Dataset of dims (y, x)
        From :func:`open_stack`.
    occurrences : path, GeoDataFrame or OccurrenceSpec
        Known deposits; None will do for a learner that needs no labels.
    commodity : str or path
        ``antimony``, ``gold``, ``coal``, or a definition of your own.
    folds : splitter, optional
        Called with ``split(features, y, coordinates)``. By default blocks as large as the
        range of residuals, from 10 to 40 km, with the largest focal window as buffer.
    estimator : str or classifier, optional
        A name that :func:`prospect.learners.learner` knows, or any scikit-learn classifier
        with ``predict_proba``. By default ``extra-trees``. ``fuzzy`` needs no labels.
    random_state : int
        Of background, folds and the default estimator.
    block_size : float, metres, optional
        Side of the default folds' blocks, instead of the rule above.
    n_splits : int
        Number of the default folds.
    area : path or Area, optional
        Polygons that bound training, background, measures and map.
    permissive : str, optional
        A test such as ``"lithology in (carbonate, 'black shale')"``, with the same effect.
    background : int
        Background cells to learn from.
    rejects : path, optional
        CSV to write the occurrences to that do not train, each with its reason.
    workers : int, optional
        Threads; by default one a processor.
    progress : callable
        Told what is going on.

    Returns
    -------
    Model
        With out-of-fold scores and measures, if there are at least eight deposits. Gaps in
        required layers are no ground; other gaps are filled by the default estimator.

    Raises
    ------
    LabelError
        If there are fewer than eight deposits on usable ground and the learner needs them,
        or folds without any.
    ProspectError
        If layers, recipe or estimator do not fit.
    """
    workers = workers or os.cpu_count() or 1
    definition = load_commodity(commodity)
    ground = make_ground(area, permissive)
    grid = Grid.of(stack)
    grid.require_metres()
    labels = read_labels(occurrences, definition, grid)
    builder = FeatureBuilder(definition.recipe)
    with progress("Learning the layers' statistics"):
        builder.fit(stack)
    bindings = bind(builder.layers_, stack)
    with progress("Finding the ground that counts"):
        counts = ground_mask(stack, ground, bindings, workers=workers)
    if isinstance(estimator, str) or estimator is None:
        estimator = learner(
            estimator or "extra-trees", builder.signs, random_state=random_state, n_jobs=workers
        )
    labels = on_ground(labels, counts)
    if rejects is not None:
        write_table(labels.rejected(), rejects)
    if needs_labels(prepare(estimator)):
        require_enough(labels, definition.name)
    samples = draw_samples(
        builder,
        stack,
        labels,
        counts,
        background=background,
        random_state=random_state,
        workers=workers,
        progress=progress,
    )
    splitter = folds
    if splitter is None:
        splitter = BlockFolds(
            block_size or default_block(samples, builder.reach()),
            n_splits,
            buffer=builder.reach(),
            random_state=random_state,
        )
    splitters = {fold_name(splitter): splitter} if labels.enough else {}
    if folds is None and splitters:
        flattering = RandomFolds(n_splits, random_state=random_state)
        splitters["random folds (flatter)"] = flattering
    block = float(getattr(splitter, "size", None) or default_block(samples, builder.reach()))
    runs = {
        name: out_of_fold(estimator, samples, each, progress=progress, name=name)
        for name, each in splitters.items()
    }
    unknown = np.full(samples.kind.size, -1, np.int64), np.full(samples.kind.size, np.nan)
    fold, score = next(iter(runs.values()), unknown)
    tables = [_measure(samples, found, block, name) for name, (_, found) in runs.items()]
    learnt = samples.kind >= 0
    with progress("Fitting the model"):
        fitted = fit(
            estimator,
            samples.features[learnt],
            samples.kind[learnt] == 1,
            samples.weight[learnt],
        )
    return Model(
        commodity=definition.name,
        title=definition.title,
        builder=builder,
        estimator=fitted,
        ground=ground,
        samples={
            "x": samples.x,
            "y": samples.y,
            "label": samples.kind,
            "weight": samples.weight,
            "group": samples.group,
            "fold": fold,
            "score": score,
        },
        measures=pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(),
        record=_record(stack, grid, counts, labels, builder, definition, splitters, random_state),
    )


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


def out_of_fold(
    estimator: Any,
    samples: Samples,
    splitter: Any,
    *,
    progress: Progress = silent,
    name: str = "folds",
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """
    Score every deposit and measured cell by a model that has not seen its ground.

    Parameters
    ----------
    estimator : classifier
        Fitted afresh in every fold.
    samples : Samples
    splitter : splitter
        Called with ``split(features, y, coordinates)``.
    progress : callable
    name : str

    Returns
    -------
    fold : array of shape (n,), int
        -1 where a sample is never held out.
    score : array of shape (n,)
        NaN for background that is only learnt from.
    """
    positive = samples.kind == 1
    score = np.full(positive.size, np.nan)
    number = np.full(positive.size, -1, np.int64)
    splits = splitter.split(samples.features, positive.astype(np.int64), samples.coordinates)
    total = splitter.get_n_splits(samples.features, positive, samples.coordinates)
    with progress(f"Validating in {name}", total) as done, threadpool_limits(1):
        for k, (train_at, test_at) in enumerate(splits):
            learnt = train_at[samples.kind[train_at] >= 0]
            asked = test_at[samples.kind[test_at] != 0]
            number[test_at] = k
            if not positive[learnt].any() or positive[learnt].all():
                raise LabelError(f"Fold {k + 1} leaves one class only to learn from.")
            fitted = fit(
                estimator, samples.features[learnt], positive[learnt], samples.weight[learnt]
            )
            if asked.size:
                score[asked] = likelihood(fitted, samples.features[asked])
            done(1)
    return number, score


def default_block(samples: Samples, reach: float) -> float:
    """Side of the blocks of folds, by the residuals of what is learnt from."""
    learnt = samples.kind >= 0
    positive = samples.kind[learnt] == 1
    return size_by_residuals(
        samples.features[learnt], samples.coordinates[learnt], positive, reach=reach
    )


def fold_name(splitter: Any) -> str:
    """What to call folds in front of people."""
    if isinstance(splitter, BlockFolds):
        size = getattr(splitter, "size_", splitter.size)
        return f"{size / 1000:g} km block folds" if size else "block folds"
    if isinstance(splitter, RandomFolds):
        return "random folds (flatter)"
    return type(splitter).__name__


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal; of a folder, that of its files in order."""
    digest = hashlib.sha256()
    files = sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
    for file in files:
        with file.open("rb") as stream:
            while chunk := stream.read(2**20):
                digest.update(chunk)
    return digest.hexdigest()


def _measure(samples: Samples, score: NDArray[np.float64], block: float, name: str) -> pd.DataFrame:
    """Measures of out-of-fold scores, with intervals over blocks of ground."""
    names = np.floor(samples.coordinates / block).astype(np.int64)
    _, cluster = np.unique(names, axis=0, return_inverse=True)
    cluster = cluster.ravel()
    deposits, area = samples.kind == 1, samples.kind == -1
    table = summarise(score[deposits], score[area], cluster[deposits], cluster[area])
    return table.rename_axis("measure").reset_index().assign(folds=name)


def _record(
    stack: xr.Dataset,
    grid: Grid,
    counts: NDArray[np.bool_],
    labels: Labels,
    builder: FeatureBuilder,
    commodity: Commodity,
    splitters: Mapping[str, Any],
    random_state: int,
) -> dict[str, Any]:
    """What a sceptical reader would ask for, as plain data."""
    sources = {name: Path(str(stack[name].attrs.get("source", ""))) for name in builder.layers_}
    return {
        "prospect": __version__,
        "versions": versions(),
        "deposit_model": commodity.model,
        "grid": {
            "crs": grid.crs.to_wkt(),
            "transform": list(grid.transform)[:6],
            "shape": list(grid.shape),
            "ground_cells": int(counts.sum()),
        },
        "random_state": random_state,
        "folds": {name: _parameters(each) for name, each in splitters.items()},
        "labels": {"deposits": labels.deposits, **labels.counts},
        "notes": [*labels.notes, *builder.notes_],
        "missing_rows": [spec.name for spec in builder.missing_],
        "inputs": {
            name: {"file": source.name, "sha256": sha256(source)}
            for name, source in sources.items()
            if source.name and source.exists()
        },
    }


def versions() -> dict[str, str]:
    """Versions of what the arithmetic rests on."""
    names = ("numpy", "scipy", "scikit-learn", "numba", "rasterio", "xarray", "pyproj")
    found = {name: importlib.metadata.version(name) for name in names}
    return {"python": platform.python_version(), **found}


def _parameters(splitter: Any) -> dict[str, Any]:
    plain = (bool, int, float, str)
    settings = {k: v for k, v in vars(splitter).items() if not k.endswith("_")}
    return {k: v for k, v in settings.items() if isinstance(v, plain)}


def _in_threads(function: Callable[[Any], None], items: Iterable[Any], workers: int | None) -> None:
    """Call a function on every item, on threads; the first error comes out."""
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(function, items):
            pass
