"""Two maps of one ground: what moved, which targets came and went, and what was different."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from prospect.errors import GridError
from prospect.grid import Grid
from prospect.map_file import MapFile, open_map
from prospect.model import Model
from prospect.raster import atomic_path, write_geotiff
from prospect.styles import change_style
from prospect.targets import find_targets
from prospect.targets.ranking import AREA

AREAS = (0.01, 0.02, 0.05, 0.10)
"""Shares of the ground whose best part is compared."""

MOST_CELLS = 4_000
"""Cells along the longer side that ranks are taken on."""

_SETTINGS = (
    ("learner", "learner"),
    ("random_state", "seed"),
    ("deposit_model", "deposit model"),
    ("positional_error", "positional error in metres"),
    ("prospect", "version"),
)
"""What a model was trained with, and in words."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """
    What changed from one map to another.

    Attributes
    ----------
    grid : Grid
        That ranks were compared on: the maps', or coarser.
    change : array of shape (rows, cols), float32
        Rank in the second map less that in the first, as shares of the ground: +0.3 rose
        over three tenths of it. NaN where either has none.
    rank_correlation : float
        Spearman's; NaN if either map is level.
    kept : Series
        Of each share of the ground, how much of the first map's best is in the second's;
        NaN where more ground than that is best alike.
    lost, gained : GeoDataFrame
        Targets of the first map that meet none of the second, and the other way.
    causes : tuple of str
        What was different between the two, in words.
    """

    grid: Grid
    change: NDArray[np.float32]
    rank_correlation: float
    kept: pd.Series[float]
    lost: Any
    gained: Any
    causes: tuple[str, ...]

    def page(self) -> str:
        """The page, for people."""
        moved = np.abs(self.change[np.isfinite(self.change)])
        lines = [
            f"Ranks agree at {self.rank_correlation:.2f} (1 is the same map, 0 no likeness).",
            f"Half of the ground moved by less than {np.median(moved):.1%} of all ranks, a tenth "
            f"by more than {np.quantile(moved, 0.9):.1%}.",
            *(
                f"Of the best {share:.0%}, {kept:.0%} stayed."
                for share, kept in self.kept.dropna().items()
            ),
            "",
            *_list("Targets gained", self.gained),
            *_list("Targets lost", self.lost),
            "",
            "What was different",
            *(f"  {cause}" for cause in self.causes or ("Nothing that the manifests tell.",)),
        ]
        return "\n".join(lines)

    def save(self, path: Path | str) -> None:
        """Write the change of rank as a GeoTIFF, with a QGIS style beside it."""
        path = Path(path)
        write_geotiff(
            path, self.change, self.grid, nodata=np.nan, description="change of rank", unit="1"
        )
        with atomic_path(path.with_suffix(".qml")) as temporary:
            temporary.write_text(change_style("change of rank"), encoding="utf-8", newline="\n")


def compare(
    first: MapFile | Path | str,
    second: MapFile | Path | str,
    *,
    models: tuple[Model, Model] | None = None,
    area: float = AREA,
) -> Comparison:
    """
    Compare two maps on one grid.

    Parameters
    ----------
    first, second : MapFile or path
    models : (Model, Model), optional
        That made them: what counts in each is compared, too.
    area : float
        Share of the ground that targets take.

    Returns
    -------
    Comparison

    Raises
    ------
    GridError
        If they are on two grids, or share no ground.
    """
    one, two = (m if isinstance(m, MapFile) else open_map(m) for m in (first, second))
    if not one.grid.same_as(two.grid):
        raise GridError(
            f"{one.path.name} has {one.grid.describe()} and {two.path.name} "
            f"{two.grid.describe()}: compare maps that were scored on one grid."
        )
    bands = ["probability" if "probability" in m else "likelihood" for m in (one, two)]
    a, grid = one.reduced(bands[0], MOST_CELLS)
    b, _ = two.reduced(bands[1], MOST_CELLS)
    both = np.isfinite(a) & np.isfinite(b)
    if not both.any():
        raise GridError("The two maps have no ground in common.")
    ranks = [_ranks(values[both]) for values in (a, b)]
    change = np.full(a.shape, np.nan, np.float32)
    change[both] = ranks[1] - ranks[0]
    kept = pd.Series(
        {
            share: float((ranks[1][ranks[0] >= 1 - share] >= 1 - share).mean())
            if (ranks[0] >= 1 - share).any()
            else float("nan")
            for share in AREAS
        }
    )
    before, after = (find_targets(m, area=area) for m in (one, two))
    correlation = (
        np.corrcoef(ranks[0], ranks[1])[0, 1] if np.ptp(ranks[0]) and np.ptp(ranks[1]) else np.nan
    )
    return Comparison(
        grid,
        change,
        float(correlation),
        kept,
        _without_meeting(before, after),
        _without_meeting(after, before),
        (*_inputs(one.manifest, two.manifest), *_counts(models)),
    )


def _ranks(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Ranks from 0 to 1; the same for equal values."""
    order = np.sort(values)
    low = np.searchsorted(order, values, "left")
    high = np.searchsorted(order, values, "right")
    ranks: NDArray[np.float64] = (low + high) / (2 * values.size)
    return ranks


