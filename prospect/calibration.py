"""From scores to probabilities, where that can be done: calibration, prior, conformal sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression

from prospect.errors import ModelError
from prospect.models._bounded import fit_logistic

Array = NDArray[np.float64]

METHODS = ("sigmoid", "isotonic")

ISOTONIC_FROM = 200
"""Deposits from which a free rising curve can be told from chance; below, a sigmoid."""


@dataclass(frozen=True)
class Calibration:
    """
    What scores mean among the samples they were calibrated on.

    Attributes
    ----------
    method : {'sigmoid', 'isotonic'}
    share : float
        Of deposits among the samples: the prior that :meth:`curve` goes with.
    points : tuple of (float, float)
        Of a sigmoid, intercept and slope; else scores and their probabilities, rising.
    """

    method: str
    share: float
    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        table = np.array(self.points, float)
        flat = table.ndim == 2 and table.shape[1] == 2 and np.isfinite(table).all()
        if self.method not in METHODS or not flat or not 0 < self.share < 1:
            raise ModelError("This is no calibration: train again.")
        if (self.method == "isotonic" and (np.diff(table, axis=0) < 0).any()) or (
            self.method == "sigmoid" and (len(table) != 1 or table[0, 1] < 0)
        ):
            raise ModelError("A calibration that falls came: train again.")

    def curve(self, scores: Array) -> Array:
        """Score to probability among the samples; rises or is level. NaN for NaN."""
        scores, table = np.asarray(scores, float), np.array(self.points)
        if self.method == "sigmoid":
            found: Array = expit(table[0, 0] + table[0, 1] * scores)
        else:
            found = np.interp(scores, table[:, 0], table[:, 1])
        return np.where(np.isnan(scores), np.nan, found)

    def at_even_odds(self, scores: Array) -> Array:
        """What scores mean where deposits and other cells weigh the same in sum."""
        return shift_prior(self.curve(scores), self.share, 0.5)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "method": self.method,
            "share": self.share,
            "points": [list(p) for p in self.points],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Calibration:
        """Of plain data, as :meth:`to_dict` makes them."""
        points = tuple((float(a), float(b)) for a, b in data["points"])
        return cls(str(data["method"]), float(data["share"]), points)

    def probability(self, scores: Array, prior: float | None) -> Array:
        """
        Probability that a cell holds a deposit.

        Parameters
        ----------
        scores : array of shape (n,)
        prior : float
            Deposits per cell that you hold likely beforehand, for example from an estimate
            of undiscovered deposits; never the share among the samples.

        Returns
        -------
        array of shape (n,)
            NaN where there is no score.

        Raises
        ------
        ModelError
            Without a prior: how many deposits there are cannot be known from known ones.
        """
        if prior is None:
            raise ModelError(
                "Without a prior the probability of a deposit cannot be known, only which cells "
                "are likelier: give the deposits per cell that you expect, or keep to likelihood."
            )
        return shift_prior(self.curve(scores), self.share, prior)


def calibrate(scores: Array, deposit: NDArray[np.bool_], method: str = "auto") -> Calibration:
    """
    Learn what scores mean, from cells that were held out.

    Parameters
    ----------
    scores : array of shape (n,)
        Out of fold, pooled over folds; scores of the training itself would flatter. NaN is
        left out.
    deposit : array of shape (n,), bool
        Against cells drawn uniformly from the ground.
    method : {'auto', 'sigmoid', 'isotonic'}
        A sigmoid [1]_ below 200 deposits, isotonic regression from there, as far from 0 and
        1 as the sigmoid's targets.

    Returns
    -------
    Calibration

    Raises
    ------
    ModelError
        If one of the two kinds is missing.

    References
    ----------
    .. [1] Platt (1999). Probabilistic outputs for support vector machines.
    """
    known = ~np.isnan(scores)
    scores, deposit = np.asarray(scores, float)[known], np.asarray(deposit, bool)[known]
    count = int(deposit.sum())
    if count == 0 or count == deposit.size:
        raise ModelError(
            "Calibration needs held-out scores of deposits and of other cells, but "
            f"{count} of {deposit.size} are of deposits."
        )
    if method == "auto":
        method = "isotonic" if count >= ISOTONIC_FROM else "sigmoid"
    if method not in METHODS:
        raise ModelError(f"method is 'auto', 'sigmoid' or 'isotonic', not '{method}'.")
    found = _isotonic(scores, deposit) if method == "isotonic" else _sigmoid(scores, deposit)
    return Calibration(method, count / deposit.size, found)


def held_out_probability(
    scores: Array, deposit: NDArray[np.bool_], fold: NDArray[np.int64], method: str = "auto"
) -> Array:
    """
    Calibrated scores, those of every fold by the others: what calibration is worth elsewhere.

    Parameters
    ----------
    scores, deposit, method
        As of :func:`calibrate`.
    fold : array of shape (n,), int

    Returns
    -------
    array of shape (n,)
        At even odds, since few deposits among many cells would hide any error. NaN without
        a score, and where the other folds lack one of the kinds.
    """
    found: Array = np.full(len(scores), np.nan)
    for name in np.unique(fold):
        here = fold == name
        rest = ~here & ~np.isnan(scores)
        if deposit[rest].any() and not deposit[rest].all():
            made = calibrate(scores[rest], deposit[rest], method)
            found[here] = made.at_even_odds(scores[here])
    return found


def _sigmoid(scores: Array, deposit: NDArray[np.bool_]) -> tuple[tuple[float, float], ...]:
    """Platt's sigmoid, with his targets short of 0 and 1; it may not fall."""
    count, others = deposit.sum(), (~deposit).sum()
    target = np.where(deposit, (count + 1) / (count + 2), 1 / (others + 2))
    middle, scale = scores.mean(), scores.std()
    scale = scale if scale > 1e-12 * max(1.0, abs(middle)) else np.inf
    intercept, slope = fit_logistic(
        ((scores - middle) / scale)[:, None],
        target,
        np.ones(scores.size),
        penalty=1e-9,
        lower=np.zeros(1),
        upper=np.full(1, np.inf),
    )
    steepness = float(slope[0] / scale)
    return ((float(intercept) - steepness * float(middle), steepness),)


