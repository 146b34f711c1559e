"""What a validation found: a page for people, plain data, and figures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prospect.metrics.intervals import rows_of
from prospect.pages import write_page
from prospect.signs import told
from prospect.validation.alarms import Alarm
from prospect.validation.cover import explain_cover
from prospect.validation.transfer import shift_lines

NAMES = {
    "block": "block folds",
    "knndm": "nearest-neighbour folds (kNNDM)",
    "random": "random folds (flatter)",
    "leave-one-out": "one deposit left out",
    "region": "one region left out",
}
"""What folds are called in front of people."""

MOST = 12
"""Rows of a table on the page; the rest stands in the JSON."""


@dataclass(frozen=True, eq=False)
class Validation:
    """
    What a validation found.

    Attributes
    ----------
    title, commodity : str
    deposits : int
    folds : str
        Those that curves, baselines and verdict are of.
    block, buffer : float, metres
    measures : DataFrame
        Columns measure, value, low, high, folds.
    draws : tuple of float
        AUC of further draws of the folds.
    against : DataFrame
        A row a baseline: value, difference, low, high, certainty.
    verdict : tuple or list of str
    alarms : tuple of Alarm
    permissive : DataFrame or None
        AUC over the window, within permissive ground, of its outline; and ``sentence``.
    without : DataFrame
        A row a layer left out.
    curves : mapping of label to DataFrame
    prediction_area : DataFrame
    point : Series
        Where found and left over cross.
    reliability : DataFrame
    coordinates : array of shape (n, 2)
    positive : array of shape (n,), bool
    fold : array of shape (n,), int
    notes : tuple of str
    cover : DataFrame or None
        AUC on outcrop and under cover, where a layer tells them apart.
    shift : DataFrame
        A row a region held out and feature; empty where no region is.
    contradicted : tuple of str
        Signs of the evidence that deposits contradict, a sentence each.
    """

    title: str
    commodity: str
    deposits: int
    folds: str
    block: float
    buffer: float
    measures: pd.DataFrame
    draws: tuple[float, ...]
    against: pd.DataFrame
    verdict: list[str]
    alarms: tuple[Alarm, ...]
    permissive: pd.DataFrame | None
    sentence: str
    without: pd.DataFrame
    curves: Mapping[str, pd.DataFrame]
    prediction_area: pd.DataFrame
    point: pd.Series[float]
    reliability: pd.DataFrame
    coordinates: NDArray[np.float64]
    positive: NDArray[np.bool_]
    fold: NDArray[np.int64]
    notes: tuple[str, ...] = ()
    cover: pd.DataFrame | None = None
    shift: pd.DataFrame = field(default_factory=pd.DataFrame)
    contradicted: tuple[str, ...] = ()

    def value(self, measure: str, folds: str | None = None) -> float:
        """A measure in some folds; by default in the first."""
        table = self.measures
        row = table[(table["measure"] == measure) & (table["folds"] == (folds or self.folds))]
        return float(row["value"].iloc[0]) if len(row) else float("nan")

    def page(self) -> str:
        """The page, for people."""
        buffer = f", {self.buffer / 1000:g} km around them learnt from by no one"
        lines = [
            f"{self.title}: {self.deposits} known deposits",
            f"Blocks of {self.block / 1000:g} km{buffer if self.buffer else ''}; intervals are of "
            "90 %, by drawing blocks of ground again, wider where deposits lie in few blocks.",
            "",
            "Quality on ground held out",
            *self._quality(),
            "",
            f"Against baselines in the same folds ({NAMES[self.folds]})",
            *[f"  {line}" for line in self.verdict],
            *[f"  {note}" for note in self.notes],
        ]
        if self.permissive is not None:
            lines += ["", "Where it is measured", *_table_lines(self.permissive)]
            lines.append(f"  {self.sentence}")
        if self.cover is not None:
            lines += ["", "On outcrop and under cover", *_table_lines(self.cover)]
            lines.append(f"  {explain_cover(self.cover)}")
        if len(self.shift):
            lines += ["", "How unlike each region held out is to the rest"]
            lines += [f"  {line}" for line in shift_lines(self.shift, MOST)]
        if len(self.without):
            lines += ["", "Without a layer", *self._sensitivity()]
        lines += ["", "Signs of the evidence"]
        lines += [f"  {line}" for line in told(self.contradicted)] or ["  None is contradicted."]
        lines += ["", "Leak alarms"]
        lines += [f"  ! {alarm.sentence}" for alarm in self.alarms] or ["  None rings."]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Everything that was measured, as plain data; curves are left to the figures."""
        made = {
            "title": self.title,
            "commodity": self.commodity,
            "deposits": self.deposits,
            "folds": self.folds,
            "block_metres": self.block,
            "buffer_metres": self.buffer,
            "measures": self.measures.to_dict(orient="records"),
            "draws": list(self.draws),
            "baselines": _records(self.against, "baseline"),
            "verdict": list(self.verdict),
            "alarms": [asdict(alarm) for alarm in self.alarms],
            "cover": None if self.cover is None else _records(self.cover, "ground"),
            "shift": self.shift.to_dict(orient="records"),
            "permissive": None if self.permissive is None else _records(self.permissive, "ground"),
            "without": _records(self.without, "layer"),
            "prediction_area_point": self.point.to_dict(),
            "reliability": self.reliability.to_dict(orient="records"),
            "notes": list(self.notes),
            "contradicted": list(self.contradicted),
        }
        plain: dict[str, Any] = _plain(made)
        return plain

    def save(self, folder: Path | str) -> list[Path]:
        """
        Write the page, ``validation.json`` and the figures.

        Parameters
        ----------
        folder : path
            Made when it is not there; files of the same names are replaced.

        Returns
        -------
        list of Path

        Raises
        ------
        OutputError
            If the folder cannot be written to.
        """
        plain = json.dumps(self.to_dict(), ensure_ascii=False, indent=1)
        texts = {"validation.txt": self.page(), "validation.json": plain}
        return write_page(folder, "validation", texts, self.figures())

    def figures(self) -> dict[str, Any]:
        """The figures by name, each a matplotlib Figure."""
        from prospect import plots

        name = NAMES[self.folds]
        title = f"{self.commodity.capitalize()}, {name}"
        return {
            "rates": plots.plot_rates(
                self.curves,
                self.commodity.capitalize(),
                self.measures[self.measures["folds"] == self.folds],
            ),
            "prediction_area": plots.plot_prediction_area(self.prediction_area, self.point, title),
            "reliability": plots.plot_reliability(self.reliability, title),
            "folds": plots.plot_folds(self.coordinates, self.positive, self.fold, title),
            "baselines": plots.plot_comparison(self.against, self.value("auc"), title),
        }

    def _quality(self) -> list[str]:
        wide = self.measures.set_index(["folds", "measure"])
        lines = []
        for folds in dict.fromkeys(self.measures["folds"]):
            table = dict(rows_of(wide.loc[folds]))
            parts = [f"AUC {_interval(table['auc'])}"]
            if "capture_5%" in table:
                parts.append(f"capture at 5 % of area {_interval(table['capture_5%'])}")
            lines.append(f"  {NAMES.get(str(folds), str(folds))}: {', '.join(parts)}")
        if self.draws:
            low, middle, high = np.quantile(self.draws, (0, 0.5, 1))
            lines.append(
                f"  {len(self.draws)} draws of {NAMES[self.folds]}: AUC {middle:.2f} in the "
                f"median, from {low:.2f} to {high:.2f}"
            )
        rows = {str(measure): row for measure, row in rows_of(wide.loc[self.folds])}
        captured = ", ".join(
            f"{rows[name]['value']:.2f} at {name.removeprefix('capture_').replace('%', ' %')}"
            for name in rows
            if name.startswith("capture_")
        )
        lines += [
            f"  In {NAMES[self.folds]}: capture {captured} of area",
            f"  {self.point['prediction_rate']:.0%} of deposits in {self.point['area']:.0%} of "
            f"area where the prediction–area curves cross: {self.point['normalised_density']:.1f} "
            "times as dense as overall",
        ]
        rest = {
            "precision_lift": "precision over chance",
            "boyce": "Boyce index",
            "brier_skill": "Brier skill of calibrated scores at even odds",
            "calibration_error": "calibration error of these",
        }
        found = [f"{label} {_interval(rows[k])}" for k, label in rest.items() if k in rows]
        return [*lines, f"  {', '.join(found)}"]

    def _sensitivity(self) -> list[str]:
        ranked = self.without.sort_values("change")
        lines = [
            f"  {layer}: AUC {row['change']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f}); "
            f"ranks of the map agree at {row['rank_correlation']:.2f}, "
            f"{row['top_kept']:.0%} of its best 5 % stay"
            for layer, row in rows_of(ranked.head(MOST))
        ]
        if len(ranked) > MOST:
            lines.append(f"  and {len(ranked) - MOST} layers more, in validation.json")
        return lines


def _interval(row: Mapping[str, float]) -> str:
    if not math.isfinite(row["value"]):
        return "unknown: no deposit stands there"
    return f"{row['value']:.2f} ({row['low']:.2f}–{row['high']:.2f})"


def _table_lines(table: pd.DataFrame) -> list[str]:
    width = max(len(str(name)) for name in table.index)
    return [f"  {name:<{width}}  AUC {_interval(row)}" for name, row in rows_of(table)]


def _records(table: pd.DataFrame, name: str) -> list[dict[str, Any]]:
    return [{name: row_name, **row} for row_name, row in rows_of(table)]


def _plain(value: Any) -> Any:
    """As JSON has it: no NumPy, and no NaN, which JSON does not know."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
