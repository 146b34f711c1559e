"""What all spatial folds share: coordinates as groups, deposits in every fold, a purged strip."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree
from sklearn.model_selection import BaseCrossValidator

from prospect.errors import LabelError

Fold = tuple[NDArray[np.bool_], NDArray[np.int64]]


class SpatialFolds(BaseCrossValidator):  # type: ignore[misc]
    """
    Base of splitters that hold out ground.

    A splitter of this kind fills :meth:`folds`; this class checks what comes in and that
    every fold holds a deposit and leaves one to learn from.
    """

    # Where metadata are routed, coordinates reach every splitter without being asked for.
    __metadata_request__split: ClassVar = {"groups": True}

    n_splits: int

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
            Features; most splitters only count them.
        y : array of shape (n,)
            1 for deposits, 0 for ground.
        groups : array of shape (n, 2)
            Coordinates x and y in metres.

        Raises
        ------
        LabelError
            If a fold would hold no deposit, or leave none to learn from.
        """
        coordinates, positive = checked(groups, y)
        for k, (train, held) in enumerate(self.folds(X, coordinates, positive)):
            if not positive[held].any():
                raise LabelError(f"Fold {k + 1} of {self} holds no deposit: use fewer folds.")
            if not positive[train].any():
                raise LabelError(
                    f"With {self}, no deposit is left to learn from when fold {k + 1} is held "
                    "out: use smaller blocks, a smaller buffer or fewer folds."
                )
            yield np.flatnonzero(train), held

    @abstractmethod
    def folds(
        self, X: Any, coordinates: NDArray[np.float64], positive: NDArray[np.bool_]
    ) -> Iterator[Fold]:
        """A mask of what may be learnt from and the indices held out, fold by fold."""


def checked(groups: Any, y: Any) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """
    Coordinates of shape (n, 2) and which samples are deposits.

    Raises
    ------
    LabelError
        If either is missing, or they do not fit.
    """
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


def nearest(
    points: NDArray[np.float64], coordinates: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Distance to the nearest of some points, and which it is, for coordinates (n, 2)."""
    distance, which = KDTree(points).query(coordinates)
    return np.asarray(distance), np.asarray(which, np.int64)


def purged(
    train: NDArray[np.bool_],
    coordinates: NDArray[np.float64],
    held: NDArray[np.float64],
    buffer: float,
) -> NDArray[np.bool_]:
    """What may be learnt from, less what lies within the buffer of held-out points."""
    if buffer <= 0:
        return train
    gap, _ = KDTree(held).query(coordinates[train], distance_upper_bound=buffer)
    kept = train.copy()
    kept[train] = np.isinf(gap)
    return kept
