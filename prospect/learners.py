"""Learners by name, and how any scikit-learn estimator is fitted and asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.pipeline import Pipeline
from sklearn.tree import ExtraTreeClassifier
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter
from threadpoolctl import threadpool_limits

from prospect.encoding import prepare, with_filled_gaps
from prospect.errors import ModelError
from prospect.models import (
    BaggedPU,
    BlendedClassifier,
    FuzzyOverlay,
    SignedLogistic,
    TrainingDraws,
    WeightsOfEvidence,
)

TREES = 400
"""Trees of a forest."""

DRAWS = 20
"""Draws of background, of deposits and of their places: 400 trees in a square."""

LINES = 8
"""The same of logistic regressions, 64 in a square: each costs a cell more than a small tree."""

LEARNERS = (
    "extra-trees",
    "random-forest",
    "bagged-pu",
    "boosting",
    "logistic",
    "woe",
    "fuzzy",
    "blend",
)
"""What :func:`learner` knows by name."""

DEFAULT = "logistic"
"""The learner of training, chosen on synthetic worlds (benchmarks/results/default_learner.md)."""


def extra_trees(random_state: int = 0, n_jobs: int | None = None) -> TrainingDraws:
    """
    Extremely randomised trees, each of its own training draws; gaps filled by the median.

    A gap is filled and not flagged: nobody finds deposits under cover, so a learner that
    sees a flag learns that cover is barren.

    Parameters
    ----------
    random_state : int
    n_jobs : int, optional

    Returns
    -------
    TrainingDraws
    """
    tree = ExtraTreeClassifier(min_samples_leaf=3, max_features="sqrt")
    return TrainingDraws(tree, n_draws=DRAWS, random_state=random_state, n_jobs=n_jobs)


def signed_logistic(
    signs: Sequence[str] | None = None, random_state: int = 0, n_jobs: int | None = None
) -> TrainingDraws:
    """
    Logistic regressions that may not contradict the signs, each of its own training draws.

    Their mean ranks as one of them does; how they disagree is the spread.

    Parameters
    ----------
    signs : sequence of {'+', '-', '0', '∩'}, optional
    random_state : int
    n_jobs : int, optional

    Returns
    -------
    TrainingDraws
    """
    line = SignedLogistic(signs)
    return TrainingDraws(line, n_draws=LINES, random_state=random_state, n_jobs=n_jobs)


def boosting(
    signs: Sequence[str] | None = None, random_state: int = 0
) -> HistGradientBoostingClassifier:
    """
    Gradient boosting that may not contradict the signs of its evidence; reads gaps as such.

    Parameters
    ----------
    signs : sequence of {'+', '-', '0', '∩'}, optional
        ``+`` and ``-`` become monotone constraints.
    random_state : int
    """
    monotone = None if signs is None else [{"+": 1, "-": -1}.get(sign, 0) for sign in signs]
    return HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=150,
        max_leaf_nodes=8,
        min_samples_leaf=10,
        l2_regularization=1.0,
        monotonic_cst=monotone,
        early_stopping=False,
        random_state=random_state,
    )


def random_forest(random_state: int = 0, n_jobs: int | None = None) -> Pipeline:
    """A random forest on features with gaps filled by their median."""
    forest = RandomForestClassifier(
        TREES, min_samples_leaf=3, random_state=random_state, n_jobs=n_jobs
    )
    return with_filled_gaps(forest)


def learner(
    name: str,
    signs: Sequence[str] | None = None,
    *,
    random_state: int = 0,
    n_jobs: int | None = None,
) -> Any:
    """
    An estimator by its name.

    Parameters
    ----------
    name : str
        ``logistic`` (the default of training: signed, with a prior), ``extra-trees``,
        ``random-forest``, ``bagged-pu``, ``boosting``, ``woe``, ``fuzzy``, or ``blend`` of
        fuzzy and extra-trees.
    signs : sequence of {'+', '-', '0', '∩'}, optional
        One a feature: how likelihood goes with it.
    random_state : int
    n_jobs : int, optional

    Returns
    -------
    estimator, not fitted

    Raises
    ------
    ModelError
        If there is no learner of that name.
    """
    fuzzy = FuzzyOverlay(signs)
    if name not in LEARNERS:
        raise ModelError(f"There is no learner '{name}'; there are {', '.join(LEARNERS)}.")
    made: dict[str, Callable[[], Any]] = {
        "extra-trees": lambda: extra_trees(random_state, n_jobs),
        "random-forest": lambda: random_forest(random_state, n_jobs),
        "bagged-pu": lambda: with_filled_gaps(BaggedPU(random_state=random_state)),
        "boosting": lambda: boosting(signs, random_state),
        "logistic": lambda: signed_logistic(signs, random_state, n_jobs),
        "woe": lambda: WeightsOfEvidence(signs),
        "fuzzy": lambda: fuzzy,
        "blend": lambda: BlendedClassifier(fuzzy, extra_trees(random_state, n_jobs)),
    }
    return made[name]()


def needs_labels(estimator: Any) -> bool:
    """Whether an estimator looks at deposits at all."""
    # A pipeline does not ask its last step.
    last = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    return bool(get_tags(last).target_tags.required)


def fit(
    estimator: Any,
    features: NDArray[np.float32],
    positive: NDArray[np.bool_],
    weight: NDArray[np.float64],
    *,
    group: NDArray[np.int64] | None = None,
    placings: NDArray[np.float32] | None = None,
) -> Any:
    """
    Fit a fresh copy; deposits and background weigh the same in sum.

    Parameters
    ----------
    estimator : classifier
    features : array of shape (n, k)
    positive : array of shape (n,), bool
        No deposit at all will do for an estimator that needs no labels.
    weight : array of shape (n,)
        Of each sample, before balancing.
    group : array of shape (n,), int, optional
        Deposit of each sample, -1 for background.
    placings : array of shape (m, deposits, k), optional
        Features of the deposits, in their order, where else they may stand; used if there
        are as many as draws after the first. These and groups are for
        :class:`~prospect.models.TrainingDraws`; other estimators do without.

    Returns
    -------
    fitted estimator
    """
    fitted = prepare(estimator)
    if not positive.any() and not needs_labels(fitted):
        return fitted.fit(features)
    balanced = weight.astype(float).copy()
    balanced[positive] *= 0.5 * len(weight) / balanced[positive].sum()
    balanced[~positive] *= 0.5 * len(weight) / balanced[~positive].sum()
    last = fitted.steps[-1][1] if isinstance(fitted, Pipeline) else fitted
    if isinstance(fitted, TrainingDraws):
        with threadpool_limits(1):
            _fit_draws(fitted, features, positive, balanced, group, placings)
        return single_threaded(fitted)
    options = {}
    if has_fit_parameter(last, "sample_weight"):
        prefix = f"{fitted.steps[-1][0]}__" if isinstance(fitted, Pipeline) else ""
        options[f"{prefix}sample_weight"] = balanced
    with threadpool_limits(1):  # Samples are few: threads would only wait for one another.
        fitted.fit(features, positive.astype(np.int64), **options)
    last = fitted.steps[-1][1] if isinstance(fitted, Pipeline) else fitted
    if hasattr(last, "_feature_subsample_rng"):
        # Boosting keeps a generator that only fitting needs and no model file can hold.
        last._feature_subsample_rng = None
    # Asked on several threads, a forest adds its trees up in the order they happen to finish.
    return single_threaded(fitted)


def _fit_draws(
    fitted: TrainingDraws,
    features: NDArray[np.float32],
    positive: NDArray[np.bool_],
    weight: NDArray[np.float64],
    group: NDArray[np.int64] | None,
    placings: NDArray[np.float32] | None,
) -> None:
    """Fit training draws; deposits stand where they are told in one placing of all."""
    group = np.full(len(features), -1) if group is None else group
    deposits, elsewhere = np.flatnonzero(positive), fitted.n_draws - 1
    if placings is None or len(placings) < elsewhere:
        fitted.fit(features, positive.astype(np.int64), weight, group=group)
        return
    rows = np.concatenate([np.arange(len(features)), np.tile(deposits, elsewhere)])
    placing = np.repeat(np.arange(elsewhere + 1), [len(features), *[deposits.size] * elsewhere])
    placing[: len(features)][~positive] = -1
    cells = np.concatenate([features, *placings[:elsewhere]])
    fitted.fit(
        cells, positive[rows].astype(np.int64), weight[rows], group=group[rows], placing=placing
    )


def likelihood(fitted: Any, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """The score of the deposit class, for features of shape (n, k)."""
    column = list(fitted.classes_).index(1)
    scores: NDArray[np.float64] = np.asarray(fitted.predict_proba(features), float)[:, column]
    return scores


def single_threaded(fitted: Any) -> Any:
    """Let an estimator use one thread: parallelism lives in the layer above."""
    names = [name for name in fitted.get_params() if name == "n_jobs" or name.endswith("__n_jobs")]
    return fitted.set_params(**dict.fromkeys(names, 1)) if names else fitted