def _isotonic(scores: Array, deposit: NDArray[np.bool_]) -> tuple[tuple[float, float], ...]:
    """Steps that rise, within Platt's targets: no prior could move what is held for certain."""
    count, others = deposit.sum(), (~deposit).sum()
    steps = IsotonicRegression(
        y_min=1 / (others + 2), y_max=(count + 1) / (count + 2), out_of_bounds="clip"
    )
    steps.fit(scores, deposit.astype(float))
    knots = zip(steps.X_thresholds_.tolist(), steps.y_thresholds_.tolist(), strict=True)
    return tuple((float(score), float(share)) for score, share in knots)


def shift_prior(probability: Array, prior: float, new_prior: float) -> Array:
    """
    Probabilities under another prior: odds times the ratio of the priors' odds [1]_.

    Parameters
    ----------
    probability : array
    prior, new_prior : float
        Between 0 and 1.

    Returns
    -------
    array

    References
    ----------
    .. [1] Elkan (2001). The foundations of cost-sensitive learning. IJCAI.

    Examples
    --------
    >>> round(float(shift_prior(0.5, 0.5, 0.01)), 6)
    0.01
    """
    for value in (prior, new_prior):
        if not 0 < value < 1:
            raise ModelError(f"A prior is a share of cells between 0 and 1, but {value} came.")
    ratio = new_prior / (1 - new_prior) / (prior / (1 - prior))
    probability = np.asarray(probability, float)
    # Without dividing by 1 - p, which may be 0.
    shifted: Array = ratio * probability / (ratio * probability + 1 - probability)
    return shifted


