"""Measures of the score as a probability, at a prevalence that is said."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prospect.metrics.tally import Measure, Scores, Tally, tally, weighted_count

EVEN = 0.5
"""Learners weigh deposits and background the same in sum, so their scores speak of even odds."""


def brier_skill(prevalence: float = EVEN) -> Measure:
    """
    Brier skill, as a measure: 1 less the Brier score over that of the constant prevalence.

    Parameters
    ----------
    prevalence : float
        Deposits and area are weighed so that deposits hold this share. 1 is perfect, 0 no
        better than the constant.
    """

    def skill(counted: Tally) -> float:
        found, ground = _weighed(counted, prevalence)
        score = _probability(counted)
        brier = (found * (1 - score) ** 2 + ground * score**2).sum()
        return float(1 - brier / (prevalence * (1 - prevalence)))

    return Measure(skill, "brier_skill", (-np.inf, 1.0))


def expected_calibration_error(prevalence: float = EVEN, bins: int = 10) -> Measure:
    """
    Expected calibration error, as a measure: how far scores lie from what comes true.

    Parameters
    ----------
    prevalence : float
    bins : int
        Of equal width, from 0 to 1.
    """

    def error(counted: Tally) -> float:
        total, score, observed = _binned(counted, prevalence, bins)
        held = total > 0
        return float((total[held] * np.abs(score[held] - observed[held])).sum())

    return Measure(error, "calibration_error")


def reliability(
    deposits: Scores,
    area: Scores,
    weight: Scores | None = None,
    area_weight: Scores | None = None,
    *,
    prevalence: float = EVEN,
    bins: int = 10,
) -> pd.DataFrame:
    """
    Reliability table: in bins of the score, what it says and what is found.

    Parameters
    ----------
    deposits : array of shape (n,)
        Scores between 0 and 1 at deposits; a gap counts as 0.
    area : array of shape (m,)
        Gaps are not counted.
    weight, area_weight : array of shape (n,) and (m,), optional
    prevalence : float
        Deposits and area are weighed so that deposits hold this share.
    bins : int
        Of equal width.

    Returns
    -------
    DataFrame
        Columns low, high, score (mean), observed (share of deposits), share (of all
        weight); NaN in empty bins.
    """
    counted = tally(deposits, area, weight, area_weight)
    edges = np.linspace(0, 1, bins + 1)
    total, score, observed = _binned(counted, prevalence, bins)
    return pd.DataFrame(
        {
            "low": edges[:-1],
            "high": edges[1:],
            "score": score,
            "observed": observed,
            "share": total,
        }
    )


def _probability(counted: Tally) -> Scores:
    """Scores as probabilities; deposits without one were given none."""
    return np.where(np.isfinite(counted.score), np.clip(counted.score, 0, 1), 0.0)


def _weighed(counted: Tally, prevalence: float) -> tuple[Scores, Scores]:
    found = counted.deposits * prevalence / counted.deposits.sum()
    ground = counted.area * (1 - prevalence) / counted.area.sum()
    return found, ground


def _binned(
    counted: Tally, prevalence: float, bins: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    found, ground = _weighed(counted, prevalence)
    score = _probability(counted)
    which = np.minimum((score * bins).astype(np.int64), bins - 1)
    total = weighted_count(which, found + ground, bins)
    with np.errstate(invalid="ignore"):
        mean = weighted_count(which, (found + ground) * score, bins) / total
        observed = weighted_count(which, found, bins) / total
    return total, mean, observed
