"""What any model must beat, in the same folds: simple rules that need no model of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from prospect.errors import ProspectError
from prospect.learners import fit, likelihood
from prospect.metrics import auc
from prospect.progress import Progress, silent
from prospect.samples import Samples

Indices = NDArray[np.int64]
Baseline = Callable[[Samples, Indices, Indices], NDArray[np.float64]]
"""Called with samples, those to learn from and those to score; gives scores of the latter."""


def distance_to_known(samples: Samples, learnt: Indices, asked: Indices) -> NDArray[np.float64]:
    """Nearness to the nearest deposit that was learnt from, in metres below zero."""
    known = samples.coordinates[learnt[samples.kind[learnt] == 1]]
    distance, _ = KDTree(known).query(samples.coordinates[asked])
    return -np.asarray(distance)


def best_layer(samples: Samples, learnt: Indices, asked: Indices) -> NDArray[np.float64]:
    """
    The one feature, up or down, that tells the deposits learnt from best from background.

    Scores are its rank in the background learnt from, so that folds which choose other
    features still speak of one scale; gaps take the middle.
    """
    positive = samples.kind[learnt] == 1
    features = samples.features[learnt].astype(float)
    middle = _medians(features)
    filled = np.where(np.isfinite(features), features, middle)
    told = np.array([auc(column[positive], column[~positive]) for column in filled.T])
    best = int(np.argmax(np.abs(told - 0.5)))
    sign = 1.0 if told[best] >= 0.5 else -1.0
    asked_of = samples.features[asked, best].astype(float)
    asked_of = np.where(np.isfinite(asked_of), asked_of, middle[best])
    ground = np.sort(sign * filled[~positive, best])
    below, upto = (np.searchsorted(ground, sign * asked_of, side) for side in ("left", "right"))
    return np.asarray((below + upto) / (2 * ground.size))


def chance(samples: Samples, learnt: Indices, asked: Indices) -> NDArray[np.float64]:
    """One score for all ground."""
    return np.full(asked.size, 0.5)


def by_estimator(estimator: Any) -> Baseline:
    """A classifier as a baseline."""

    def scored(samples: Samples, learnt: Indices, asked: Indices) -> NDArray[np.float64]:
        positive = samples.kind[learnt] == 1
        fitted = fit(estimator, samples.features[learnt], positive, samples.weight[learnt])
        return likelihood(fitted, samples.features[asked])

    return scored


def baselines(signs: Sequence[str]) -> dict[str, Baseline]:
    """
    The baselines, by what people call them.

    Parameters
    ----------
    signs : sequence of str
        Of the features, as in recipes: weights of evidence and fuzzy logic go by them.
    """
    from prospect.models import FuzzyOverlay, WeightsOfEvidence

    return {
        "weights of evidence": by_estimator(WeightsOfEvidence(list(signs))),
        "fuzzy overlay": by_estimator(FuzzyOverlay(list(signs))),
        "distance to the nearest known deposit": distance_to_known,
        "the best single layer": best_layer,
        "chance": chance,
    }


def baseline_scores(
    rules: Mapping[str, Baseline],
    samples: Samples,
    splitter: Any,
    *,
    progress: Progress = silent,
) -> tuple[dict[str, NDArray[np.float64]], list[str]]:
    """
    Out-of-fold scores of every baseline.

    Parameters
    ----------
    rules : mapping of name to Baseline
    samples : Samples
    splitter : splitter
        The folds of the model.
    progress : callable

    Returns
    -------
    scores : dict of name to array of shape (n,)
        NaN for background that is only learnt from. A baseline that cannot be run on such
        features is left out.
    notes : list of str
        Which were left out, and why.
    """
    positive = (samples.kind == 1).astype(np.int64)
    scores = {name: np.full(positive.size, np.nan) for name in rules}
    lost: dict[str, str] = {}
    splits = list(splitter.split(samples.features, positive, samples.coordinates))
    with progress("Baselines in the same folds", len(splits) * len(rules)) as done:
        for train, test in splits:
            learnt = train[samples.kind[train] >= 0]
            asked = test[samples.kind[test] != 0]
            for name, rule in rules.items():
                if name not in lost:
                    try:
                        scores[name][asked] = rule(samples, learnt, asked)
                    except ProspectError as error:
                        lost[name] = f"{name} could not be run: {error}"
                done(1)
    return {k: v for k, v in scores.items() if k not in lost}, list(lost.values())


def _medians(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median of every column; 0 where it has none."""
    columns = (column[np.isfinite(column)] for column in features.T)
    return np.array([np.median(column) if column.size else 0.0 for column in columns])
