"""What raises or lowers the score of single cells."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from prospect.errors import ModelError
from prospect.evidence import evidence_groups
from prospect.explanation.asking import cell_scores
from prospect.inference import Predictor, compile_estimator
from prospect.model import Model
from prospect.samples import features_at
from prospect.validation import samples_of

TARGET_COLUMNS = (
    "x", "y", "likelihood", "feature", "evidence", "value", "unit", "sign", "contribution",
)  # fmt: skip

MEASURED = 400
"""Cells of the area that Shapley values are told against."""


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
    scores = cell_scores(predictor, features)
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
    area = samples.features[samples.kind == -1][:MEASURED]
    explainer = library.explainers.Permutation(
        lambda cells: cell_scores(predictor, np.asarray(cells, np.float32)), area, seed=0
    )
    found: NDArray[np.float64] = np.asarray(explainer(features.astype(float)).values, float)
    return found
