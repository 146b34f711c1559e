"""Figures of an explanation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from prospect.metrics.intervals import rows_of
from prospect.plots.figure import BLUE, GREY, RED, SKY, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_importance(table: pd.DataFrame, title: str = "") -> Figure:
    """
    What is lost on held-out ground without each group of evidence, with intervals.

    Parameters
    ----------
    table : DataFrame
        From :func:`prospect.explanation.permutation_importance`.
    title : str

    Returns
    -------
    Figure
    """
    figure, axes = new_figure(7.2, 0.32 * len(table) + 1.5)
    place = np.arange(len(table))[::-1]
    loss = table["auc_loss"].to_numpy(float)
    axes.barh(place, loss, height=0.65, color=SKY)
    axes.hlines(place, table["auc_low"], table["auc_high"], color=BLUE, linewidth=2, label="90 %")
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_yticks(place, [str(name) for name in table.index])
    axes.set(
        xlabel="AUC lost where the evidence is dealt out anew (lines: 90 %)",
        ylim=(-0.6, len(table) - 0.4),
        title=title,
    )
    return figure


def plot_dependence(curves: pd.DataFrame, trends: pd.DataFrame, title: str = "") -> Figure:
    """
    How the mean likelihood of the area goes with some features, a panel each.

    Parameters
    ----------
    curves, trends : DataFrame
        From :func:`prospect.explanation.partial_dependence`; features that stand in
        ``trends`` are drawn, in that order.
    title : str

    Returns
    -------
    Figure
        Panels share their axis of likelihood. A curve is red where it contradicts the sign
        of the recipe. Ticks below are the steps, each of as much ground as the next.
    """
    wide = min(3, max(1, len(trends)))
    high = -(-max(1, len(trends)) // wide)
    figure, grid = _panels(high, wide)
    for axes, (name, row) in zip(grid, rows_of(trends), strict=False):
        curve = curves[curves["feature"] == name]
        against = str(row["verdict"]).startswith("contradicts")
        axes.plot(curve["value"], curve["likelihood"], color=RED if against else BLUE, lw=1.8)
        axes.plot(curve["value"], np.zeros(len(curve)), "|", color=GREY, markersize=7,
                  transform=axes.get_xaxis_transform(), clip_on=False)  # fmt: skip
        unit = "" if row["unit"] in ("", "1") else f" ({row['unit']})"
        axes.set_xlabel(f"{name}{unit}")
        axes.set_title(str(row["verdict"]), fontsize=8, color=RED if against else "black")
    for axes in grid[len(trends) :]:
        axes.set_visible(False)
    for axes in grid[::wide]:
        axes.set_ylabel("Mean likelihood")
    figure.suptitle(title)
    return figure


def _panels(high: int, wide: int) -> tuple[Figure, list[Axes]]:
    """A figure of panels that share the vertical axis, row by row."""
    figure, axes = new_figure(3.4 * wide, 2.7 * high + 0.4)
    axes.remove()
    grid = figure.subplots(high, wide, sharey=True, squeeze=False).ravel()
    for each in grid:
        each.spines["top"].set_visible(False)
        each.spines["right"].set_visible(False)
    return figure, list(grid)
