"""Intervals of measures, and of differences, by drawing whole clusters of ground again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

from prospect.metrics.ranking import AREAS, auc, capture_at
from prospect.metrics.tally import (
    Measure,
    Scores,
    Tally,
    checked_weight,
    sorted_levels,
    weighted_count,
)

LEVEL = 0.90
REPEATS = 1000


def bootstrap(
    measure: Measure,
    deposits: Scores,
    area: Scores,
    groups: NDArray[np.int64],
    area_groups: NDArray[np.int64],
    *,
    weight: Scores | None = None,
    area_weight: Scores | None = None,
    repeats: int = REPEATS,
    level: float = LEVEL,
    random_state: int = 0,
) -> tuple[float, float]:
    """
    Interval of a measure, by drawing whole clusters of ground again.

    Deposits of one cluster stand or fall together; drawing them one by one would make
    the interval too narrow. The standard error is that of the draws; how many of them the
    interval spans is Student's t for the clusters that hold deposits less one, since few
    clusters tell little of their own spread. (Quantiles of the draws held the truth of
    synthetic worlds in 76 of 100 at nominal 90: benchmarks/results/validation.md.)

    Parameters
    ----------
    measure : Measure
        Such as :func:`auc` or ``capture_at(0.05)``.
    deposits, area : array of shape (n,) and (m,)
        Scores.
    groups, area_groups : array of shape (n,) and (m,), int
        Cluster (for example block) of each.
    weight, area_weight : array of shape (n,) and (m,), optional
    repeats : int
    level : float
        0.90 for a 90 % interval.
    random_state : int

    Returns
    -------
    low, high : float
    """
    draws = Draws(groups, area_groups, repeats=repeats, random_state=random_state)
    values = [
        measure.of(drawn)
        for drawn in draws.tallies(deposits, area, weight, area_weight)
        if drawn is not None
    ]
    value = measure(deposits, area, weight, area_weight)
    return draws.interval(value, np.array(values), level, measure.bounds)


def summarise(
    deposits: Scores,
    area: Scores,
    groups: NDArray[np.int64],
    area_groups: NDArray[np.int64],
    *,
    areas: Sequence[float] = AREAS,
    measures: Sequence[Measure] = (),
    weight: Scores | None = None,
    area_weight: Scores | None = None,
    repeats: int = REPEATS,
    random_state: int = 0,
) -> pd.DataFrame:
    """
    AUC, capture and further measures with 90 % cluster-bootstrap intervals.

    Parameters are those of :func:`bootstrap`; ``measures`` come after AUC and capture.

    Returns
    -------
    DataFrame
        Rows ``auc`` and ``capture_5%`` and so on; columns value, low, high.
    """
    told = [auc, *(capture_at(share) for share in areas), *measures]
    draws = Draws(groups, area_groups, repeats=repeats, random_state=random_state)
    drawn = [
        [measure.of(each) for measure in told]
        for each in draws.tallies(deposits, area, weight, area_weight)
        if each is not None
    ]
    values = np.array(drawn, float).reshape(-1, len(told))
    rows = {}
    for place, measure in enumerate(told):
        value = measure(deposits, area, weight, area_weight)
        low, high = draws.interval(value, values[:, place], LEVEL, measure.bounds)
        rows[measure.__name__] = {"value": value, "low": low, "high": high}
    return pd.DataFrame.from_dict(rows, orient="index")


def differences(
    measure: Measure,
    first: tuple[Scores, Scores],
    others: Mapping[str, tuple[Scores, Scores]],
    groups: NDArray[np.int64],
    area_groups: NDArray[np.int64],
    *,
    weight: Scores | None = None,
    area_weight: Scores | None = None,
    repeats: int = REPEATS,
    level: float = LEVEL,
    random_state: int = 0,
) -> pd.DataFrame:
    """
    By how much one map does better than others, on the same ground drawn again.

    Parameters
    ----------
    measure : Measure
    first : (deposits, area)
        Scores of the map in question, of shapes (n,) and (m,).
    others : mapping of name to (deposits, area)
        Scores of the others, at the same deposits and cells.
    groups, area_groups : array of shape (n,) and (m,), int
        Cluster of each; the same clusters are drawn for both maps.
    weight, area_weight, repeats, level, random_state
        As for :func:`bootstrap`.

    Returns
    -------
    DataFrame
        A row for each of the others; columns value (of the other), difference (first less
        other), low, high, and certainty: the share of draws in which the first is better,
        ties counting half.
    """
    draws = Draws(groups, area_groups, repeats=repeats, random_state=random_state)

    def drawn(scores: tuple[Scores, Scores]) -> Scores:
        tallies = draws.tallies(*scores, weight, area_weight)
        return np.array([np.nan if each is None else measure.of(each) for each in tallies])

    ours, mine = measure(*first, weight, area_weight), drawn(first)
    rows = {}
    for name, scores in others.items():
        value = measure(*scores, weight, area_weight)
        gap = mine - drawn(scores)
        gap = gap[np.isfinite(gap)]
        low, high = draws.interval(ours - value, gap, level)
        better = float(np.mean((gap > 0) + 0.5 * (gap == 0))) if gap.size else float("nan")
        rows[name] = {
            "value": value,
            "difference": ours - value,
            "low": low,
            "high": high,
            "certainty": better,
        }
    columns = ["value", "difference", "low", "high", "certainty"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def rows_of(table: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows of a table of measures by their names, as plain dicts."""
    for name, row in table.to_dict("index").items():
        yield str(name), {str(key): value for key, value in row.items()}


