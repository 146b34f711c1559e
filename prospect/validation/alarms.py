"""Leak alarms: signs that a model has seen what it is tested on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import KDTree
from scipy.stats import rankdata

from prospect.metrics.intervals import rows_of
from prospect.samples import Samples

RING = (1_500.0, 5_000.0)
"""Surroundings of a deposit, in metres, that its own cell is compared with."""

BANDWIDTHS = (2_500.0, 10_000.0)
"""Of the density of deposits that layers are compared with, in metres."""

FOLLOWS = 0.93
"""A feature rings when its rank correlation with deposits' distance or density reaches this."""

STANDS_OUT = 0.88
"""And when deposits hold its extreme among their surroundings, on a scale from 0 to 1."""

PERMUTED = 0.99
"""Either only above this quantile of what its block-permuted selves reach."""

TREND = 0.98
"""A feature is like X or Y when a plane explains this share of its ranks."""

GAP = 0.10
"""Random folds above block folds by more than this in AUC, for certain, are told."""

ABOVE = 0.01
"""An AUC above that of the truth itself by this rings, where the truth is known."""

REPEATS = 100
CELLS = 10_000

FEWEST = 8
"""Deposits that must have surroundings to be compared with, and three cells in each."""


@dataclass(frozen=True)
class Alarm:
    """
    One sign of a leak.

    Attributes
    ----------
    kind : str
        ``follows deposits``, ``like coordinates``, ``random folds`` or ``above the truth``.
    subject : str
        The feature, or the folds.
    value, threshold : float
    sentence : str
        For people: what was seen, and what to do.
    """

    kind: str
    subject: str
    value: float
    threshold: float
    sentence: str


def feature_alarms(
    samples: Samples, names: Sequence[str], block: float, *, random_state: int = 0
) -> list[Alarm]:
    """
    Features that follow the known deposits, or stand for coordinates.

    Parameters
    ----------
    samples : Samples
    names : sequence of str
        Of the features.
    block : float, metres
        Side of the blocks that are permuted.
    random_state : int

    Returns
    -------
    list of Alarm
        Distances to occurrences and densities of them ring, as do layers that were drawn
        after the deposits were known; a feature rings once.
    """
    table = feature_signs(samples, names, block, random_state=random_state)
    found = []
    for name, row in rows_of(table):
        if row["trend"] >= TREND:
            found.append(
                Alarm(
                    "like coordinates",
                    name,
                    float(row["trend"]),
                    TREND,
                    f"'{name}' is all but a coordinate: a plane explains {row['trend']:.0%} of "
                    f"its ranks (alarm from {TREND:.0%}). A learner can look places up by it: "
                    "leave it out.",
                )
            )
        elif row["follows"] >= max(FOLLOWS, row["follows_permuted"]):
            found.append(_follower(name, float(row["follows"])))
        elif row["stands_out"] >= max(STANDS_OUT, row["stands_out_permuted"]):
            found.append(
                Alarm(
                    "follows deposits",
                    name,
                    float(row["stands_out"]),
                    STANDS_OUT,
                    f"'{name}' has its extreme at the known deposits themselves: among cells "
                    f"{RING[0] / 1000:g} to {RING[1] / 1000:g} km around, it ranks them "
                    f"{row['stands_out']:.2f} on a scale from 0 to 1 (alarm from "
                    f"{STANDS_OUT:.2f}). If it was drawn after them, leave it out.",
                )
            )
    return found


def feature_signs(
    samples: Samples, names: Sequence[str], block: float, *, random_state: int = 0
) -> pd.DataFrame:
    """
    How closely each feature follows the deposits, and what chance would do.

    Chance is the feature itself with blocks of ground exchanged: as smooth, but elsewhere.

    Returns
    -------
    DataFrame
        A row a feature; columns follows (the largest absolute rank correlation with
        distance to the nearest deposit and with densities of deposits), stands_out (how
        extreme its value at deposits is among cells around them: 0 in their middle, 1
        above or below all), follows_permuted and stands_out_permuted (0.99 quantile of
        the same after exchange), trend (R² of the ranks on x and y).
    """
    rng = np.random.default_rng(random_state)
    area = np.flatnonzero(samples.kind == -1)
    if area.size > CELLS:
        area = np.sort(rng.choice(area, CELLS, replace=False))
    found = np.flatnonzero(samples.kind == 1)
    index = np.concatenate([found, area])
    where = samples.coordinates[index]
    deposits, ground = np.arange(found.size), np.arange(found.size, index.size)
    references = _references(where[ground], where[deposits])
    ranks = _ranks(samples.features[index])
    ring = _ring(where, deposits)
    chance: dict[str, list[NDArray[np.float64]]] = {"follows": [], "stands_out": []}
    for taken in _exchanges(where, block, rng):
        moved = ranks[taken]
        chance["follows"].append(_follows(moved[ground], references))
        chance["stands_out"].append(_stands_out(moved, ring))
    return pd.DataFrame(
        {
            "follows": _follows(ranks[ground], references),
            "follows_permuted": np.quantile(chance["follows"], PERMUTED, axis=0),
            "stands_out": _stands_out(ranks, ring),
            "stands_out_permuted": np.quantile(chance["stands_out"], PERMUTED, axis=0),
            "trend": _trend(ranks[ground], where[ground]),
        },
        index=pd.Index(names, name="feature"),
    )


