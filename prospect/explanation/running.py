"""A model is explained: its evidence, its features, and single cells."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import xarray as xr

from prospect.evidence import evidence_groups
from prospect.explanation.cells import TARGET_COLUMNS, explain_cells
from prospect.explanation.dependence import partial_dependence
from prospect.explanation.importance import permutation_importance
from prospect.explanation.outcome import Explanation
from prospect.model import Model
from prospect.progress import Progress, silent
from prospect.training import default_block
from prospect.validation import blocks_of, make_splitter, samples_of


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