SWANSON = (0.3, 0.4, 0.3)
"""Weights of P90, P50 and P10 whose sum is about the mean of what they were told of [1]_.

.. [1] Hurst, Brown and Swanson (2000). Swanson's 30-40-30 rule. AAPG Bulletin 84(12)."""


@dataclass(frozen=True)
class Prior:
    """
    Deposits that are held likely beforehand, by the user.

    Attributes
    ----------
    per_cell : float
        Deposits per cell of the ground.
    deposits : tuple of float
        On the whole ground: one number, or P90, P50 and P10 of an estimate.
    """

    per_cell: float
    deposits: tuple[float, ...]

    @classmethod
    def of(
        cls, cells: int, *, prior: float | None = None, expected: Sequence[float] | None = None
    ) -> Prior | None:
        """
        A prior as users state it.

        Parameters
        ----------
        cells : int
            Of the ground that counts.
        prior : float, optional
            Deposits per cell.
        expected : sequence of 1 or 3 floats, optional
            Deposits on the ground, known and unknown: one number, or P90, P50 and P10,
            whose mean is taken by Swanson's rule, 0.3, 0.4 and 0.3 of them.

        Returns
        -------
        Prior or None
            None if neither is given.

        Raises
        ------
        ModelError
            If both are, or they cannot be.
        """
        if prior is not None and expected is not None:
            raise ModelError("Give the prior per cell or the deposits expected, not both.")
        if prior is None and expected is None:
            return None
        if expected is None:
            numbers: tuple[float, ...] = (float(prior or 0) * cells,)
        else:
            numbers = tuple(float(number) for number in expected)
        if expected is None and not 0 < numbers[0] < cells:
            raise ModelError(f"A prior is a share of cells between 0 and 1, but {prior:g} came.")
        rising = all(a <= b for a, b in pairwise(numbers))
        if len(numbers) not in (1, 3) or not rising or not numbers[0] > 0:
            raise ModelError(
                "Expected deposits are one number above 0, or P90, P50 and P10, which rise, but "
                f"{', '.join(f'{n:g}' for n in numbers) or 'nothing'} came."
            )
        mean = float(np.dot(SWANSON, numbers)) if len(numbers) == 3 else numbers[0]
        if not mean < cells:
            raise ModelError(
                f"{mean:g} deposits were expected on {cells:,} cells, but a cell holds one at "
                "most: state the deposits per cell, which are far below 1."
            )
        return cls(mean / cells, numbers)

    def __post_init__(self) -> None:
        if not 0 < self.per_cell < 1:
            raise ModelError(
                f"A prior is a share of cells between 0 and 1, but {self.per_cell:g} came."
            )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Prior:
        """Of plain data."""
        return cls(float(data["per_cell"]), tuple(float(number) for number in data["deposits"]))

    @property
    def relative_variance(self) -> float:
        """Variance of the deposits expected over their squared mean, by Swanson's rule; 0 of one
        number, which states no doubt."""
        if len(self.deposits) != 3:
            return 0.0
        shares, numbers = np.array(SWANSON), np.array(self.deposits)
        mean = float(shares @ numbers)
        return float(shares @ (numbers - mean) ** 2) / mean**2

    def told(self) -> str:
        """In words."""
        if len(self.deposits) == 3:
            low, middle, high = self.deposits
            return f"{middle:g} deposits expected on the ground (P90 {low:g}, P10 {high:g})"
        return f"{self.deposits[0]:.3g} deposits expected on the ground"


