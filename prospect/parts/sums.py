"""Sums of evidence: logistic sums, weights of classes, fuzzy memberships."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from prospect.bundles import Bundle
from prospect.parts.part import Groups, Longs, Part, Scores, unspread
from prospect.trees import Block, Doubles, Mask

_ROWS = 16
"""Rows of a block that are overlaid together: their memberships stay in near memory."""


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
        return unspread(expit(total, out=total), valid, spread=spread)

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
class MeanLine(Part):
    """The mean of many logistic sums of the same features."""

    bundle: Bundle

    def score(self, block: Block, valid: Mask, *, spread: bool) -> Scores:
        return unspread(self.bundle.mean(block, valid), valid, spread=spread)

    def contributions(self, block: Block, valid: Mask, groups: Groups) -> Block:
        lines, count = self.bundle, len(self.bundle.planes)
        # Lines are added up: what the mean of them adds is the mean of what each adds.
        slope = lines.slopes.mean(axis=0)
        mean = Lines(lines.planes, lines.fills, lines.fills, np.ones(count), slope, 0.0)
        return mean.contributions(block, valid, groups)


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
        return unspread(expit(total, out=total), valid, spread=spread)

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
        return unspread(scores, valid, spread=spread)

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
