"""
Gridding the Illinois boreholes beside SciPy and pykrige: seconds and held-out error.

    python benchmarks/gridding.py > benchmarks/results/gridding.md

Needs the real data beside the checkout, and pykrige (the extra ``bench``).
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS
from scipy.interpolate import RBFInterpolator, griddata

from prospect.gridding import Variogram, fit_variogram, leave_one_out
from prospect.point_layers import grid_around
from prospect.tables import numbers
from prospect.vector import located, read_points, to_crs

TABLE = Path(__file__).parents[2] / "shared/data/illinois_coal/coalstrat_major.xlsx"
COLUMNS = {"TOP_HERRIN": "top of the Herrin seam, ft", "THICK_HERRIN": "its thickness, ft"}
CELL, CRS_TO = 1000.0, "EPSG:26916"
HELD = 2_000
CELLS = 20_000
PLAIN = 3_000
NEIGHBOURS = 16
REPEATS = 2

Points = NDArray[np.float64]
Way = Callable[[Points, Points, Points], Points]


def main() -> None:
    table = read_points(TABLE)
    table = to_crs(table[located(table)], CRS(CRS_TO))
    grid = grid_around(TABLE, CELL, CRS_TO)
    x, y = (axis.ravel() for axis in np.meshgrid(grid.x, grid.y))
    cells = np.random.default_rng(2).permutation(np.column_stack([x, y]))[:CELLS]
    print(
        f"# Points to grids\n\nMade by `python benchmarks/gridding.py`: boreholes of Illinois, "
        f"{CELLS:,} cells drawn from {grid.rows} × {grid.cols} of 1 km. {HELD:,} boreholes are "
        "held out; error is their root mean square. Seconds are processor time, the least of "
        f"{REPEATS}, all in one run; {NEIGHBOURS} neighbours wherever a method takes any. SciPy "
        f"{version('scipy')}, pykrige {version('pykrige')}."
    )
    for column, words in COLUMNS.items():
        where, value = _distinct(table, column)
        held = np.random.default_rng(0).permutation(len(value)) < HELD
        known = where[~held], value[~held]
        gamma = fit_variogram(known[0][:, 0], known[0][:, 1], known[1])
        print(
            f"\n## {words}\n\n{len(value):,} places; standard deviation "
            f"{value.std():.3g}.\n\n| Method | Points | Seconds | Error |\n|---|---|---|---|"
        )
        for name, way, most in _runs(gamma):
            points, values = known[0][:most], known[1][:most]
            seconds = min(_seconds(way, points, values, cells) for _ in range(REPEATS))
            told = way(points, values, where[held])
            error = np.sqrt(np.nanmean((told - value[held]) ** 2))
            missed = f", {np.isnan(told).sum()} not told" if np.isnan(told).any() else ""
            print(f"| {name} | {len(values):,} | {seconds:.2f} | {error:.3g}{missed} |", flush=True)
        checked = leave_one_out(
            where[:, 0], where[:, 1], value, method="kriging", variogram=gamma, sample=HELD
        )
        error = np.sqrt(np.mean((checked[:, 0] - checked[:, 1]) ** 2))
        print(f"\nLeft out one at a time, kriging tells {HELD:,} places to {error:.3g}.")
    print(
        f"\npykrige is given our variogram and {PLAIN:,} points: it takes the distances of all "
        f"pairs before it begins, with neighbours as without, {8 * 42_000**2 / 2e9:.0f} GB of "
        "42,000 points."
    )


def _distinct(table: object, column: str) -> tuple[Points, Points]:
    """Places in random order, and the mean of the values of each."""
    value = numbers(table[column])
    known = np.isfinite(value)
    where = np.column_stack([table.geometry.x, table.geometry.y])[known]
    places, which = np.unique(where, axis=0, return_inverse=True)
    mean = np.bincount(which.ravel(), value[known]) / np.bincount(which.ravel())
    order = np.random.default_rng(1).permutation(len(places))
    return places[order], mean[order]


def _runs(gamma: Variogram) -> Iterator[tuple[str, Way, int | None]]:
    """Every method on as few points as pykrige can take, then those that can on all."""
    ways = {
        "ours, kriging": _ours("kriging", gamma),
        f"pykrige, `n_closest_points={NEIGHBOURS}`": _pykrige(gamma, NEIGHBOURS),
        "pykrige, plain": _pykrige(gamma, None),
        "ours, inverse distances": _ours("idw", None),
        "SciPy `griddata`, linear": lambda p, v, at: griddata(p, v, at),
        "SciPy `griddata`, nearest": lambda p, v, at: griddata(p, v, at, "nearest"),
        f"SciPy `RBFInterpolator`, {NEIGHBOURS} neighbours": lambda p, v, at: RBFInterpolator(
            p, v, neighbors=NEIGHBOURS
        )(at),
    }
    yield from ((name, way, PLAIN) for name, way in ways.items())
    yield from ((name, way, None) for name, way in ways.items() if "pykrige" not in name)


def _seconds(way: Way, points: Points, values: Points, cells: Points) -> float:
    start = time.process_time()
    way(points, values, cells)
    return time.process_time() - start


def _ours(method: str, gamma: Variogram | None) -> Way:
    from prospect.gridding import _Estimator

    def way(points: Points, value: Points, at: Points) -> Points:
        x, y = points.T
        # No radius: the others leave no gaps either.
        estimator = _Estimator.of(x, y, value, method, 1e9, NEIGHBOURS, 2.0, gamma)
        return estimator.at(at[:, 0], at[:, 1])[0]

    return way


def _pykrige(gamma: Variogram, neighbours: int | None) -> Way:
    from pykrige.ok import OrdinaryKriging

    def way(points: Points, value: Points, at: Points) -> Points:
        parameters = {"sill": gamma.sill, "range": gamma.range, "nugget": gamma.nugget}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kriging = OrdinaryKriging(
                *points.T, value, variogram_model="spherical", variogram_parameters=parameters
            )
            given = {"backend": "loop", "n_closest_points": neighbours} if neighbours else {}
            return np.asarray(kriging.execute("points", *at.T, **given)[0])

    return way


if __name__ == "__main__":
    main()
