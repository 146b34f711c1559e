"""Figures of layers and maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from prospect.grid import LATTICE, Grid
from prospect.plots.figure import COLOURS, new_figure
from prospect.stack import features_of
from prospect.styles import COLOURS as SHARE_COLOURS
from prospect.styles import share_labels, thresholds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
    figure, axes = new_figure(*_size(scored, 7.6, 2.6, 1.1))
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
    figure, _ = new_figure(columns * wide, rows * high + 0.6)
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
