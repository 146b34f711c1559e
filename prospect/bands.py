"""What a model says of every cell, as bands of a map: the likelihood, and the doubts about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prospect.applicability import CLASSES, Applicability
from prospect.calibration import Calibration, Prior
from prospect.errors import ModelError
from prospect.evidence import evidence_groups
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
PROBABILITY = Band("probability", "probability that a cell holds a deposit, given the prior")
SPREAD = Band("spread", "standard deviation of the likelihood between draws")
PARTS = (
    Band("spread_negatives", "part of the spread: other background to learn from"),
    Band("spread_model", "part of the spread: other deposits found so far, drawn again"),
    Band("spread_data", "part of the spread: deposits placed elsewhere, within their error"),
)
"""In the order that training draws tell their variances; squares add up to that of the spread.

The data part is of the deposits' places alone: errors of the layers are not in it."""

DISSIMILARITY = Band(
    "dissimilarity", "unlikeness to the training cells; 1 as they among themselves"
)
DISSIMILARITY_DEPOSITS = Band("dissimilarity_deposits", "unlikeness to the known deposits")
DENSITY = Band("local_density", "training cells as near as the model was tested", "cells")
MISSING = Band("missing", "share of the importance whose evidence is missing")
APPLICABLE = Band("applicable", "whether the model may be believed", "class", CLASSES)

DRIVER = Band("driver", "evidence that raises the score most", "class")
"""Its classes are the model's own groups of evidence, and none."""

NOTHING_SPEAKS = "nothing speaks for it"

USUAL = ("probability", "likelihood", "spread", "dissimilarity", "applicable", "driver")
"""What is mapped unless something else is asked for; likelihood if there is no probability."""


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
    calibration: Calibration | None = None
    prior: Prior | None = None
    applicability: Applicability | None = None
    groups: NDArray[np.int64] | None = None

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
        made.update(self._scores(features, valid, wanted))
        if self.applicability is not None:
            made.update(_experience(self.applicability, features, valid, wanted))
        if DRIVER.name in wanted and self.groups is not None:
            made[DRIVER.name] = self.predictor.drivers(features, valid, self.groups)
        return {band.name: made[band.name].astype(band.dtype, copy=False) for band in self.bands}

    def _scores(
        self, features: NDArray[np.float32], valid: NDArray[np.bool_], wanted: set[str]
    ) -> dict[str, NDArray[Any]]:
        made: dict[str, NDArray[Any]] = {}
        if wanted & {part.name for part in PARTS}:
            likelihood, variances = self.predictor.predict_with_variances(features, valid)
            made["spread"] = np.sqrt(variances.sum(axis=0))
            made.update(zip((part.name for part in PARTS), np.sqrt(variances), strict=True))
        elif "spread" in wanted:
            likelihood, made["spread"] = self.predictor.predict_with_spread(features, valid)
        elif wanted & {"likelihood", "probability"}:
            likelihood = self.predictor.predict(features, valid)
        else:
            return made
        made["likelihood"] = likelihood
        if "probability" in wanted and self.calibration is not None and self.prior is not None:
            made["probability"] = self.calibration.probability(likelihood, self.prior.per_cell)
        return made


def bands_of(model: Model) -> dict[str, Band]:
    """The bands that a model can make, by name."""
    return {band.name: band for band in _offered(model, _predictor(model))}


def compile_bands(model: Model, names: Sequence[str] | None = None) -> BandMaker:
    """
    Make a model ready to be asked for bands, block by block.

    Parameters
    ----------
    model : Model
    names : sequence of str, optional
        Bands, in the order wanted; ``["all"]`` for all that the model can make. By default
        those of ``USUAL``, and no likelihood beside probability.

    Returns
    -------
    BandMaker

    Raises
    ------
    ModelError
        If the model cannot make one of them.
    """
    predictor = _predictor(model)
    offered = {band.name: band for band in _offered(model, predictor)}
    if names is not None and list(names) == ["all"]:
        names = list(offered)
    for name in names or ():
        if name not in offered:
            why = f" {model.why_likelihood()}" if name == PROBABILITY.name else ""
            raise ModelError(
                f"This model has no band '{name}'; it can make {', '.join(offered)}.{why}"
            )
    if names is None:
        names = [name for name in USUAL if name in offered]
        if PROBABILITY.name in offered:
            names.remove(LIKELIHOOD.name)
    return BandMaker(
        tuple(offered[name] for name in dict.fromkeys(names)),
        predictor,
        model.calibration,
        model.prior,
        model.applicability,
        evidence_groups(model.builder).of,
    )


def _predictor(model: Model) -> Predictor:
    return compile_estimator(single_threaded(model.estimator))


def _offered(model: Model, predictor: Predictor) -> list[Band]:
    offered = [LIKELIHOOD]
    if model.calibration is not None and model.prior is not None:
        offered.append(PROBABILITY)
    if predictor.draws:
        offered.append(SPREAD)
    if predictor.tells_variances:
        offered += PARTS
    if model.applicability is not None:
        offered += [DISSIMILARITY, DISSIMILARITY_DEPOSITS, DENSITY, MISSING, APPLICABLE]
    if predictor.fast:
        names = evidence_groups(model.builder).names
        offered.append(replace(DRIVER, classes=(*names, NOTHING_SPEAKS)))
    return offered


def _experience(
    known: Applicability,
    features: NDArray[np.float32],
    valid: NDArray[np.bool_],
    wanted: set[str],
) -> dict[str, NDArray[Any]]:
    """Bands that do not look at the score; each distance is measured once."""
    made: dict[str, NDArray[Any]] = {}
    classed = APPLICABLE.name in wanted
    if classed or DISSIMILARITY.name in wanted:
        made[DISSIMILARITY.name] = known.dissimilarity(features, valid)
    if classed or DISSIMILARITY_DEPOSITS.name in wanted:
        made[DISSIMILARITY_DEPOSITS.name] = known.dissimilarity(features, valid, deposits=True)
    if classed or MISSING.name in wanted:
        made[MISSING.name] = known.missing(features, valid)
    if classed:
        made[APPLICABLE.name] = known.classes(*made.values())
    if DENSITY.name in wanted:
        made[DENSITY.name] = known.local_density(features, valid)
    return made
