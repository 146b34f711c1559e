"""What a part of a predictor is, and what it answers with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from prospect.trees import Block, Doubles, Mask

Longs = NDArray[np.int64]


class Groups(NamedTuple):
    """Evidence groups: the number of each plane's, and how many there are."""

    of: Longs
    total: int

    def parted(self, planes: Longs) -> list[Longs]:
        """Places in ``planes`` of each group's own, group by group."""
        return [np.flatnonzero(self.of[planes] == number) for number in range(self.total)]


class Scores(NamedTuple):
    """
    What a part says of every cell; NaN where a cell is not valid.

    ``between`` is the standard deviation of the means of draws, ``within`` the root of the
    mean variance inside them, between the trees of a draw. Both are empty unless asked for.
    """

    likelihood: Doubles
    between: Doubles
    within: Doubles


class Part(ABC):
    """
    What a predictor is made of.

    Attributes
    ----------
    draws : int
        Members whose means are told to differ; 0 if there are none.
    members : int
        Of a draw, or of all where there are no draws: what differs within; 0 for none.
    fast : bool
        Whether nothing in it is asked itself.
    """

    draws = 0
    members = 0
    fast = True

    @abstractmethod
    def score(self, block: Block, valid: Mask, *, spread: bool) -> Scores:
        """The scores, and how they are spread if that is asked for."""

    @abstractmethod
    def contributions(self, block: Block, valid: Mask, groups: Groups) -> Block:
        """
        What each group of planes adds to the score, of shape (group, rows, cols).

        On the scale of what is added up: the score of trees, the logit of boosting and of
        sums of evidence. 0 where not valid.
        """


NOTHING: Doubles = np.empty((0, 0))


def unspread(scores: Doubles, valid: Mask, *, spread: bool) -> Scores:
    """Scores of something that has no members: no spread at all."""
    if not spread:
        return Scores(scores, NOTHING, NOTHING)
    return Scores(scores, no_spread(valid), no_spread(valid))


def no_spread(valid: Mask) -> Doubles:
    """0 at every valid cell."""
    return np.where(valid, 0.0, np.nan)
