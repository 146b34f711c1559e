"""A model: everything that is needed to score, and to be believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prospect.features import FeatureBuilder
from prospect.ground import Ground


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
        background, -1 drawn only to measure), weight, group, fold, score (out of fold).
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
        from prospect.model_file import save_model

        return save_model(self, path)

    def quality(self) -> str:
        """The honest quality, in lines for people."""
        lines = []
        for folds, table in self.measures.groupby("folds", sort=False):
            told = table.set_index("measure")
            parts = []
            for measure, label in (("auc", "AUC"), ("capture_5%", "capture at 5 % of area")):
                row = told.loc[measure]
                parts.append(f"{label} {row['value']:.2f} ({row['low']:.2f}–{row['high']:.2f})")
            lines.append(f"{folds}: " + ", ".join(parts))
        return "\n".join(lines)

    def report(self) -> str:
        """What was learnt from, how well it works, and what mattered, for people."""
        labels = dict(self.record.get("labels", {}))
        deposits = labels.pop("deposits", "?")
        counted = ", ".join(f"{count} {what}" for what, count in labels.items() if count)
        lines = [f"{self.title}: {deposits} known deposits ({counted})"]
        lines += [f"  {note}" for note in self.record.get("notes", [])]
        missing = self.record.get("missing_rows", [])
        if missing:
            lines.append(f"  no layers for: {', '.join(missing)}")
        lines += ["Quality, on ground held out (intervals of 90 %):"]
        lines += [f"  {line}" for line in self.quality().splitlines()]
        leading = self.importances().head(8)
        if len(leading):
            told = ", ".join(f"{name} {share:.0%}" for name, share in leading.items())
            lines.append(f"What counts most in the model: {told}")
        return "\n".join(lines)

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
