"""Measures for outcrop and for ground under cover, apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prospect.labels import MIN_DEPOSITS
from prospect.metrics.intervals import rows_of
from prospect.metrics.tally import Scores
from prospect.validation.permissive import auc_within

OUTCROP, COVERED = "outcrop", "under cover"


def cover_table(
    deposits: Scores,
    area: Scores,
    deposits_covered: NDArray[np.bool_],
    area_covered: NDArray[np.bool_],
    groups: NDArray[np.int64],
    area_groups: NDArray[np.int64],
    *,
    random_state: int = 0,
) -> pd.DataFrame:
    """
    AUC on outcrop and under cover.

    Parameters
    ----------
    deposits, area : array of shape (n,) and (m,)
        Scores.
    deposits_covered, area_covered : array of shape (n,) and (m,), bool
    groups, area_groups : array of shape (n,) and (m,), int
        Block of each, for the intervals.
    random_state : int

    Returns
    -------
    DataFrame
        Rows ``outcrop`` and ``under cover``; columns value, low, high, deposits, area (share
        of the window's valid cells) and score (median of the ground, as a rank from 0 to 1:
        how high the map puts it). NaN where no deposit stands.
    """
    valid = np.isfinite(area)
    rank = pd.Series(area).rank(pct=True).to_numpy()
    rows = {}
    for name, d, a in (
        (OUTCROP, ~deposits_covered, ~area_covered),
        (COVERED, deposits_covered, area_covered),
    ):
        row = auc_within(deposits, area, d, a, groups, area_groups, random_state=random_state)
        middle = float(np.median(rank[valid & a])) if (valid & a).any() else float("nan")
        rows[name] = {**row, "score": middle}
    return pd.DataFrame.from_dict(rows, orient="index")


def explain_cover(table: pd.DataFrame) -> str:
    """
    What the two say together, in a sentence.

    Parameters
    ----------
    table : DataFrame
        From :func:`cover_table`.
    """
    rows = dict(rows_of(table))
    outcrop, covered = rows[OUTCROP], rows[COVERED]
    text = f"{covered['area']:.0%} of the ground lies under cover, with {covered['deposits']:.0f} "
    text += f"of {covered['deposits'] + outcrop['deposits']:.0f} deposit cells."
    if covered["deposits"] == 0:
        text += (
            " Nothing was measured there: the map ranks covered ground at "
            f"{covered['score']:.0%} in the median (outcrop at {outcrop['score']:.0%}), and no "
            "deposit says whether that is right."
        )
    elif covered["deposits"] < MIN_DEPOSITS:
        text += " That is too few to judge the map there."
    return text
