"""What samples would hold if only their rocks mattered: of sediments, and of soils and rocks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.stats import norm

from prospect.errors import LayerError

FEWEST_SAMPLES = 10
"""Samples of a rock below which it is levelled by the statistics of all."""

FEWEST_SHARES = 3.0
"""A rock that makes up less than so many whole catchments in sum has no background of its own."""

_FITS = 3
_MAD_TO_SIGMA = 1 / float(norm.ppf(0.75))

Values = NDArray[np.float64]


def background(concentration: Values, shares: Values) -> Values:
    """
    What a catchment's sediment would hold if only its rocks mattered.

    Sediment mixes its rocks by their shares, so that the background is the sum of each
    rock's concentration times its share [1]_. Concentrations of rocks are those that best
    explain the logarithms of all samples, with a loss that outliers move little.

    Parameters
    ----------
    concentration : array of shape (m,)
        Of the sediment; positive, NaN for gaps.
    shares : array of shape (m, k)
        Of each rock; rows add up to one, or are NaN. Rocks of less than three whole
        catchments in sum are taken together.

    Returns
    -------
    array of shape (m,)
        In the unit of the concentration. The median where shares are unknown.

    Raises
    ------
    LayerError
        If there are fewer than three samples a rock.

    References
    ----------
    .. [1] Bonham-Carter and Goodfellow (1986). Background corrections to stream
       geochemical data using digitized drainage and geological maps. Journal of
       Geochemical Exploration 25.
    """
    known = np.isfinite(concentration) & (concentration > 0)
    result = np.full(concentration.size, np.median(concentration[known]) if known.any() else np.nan)
    told = np.isfinite(shares).all(axis=1)
    rows = known & told
    common = shares[rows].sum(axis=0) >= FEWEST_SHARES
    mix = shares[:, common]
    if not common.all():
        mix = np.column_stack([mix, shares[:, ~common].sum(axis=1)])
    if rows.sum() < 3 * mix.shape[1]:
        raise LayerError(
            f"{int(rows.sum())} catchments with a value are too few for the background of "
            f"{mix.shape[1]} rocks: join rocks, or leave the lithology out."
        )
    logs, part = np.log(concentration[rows]), mix[rows]
    span = max(float(np.ptp(logs)), 1.0)
    level = np.full(mix.shape[1], float(np.median(logs)))
    for _ in range(_FITS):
        # Each fit tells the next one what is far from it.
        away = np.abs(np.log(part @ np.exp(level)) - logs)
        level = least_squares(
            lambda now: np.log(part @ np.exp(now)) - logs,
            level,
            jac=lambda now: part * np.exp(now) / (part @ np.exp(now))[:, None],
            loss="soft_l1",
            f_scale=max(_MAD_TO_SIGMA * float(np.median(away)), 1e-6),
            bounds=(logs.min() - span, logs.max() + span),
        ).x
    result[told] = mix[told] @ np.exp(level)
    return result


def levelled(
    concentration: Values, rock: NDArray[np.int64], *, fewest: int = FEWEST_SAMPLES
) -> tuple[Values, list[int]]:
    """
    Robust z of the logarithm of each sample among the samples of its own rock.

    Parameters
    ----------
    concentration : array of shape (n,)
        NaN for gaps; what is not positive is one too.
    rock : array of shape (n,), int
        Class of the ground sampled; a negative number where it is unmapped.
    fewest : int
        Samples of a rock below which the statistics of all samples are taken.

    Returns
    -------
    z : array of shape (n,)
        Median and median deviation of the logarithms are 0 and 1 in every rock. NaN
        on unmapped ground.
    rare : list of int
        Rocks that were taken with all.

    Raises
    ------
    LayerError
        If most values are one, so that there is no spread to measure in.
    """
    logs = np.full(concentration.size, np.nan)
    known = np.isfinite(concentration) & (concentration > 0) & (rock >= 0)
    logs[known] = np.log(concentration[known])
    result, rare = np.full(logs.size, np.nan), []
    everything = _centre_and_spread(logs[known])
    for code in np.unique(rock[known]).tolist():
        here = known & (rock == code)
        centre, spread = _centre_and_spread(logs[here])
        if here.sum() < fewest or spread == 0:
            rare.append(code)
            centre, spread = everything
        if spread == 0:
            raise LayerError(
                "More than half of the values are one and the same, so that they have no "
                "spread to be levelled in: grid them without levelling."
            )
        result[here] = (logs[here] - centre) / spread
    return result, rare


def _centre_and_spread(values: Values) -> tuple[float, float]:
    if not values.size:
        return np.nan, np.nan
    centre = float(np.median(values))
    return centre, _MAD_TO_SIGMA * float(np.median(np.abs(values - centre)))
