"""The best score that a synthetic world allows: of its truth, its map, and its assays."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import gamma, kv
from scipy.stats import norm

from prospect.synthetic import Region
from prospect.synthetic.surveys import BACKGROUND, CENSORED, HALO, OFFSETS

Array = NDArray[np.float64]

LOCAL, NOISE = 0.35, 0.6
"""Of the logarithm of an assay: a field of 10 km, and what a sample adds (generator)."""

PATHFINDERS = {"antimony": ("Sb", "Hg", "As"), "gold": ("Au", "As")}


def ceilings(region: Region, commodity: str, row: Array, col: Array) -> dict[str, Array]:
    """
    Scores of some cells by one who knows what no learner does.

    Returns
    -------
    dict
        ``oracle``, the expected deposits; ``geology``, the mapped drivers with their true
        weights; ``geology and geochemistry``, these and the mean of the latent field
        given all assays, by kriging with the covariances of the generator.
    """
    rate = region.truth.intensity[commodity].to_numpy().astype(float)[row, col]
    # Where ore cannot be at all is mapped: basins for two commodities, all else for coal.
    z = np.where(rate > 0, 1.5 * region.truth.score[commodity].to_numpy()[row, col], -np.inf)
    told = {"oracle": rate, "geology": z}
    mean = variance = np.zeros(row.size)
    if commodity in PATHFINDERS:
        where = np.column_stack([region.grid.x[col], region.grid.y[row]])
        mean, variance = latent_given_assays(region, commodity, where)
    # Of exp(0.8 L) the expectation given the assays.
    told["geology and geochemistry"] = z + 0.8 * mean + 0.32 * variance
    return told


def latent_given_assays(region: Region, commodity: str, where: Array) -> tuple[Array, Array]:
    """Mean and variance of the latent field at some points, given the drainage samples."""
    at = region.assays[["x", "y"]].to_numpy(float)
    row, col, _ = region.grid.index(at[:, 0], at[:, 1])
    unit = region.lithology.to_numpy()[row, col]
    own = 0 if commodity == "antimony" else 1
    total, gain, local, other, noise = np.zeros(len(at)), 0.0, 0.0, 0.0, 0.0
    for element in PATHFINDERS[commodity]:
        halo = HALO[element][own], HALO[element][1 - own]
        offsets = np.array([np.mean(OFFSETS[element]), *OFFSETS[element]])
        excess = _logarithms(region.assays, element) - np.log(BACKGROUND[element])
        excess = excess - offsets[np.maximum(unit, 0)]
        weight = halo[0] / (NOISE**2 + LOCAL**2 + halo[1] ** 2)
        total += weight * excess
        gain += weight * halo[0]
        local += (weight * LOCAL) ** 2
        other += (weight * halo[1]) ** 2
        noise += (weight * NOISE) ** 2
    measured = total / gain
    among = np.hypot(*(at[:, None] - at[None]).transpose(2, 0, 1))
    apart = np.hypot(*(where[:, None] - at[None]).transpose(2, 0, 1))
    covariance = _matern(among, 5_000.0) * (1 + other / gain**2)
    covariance += _matern(among, 10_000.0) * local / gain**2
    covariance[np.diag_indices(len(at))] += noise / gain**2
    solved = cho_factor(covariance)
    cross = _matern(apart, 5_000.0)
    mean = cross @ cho_solve(solved, measured - measured.mean())
    variance = 1.0 - np.einsum("ij,ji->i", cross, cho_solve(solved, cross.T))
    return mean, variance


def _logarithms(assays: pd.DataFrame, element: str) -> Array:
    """Logarithms of contents; below the limit, what a normal one has there in the mean."""
    text = assays[f"{element}_ppm"]
    low = text.str.startswith("<").to_numpy()
    values = np.log(pd.to_numeric(text.str.lstrip("<")).to_numpy(float))
    if low.any():
        share = CENSORED[element]
        edge = norm.ppf(share)
        # Of a normal variable with mean m and deviation s, m + s · edge is the limit.
        above = values[~low]
        mean_above = norm.pdf(edge) / (1 - share)
        deviation = (above.mean() - values[low][0]) / (mean_above - edge)
        values[low] = values[low][0] - deviation * (edge + norm.pdf(edge) / share)
    return values


def _matern(distance: Array, scale: float, smoothness: float = 2.0) -> Array:
    """Correlation of the generator's fields, from a table."""
    grid = np.linspace(1e-6, 1.0, 4000) ** 2 * 300_000.0
    argument = np.sqrt(8 * smoothness) / scale * grid
    with np.errstate(invalid="ignore"):
        table = 2 ** (1 - smoothness) / gamma(smoothness) * argument**smoothness
        table *= kv(smoothness, argument)
    return np.interp(distance, grid, np.nan_to_num(table), left=1.0)
