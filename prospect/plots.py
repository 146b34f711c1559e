"""Figures of layers, maps and validations; matplotlib is loaded when one is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from prospect.grid import LATTICE, Grid
from prospect.metrics.intervals import rows_of
from prospect.stack import features_of
from prospect.styles import COLOURS as SHARE_COLOURS
from prospect.styles import share_labels, thresholds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito (2008): told apart by the colour-blind.
BLUE, ORANGE, GREEN, RED, SKY, PINK, YELLOW, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#F0E442", "#7F7F7F",
)  # fmt: skip
COLOURS = (BLUE, ORANGE, GREEN, PINK, SKY, RED, GREY)
LINES = ("-", "--", "-.", ":")


def plot_rates(curves: Mapping[str, pd.DataFrame], title: str = "") -> Figure:
    """
    Success-rate and prediction-rate curves.

    Parameters
    ----------
    curves : mapping of label to DataFrame
        From :func:`prospect.metrics.prediction_rate` or ``success_rate``.
    title : str

    Returns
    -------
    Figure
    """
    figure, axes = _figure(6.4, 5.2)
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
    figure, axes = _figure(6.4, 5.2)
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
        axes.annotate(
            f"{rate:.0f} % of deposits in {area:.0f} % of area\n"
            f"density × {point['normalised_density']:.1f}",
            (point["threshold"], rate),
            xytext=(10, 0),
            textcoords="offset points",
            va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5},
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
    figure, axes = _figure(5.6, 6.0)
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
    figure, axes = _figure(7.0, float(np.clip(6.0 * np.ptp(y) / wide + 1.6, 3.5, 10.0)))
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
    figure, axes = _figure(7.2, 0.5 * len(table) + 1.6)
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


def plot_map(
    scored: xr.DataArray, deposits: NDArray[np.float64] | None = None, title: str = ""
) -> Figure:
    """
    A map of scores with deposits, coloured by share of the ground as in QGIS.

    Parameters
    ----------
    scored : DataArray of dims (y, x)
        Such as ``score(model, stack)["likelihood"]``. NaN is left white.
    deposits : array of shape (n, 2), metres, optional
        In the coordinate system of the map.
    title : str

    Returns
    -------
    Figure
    """
    from matplotlib.colors import BoundaryNorm, ListedColormap

    values, extent = _thinned(scored, MAP_CELLS)
    limits = thresholds(values)
    figure, axes = _figure(*_size(scored, 7.6, 2.6, 1.1))
    codes = np.searchsorted(limits, values, side="left").astype(float)
    codes[np.isnan(values)] = np.nan
    norm = BoundaryNorm(np.arange(len(SHARE_COLOURS) + 1) - 0.5, len(SHARE_COLOURS))
    shown = axes.imshow(
        codes, cmap=ListedColormap(SHARE_COLOURS), norm=norm, extent=extent,
        interpolation="none",
    )  # fmt: skip
    bar = figure.colorbar(shown, ax=axes, ticks=range(len(SHARE_COLOURS)), shrink=0.8)
    bar.ax.set_yticklabels(share_labels())
    bar.ax.tick_params(length=0)
    if deposits is not None and len(deposits):
        x, y = np.asarray(deposits, float).T / 1000
        axes.plot(
            x, y, "o", color="white", markeredgecolor="black", markersize=5,
            label="known deposits",
        )  # fmt: skip
        figure.legend(loc="outside lower center", frameon=False)
    axes.set(xlabel="Easting (km)", ylabel="Northing (km)", title=title)
    axes.ticklabel_format(useOffset=False, style="plain")
    return figure


def plot_stack(stack: xr.Dataset, title: str = "", columns: int = 4) -> Figure:
    """
    All layers of a stack side by side, small.

    Parameters
    ----------
    stack : Dataset of dims (y, x)
        From :func:`prospect.open_stack`. Large ones are thinned.
    title : str
    columns : int

    Returns
    -------
    Figure
        Numbers from their 2nd to their 98th percentile with a bar in the layer's unit;
        classes in colours that may come again; lines and polygons in black. Gaps are grey.
    """
    count = max(1, len(stack.data_vars))
    columns = min(columns, count)
    rows = -(-count // columns)
    wide, high = _size(stack, 3.1, 0.9, 0.45)
    figure, _ = _figure(columns * wide, rows * high + 0.6)
    figure.clear()
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes in panels[count:]:
        axes.set_axis_off()
    for axes, (name, layer) in zip(panels, stack.data_vars.items(), strict=False):
        _draw_layer(figure, axes, layer)
        axes.set_title(str(name), fontsize=9)
        axes.set_facecolor("#d9d9d9")
        axes.tick_params(labelsize=7)
        axes.locator_params(nbins=4)
        axes.ticklabel_format(useOffset=False, style="plain")
    figure.supxlabel("Easting (km)", fontsize=9)
    figure.supylabel("Northing (km)", fontsize=9)
    figure.suptitle(title)
    return figure


MAP_CELLS, PANEL_CELLS = 1_600, 400
"""Cells along the longer side of what is drawn, at most."""


def _draw_layer(figure: Figure, axes: Axes, layer: xr.DataArray) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.colors import ListedColormap

    if layer.attrs.get("kind") == "geometry" and "features" in layer.attrs:
        # Lines a cell wide would be thinned away; those of the file are not.
        lines = _lines(layer)
        axes.set_facecolor("white")
        axes.add_collection(LineCollection(lines, colors="black", linewidths=0.6))
        points = [line for line in lines if len(line) == 1]
        if points:
            axes.plot(*np.concatenate(points).T, ".", color="black", markersize=2)
        west, south, east, north = (v / 1000 for v in Grid.of(layer).bounds)
        axes.set(xlim=(west, east), ylim=(south, north), aspect="equal")
        return
    values, extent = _thinned(layer, PANEL_CELLS)
    how: dict[str, Any] = {"extent": extent, "interpolation": "none"}
    if layer.dtype.kind in "iu":
        shown = np.where(values < 0, np.nan, values % len(COLOURS))
        axes.imshow(shown, cmap=ListedColormap(COLOURS), vmin=0, vmax=len(COLOURS) - 1, **how)
        return
    known = values[values == values]
    low, high = np.quantile(known, (0.02, 0.98)) if known.size else (0.0, 1.0)
    image = axes.imshow(values, cmap="viridis", vmin=low, vmax=high, **how)
    bar = figure.colorbar(image, ax=axes, shrink=0.7, pad=0.02)
    bar.ax.tick_params(labelsize=6)
    bar.set_label(str(layer.attrs.get("units", "")), fontsize=7)


def _lines(layer: xr.DataArray) -> list[NDArray[np.float64]]:
    """Lines, points and rims of polygons of a layer's features, in kilometres."""
    import shapely

    shapes = features_of(layer).features(Grid.of(layer).bounds).geometry.to_numpy()
    parts = shapely.get_parts([shape for shape in shapes if shape is not None])
    areal = shapely.get_type_id(parts) == shapely.GeometryType.POLYGON
    rims = shapely.get_parts(shapely.boundary(parts[areal]))
    return [shapely.get_coordinates(line) / 1000 for line in (*parts[~areal], *rims)]


