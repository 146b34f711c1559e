"""What changes without a layer: in AUC on held-out ground, and in the ranks of the map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr

from prospect.errors import ModelError
from prospect.evidence import layers_behind
from prospect.features import FeatureBuilder
from prospect.held_out import Trial, out_of_folds
from prospect.metrics import auc, differences
from prospect.progress import Progress, silent
from prospect.samples import Samples

TOP = 0.05
"""The best share of the map, of which it is told how much stays."""


def without_layers(
    samples: Samples,
    builder: FeatureBuilder,
    estimator: Any,
    splitter: Any,
    score: NDArray[np.float64],
    cluster: NDArray[np.int64],
    layers: Sequence[str],
    *,
    progress: Progress = silent,
) -> pd.DataFrame:
    """
    Learn and test again without each layer in turn.

    Parameters
    ----------
    samples : Samples
    builder : FeatureBuilder
        Fitted; says which features rest on which layer. All that rest on it go.
    estimator : classifier
    splitter : splitter
    score : array of shape (n,)
        Out-of-fold scores of the model with every layer.
    cluster : array of shape (n,), int
        Blocks of ground, drawn again for the intervals.
    layers : sequence of str
    progress : callable

    Returns
    -------
    DataFrame
        A row a layer; columns features (left out), auc (without it), change (without
        less with), low, high, rank_correlation (of the map's cells, with and without),
        top_kept (share of the best 5 % of the ground that stays in it).

    Raises
    ------
    ModelError
        If the model has no such layer, or nothing else.
    """
    found, area = samples.kind == 1, samples.kind == -1
    with_all = score[found], score[area]
    gone, trials = {}, {}
    for layer in layers:
        gone[layer] = columns_of(builder, layer)
        kept = np.setdiff1d(np.arange(samples.features.shape[1]), gone[layer])
        if not kept.size:
            raise ModelError(f"Without '{layer}' no feature is left to learn from.")
        fewer = replace(samples, features=samples.features[:, kept])
        trials[layer] = Trial(estimator, fewer, splitter)
    rows = {}
    scored = out_of_folds(trials, progress=progress, name="folds without a layer")
    for layer, (_, again) in scored.items():
        gap = differences(
            auc, (again[found], again[area]), {"all": with_all}, cluster[found], cluster[area]
        ).loc["all"]
        rows[layer] = {
            "features": len(gone[layer]),
            "auc": auc(again[found], again[area]),
            "change": gap["difference"],
            "low": gap["low"],
            "high": gap["high"],
            "rank_correlation": float(spearmanr(score[area], again[area]).statistic),
            "top_kept": _top_kept(score[area], again[area]),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("layer")


def columns_of(builder: FeatureBuilder, layer: str) -> list[int]:
    """
    Which columns of the features rest on a layer, by way of other features too.

    Raises
    ------
    ModelError
        If the model has no such layer.
    """
    if layer not in builder.layers_:
        raise ModelError(f"The model has no layer '{layer}'; it has: {', '.join(builder.layers_)}.")
    return [column for column, layers in enumerate(layers_behind(builder)) if layer in layers]


def _top_kept(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    count = max(1, round(TOP * before.size))
    best = [set(np.argsort(-score, kind="stable")[:count].tolist()) for score in (before, after)]
    return len(best[0] & best[1]) / count
