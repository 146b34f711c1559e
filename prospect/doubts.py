"""What held-out ground says of a model: calibration, conformal sets, experience, spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prospect.applicability import CLASSES, Applicability, applicability
from prospect.calibration import (
    SWANSON,
    Calibration,
    ConformalSets,
    Prior,
    calibrate,
    held_out_probability,
)
from prospect.errors import ModelError
from prospect.inference import compile_estimator
from prospect.metrics import expected_calibration_error
from prospect.samples import Samples

Array = NDArray[np.float64]

ALPHA = 0.1
"""Conformal sets leave out the truth in one cell of ten."""

BEST = 0.05
"""Share of the ground whose deposits are told."""


@dataclass(frozen=True)
class Doubts:
    """
    What a model carries to doubt itself by.

    Attributes
    ----------
    calibration : Calibration or None
    applicability : Applicability or None
    found : dict
        Figures, as plain data.
    """

    calibration: Calibration | None
    applicability: Applicability | None
    found: dict[str, Any]


def learn_doubts(
    fitted: Any,
    importance: Array,
    samples: Samples,
    fold: NDArray[np.int64],
    score: Array,
    block: NDArray[np.int64],
    prior: Prior | None,
) -> Doubts:
    """
    Learn what scores mean and where they may be believed, from ground held out.

    Parameters
    ----------
    fitted : classifier
    importance : array of shape (k,)
        Of the features; empty if the classifier does not tell, and all count the same then.
    samples : Samples
    fold : array of shape (n,), int
        In which a sample was held out, -1 for never.
    score : array of shape (n,)
        Out of fold; NaN where there is none.
    block : array of shape (n,), int
        Of ground.
    prior : Prior, optional

    Returns
    -------
    Doubts
    """
    known = np.isfinite(score) & (samples.kind != 0)
    deposit = samples.kind == 1
    if not (known & deposit).any() or not (known & ~deposit).any():
        return Doubts(None, None, {})
    held, truth = score[known], deposit[known]
    made = calibrate(held, truth)
    calibrated = held_out_probability(held, truth, fold[known])
    error = expected_calibration_error()
    sets = ConformalSets(held, truth, block[known])
    found: dict[str, Any] = {
        "calibration_error": [error(each[truth], each[~truth]) for each in (held, calibrated)],
        "alpha": ALPHA,
        "coverage": {
            str(kind): {name: float(value) for name, value in row.items()}
            for kind, row in sets.coverage(ALPHA).T.to_dict().items()
        },
    }
    if prior is not None:
        found["expected_in_best"] = _expected_in_best(made, held[~truth], prior)
    area = np.ascontiguousarray(samples.features[samples.kind == -1].T[:, None, :])
    seen = np.ones(area.shape[1:], bool)
    predictor = compile_estimator(fitted)
    if predictor.tells_variances:
        _, variances = predictor.predict_with_variances(area)
        found["spread"] = np.sqrt(variances.mean(axis=(1, 2))).tolist()
    learnt = samples.kind >= 0
    weights = importance if importance.size else np.ones(samples.features.shape[1])
    try:
        experience = applicability(samples.features[learnt], weights, fold[learnt], deposit[learnt])
    except ModelError as reason:
        found["no_applicability"] = str(reason)
        return Doubts(made, None, found)
    classes = experience.classes(
        experience.dissimilarity(area, seen),
        experience.dissimilarity(area, seen, deposits=True),
        experience.missing(area, seen),
    )
    found["applicable"] = (
        np.bincount(classes.ravel(), minlength=len(CLASSES)) / classes.size
    ).tolist()
    return Doubts(made, experience, found)


def _expected_in_best(calibration: Calibration, area: Array, prior: Prior) -> float:
    """Deposits in the best cells, of all that the prior puts on the ground."""
    probability = np.sort(calibration.probability(area, prior.per_cell))[::-1]
    best = probability[: max(1, round(BEST * area.size))].sum()
    total = (
        float(np.dot(SWANSON, prior.deposits)) if len(prior.deposits) == 3 else (prior.deposits[0])
    )
    return float(best / probability.sum()) * total