class Draws:
    """
    How often each cluster comes up, draw by draw.

    Parameters
    ----------
    groups, area_groups : array of shape (n,) and (m,), int
    repeats : int
    random_state : int
    """

    def __init__(
        self,
        groups: NDArray[np.int64],
        area_groups: NDArray[np.int64],
        *,
        repeats: int = REPEATS,
        random_state: int = 0,
    ) -> None:
        both = np.concatenate([np.asarray(groups), np.asarray(area_groups)])
        names, place = np.unique(both, return_inverse=True)
        self.groups, self.area_groups = place[: len(groups)], place[len(groups) :]
        rng = np.random.default_rng(random_state)
        count = len(names)
        self.times = np.stack(
            [
                np.bincount(rng.integers(0, count, count), minlength=count).astype(float)
                for _ in range(repeats)
            ]
        )

    def tallies(
        self,
        deposits: Scores,
        area: Scores,
        weight: Scores | None = None,
        area_weight: Scores | None = None,
    ) -> Iterator[Tally | None]:
        """A tally for every draw; None where it holds no deposit or no area."""
        levels, at_deposits, at_area, valid = sorted_levels(deposits, area)
        of_deposits = checked_weight(weight, len(deposits))
        of_area = checked_weight(area_weight, len(area))[valid]
        area_groups = self.area_groups[valid]
        for times in self.times:
            drawn = Tally(
                levels,
                weighted_count(at_deposits, of_deposits * times[self.groups], levels.size),
                weighted_count(at_area, of_area * times[area_groups], levels.size),
            )
            yield None if drawn.empty else drawn

    def interval(
        self,
        value: float,
        values: Scores,
        level: float = LEVEL,
        bounds: tuple[float, float] = (-np.inf, np.inf),
    ) -> tuple[float, float]:
        """Value less and plus Student's t times the standard error of the draws."""
        values = values[np.isfinite(values)]
        if values.size < 2 or not np.isfinite(value):
            return float("nan"), float("nan")
        occupied = np.unique(self.groups).size
        reach = float(student.ppf((1 + level) / 2, max(1, occupied - 1)) * values.std())
        return max(value - reach, bounds[0]), min(value + reach, bounds[1])
