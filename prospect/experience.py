"""How unlike the cells that were learnt from a cell is: where a model has no experience."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from prospect.errors import ModelError


@dataclass(frozen=True)
class Experience:
    """
    Cells a model was trained on, in features standardised and weighted by importance [1]_.

    Attributes
    ----------
    planes : array of shape (d,)
        The features that count: of some importance, and not the same everywhere.
    centre, scale : array of shape (d,), float32
        What is taken off each feature, and what it is multiplied with.
    points : array of shape (n, d rounded up to 4), float32
        The training cells, on scale.
    mean_distance : float
        Between two training cells.
    features : int
        How many a block has.

    References
    ----------
    .. [1] Meyer and Pebesma (2021). Predicting into unknown space? Estimating the area of
       applicability of spatial prediction models. Methods in Ecology and Evolution 12(9).
    """

    planes: NDArray[np.int64]
    centre: NDArray[np.float32]
    scale: NDArray[np.float32]
    points: NDArray[np.float32]
    mean_distance: float
    features: int

    @classmethod
    def of(cls, features: NDArray[Any], importance: NDArray[Any] | None = None) -> Experience:
        """
        Remember training cells.

        Parameters
        ----------
        features : array of shape (n, k)
            Gaps are taken as the feature's mean.
        importance : array of shape (k,), optional
            Not negative; the same for all when not given.

        Raises
        ------
        ModelError
            If no two cells differ in a feature of some importance.
        """
        weight = np.ones(features.shape[1]) if importance is None else np.asarray(importance, float)
        if weight.shape != features.shape[1:] or not (weight >= 0).all():
            raise ModelError(
                f"An importance of {features.shape[1]} features was expected, none below 0."
            )
        known = np.ma.masked_invalid(np.asarray(features, np.float64))
        mean, deviation = known.mean(axis=0).filled(0.0), known.std(axis=0).filled(0.0)
        planes = np.flatnonzero((deviation > 0) & (weight > 0))
        if planes.size == 0:
            raise ModelError("Training cells that differ in some feature were expected.")
        centre = mean[planes].astype(np.float32)
        scale = (weight[planes] / deviation[planes]).astype(np.float32)
        # In float32, as blocks are: a training cell is at no distance from itself.
        cells = (known.filled(np.nan)[:, planes].astype(np.float32) - centre) * scale
        points = np.zeros((len(cells), -(-len(planes) // 4) * 4), np.float32)
        points[:, : len(planes)] = np.nan_to_num(cells)
        mean_distance = float(pdist(points).mean())
        return cls(planes, centre, scale, points, mean_distance, features.shape[1])

    def dissimilarity(
        self, block: NDArray[np.float32], valid: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float32]:
        """
        Distance to the nearest training cell, over the mean distance between training cells.

        Parameters
        ----------
        block : array of shape (k, rows, cols)
            Gaps are taken as the mean of the training cells.
        valid : array of shape (rows, cols), bool, optional
            Which cells; all when not given.

        Returns
        -------
        array of shape (rows, cols), float32
            0 at training cells, about 1 as far from them as they are from one another. NaN
            where ``valid`` is false. The bits do not depend on how a map is cut into blocks.

        Raises
        ------
        ModelError
            If the block has another number of features.
        """
        from prospect._kernels.nearest import nearest_distance

        if block.ndim != 3 or block.shape[0] != self.features:
            raise ModelError(
                f"A block of {self.features} features in rows and columns was expected, but one "
                f"of shape {block.shape} came."
            )
        valid = np.ones(block.shape[1:], bool) if valid is None else valid
        out = np.full(valid.shape, np.nan, np.float32)
        # What parts points most is summed first: a point that is too far is soon known to be.
        wide = np.argsort(-self.points.var(axis=0), kind="stable")
        first = wide[wide < len(self.planes)]
        nearest_distance(
            np.ascontiguousarray(block, np.float32),
            np.ascontiguousarray(valid, bool),
            self.planes[first],
            self.centre[first],
            self.scale[first],
            np.ascontiguousarray(self.points[:, wide]),
            out,
        )
        out /= np.float32(self.mean_distance)
        return out
