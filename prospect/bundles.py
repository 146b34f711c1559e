"""Logistic sums of the same features asked together: what many draws of a line say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prospect.trees import Block, Doubles, Mask

Longs = NDArray[np.int64]


@dataclass(frozen=True)
class Bundle:
    """
    Members that are each a logistic sum of features.

    Attributes
    ----------
    planes : array of shape (k,)
        Of the block.
    fills : array of shape (k,)
        What stands for gaps; none may stay.
    slopes : array of shape (member, k)
    intercepts : array of shape (member,)
    """

    planes: Longs
    fills: Doubles
    slopes: Doubles
    intercepts: Doubles

    def mean(self, block: Block, valid: Mask) -> Doubles:
        """The mean of the members' shares; NaN where not valid."""
        none = np.empty((0, len(self.intercepts)), np.int64)
        total, _, _ = self.by_level(block, valid, none, 0)
        total /= len(self.intercepts)
        return total

    def by_level(
        self, block: Block, valid: Mask, levels: Longs, count: int
    ) -> tuple[Doubles, Doubles, Doubles]:
        """
        Sums that an analysis of variance takes; see :meth:`prospect.trees.Trees.by_level`.

        Parameters
        ----------
        block, valid
        levels : array of shape (factor, member), int
            From 0 to ``count``.
        count : int

        Returns
        -------
        total, squares : array of shape (rows, cols)
            NaN where not valid; ``squares`` is all NaN if there are no factors.
        squared_sums : array of shape (factor, rows, cols)
        """
        from prospect._kernels.evidence import add_bundle, add_shares

        total, squares = np.full((2, *valid.shape), np.nan)
        squared_sums = np.full((len(levels), *valid.shape), np.nan)
        said = np.empty((len(self.intercepts), valid.shape[1]))
        sums, own = np.empty((2, valid.shape[1])), np.empty((len(levels), valid.shape[1]))
        levels = np.ascontiguousarray(levels)
        for row in np.flatnonzero(valid.any(axis=1)):
            add_bundle(block, int(row), self.planes, self.fills, self.slopes, self.intercepts, said)
            # 1 / (1 + exp(-logit)), in place.
            np.negative(said, out=said)
            with np.errstate(over="ignore"):
                np.exp(said, out=said)
            said += 1.0
            np.reciprocal(said, out=said)
            add_shares(said, levels, count, sums[0], sums[1], own)
            here = valid[row]
            total[row, here] = sums[0, here]
            if len(levels):
                squares[row, here] = sums[1, here]
                squared_sums[:, row, here] = own[:, here]
        return total, squares, squared_sums
