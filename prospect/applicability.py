"""Where a model may be believed: ground that resembles what it learnt from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist

from prospect.errors import ModelError

Array = NDArray[np.float64]

_ROWS = 512


@dataclass(frozen=True)
class Applicability:
    """
    Dissimilarity of cells to those that a model learnt from [1]_.

    Distances are between features in standard deviations of the training cells, times the
    importance of each feature. The dissimilarity index is the distance to the nearest
    training cell over the mean distance between training cells: 0 is a twin, 1 is as far
    as two training cells are on average.

    Attributes
    ----------
    mean, scale, importance : array of shape (k,)
        Of the features.
    mean_distance : float
        Between two training cells.
    threshold, deposit_threshold : float
        Largest index, outliers aside, that training cells (deposits) had to those of other
        folds: beyond, the model was never tested.

    References
    ----------
    .. [1] Meyer and Pebesma (2021). Predicting into unknown space? Estimating the area of
       applicability of spatial prediction models. Methods in Ecology and Evolution 12.
    """

    mean: Array
    scale: Array
    importance: Array
    mean_distance: float
    threshold: float
    deposit_threshold: float
    training: KDTree
    deposits: KDTree

    def dissimilarity(self, features: NDArray[np.floating], *, deposits: bool = False) -> Array:
        """
        The dissimilarity index.

        Parameters
        ----------
        features : array of shape (n, k)
        deposits : bool
            Against known deposits alone, rather than all training cells.

        Returns
        -------
        array of shape (n,)
            A gap counts as the training mean, as median filling does; see
            :meth:`known_share`. NaN where nothing is known.
        """
        tree = self.deposits if deposits else self.training
        found, _ = tree.query(_scaled(features, self.mean, self.scale, self.importance))
        nothing = np.isnan(features).all(axis=1)
        index: Array = np.where(nothing, np.nan, found / self.mean_distance)
        return index

    def applicable(
        self, features: NDArray[np.floating], *, deposits: bool = False
    ) -> NDArray[np.bool_]:
        """Whether cells lie within the threshold; False where nothing is known."""
        limit = self.deposit_threshold if deposits else self.threshold
        within: NDArray[np.bool_] = self.dissimilarity(features, deposits=deposits) <= limit
        return within

    def known_share(self, features: NDArray[np.floating]) -> Array:
        """Share of the importance that is known in each cell, of shape (n,)."""
        share: Array = (~np.isnan(features) @ self.importance) / self.importance.sum()
        return share


def applicability(
    features: NDArray[np.floating],
    importance: Array,
    fold: NDArray[np.int64],
    deposit: NDArray[np.bool_],
) -> Applicability:
    """
    Learn how dissimilar ground may be before a model is beyond what it was tested on.

    Parameters
    ----------
    features : array of shape (n, k)
        Of the training cells.
    importance : array of shape (k,)
        Not negative; features of importance 0 do not count.
    fold : array of shape (n,), int
        In which a cell was held out; -1 for never.
    deposit : array of shape (n,), bool

    Returns
    -------
    Applicability

    Raises
    ------
    ModelError
        If importances do not fit, training cells are all alike, or there is one fold only.
    """
    importance = np.asarray(importance, np.float64)
    if importance.shape != (features.shape[1],) or not (importance >= 0).all():
        raise ModelError(
            f"Importances of {features.shape[1]} features, none negative, were expected."
        )
    known = ~np.isnan(features)
    count = np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, features, 0).astype(float)
    mean = filled.sum(axis=0) / count
    scale = np.sqrt((np.where(known, filled - mean, 0) ** 2).sum(axis=0) / np.maximum(count - 1, 1))
    cells = _scaled(features, mean, scale, importance)
    total = sum(
        float(cdist(cells[start : start + _ROWS], cells).sum())
        for start in range(0, len(cells), _ROWS)
    )
    distance = total / max(1, len(cells) * (len(cells) - 1))
    if not distance > 0:
        raise ModelError(
            "All training cells are alike in the features that count, so nothing can be said of "
            "how dissimilar others are."
        )
    return Applicability(
        mean,
        scale,
        importance,
        distance,
        _threshold(cells, fold) / distance,
        _threshold(cells[deposit], fold[deposit]) / distance,
        KDTree(cells),
        KDTree(cells[deposit]),
    )


def _scaled(features: NDArray[np.floating], mean: Array, scale: Array, importance: Array) -> Array:
    """Features in standard deviations times importance; gaps and constants are 0."""
    scaled = (features - mean) / np.where(scale > 0, scale, np.inf) * importance
    found: Array = np.nan_to_num(scaled, nan=0.0)
    return found


def _threshold(cells: Array, fold: NDArray[np.int64]) -> float:
    """The upper whisker of distances to the nearest cell of other folds."""
    found = []
    for name in np.unique(fold[fold >= 0]):
        held = fold == name
        if not held.all():
            found.append(KDTree(cells[~held]).query(cells[held])[0])
    if not found:
        raise ModelError("Cells of at least two folds are needed to say what was tested.")
    values = np.concatenate(found)
    low, high = np.quantile(values, (0.25, 0.75))
    return float(values[values <= high + 1.5 * (high - low)].max())
