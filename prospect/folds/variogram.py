"""How far neighbours resemble each other, and so how large blocks must be."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.spatial.distance import pdist

from prospect.clusters import TOGETHER, merge_within

SAMPLES = 2_000
"""Samples that pairs are made of: two million pairs."""

STRUCTURE = 0.10
"""Below this share of the sill, what is left to resemble is taken for noise: no range."""

SMALLEST, LARGEST = 10_000.0, 40_000.0
"""Sides of blocks, in metres (METHODS: folds): districts, not outcrops; and enough blocks."""

COMPONENTS = 3
"""Principal features that stand for all of them."""


def variogram(
    coordinates: NDArray[np.float64],
    values: NDArray[np.float64],
    *,
    longest: float | None = None,
    bins: int = 20,
    random_state: int = 0,
) -> pd.DataFrame:
    """
    Half the mean squared difference of pairs, by their distance (Matheron).

    Parameters
    ----------
    coordinates : array of shape (n, 2), metres
    values : array of shape (n,)
        Of any unit; gaps are left out. Beyond 2,000 samples, as many are drawn.
    longest : float, metres, optional
        The longest distance; by default half of the ground's diagonal.
    bins : int
    random_state : int

    Returns
    -------
    DataFrame
        Columns distance (mean of the bin's pairs), semivariance, pairs.
    """
    finite = np.flatnonzero(np.isfinite(values))
    if finite.size > SAMPLES:
        finite = np.random.default_rng(random_state).choice(finite, SAMPLES, replace=False)
    where, what = coordinates[finite], np.asarray(values, float)[finite]
    if longest is None:
        longest = float(np.hypot(*np.ptp(coordinates, axis=0))) / 2
    gap, squared = pdist(where), pdist(what[:, None], "sqeuclidean")
    edges = np.linspace(0, longest, bins + 1)
    which = np.digitize(gap, edges[1:])
    inside = which < bins
    count = np.bincount(which[inside], minlength=bins)
    table = {
        "distance": np.bincount(which[inside], weights=gap[inside], minlength=bins),
        "semivariance": np.bincount(which[inside], weights=squared[inside], minlength=bins) / 2,
    }
    made = pd.DataFrame({k: v / np.maximum(count, 1) for k, v in table.items()})
    return made.assign(pairs=count)[count > 0].reset_index(drop=True)


def variogram_range(table: pd.DataFrame) -> float:
    """
    Range of the spherical model that fits a variogram best.

    Every range from the first to the last distance is tried; nugget and sill follow by
    non-negative least squares, with the pairs over the squared distance as weights, since
    short distances count.

    Parameters
    ----------
    table : DataFrame
        From :func:`variogram`.

    Returns
    -------
    float, metres
        0 where less than a tenth of the sill is structure.
    """
    distance = table["distance"].to_numpy(float)
    height = table["semivariance"].to_numpy(float)
    if len(table) < 3:
        return 0.0
    weight = np.sqrt(table["pairs"].to_numpy(float)) / np.maximum(distance, 1.0)
    best, found = np.inf, 0.0
    for reach in np.geomspace(max(distance[0], 1.0), distance[-1], 200):
        share = np.minimum(distance / reach, 1.0)
        model = np.column_stack([np.ones_like(share), 1.5 * share - 0.5 * share**3])
        (nugget, sill), misfit = nnls(model * weight[:, None], height * weight)
        if misfit < best:
            best, found = misfit, float(reach) if sill > STRUCTURE * (nugget + sill) else 0.0
    return found


def residuals(
    features: NDArray[np.float32],
    positive: NDArray[np.bool_],
    fold: NDArray[np.int64],
) -> NDArray[np.float64]:
    """
    What a plain ridge logistic regression leaves unexplained, out of fold.

    Parameters
    ----------
    features : array of shape (n, k)
        Gaps are filled by the median.
    positive : array of shape (n,), bool
    fold : array of shape (n,), int

    Returns
    -------
    array of shape (n,)
        1 less the likelihood at deposits, the negative likelihood elsewhere, classes
        weighing the same; NaN where a fold leaves one class only.
    """
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    left = np.full(positive.size, np.nan)
    for k in np.unique(fold):
        held = fold == k
        if positive[~held].any() and not positive[~held].all():
            plain = make_pipeline(
                SimpleImputer(strategy="median", keep_empty_features=True),
                StandardScaler(),
                LogisticRegression(C=0.01, class_weight="balanced", max_iter=500),
            ).fit(features[~held], positive[~held])
            left[held] = positive[held] - plain.predict_proba(features[held])[:, 1]
    return left


def block_size(
    coordinates: NDArray[np.float64],
    values: NDArray[np.float64] | None,
    positive: NDArray[np.bool_],
    *,
    reach: float = 0.0,
    smallest: float = SMALLEST,
    largest: float = LARGEST,
) -> float:
    """
    Side of blocks: the range of a variogram, within bounds.

    Parameters
    ----------
    coordinates : array of shape (n, 2), metres
    values : array of shape (n,) or (n, k), or None
        Residuals; or features, of which the largest range of the first three principal
        ones is taken. None leaves the bounds alone.
    positive : array of shape (n,), bool
        Deposits: never less than twice the radius of their clusters (1 km chains).
    reach : float, metres
        Never less than twice the largest focal radius.
    smallest, largest : float, metres
        10 and 40 km; and at most a fifth of the ground's width, so that blocks are enough.
        Twice the cluster's radius and twice the reach go before the largest.

    Returns
    -------
    float, metres
        Rounded up to a kilometre.
    """
    found = 0.0
    if values is not None:
        columns = values[:, None] if values.ndim == 1 else principal(values)
        found = max(
            (variogram_range(variogram(coordinates, column)) for column in columns.T), default=0.0
        )
    width = float(np.sqrt(np.prod(np.ptp(coordinates, axis=0))))
    bounded = np.clip(found, smallest, max(smallest, min(largest, width / 5)))
    least = max(2 * cluster_radius(coordinates[positive]), 2 * reach)
    return float(np.ceil(max(bounded, least) / 1000.0)) * 1000.0


def cluster_radius(deposits: NDArray[np.float64], distance: float = TOGETHER) -> float:
    """Largest distance of a deposit from the centre of its cluster, in metres."""
    if len(deposits) < 2:
        return 0.0
    number = merge_within(deposits, distance)
    count = np.bincount(number)
    centres = np.column_stack([np.bincount(number, weights=axis) / count for axis in deposits.T])
    return float(np.hypot(*(deposits - centres[number]).T).max())


def principal(features: NDArray[np.float64], count: int = COMPONENTS) -> NDArray[np.float64]:
    """The first principal features, standardised, gaps filled by the median."""
    usable = features[:, np.isfinite(features).any(axis=0)]
    filled = np.where(np.isfinite(usable), usable, np.nanmedian(usable, axis=0))
    spread = filled.std(axis=0)
    scaled = ((filled - filled.mean(axis=0)) / np.where(spread > 0, spread, 1))[:, spread > 0]
    if not scaled.size:
        return np.empty((len(features), 0))
    _, axes = np.linalg.eigh(scaled.T @ scaled)
    return np.asarray(scaled @ axes[:, ::-1][:, :count])
