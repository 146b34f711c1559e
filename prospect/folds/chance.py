"""Folds drawn at random, which flatter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import BaseCrossValidator

from prospect.errors import LabelError


class RandomFolds(BaseCrossValidator):  # type: ignore[misc]
    """
    Folds drawn at random, deposits spread evenly: shown beside others, since they flatter.

    Parameters
    ----------
    n_splits : int
    random_state : int
    """

    # Coordinates may be handed to any splitter of this package; this one has no use for them.
    __metadata_request__split: ClassVar = {"groups": True}

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
