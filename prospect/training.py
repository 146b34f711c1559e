"""Labels, features and folds become a model that knows how good it is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from prospect.calibration import Prior
from prospect.commodities import Commodity, load_commodity
from prospect.detectability import chance_of
from prospect.doubts import learn_doubts
from prospect.encoding import prepare
from prospect.errors import LabelError
from prospect.features import FeatureBuilder
from prospect.folds import BlockFolds, RandomFolds, size_by_residuals
from prospect.grid import Grid
from prospect.ground import Area, make_ground
from prospect.held_out import Trial, out_of_folds
from prospect.labels import MIN_DEPOSITS, read_labels, require_enough, with_tested
from prospect.learners import DEFAULT, fit, learner, needs_labels
from prospect.matching import bind
from prospect.metrics import summarise
from prospect.model import Model
from prospect.own import with_own_rows
from prospect.progress import Progress, silent
from prospect.project import OccurrenceSpec
from prospect.record import record_of
from prospect.samples import (
    BACKGROUND,
    BARREN,
    POSITIONAL_ERROR,
    Samples,
    draw_samples,
    ground_mask,
    on_ground,
)
from prospect.signs import contradictions, directions
from prospect.tables import write_table

N_SPLITS = 5
"""Number of the default folds."""


def train(
    stack: xr.Dataset,
    occurrences: OccurrenceSpec | Path | str | pd.DataFrame | None,
    commodity: str | Path | Commodity,
    *,
    folds: Any = None,
    estimator: Any = None,
    random_state: int = 0,
    block_size: float | None = None,
    n_splits: int = N_SPLITS,
    area: Path | str | Area | None = None,
    permissive: str | None = None,
    background: int = BACKGROUND,
    background_from: str = "distance",
    match: str = "none",
    deposit_type: str | None = None,
    tested: Path | str | None = None,
    positional_error: float = POSITIONAL_ERROR,
    prior: float | None = None,
    expected: Sequence[float] | None = None,
    rejects: Path | str | None = None,
    builder: FeatureBuilder | None = None,
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
    commodity : str, path or Commodity
        ``antimony``, ``gold``, ``coal``, or a definition of your own.
    folds : splitter, optional
        Called with ``split(features, y, coordinates)``; of a cell that is held out more than
        once the last score stays. By default blocks as large as the
        range of residuals, from 10 to 40 km, with the largest focal window as buffer.
    estimator : str or classifier, optional
        A name that :func:`prospect.learners.learner` knows, or any scikit-learn classifier
        with ``predict_proba``. By default ``logistic``, held to the signs of the evidence.
        ``fuzzy`` needs no labels.
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
    background_from : str
        ``distance`` from deposits; ``deposits`` of other commodities that are not associated;
        ``dissimilar`` ground, told in every fold anew; or ``mixed``, which is all three.
    match : str
        What background is made alike to the deposits in: ``none``, ``cover`` (as much of it
        under cover as of them), or ``detectability`` (drawn where occurrences are seen).
    deposit_type : str, optional
        One type of the commodity, such as ``au_irgs``.
    tested : path, optional
        Ground drilled or trenched and found barren: it is learnt from as background.
    positional_error : float, metres
        How far deposits may stand from where they are said to: the default learner is
        taught by places drawn within it.
    prior : float, optional
        Deposits per cell that you hold likely: then probabilities can be mapped.
    expected : sequence of 1 or 3 floats, optional
        Instead, deposits on the whole ground, known and unknown: a number, or P90, P50
        and P10.
    rejects : path, optional
        CSV to write the occurrences to that do not train, each with its reason.
    builder : FeatureBuilder, optional
        Fitted on these layers already, as :func:`prospect.several.train_several` does for
        several commodities at once.
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
    definition = load_commodity(commodity, deposit_type)
    ground = make_ground(area, permissive)
    grid = Grid.of(stack)
    grid.require_metres()
    try:
        labels = read_labels(occurrences, definition, grid)
    except LabelError as error:
        if estimator != "fuzzy":
            raise
        # The signs of the evidence need no deposits; that there are none is said.
        labels = replace(read_labels(None, definition, grid), notes=(str(error),))
    if tested is not None:
        labels = with_tested(labels, tested, grid)
    if not 0 <= positional_error < np.inf:
        raise LabelError(f"A positional error is metres from 0 on, but {positional_error} came.")
    if builder is None:
        builder = FeatureBuilder(with_own_rows(definition.recipe, stack))
        with progress("Learning the layers' statistics"):
            builder.fit(stack)
    bindings = bind(builder.layers_, stack)
    with progress("Finding the ground that counts"):
        counts = ground_mask(stack, ground, bindings, workers=workers)
    stated = Prior.of(int(counts.sum()), prior=prior, expected=expected)
    told = type(estimator).__name__
    if isinstance(estimator, str) or estimator is None:
        told = estimator or DEFAULT
        estimator = learner(told, builder.signs, random_state=random_state, n_jobs=workers)
    labels = on_ground(labels, counts)
    if rejects is not None:
        write_table(labels.rejected(), rejects)
    if needs_labels(prepare(estimator)):
        require_enough(labels, definition.name)
    chance, seen = chance_of(
        match, stack, labels, counts, bindings.values(), random_state=random_state
    )
    labels = replace(labels, notes=(*labels.notes, *seen))
    samples = draw_samples(
        builder,
        stack,
        labels,
        counts,
        background=background,
        method=background_from,
        chance=chance,
        positional_error=positional_error,
        random_state=random_state,
        workers=workers,
        progress=progress,
    )
    labels = replace(labels, notes=(*labels.notes, *_same_everywhere(samples, builder)))
    splitters: dict[str, Any] = {}
    block = 0.0
    if labels.enough:
        block = default_block(samples, builder.reach()) if block_size is None else block_size
        splitter = folds
        if splitter is None:
            splitter = BlockFolds(
                block, n_splits, buffer=builder.reach(), random_state=random_state
            )
            flattering = RandomFolds(n_splits, random_state=random_state)
            splitters["random folds (flatter)"] = flattering
        splitters = {fold_name(splitter): splitter, **splitters}
    trials = {name: Trial(estimator, samples, each) for name, each in splitters.items()}
    runs = out_of_folds(trials, progress=progress)
    if splitters:
        # That of folds of one's own, which may have been found just now.
        own = (getattr(splitter, name, None) for name in ("size_", "size"))
        block = float(next((size for size in own if size), block))
    unknown = np.full(samples.kind.size, -1, np.int64), np.full(samples.kind.size, np.nan)
    fold, score = next(iter(runs.values()), unknown)
    tables = [_measure(samples, found, block, name) for name, (_, found) in runs.items()]
    against = contradictions(sign_directions(samples, builder, block)) if block else []
    learnt = samples.learnt()
    with progress("Fitting the model"):
        fitted = fit(estimator, **samples.learnt_from(learnt))
    model = Model(
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
        record=record_of(stack, grid, counts, labels, builder, definition, splitters, random_state)
        | {
            "background": {"from": background_from, "match": match, "count": background},
            "contradicted": against,
        },
        prior=stated,
    )
    with progress("Learning where it may be believed"):
        doubts = learn_doubts(
            fitted,
            model.importances().reindex(model.feature_names).to_numpy(float)
            if len(model.importances())
            else np.empty(0),
            samples,
            fold,
            score,
            _blocks(samples, block) if block else np.zeros(samples.kind.size, np.int64),
            stated,
        )
    model.calibration, model.applicability = doubts.calibration, doubts.applicability
    model.record = {
        **model.record,
        "learner": told,
        "positional_error": positional_error,
        "doubts": doubts.found,
    }
    return model


def _same_everywhere(samples: Samples, builder: FeatureBuilder) -> list[str]:
    """A sentence about features that tell no cell from another, if there are any."""
    low, high = np.full((2, samples.features.shape[1]), np.nan)
    known = ~np.isnan(samples.features).all(axis=0)
    if known.any():
        low[known] = np.nanmin(samples.features[:, known], axis=0)
        high[known] = np.nanmax(samples.features[:, known], axis=0)
    names = [n for n, a, b in zip(builder.feature_names, low, high, strict=True) if not a < b]
    if not names:
        return []
    listed = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    return [f"the same everywhere on this ground, so of no use here: {listed}"]


def sign_directions(samples: Samples, builder: FeatureBuilder, block: float) -> pd.DataFrame:
    """Which way the deposits go with each signed feature; see :func:`prospect.signs.directions`."""
    return directions(
        samples.features,
        samples.kind,
        samples.group,
        _blocks(samples, block),
        builder.feature_names,
        builder.signs,
    )


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


def _measure(samples: Samples, score: NDArray[np.float64], block: float, name: str) -> pd.DataFrame:
    """Measures of out-of-fold scores, with intervals over blocks of ground."""
    cluster = _blocks(samples, block)
    deposits, area = samples.kind == 1, samples.kind == -1
    table = summarise(score[deposits], score[area], cluster[deposits], cluster[area])
    barren = (samples.group == BARREN) & np.isfinite(score)
    if barren.sum() >= MIN_DEPOSITS:
        among = summarise(
            score[deposits], score[barren], cluster[deposits], cluster[barren], areas=()
        )
        table = pd.concat([table, among.rename(index={"auc": "auc_barren"})])
    return table.rename_axis("measure").reset_index().assign(folds=name)


def _blocks(samples: Samples, size: float) -> NDArray[np.int64]:
    """The block of ground of each sample."""
    names = np.floor(samples.coordinates / size).astype(np.int64)
    return np.asarray(np.unique(names, axis=0, return_inverse=True)[1].ravel(), np.int64)
