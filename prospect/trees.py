"""Decision trees as arrays, and their sums over blocks of cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from prospect.errors import ModelError

Doubles = NDArray[np.float64]
Block = NDArray[np.float32]
Mask = NDArray[np.bool_]

MOST_LEAVES = 65_535
"""Different values of one tree's leaves, more than which its own code must tell."""

NEAR_NODES = 2**17
"""Inner nodes that stay in a processor's near memory: beyond, 64 patches share a load."""


class Tree(NamedTuple):
    """
    A fitted tree, whoever fitted it; a leaf has no left child (-1).

    The value of a node that is no leaf is the mean of what was learnt there.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    plane: NDArray[np.int64]
    threshold: Doubles
    gaps_left: Mask
    fill: Doubles | None
    value: Doubles


@dataclass(frozen=True)
class Trees:
    """Trees as the kernel reads them, described there."""

    features: NDArray[np.int64]
    fills: NDArray[np.float32]
    nodes: NDArray[np.int32]
    roots: NDArray[np.int64]
    values: Doubles
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    gains: NDArray[np.float32]
    votes: bool

    def total(
        self, block: Block, valid: Mask, *, start: float = 0.0, squares: bool = False
    ) -> tuple[Doubles, Doubles, Doubles]:
        """
        Sum of the leaves' values tree after tree from ``start``, and of their squares.

        Where trees are parted into draws: of the draws' means, of their squares, and of the
        variances between the trees of a draw. What is not asked for, or not there, is empty.
        """
        # Numba is waited for only when trees are asked.
        from prospect._kernels.forest import add_trees

        total = np.full(valid.shape, np.nan)
        squared = np.full(valid.shape if squares else (0, 0), np.nan)
        inner = np.full(valid.shape if squares and self.ends.size else (0, 0), np.nan)
        add_trees(
            block,
            valid,
            self.features,
            self.fills,
            self.nodes,
            self.roots,
            self.values,
            self.starts,
            self.ends,
            self.votes,
            start,
            self._across,
            total,
            squared,
            inner,
        )
        return total, squared, inner

    @property
    def _across(self) -> int:
        """Patches a side that share a load of trees."""
        return 1 if len(self.nodes) <= 4 * NEAR_NODES else 8

    def contributions(
        self, block: Block, valid: Mask, groups: NDArray[np.int64], count: int
    ) -> NDArray[np.float32]:
        """
        What each of ``count`` groups of planes added to the sum of trees, from their roots on.

        At every node on a cell's way the change of the mean is put to the plane compared [1]_:
        of shape (group, rows, cols), 0 where not valid. Where trees are parted into draws,
        what was added to the mean of the draws.

        References
        ----------
        .. [1] Saabas (2014). Interpreting random forests. blog.datadive.net.
        """
        from prospect._kernels.attribution import attribute_trees

        out = np.zeros((count, *valid.shape), np.float32)
        attribute_trees(
            block,
            valid,
            self.features,
            self.fills,
            self.nodes,
            self.gains,
            self.roots,
            groups[self.features],
            self._across,
            out,
        )
        return out

    def by_level(
        self, block: Block, valid: Mask, levels: NDArray[np.int64], count: int
    ) -> tuple[Doubles, Doubles, Doubles]:
        """
        Sums that an analysis of variance takes.

        Parameters
        ----------
        block, valid
        levels : array of shape (factor, tree), int
            From 0 to ``count``.
        count : int

        Returns
        -------
        total, squares : array of shape (rows, cols)
            Sum over trees of what they say, to the bits of :meth:`total`, and of its square.
        squared_sums : array of shape (factor, rows, cols)
            Sums over the trees of each level, squared and added up.
        """
        from prospect._kernels.levels import add_levels

        total, squares = np.full((2, *valid.shape), np.nan)
        squared_sums = np.full((len(levels), *valid.shape), np.nan)
        add_levels(
            block,
            valid,
            self.features,
            self.fills,
            self.nodes,
            self.roots,
            self.values,
            self.starts,
            np.ascontiguousarray(levels),
            count,
            total,
            squares,
            squared_sums,
        )
        return total, squares, squared_sums


def pack(trees: Sequence[Tree], draws: Sequence[int] = ()) -> Trees | None:
    """
    Arrays for the kernel, or None if a tree has more different leaves than it can tell.

    ``draws`` parts the trees: how many each draw has, one after another.
    """
    from prospect._kernels.forest import BATCH

    sizes = np.array([len(tree.left) for tree in trees])
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    owner = np.repeat(np.arange(len(trees)), sizes)
    left, right = (
        np.concatenate(sides)
        for sides in zip(*((tree.left, tree.right) for tree in trees), strict=True)
    )
    leaf = left == -1
    inner = np.flatnonzero(~leaf)
    _require_downward(
        left[inner], right[inner], (np.arange(len(leaf)) - first[owner])[inner], sizes[owner][inner]
    )

    value = np.concatenate([tree.value for tree in trees])
    places, values, starts = _leaf_values(value[leaf], owner[leaf], len(trees))
    if places.max() > MOST_LEAVES:
        return None
    code = np.empty(len(leaf), np.int64)
    code[inner] = np.arange(len(inner))
    code[leaf] = np.where(places > 0, ~(owner[leaf] % BATCH << 16 | places), -1)

    features, fills, column, threshold = _columns(trees, inner)
    nodes = np.empty((len(inner), 4), np.int32)
    nodes[:, 0] = threshold.view(np.int32)
    nodes[:, 1] = 64 * column
    nodes[:, 2] = code[(left + first[owner])[inner]]
    nodes[:, 3] = code[(right + first[owner])[inner]]
    gains = np.stack([value[(side + first[owner])[inner]] - value[inner] for side in (left, right)])
    ends = np.zeros(len(trees) if draws else 0, np.int64)
    if draws:
        ends[np.cumsum(draws) - 1] = draws
        # A tree is one of its draw, and that one of the draws.
        gains /= len(draws) * np.repeat(draws, draws)[owner[inner]]
    told = np.ascontiguousarray(gains.T, np.float32).ravel()
    # Votes are counted over all trees, whatever their draw.
    votes = bool(np.isin(values, (0.0, 1.0)).all()) and not draws
    return Trees(features, fills, nodes.ravel(), code[first], values, starts, ends, told, votes)


def with_means(
    left: NDArray[np.int64], right: NDArray[np.int64], value: Doubles, count: NDArray[Any]
) -> Doubles:
    """The values of leaves, and above them the means of children by the cells they learnt from."""
    found, inner = value.copy(), np.flatnonzero(left != -1)
    _require_downward(left[inner], right[inner], inner, np.full(inner.size, left.size))
    for node in inner[::-1]:
        children = [left[node], right[node]]
        found[node] = np.average(found[children], weights=count[children])
    return found


def _require_downward(*arrays: NDArray[np.int64]) -> None:
    """A child that is not further down would be walked for ever."""
    left, right, node, size = arrays
    if not (np.minimum(left, right) > node).all() or not (np.maximum(left, right) < size).all():
        raise ModelError("A tree whose children lie further down was expected: train again.")


def _leaf_values(
    value: Doubles, owner: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64], Doubles, NDArray[np.int64]]:
    """Every leaf's place among the different values of its tree, which begin with 0."""
    value = np.concatenate([np.zeros(count), value])
    owner = np.concatenate([np.arange(count), owner])
    order = np.lexsort((value, value != 0.0, owner))
    value, owner = value[order], owner[order]
    new = np.ones(len(order), bool)
    new[1:] = (value[1:] != value[:-1]) | (owner[1:] != owner[:-1])
    number = np.cumsum(new) - 1
    starts = number[np.searchsorted(owner, np.arange(count))]
    places = np.empty(len(order), np.int64)
    places[order] = number - starts[owner]
    return places[count:], value[new], starts


