"""A model: everything that is needed to score, and to be believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prospect.applicability import CLASSES, Applicability
from prospect.calibration import Calibration, Prior
from prospect.errors import ModelError
from prospect.features import FeatureBuilder
from prospect.ground import Ground
from prospect.labels import MIN_DEPOSITS
from prospect.model_file import (
    Contents,
    damage_as_sentence,
    read_model_file,
    write_model_file,
)
from prospect.signs import told

T = TypeVar("T")

MANY = 50
"""Deposits from which learning needs no knowledge beside it (METHODS: small numbers)."""

_TOLD = {
    "auc": "AUC",
    "auc_barren": "AUC against ground known to be barren",
    "capture_5%": "capture at 5 % of area",
}
"""Measures that the report tells of, where they were taken."""


@dataclass
class Model:
    """
    A fitted model with its evidence of quality.

    Attributes
    ----------
    commodity, title : str
    builder : FeatureBuilder
        The recipe with its statistics, and the layers it was fitted on.
    estimator : fitted classifier
    ground : Ground
        Area and permissive ground, which hold for the map as for training.
    samples : dict of str to array of shape (n,)
        The cells that were learnt from and tested on: x, y, label (1 deposit, 0 drawn
        background, -1 drawn only to measure), weight, group (-1 drawn, -2 known to be
        barren), fold, score (out of fold).
    measures : DataFrame
        Out-of-fold measures with intervals, a row a measure and folds.
    record : mapping
        Grid, counts, seeds, versions, input hashes and notes, as plain data; under
        ``doubts`` what held-out ground says of calibration, conformal sets and experience.
    calibration : Calibration, optional
        What scores mean, from pooled out-of-fold scores; None if there are none.
    prior : Prior, optional
        Deposits that the user holds likely beforehand.
    applicability : Applicability, optional
        Ground like what was learnt from; None without folds to say what was tested.
    """

    commodity: str
    title: str
    builder: FeatureBuilder
    estimator: Any
    ground: Ground
    samples: Mapping[str, NDArray[Any]]
    measures: pd.DataFrame
    record: Mapping[str, Any] = field(default_factory=dict)
    calibration: Calibration | None = None
    prior: Prior | None = None
    applicability: Applicability | None = None

    @property
    def feature_names(self) -> list[str]:
        """Names of the features, in the order the estimator reads them."""
        return self.builder.feature_names

    def save(self, path: Path | str) -> Path:
        """
        Write the model as one ``.prospect`` file.

        Raises
        ------
        ModelError
            If the estimator could not be loaded again.
        OutputError
            If the file cannot be written.
        """
        manifest = {
            "commodity": self.commodity,
            "title": self.title,
            "builder": self.builder.to_dict(),
            "ground": self.ground.to_dict(),
            "measures": self.measures.to_dict(orient="list"),
            "record": dict(self.record),
            "calibration": None if self.calibration is None else self.calibration.to_dict(),
            "prior": None if self.prior is None else vars(self.prior),
        }
        arrays: dict[str, NDArray[Any]] = {}
        if self.applicability is not None:
            manifest["applicability"], arrays = self.applicability.to_parts()
        return write_model_file(
            path, Contents(manifest, self.estimator, dict(self.samples), arrays)
        )

    def probability(self, likelihood: NDArray[np.float64]) -> NDArray[np.float64]:
        """
        Probability of a deposit in cells of some likelihood.

        Parameters
        ----------
        likelihood : array

        Returns
        -------
        array of the same shape
            NaN for NaN.

        Raises
        ------
        ModelError
            Without a prior, or without held-out scores to calibrate on; it says which.
        """
        if self.calibration is None or self.prior is None:
            raise ModelError(self.why_likelihood())
        return self.calibration.probability(likelihood, self.prior.per_cell)

    def why_likelihood(self) -> str:
        """Why the map is of likelihood and not of probability; empty if it may be either."""
        if self.calibration is None:
            return (
                "The score is a likelihood, not a probability: there are no held-out scores of "
                "known deposits to calibrate it by."
            )
        if self.prior is None:
            return (
                "The score is a likelihood, not a probability: how many deposits the ground "
                "holds cannot be known from known ones. State it with --prior or --expected."
            )
        return ""

    def quality(self) -> str:
        """The honest quality, in lines for people."""
        if self.measures.empty:
            return "not measured: that takes at least eight known deposits"
        lines = []
        for folds, table in self.measures.groupby("folds", sort=False):
            rows = table.set_index("measure")
            parts = []
            for measure, label in _TOLD.items():
                if measure not in rows.index:
                    continue
                row = rows.loc[measure]
                parts.append(f"{label} {row['value']:.2f} ({row['low']:.2f}–{row['high']:.2f})")
            lines.append(f"{folds}: " + ", ".join(parts))
        return "\n".join(lines)

    def report(self) -> str:
        """What was learnt from, how well it works, and what mattered, for people."""
        labels = dict(self.record.get("labels", {}))
        deposits = labels.pop("deposits", "?")
        counted = ", ".join(f"{count} {what}" for what, count in labels.items() if count)
        lines = [f"{self.title}: {deposits} known deposits" + (f" ({counted})" if counted else "")]
        lines += [f"  {note}" for note in self.record.get("notes", [])]
        missing = self.record.get("missing_rows", [])
        if missing:
            lines.append(f"  no layers for: {', '.join(missing)}")
        lines += self._learner()
        lines += self._sources()
        lines += ["Quality, on ground held out (intervals of 90 %):"]
        lines += [f"  {line}" for line in self.quality().splitlines()]
        lines += ["Doubts:", *(f"  {line}" for line in self.doubts())]
        last = self.estimator[-1] if hasattr(self.estimator, "steps") else self.estimator
        lines += told(self.record.get("contradicted", ()))
        held = np.flatnonzero(getattr(last, "contradicted_", []))
        if held.size:
            names = ", ".join(self.feature_names[j] for j in held)
            lines.append(f"Held at 0 by its sign, which the deposits contradict: {names}")
        leading = self.importances().head(8)
        if len(leading):
            parts = ", ".join(f"{name} {share:.0%}" for name, share in leading.items())
            lines.append(f"What counts most in the model: {parts}")
        return "\n".join(lines)

    def _sources(self) -> list[str]:
        """Which evidence, whose map, which year: a line a layer of which something is said."""
        lines = []
        for name, said in dict(self.record.get("inputs", {})).items():
            parts = [str(said[key]) for key in ("survey", "vintage") if key in said]
            if "source_scale" in said:
                parts.append(f"1:{float(said['source_scale']):,.0f}")
            if "confidence" in said:
                parts.append(f"confidence {float(said['confidence']):g}")
            if parts:
                lines.append(f"  {name} ({said['file']}): {', '.join(parts)}")
        return ["Whose maps the evidence is from:", *lines] if lines else []

    def _learner(self) -> list[str]:
        """Which learner it was, and which else there is for few deposits."""
        name, deposits = self.record.get("learner"), self.record.get("labels", {}).get("deposits")
        if name is None:
            return []
        few = isinstance(deposits, int) and MIN_DEPOSITS <= deposits < MANY
        offer = few and name not in ("blend", "fuzzy")
        return [
            f"  learner {name}"
            + (f"; below {MANY} deposits 'blend' sets it beside knowledge of the type" * offer)
        ]

    def doubts(self) -> list[str]:
        """What scores mean, what cannot be ruled out, and where the model may be believed."""
        found = dict(self.record.get("doubts", {}))
        lines = []
        if self.calibration is not None and "calibration_error" in found:
            before, after = found["calibration_error"]
            lines.append(
                f"calibrated by a {self.calibration.method} on held-out scores: error "
                f"{after:.2f} at even odds, folds judged by one another ({before:.2f} as scored)"
            )
        for kind, row in dict(found.get("coverage", {})).items():
            lines.append(
                f"conformal sets meant to hold {1 - found['alpha']:.0%} of {kind} cells hold "
                f"{row['coverage']:.0%} of them in blocks not seen ({row['single']:.0%} leave one "
                "answer only)"
            )
        if "applicable" in found:
            shares = [
                f"{share:.1%} {name}"
                for name, share in zip(CLASSES, found["applicable"], strict=True)
            ]
            lines.append(f"ground: {', '.join(shares)}")
        if "spread" in found:
            told = ", ".join(
                f"{name} {value:.3f}"
                for name, value in zip(
                    ("background", "deposits", "places"), found["spread"], strict=True
                )
            )
            lines.append(f"spread of the score over training draws, in the mean: {told}")
            if not any(found["spread"][2:]):
                lines.append("errors of the deposits' places are not in the spread")
        if self.prior is not None and self.calibration is not None:
            lines.append(f"{self.prior.told()}, {self.prior.per_cell:.2g} a cell")
            if "expected_in_best" in found:
                lines.append(
                    f"of them {found['expected_in_best']:.3g} in the best 5 % of the ground, by "
                    "calibrated scores"
                )
        else:
            lines.append(self.why_likelihood())
        return lines

    def importances(self) -> pd.Series:
        """How much each feature counts in the estimator itself, where it says so, in shares."""
        last = self.estimator[-1] if hasattr(self.estimator, "steps") else self.estimator
        values = getattr(last, "feature_importances_", None)
        if values is None:
            coefficients = getattr(last, "coef_", None)
            if coefficients is not None and np.any(coefficients[0]):
                values = np.abs(coefficients[0]) / np.abs(coefficients[0]).sum()
        if values is None or len(values) != len(self.feature_names):
            return pd.Series(dtype=float)
        return pd.Series(values, index=self.feature_names).sort_values(ascending=False)


def load_model(path: Path | str, *, any_version: bool = False) -> Model:
    """
    Read a model.

    Parameters
    ----------
    path : path
        A ``.prospect`` file.
    any_version : bool
        Take a model that another minor version of scikit-learn made, whose scores may
        differ.

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        If the file is no model, is damaged or tampered with, or another version made it.
    """
    contents = read_model_file(path, any_version=any_version)
    manifest = contents.manifest
    with damage_as_sentence(Path(path)):
        builder = FeatureBuilder.from_dict(manifest["builder"])
        _require_classifier(Path(path), contents.estimator, len(builder.feature_names))
        told = manifest.get("applicability")
        return Model(
            commodity=str(manifest["commodity"]),
            title=str(manifest["title"]),
            builder=builder,
            estimator=contents.estimator,
            ground=Ground.from_dict(manifest["ground"]),
            samples=contents.samples,
            measures=pd.DataFrame(manifest["measures"]),
            record=dict(manifest["record"]),
            calibration=_made(Calibration.from_dict, manifest["calibration"]),
            prior=_made(Prior.from_dict, manifest["prior"]),
            applicability=None
            if told is None
            else Applicability.from_parts(told, contents.applicability, len(builder.feature_names)),
        )


def _made(make: Callable[[Mapping[str, Any]], T], data: Mapping[str, Any] | None) -> T | None:
    return None if data is None else make(data)


def _require_classifier(path: Path, estimator: Any, features: int) -> None:
    classes = np.asarray(getattr(estimator, "classes_", ()))
    if not hasattr(estimator, "predict_proba") or list(classes) != [0, 1]:
        raise ModelError(f"{path} holds no classifier of deposits: train again.")
    if getattr(estimator, "n_features_in_", features) != features:
        raise ModelError(
            f"{path}: the estimator reads {estimator.n_features_in_} features, but the recipe "
            f"makes {features}: train again."
        )