def gap_alarm(random_auc: float, block_auc: float, difference: tuple[float, float]) -> list[Alarm]:
    """
    Random folds far above block folds: the model looks places up.

    Parameters
    ----------
    random_auc, block_auc : float
    difference : (low, high)
        Interval of random less block, over blocks of ground drawn again.
    """
    gap = random_auc - block_auc
    if gap < GAP or difference[0] <= 0:
        return []
    sentence = (
        f"Random folds promise an AUC of {random_auc:.2f}, blocks keep {block_auc:.2f}: a gap of "
        f"{gap:.2f} ({difference[0]:.2f} to {difference[1]:.2f}; alarm from {GAP:.2f}). The model "
        "knows places rather than geology: quote the block folds only."
    )
    return [Alarm("random folds", "all features", gap, GAP, sentence)]


def truth_alarm(
    name: str, value: float, best: float, difference: tuple[float, float]
) -> list[Alarm]:
    """
    A score above the best attainable, where the truth is known.

    Parameters
    ----------
    name : str
        Of the folds.
    value, best : float
        AUC of the model and of the truth itself, on the same deposits and cells.
    difference : (low, high)
        Interval of model less truth, over blocks of ground drawn again.
    """
    if value < best + ABOVE:
        return []
    sentence = (
        f"In {name} the AUC is {value:.2f}, above the {best:.2f} that the truth itself reaches on "
        f"these deposits ({difference[0]:+.2f} to {difference[1]:+.2f}; alarm from "
        f"{ABOVE:+.2f}): what is tested on has leaked into what was learnt from."
    )
    return [Alarm("above the truth", name, value - best, ABOVE, sentence)]


def _follower(name: str, value: float) -> Alarm:
    sentence = (
        f"'{name}' follows the known deposits: rank correlation {value:.2f} with their distance "
        f"or density (alarm from {FOLLOWS:.2f}, and beyond what the same feature does after "
        "blocks of ground are exchanged). If it was drawn after them, leave it out."
    )
    return Alarm("follows deposits", name, value, FOLLOWS, sentence)


def _references(where: NDArray[np.float64], deposits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standardised ranks of nearness to deposits and of their densities, of shape (n, 3)."""
    squared = ((where[:, None] - deposits[None]) ** 2).sum(axis=2)
    columns = [-squared.min(axis=1)]
    columns += [np.exp(-squared / (2 * width**2)).sum(axis=1) for width in BANDWIDTHS]
    return _standard(np.column_stack([rankdata(column) for column in columns]))


def _follows(ranks: NDArray[np.float64], references: NDArray[np.float64]) -> NDArray[np.float64]:
    """Largest absolute correlation of every feature with any of the references."""
    return np.asarray(np.abs(_standard(ranks).T @ references).max(axis=1))


def _ring(
    where: NDArray[np.float64], deposits: NDArray[np.int64]
) -> list[tuple[int, NDArray[np.int64]]]:
    """Deposits with the samples around them, where there are enough to compare with."""
    gap = KDTree(where[deposits]).query(where)[0]
    others = np.flatnonzero(gap >= RING[0])
    around = KDTree(where[others]).query_ball_point(where[deposits], RING[1])
    return [
        (int(deposit), others[ring])
        for deposit, ring in zip(deposits, around, strict=True)
        if len(ring) >= 3
    ]


def _stands_out(
    ranks: NDArray[np.float64], rings: list[tuple[int, NDArray[np.int64]]]
) -> NDArray[np.float64]:
    """How extreme features are at deposits, from 0 to 1, on average over deposits."""
    if len(rings) < FEWEST:
        return np.zeros(ranks.shape[1])
    signed = [np.sign(ranks[deposit] - ranks[around]).mean(axis=0) for deposit, around in rings]
    return np.asarray(np.abs(np.mean(signed, axis=0)))


def _ranks(features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Ranks of every column; a gap takes the middle one."""
    ranks = np.empty(features.shape)
    for k, column in enumerate(features.T):
        valid = np.isfinite(column)
        ranks[:, k] = (valid.sum() + 1) / 2
        ranks[valid, k] = rankdata(column[valid])
    return ranks


def _standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = values - values.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    return np.asarray(centred / np.where(length > 0, length, 1.0))


def _exchanges(
    where: NDArray[np.float64], block: float, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Which sample each takes its value from when blocks change places, draw by draw."""
    place = np.floor(where / block)
    names, member = np.unique(place, axis=0, return_inverse=True)
    member = member.ravel()
    inside = where - place * block
    cells = [np.flatnonzero(member == k) for k in range(len(names))]
    trees = [KDTree(inside[index]) for index in cells]
    draws = []
    for _ in range(REPEATS):
        taken = np.empty(len(where), np.int64)
        for here, there in enumerate(rng.permutation(len(names))):
            taken[cells[here]] = cells[there][trees[there].query(inside[cells[here]])[1]]
        draws.append(taken)
    return draws


def _trend(ranks: NDArray[np.float64], where: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of every feature's ranks that a plane explains."""
    plane = np.column_stack([np.ones(len(where)), _standard(where)])
    fitted = plane @ np.linalg.lstsq(plane, ranks, rcond=None)[0]
    left, all_of_it = ((ranks - fitted) ** 2).sum(axis=0), ((ranks - ranks.mean(0)) ** 2).sum(0)
    explained = 1 - left / np.where(all_of_it > 0, all_of_it, np.inf)
    return np.where(all_of_it > 0, explained, 0.0)
