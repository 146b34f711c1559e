"""How the likelihood goes with each feature, were it the same everywhere."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prospect.evidence import evidence_groups
from prospect.explanation.asking import cell_scores
from prospect.inference import compile_estimator
from prospect.model import Model
from prospect.samples import Samples

STEPS = 15
"""Values of a feature at which its dependence is told."""


CELLS = 400
"""Cells of the area that a dependence is the mean of."""


ENDS = (0.02, 0.98)
"""Quantiles of a feature's values between which its dependence is told."""


FLAT = 0.01
"""A dependence that spans less says nothing."""


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
        likelihood = np.nanmean(cell_scores(predictor, same).reshape(steps.size, -1), axis=1)
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
