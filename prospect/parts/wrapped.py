"""Parts around a part: another scale, a cap, encoded classes; and what is asked itself."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from prospect.errors import ModelError
from prospect.grid import LATTICE
from prospect.learners import likelihood
from prospect.parts.part import Groups, Part, Scores, unspread
from prospect.trees import Block, Doubles, Mask


@dataclass(frozen=True)
class Calibrated(Part):
    """What a part says, put on another scale cell by cell."""

    part: Part
    calibrator: Any

    def score(self, block: Block, valid: Mask, *, spread: bool) -> Scores:
        scores = self.part.score(block, valid, spread=False).likelihood
        if valid.any():
            scores[valid] = self.calibrator.predict(scores[valid])
        return unspread(scores, valid, spread=spread)

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
        return unspread(np.minimum(scores / self.share, 1), valid, spread=spread)

    def contributions(self, block: Block, valid: Mask, groups: Groups) -> Block:
        return self.part.contributions(block, valid, groups)


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
        return unspread(out, valid, spread=spread)

    def contributions(self, block: Block, valid: Mask, groups: Groups) -> Block:
        raise ModelError(
            f"What drives a {type(self.estimator).__name__} cannot be told cell by cell: it can "
            "of trees, boosting, logistic regression and the learners of this package."
        )
