"""Classes as shares of deposits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import TargetEncoder


class ClassEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """
    Classes as the share of deposits among their training cells; gaps stay gaps.

    scikit-learn's ``TargetEncoder``, which does the counting, takes a gap for one more class,
    and would learn that cover is barren. Training cells are encoded from other parts of the
    training cells (cross fitting), so that a rare class does not give its labels away.
    Weights are not counted.

    Parameters
    ----------
    smooth : 'auto' or float
        How much the shares of rare classes are drawn to that of the whole.
    parts : int
        Of the training cells, for cross fitting.
    random_state : int
        Of the parts.
    """

    def __init__(self, smooth: float | str = "auto", parts: int = 5, random_state: int = 0) -> None:
        self.smooth = smooth
        self.parts = parts
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> ClassEncoder:
        """Learn the shares, of class codes of shape (n, k)."""
        self.encoder_ = self._counted(np.asarray(X, float), np.asarray(y))
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Encode cells; a class never seen gets the share of the whole."""
        return _shares(self.encoder_, np.asarray(X, float))

    def fit_transform(self, X: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Learn the shares, and encode the cells they were learnt from by cross fitting."""
        codes, labels = np.asarray(X, float), np.asarray(y)
        self.fit(codes, labels)
        parts = min(self.parts, int(np.unique(labels, return_counts=True)[1].min()))
        if parts < 2:
            return self.transform(codes)
        out = np.empty(codes.shape)
        folds = StratifiedKFold(parts, shuffle=True, random_state=self.random_state)
        for others, here in folds.split(codes, labels):
            out[here] = _shares(self._counted(codes[others], labels[others]), codes[here])
        return out

    def _counted(self, codes: NDArray[np.float64], labels: NDArray[Any]) -> TargetEncoder:
        return TargetEncoder(target_type="binary", smooth=self.smooth).fit(codes, labels)


def _shares(encoder: TargetEncoder, codes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(codes), np.nan, encoder.transform(codes))