@dataclass(frozen=True, eq=False)
class ConformalSets:
    """
    For every cell the answers (deposit, barren) that cannot be ruled out.

    Of deposits in blocks of ground not seen, at least ``1 - alpha`` have "deposit" in their
    set; of other cells as many have "barren". Each kind is calibrated by itself, since
    deposits are few, and every block weighs the same, since cells of a block resemble each
    other [1]_. The promise holds on average over blocks and for many of them;
    :meth:`coverage` says what came out.

    Attributes
    ----------
    scores : array of shape (n,)
        Out of fold; of calibration.
    deposit : array of shape (n,), bool
    block : array of shape (n,), int
        Block of ground of each.

    References
    ----------
    .. [1] Dunn, Wasserman and Ramdas (2022). Distribution-free prediction sets for two-layer
       hierarchical models. Journal of the American Statistical Association 118.
    """

    scores: Array
    deposit: NDArray[np.bool_]
    block: NDArray[np.int64]

    def __post_init__(self) -> None:
        if np.isnan(self.scores).any() or not self.deposit.any() or self.deposit.all():
            raise ModelError("Conformal sets need held-out scores of deposits and of other cells.")

    def p_values(self, scores: Array) -> Array:
        """
        How unusual each cell would be for a deposit, and for barren ground.

        Parameters
        ----------
        scores : array of shape (n,)

        Returns
        -------
        array of shape (n, 2)
            Of barren and of deposit; NaN for NaN.
        """
        return np.column_stack(
            [
                _p_value(-np.asarray(scores, float), -self.scores, self.block, ~self.deposit),
                _p_value(np.asarray(scores, float), self.scores, self.block, self.deposit),
            ]
        )

    def sets(self, scores: Array, alpha: float = 0.1) -> NDArray[np.bool_]:
        """
        Whether barren, and whether a deposit, cannot be ruled out.

        Parameters
        ----------
        scores : array of shape (n,)
        alpha : float

        Returns
        -------
        array of shape (n, 2), bool
            Nothing can be ruled out where there is no score.
        """
        if not 0 < alpha < 1:
            raise ModelError(f"alpha lies between 0 and 1, but {alpha} came.")
        # Not `p > alpha`: without a score nothing is ruled out.
        kept: NDArray[np.bool_] = ~(self.p_values(scores) <= alpha)
        return kept

    def coverage(self, alpha: float = 0.1) -> pd.DataFrame:
        """
        How often the sets held the truth, each block judged by the others.

        Returns
        -------
        DataFrame
            Rows barren and deposit; columns cells, blocks, coverage (mean over blocks) and
            single (share of cells with one answer only).
        """
        held = np.zeros((self.scores.size, 2), bool)
        judged = np.zeros(self.scores.size, bool)
        for name in np.unique(self.block):
            here = self.block == name
            if self.deposit[~here].any() and not self.deposit[~here].all():
                rest = ConformalSets(self.scores[~here], self.deposit[~here], self.block[~here])
                held[here], judged[here] = rest.sets(self.scores[here], alpha), True
        rows: dict[str, Any] = {}
        for column, name in enumerate(("barren", "deposit")):
            mine = judged & (self.deposit == bool(column))
            shares = [
                held[mine & (self.block == block), column].mean()
                for block in np.unique(self.block[mine])
            ]
            rows[name] = {
                "cells": int(mine.sum()),
                "blocks": len(shares),
                "coverage": float(np.mean(shares)) if shares else float("nan"),
                "single": float((held[mine].sum(axis=1) == 1).mean()) if mine.any() else np.nan,
            }
        return pd.DataFrame.from_dict(rows, orient="index")


def _p_value(
    asked: Array, scores: Array, block: NDArray[np.int64], kind: NDArray[np.bool_]
) -> Array:
    """Share of a kind that scores no higher: blocks alike, and the asked one a block itself."""
    scores, block = scores[kind], block[kind]
    _, which, counts = np.unique(block, return_inverse=True, return_counts=True)
    order = np.argsort(scores, kind="stable")
    weight = np.concatenate([[0.0], np.cumsum((1 / counts)[which][order])])
    upto = np.searchsorted(scores[order], asked, side="right")
    found: Array = (weight[upto] + 1) / (counts.size + 1)
    return np.where(np.isnan(asked), np.nan, found)
