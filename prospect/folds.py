"""Spatial folds as scikit-learn splitters: ground that was learnt from is not tested on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import BaseCrossValidator

from prospect.errors import LabelError


class BlockFolds(BaseCrossValidator):  # type: ignore[misc]
    """
    Hold out square blocks of ground, with a strip around them learnt from by no one.

    Neighbouring cells resemble each other, so folds drawn at random test a model on
    ground that it has all but seen [1]_.

    Parameters
    ----------
    size : float, metres
        Side of a block; no smaller than the range of the residuals.
    n_splits : int
    buffer : float, metres
        Training cells nearer than this to a held-out block are left out; as large as
        the largest focal window.
    random_state : int
        Shifts the blocks and deals them to folds.

    References
    ----------
    .. [1] Roberts et al. (2017). Cross-validation strategies for data with temporal,
       spatial, hierarchical, or phylogenetic structure. Ecography 40.
    """

    def __init__(
        self,
        size: float = 40_000.0,
        n_splits: int = 5,
        *,
        buffer: float = 0.0,
        random_state: int = 0,
    ) -> None:
        self.size = size
        self.n_splits = n_splits
        self.buffer = buffer
        self.random_state = random_state

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of folds."""
        return self.n_splits

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """
        Indices of training and held-out samples, fold by fold.

        Parameters
        ----------
        X : array of shape (n, ...)
            Only its length counts.
        y : array of shape (n,)
            1 for deposits, 0 for background.
        groups : array of shape (n, 2)
            Coordinates x and y in metres.

        Raises
        ------
        LabelError
            If a fold would hold no deposit, or leave none to learn from.
        """
        coordinates, positive = _checked(groups, y)
        blocks, fold = self.assign(coordinates, positive)
        for k in range(self.n_splits):
            held = fold == k
            train = ~held
            if self.buffer > 0:
                train &= ~self._near(coordinates, np.unique(blocks[held], axis=0))
            if not positive[train].any():
                raise LabelError(
                    f"With blocks of {self.size / 1000:g} km and a buffer of "
                    f"{self.buffer / 1000:g} km, no deposit is left to learn from when fold "
                    f"{k + 1} is held out: use smaller blocks or fewer folds."
                )
            yield np.flatnonzero(train), np.flatnonzero(held)

    def assign(
        self, coordinates: NDArray[np.float64], positive: NDArray[np.bool_]
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
        rng = np.random.default_rng(self.random_state)
        self.origin_ = rng.uniform(0, self.size, 2)
        blocks = np.floor((coordinates - self.origin_) / self.size).astype(np.int64)
        names, which = np.unique(blocks, axis=0, return_inverse=True)
        which = which.ravel()
        deposits = np.bincount(which, weights=positive, minlength=len(names))
        cells = np.bincount(which, minlength=len(names))
        occupied = int((deposits > 0).sum())
        if occupied < self.n_splits:
            raise LabelError(
                f"The deposits stand in {occupied} blocks of {self.size / 1000:g} km, too few "
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

    def _near(self, coordinates: NDArray[np.float64], held: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which samples lie within the buffer of some blocks."""
        near = np.zeros(len(coordinates), bool)
        low = self.origin_ + held * self.size
        for corner in low:
            gap = np.maximum(corner - coordinates, coordinates - (corner + self.size))
            near |= np.hypot(*np.maximum(gap, 0).T) < self.buffer
        return near


class RandomFolds(BaseCrossValidator):  # type: ignore[misc]
    """
    Folds drawn at random, deposits spread evenly: shown beside others, since they flatter.

    Parameters
    ----------
    n_splits : int
    random_state : int
    """

    def __init__(self, n_splits: int = 5, *, random_state: int = 0) -> None:
        self.n_splits = n_splits
        self.random_state = random_state

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of folds."""
        return self.n_splits

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Indices of training and held-out samples, fold by fold."""
        positive = np.asarray(y) == 1
        rng = np.random.default_rng(self.random_state)
        fold = np.empty(positive.size, np.int64)
        for kind in (positive, ~positive):
            fold[kind] = rng.permutation(int(kind.sum())) % self.n_splits
        if positive.sum() < self.n_splits:
            raise LabelError(f"{int(positive.sum())} deposits cannot fill {self.n_splits} folds.")
        for k in range(self.n_splits):
            yield np.flatnonzero(fold != k), np.flatnonzero(fold == k)


def _checked(groups: Any, y: Any) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    if groups is None or y is None:
        raise LabelError(
            "Spatial folds need y (1 for deposits) and groups (coordinates of shape (n, 2))."
        )
    coordinates = np.asarray(groups, float)
    positive = np.asarray(y) == 1
    if coordinates.shape != (positive.size, 2) or not np.isfinite(coordinates).all():
        raise LabelError(
            f"groups are finite coordinates of shape ({positive.size}, 2), but "
            f"{coordinates.shape} came."
        )
    return coordinates, positive
