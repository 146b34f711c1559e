"""What predictors are made of: trees, sums of evidence, and the ensembles of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from threadpoolctl import threadpool_limits

from prospect.bundles import Bundle
from prospect.errors import ModelError
from prospect.grid import LATTICE
from prospect.learners import likelihood
from prospect.models.blended import weighted_ranks
from prospect.models.training_draws import components, levels_of
from prospect.trees import Block, Doubles, Mask, Trees

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


def _level(scores: Doubles, valid: Mask, *, spread: bool) -> Scores:
    """Scores of something that has no members: no spread at all."""
    if not spread:
        return Scores(scores, _NOTHING, _NOTHING)
    return Scores(scores, _none(valid), _none(valid))


_NOTHING: Doubles = np.empty((0, 0))


def _none(valid: Mask) -> Doubles:
    return np.where(valid, 0.0, np.nan)


def _deviation(mean: Doubles, square: Doubles) -> Doubles:
    """Standard deviation from the means of values and of squares."""
    found: Doubles = np.sqrt(np.maximum(square - mean * mean, 0.0))
    return found


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
            return Scores(total, _NOTHING, _NOTHING)
        deviation = _deviation(total, squares / count)
        if self.trees.ends.size:
            return Scores(total, deviation, np.sqrt(inner / count))
        if self.draws:
            return Scores(total, deviation, _none(valid))
        return Scores(total, _none(valid), deviation)

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
        return _level(total if self.raw else expit(total, out=total), valid, spread=spread)

    def contributions(self, block: Block, valid: Mask, groups: Groups) -> Block:
        return self.trees.contributions(block, valid, *groups)


@dataclass(frozen=True)
class Lines(Part):
    """A logistic sum of features, each ``slope * (value - centre) / divisor``; gaps filled."""

    planes: Longs
    fills: Doubles
    centre: Doubles
    divisor: Doubles
    slope: Doubles
    intercept: float

    def score(self, block: Block, valid: Mask, *, spread: bool) -> Scores:
        from prospect._kernels.evidence import add_lines

        total = np.where(valid, self.intercept, np.nan)
        add_lines(block, self.planes, self.fills, self.centre, self.divisor, self.slope, total)
        return _level(expit(total, out=total), valid, spread=spread)

    def contributions(self, block: Block, valid: Mask, groups: Groups) -> Block:
        from prospect._kernels.evidence import add_lines

        told = np.zeros((groups.total, *valid.shape))
        for total, own in zip(told, groups.parted(self.planes), strict=True):
            add_lines(
                block,
                self.planes[own],
                self.fills[own],
                self.centre[own],
                self.divisor[own],
                self.slope[own],
                total,
            )
        return np.where(valid, told, 0.0).astype(np.float32)


@dataclass(frozen=True)
class Steps(Part):
    """A logistic sum of weights, one for the class that a feature falls into; gaps weigh 0."""

    planes: Longs
    fills: Doubles
    edges: tuple[Doubles, ...]
    weights: tuple[Doubles, ...]
    intercept: float

    def score(self, block: Block, valid: Mask, *, spread: bool) -> Scores:
        total = np.where(valid, self.intercept, np.nan)
        self._add(block, np.arange(len(self.planes)), total)
        return _level(expit(total, out=total), valid, spread=spread)

    def contributions(self, block: Block, valid: Mask, groups: Groups) -> Block:
        told = np.zeros((groups.total, *valid.shape))
        for total, own in zip(told, groups.parted(self.planes), strict=True):
            self._add(block, own, total)
        return np.where(valid, told, 0.0).astype(np.float32)

    def _add(self, block: Block, own: Longs, total: Doubles) -> None:
        """Add the weights of some features."""
        from prospect._kernels.evidence import add_steps

        edges, weights = [self.edges[j] for j in own], [self.weights[j] for j in own]
        add_steps(
            block,
            self.planes[own],
            self.fills[own],
            np.concatenate([[], *edges]),
            np.cumsum([0, *(len(each) for each in edges)]),
            np.concatenate([[], *weights]),
            np.cumsum([0, *(len(each) for each in weights)]),
            total,
        )


@dataclass(frozen=True)
class Memberships(Part):
    """Fuzzy memberships of features, and the overlay that combines them."""

    planes: Longs
    fills: Doubles
    group: Longs
    shape: Longs
    low: Doubles
    high: Doubles
    floor: float
    overlay: Any

    def score(self, block: Block, valid: Mask, *, spread: bool) -> Scores:
        scores = np.empty(valid.shape)
        for top in range(0, len(scores), _ROWS):
            rows = slice(top, top + _ROWS)
            found = self._overlay(block[:, rows], np.arange(len(self.planes)))
            scores[rows] = self.overlay.overlaid(*found)
        scores[~valid] = np.nan
        return _level(scores, valid, spread=spread)

    def contributions(self, block: Block, valid: Mask, groups: Groups) -> Block:
        told = np.zeros((groups.total, *valid.shape), np.float32)
        for each, own in zip(told, groups.parted(self.planes), strict=True):
            # The sum of the logits of memberships: an even one says nothing.
            product, complement = self._overlay(block, own)[:2]
            each[valid] = (np.log(product) - np.log(complement))[valid]
        return told

    def _overlay(self, block: Block, own: Longs) -> Doubles:
        """What memberships of some features have in common."""
        from prospect._kernels.evidence import overlay

        found = np.empty((5, *block.shape[1:]))
        overlay(
            np.ascontiguousarray(block),
            self.planes[own],
            self.fills[own],
            self.group[own],
            self.shape[own],
            self.low[own],
            self.high[own],
            self.floor,
            found,
        )
        return found


_ROWS = 16
"""Rows of a block that are overlaid together: their memberships stay in near memory."""


@dataclass(frozen=True)
class Calibrated(Part):
    """What a part says, put on another scale cell by cell."""

    part: Part
    calibrator: Any

    def score(self, block: Block, valid: Mask, *, spread: bool) -> Scores:
        scores = self.part.score(block, valid, spread=False).likelihood
        if valid.any():
            scores[valid] = self.calibrator.predict(scores[valid])
        return _level(scores, valid, spread=spread)

    def contributions(self, block: Block, valid: Mask, groups: Groups) -> Block:
        return self.part.contributions(block, valid, groups)


@dataclass(frozen=True)
class Capped(Part):
    """What a part says over a share, at most 1."""

    part: Part
    share: float

    @property
    def fast(self) -> bool:  # type: ignore[override]
        """As the part."""
        return self.part.fast

    def score(self, block: Block, valid: Mask, *, spread: bool) -> Scores:
        scores = self.part.score(block, valid, spread=False).likelihood
        return _level(np.minimum(scores / self.share, 1), valid, spread=spread)

    def contributions(self, block: Block, valid: Mask, groups: Groups) -> Block:
        return self.part.contributions(block, valid, groups)


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
        return _level(weighted_ranks(scores, self.ranks, self.shares), valid, spread=spread)

    def contributions(self, block: Block, valid: Mask, groups: Groups) -> Block:
        told = np.zeros((groups.total, *valid.shape), np.float32)
        for part, share in zip(self.parts, self.shares, strict=True):
            # What parts add has no common scale: each says how its own is divided.
            own = part.contributions(block, valid, groups)
            whole = np.abs(own).sum(axis=0)
            told += np.float32(share) * own / np.where(whole > 0, whole, np.float32(1))
        return told


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
            return Scores(total, _NOTHING, _NOTHING)
        deviation = _deviation(total, squares / len(self.parts))
        inside = np.sqrt(inner / len(self.parts))
        if self.draws:
            return Scores(total, deviation, inside)
        return Scores(total, _none(valid), np.hypot(deviation, inside))

    def contributions(self, block: Block, valid: Mask, groups: Groups) -> Block:
        told = np.zeros((groups.total, *valid.shape), np.float32)
        for part in self.parts:
            told += part.contributions(block, valid, groups)
        told /= np.float32(len(self.parts))
        return told


@dataclass(frozen=True)
class MeanLine(Part):
    """The mean of many logistic sums of the same features."""

    bundle: Bundle

    def score(self, block: Block, valid: Mask, *, spread: bool) -> Scores:
        return _level(self.bundle.mean(block, valid), valid, spread=spread)

    def contributions(self, block: Block, valid: Mask, groups: Groups) -> Block:
        lines, count = self.bundle, len(self.bundle.planes)
        # Lines are added up: what the mean of them adds is the mean of what each adds.
        slope = lines.slopes.mean(axis=0)
        mean = Lines(lines.planes, lines.fills, lines.fills, np.ones(count), slope, 0.0)
        return mean.contributions(block, valid, groups)


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
        return Scores(mean, np.sqrt(variances.sum(axis=0)), _none(valid))

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


@dataclass(frozen=True)
class Encoded(Part):
    """A part that reads classes as shares, put behind the planes of the block."""

    part: Part
    encodings: tuple[Encoding, ...]

    @property
    def draws(self) -> int:  # type: ignore[override]
        """As the part."""
        return self.part.draws

    @property
    def members(self) -> int:  # type: ignore[override]
        """As the part."""
        return self.part.members

    def score(self, block: Block, valid: Mask, *, spread: bool) -> Scores:
        return self.part.score(self.extended(block), valid, spread=spread)

    def contributions(self, block: Block, valid: Mask, groups: Groups) -> Block:
        of = np.concatenate([groups.of, groups.of[[each.plane for each in self.encodings]]])
        return self.part.contributions(self.extended(block), valid, Groups(of, groups.total))

    def extended(self, block: Block) -> Block:
        """The block with a plane more for each encoding."""
        shares = [encoding.read(block[encoding.plane]) for encoding in self.encodings]
        return np.concatenate([block, np.stack(shares)])


class Encoding(NamedTuple):
    """What stands for every class code of a plane, and for codes that were never seen."""

    plane: int
    codes: Doubles
    shares: Doubles
    other: float

    def read(self, codes: NDArray[np.float32]) -> NDArray[np.float32]:
        """The shares of a plane of codes; gaps stay gaps."""
        at = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
        seen = self.codes[at] == codes
        found = np.where(seen, self.shares[at], self.other).astype(np.float32)
        found[np.isnan(codes)] = np.nan
        return found


@dataclass(frozen=True)
class Foreign(Part):
    """An estimator that is asked itself, a lattice block at a time, on one thread."""

    estimator: Any
    fast = False

    def score(self, block: Block, valid: Mask, *, spread: bool) -> Scores:
        out = np.full(valid.shape, np.nan)
        starts = (range(0, size, LATTICE) for size in valid.shape)
        with threadpool_limits(1):
            for row, col in product(*starts):
                here = slice(row, row + LATTICE), slice(col, col + LATTICE)
                inside = valid[here]
                if inside.any():
                    cells = np.ascontiguousarray(block[:, *here][:, inside].T)
                    out[here][inside] = likelihood(self.estimator, cells)
        return _level(out, valid, spread=spread)

    def contributions(self, block: Block, valid: Mask, groups: Groups) -> Block:
        raise ModelError(
            f"What drives a {type(self.estimator).__name__} cannot be told cell by cell: it can "
            "of trees, boosting, logistic regression and the learners of this package."
        )
