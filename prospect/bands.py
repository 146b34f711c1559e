"""What a model says of every cell, as bands of a map: the likelihood, and the doubts about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prospect.errors import ModelError
from prospect.inference import Predictor, compile_estimator
from prospect.learners import single_threaded
from prospect.model import Model

CLASS_GAP = 255
"""Of bands of classes, where the ground does not count."""


@dataclass(frozen=True)
class Band:
    """
    One band of a map.

    Attributes
    ----------
    name : str
        As ``--bands`` takes it.
    content : str
        What it says, in a few words.
    unit : str
    classes : tuple of str, optional
        Names of the values 0, 1, 2…, of a band of classes (byte, 255 a gap). Bands of
        numbers (float32, NaN a gap) have none.
    """

    name: str
    content: str
    unit: str = "1"
    classes: tuple[str, ...] | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """How its values are kept."""
        return np.dtype(np.float32 if self.classes is None else np.uint8)

    @property
    def gap(self) -> float:
        """Its value where the ground does not count."""
        return float("nan") if self.classes is None else CLASS_GAP

    def empty(self, shape: tuple[int, int]) -> NDArray[Any]:
        """Nothing but gaps."""
        return np.full(shape, self.gap, self.dtype)


LIKELIHOOD = Band("likelihood", "a relative score from 0 to 1, not a probability")
SPREAD = Band("spread", "standard deviation of the likelihood between draws")


@dataclass(frozen=True)
class BandMaker:
    """
    Makes bands of blocks of features; made by :func:`compile_bands`.

    It can be pickled, and used by several threads at a time.

    Attributes
    ----------
    bands : tuple of Band
    """

    bands: tuple[Band, ...]
    predictor: Predictor

    def compute(
        self, features: NDArray[np.float32], valid: NDArray[np.bool_]
    ) -> Mapping[str, NDArray[Any]]:
        """
        The bands of one block.

        Parameters
        ----------
        features : array of shape (feature, rows, cols)
        valid : array of shape (rows, cols), bool
            The cells that are asked for.

        Returns
        -------
        mapping of str to array of shape (rows, cols)
            By name, in the order of ``bands``, of each band's type; its gap where ``valid``
            is false.
        """
        made: dict[str, NDArray[Any]] = {}
        wanted = {band.name for band in self.bands}
        if "spread" in wanted:
            made["likelihood"], made["spread"] = self.predictor.predict_with_spread(features, valid)
        else:
            made["likelihood"] = self.predictor.predict(features, valid)
        return {band.name: made[band.name].astype(band.dtype, copy=False) for band in self.bands}


def bands_of(model: Model) -> dict[str, Band]:
    """The bands that a model can make, by name."""
    return {band.name: band for band in _offered(_predictor(model))}


def compile_bands(model: Model, names: Sequence[str] | None = None) -> BandMaker:
    """
    Make a model ready to be asked for bands, block by block.

    Parameters
    ----------
    model : Model
    names : sequence of str, optional
        Bands, in the order wanted; by default all that the model can make.

    Returns
    -------
    BandMaker

    Raises
    ------
    ModelError
        If the model cannot make one of them.
    """
    predictor = _predictor(model)
    offered = {band.name: band for band in _offered(predictor)}
    for name in names or ():
        if name not in offered:
            raise ModelError(f"This model has no band '{name}'; it can make {', '.join(offered)}.")
    chosen = tuple(offered) if names is None else tuple(dict.fromkeys(names))
    return BandMaker(tuple(offered[name] for name in chosen), predictor)


def _predictor(model: Model) -> Predictor:
    return compile_estimator(single_threaded(model.estimator))


def _offered(predictor: Predictor) -> list[Band]:
    return [LIKELIHOOD, SPREAD] if predictor.draws else [LIKELIHOOD]
