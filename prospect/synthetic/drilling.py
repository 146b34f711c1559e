"""Boreholes in the coal basins of the synthetic region: where coal is, and where it is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.random import Generator

from prospect.grid import Grid
from prospect.synthetic.fields import Field

HOLES = 90
"""Boreholes in the map, where its basins have room for them."""

WORKABLE = 1.0
"""Least thickness of coal in metres that counts as coal."""

DEEPEST = 900.0
"""Metres after which a hole was given up."""


def boreholes(
    grid: Grid, basin_depth: Field, elevation: Field, richness: Field, rng: Generator
) -> pd.DataFrame:
    """
    Drill the basins, mostly along their shallow margins.

    Thickness of coal follows the ``richness`` of the ground, the exponent of the intensity
    that deposits are drawn from, and never the deposits drawn.

    Parameters
    ----------
    grid : Grid
    basin_depth : array of shape (y, x), metres
        0 on bedrock, where nobody drills for coal.
    elevation : array of shape (y, x), metres
    richness : array of shape (y, x)
    rng : Generator

    Returns
    -------
    DataFrame
        ``hole``, ``x`` and ``y`` in m, ``collar_m`` (elevation of its mouth), ``depth_m``
        (drilled), ``basement_m`` (depth to the bottom of the basin, empty in holes that did
        not reach it), ``coal_m`` (thickness of all seams) and ``coal`` (1 from a metre on).
    """
    basin = np.flatnonzero(basin_depth > 0)
    count = min(HOLES, basin.size // 4)
    chance = np.exp(-basin_depth.flat[basin] / 500.0)
    # A small map may hold no basin, and so no holes.
    chance = chance / chance.sum() if count else chance
    place = np.sort(rng.choice(basin, count, replace=False, p=chance)) if count else basin[:0]
    row, col = np.divmod(place, grid.cols)
    within = rng.uniform(-0.5, 0.5, (2, count))
    bottom = basin_depth.flat[place] * rng.lognormal(0.0, 0.06, count) + 5.0
    reached = bottom < DEEPEST
    here = richness.flat[place]
    relative = (here - here.mean()) / here.std() if count > 1 else here
    coal = np.maximum(2.5 * (relative + rng.normal(0.2, 0.5, count)), 0.0).round(1)
    return pd.DataFrame(
        {
            "hole": [f"B{number:03d}" for number in range(1, count + 1)],
            "x": (grid.x[col] + within[0] * grid.cell.dx).round(),
            "y": (grid.y[row] + within[1] * grid.cell.dy).round(),
            "collar_m": elevation.flat[place].round(1),
            "depth_m": np.where(reached, bottom + 20.0, DEEPEST).round(1),
            "basement_m": np.where(reached, bottom, np.nan).round(1),
            "coal_m": coal,
            "coal": (coal >= WORKABLE).astype(int),
        }
    )
