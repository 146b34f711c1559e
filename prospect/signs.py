"""Whether known deposits contradict the signs of the evidence, whatever learner is trained."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

Array = NDArray[np.float64]

LEVEL = 0.05
"""Chance that signs which are all right are called contradicted, any of them."""

INTERVAL = 0.90

DRAWS = 10_000

FEWEST = 8
"""Deposits with a value that a feature must have to be judged."""


def directions(
    features: NDArray[np.floating],
    kind: NDArray[np.int64],
    group: NDArray[np.int64],
    cluster: NDArray[np.int64],
    names: Sequence[str],
    signs: Sequence[str],
) -> pd.DataFrame:
    """
    Which way deposits go with each signed feature, alone, and which signs they contradict.

    A feature by itself is fitted to nothing, so no deposit need be held out. Its AUC between
    deposits and all ground has the standard error of its influence, summed over blocks of
    ground as deposits of one block stand or fall together [1]_; Student's t of the blocks
    with deposits says how likely it would be so low (for ``+``; so high for ``-``) if the sign
    were right. That is corrected for all signed features together, by the largest of them
    stepped down [2]_, which takes features that say nearly the same for nearly one.

    Parameters
    ----------
    features : array of shape (n, k)
        NaN is a gap: it takes no part.
    kind : array of shape (n,), int
        1 deposit, -1 cell of the ground as a whole; others take no part.
    group : array of shape (n,), int
        Deposit of a cell: all cells of one together weigh 1.
    cluster : array of shape (n,), int
        Block of ground.
    names, signs : sequence of str
        One a feature; only ``+`` and ``-`` can be contradicted.

    Returns
    -------
    DataFrame
        A row a feature signed ``+`` or ``-``, by name: ``sign``, ``auc`` with ``low`` and
        ``high`` (90 %), ``p`` (one-sided, against the sign), ``adjusted`` (corrected) and
        ``contradicted`` (adjusted below 0.05). NaN and False where fewer than eight deposits
        have a value, or all stand in one block.

    References
    ----------
    .. [1] Obuchowski (1997). Nonparametric analysis of clustered ROC curve data.
       Biometrics 53.
    .. [2] Westfall and Young (1993). Resampling-based multiple testing. Wiley.
    """
    signed = [j for j, sign in enumerate(signs) if sign in ("+", "-")]
    wanted = np.array([1.0 if signs[j] == "+" else -1.0 for j in signed])
    blocks, place = np.unique(cluster, return_inverse=True)
    auc, influence = np.full(len(signed), np.nan), np.zeros((blocks.size, len(signed)))
    for at, column in enumerate(signed):
        auc[at], influence[:, at] = _auc(features[:, column], kind, group, place, blocks.size)
    freedom = np.unique(place[kind == 1]).size - 1
    spread = np.sqrt((influence**2).sum(axis=0) * (1 + 1 / max(freedom, 1)))
    error = np.where((spread > 0) & (freedom > 0), spread, np.nan)
    against = wanted * (0.5 - auc) / error
    reach = error * student.ppf((1 + INTERVAL) / 2, max(freedom, 1))
    table = pd.DataFrame(
        {
            "sign": [signs[j] for j in signed],
            "auc": auc,
            "low": np.maximum(auc - reach, 0.0),
            "high": np.minimum(auc + reach, 1.0),
            "p": student.sf(against, max(freedom, 1)),
            "adjusted": _stepped_down(against, -wanted * influence / error, freedom),
        },
        index=[names[j] for j in signed],
    )
    table["contradicted"] = table["adjusted"] < LEVEL
    return table


def contradictions(table: pd.DataFrame) -> list[str]:
    """
    A sentence for each contradicted sign.

    Parameters
    ----------
    table : DataFrame
        From :func:`directions`.
    """
    against = table[table["contradicted"]].sort_values("p")
    return [
        f"{name} (sign {row['sign']}, but its AUC alone is {row['auc']:.2f}, "
        f"{row['low']:.2f}–{row['high']:.2f})"
        for name, row in against.iterrows()
    ]


def told(sentences: Iterable[str]) -> list[str]:
    """Lines for people, none if no sign is contradicted."""
    found = list(sentences)
    if not found:
        return []
    return [
        "Prior contradicted by the data: the known deposits speak against the signs of",
        *[f"  {sentence}" for sentence in found],
        "  Check the layers and their signs. The default learner is held to them and may mislead "
        "here; extra-trees, bagged-pu and random-forest are not.",
    ]


def _auc(
    values: NDArray[np.floating],
    kind: NDArray[np.int64],
    group: NDArray[np.int64],
    place: NDArray[np.int64],
    blocks: int,
) -> tuple[float, Array]:
    """AUC of a feature, and what each block of ground adds to its error; NaN and 0 if too few."""
    known = np.isfinite(values)
    found, area = np.flatnonzero(known & (kind == 1)), np.flatnonzero(known & (kind == -1))
    _, deposit, size = np.unique(group[found], return_inverse=True, return_counts=True)
    if size.size < FEWEST or not area.size:
        return np.nan, np.zeros(blocks)
    weight = 1.0 / (size.size * size[deposit])
    above = _share_below(values[found], values[area], np.full(area.size, 1.0 / area.size))
    below = 1.0 - _share_below(values[area], values[found], weight)
    auc = float(weight @ above)
    each = np.concatenate([weight * (above - auc), (below - auc) / area.size])
    return auc, np.asarray(np.bincount(place[np.concatenate([found, area])], each, blocks), float)


def _share_below(values: NDArray[np.floating], among: NDArray[np.floating], weight: Array) -> Array:
    """Weight of others that are lower, ties counting half."""
    order = np.argsort(among, kind="stable")
    total = np.concatenate([[0.0], np.cumsum(weight[order])])
    lower, upto = (np.searchsorted(among[order], values, side) for side in ("left", "right"))
    return np.asarray((total[lower] + total[upto]) / 2)


def _stepped_down(statistic: Array, influence: Array, freedom: int) -> Array:
    """
    Chance that the largest of these and all lesser statistics reaches each of them.

    Blocks of ground get random normal factors: what then becomes of all features at once
    is what chance makes of them, with the likeness between features left as it is.
    """
    out = np.full(statistic.size, np.nan)
    known = np.flatnonzero(np.isfinite(statistic))
    order = known[np.argsort(-statistic[known], kind="stable")]
    rng = np.random.default_rng(0)
    drawn = rng.standard_normal((DRAWS, len(influence))) @ influence[:, order]
    drawn /= np.sqrt(rng.chisquare(max(freedom, 1), (DRAWS, 1)) / max(freedom, 1))
    largest = np.maximum.accumulate(drawn[:, ::-1], axis=1)[:, ::-1]
    chance = (1 + (largest >= statistic[order]).sum(axis=0)) / (1 + DRAWS)
    out[order] = np.maximum.accumulate(chance)
    return out
