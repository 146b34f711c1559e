"""A model after a field season: learnt again with what was found, and what that changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.spatial import KDTree
from sklearn.base import clone

from prospect.clusters import TOGETHER
from prospect.commodities import Commodity
from prospect.errors import ModelError
from prospect.grid import Grid
from prospect.learners import likelihood
from prospect.model import Model
from prospect.progress import Progress, silent
from prospect.project import OccurrenceSpec
from prospect.samples import POSITIONAL_ERROR, features_at
from prospect.training import train


@dataclass(frozen=True, eq=False)
class Update:
    """
    What learning again changed.

    Attributes
    ----------
    before, after : Model
    foretold : array of shape (n,)
        Of each deposit that was not known before, the share of the ground that the old
        model scored higher: 0.05 is among its best 5 %.
    """

    before: Model
    after: Model
    foretold: NDArray[np.float64]

    def page(self) -> str:
        """The page, for people."""
        counts = [model.record.get("labels", {}).get("deposits", "?") for model in self._both]
        lines = [
            f"{self.after.title}: {counts[0]} known deposits before, {counts[1]} now",
            *self._told(),
            "",
            "Quality before, on ground held out",
            *(f"  {line}" for line in self.before.quality().splitlines()),
            "Quality now",
            *(f"  {line}" for line in self.after.quality().splitlines()),
        ]
        moved = self._moved()
        return "\n".join([*lines, *(["", "What counts in the model", *moved] if moved else [])])

    @property
    def _both(self) -> tuple[Model, Model]:
        return self.before, self.after

    def _told(self) -> list[str]:
        """The best test there is of the old model: deposits found since."""
        if not self.foretold.size:
            return ["No deposit is new; what changed is the ground found barren, or chance."]
        best = [
            f"{int((self.foretold <= share).sum())} in its best {share:.0%}"
            for share in (0.05, 0.2)
        ]
        count = self.foretold.size
        return [
            f"{count} {'is' if count == 1 else 'are'} new. The old model, which did not know "
            f"{'it' if count == 1 else 'them'}, had {', '.join(best)} of the ground; the middle "
            f"one lay behind {np.median(self.foretold):.0%} of it."
        ]

    def _moved(self) -> list[str]:
        shares = [model.importances() for model in self._both]
        if any(share.empty for share in shares):
            return []
        moved = shares[1].sub(shares[0], fill_value=0.0)
        leading = moved.reindex(moved.abs().sort_values(ascending=False).index).head(6)
        return [
            f"  {name} {change:+.1%}" for name, change in leading.items() if abs(change) >= 1e-3
        ]


def update(
    model: Model,
    stack: xr.Dataset,
    occurrences: OccurrenceSpec | Path | str | pd.DataFrame,
    *,
    tested: Path | str | None = None,
    commodity: str | Path | Commodity | None = None,
    rejects: Path | str | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> Update:
    """
    Learn again, as a model was learnt, with new occurrences or ground found barren.

    Parameters
    ----------
    model : Model
    stack : Dataset of dims (y, x)
        With the layers it was trained on, or renewed ones.
    occurrences : path, GeoDataFrame or OccurrenceSpec
        All that are known now.
    tested : path, optional
        Ground drilled or trenched and found barren.
    commodity : str, path or Commodity, optional
        The definition, if it is one of your own; by default that of the model's name.
    rejects : path, optional
        CSV of the occurrences that do not train.
    workers : int, optional
    progress : callable

    Returns
    -------
    Update
        Area, permissive ground, learner, blocks, seed, background and prior are the old
        model's.

    Raises
    ------
    ModelError
        If the layers are on another grid than the model's.
    ProspectError
        As of :func:`prospect.train`.
    """
    record = dict(model.record)
    model.builder.require_grid(stack)
    settings = dict(record.get("background", {}))
    folds = dict(record.get("folds", {}))
    sizes = [each.get("size") for each in folds.values() if each.get("size")]
    area, permissive = model.ground.area, model.ground.permissive
    after = train(
        stack,
        occurrences,
        commodity or model.commodity,
        estimator=clone(model.estimator),
        random_state=int(record.get("random_state", 0)),
        block_size=float(sizes[0]) if sizes else None,
        area=area,
        permissive=None if permissive is None else permissive.text,
        background_from=str(settings.get("from", "distance")),
        match=str(settings.get("match", "none")),
        positional_error=float(record.get("positional_error", POSITIONAL_ERROR)),
        prior=None if model.prior is None else model.prior.per_cell,
        tested=tested,
        rejects=rejects,
        workers=workers,
        progress=progress,
    )
    after.record = {**after.record, "learner": record.get("learner", after.record.get("learner"))}
    return Update(model, after, _foretold(model, after, stack, workers))


def _foretold(
    before: Model, after: Model, stack: xr.Dataset, workers: int | None
) -> NDArray[np.float64]:
    """The share of the ground that the old model scored above each new deposit."""
    x, y, label, group = (np.asarray(after.samples[k]) for k in ("x", "y", "label", "group"))
    found, area = label == 1, label == -1
    if not found.any() or not area.any():
        raise ModelError("Neither deposits nor measured ground came of learning again.")
    old = np.asarray(before.samples["label"]) == 1
    known = np.column_stack([before.samples["x"], before.samples["y"]])[old]
    new = found.copy()
    if len(known):
        away, _ = KDTree(known).query(np.column_stack([x, y])[found])
        new[found] = away > TOGETHER
    if not new.any():
        return np.empty(0)
    row, col, inside = Grid.of(stack).index(x, y)
    asked = np.flatnonzero((new | area) & inside)
    features = features_at(before.builder, stack, row[asked], col[asked], workers=workers)
    score = np.full(x.size, np.nan)
    score[asked] = likelihood(before.estimator, features)
    ground = np.sort(score[area & np.isfinite(score)])
    # A deposit once: by the best of its cells.
    best = pd.Series(score[new]).groupby(group[new]).max().to_numpy()
    best = best[np.isfinite(best)]
    return np.asarray(1 - np.searchsorted(ground, best, side="right") / ground.size)
