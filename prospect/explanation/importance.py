"""What is lost where the values of a group of evidence are dealt out anew."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from prospect.errors import LabelError, ModelError
from prospect.evidence import EvidenceGroups, evidence_groups
from prospect.explanation.asking import cell_scores
from prospect.held_out import Trial, folds_of
from prospect.inference import compile_estimator
from prospect.learners import fit
from prospect.metrics import auc, capture_at, differences
from prospect.model import Model
from prospect.progress import Progress, silent
from prospect.samples import Samples

REPEATS = 3
"""Times that the values of a group are dealt out anew."""


DRAWS = 300
"""Of blocks of ground, for the intervals."""


CAPTURE = 0.05
"""Share of the area that is looked at first."""


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
    _, folds = folds_of(Trial(estimator, samples, splitter))
    with progress("Dealing evidence out anew", len(folds)) as done, threadpool_limits(1):
        for learnt, asked in folds:
            if not asked.size:
                done(1)
                continue
            fitted = fit(estimator, **samples.learnt_from(learnt))
            predictor, cells = compile_estimator(fitted), samples.features[asked]
            intact[asked] = cell_scores(predictor, cells)
            for number, name in enumerate(groups.names):
                members = groups.members(name)
                for turn in range(repeats):
                    anew = cells.copy()
                    anew[:, members] = cells[rng.permutation(len(cells))][:, members]
                    dealt[number, turn, asked] = cell_scores(predictor, anew)
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
