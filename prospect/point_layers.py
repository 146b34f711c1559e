"""A table of points becomes layers of a grid: assays, thicknesses, elevations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from pyproj import CRS

from prospect.backgrounds import background
from prospect.catchments import LEAST_OWN, Catchments, Drainage, productivity
from prospect.coordinates import operation_between
from prospect.errors import LayerError
from prospect.grid import Grid, parse_crs, same_crs
from prospect.gridding import Variogram, fit_variogram, grid_points, leave_one_out
from prospect.point_columns import (
    DUPLICATES,
    Column,
    Points,
    Rocks,
    level_by_rock,
    one_a_place,
    read_column,
)
from prospect.progress import Progress, silent
from prospect.project import MEDIA, LayerSpec
from prospect.raster import align, read_info, write_geotiff
from prospect.vector import (
    VECTOR_SUFFIXES,
    VectorLayer,
    layer_classes,
    located,
    read_points,
    to_crs,
)

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
        The column, and with kriging its variance, ``<name>_variance`` of role
        ``variance.<name>``; of catchments also what is derived from them.
    points : int
        That it was made from.
    error, spread : float
        Root mean square error of points told from the others, and the points' standard
        deviation: without gain over a constant the first is no smaller. Catchments are
        not told from others: their error is NaN.
    variogram : Variogram or None
    notes : tuple of str
        What was decided on the way.
    medium : str
    """

    name: str
    unit: str
    layers: xr.Dataset
    points: int
    error: float
    spread: float
    variogram: Variogram | None
    notes: tuple[str, ...]
    medium: str = ""

    def describe(self) -> list[str]:
        """Lines for people: how many points, and how well they tell of one another."""
        unit = f" {self.unit}" if self.unit else ""
        line = f"{self.name}: {self.points} points; "
        if not math.isnan(self.error):
            line += f"told from the others to {self.error:.3g}{unit}, "
        lines = [f"{line}standard deviation {self.spread:.3g}{unit}"]
        if self.variogram is not None:
            v = self.variogram
            lines.append(
                f"  variogram: nugget {v.nugget:.3g}, sill {v.sill:.3g}, range {v.range:.0f} m"
            )
        return lines


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
    duplicates: str = "mean",
    medium: str | None = None,
    elevation: Path | str | None = None,
    lithology: Path | str | None = None,
    attribute: str | None = None,
    snap: float | None = None,
    progress: Progress = silent,
) -> list[PointLayer]:
    """
    Grid columns of a table of points.

    Parameters
    ----------
    path : path
        Table or vector file.
    columns : sequence of str
        A column that names an element is read as assays, in ppm; others as numbers. Assays
        that come in steps become ranks, and those mostly below detection become 1 for
        detected and 0 for not.
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
    duplicates : 'mean' or 'first'
        What is taken of several values at one place.
    medium : 'stream', 'soil' or 'rock', optional
        Of the samples. A stream sediment speaks for the ground upstream and not for the
        place where it was taken.
    elevation : path, optional
        For stream sediments: their values are laid over catchments, traced on the cells
        of ``grid``, and not gridded as points, which the notes would warn of.
    lithology : path, optional
        Classes, as a raster or polygons. Assays of soil and rock are also levelled by the
        rock they lie on; those of streams by the rocks of their catchments.
    attribute : str, optional
        That names the rock, of polygons.
    snap : float, metres, optional
        How far a stream sample may lie from the drainage; two cells by default.
    progress : callable

    Returns
    -------
    list of PointLayer

    Raises
    ------
    LayerError
        If a column is missing or holds no numbers, or options contradict one another.
    """
    grid.require_metres()
    if medium is not None and medium not in MEDIA:
        raise LayerError(f"The medium is one of {', '.join(MEDIA)}, not '{medium}'.")
    if duplicates not in DUPLICATES:
        raise LayerError(f"duplicates is one of {', '.join(DUPLICATES)}, not '{duplicates}'.")
    if elevation is not None and medium != "stream":
        raise LayerError(
            "Catchments are of stream sediments: say that the medium is stream, or leave the "
            "elevation out."
        )
    if lithology is not None and medium is None:
        raise LayerError(
            "Assays are levelled by their own ground or by their catchment's: say whether the "
            "medium is stream, soil or rock."
        )
    if lithology is not None and medium == "stream" and elevation is None:
        raise LayerError(
            "Stream sediments are levelled by the rocks of their catchments: give the elevation."
        )
    table, told = _points(path, crs, grid)
    x, y = table.geometry.x.to_numpy(float), table.geometry.y.to_numpy(float)
    rock = None if lithology is None else _rocks(lithology, attribute, grid)
    drainage = None if elevation is None else _drainage(elevation, grid, told)
    if medium == "stream" and drainage is None:
        told.append(
            "stream sediments were gridded as points, but each speaks for the ground upstream of "
            "it: give the elevation, and they are laid over their catchments"
        )
    options: dict[str, Any] = {"method": method, "radius": radius}
    found = []
    for name in columns:
        if name not in table.columns:
            listed = ", ".join(str(name) for name in table.columns[:20])
            raise LayerError(f"{path} has no column '{name}'; it has: {listed}.")
        column = read_column(table[name], unit, not_found, imputation)
        known = np.isfinite(column.value)
        if not known.any():
            raise LayerError(f"The column '{name}' of {path} holds no number.")
        if not known.all():
            column.notes.append(f"{int((~known).sum())} of {len(known)} points have no '{name}'")
        column.notes[:0] = told
        at = x[known], y[known], column.value[known]
        if drainage is not None:
            found.append(_over_catchments(column, at, drainage, rock, snap))
            continue
        at = one_a_place(column, at, duplicates)
        found.append(_gridded(column, at, grid, options, progress))
        if rock is not None and column.is_concentration:
            column, at = level_by_rock(column, at, rock, grid)
            found.append(_gridded(column, at, grid, options, progress))
    return [replace(layer, medium=medium or "") for layer in found]


def _points(path: Path | str, crs: str | None, grid: Grid) -> tuple[Any, list[str]]:
    """The table's points in the grid's coordinate system, and what is to be said of them."""
    table = read_points(path, crs=crs)
    told = list(table.attrs.get("notes", ()))
    if not same_crs(CRS(table.crs), grid.crs):
        told.append(f"points {operation_between(CRS(table.crs), grid.crs)}")
    placed = located(table)
    if not placed.all():
        told.append(f"{int((~placed).sum())} of {len(table)} rows have no coordinates")
    table = to_crs(table[placed].reset_index(drop=True), grid.crs)
    outside = int((~grid.index(table.geometry.x, table.geometry.y)[2]).sum())
    if outside:
        told.append(f"{outside} of {len(table)} points lie outside the grid")
    return table, told


def _gridded(
    column: Column, at: Points, grid: Grid, options: dict[str, Any], progress: Progress
) -> PointLayer:
    """
    A column interpolated between its points.

    A variogram's shape is fitted to its classes, which a trend across the map swells; its
    size is what makes the variance of points told from the others, on average, the square of
    their error. (Kitanidis 1991 scales alike.)
    """
    gamma = fit_variogram(*at) if options["method"] == "kriging" else None
    checked = leave_one_out(*at, sample=CHECKED, variogram=gamma, **options)
    square = (checked[:, 0] - checked[:, 1]) ** 2
    error = float(np.sqrt(square.mean())) if checked.size else math.nan
    if gamma is not None and checked.size and checked[:, 2].sum() > 0:
        gamma = gamma.scaled(float(square.sum() / checked[:, 2].sum()))
    layers = grid_points(
        *at,
        grid,
        name=column.name,
        unit=column.unit,
        progress=progress,
        variogram=gamma,
        **options,
    )
    layers[column.name].attrs["role"] = column.role
    if gamma is not None:
        layers[f"{column.name}_variance"].attrs["role"] = f"variance.{column.name}"
    if error >= at[2].std():
        column.notes.append(
            f"'{column.name}' is told from the points around no better than by its mean: between "
            "points the layer shows noise"
        )
    return PointLayer(
        column.name,
        column.unit,
        layers,
        at[2].size,
        error,
        float(at[2].std()),
        gamma,
        tuple(column.notes),
    )


def _over_catchments(
    column: Column,
    at: Points,
    drainage: Drainage,
    rock: Rocks | None,
    snap: float | None,
) -> PointLayer:
    """Values of stream sediments over the ground that each speaks for."""
    found = drainage.catchments(at[0], at[1], snap=snap)
    notes = [*column.notes, *_about(found)]
    on = found.place >= 0
    count = np.bincount(found.place[on], minlength=found.row.size)
    value = np.bincount(found.place[on], at[2][on], minlength=count.size) / count
    shared = int(on.sum()) - count.size
    if shared:
        notes.append(f"{shared} samples share a cell of the drainage with others: averaged")
    planes = {column.name: (value, column.unit, column.role)}
    if column.is_concentration:
        expected = np.full(value.size, float(np.median(value)))
        if rock is None:
            notes.append(
                f"the background of '{column.name}' is the median of all samples: give the "
                "lithology for that of each catchment's rocks"
            )
        else:
            codes, shares = found.shares(rock[0])
            expected = background(value, shares)
            told = 1 - np.var(np.log(value / expected)) / np.var(np.log(value))
            notes.append(
                f"{len(codes)} rocks of the catchments explain {told:.0%} of the variance of "
                f"log {column.name}"
            )
        planes[f"{column.name}_residual"] = (
            np.log(value / expected), "", f"levelled.{column.element}",
        )  # fmt: skip
        gain = productivity(found, value, expected)
        planes[f"{column.name}_productivity"] = (
            gain, "ppm km^2", f"productivity.{column.element}",
        )  # fmt: skip
        vain = int(np.isnan(gain).sum())
        if vain:
            notes.append(
                f"{vain} places have less than {LEAST_OWN:.0%} of the ground above them for their "
                "own: what it adds cannot be told there"
            )
    grid = drainage.grid
    layers = xr.Dataset(
        {
            name: (("y", "x"), found.spread(values), _attrs(unit, role))
            for name, (values, unit, role) in planes.items()
        },
        coords=grid.coordinates(),
    )
    return PointLayer(
        column.name,
        column.unit,
        layers,
        int(on.sum()),
        math.nan,
        float(at[2][on].std()),
        None,
        tuple(notes),
    )


def _attrs(unit: str, role: str) -> dict[str, str]:
    return {"role": role} | ({"units": unit} if unit else {})


def _about(found: Catchments) -> list[str]:
    """What a person should know of traced catchments."""
    km2 = found.area / 1e6
    nested = int((found.below >= 0).sum())
    notes = [
        f"the samples have {km2.size} catchments of {_short(km2.min())} to "
        f"{_short(km2.max())} km², half of them above {_short(np.median(km2))}; {nested} lie "
        "within another's"
    ]
    off = int((found.place < 0).sum())
    if off:
        notes.append(
            f"{off} of {found.place.size} samples lie too far from the drainage and "
            "are left out: give a longer --snap if their places are that uncertain"
        )
    cut = int(found.at_edge.sum())
    if cut:
        notes.append(
            f"{cut} catchments reach the edge of the elevation or a gap in it, where they may be "
            "cut off"
        )
    return notes


def _short(number: float) -> str:
    """Two digits, without powers of ten."""
    return np.format_float_positional(number, precision=2, fractional=False, trim="-")


def _rocks(path: Path | str, attribute: str | None, grid: Grid) -> Rocks:
    """The class of every cell, -1 where unmapped, and names of classes where they have any."""
    path = Path(path)
    if path.suffix.lower() not in VECTOR_SUFFIXES:
        return align(read_info(path), grid, categorical=True).read(grid.window), {}
    if attribute is None:
        raise LayerError(f"Say which attribute of {path} names the rock.")
    classes = layer_classes(path, attribute)
    layer = VectorLayer(path.absolute(), grid, attribute=attribute, classes=classes)
    return layer.read(grid.window), classes


def _drainage(path: Path | str, grid: Grid, told: list[str]) -> Drainage:
    """The drainage of an elevation brought onto the grid."""
    alignment = align(read_info(path), grid)
    if alignment.method != "same":
        told.append(
            f"the drainage was traced on cells of {max(grid.cell):g} m, onto which the elevation "
            f"was brought ({alignment.method}): a grid like the elevation's tells it best"
        )
    return Drainage.of(alignment.read(grid.window), grid)


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


def layer_specs(found: Sequence[PointLayer], folder: Path | str) -> list[LayerSpec]:
    """What a prospect.toml says of written layers; what has no row of its own gets sign 0."""
    specs = []
    for layer in found:
        for name, plane in layer.layers.data_vars.items():
            role = str(plane.attrs["role"])
            kept = role.startswith(("geochemistry.", "variance."))
            specs.append(
                LayerSpec(
                    str(name),
                    Path(folder) / f"{name}.tif",
                    role=role,
                    unit=str(plane.attrs.get("units", "")),
                    sign="" if kept else "0",
                    medium=layer.medium,
                )
            )
    return specs


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
