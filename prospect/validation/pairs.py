"""Deposits against background, a pair held out at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from prospect.errors import ModelError
from prospect.folds import LeavePairOut
from prospect.learners import fit, likelihood
from prospect.metrics.intervals import Draws
from prospect.progress import Progress, silent
from prospect.samples import Samples


def pair_auc(
    estimator: Any,
    samples: Samples,
    splitter: LeavePairOut,
    *,
    progress: Progress = silent,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """
    Whether the deposit scores higher, pair by pair.

    Parameters
    ----------
    estimator : classifier
        Fitted afresh for every pair: take a quick one.
    samples : Samples
    splitter : LeavePairOut
    progress : callable

    Returns
    -------
    won : array of shape (pairs,)
        1 where the deposit scores higher, 0.5 in a tie; the mean is the AUC.
    deposit : array of shape (pairs,), int
        Which sample the deposit is.
    """
    asked = np.flatnonzero(samples.kind != 0)
    where = samples.coordinates
    splits = splitter.split(asked, samples.kind[asked] == 1, where[asked])
    won, deposit = [], []
    with progress("Validating in pairs", splitter.get_n_splits()) as done:
        for _, test in splits:
            pair = asked[test]
            learnt = samples.kind >= 0
            learnt[pair] = False
            for x, y in where[pair]:
                learnt &= np.hypot(where[:, 0] - x, where[:, 1] - y) >= splitter.buffer
            positive = samples.kind[learnt] == 1
            if not positive.any():
                raise ModelError(
                    f"No deposit is left to learn from {splitter.buffer / 1000:g} km away from a "
                    "pair: use a smaller buffer."
                )
            fitted = fit(estimator, samples.features[learnt], positive, samples.weight[learnt])
            high, low = likelihood(fitted, samples.features[pair])
            won.append(float(high > low) + 0.5 * float(high == low))
            deposit.append(int(pair[0]))
            done(1)
    return np.array(won), np.array(deposit)


def pair_measures(
    samples: Samples, splitter: LeavePairOut, cluster: NDArray[np.int64], progress: Progress
) -> pd.DataFrame:
    """The AUC of pairs as a row among the measures; blocks of ground are drawn again."""
    plain = LogisticRegression(C=0.01, max_iter=500)
    won, deposit = pair_auc(plain, samples, splitter, progress=progress)
    block = cluster[deposit]
    drawn = Draws(block, block[:0])
    sums, counts = (
        np.bincount(drawn.groups, weights=w, minlength=drawn.times.shape[1])
        for w in (won, np.ones(won.size))
    )
    weight = drawn.times @ counts
    values = (drawn.times @ sums)[weight > 0] / weight[weight > 0]
    value = float(won.mean())
    low, high = drawn.interval(value, values, bounds=(0.0, 1.0))
    row = {"measure": "auc", "value": value, "low": low, "high": high}
    return pd.DataFrame([{**row, "folds": "pair (ridge logistic)"}])
