"""Figures of a validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prospect.metrics.intervals import rows_of
from prospect.plots.figure import BLUE, COLOURS, GREY, LINES, RED, SKY, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_rates(
    curves: Mapping[str, pd.DataFrame],
    title: str = "",
    measures: pd.DataFrame | None = None,
) -> Figure:
    """
    Success-rate and prediction-rate curves.

    Parameters
    ----------
    curves : mapping of label to DataFrame
        From :func:`prospect.metrics.prediction_rate` or ``success_rate``.
    title : str
    measures : DataFrame, optional
        Columns measure, low and high, of the first curve: the intervals of its
        ``capture_5%`` and so on are drawn.

    Returns
    -------
    Figure
    """
    figure, axes = new_figure(6.4, 5.2)
    for k, (label, table) in enumerate(curves.items()):
        rate = "success_rate" if "success_rate" in table else "prediction_rate"
        axes.plot(
            100 * table["area"],
            100 * table[rate],
            color=COLOURS[k % len(COLOURS)],
            linestyle=LINES[k % len(LINES)],
            linewidth=1.8,
            label=label,
        )
    _intervals(axes, measures)
    axes.plot([0, 100], [0, 100], color=GREY, linewidth=0.8, label="chance")
    axes.set(
        xlabel="Area, highest scores first (%)",
        ylabel="Deposits found (%)",
        xlim=(0, 100),
        ylim=(0, 100),
        title=title,
    )
    axes.legend(loc="lower right", frameon=False)
    return figure


def _intervals(axes: Any, measures: pd.DataFrame | None) -> None:
    """Bars of 90 % at the areas whose capture was measured."""
    told = [] if measures is None else rows_of(measures.set_index("measure"))
    found = [
        (float(name.removeprefix("capture_").removesuffix("%")), row["low"], row["high"])
        for name, row in told
        if name.startswith("capture_")
    ]
    if found:
        area, low, high = np.array(found, float).T
        axes.vlines(
            area, 100 * low, 100 * high, color=BLUE, linewidth=4, alpha=0.35, label="interval, 90 %"
        )


def plot_prediction_area(
    table: pd.DataFrame, point: pd.Series | None = None, title: str = ""
) -> Figure:
    """
    Prediction–area plot: deposits found and area taken, by threshold; they cross once.

    Parameters
    ----------
    table : DataFrame
        From :func:`prospect.metrics.prediction_area`.
    point : Series, optional
        From :func:`prospect.metrics.prediction_area_point`.
    title : str

    Returns
    -------
    Figure
    """
    figure, axes = new_figure(6.4, 5.2)
    axes.step(
        table["threshold"],
        100 * table["prediction_rate"],
        where="pre",
        color=BLUE,
        label="Deposits found",
    )
    axes.set(
        xlabel="Threshold of the score",
        ylabel="Deposits scoring at least the threshold (%)",
        ylim=(0, 100),
        title=title,
    )
    other = axes.twinx()
    other.step(
        table["threshold"],
        100 * table["area"],
        where="pre",
        color=RED,
        linestyle="--",
        label="Area taken",
    )
    other.set(ylabel="Area scoring at least the threshold (%, downward)", ylim=(100, 0))
    other.spines["top"].set_visible(False)
    axes.yaxis.label.set_color(BLUE)
    other.yaxis.label.set_color(RED)
    if point is not None and np.isfinite(point["threshold"]):
        rate, area = 100 * point["prediction_rate"], 100 * point["area"]
        axes.plot(point["threshold"], rate, "o", color="black", markersize=5)
        # On the axes that lie on top, so that no curve runs through it.
        other.annotate(
            f"{rate:.0f} % of deposits in {area:.0f} % of area\n"
            f"density × {point['normalised_density']:.1f}",
            (point["threshold"], rate),
            xycoords=axes.transData,
            xytext=(10, 0),
            textcoords="offset points",
            va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.9, "pad": 1.5},
        )
    return figure


def plot_reliability(table: pd.DataFrame, title: str = "") -> Figure:
    """
    Reliability: what the score says and what is found, and how much ground says it.

    Parameters
    ----------
    table : DataFrame
        From :func:`prospect.metrics.reliability`.
    title : str

    Returns
    -------
    Figure
    """
    figure, axes = new_figure(5.6, 6.0)
    held = table[table["share"] > 0]
    axes.bar(
        table["low"],
        table["share"],
        width=table["high"] - table["low"],
        align="edge",
        color=SKY,
        alpha=0.35,
        label="Share of samples",
    )
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, label="perfect")
    axes.plot(held["score"], held["observed"], "o-", color=BLUE, label="observed")
    axes.set(
        xlabel="Score (mean of the bin)",
        ylabel="Share of deposits, at even odds",
        xlim=(0, 1),
        ylim=(0, 1),
        aspect="equal",
        title=title,
    )
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


def plot_folds(
    coordinates: NDArray[np.float64],
    positive: NDArray[np.bool_],
    fold: NDArray[np.int64],
    title: str = "",
) -> Figure:
    """
    Folds on the map.

    Parameters
    ----------
    coordinates : array of shape (n, 2), metres
    positive : array of shape (n,), bool
        Deposits.
    fold : array of shape (n,), int
        -1 where a sample is never held out; these are left out of the map.
    title : str

    Returns
    -------
    Figure
        Ground in the colour of the fold it is held out in, deposits with the fold's number
        where there are few folds.
    """
    x, y = coordinates.T / 1000.0
    wide = float(np.ptp(x)) or 1.0
    figure, axes = new_figure(7.0, float(np.clip(6.0 * np.ptp(y) / wide + 1.6, 3.5, 10.0)))
    numbers = np.unique(fold[fold >= 0])
    for k in numbers:
        here = (fold == k) & ~positive
        colour = COLOURS[int(k) % len(COLOURS)]
        axes.scatter(x[here], y[here], s=3, color=colour, alpha=0.5, linewidths=0)
        found = (fold == k) & positive
        if numbers.size > 12:
            axes.plot(x[found], y[found], "o", color=colour, markeredgecolor="black", markersize=5)
            continue
        label = f"fold {int(k) + 1}: {int(found.sum())} deposit cells"
        axes.scatter([], [], s=30, color=colour, label=label)
        axes.scatter(
            x[found], y[found], s=70, color="white", edgecolor="black", linewidths=0.8, zorder=3
        )
        for east, north in zip(x[found], y[found], strict=True):
            axes.text(east, north, str(int(k) + 1), ha="center", va="center", fontsize=7, zorder=4)
    axes.set(xlabel="Easting (km)", ylabel="Northing (km)", aspect="equal", title=title)
    axes.ticklabel_format(useOffset=False, style="plain")
    if numbers.size <= 12:
        figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


def plot_comparison(table: pd.DataFrame, value: float, title: str = "") -> Figure:
    """
    The model less each baseline, with intervals.

    Parameters
    ----------
    table : DataFrame
        From :func:`prospect.metrics.differences`.
    value : float
        The model's own measure.
    title : str

    Returns
    -------
    Figure
    """
    figure, axes = new_figure(7.2, 0.5 * len(table) + 1.6)
    place = np.arange(len(table))[::-1]
    middle = table["difference"].to_numpy(float)
    low, high = table["low"].to_numpy(float), table["high"].to_numpy(float)
    axes.hlines(place, low, high, color=BLUE, linewidth=2.5)
    axes.plot(middle, place, "o", color=BLUE)
    axes.axvline(0, color=GREY, linewidth=0.8)
    labels = [f"{name} ({row['value']:.2f})" for name, row in rows_of(table)]
    axes.set_yticks(place, labels)
    axes.set(
        xlabel=f"AUC gained over the baseline (model {value:.2f}; 90 %)",
        ylim=(-0.6, len(table) - 0.4),
        title=title,
    )
    return figure
