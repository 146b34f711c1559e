"""Square blocks of ground, held out whole: the default folds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prospect.errors import LabelError
from prospect.folds.spatial import Fold, SpatialFolds
from prospect.folds.variogram import block_size, residuals


class BlockFolds(SpatialFolds):
    """
    Hold out square blocks of ground, with a strip around them learnt from by no one.

    Neighbouring cells resemble each other, so folds drawn at random test a model on
    ground that it has all but seen [1]_.

    Parameters
    ----------
    size : float, metres, optional
        Side of a block. By default the range over which the first principal features
        resemble each other, and never less than :func:`block_size` allows.
    n_splits : int
    buffer : float, metres
        Training cells nearer than this to a held-out block are left out; as large as
        the largest focal window.
    random_state : int
        Shifts the blocks and deals them to folds.

    Attributes
    ----------
    size_ : float, metres
        The side that was used.

    References
    ----------
    .. [1] Roberts et al. (2017). Cross-validation strategies for data with temporal,
       spatial, hierarchical, or phylogenetic structure. Ecography 40.
    """

    def __init__(
        self,
        size: float | None = None,
        n_splits: int = 5,
        *,
        buffer: float = 0.0,
        random_state: int = 0,
    ) -> None:
        if size is not None and not 0 < size < np.inf:
            raise LabelError(f"A block's side is metres above 0, but {size:g} came.")
        self.size = size
        self.n_splits = n_splits
        self.buffer = buffer
        self.random_state = random_state

    def folds(
        self, X: Any, coordinates: NDArray[np.float64], positive: NDArray[np.bool_]
    ) -> Iterator[Fold]:
        """Blocks of some squares each; see :meth:`assign`."""
        blocks, fold = self.assign(coordinates, positive, X)
        for k in range(self.n_splits):
            held = fold == k
            train = ~held
            if self.buffer > 0:
                train &= ~self._near(coordinates, blocks, held)
            yield train, np.flatnonzero(held)

    def assign(
        self,
        coordinates: NDArray[np.float64],
        positive: NDArray[np.bool_],
        features: Any = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """
        The block and the fold of every sample.

        Blocks with deposits are dealt out so that folds hold about equally many of them;
        then the others, so that folds cover about equally much ground.

        Returns
        -------
        blocks : array of shape (n, 2), int
            Row and column of the block.
        fold : array of shape (n,), int
        """
        self.size_ = self.size or block_size(
            coordinates,
            None if features is None else np.asarray(features, float),
            positive,
            reach=self.buffer,
        )
        rng = np.random.default_rng(self.random_state)
        self.origin_ = rng.uniform(0, self.size_, 2)
        blocks = np.floor((coordinates - self.origin_) / self.size_).astype(np.int64)
        names, which = np.unique(blocks, axis=0, return_inverse=True)
        which = which.ravel()
        deposits = np.bincount(which, weights=positive, minlength=len(names))
        cells = np.bincount(which, minlength=len(names))
        occupied = int((deposits > 0).sum())
        if occupied < self.n_splits:
            raise LabelError(
                f"The deposits stand in {occupied} blocks of {self.size_ / 1000:g} km, too few "
                f"for {self.n_splits} folds that each hold one: use smaller blocks or fewer folds."
            )
        fold_of = np.empty(len(names), np.int64)
        load_deposits, load_cells = np.zeros(self.n_splits), np.zeros(self.n_splits)
        shuffled = rng.permutation(len(names))
        order = shuffled[np.argsort(-deposits[shuffled], kind="stable")]
        for block in order:
            load = load_deposits if deposits[block] else load_cells
            k = int(np.lexsort((load_cells, load))[0])
            fold_of[block] = k
            load_deposits[k] += deposits[block]
            load_cells[k] += cells[block]
        return blocks, fold_of[which]

    def _near(
        self,
        coordinates: NDArray[np.float64],
        blocks: NDArray[np.int64],
        held: NDArray[np.bool_],
    ) -> NDArray[np.bool_]:
        """Which samples lie within the buffer of a block that has held-out samples."""
        reach = int(np.ceil(self.buffer / self.size_))
        lowest = blocks.min(axis=0) - reach
        here = blocks - lowest
        taken = np.zeros(here.max(axis=0) + reach + 1, bool)
        taken[tuple(here[held].T)] = True
        # Metres to the edges of the sample's own block: west and south, east and north.
        below = coordinates - self.origin_ - blocks * self.size_
        near = held.copy()
        for step in np.ndindex(2 * reach + 1, 2 * reach + 1):
            aside = np.array(step) - reach
            further = self.size_ * np.maximum(np.abs(aside) - 1, 0)
            gap = np.where(aside < 0, below, np.where(aside > 0, self.size_ - below, 0.0))
            gap += further
            near |= (np.hypot(gap[:, 0], gap[:, 1]) < self.buffer) & taken[tuple((here + aside).T)]
        return near


def size_by_residuals(
    features: NDArray[np.float32],
    coordinates: NDArray[np.float64],
    positive: NDArray[np.bool_],
    *,
    reach: float = 0.0,
) -> float:
    """
    Side of blocks as far as what a plain model leaves unexplained hangs together.

    Parameters
    ----------
    features : array of shape (n, k)
        Of the samples that are learnt from.
    coordinates : array of shape (n, 2), metres
    positive : array of shape (n,), bool
    reach : float, metres
        The largest focal radius.

    Returns
    -------
    float, metres
        The range of the variogram of :func:`residuals` over the smallest blocks, within
        the bounds of :func:`block_size`.
    """
    smallest = BlockFolds(block_size(coordinates, None, positive, reach=reach))
    _, fold = smallest.assign(coordinates, positive)
    left = residuals(features, positive, fold)
    return block_size(coordinates, left, positive, reach=reach)
