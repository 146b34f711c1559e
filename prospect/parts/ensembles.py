"""Ensembles: trees, bags of parts, draws of the training data, blends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from prospect.bundles import Bundle
from prospect.models.blended import weighted_ranks
from prospect.models.training_draws import components, levels_of
from prospect.parts.part import NOTHING, Groups, Part, Scores, no_spread, unspread
from prospect.parts.sums import MeanLine
from prospect.trees import Block, Doubles, Mask, Trees


@dataclass(frozen=True)
class Forest(Part):
    """The mean of trees, or of draws that are means of trees; each tree may be a draw."""

    trees: Trees
    draws: int = 0

    @property
    def members(self) -> int:  # type: ignore[override]
        """Trees of all, or of the largest draw; a tree that is a draw has none."""
        ends, count = self.trees.ends, len(self.trees.roots)
        if ends.size:
            return int(ends.max())
        return 0 if self.draws or count == 1 else count

    def score(self, block: Block, valid: Mask, *, spread: bool) -> Scores:
        total, squares, inner = self.trees.total(block, valid, squares=spread)
        count = self.draws if self.trees.ends.size else len(self.trees.roots)
        total /= count
        if not spread:
            return Scores(total, NOTHING, NOTHING)
        deviation = _deviation(total, squares / count)
        if self.trees.ends.size:
            return Scores(total, deviation, np.sqrt(inner / count))
        if self.draws:
            return Scores(total, deviation, no_spread(valid))
        return Scores(total, no_spread(valid), deviation)

    def contributions(self, block: Block, valid: Mask, groups: Groups) -> Block:
        told = self.trees.contributions(block, valid, *groups)
        if not self.trees.ends.size:
            told /= np.float32(len(self.trees.roots))
        return told


@dataclass(frozen=True)
class Boosting(Part):
    """The sum of trees on a baseline, as a share unless ``raw``."""

    trees: Trees
    baseline: float
    raw: bool = False

    def score(self, block: Block, valid: Mask, *, spread: bool) -> Scores:
        total, _, _ = self.trees.total(block, valid, start=self.baseline)
        return unspread(total if self.raw else expit(total, out=total), valid, spread=spread)

    def contributions(self, block: Block, valid: Mask, groups: Groups) -> Block:
        return self.trees.contributions(block, valid, *groups)


@dataclass(frozen=True)
class Bag(Part):
    """The mean of members; each is a draw if ``draws`` says so."""

    parts: tuple[Part, ...]
    draws: int = 0

    @property
    def members(self) -> int:  # type: ignore[override]
        """What differs within the largest draw; members that are no draws do themselves."""
        inside = max(max(part.members, part.draws) for part in self.parts)
        return inside if self.draws else max(inside, len(self.parts))

    @property
    def fast(self) -> bool:  # type: ignore[override]
        """As the members."""
        return all(part.fast for part in self.parts)

    def score(self, block: Block, valid: Mask, *, spread: bool) -> Scores:
        total, squares, inner = (np.zeros(valid.shape) for _ in range(3))
        for part in self.parts:
            scores, between, within = part.score(block, valid, spread=spread)
            total += scores
            if spread:
                squares += scores * scores
                inner += between * between + within * within
        total /= len(self.parts)
        if not spread:
            return Scores(total, NOTHING, NOTHING)
        deviation = _deviation(total, squares / len(self.parts))
        inside = np.sqrt(inner / len(self.parts))
        if self.draws:
            return Scores(total, deviation, inside)
        return Scores(total, no_spread(valid), np.hypot(deviation, inside))

    def contributions(self, block: Block, valid: Mask, groups: Groups) -> Block:
        told = np.zeros((groups.total, *valid.shape), np.float32)
        for part in self.parts:
            told += part.contributions(block, valid, groups)
        told /= np.float32(len(self.parts))
        return told


@dataclass(frozen=True)
class Ranked(Part):
    """The weighted mean of what parts say, as ranks; a part that says nothing is left out."""

    parts: tuple[Part, ...]
    ranks: tuple[Doubles, ...]
    shares: tuple[float, ...]

    @property
    def fast(self) -> bool:  # type: ignore[override]
        """As the parts."""
        return all(part.fast for part in self.parts)

    def score(self, block: Block, valid: Mask, *, spread: bool) -> Scores:
        scores = [part.score(block, valid, spread=False).likelihood for part in self.parts]
        return unspread(weighted_ranks(scores, self.ranks, self.shares), valid, spread=spread)

    def contributions(self, block: Block, valid: Mask, groups: Groups) -> Block:
        told = np.zeros((groups.total, *valid.shape), np.float32)
        for part, share in zip(self.parts, self.shares, strict=True):
            # What parts add has no common scale: each says how its own is divided.
            own = part.contributions(block, valid, groups)
            whole = np.abs(own).sum(axis=0)
            told += np.float32(share) * own / np.where(whole > 0, whole, np.float32(1))
        return told


@dataclass(frozen=True)
class Square(Part):
    """
    Members of training draws: trees, which are packed, lines, which are bundled, or others.

    Draws of background, deposits and places are levels of three factors; ``side`` of each.
    """

    parts: Trees | Bundle | tuple[Part, ...]
    side: int
    placed: bool = False

    @property
    def draws(self) -> int:  # type: ignore[override]
        """Levels of a factor."""
        return self.side

    @property
    def _mean(self) -> Part:
        """The same without its factors."""
        if isinstance(self.parts, Bundle):
            return MeanLine(self.parts)
        return Forest(self.parts) if isinstance(self.parts, Trees) else Bag(self.parts)

    def score(self, block: Block, valid: Mask, *, spread: bool) -> Scores:
        if not spread:
            return self._mean.score(block, valid, spread=False)
        mean, variances = self.variances(block, valid)
        return Scores(mean, np.sqrt(variances.sum(axis=0)), no_spread(valid))

    def variances(self, block: Block, valid: Mask) -> tuple[Doubles, Doubles]:
        """Mean, and the variances over each of the three draws."""
        levels, side = levels_of(self.side), self.side
        if isinstance(self.parts, (Trees, Bundle)):
            total, squares, squared = self.parts.by_level(block, valid, levels, side)
        else:
            total, squares = np.zeros((2, *valid.shape))
            sums = np.zeros((3, side, *valid.shape))
            for number, part in enumerate(self.parts):
                said = part.score(block, valid, spread=False).likelihood
                total += said
                squares += said * said
                sums[np.arange(3), levels[:, number]] += said
            squared = (sums**2).sum(axis=1)
        found = components(total, squares, squared, side, placed=self.placed)
        found[:, ~valid] = np.nan
        return total / side**2, found

    def contributions(self, block: Block, valid: Mask, groups: Groups) -> Block:
        return self._mean.contributions(block, valid, groups)


def _deviation(mean: Doubles, square: Doubles) -> Doubles:
    """Standard deviation from the means of values and of squares."""
    found: Doubles = np.sqrt(np.maximum(square - mean * mean, 0.0))
    return found
