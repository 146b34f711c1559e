"""Measures of rank: they ask only which cells score higher."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from prospect.metrics.tally import Measure, Scores, Tally

AREAS = (0.01, 0.02, 0.05, 0.10)
"""Shares of the area at which capture is told."""


@Measure
def auc(counted: Tally) -> float:
    """
    Probability that a deposit scores higher than a cell of the area drawn at random.

    Called with ``deposits`` of shape (n,), ``area`` of shape (m,) and optional weights of
    both. 0.5 is chance; ties count half. A deposit without a score ranks last; cells
    without one are no area.
    """
    area, deposits = counted.rates
    return float(np.trapezoid(deposits, area))


def capture(
    deposits: Scores,
    area: Scores,
    share: float = 0.05,
    weight: Scores | None = None,
    area_weight: Scores | None = None,
) -> float:
    """
    Share of the deposits inside the highest-scoring ``share`` of the area.

    Parameters
    ----------
    deposits : array of shape (n,)
        A gap is a deposit missed.
    area : array of shape (m,)
        Cells of the ground; gaps are not counted.
    share : float
        0.05 for 5 % of the area.
    weight, area_weight : array of shape (n,) and (m,), optional

    Returns
    -------
    float
        Where scores tie at the threshold, the tied ground is taken in part: a constant
        map captures ``share``.
    """
    return capture_at(share)(deposits, area, weight, area_weight)


def capture_at(share: float) -> Measure:
    """Capture at one share of the area, as a measure."""

    def captured(counted: Tally) -> float:
        area, deposits = counted.rates
        after = int(np.searchsorted(area, share + 1e-12, "right"))
        if after == area.size:
            return 1.0
        # Of the cells at one score, area and deposits are taken at the same rate.
        part = (share - area[after - 1]) / (area[after] - area[after - 1])
        return float(np.interp(part, [0, 1], deposits[after - 1 : after + 1]))

    return Measure(captured, f"capture_{100 * share:g}%")


def normalised_density(share: float = 0.05) -> Measure:
    """
    How many times denser deposits stand in the best ``share`` of the area than overall.

    Prediction rate over area; its logarithm is the weight of a class in a prediction–area
    analysis (see :func:`prospect.metrics.prediction_area`).
    """
    captured = capture_at(share)
    name = f"density_{100 * share:g}%"
    return Measure(lambda counted: captured.of(counted) / share, name, (0.0, 1 / share))


def average_precision_lift(prevalence: float | None = None) -> Measure:
    """
    Average precision over the precision of chance, as a measure.

    Average precision is the mean, over deposits from the best scored down, of the share
    of deposits in the ground down to each. It hangs on how common deposits are, so it is
    told over that: 1 is chance. An area drawn thinly flatters it: deposits that score above
    every cell drawn seem to stand in ground of nothing but deposits.

    Parameters
    ----------
    prevalence : float, optional
        Deposits per cell of the ground. By default the weight of the deposits in all that
        is given, which means something only when the area is every cell.
    """

    def lift(counted: Tally) -> float:
        area, deposits = counted.rates
        common = prevalence
        if common is None:
            common = counted.deposits.sum() / (counted.deposits.sum() + counted.area.sum())
        found, ground = deposits[1:] * common, area[1:] * (1 - common)
        with np.errstate(invalid="ignore"):
            precision = np.where(found > 0, found / (found + ground), 0.0)
        return float((np.diff(deposits) * precision).sum() / common)

    return Measure(lift, "precision_lift", (0.0, np.inf))


def boyce(windows: int = 100, width: float = 0.1) -> Measure:
    """
    Smoothed Boyce index, as a measure.

    A window of a tenth of the score's range moves along it; the index is Spearman's
    correlation of the window's score with deposits over area inside it [1]_. 1 says that
    deposits grow denser with the score all the way, 0 that the score says nothing.

    Parameters
    ----------
    windows : int
    width : float
        Of a window, as a share of the range.

    References
    ----------
    .. [1] Hirzel, Le Lay, Helfer, Randin and Guisan (2006). Evaluating the ability of
       habitat suitability models to predict species presences. Ecological Modelling 199.
    """

    def index(counted: Tally) -> float:
        scored = np.isfinite(counted.score)
        score = counted.score[scored][::-1]
        present = scored & ((counted.area > 0) | (counted.deposits > 0))
        if not present.any():
            return float("nan")
        low, high = counted.score[present].min(), counted.score[present].max()
        if low == high:
            return float("nan")
        span = width * (high - low)
        starts = np.linspace(low, high - span, windows)
        first = np.searchsorted(score, starts, "left")
        last = np.searchsorted(score, starts + span * (1 + 1e-12), "right")
        sums = []
        for weight in (counted.deposits[scored][::-1], counted.area[scored][::-1]):
            running = np.concatenate([[0.0], np.cumsum(weight)])
            sums.append((running[last] - running[first]) / weight.sum())
        found, ground = sums
        held = ground > 1e-12
        if held.sum() < 3:
            return float("nan")
        ratio = found[held] / ground[held]
        if np.ptp(ratio) == 0:
            return 0.0
        # Spearman's correlation; windows come in order, so that their ranks are known.
        return float(np.corrcoef(np.arange(ratio.size), rankdata(ratio.round(12)))[0, 1])

    return Measure(index, "boyce", (-1.0, 1.0))
