"""A model is put to the test: folds side by side, baselines, alarms, and a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry
from sklearn.base import clone

from prospect.calibration import held_out_probability
from prospect.detectability import covered_mask
from prospect.errors import ModelError
from prospect.grid import Grid
from prospect.ground import Ground, Permissive
from prospect.held_out import Trial, out_of_folds
from prospect.learners import likelihood
from prospect.matching import bind
from prospect.metrics import (
    AREAS,
    Measure,
    auc,
    average_precision_lift,
    boyce,
    brier_skill,
    differences,
    expected_calibration_error,
    normalised_density,
    prediction_area,
    prediction_area_point,
    prediction_rate,
    reliability,
    success_rate,
    summarise,
)
from prospect.metrics.intervals import rows_of
from prospect.model import Model
from prospect.progress import Progress, silent
from prospect.samples import Samples, ground_mask
from prospect.signs import contradictions
from prospect.training import default_block, sign_directions
from prospect.validation.alarms import Alarm, feature_alarms, gap_alarm, truth_alarm
from prospect.validation.baselines import baseline_scores, baselines
from prospect.validation.cover import cover_table
from prospect.validation.outcome import Validation
from prospect.validation.pairs import pair_measures
from prospect.validation.permissive import explain_permissive, permissive_table
from prospect.validation.sensitivity import without_layers
from prospect.validation.setting import blocks_of, make_splitter, samples_of
from prospect.validation.transfer import feature_shift
from prospect.validation.verdict import verdict

ENOUGH_AREA = 10
"""Measured cells in as small a share of the ground as deposits hold, to speak of precision."""

FOLDS = ("block", "knndm", "random", "leave-one-out", "pair", "region")
USUAL = ("block", "knndm", "random")


def validate(
    model: Model,
    stack: xr.Dataset,
    *,
    folds: Sequence[str] = USUAL,
    n_splits: int = 5,
    block_size: float | None = None,
    regions: Sequence[BaseGeometry] | None = None,
    draws: int = 1,
    permissive: str | None = None,
    without: Sequence[str] = (),
    truth: NDArray[np.float64] | None = None,
    random_state: int = 0,
    workers: int | None = None,
    progress: Progress = silent,
) -> Validation:
    """
    Put a model to the test on ground that it has not seen.

    The model's learner is fitted afresh in every fold, on the cells it was trained on.

    Parameters
    ----------
    model : Model
    stack : Dataset of dims (y, x)
        The layers it was trained on.
    folds : sequence of str
        Of ``block``, ``knndm``, ``random``, ``leave-one-out``, ``pair`` and ``region``. The
        first is what the curves, baselines and verdict are of; it cannot be ``pair``.
    n_splits : int
        Number of folds, where it can be chosen.
    block_size : float, metres, optional
        By default that of the model's own blocks, else by residuals.
    regions : sequence of polygons, optional
        For ``region``, in the coordinates of the stack; else deposits are gathered.
    draws : int
        Draws of the first folds, told as median and range: one draw says little when
        deposits are few.
    permissive : str, optional
        A test of layers; measures are told within it, too, and of its outline alone.
    without : sequence of str
        Layers to learn without, one at a time; ``all`` for each in turn.
    truth : array of shape (y, x), optional
        Expected deposits per cell, where they are known, as in a synthetic region.
    random_state : int
    workers : int, optional
    progress : callable

    Returns
    -------
    Validation

    Raises
    ------
    LabelError
        If folds cannot be filled with deposits.
    ModelError
        If the layers do not fit the model, or a name is not known.
    """
    unknown = [kind for kind in folds if kind not in FOLDS]
    if unknown or not folds or folds[0] == "pair":
        raise ModelError(
            f"Folds are of {', '.join(FOLDS)}, and pairs never come first; not: "
            f"{', '.join(unknown or folds) or 'none'}."
        )
    samples = samples_of(model, stack, workers=workers, progress=progress)
    estimator = _with_workers(model.estimator, workers)
    reach = model.builder.reach()
    block = block_size
    if block is None:
        block = _recorded_block(model) or default_block(samples, reach)
    cluster = blocks_of(samples, block)
    found, area = samples.kind == 1, samples.kind == -1
    splitters = {
        kind: make_splitter(kind, block, reach, n_splits, random_state, regions) for kind in folds
    }
    told, thin = _told(model, int(area.sum()))
    trials = {k: Trial(estimator, samples, each) for k, each in splitters.items() if k != "pair"}
    scored, tables = out_of_folds(trials, progress=progress), []
    for kind, splitter in splitters.items():
        if kind == "pair":
            tables.append(pair_measures(samples, splitter, cluster, progress))
            continue
        table = _summary(samples, *scored[kind], cluster, told)
        tables.append(table.rename_axis("measure").reset_index().assign(folds=kind))
    first = folds[0]
    number, score = scored[first]
    # Folds by region may leave ground out for good: neither area, nor deposits missed.
    found, area = found & np.isfinite(score), area & np.isfinite(score)
    rules, lost = _baselines(model, samples, splitters[first], progress)
    pairs = {name: (each[found], each[area]) for name, each in rules.items()}
    ours = score[found], score[area]
    against = differences(auc, ours, pairs, cluster[found], cluster[area])
    alarms = feature_alarms(samples, model.feature_names, block, random_state=random_state)
    alarms += _gap(samples, scored, cluster) + _truth(samples, scored, cluster, stack, truth)
    layers = list(model.builder.layers_) if "all" in without else list(without)
    changes = without_layers(
        samples, model.builder, estimator, splitters[first], score, cluster, layers,
        progress=progress,
    )  # fmt: skip
    inside = _permissive(model, stack, samples, score, cluster, permissive)
    fitted = likelihood(model.estimator, samples.features)
    return Validation(
        title=model.title,
        commodity=model.commodity,
        deposits=int(np.unique(samples.group[found]).size),
        folds=first,
        block=block,
        buffer=reach,
        measures=pd.concat(tables, ignore_index=True),
        draws=_draws(estimator, samples, first, block, reach, n_splits, regions, draws, progress),
        against=against,
        verdict=verdict(against),
        alarms=tuple(alarms),
        permissive=inside,
        sentence="" if inside is None else explain_permissive(inside),
        without=changes,
        curves={
            f"Prediction rate ({first} folds)": prediction_rate(*ours),
            **{
                f"Prediction rate ({kind} folds)": prediction_rate(s[found], s[area])
                for kind, (_, s) in scored.items()
                if kind not in (first, "region")
            },
            "Success rate (deposits learnt from)": success_rate(fitted[found], fitted[area]),
        },
        prediction_area=prediction_area(*ours),
        point=prediction_area_point(*ours),
        reliability=reliability(*ours),
        coordinates=samples.coordinates[found | area],
        positive=found[found | area],
        fold=number[found | area],
        notes=(*lost, *thin),
        cover=_cover(stack, samples, score, cluster),
        shift=pd.DataFrame()
        if "region" not in splitters
        else feature_shift(samples, splitters["region"], model.feature_names),
        contradicted=tuple(contradictions(sign_directions(samples, model.builder, block))),
    )


def _told(model: Model, area: int) -> tuple[list[Measure], list[str]]:
    """Measures of the ranking beside AUC and capture, and why one is not told."""
    cells = int(model.record.get("grid", {}).get("ground_cells", 0))
    deposits = int((np.asarray(model.samples["label"]) == 1).sum())
    common = deposits / cells if cells > deposits else None
    told = [normalised_density(0.05), boyce()]
    if common is not None and common * area < ENOUGH_AREA:
        return told, [
            f"Precision over chance is not told: deposits hold {common:.1g} of the ground, and of "
            f"{area:,} cells measured on too few lie in as small a share of it."
        ]
    return [told[0], average_precision_lift(common), told[1]], []


def _summary(
    samples: Samples,
    number: NDArray[np.int64],
    score: NDArray[np.float64],
    cluster: NDArray[np.int64],
    told: Sequence[Measure],
) -> pd.DataFrame:
    """Measures of the ranking, and of the scores calibrated on the other folds."""
    held = np.isfinite(score) & (samples.kind != 0)
    calibrated = np.full(score.size, np.nan)
    calibrated[held] = held_out_probability(score[held], samples.kind[held] == 1, number[held])
    tables = []
    for values, areas, measures in (
        (score, AREAS, told),
        (calibrated, (), (brier_skill(), expected_calibration_error())),
    ):
        known = np.isfinite(values)
        found, area = known & (samples.kind == 1), known & (samples.kind == -1)
        if found.any() and area.any():
            tables.append(
                summarise(
                    values[found],
                    values[area],
                    cluster[found],
                    cluster[area],
                    areas=areas,
                    measures=measures,
                )
            )
    # Within folds calibration changes no rank, but folds are calibrated each by itself.
    return pd.concat([tables[0], *(table.drop(index="auc") for table in tables[1:])])


def _baselines(
    model: Model, samples: Samples, splitter: Any, progress: Progress
) -> tuple[dict[str, NDArray[np.float64]], list[str]]:
    """Scores of the baselines that can be run, and why others cannot."""
    steps = model.builder.steps_
    signs = [step.spec.sign for step in steps if step.spec.keep for _ in step.columns]
    return baseline_scores(baselines(signs), samples, splitter, progress=progress)


def _gap(
    samples: Samples,
    scored: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]],
    cluster: NDArray[np.int64],
) -> list[Alarm]:
    if not {"random", "block"} <= set(scored):
        return []
    found, area = samples.kind == 1, samples.kind == -1
    flattering, honest = ((scored[k][1][found], scored[k][1][area]) for k in ("random", "block"))
    gap = differences(auc, flattering, {"b": honest}, cluster[found], cluster[area])
    row = dict(rows_of(gap))["b"]
    return gap_alarm(auc(*flattering), auc(*honest), (row["low"], row["high"]))


def _truth(
    samples: Samples,
    scored: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]],
    cluster: NDArray[np.int64],
    stack: xr.Dataset,
    truth: NDArray[np.float64] | None,
) -> list[Alarm]:
    if truth is None:
        return []
    grid = Grid.of(stack)
    if truth.shape != grid.shape:
        raise ModelError(
            f"The truth has {truth.shape[0]} × {truth.shape[1]} cells, the layers have "
            f"{grid.shape[0]} × {grid.shape[1]}: give it on their grid."
        )
    row, col, _ = grid.index(samples.x, samples.y)
    best = np.nan_to_num(np.asarray(truth, float)[row, col])
    found, area = samples.kind == 1, samples.kind == -1
    oracle = best[found], best[area]
    alarms = []
    for kind, (_, score) in scored.items():
        if kind == "region":
            continue
        ours = score[found], score[area]
        gap = differences(auc, ours, {"t": oracle}, cluster[found], cluster[area])
        told = dict(rows_of(gap))["t"]
        alarms += truth_alarm(
            f"{kind} folds", auc(*ours), auc(*oracle), (told["low"], told["high"])
        )
    return alarms


def _permissive(
    model: Model,
    stack: xr.Dataset,
    samples: Samples,
    score: NDArray[np.float64],
    cluster: NDArray[np.int64],
    permissive: str | None,
) -> pd.DataFrame | None:
    """The window, permissive ground and its outline; None where no ground is named."""
    found, area = samples.kind == 1, samples.kind == -1
    grid = Grid.of(stack)
    if permissive is not None:
        row, col, _ = grid.index(samples.x, samples.y)
        inside = Permissive(permissive).mask(stack, grid.window)[row, col]
        return permissive_table(
            score[found], score[area], inside[found], inside[area], cluster[found], cluster[area]
        )
    if model.ground.permissive is None:
        return None
    # The model never looked beyond its permissive ground: what lies there scores lowest.
    bindings = bind(model.builder.layers_, stack)
    window = int(ground_mask(stack, Ground(model.ground.area), bindings).sum())
    within = int(ground_mask(stack, model.ground, bindings).sum())
    beyond = round(area.sum() * (window - within) / within)
    outside = np.full(beyond, -np.inf)
    blocks = np.resize(np.unique(cluster[area]), beyond)
    return permissive_table(
        score[found],
        np.concatenate([score[area], outside]),
        np.ones(int(found.sum()), bool),
        np.concatenate([np.ones(int(area.sum()), bool), np.zeros(beyond, bool)]),
        cluster[found],
        np.concatenate([cluster[area], blocks]),
    )


def _cover(
    stack: xr.Dataset,
    samples: Samples,
    score: NDArray[np.float64],
    cluster: NDArray[np.int64],
) -> pd.DataFrame | None:
    """Outcrop and covered ground apart; None where no layer tells them apart."""
    covered = covered_mask(stack)
    if covered is None:
        return None
    row, col, _ = Grid.of(stack).index(samples.x, samples.y)
    under = covered[row, col]
    found, area = (np.isfinite(score) & (samples.kind == kind) for kind in (1, -1))
    return cover_table(
        score[found], score[area], under[found], under[area], cluster[found], cluster[area]
    )


def _draws(
    estimator: Any,
    samples: Samples,
    kind: str,
    block: float,
    buffer: float,
    n_splits: int,
    regions: Sequence[BaseGeometry] | None,
    count: int,
    progress: Progress,
) -> tuple[float, ...]:
    """AUC of further draws of the folds; those that deposits cannot fill are left out."""
    trials = {
        str(seed): Trial(
            estimator,
            samples,
            make_splitter(kind, block, buffer, n_splits, seed, regions),
        )
        for seed in range(count if count > 1 else 0)
    }
    name = f"{kind}, {len(trials)} draws"
    scored = out_of_folds(trials, skip=True, progress=progress, name=name)
    found, area = samples.kind == 1, samples.kind == -1
    return tuple(auc(score[found], score[area]) for _, score in scored.values())


def _recorded_block(model: Model) -> float | None:
    """Side of the blocks the model was validated in when it was trained."""
    for settings in dict(model.record.get("folds", {})).values():
        if settings.get("size"):
            return float(settings["size"])
    return None


def _with_workers(estimator: Any, workers: int | None) -> Any:
    """The learner, on as many threads as may be used."""
    names = [n for n in estimator.get_params() if n == "n_jobs" or n.endswith("__n_jobs")]
    return clone(estimator).set_params(**dict.fromkeys(names, workers or -1))
