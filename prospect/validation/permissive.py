"""Over the window and within permissive ground: how much of an AUC the outline alone gives."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prospect.metrics import auc, bootstrap
from prospect.metrics.intervals import rows_of
from prospect.metrics.tally import Scores

WINDOW, WITHIN, OUTLINE = "whole window", "within permissive ground", "the outline alone"


def permissive_table(
    deposits: Scores,
    area: Scores,
    deposits_inside: NDArray[np.bool_],
    area_inside: NDArray[np.bool_],
    groups: NDArray[np.int64],
    area_groups: NDArray[np.int64],
    *,
    random_state: int = 0,
) -> pd.DataFrame:
    """
    AUC over the window, within permissive ground, and of its outline alone.

    Parameters
    ----------
    deposits, area : array of shape (n,) and (m,)
        Scores.
    deposits_inside, area_inside : array of shape (n,) and (m,), bool
        Whether each stands on permissive ground.
    groups, area_groups : array of shape (n,) and (m,), int
        Block of each, for the intervals.
    random_state : int

    Returns
    -------
    DataFrame
        Rows: the three; columns value, low, high, deposits, and area (share of the
        window's valid cells). NaN within permissive ground where no deposit stands.
    """
    valid = np.isfinite(area)
    everything = np.ones(deposits.size, bool), np.ones(area.size, bool)
    inside = deposits_inside, area_inside
    outline = deposits_inside.astype(float), np.where(valid, area_inside.astype(float), np.nan)
    rows = {
        name: auc_within(found, ground, d, a, groups, area_groups, random_state=random_state)
        for name, (found, ground), (d, a) in (
            (WINDOW, (deposits, area), everything),
            (WITHIN, (deposits, area), inside),
            (OUTLINE, outline, everything),
        )
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def auc_within(
    deposits: Scores,
    area: Scores,
    deposits_inside: NDArray[np.bool_],
    area_inside: NDArray[np.bool_],
    groups: NDArray[np.int64],
    area_groups: NDArray[np.int64],
    *,
    random_state: int = 0,
) -> dict[str, float]:
    """
    AUC on a part of the ground, its interval, deposits there, and its share of the window.

    Takes what :func:`permissive_table` takes; NaN where no deposit stands.
    """
    valid = np.isfinite(area)
    told = deposits[deposits_inside], area[area_inside]
    value = auc(*told)
    low, high = value, value
    if np.isfinite(value):
        low, high = bootstrap(
            auc, *told, groups[deposits_inside], area_groups[area_inside],
            random_state=random_state,
        )  # fmt: skip
    return {
        "value": value,
        "low": low,
        "high": high,
        "deposits": int(deposits_inside.sum()),
        "area": float((valid & area_inside).sum() / max(1, valid.sum())),
    }


def explain_permissive(table: pd.DataFrame) -> str:
    """
    What the three say together, in a sentence or two.

    Parameters
    ----------
    table : DataFrame
        From :func:`permissive_table`.
    """
    rows = dict(rows_of(table))
    window, within, outline = (rows[name]["value"] for name in (WINDOW, WITHIN, OUTLINE))
    share = rows[WITHIN]["area"]
    text = (
        f"AUC {window:.2f} over the whole window, {within:.2f} within permissive ground "
        f"({share:.0%} of it); the outline of that ground alone, yes or no, gives {outline:.2f}."
    )
    if outline - 0.5 > 0.5 * (window - 0.5) and window > 0.5:
        text += (
            " Most of the first figure only says that deposits lie on permissive ground, which "
            "was known: quote the second."
        )
    return text
