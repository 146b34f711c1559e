"""What a model goes by: the evidence it would miss, how features count, what drives a cell."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from prospect.errors import LabelError, ModelError, OutputError
from prospect.evidence import EvidenceGroups, evidence_groups
from prospect.inference import Predictor, compile_estimator
from prospect.learners import fit
from prospect.metrics import auc, capture_at, differences
from prospect.model import Model
from prospect.progress import Progress, silent
from prospect.samples import Samples, features_at
from prospect.tables import write_table
from prospect.training import default_block
from prospect.validation.running import blocks_of, make_splitter, samples_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REPEATS = 3
"""Times that the values of a group are dealt out anew."""

DRAWS = 300
"""Of blocks of ground, for the intervals."""

CAPTURE = 0.05
"""Share of the area that is looked at first."""

STEPS = 15
"""Values of a feature at which its dependence is told."""

CELLS = 400
"""Cells of the area that a dependence is the mean of."""

ENDS = (0.02, 0.98)
"""Quantiles of a feature's values between which its dependence is told."""

FLAT = 0.01
"""A dependence that spans less says nothing."""

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
        folder = Path(folder)
        tables = {
            "importance": self.importance.reset_index(),
            "dependence": self.dependence,
            "trends": self.trends.reset_index(),
            "targets": self.targets,
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
            written = [folder / "explanation.txt"]
            written[0].write_text(self.page() + "\n", encoding="utf-8", newline="\n")
            for name, figure in self.figures().items():
                written.append(folder / f"{name}.png")
                figure.savefig(written[-1])
        except OSError as error:
            raise OutputError(
                f"The explanation cannot be written to {folder} ({error.strerror})."
            ) from error
        for name, table in tables.items():
            if len(table):
                written.append(folder / f"{name}.csv")
                write_table(table, written[-1])
        return written


def explain(
    model: Model,
    stack: xr.Dataset,
    *,
    folds: str = "block",
    n_splits: int = 5,
    at: Sequence[tuple[float, float]] = (),
    shap: bool = False,
    random_state: int = 0,
    workers: int | None = None,
    progress: Progress = silent,
) -> Explanation:
    """
    Explain a model: its evidence on held-out ground, its features, and single cells.

    Parameters
    ----------
    model : Model
    stack : Dataset of dims (y, x)
        The layers it was trained on.
    folds : {'block', 'knndm', 'random', 'region'}
    n_splits : int
    at : sequence of (x, y)
        Places to explain, in the coordinates of the stack.
    shap : bool
        As of :func:`explain_cells`.
    random_state : int
    workers : int, optional
    progress : callable

    Returns
    -------
    Explanation

    Raises
    ------
    LabelError
        If there are too few deposits to hold any out.
    ModelError
        If the layers do not fit the model, or a place lies outside them.
    """
    targets = pd.DataFrame(columns=list(TARGET_COLUMNS))
    if at:
        targets = explain_cells(model, stack, at, shap=shap, workers=workers)
    samples = samples_of(model, stack, workers=workers, progress=progress)
    groups = evidence_groups(model.builder)
    reach = model.builder.reach()
    block = default_block(samples, reach)
    splitter = make_splitter(folds, block, reach, n_splits, random_state)
    lost = permutation_importance(
        model.estimator,
        samples,
        groups,
        splitter,
        blocks_of(samples, block),
        random_state=random_state,
        progress=progress,
    )
    curves, trends = partial_dependence(model, samples, random_state=random_state)
    return Explanation(model.title, f"{folds} folds", lost, curves, trends, targets)


def own_importance(model: Model) -> pd.Series:
    """
    How much each group of evidence counts in the estimator itself, as shares, largest first.

    Raises
    ------
    ModelError
        If the estimator does not say.
    """
    own = model.importances()
    if own.empty:
        raise ModelError(
            "This learner does not say what counts in it: give the layers, and what is lost "
            "without each evidence is measured."
        )
    groups = evidence_groups(model.builder)
    names = [groups.names[groups.of[model.feature_names.index(name)]] for name in own.index]
    shares: pd.Series = own.groupby(np.array(names)).sum() / own.sum()
    return shares.sort_values(ascending=False)


def permutation_importance(
    estimator: Any,
    samples: Samples,
    groups: EvidenceGroups,
    splitter: Any,
    cluster: NDArray[np.int64],
    *,
    repeats: int = REPEATS,
    random_state: int = 0,
    progress: Progress = silent,
) -> pd.DataFrame:
    """
    What is lost where the values of a group of evidence are dealt out anew.

    Parameters
    ----------
    estimator : classifier
        Fitted afresh in every fold.
    samples : Samples
    groups : EvidenceGroups
        The features of a group are dealt out together, among the held-out cells of a fold.
    splitter : splitter
        Called with ``split(features, y, coordinates)``.
    cluster : array of shape (n,), int
        Blocks of ground, drawn again for the intervals.
    repeats : int
    random_state : int
    progress : callable

    Returns
    -------
    DataFrame
        A row a group, largest loss of AUC first: features, auc_loss, auc_low, auc_high,
        capture_loss (of deposits in the best 5 % of the area), capture_low, capture_high.
        Losses are of all held-out cells together; about 0 for evidence the model does
        without, or that other evidence repeats.

    Raises
    ------
    LabelError
        If a fold leaves one class only to learn from, or no deposit is held out.
    """
    positive = samples.kind == 1
    intact = np.full(positive.size, np.nan)
    dealt = np.full((len(groups.names), repeats, positive.size), np.nan)
    rng = np.random.default_rng(random_state)
    splits = splitter.split(samples.features, positive.astype(np.int64), samples.coordinates)
    total = splitter.get_n_splits(samples.features, positive, samples.coordinates)
    with progress("Dealing evidence out anew", total) as done, threadpool_limits(1):
        for learn, test in splits:
            learnt, asked = learn[samples.kind[learn] >= 0], test[samples.kind[test] != 0]
            if not positive[learnt].any() or positive[learnt].all():
                raise LabelError("A fold leaves one class only to learn from: use fewer folds.")
            fitted = fit(
                estimator, samples.features[learnt], positive[learnt], samples.weight[learnt]
            )
            predictor, cells = compile_estimator(fitted), samples.features[asked]
            intact[asked] = _scores(predictor, cells)
            for number, name in enumerate(groups.names):
                members = groups.members(name)
                for turn in range(repeats):
                    anew = cells.copy()
                    anew[:, members] = cells[rng.permutation(len(cells))][:, members]
                    dealt[number, turn, asked] = _scores(predictor, anew)
            done(1)
    held = np.isfinite(intact)
    if not (held & positive).any():
        raise LabelError("No deposit is held out in these folds: use others.")
    return _losses(samples, groups, intact, dealt, cluster, held)


def _losses(
    samples: Samples,
    groups: EvidenceGroups,
    intact: NDArray[np.float64],
    dealt: NDArray[np.float64],
    cluster: NDArray[np.int64],
    held: NDArray[np.bool_],
) -> pd.DataFrame:
    """Losses of both measures, over all repeats, with intervals over blocks of ground."""
    repeats = dealt.shape[1]
    found, area = held & (samples.kind == 1), held & (samples.kind == -1)
    both = (found, area)
    ours = tuple(np.tile(intact[part], repeats) for part in both)
    others = {
        name: tuple(dealt[number][:, part].ravel() for part in both)
        for number, name in enumerate(groups.names)
    }
    ground = [np.tile(cluster[part], repeats) for part in both]
    columns: dict[str, Any] = {"features": [groups.members(name).size for name in groups.names]}
    for label, measure in (("auc", auc), ("capture", capture_at(CAPTURE))):
        gaps = differences(measure, ours, others, *ground, repeats=DRAWS)  # type: ignore[arg-type]
        for column, end in (("difference", "loss"), ("low", "low"), ("high", "high")):
            columns[f"{label}_{end}"] = gaps[column].to_numpy()
    table = pd.DataFrame(columns, index=pd.Index(groups.names, name="evidence"))
    return table.sort_values("auc_loss", ascending=False, kind="stable")


def partial_dependence(
    model: Model, samples: Samples, *, random_state: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    The mean likelihood of the area, were a feature the same everywhere.

    Parameters
    ----------
    model : Model
    samples : Samples
        With the features of the model; those that measure the area are used.
    random_state : int
        Of the cells that are drawn.

    Returns
    -------
    curves : DataFrame
        Columns feature, value (in the feature's unit), unit, likelihood; values lie between
        the 2 % and the 98 % quantile of the area. Features without values are left out.
    trends : DataFrame
        A row a feature, widest span first: evidence, unit, sign (of the recipe), trend
        (rising, falling, peaked, mixed or flat), verdict (whether that agrees with the
        sign), span.
    """
    area = np.flatnonzero(samples.kind == -1)
    rng = np.random.default_rng(random_state)
    some = np.sort(rng.choice(area, min(CELLS, area.size), replace=False))
    predictor, cells = compile_estimator(model.estimator), samples.features[some]
    groups = evidence_groups(model.builder)
    units = [step.units for step in model.builder.steps_ if step.spec.keep for _ in step.columns]
    curves, rows = [], {}
    for column, (name, sign) in enumerate(
        zip(model.feature_names, model.builder.signs, strict=True)
    ):
        values = samples.features[area, column]
        values = values[~np.isnan(values)]
        if not values.size or values.min() == values.max():
            continue
        steps = np.unique(np.quantile(values, np.linspace(*ENDS, STEPS)))
        if steps.size < 2:
            # A rare presence: all that is asked is how much it counts.
            steps = np.array([values.min(), values.max()])
        same = np.tile(cells, (steps.size, 1))
        same[:, column] = np.repeat(steps, len(cells))
        likelihood = np.nanmean(_scores(predictor, same).reshape(steps.size, -1), axis=1)
        trend, span = _trend(likelihood), float(np.ptp(likelihood))
        rows[name] = {
            "evidence": groups.names[groups.of[column]],
            "unit": units[column],
            "sign": sign,
            "trend": trend,
            "verdict": _verdict(sign, trend),
            "span": span,
        }
        curve = {"feature": name, "value": steps, "unit": units[column], "likelihood": likelihood}
        curves.append(pd.DataFrame(curve))
    trends = pd.DataFrame.from_dict(
        rows, orient="index", columns=["evidence", "unit", "sign", "trend", "verdict", "span"]
    ).rename_axis("feature")
    return (
        pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(),
        trends.sort_values("span", ascending=False, kind="stable"),
    )


def _trend(likelihood: NDArray[np.float64]) -> str:
    """The course of a dependence, in a word."""
    span, change = np.ptp(likelihood), likelihood[-1] - likelihood[0]
    if span < FLAT:
        return "flat"
    if abs(change) > span / 2:
        return "rising" if change > 0 else "falling"
    above = likelihood.max() - likelihood[[0, -1]].max()
    return "peaked" if above > span / 2 else "mixed"


def _verdict(sign: str, trend: str) -> str:
    """Whether a trend is what the recipe expects."""
    wanted = {"+": "rising", "-": "falling", "∩": "peaked"}.get(sign)
    if wanted is None:
        return "the recipe leaves it free"
    if trend == wanted:
        return f"agrees with the recipe's {sign}"
    if trend == "flat":
        return f"says nothing, where the recipe has {sign}"
    if {trend, wanted} == {"rising", "falling"}:
        return f"contradicts the recipe's {sign}"
    return f"is not plainly the recipe's {sign}"


TARGET_COLUMNS = (
    "x", "y", "likelihood", "feature", "evidence", "value", "unit", "sign", "contribution",
)  # fmt: skip


def explain_cells(
    model: Model,
    stack: xr.Dataset,
    at: Sequence[tuple[float, float]],
    *,
    shap: bool = False,
    workers: int | None = None,
) -> pd.DataFrame:
    """
    What raises or lowers the score of single cells.

    Parameters
    ----------
    model : Model
    stack : Dataset of dims (y, x)
    at : sequence of (x, y)
        Places, in the coordinates of the stack.
    shap : bool
        Shapley values of the ``shap`` library (an extra), against the cells that measure
        the area, rather than contributions along the trees' ways.
    workers : int, optional

    Returns
    -------
    DataFrame
        A row a cell and feature, of each cell the strongest first: x, y (of the cell's
        middle), likelihood, feature, evidence, value (in the feature's unit, NaN for a
        gap), unit, sign, contribution (see :meth:`prospect.inference.Predictor.contributions`).

    Raises
    ------
    ModelError
        If a place lies outside the layers, the estimator cannot tell, or ``shap`` is wanted
        and not installed.
    """
    grid = model.builder.require_grid(stack)
    places = np.asarray(at, float).reshape(-1, 2)
    row, col, inside = grid.index(places[:, 0], places[:, 1])
    if not inside.all():
        x, y = places[~inside][0]
        raise ModelError(f"The place {x:.0f}, {y:.0f} lies outside the layers: {grid.describe()}.")
    features = features_at(model.builder, stack, row, col, workers=workers)
    predictor = compile_estimator(model.estimator)
    scores = _scores(predictor, features)
    told: NDArray[np.floating]
    if shap:
        told = _shapley(model, stack, predictor, features, workers)
    else:
        told = predictor.contributions(features.T[:, None], np.arange(features.shape[1]))[:, 0].T
    groups = evidence_groups(model.builder)
    tables = []
    for number in range(len(places)):
        table = pd.DataFrame(
            {
                "x": grid.x[col[number]],
                "y": grid.y[row[number]],
                "likelihood": scores[number],
                "feature": model.feature_names,
                "evidence": [groups.names[group] for group in groups.of],
                "value": features[number].astype(float),
                "unit": [s.units for s in model.builder.steps_ if s.spec.keep for _ in s.columns],
                "sign": model.builder.signs,
                "contribution": told[number].astype(float),
            }
        )
        order = np.argsort(-np.abs(told[number]), kind="stable")
        tables.append(table.iloc[order])
    return pd.concat(tables, ignore_index=True)


def _shapley(
    model: Model,
    stack: xr.Dataset,
    predictor: Predictor,
    features: NDArray[np.float32],
    workers: int | None,
) -> NDArray[np.float64]:
    """Shapley values by the library of that name, against cells of the area."""
    try:
        library = importlib.import_module("shap")
    except ImportError as error:
        raise ModelError(
            "Shapley values need the library shap, which is not installed: "
            "pip install 'prospect[shap]', or do without."
        ) from error
    samples = samples_of(model, stack, workers=workers)
    area = samples.features[samples.kind == -1][:CELLS]
    explainer = library.explainers.Permutation(
        lambda cells: _scores(predictor, np.asarray(cells, np.float32)), area, seed=0
    )
    found: NDArray[np.float64] = np.asarray(explainer(features.astype(float)).values, float)
    return found


def _scores(predictor: Predictor, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Scores of cells of shape (n, k), folded into rows so that patches are full."""
    count, rows = len(features), 8
    block = np.full((features.shape[1], rows * -(-count // rows)), np.nan, np.float32)
    block[:, :count] = features.T
    valid = np.arange(block.shape[1]) < count
    shape = (rows, -1)
    found = predictor.predict(block.reshape(len(block), *shape), valid.reshape(shape))
    return found.ravel()[:count]


def _told(row: Any, measure: str) -> str:
    value, low, high = (row[f"{measure}_{end}"] for end in ("loss", "low", "high"))
    return f"{value:+.3f} ({low:+.3f} … {high:+.3f})"
