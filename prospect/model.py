"""A model: everything that is needed to score, and to be believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prospect.errors import ModelError
from prospect.features import FeatureBuilder
from prospect.ground import Ground
from prospect.model_file import (
    Contents,
    damage_as_sentence,
    read_model_file,
    write_model_file,
)

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
        Grid, counts, seeds, versions, input hashes and notes, as plain data.
    """

    commodity: str
    title: str
    builder: FeatureBuilder
    estimator: Any
    ground: Ground
    samples: Mapping[str, NDArray[Any]]
    measures: pd.DataFrame
    record: Mapping[str, Any] = field(default_factory=dict)

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
        }
        return write_model_file(path, Contents(manifest, self.estimator, dict(self.samples)))

    def quality(self) -> str:
        """The honest quality, in lines for people."""
        if self.measures.empty:
            return "not measured: that takes at least eight known deposits"
        lines = []
        for folds, table in self.measures.groupby("folds", sort=False):
            told = table.set_index("measure")
            parts = []
            for measure, label in _TOLD.items():
                if measure not in told.index:
                    continue
                row = told.loc[measure]
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
        lines += self._sources()
        lines += ["Quality, on ground held out (intervals of 90 %):"]
        lines += [f"  {line}" for line in self.quality().splitlines()]
        last = self.estimator[-1] if hasattr(self.estimator, "steps") else self.estimator
        against = np.flatnonzero(getattr(last, "contradicted_", []))
        if against.size:
            told = ", ".join(self.feature_names[j] for j in against)
            lines.append(f"Prior contradicted by the data: the deposits speak against {told}")
        leading = self.importances().head(8)
        if len(leading):
            told = ", ".join(f"{name} {share:.0%}" for name, share in leading.items())
            lines.append(f"What counts most in the model: {told}")
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

    def importances(self) -> pd.Series:
        """How much each feature counts in the estimator itself, where it says so."""
        last = self.estimator[-1] if hasattr(self.estimator, "steps") else self.estimator
        values = getattr(last, "feature_importances_", None)
        if values is None:
            coefficients = getattr(last, "coef_", None)
            values = None if coefficients is None else np.abs(coefficients[0])
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
        return Model(
            commodity=str(manifest["commodity"]),
            title=str(manifest["title"]),
            builder=builder,
            estimator=contents.estimator,
            ground=Ground.from_dict(manifest["ground"]),
            samples=contents.arrays,
            measures=pd.DataFrame(manifest["measures"]),
            record=dict(manifest["record"]),
        )


def _require_classifier(path: Path, estimator: Any, features: int) -> None:
    classes = np.asarray(getattr(estimator, "classes_", ()))
    if not hasattr(estimator, "predict_proba") or list(classes) != [0, 1]:
        raise ModelError(f"{path} holds no classifier of deposits: train again.")
    if getattr(estimator, "n_features_in_", features) != features:
        raise ModelError(
            f"{path}: the estimator reads {estimator.n_features_in_} features, but the recipe "
            f"makes {features}: train again."
        )
