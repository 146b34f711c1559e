"""A table of points becomes layers of a grid: assays, thicknesses, elevations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS

from prospect.coordinates import operation_between
from prospect.errors import LayerError
from prospect.grid import Grid, parse_crs, same_crs
from prospect.gridding import Variogram, fit_variogram, grid_points, leave_one_out
from prospect.progress import Progress, silent
from prospect.raster import write_geotiff
from prospect.tables import element_of, numbers
from prospect.tables.assays import impute, read_assays
from prospect.vector import located, read_points, to_crs

MEDIA = ("stream", "soil", "rock")

CHECKED = 2_000
"""Points that the error is measured on, each from the others."""


@dataclass(frozen=True)
class PointLayer:
    """
    One gridded column, and how far it can be trusted.

    Attributes
    ----------
    name, unit : str
    layers : Dataset of dims (y, x)
        The column, and with kriging its variance.
    points : int
        That it was made from.
    error, spread : float
        Root mean square error of points told from the others, and the points' standard
        deviation: without gain over a constant the first is no smaller.
    variogram : Variogram or None
    notes : tuple of str
        What was decided on the way.
    """

    name: str
    unit: str
    layers: xr.Dataset
    points: int
    error: float
    spread: float
    variogram: Variogram | None
    notes: tuple[str, ...]


def grid_table(
    path: Path | str,
    columns: Sequence[str],
    grid: Grid,
    *,
    crs: str | None = None,
    method: str = "idw",
    radius: float | None = None,
    unit: str | None = None,
    not_found: str = "gap",
    imputation: str = "ros",
    medium: str | None = None,
    progress: Progress = silent,
) -> list[PointLayer]:
    """
    Grid columns of a table of points.

    Parameters
    ----------
    path : path
        Table or vector file.
    columns : sequence of str
        A column that names an element is read as assays, in ppm; others as numbers.
    grid : Grid
        In metres.
    crs : str, optional
        Of a table in metres.
    method : 'idw' or 'kriging'
    radius : float, metres, optional
        Cells with no point this near are gaps.
    unit : str, optional
        Of assays whose header gives none.
    not_found : 'gap' or 'below'
        What ``н/о`` means.
    imputation : 'ros', 'half' or 'none'
        For values below detection.
    medium : 'stream', 'soil' or 'rock', optional
        Of the samples. A stream sediment speaks for the ground upstream and not for the
        place where it was taken, which the notes warn of.
    progress : callable

    Returns
    -------
    list of PointLayer

    Raises
    ------
    LayerError
        If a column is missing or holds no numbers.
    """
    grid.require_metres()
    if medium is not None and medium not in MEDIA:
        raise LayerError(f"The medium is one of {', '.join(MEDIA)}, not '{medium}'.")
    table = read_points(path, crs=crs)
    told = list(table.attrs.get("notes", ()))
    if not same_crs(CRS(table.crs), grid.crs):
        told.append(f"points {operation_between(CRS(table.crs), grid.crs)}")
    placed = located(table)
    if not placed.all():
        told.append(f"{int((~placed).sum())} of {len(table)} rows have no coordinates")
    table = to_crs(table[placed].reset_index(drop=True), grid.crs)
    if medium == "stream":
        told.append(
            "stream sediments were gridded as points: each speaks for the ground upstream of it"
        )
    x, y = table.geometry.x.to_numpy(float), table.geometry.y.to_numpy(float)
    found = []
    for column in columns:
        if column not in table.columns:
            listed = ", ".join(str(name) for name in table.columns[:20])
            raise LayerError(f"{path} has no column '{column}'; it has: {listed}.")
        name, value, its_unit, notes = _values(table[column], unit, not_found, imputation)
        known = np.isfinite(value)
        if not known.any():
            raise LayerError(f"The column '{column}' of {path} holds no number.")
        if not known.all():
            notes.append(f"{int((~known).sum())} of {len(value)} points have no value")
        gamma = fit_variogram(x, y, value) if method == "kriging" else None
        options: dict[str, Any] = {"method": method, "radius": radius, "variogram": gamma}
        layers = grid_points(
            x, y, value, grid, name=name, unit=its_unit, progress=progress, **options
        )
        checked = leave_one_out(x, y, value, sample=CHECKED, **options)
        error = float(np.sqrt(np.mean((checked[:, 0] - checked[:, 1]) ** 2)))
        found.append(
            PointLayer(
                name,
                its_unit,
                layers,
                int(known.sum()),
                error if checked.size else math.nan,
                float(value[known].std()),
                gamma,
                (*told, *notes),
            )
        )
    return found


def write_layers(found: Sequence[PointLayer], grid: Grid, folder: Path | str) -> list[Path]:
    """
    Write gridded columns, one GeoTIFF each, and their variances.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for layer in found:
        for name, plane in layer.layers.data_vars.items():
            path = folder / f"{name}.tif"
            write_geotiff(
                path,
                plane.to_numpy(),
                grid,
                nodata=math.nan,
                description=str(name),
                unit=str(plane.attrs.get("units", "")),
            )
            paths.append(path)
    return paths


def grid_around(path: Path | str, cell: float, to: str, *, crs: str | None = None) -> Grid:
    """
    A grid of square cells around a table's points, its corner at whole cells.

    Raises
    ------
    LayerError
        If there is no point.
    """
    system = parse_crs(to)
    table = to_crs(read_points(path, crs=crs), system)
    table = table[located(table)]
    if not len(table):
        raise LayerError(f"{path} holds no point with coordinates.")
    west, south, east, north = table.total_bounds
    west, north = math.floor(west / cell) * cell, math.ceil(north / cell) * cell
    shape = (math.ceil((north - south) / cell) + 1, math.ceil((east - west) / cell) + 1)
    return Grid(system, Affine(cell, 0, west, 0, -cell, north), shape)


def _values(
    column: Any, unit: str | None, not_found: str, imputation: str
) -> tuple[str, NDArray[np.float64], str, list[str]]:
    """A column's layer name, values, unit, and what was decided about it."""
    element = element_of(str(column.name))
    if element is None:
        return _plain_name(str(column.name)), numbers(column), unit or "", []
    if not element.unit and unit is None:
        raise LayerError(
            f"The column '{column.name}' does not say its unit: give it, for example ppm or г/т."
        )
    assays = read_assays(
        column.astype(str), unit=element.unit or unit or "ppm", not_found=not_found
    )
    return element.element, impute(assays, imputation), "ppm", list(assays.notes)


def _plain_name(name: str) -> str:
    return "_".join("".join(c if c.isalnum() else " " for c in name).split()) or "value"
