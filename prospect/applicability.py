"""Where a model may be believed: ground like what it learnt from, with its evidence known."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from prospect.errors import ModelError

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

CLASSES = ("applicable", "unlike the deposits", "outside experience", "evidence missing")
"""What may be said of a cell, the gravest last."""

MOST_POINTS = 500
"""Training cells that are remembered; every cell of a map is measured against each."""

MOST_MISSING = 0.05
"""Share of the importance that may be missing in a cell: more than one strong feature."""

_ALIKE = (
    "All training cells are alike in the features that count, so nothing can be said of how "
    "dissimilar others are."
)

_COMPARED = 5_000
"""Training cells whose distances from one another are measured."""

_ROWS = 512
_PARTS = ("planes", "centre", "scale", "points", "deposits", "importance")
_NUMBERS = ("mean_distance", "threshold", "deposit_threshold", "loss")


@dataclass(frozen=True, eq=False)
class Applicability:
    """
    Dissimilarity of cells to those that a model learnt from [1]_, and evidence they lack.

    Distances are between features in standard deviations of the training cells, times the
    importance of each feature. The dissimilarity index is the distance to the nearest
    training cell over the mean distance between training cells: 0 is a twin, 1 is as far
    as two training cells are on average. A gap counts as the training mean, as median
    filling does, which hides it; so what is missing is told apart.

    Attributes
    ----------
    planes : array of shape (d,)
        The features that count: of some importance, and not the same everywhere.
    centre, scale : array of shape (d,), float32
        What is taken off each of them, and what it is multiplied with.
    points, deposits : array of shape (n, d rounded up to 4), float32
        Training cells that are remembered, and the deposits, on scale.
    importance : array of shape (k,)
        Of all features; the sum is 1.
    mean_distance : float
        Between two training cells.
    threshold, deposit_threshold : float
        Largest index, outliers aside, that training cells (deposits) had to remembered
        ones (deposits) of other folds: beyond, the model was never tested.
    loss : float
        How far, in the mean, training cells are from those remembered, as an index.

    References
    ----------
    .. [1] Meyer and Pebesma (2021). Predicting into unknown space? Estimating the area of
       applicability of spatial prediction models. Methods in Ecology and Evolution 12.
    """

    planes: NDArray[np.int64]
    centre: NDArray[np.float32]
    scale: NDArray[np.float32]
    points: NDArray[np.float32]
    deposits: NDArray[np.float32]
    importance: Array
    mean_distance: float
    threshold: float
    deposit_threshold: float
    loss: float

    def dissimilarity(
        self, block: NDArray[Any], valid: Mask | None = None, *, deposits: bool = False
    ) -> NDArray[np.float32]:
        """
        The dissimilarity index.

        Parameters
        ----------
        block : array of shape (k, rows, cols)
        valid : array of shape (rows, cols), bool, optional
            Which cells; all when not given.
        deposits : bool
            Against known deposits alone, rather than all training cells.

        Returns
        -------
        array of shape (rows, cols), float32
            NaN where ``valid`` is false. The bits do not depend on how a map is cut into
            blocks.

        Raises
        ------
        ModelError
            If the block has another number of features.
        """
        from prospect._kernels.nearest import nearest_distance

        valid = self._require(block, valid)
        out = np.full(valid.shape, np.nan, np.float32)
        nearest_distance(
            np.ascontiguousarray(block, np.float32),
            np.ascontiguousarray(valid, bool),
            self.planes,
            self.centre,
            self.scale,
            self.deposits if deposits else self.points,
            out,
        )
        out /= np.float32(self.mean_distance)
        return out

    def local_density(self, block: NDArray[Any], valid: Mask | None = None) -> NDArray[np.float32]:
        """
        How many of the remembered training cells are within the threshold of each cell [2]_.

        Parameters
        ----------
        block, valid
            As of :meth:`dissimilarity`.

        Returns
        -------
        array of shape (rows, cols), float32
            0 is outside experience, 1 hangs on a single training cell. NaN where ``valid``
            is false.

        References
        ----------
        .. [2] Schumacher and others (2025). Assessing the area of applicability of spatial
           prediction models through a local data point density approach. Geoscientific Model
           Development 18.
        """
        from prospect._kernels.nearest import count_within

        valid = self._require(block, valid)
        out = np.full(valid.shape, np.nan, np.float32)
        count_within(
            np.ascontiguousarray(block, np.float32),
            np.ascontiguousarray(valid, bool),
            self.planes,
            self.centre,
            self.scale,
            self.points,
            np.float32(self.threshold * self.mean_distance),
            out,
        )
        return out

    def missing(self, block: NDArray[Any], valid: Mask | None = None) -> NDArray[np.float32]:
        """
        Share of the importance whose evidence is missing in each cell.

        Parameters
        ----------
        block, valid
            As of :meth:`dissimilarity`.

        Returns
        -------
        array of shape (rows, cols), float32
            NaN where ``valid`` is false.
        """
        valid = self._require(block, valid)
        share = np.zeros(valid.shape)
        for plane in np.flatnonzero(self.importance):
            share += self.importance[plane] * np.isnan(block[plane])
        return np.where(valid, share, np.nan).astype(np.float32)

    def classes(
        self,
        dissimilarity: NDArray[np.float32],
        of_deposits: NDArray[np.float32],
        missing: NDArray[np.float32],
    ) -> NDArray[np.uint8]:
        """
        What may be said of each cell.

        Parameters
        ----------
        dissimilarity, of_deposits, missing : array of shape (rows, cols)
            As the methods tell them: against training cells, against deposits alone, and
            what is missing.

        Returns
        -------
        array of shape (rows, cols), uint8
            Places in ``CLASSES``; 255 where there is no dissimilarity.
        """
        found = np.zeros(dissimilarity.shape, np.uint8)
        found[of_deposits > self.deposit_threshold] = 1
        found[dissimilarity > self.threshold] = 2
        found[missing > MOST_MISSING] = 3
        found[np.isnan(dissimilarity)] = 255
        return found

    def to_parts(self) -> tuple[dict[str, float], dict[str, NDArray[Any]]]:
        """Numbers and arrays that :meth:`from_parts` makes the same of."""
        return (
            {name: float(getattr(self, name)) for name in _NUMBERS},
            {name: getattr(self, name) for name in _PARTS},
        )

    @classmethod
    def from_parts(
        cls, numbers: Mapping[str, float], arrays: Mapping[str, NDArray[Any]], features: int
    ) -> Applicability:
        """
        Made again of what :meth:`to_parts` gave.

        Parameters
        ----------
        numbers, arrays : mapping
        features : int
            How many the model's recipe makes.

        Raises
        ------
        ModelError
            If they do not belong together.
        """
        parts: dict[str, Any] = {name: np.ascontiguousarray(arrays[name]) for name in _PARTS}
        parts |= {name: float(numbers[name]) for name in _NUMBERS}
        made = cls(**parts)
        used = made.planes.size
        wide = -(-used // 4) * 4
        fit = (
            made.planes.dtype == np.int64
            and {each.dtype for each in (made.centre, made.scale, made.points, made.deposits)}
            == {np.dtype(np.float32)}
            and made.importance.shape == (features,)
            and made.centre.shape == made.scale.shape == (used,)
            and made.points.ndim == made.deposits.ndim == 2
            and made.points.shape[1] == made.deposits.shape[1] == wide
            and min(len(made.points), len(made.deposits), used) > 0
            and int(made.planes.min()) >= 0
            and int(made.planes.max()) < features
        )
        if not fit:
            raise ModelError("The remembered training cells do not fit the features: train again.")
        return made

    def _require(self, block: NDArray[Any], valid: Mask | None) -> Mask:
        if block.ndim != 3 or block.shape[0] != self.importance.size:
            raise ModelError(
                f"A block of {self.importance.size} features in rows and columns was expected, "
                f"but one of shape {block.shape} came."
            )
        return np.ones(block.shape[1:], bool) if valid is None else valid


def applicability(
    features: NDArray[np.floating],
    importance: Array,
    fold: NDArray[np.int64],
    deposit: Mask,
    *,
    most: int = MOST_POINTS,
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
    most : int
        Training cells to remember: all deposits, however many, and as many others as are
        left. Each of those stands for a cluster of like cells, being the nearest to its
        middle.

    Returns
    -------
    Applicability

    Raises
    ------
    ModelError
        If importances do not fit, training cells are all alike, there are no deposits, or
        there is one fold only.
    """
    importance = np.asarray(importance, np.float64)
    if importance.shape != (features.shape[1],) or not (importance >= 0).all():
        raise ModelError(
            f"Importances of {features.shape[1]} features, none negative, were expected."
        )
    known = np.ma.masked_invalid(np.asarray(features, np.float64))
    mean, deviation = known.mean(axis=0).filled(0.0), known.std(axis=0).filled(0.0)
    planes = np.flatnonzero((deviation > 0) & (importance > 0))
    if not deposit.any():
        raise ModelError(
            "Without deposits nothing can be said of how dissimilar to them ground is."
        )
    if planes.size == 0:
        raise ModelError(_ALIKE)
    weight = importance / importance.sum()
    # What parts cells most is summed first: one that is too far is soon known to be.
    planes = planes[np.argsort(-weight[planes], kind="stable")]
    centre = mean[planes].astype(np.float32)
    scale = (weight[planes] / deviation[planes]).astype(np.float32)
    # In float32, as blocks are: a remembered cell is at no distance from itself.
    cells = np.nan_to_num((np.asarray(features, np.float32)[:, planes] - centre) * scale)
    some = cells[:: max(1, -(-len(cells) // _COMPARED))]
    total = sum(float(cdist(part, some).sum()) for part in _slices(some))
    distance = total / max(1, len(some) * (len(some) - 1))
    if not distance > 0:
        raise ModelError(_ALIKE)
    kept = _thinned(cells, deposit, most)
    loss = np.concatenate([cdist(part, cells[kept]).min(axis=1) for part in _slices(some)]).mean()
    return Applicability(
        planes,
        centre,
        scale,
        _rounded_up(cells[kept]),
        _rounded_up(cells[deposit]),
        weight,
        distance,
        _threshold(cells, fold, cells[kept], fold[kept]) / distance,
        _threshold(cells[deposit], fold[deposit], cells[deposit], fold[deposit]) / distance,
        float(loss) / distance,
    )


def _slices(cells: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    return [cells[start : start + _ROWS] for start in range(0, len(cells), _ROWS)]


def _rounded_up(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    """Points with columns of 0 behind, to a multiple of four, as the kernel takes them."""
    points = np.zeros((len(cells), -(-cells.shape[1] // 4) * 4), np.float32)
    points[:, : cells.shape[1]] = cells
    return points


def _thinned(cells: NDArray[np.float32], deposit: Mask, most: int) -> NDArray[np.int64]:
    """Training cells that are remembered: all deposits, and one of every cluster of others."""
    ours, others = np.flatnonzero(deposit), np.flatnonzero(~deposit)
    count = max(0, most - ours.size)
    if others.size <= count:
        return np.arange(len(cells))
    if count == 0:
        return ours
    different = len(np.unique(cells[others], axis=0))
    clusters = KMeans(min(count, different), n_init=1, max_iter=10, random_state=0)
    # Stopped early: what is wanted is one cell a neighbourhood, not the best of partitions.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        middles = clusters.fit(cells[others]).cluster_centers_
    nearest = np.unique(cdist(middles, cells[others]).argmin(axis=1))
    return np.sort(np.concatenate([ours, others[nearest]]))


def _threshold(
    cells: NDArray[np.float32],
    fold: NDArray[np.int64],
    kept: NDArray[np.float32],
    kept_fold: NDArray[np.int64],
) -> float:
    """The upper whisker of distances to the nearest remembered cell of other folds."""
    found = []
    for name in np.unique(fold[fold >= 0]):
        held, others = fold == name, kept_fold != name
        if others.any():
            found += [cdist(part, kept[others]).min(axis=1) for part in _slices(cells[held])]
    if not found or len(np.unique(fold[fold >= 0])) < 2:
        raise ModelError("Cells of at least two folds are needed to say what was tested.")
    values = np.concatenate(found)
    low, high = np.quantile(values, (0.25, 0.75))
    return float(values[values <= high + 1.5 * (high - low)].max())
