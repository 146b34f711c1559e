"""The tally all measures rest on: deposits and area at each score, from the highest down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, update_wrapper

import numpy as np
from numpy.typing import NDArray

from prospect.errors import ProspectError

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Tally:
    """
    How much lies at each score.

    Attributes
    ----------
    score : array of shape (k,)
        Distinct scores, highest first; the last is -inf where deposits have no score.
    deposits : array of shape (k,)
        Weight of the deposits at each.
    area : array of shape (k,)
        Weight of the ground at each.
    """

    score: Scores
    deposits: Scores
    area: Scores

    @property
    def empty(self) -> bool:
        """Whether deposits or area are missing, so that nothing can be measured."""
        return not (self.deposits.sum() > 0 and self.area.sum() > 0)

    @cached_property
    def rates(self) -> tuple[Scores, Scores]:
        """Cumulative shares of area and of deposits, both from 0 to 1, length k + 1."""
        shares = []
        for weight in (self.area, self.deposits):
            running = np.concatenate([[0.0], np.cumsum(weight)])
            shares.append(running / running[-1])
        return shares[0], shares[1]


class Measure:
    """
    A number told of a tally, and so of scores.

    Called with scores of deposits and of the area; ``of`` takes the tally itself, which
    is how intervals are drawn quickly. ``bounds`` are the least and the most it can be.
    """

    def __init__(
        self,
        of: Callable[[Tally], float],
        name: str = "",
        bounds: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        self.of = of
        self.bounds = bounds
        self.__name__: str = name
        update_wrapper(self, of)
        if name:
            self.__name__ = name

    def __call__(
        self,
        deposits: Scores,
        area: Scores,
        weight: Scores | None = None,
        area_weight: Scores | None = None,
    ) -> float:
        """The measure of scores; NaN without deposits or without area."""
        counted = tally(deposits, area, weight, area_weight)
        return float("nan") if counted.empty else float(self.of(counted))


def tally(
    deposits: Scores,
    area: Scores,
    weight: Scores | None = None,
    area_weight: Scores | None = None,
) -> Tally:
    """
    Count deposits and area at each score.

    Parameters
    ----------
    deposits : array of shape (n,)
        Scores at deposits. A gap ranks last: a map that leaves a deposit's cell empty has
        missed it.
    area : array of shape (m,)
        Scores of cells of the ground. A gap is no valid cell and is not counted.
    weight : array of shape (n,), optional
        Of the deposits; 1 each by default.
    area_weight : array of shape (m,), optional
        Of the cells, such as their area; 1 each by default.

    Returns
    -------
    Tally

    Raises
    ------
    ProspectError
        If weights are negative, not finite or of another length.
    """
    levels, at_deposits, at_area, valid = sorted_levels(deposits, area)
    of_deposits = checked_weight(weight, len(deposits))
    of_area = checked_weight(area_weight, len(area))[valid]
    return Tally(
        levels,
        weighted_count(at_deposits, of_deposits, levels.size),
        weighted_count(at_area, of_area, levels.size),
    )


def weighted_count(place: NDArray[np.int64], weight: Scores, size: int) -> Scores:
    """Sum of the weights at each place."""
    return np.asarray(np.bincount(place, weights=weight, minlength=size), np.float64)


def sorted_levels(
    deposits: Scores, area: Scores
) -> tuple[Scores, NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Distinct scores, highest first; the place in them of deposits and valid cells."""
    found = np.asarray(deposits, float)
    found = np.where(np.isnan(found), -np.inf, found)
    ground = np.asarray(area, float)
    valid = ~np.isnan(ground)
    levels, place = np.unique(-np.concatenate([found, ground[valid]]), return_inverse=True)
    return -levels, place[: found.size], place[found.size :], valid


def checked_weight(weight: Scores | None, size: int) -> Scores:
    """Weights as floats, ones where none are given."""
    if weight is None:
        return np.ones(size)
    given = np.asarray(weight, float)
    if given.shape != (size,) or not np.isfinite(given).all() or (given < 0).any():
        raise ProspectError(
            f"Weights are {size} finite numbers from 0 up, one for each score, but an array of "
            f"shape {given.shape} came."
        )
    return given
