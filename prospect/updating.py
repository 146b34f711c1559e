"""A model after a field season: learnt again with what was found, and what that changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.spatial import KDTree
from sklearn.base import clone

from prospect._version import __version__
from prospect.clusters import TOGETHER
from prospect.commodities import Commodity, load_commodity
from prospect.errors import ModelError
from prospect.features import FeatureBuilder
from prospect.grid import Grid
from prospect.learners import LEARNERS, likelihood
from prospect.matching import bind
from prospect.model import Model
from prospect.own import with_own_rows
from prospect.progress import Progress, silent
from prospect.project import OccurrenceSpec
from prospect.samples import BACKGROUND, POSITIONAL_ERROR, features_at
from prospect.training import N_SPLITS, train

BY_FEATURE = ("signs", "monotonic_cst", "categorical_features", "transformers")
"""Ends of the names of parameters that go by feature."""


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
            *self._layers(),
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

    def _layers(self) -> list[str]:
        """Layers that only one of the two models reads."""
        before, after = (set(model.builder.layers_) for model in self._both)
        return [
            f"{said}: {', '.join(sorted(names))}."
            for said, names in {
                "Layers that the old model did not have": after - before,
                "Layers that only the old model reads": before - after,
            }.items()
            if names
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
        With the layers it was trained on, or renewed ones; others may be added.
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
        Area, permissive ground, learner, size and number of blocks, seed, background,
        positional error and prior are the old model's. A learner known by its name is made
        anew for the features that the layers make now; folds of your own are not kept.

    Raises
    ------
    ModelError
        If the layers are on another grid than the model's, lack one that it reads, or make
        other features while an estimator of your own is bound to those it had; or if the model
        was learnt from a definition of one's own, which is not given.
    ProspectError
        As of :func:`prospect.train`.
    """
    record = dict(model.record)
    model.builder.require_grid(stack)
    # What the old model cannot be asked of is refused before anything is learnt.
    bind(model.builder.layers_, stack)
    definition = _definition(model, commodity)
    builder = FeatureBuilder(with_own_rows(definition.recipe, stack))
    with progress("Learning the layers' statistics"):
        builder.fit(stack)
    background = dict(record.get("background", {}))
    folds: dict[str, dict[str, Any]] = dict(record.get("folds", {}))
    blocks = next((each for each in folds.values() if each.get("size")), {})
    permissive, prior = model.ground.permissive, model.prior
    ranged = prior is not None and len(prior.deposits) > 1
    after = train(
        stack,
        occurrences,
        definition,
        estimator=_learner(model, builder),
        random_state=int(record.get("random_state", 0)),
        block_size=float(blocks["size"]) if blocks else None,
        n_splits=int(blocks.get("n_splits", N_SPLITS)),
        area=model.ground.area,
        permissive=None if permissive is None else permissive.text,
        background=int(background.get("count", BACKGROUND)),
        background_from=str(background.get("from", "distance")),
        match=str(background.get("match", "none")),
        positional_error=float(record.get("positional_error", POSITIONAL_ERROR)),
        prior=None if prior is None or ranged else prior.per_cell,
        expected=prior.deposits if prior is not None and ranged else None,
        tested=tested,
        rejects=rejects,
        builder=builder,
        workers=workers,
        progress=progress,
    )
    after.record = {**after.record, "learner": record.get("learner", after.record.get("learner"))}
    return Update(model, after, _foretold(model, after, stack, workers))


def _definition(model: Model, commodity: str | Path | Commodity | None) -> Commodity:
    """What the model looks for, of its deposit type if it is of one."""
    found = load_commodity(model.commodity if commodity is None else commodity)
    if model.commodity in (each.name for each in found.types) and not isinstance(
        commodity, Commodity
    ):
        found = load_commodity(commodity or model.commodity, model.commodity)
    then = model.record.get("definition", found.digest)
    # What comes with another version may say something else by right.
    if commodity is None and then != found.digest and model.record.get("prospect") == __version__:
        raise ModelError(
            f"The model was learnt from another definition of {model.commodity} than the one that "
            "comes with prospect: give that definition, as --commodity FILE.toml."
        )
    return found


def _learner(model: Model, builder: FeatureBuilder) -> Any:
    """The name of the model's learner, which is made anew; else a copy of an own estimator."""
    name = str(model.record.get("learner", ""))
    if name in LEARNERS:
        return name
    copy = clone(model.estimator)
    given = copy.get_params()
    bound = [key for key in given if key.endswith(BY_FEATURE) and given[key] is not None]
    if bound and builder.feature_names != model.feature_names:
        raise ModelError(
            f"The layers make other features than the model's ({len(builder.feature_names)}, not "
            f"the same {len(model.feature_names)}), and its estimator was given '{bound[0]}' for "
            "those: train anew with an estimator for these."
        )
    return copy


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
