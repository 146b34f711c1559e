"""Where a deposit would have been seen: cover, slope, snow and access, which are no evidence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from prospect.clusters import merge_within
from prospect.errors import LabelError
from prospect.features import FeatureBuilder, Recipe
from prospect.features.operation import is_valid
from prospect.features.plan import tiles
from prospect.grid import LATTICE, Grid, Window
from prospect.labels import MIN_DEPOSITS, Labels, draw_background
from prospect.matching import Binding, bind
from prospect.project import Project
from prospect.roles import family
from prospect.stack import read_block

FAMILIES = ("cover", "elevation", "snow", "roads", "access")
"""Roles that say where people looked. No commodity may take them as evidence (tested)."""

MATCHES = ("none", "cover", "detectability")
"""What background is made alike to the deposits in: nothing, the share under cover, or all that
decides where deposits are seen."""

ROWS: tuple[dict[str, Any], ...] = (
    {"name": "slope", "operation": "slope", "of": "elevation"},
    {
        "name": "position",
        "operation": "topographic_position",
        "of": "elevation",
        "radius": 1500,
    },
    {"name": "snow_*", "operation": "value", "of": "snow.*"},
    {"name": "near_*", "operation": "proximity", "of": "roads.*", "scale": 3000},
    {"name": "far_*", "operation": "value", "of": "access.*"},
)
"""Conditions of the ground, beside cover and gaps in the evidence."""

BARE = frozenset(("outcrop", "bedrock", "exposed", "none", "no cover", "bare", "обнажено", "нет"))
"""Classes of a map of cover that mean none."""

SEEN_AT_MOST = 20.0
"""Ground is taken to be seen at most so many times as well as the rest, or as badly."""

_TILE = 4 * LATTICE
_DRAWN = 4_000


@dataclass(frozen=True, eq=False)
class Detectability:
    """
    A model of where deposits of any kind were seen.

    Attributes
    ----------
    builder : FeatureBuilder or None
        Of the conditions that are grids of their own; None where there is no such layer.
    evidence : tuple of str
        Layers whose gaps count as a condition.
    names : tuple of str
        The conditions.
    centre, spread : array of shape (k,)
    estimator : LogisticRegression
    """

    builder: FeatureBuilder | None
    evidence: tuple[str, ...]
    names: tuple[str, ...]
    centre: NDArray[np.float64]
    spread: NDArray[np.float64]
    estimator: LogisticRegression

    def conditions(self, stack: xr.Dataset, window: Window) -> NDArray[np.float32]:
        """The conditions of a window, of shape (k, rows, cols); NaN where one is unknown."""
        return _conditions(stack, window, self.builder, self.evidence)

    def chance(self, stack: xr.Dataset) -> NDArray[np.float32]:
        """
        How many times as well as on average a deposit would have been seen.

        Parameters
        ----------
        stack : Dataset
            The layers it was learnt on.

        Returns
        -------
        array of shape (y, x), float32
            From 1/20 to 20. Unknown conditions count as the average.
        """
        grid = Grid.of(stack)
        out = np.empty(grid.shape, np.float32)
        for window in tiles(grid.window, _TILE):
            block = self.conditions(stack, window)
            logit = self.estimator.decision_function(self._scaled(block.reshape(len(block), -1).T))
            bound = np.log(SEEN_AT_MOST)
            out[window.slices] = np.exp(np.clip(logit, -bound, bound)).reshape(block.shape[1:])
        return out

    def summary(self) -> str:
        """What decides, for people."""
        slopes = self.estimator.coef_[0]
        order = np.argsort(-np.abs(slopes))
        told = ", ".join(f"{self.names[j]} {slopes[j]:+.2f}" for j in order)
        return f"occurrences were seen by (log odds a standard deviation): {told}"

    def _scaled(self, conditions: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.nan_to_num((conditions - self.centre) / self.spread)


def covered_mask(stack: xr.Dataset, window: Window | None = None) -> NDArray[np.bool_] | None:
    """
    Where surficial cover hides the rock.

    Parameters
    ----------
    stack : Dataset
        Layers of role ``cover.*`` count: classes that do not mean outcrop (code 0 where
        classes have no names), thicknesses above 0, polygons. A gap is taken for outcrop.
    window : Window, optional

    Returns
    -------
    array of shape (rows, cols), bool, or None
        None where the stack has no such layer.
    """
    window = window or Grid.of(stack).window
    layers = [v for v in stack.data_vars.values() if family(str(v.attrs.get("role"))) == "cover"]
    if not layers:
        return None
    covered = np.zeros((window.height, window.width), bool)
    for layer in layers:
        if layer.dtype.kind == "f":
            covered |= read_block(layer, window, np.float32) > 0
            continue
        block = read_block(layer, window, np.int32)
        classes = {int(k): str(v).lower() for k, v in dict(layer.attrs.get("classes", {})).items()}
        bare = [code for code, name in classes.items() if name in BARE] or [0]
        covered |= ~np.isin(block, bare) & is_valid(block)
    return covered


def with_cover(project: Project, whole: Project) -> Project:
    """
    A project, cut to what a model uses, with the layers of cover that the whole one has.

    They are no evidence, but measures are told on outcrop and under cover apart.
    """
    kept = {s.name for s in project.layers} | {s.name for s in project.vectors}

    def also(role: str, name: str) -> bool:
        return family(role) == "cover" and name not in kept

    return replace(
        project,
        layers=(*project.layers, *(s for s in whole.layers if also(s.role, s.name))),
        vectors=(*project.vectors, *(s for s in whole.vectors if also(s.role, s.name))),
    )


def learn_detectability(
    stack: xr.Dataset,
    labels: Labels,
    counts: NDArray[np.bool_],
    bindings: Iterable[Binding] = (),
    *,
    random_state: int = 0,
) -> Detectability:
    """
    Learn where occurrences of any commodity were seen, from what hides ground and opens it.

    Parameters
    ----------
    stack : Dataset
    labels : Labels
        Its own occurrences and those of other commodities; clusters count once.
    counts : array of shape (y, x), bool
        The ground that counts.
    bindings : iterable of Binding
        The evidence of the geology model, whose gaps are a condition.
    random_state : int
        Of the ground that occurrences are compared with.

    Returns
    -------
    Detectability

    Raises
    ------
    LabelError
        If there are too few occurrences, or no layer that could say anything.
    """
    grid = Grid.of(stack)
    recipe, _ = Recipe.from_tables(ROWS).resolve(stack)
    builder = FeatureBuilder(recipe).fit(stack) if recipe.features else None
    evidence = tuple(binding.name for binding in bindings)
    x, y = (
        np.concatenate(pair) for pair in ((labels.x, labels.other_x), (labels.y, labels.other_y))
    )
    row, col, inside = grid.index(x, y)
    inside[inside] = counts[row[inside], col[inside]]
    _, first = np.unique(merge_within(np.column_stack([x[inside], y[inside]])), return_index=True)
    seen = row[inside][first], col[inside][first]
    if seen[0].size < MIN_DEPOSITS:
        raise LabelError(
            f"{seen[0].size} occurrences stand on usable ground, but at least {MIN_DEPOSITS} are "
            "needed to tell where deposits are seen."
        )
    drawn = draw_background(counts, grid, _DRAWN, random_state=random_state)
    row, col = (np.concatenate(pair) for pair in zip(seen, drawn, strict=True))
    names = _names(stack, builder, evidence)
    if not names:
        raise LabelError(
            "No layer says where deposits would have been seen: give a map of cover, an "
            "elevation model, roads or snow."
        )
    values = np.empty((row.size, len(names)), np.float32)
    for window in tiles(grid.window, _TILE):
        here = np.flatnonzero(
            (row >= window.row) & (row < window.row + window.height)
            & (col >= window.col) & (col < window.col + window.width)
        )  # fmt: skip
        if here.size:
            block = _conditions(stack, window, builder, evidence)
            values[here] = block[:, row[here] - window.row, col[here] - window.col].T
    known = ~np.isnan(values).all(axis=0)
    centre, spread = np.zeros(len(names)), np.ones(len(names))
    centre[known] = np.nanmean(values[:, known], axis=0, dtype=np.float64)
    spread[known] = np.nanstd(values[:, known], axis=0, dtype=np.float64)
    spread[spread == 0] = 1.0
    plain = LogisticRegression(C=0.1, class_weight="balanced", max_iter=500)
    made = Detectability(builder, evidence, tuple(names), centre, spread, plain)
    plain.fit(made._scaled(values), np.arange(row.size) < seen[0].size)
    return made


def chance_of(
    match: str,
    stack: xr.Dataset,
    labels: Labels,
    counts: NDArray[np.bool_],
    bindings: Iterable[Binding] = (),
    *,
    random_state: int = 0,
) -> tuple[NDArray[np.float32] | None, list[str]]:
    """
    How likely each cell is to be drawn as background, and what was done.

    Parameters
    ----------
    match : str
        Of ``MATCHES``. Matched on cover, as much of the background lies under cover as of
        the deposits; without a map of cover nothing is matched, and that is said.
    stack, labels, counts, bindings, random_state
        As :func:`learn_detectability` takes them.

    Returns
    -------
    chance : array of shape (y, x), float32, or None
        None where all cells are alike.
    notes : list of str

    Raises
    ------
    LabelError
        If the match is not known, or detectability cannot be learnt.
    """
    if match not in MATCHES:
        raise LabelError(f"Background is matched on {', '.join(MATCHES)}, but '{match}' came.")
    if match == "none":
        return None, []
    if match == "detectability":
        learnt = learn_detectability(stack, labels, counts, bindings, random_state=random_state)
        return learnt.chance(stack), [learnt.summary()]
    covered = covered_mask(stack)
    if covered is None:
        return None, ["no layer of cover: background is not matched on it"]
    ground = float(covered[counts].mean()) if counts.any() else 0.0
    if not 0 < ground < 1 or labels.deposits == 0:
        return None, []
    ours = float(np.average(covered[labels.row, labels.col], weights=labels.weight))
    note = (
        f"{ours:.0%} of the deposits and {ground:.0%} of the ground lie under cover: background is "
        "drawn as the deposits lie"
    )
    chance = np.where(covered, ours / ground, (1 - ours) / (1 - ground))
    return chance.astype(np.float32), [note]


def _names(
    stack: xr.Dataset, builder: FeatureBuilder | None, evidence: tuple[str, ...]
) -> list[str]:
    covered = covered_mask(stack, Window(0, 0, 1, 1)) is not None
    names = ["covered"] if covered else []
    names += [] if builder is None else builder.feature_names
    return names + (["gaps"] if evidence else [])


def _conditions(
    stack: xr.Dataset, window: Window, builder: FeatureBuilder | None, evidence: tuple[str, ...]
) -> NDArray[np.float32]:
    """Cover, the builder's, and the share of the evidence that is missing."""
    planes: list[NDArray[Any]] = []
    covered = covered_mask(stack, window)
    if covered is not None:
        planes.append(covered[None])
    if builder is not None:
        planes.append(builder.compute(stack, window, bind(builder.layers_, stack)))
    if evidence:
        gaps = np.zeros((window.height, window.width), np.float32)
        for name in evidence:
            layer = stack[name]
            dtype = np.float32 if layer.dtype.kind == "f" else np.int32
            gaps += ~is_valid(read_block(layer, window, dtype))
        planes.append(gaps[None] / len(evidence))
    return np.concatenate([plane.astype(np.float32) for plane in planes])
