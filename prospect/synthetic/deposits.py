"""Where the synthetic ground holds ore: intensity, realised deposits, and the known ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from shapely.ops import unary_union

from prospect.grid import Grid
from prospect.raster import burn
from prospect.synthetic import geology as rocks
from prospect.synthetic.fields import Field, distance_to, random_field
from prospect.synthetic.geology import Geology
from prospect.synthetic.worlds import World

EXPECTED = {"antimony": 55.0, "gold": 70.0, "coal": 26.0}
"""Expected number of deposits in the map."""

KNOWN = 0.45
"""Share of the deposits that someone has found."""


def latent_fields(grid: Grid, rng: Generator) -> dict[str, Field]:
    """What decides about ore but was never mapped: one field of 5 km for each commodity."""
    return {name: random_field(rng, grid.shape, grid.cell.dx, 5_000.0) for name in EXPECTED}


def scores(geology: Geology, world: World) -> dict[str, Field]:
    """The mapped drivers of ore, weighed and added: z for each commodity."""
    grid, cell = geology.grid, geology.grid.cell.dx
    thrust = distance_to(burn(geology.thrusts, grid, all_touched=True) > 0, cell)
    slips = burn(geology.strike_slip, grid, all_touched=True) > 0
    slip = distance_to(slips, cell)
    crossings = unary_union(geology.thrusts).intersection(unary_union(geology.strike_slip))
    node = distance_to(burn([crossings], grid, all_touched=True) > 0, cell)
    bedrock = geology.bedrock
    # A contact is near only where both of its rocks are.
    contact = np.maximum(
        distance_to(bedrock == rocks.CARBONATE, cell), distance_to(bedrock == rocks.SHALE, cell)
    )
    pluton = distance_to(bedrock == rocks.GRANITOID, cell)
    density = gaussian_filter(slips.astype(np.float64), world.stretch * 2_500.0 / cell)
    density /= density.max()
    jurassic = (bedrock == rocks.JURASSIC).astype(np.float64)
    far = world.stretch
    drivers = {
        "antimony": 2.2 * np.exp(-thrust / (far * 1500.0))
        + 2.0 * np.exp(-contact / (far * 800.0))
        + 1.4 * np.exp(-0.5 * (node / (far * 1500.0)) ** 2)
        + 0.5 * np.exp(-slip / (far * 2000.0))
        - 1.2 * (bedrock == rocks.GRANITOID),
        "gold": 1.9 * np.exp(-slip / (far * 1200.0))
        + 1.3 * density
        + 1.2 * np.exp(-(((pluton / far - 1500.0) / 2500.0) ** 2))
        + 0.9 * np.isin(bedrock, [rocks.SHALE, rocks.SCHIST]),
        "coal": 3.2 * jurassic
        + np.exp(-geology.basin_depth / (far * 600.0))
        - 0.6 * jurassic * np.exp(-thrust / (far * 700.0)),
    }
    return {name: world.sign * z for name, z in drivers.items()}


def blind_driver(grid: Grid, rng: Generator) -> Field:
    """What faults that no survey mapped add to z: 2.2 beside them, a third of it at 1.5 km."""
    lines = rocks.strike_slip_lines(grid, rng)
    near = distance_to(burn(lines, grid, all_touched=True) > 0, grid.cell.dx)
    return np.asarray(2.2 * np.exp(-near / 1500.0))


def exponent(z: Field, latent: Field) -> Field:
    """Logarithm of the intensity, but for a constant: 1.5 z + 0.8 L."""
    return 1.5 * z + 0.8 * latent


def intensity(z: Field, latent: Field, allowed: NDArray[np.bool_], expected: float) -> Field:
    """
    Expected deposits in each cell.

    exp(1.5 z + 0.8 L), 0 where ore is not ``allowed``, scaled to the ``expected`` number in
    all. Gaps of ``z`` stay gaps.
    """
    raw = np.where(allowed | np.isnan(z), np.exp(exponent(z, latent)), 0.0)
    total = np.nansum(raw)
    # A small map may hold no basin, and so no coal.
    return np.asarray(raw * (expected / total) if total > 0 else raw)


def realise(grid: Grid, rate: dict[str, Field], rng: Generator) -> pd.DataFrame:
    """Deposits drawn cell by cell from the intensity: ``x``, ``y`` and ``commodity``."""
    tables = []
    for commodity, field in rate.items():
        row, col = np.nonzero(counts := rng.poisson(np.nan_to_num(field)))
        many = counts[row, col]
        row, col = np.repeat(row, many), np.repeat(col, many)
        within = rng.uniform(-0.5, 0.5, (2, row.size))
        tables.append(
            pd.DataFrame(
                {
                    "x": grid.x[col] + within[0] * grid.cell.dx,
                    "y": grid.y[row] + within[1] * grid.cell.dy,
                    "commodity": commodity,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def discover(deposits: pd.DataFrame, access: Field, rng: Generator) -> NDArray[np.bool_]:
    """Which deposits are known: 45 % of each commodity, sooner where ``access`` is easy."""
    known = np.zeros(len(deposits), np.bool_)
    for commodity in EXPECTED:
        rows = np.flatnonzero(deposits["commodity"] == commodity)
        if rows.size == 0:
            continue
        chance = access[rows] / access[rows].sum()
        known[rng.choice(rows, round(KNOWN * rows.size), replace=False, p=chance)] = True
    return known


def report(known: pd.DataFrame, grid: Grid, rng: Generator) -> pd.DataFrame:
    """
    The occurrence table as it reaches a geologist, with its faults.

    Two satellites within 700 m of each deposit, so that most stay within 1 km of it when all
    positions are off by 100–300 m; one commodity in twenty wrong, three rows in a hundred
    entered twice.
    """
    main = known[["x", "y", "name", "commodity"]].copy()
    main["status"] = rng.choice(["deposit", "occurrence"], len(main), p=[0.7, 0.3])
    tables = [main]
    for number in (2, 3):
        satellite = main.copy()
        satellite[["x", "y"]] += _offsets(len(main), 200.0, 700.0, rng)
        satellite["name"] = main["name"] + f" {number}"
        satellite["status"] = rng.choice(["occurrence", "showing"], len(main), p=[0.25, 0.75])
        tables.append(satellite)
    table = pd.concat(tables, ignore_index=True)
    table[["x", "y"]] += _offsets(len(table), 100.0, 300.0, rng)
    names = list(EXPECTED)
    wrong = rng.random(len(table)) < 0.05
    shift = rng.integers(1, len(names), len(table))
    right = table["commodity"].map(names.index).to_numpy()
    table["commodity"] = np.array(names)[(right + wrong * shift) % len(names)]
    twice = table.sample(frac=0.03, random_state=rng)
    twice[["x", "y"]] += _offsets(len(twice), 20.0, 150.0, rng)
    table = pd.concat([table, twice], ignore_index=True)
    inside = grid.index(table["x"].to_numpy(), table["y"].to_numpy())[2]
    table = table[inside].round({"x": 0, "y": 0})
    return table[["x", "y", "name", "commodity", "status"]].reset_index(drop=True)


def _offsets(count: int, least: float, most: float, rng: Generator) -> Field:
    """Displacements (n, 2) in any direction, between two lengths in metres."""
    length, angle = rng.uniform(least, most, count), rng.uniform(0.0, 2 * np.pi, count)
    return np.column_stack([length * np.cos(angle), length * np.sin(angle)])