def _columns(
    trees: Sequence[Tree], inner: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
    """
    Columns that nodes compare: planes, what fills their gaps, each node's column and threshold.

    Where all trees fill a plane's gaps with the same number, it is put there. Otherwise
    every node knows which way a gap goes, and a plane gives two columns at most.
    """
    plane = np.concatenate([tree.plane for tree in trees])[inner]
    exact = np.concatenate([tree.threshold for tree in trees])[inner]
    gaps_left = np.concatenate(
        [tree.gaps_left if tree.fill is None else tree.fill <= tree.threshold for tree in trees]
    )[inner]
    key, column = np.unique(2 * plane + gaps_left, return_inverse=True)
    features = key // 2
    fills = np.where(key % 2 == 1, -np.inf, np.nan).astype(np.float32)
    if all(tree.fill is not None for tree in trees):
        fill = np.concatenate([tree.fill for tree in trees if tree.fill is not None])[inner]
        planes, at, which = np.unique(plane, return_index=True, return_inverse=True)
        same = fill[at].astype(np.float32)
        if np.array_equal(same[which], fill):
            features, fills, column = planes, same, which
    # What is at most a threshold in float64 is at most the next float32 below it, and back.
    with np.errstate(over="ignore"):
        threshold = exact.astype(np.float32)
    high = threshold > exact
    threshold[high] = np.nextafter(threshold[high], np.float32(-np.inf))
    return features, fills, column, threshold