def _thinned(
    layer: xr.DataArray, most: int
) -> tuple[NDArray[np.float32], tuple[float, float, float, float]]:
    """Cells in regular steps, read strip by strip, and their extent in kilometres."""
    step = max(1, -(-max(layer.sizes["y"], layer.sizes["x"]) // most))
    high = step * max(1, LATTICE // step)
    strips = [
        layer.isel(y=slice(row, row + high, step), x=slice(None, None, step)).to_numpy()
        for row in range(0, layer.sizes["y"], high)
    ]
    values = np.concatenate(strips)
    grid = Grid.of(layer)
    west, _, _, north = grid.bounds
    east = west + values.shape[1] * step * grid.transform.a
    south = north + values.shape[0] * step * grid.transform.e
    return values.astype(np.float32), (west / 1000, east / 1000, south / 1000, north / 1000)


def _size(
    layer: xr.DataArray | xr.Dataset, width: float, beside: float, above: float
) -> tuple[float, float]:
    """Inches of a figure whose map has the proportions of the ground."""
    west, south, east, north = Grid.of(layer).bounds
    high = (width - beside) * (north - south) / (east - west) + above
    return width, float(np.clip(high, 1.5, 11))


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of its own, which no window or global state holds."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", dpi=120)
    FigureCanvasAgg(figure)
    axes: Any = figure.subplots()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes
