"""The ground of the synthetic region: a fold–thrust belt, its faults, plutons and basins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from shapely.geometry import LineString, Polygon
from shapely.ops import unary_union

from prospect.grid import Grid
from prospect.raster import burn
from prospect.synthetic.fields import Field, random_field, rough_line

STRIKE = -12.0
"""Strike of the belt in degrees, counter-clockwise from east."""

SHEET = 11_000.0
"""Distance in metres after which the thrust sheets repeat."""

JURASSIC_DEPTH = 520.0
"""Depth of a basin in metres beyond which younger beds cover its coal measures."""

CLASSES = {
    1: "black shale",
    2: "carbonate",
    3: "flysch",
    4: "schist",
    5: "granitoid",
    6: "jurassic coal-bearing",
    7: "neogene molasse",
}
SHALE, CARBONATE, FLYSCH, SCHIST, GRANITOID, JURASSIC, MOLASSE = CLASSES


@dataclass(frozen=True, eq=False)
class Geology:
    """Bedrock classes, basin depth in m and position in the belt, with faults and plutons."""

    grid: Grid
    bedrock: NDArray[np.int32]
    along: Field
    across: Field
    basin_depth: Field
    thrusts: list[LineString]
    strike_slip: list[LineString]


def make_geology(grid: Grid, streams: dict[str, Generator]) -> Geology:
    """Belt, plutons and basins, the younger over the older, and the faults that cut them."""
    along, across, bedrock = _belt(grid, streams["belt"])
    plutons = _plutons(grid, streams["plutons"])
    depth = _basin_depth(grid, streams["basins"])
    bedrock[burn(plutons, grid) > 0] = GRANITOID
    bedrock[depth > 0] = JURASSIC
    bedrock[depth > JURASSIC_DEPTH] = MOLASSE
    return Geology(
        grid=grid,
        bedrock=bedrock,
        along=along,
        across=across,
        basin_depth=depth,
        thrusts=_thrusts(grid, across, plutons),
        strike_slip=strike_slip_lines(grid, streams["faults"]),
    )


def strike_grain(
    geology: Geology, rng: Generator, scale: float, *, stretch: float, smoothness: float = 1.0
) -> Field:
    """Unit-variance field drawn out along the folded strike; ``scale`` across it, in metres."""
    cell = geology.grid.cell.dx
    rows, cols = (int(np.ceil(np.ptp(v) / cell)) + 2 for v in (geology.across, geology.along))
    straight = random_field(rng, (rows, cols), cell, scale, smoothness=smoothness, stretch=stretch)
    place = [(v - v.min()) / cell for v in (geology.across, geology.along)]
    return np.asarray(map_coordinates(straight, place, order=1))


def _belt(grid: Grid, rng: Generator) -> tuple[Field, Field, NDArray[np.int32]]:
    """Distances along and across the folded belt, and the class of its repeated sheets."""
    x, y = np.meshgrid(grid.x - grid.x.mean(), grid.y - grid.y.mean())
    angle = np.deg2rad(STRIKE)
    along = x * np.cos(angle) + y * np.sin(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    across += 3500.0 * random_field(rng, grid.shape, grid.cell.dx, 40_000.0)
    phase = np.mod(across / SHEET, 1.0)
    # Beds thicken and thin along strike; with one wobble for all contacts no bed vanishes.
    phase += (
        0.035
        * random_field(
            rng, grid.shape, grid.cell.dx, 9_000.0, smoothness=1.0, stretch=1.6, strike=STRIKE
        )
        * np.sin(np.pi * phase)
    )
    bedrock = 1 + np.digitize(phase, [0.30, 0.62, 0.85])
    return along, across, bedrock.astype(np.int32)


def _thrusts(grid: Grid, across: Field, plutons: list[Polygon]) -> list[LineString]:
    """Traces of the jumps from sheet to sheet, cut where a pluton intruded them later."""
    levels = SHEET * np.arange(np.ceil(across.min() / SHEET), np.ceil(across.max() / SHEET))
    columns = np.arange(0, grid.cols, max(round(500.0 / grid.cell.dx), 1))
    # North is up in y but down the rows, and interpolation wants ``across`` to rise.
    traces = np.array(
        [
            np.interp(levels, across[::-1, j], grid.y[::-1], left=np.nan, right=np.nan)
            for j in columns
        ]
    ).T
    intruded = unary_union(plutons)
    lines: list[LineString] = []
    for trace in traces:
        inside = np.isfinite(trace)
        for run in np.split(np.arange(columns.size), np.flatnonzero(np.diff(inside)) + 1):
            if inside[run[0]] and run.size > 1:
                vertices = np.column_stack([grid.x[columns[run]], trace[run]])
                lines.extend(parts(LineString(vertices).difference(intruded)))
    return lines


def strike_slip_lines(grid: Grid, rng: Generator) -> list[LineString]:
    """Thirty-four rough lines in three sets, a few of them long."""
    west, south, east, north = grid.bounds
    lines = []
    for _ in range(34):
        centre = rng.uniform(west, east), rng.uniform(south, north)
        azimuth = rng.choice([40.0, 70.0, 130.0], p=[0.5, 0.3, 0.2]) + rng.normal(0.0, 8.0)
        length = min(6_000.0 * (1.0 + rng.pareto(1.6)), 45_000.0)
        lines.append(LineString(rough_line(rng, centre, azimuth, length)))
    return lines


def _plutons(grid: Grid, rng: Generator) -> list[Polygon]:
    """Seven perturbed ellipses strung along the belt."""
    west, south, east, north = grid.bounds
    count = 7
    slope = np.tan(np.deg2rad(STRIKE))
    turn = np.linspace(0.0, 2 * np.pi, 120, endpoint=False)
    plutons = []
    for i in range(count):
        x = west + (east - west) * (i + rng.uniform(0.1, 0.9)) / count
        y = (south + north) / 2 + slope * (x - (west + east) / 2) + rng.normal(0.0, 9_000.0)
        radius = rng.uniform(2_500.0, 8_000.0)
        lobes = sum(
            rng.normal(0.0, 0.24 / k) * np.cos(k * turn + rng.uniform(0, 2 * np.pi))
            for k in range(2, 9)
        )
        reach = radius * (1.0 + lobes)
        u, v = reach * np.cos(turn), rng.uniform(0.5, 0.85) * reach * np.sin(turn)
        angle = np.deg2rad(STRIKE + rng.normal(0.0, 15.0))
        plutons.append(
            Polygon(
                np.column_stack(
                    [
                        x + u * np.cos(angle) - v * np.sin(angle),
                        y + u * np.sin(angle) + v * np.cos(angle),
                    ]
                )
            ).buffer(0)
        )
    return plutons


def _basin_depth(grid: Grid, rng: Generator) -> Field:
    """Depth in m of intermontane basins, drawn out along strike; 0 on bedrock."""
    field = random_field(
        rng, grid.shape, grid.cell.dx, 20_000.0, smoothness=2.0, stretch=1.8, strike=STRIKE
    )
    return np.asarray(np.maximum(field - 1.0, 0.0) * 1600.0)


def parts(geometry: object) -> list[LineString]:
    """The single lines of a line that an overlay may have cut to pieces, or to nothing."""
    pieces = getattr(geometry, "geoms", [geometry])
    return [piece for piece in pieces if isinstance(piece, LineString) and piece.length > 0]
