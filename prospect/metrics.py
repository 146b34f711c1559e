"""Measures of a map against deposits it was not shown, with honest intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

Scores = NDArray[np.float64]
Measure = Callable[[Scores, Scores], float]

AREAS = (0.01, 0.02, 0.05, 0.10)
"""Shares of the area at which capture is told."""


def auc(deposits: Scores, area: Scores) -> float:
    """
    Probability that a deposit scores higher than a cell of the area drawn at random.

    Parameters
    ----------
    deposits : array of shape (n,)
        Scores at deposits.
    area : array of shape (m,)
        Scores of cells drawn uniformly from the ground.

    Returns
    -------
    float
        0.5 is chance; ties count half. NaN scores rank last: a map that leaves a
        deposit's cell empty has missed it.
    """
    scores = _ranked_last(np.concatenate([deposits, area]))
    n, m = len(deposits), len(area)
    if n == 0 or m == 0:
        return float("nan")
    ranks = rankdata(scores)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def capture(deposits: Scores, area: Scores, share: float = 0.05) -> float:
    """
    Share of the deposits inside the highest-scoring ``share`` of the area.

    Parameters
    ----------
    deposits : array of shape (n,)
    area : array of shape (m,)
        Cells drawn uniformly from the ground.
    share : float
        0.05 for 5 % of the area.

    Returns
    -------
    float
        Where scores tie at the threshold, the tied ground is taken in part: a constant
        map captures ``share``.
    """
    n, m = len(deposits), len(area)
    if n == 0 or m == 0:
        return float("nan")
    scores = _ranked_last(np.concatenate([deposits, area]))
    found, ground = scores[:n], np.sort(scores[n:])[::-1]
    budget = share * m
    threshold = ground[min(m - 1, int(np.ceil(budget)) - 1)]
    above, tied = int((ground > threshold).sum()), int((ground == threshold).sum())
    part = min(1.0, max(0.0, (budget - above) / tied))
    return float(((found > threshold).sum() + part * (found == threshold).sum()) / n)


def bootstrap(
    measure: Measure,
    deposits: Scores,
    area: Scores,
    groups: NDArray[np.int64],
    area_groups: NDArray[np.int64],
    *,
    repeats: int = 1000,
    level: float = 0.90,
    random_state: int = 0,
) -> tuple[float, float]:
    """
    Interval of a measure, by drawing whole clusters of ground again.

    Deposits of one cluster stand or fall together; drawing them one by one would make
    the interval too narrow.

    Parameters
    ----------
    measure : callable(deposits, area) -> float
    deposits, area : array of shape (n,) and (m,)
        Scores.
    groups, area_groups : array of shape (n,) and (m,), int
        Cluster (for example block) of each.
    repeats : int
    level : float
        0.90 for a 90 % interval.
    random_state : int

    Returns
    -------
    low, high : float
    """
    rng = np.random.default_rng(random_state)
    names = np.unique(np.concatenate([groups, area_groups]))
    members = [np.flatnonzero(groups == name) for name in names]
    cells = [np.flatnonzero(area_groups == name) for name in names]
    values = []
    for _ in range(repeats):
        drawn = rng.integers(0, len(names), len(names))
        picked = np.concatenate([members[i] for i in drawn])
        ground = np.concatenate([cells[i] for i in drawn])
        if picked.size and ground.size:
            values.append(measure(deposits[picked], area[ground]))
    if not values:
        return float("nan"), float("nan")
    tail = (1 - level) / 2
    low, high = np.quantile(values, (tail, 1 - tail))
    return float(low), float(high)


def summarise(
    deposits: Scores,
    area: Scores,
    groups: NDArray[np.int64],
    area_groups: NDArray[np.int64],
    *,
    areas: Sequence[float] = AREAS,
    random_state: int = 0,
) -> pd.DataFrame:
    """
    AUC and capture with 90 % cluster-bootstrap intervals.

    Returns
    -------
    DataFrame
        Rows ``auc`` and ``capture_5%`` and so on; columns value, low, high.
    """
    rows: dict[str, Measure] = {"auc": auc}
    for share in areas:
        rows[f"capture_{100 * share:g}%"] = _capture_at(share)
    table = {}
    for name, measure in rows.items():
        low, high = bootstrap(
            measure, deposits, area, groups, area_groups, random_state=random_state
        )
        table[name] = {"value": measure(deposits, area), "low": low, "high": high}
    return pd.DataFrame.from_dict(table, orient="index")


def _capture_at(share: float) -> Measure:
    return lambda deposits, area: capture(deposits, area, share)


def _ranked_last(scores: Scores) -> Scores:
    """Scores with gaps below everything else."""
    scores = np.asarray(scores, float)
    return np.where(np.isnan(scores), -np.inf, scores)