def _without_meeting(targets: Any, others: Any) -> Any:
    """The targets that no other overlaps."""
    if not len(targets) or not len(others):
        return targets
    tree = shapely.STRtree(others.geometry.to_numpy())
    met = tree.query(targets.geometry.to_numpy(), predicate="overlaps")[0]
    within = tree.query(targets.geometry.to_numpy(), predicate="within")[0]
    holds = tree.query(targets.geometry.to_numpy(), predicate="contains")[0]
    keep = np.ones(len(targets), bool)
    keep[np.concatenate([met, within, holds])] = False
    return targets[keep].reset_index(drop=True)


def _inputs(one: Mapping[str, Any], two: Mapping[str, Any]) -> list[str]:
    """What the manifests say was different."""
    lines = []
    layers = [dict(m.get("layers", {})) for m in (one, two)]
    for text, names in (
        ("only in the first", sorted(set(layers[0]) - set(layers[1]))),
        ("only in the second", sorted(set(layers[1]) - set(layers[0]))),
    ):
        if names:
            lines.append(f"layers {text}: {', '.join(names)}")
    other = [
        name
        for name in layers[0]
        if name in layers[1] and layers[0][name].get("sha256") != layers[1][name].get("sha256")
    ]
    if other:
        lines.append(f"layers with other contents: {', '.join(other)}")
    trained = [dict(m.get("training", {})) for m in (one, two)]
    deposits = [t.get("labels", {}).get("deposits") for t in trained]
    if deposits[0] != deposits[1]:
        lines.append(f"known deposits: {deposits[0]} and {deposits[1]}")
    for key, text in _SETTINGS:
        if trained[0].get(key) != trained[1].get(key):
            lines.append(f"{text}: {trained[0].get(key)} and {trained[1].get(key)}")
    if one.get("ground") != two.get("ground"):
        lines.append("the area or the permissive ground")
    return lines


def _counts(models: tuple[Model, Model] | None) -> list[str]:
    """The evidence whose part in the model changed most."""
    if models is None:
        return []
    shares = [model.importances() for model in models]
    if any(share.empty for share in shares):
        return []
    moved = shares[1].sub(shares[0], fill_value=0.0)
    leading = moved.reindex(moved.abs().sort_values(ascending=False).index).head(5)
    told = [f"{name} {change:+.1%}" for name, change in leading.items() if abs(change) >= 0.005]
    return [f"share in the model: {', '.join(told)}"] if told else []


def _list(title: str, targets: Any) -> list[str]:
    lines = [f"{title}: {len(targets) or 'none'}"]
    for _, row in targets.head(10).iterrows():
        lines.append(
            f"  rank {row['rank']}, {row['area_km2']:.1f} km², peak {row['peak']:.2f} at "
            f"{row['x']:.0f}, {row['y']:.0f}"
        )
    return lines
