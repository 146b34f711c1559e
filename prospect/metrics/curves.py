"""Curves: what share of the deposits lies in what share of the area."""

from __future__ import annotations

import numpy as np
import pandas as pd

from prospect.metrics.tally import Scores, tally


def prediction_rate(
    deposits: Scores,
    area: Scores,
    weight: Scores | None = None,
    area_weight: Scores | None = None,
) -> pd.DataFrame:
    """
    Prediction-rate curve: deposits that were held out, against area [1]_.

    Parameters
    ----------
    deposits : array of shape (n,)
        Scores at deposits that the model has not seen. A gap is a deposit missed.
    area : array of shape (m,)
        Scores of cells of the ground; gaps are not counted.
    weight, area_weight : array of shape (n,) and (m,), optional

    Returns
    -------
    DataFrame
        Columns threshold, area, prediction_rate: shares of the area and of the deposits
        scoring at least the threshold, from (0, 0) to (1, 1).

    References
    ----------
    .. [1] Chung and Fabbri (2003). Validation of spatial prediction models for landslide
       hazard mapping. Natural Hazards 30.
    """
    return _rates(deposits, area, weight, area_weight, "prediction_rate")


def success_rate(
    deposits: Scores,
    area: Scores,
    weight: Scores | None = None,
    area_weight: Scores | None = None,
) -> pd.DataFrame:
    """
    Success-rate curve: deposits that the model has learnt from, against area.

    It tells how well the model fits, never how well it predicts. Parameters as for
    :func:`prediction_rate`; columns threshold, area, success_rate.
    """
    return _rates(deposits, area, weight, area_weight, "success_rate")


def prediction_area(
    deposits: Scores,
    area: Scores,
    weight: Scores | None = None,
    area_weight: Scores | None = None,
) -> pd.DataFrame:
    """
    Prediction–area table [1]_: at each threshold, deposits found and ground taken.

    Parameters
    ----------
    deposits : array of shape (n,)
        Scores at deposits; a gap is a deposit missed.
    area : array of shape (m,)
        Scores of cells; gaps are not counted as area.
    weight, area_weight : array of shape (n,) and (m,), optional

    Returns
    -------
    DataFrame
        Columns threshold, prediction_rate, area, normalised_density (prediction rate over
        area), from the highest threshold down.

    References
    ----------
    .. [1] Yousefi and Carranza (2015). Prediction–area (P–A) plot and C–A fractal analysis
       to classify and evaluate evidential maps for mineral prospectivity modeling.
       Computers & Geosciences 79.
    """
    table = prediction_rate(deposits, area, weight, area_weight).iloc[1:]
    table = table[np.isfinite(table["threshold"])]
    with np.errstate(divide="ignore", invalid="ignore"):
        density = table["prediction_rate"] / table["area"]
    table = table.assign(normalised_density=density)
    columns = ["threshold", "prediction_rate", "area", "normalised_density"]
    return pd.DataFrame(table[columns].reset_index(drop=True))


def prediction_area_point(
    deposits: Scores,
    area: Scores,
    weight: Scores | None = None,
    area_weight: Scores | None = None,
) -> pd.Series:
    """
    Where the prediction rate and the area left over cross in a prediction–area plot.

    There the deposits found and the ground taken sum to 1: a map without skill crosses at
    one half, a good one finds 0.8 of the deposits in 0.2 of the area.

    Returns
    -------
    Series
        threshold, prediction_rate, area, normalised_density, weight (its natural
        logarithm). Between two thresholds the curves are joined by straight lines.
    """
    found = np.asarray(deposits, float)
    if not len(found) or not np.isfinite(np.asarray(area, float)).any():
        names = ("threshold", "prediction_rate", "area", "normalised_density", "weight")
        return pd.Series(np.nan, index=names)
    table = prediction_rate(found, area, weight, area_weight)
    rate, taken = table["prediction_rate"].to_numpy(), table["area"].to_numpy()
    threshold = table["threshold"].to_numpy().copy()
    threshold[0] = threshold[1]
    # The sum grows from 0 to 2, never down.
    part = float(np.interp(1.0, rate + taken, np.arange(rate.size)))
    low = int(part)
    high, share = min(low + 1, rate.size - 1), part - low
    at = {
        name: float(values[low] + share * (values[high] - values[low])) if share else values[low]
        for name, values in (("threshold", threshold), ("prediction_rate", rate), ("area", taken))
    }
    density = at["prediction_rate"] / at["area"] if at["area"] > 0 else np.inf
    logarithm = np.log(density) if density > 0 else -np.inf
    return pd.Series({**at, "normalised_density": density, "weight": logarithm})


def _rates(
    deposits: Scores,
    area: Scores,
    weight: Scores | None,
    area_weight: Scores | None,
    name: str,
) -> pd.DataFrame:
    counted = tally(deposits, area, weight, area_weight)
    columns = {"threshold": np.concatenate([[np.inf], counted.score])}
    if counted.empty:
        return pd.DataFrame({"threshold": [np.inf], "area": [0.0], name: [0.0]}).iloc[:0]
    columns["area"], columns[name] = counted.rates
    return pd.DataFrame(columns)
