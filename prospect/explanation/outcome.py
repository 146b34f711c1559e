"""What an explanation found: tables, a page for people, figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from prospect.pages import write_page
from prospect.tables import write_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANELS = 6
"""Features that are drawn, the most telling first."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """
    What a model goes by.

    Attributes
    ----------
    title, folds : str
    importance : DataFrame
        A row a group of evidence, the most missed first: features (how many), auc_loss,
        auc_low, auc_high, capture_loss, capture_low, capture_high.
    dependence : DataFrame
        A row a feature and step: feature, value, unit, likelihood.
    trends : DataFrame
        A row a feature, the widest span first: evidence, unit, sign, trend, verdict, span.
    targets : DataFrame
        A row a cell asked for and feature; from :func:`explain_cells`.
    """

    title: str
    folds: str
    importance: pd.DataFrame
    dependence: pd.DataFrame
    trends: pd.DataFrame
    targets: pd.DataFrame

    def page(self) -> str:
        """The explanation, in lines for people."""
        lines = [
            f"{self.title}: what the model goes by",
            f"Evidence, by what is lost where it is dealt out anew on held-out ground "
            f"({self.folds}; intervals of 90 %):",
            f"  {'evidence':<34}{'features':>8}  {'AUC':<26}capture at 5 %",
        ]
        for name, row in self.importance.iterrows():
            lines.append(
                f"  {name!s:<34}{row['features']:>8.0f}  {_told(row, 'auc'):<26}"
                f"{_told(row, 'capture')}"
            )
        lines.append("How the likelihood goes with each feature, the most telling first:")
        for name, row in self.trends.head(2 * PANELS).iterrows():
            lines.append(f"  {name!s:<32}{row['trend']:<9} by {row['span']:.2f}; {row['verdict']}")
        against = list(self.trends.index[self.trends["verdict"].str.startswith("contradicts")])
        if against:
            lines.append(f"Against the signs of the recipe: {', '.join(against)}.")
        for (x, y), table in self.targets.groupby(["x", "y"], sort=False):
            lines.append(f"At {x:.0f}, {y:.0f}: likelihood {table['likelihood'].iloc[0]:.3f}")
            for _, row in table.head(5).iterrows():
                unit = "" if row["unit"] in ("", "1") else f" {row['unit']}"
                lines.append(
                    f"  {row['feature']:<32}{row['contribution']:+.3f}  ({row['value']:.4g}{unit})"
                )
        return "\n".join(lines)

    def figures(self) -> dict[str, Figure]:
        """Importances with intervals, and the dependences of the most telling features."""
        from prospect.plots import plot_dependence, plot_importance

        leading = self.trends.head(PANELS)
        return {
            "importance": plot_importance(self.importance, self.title),
            "dependence": plot_dependence(self.dependence, leading, self.title),
        }

    def save(self, folder: Path | str) -> list[Path]:
        """
        Write the page, tables (CSV) and figures (PNG).

        Raises
        ------
        OutputError
            If the folder cannot be written to.
        """
        tables = {
            "importance": self.importance.reset_index(),
            "dependence": self.dependence,
            "trends": self.trends.reset_index(),
            "targets": self.targets,
        }
        texts = {"explanation.txt": self.page()}
        written = write_page(folder, "explanation", texts, self.figures())
        for name, table in tables.items():
            if len(table):
                written.append(Path(folder) / f"{name}.csv")
                write_table(table, written[-1])
        return written


def _told(row: Any, measure: str) -> str:
    value, low, high = (row[f"{measure}_{end}"] for end in ("loss", "low", "high"))
    return f"{value:+.3f} ({low:+.3f} … {high:+.3f})"
