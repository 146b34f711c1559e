"""Scores of ground that a model has not seen: folds, here or wherever joblib is told to compute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs, parallel_config
from numpy.typing import NDArray
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from prospect._version import __version__
from prospect.cluster import connect
from prospect.errors import ClusterError, LabelError, ProspectError
from prospect.learners import fit, likelihood, single_threaded
from prospect.progress import Progress, silent
from prospect.record import versions
from prospect.samples import BARREN, Samples

if TYPE_CHECKING:
    from distributed import Client

Indices = NDArray[np.int64]
Scored = tuple[NDArray[np.int64], NDArray[np.float64]]
"""The fold of each sample, -1 for none, and its score, NaN for none."""


WAIT = 60.0
"""Seconds that a cluster without workers is waited for."""


@dataclass(frozen=True)
class Trial:
    """
    An estimator to be tested on samples, in folds of their ground.

    Attributes
    ----------
    estimator : classifier
        Fitted afresh in every fold.
    samples : Samples
    splitter : splitter
        Called with ``split(features, y, coordinates)``.
    """

    estimator: Any
    samples: Samples
    splitter: Any


@contextmanager
def on_cluster(
    scheduler: str | Path | Client | None = None, workers: int | None = None
) -> Iterator[Client]:
    """
    Have folds fitted by the workers of a cluster for a while, to the same bits as here.

    What training does besides, reading layers above all, stays here. Folds bring their
    samples along: workers need prospect in the same versions, and no layers.

    Parameters
    ----------
    scheduler, workers
        As of :func:`prospect.cluster.connect`.

    Yields
    ------
    distributed.Client

    Raises
    ------
    ClusterError
        If no scheduler answers, no worker comes within a minute, or one has other versions.

    Examples
    --------
    >>> from prospect.held_out import on_cluster
    >>> with on_cluster("tcp://10.0.0.5:8786"):  # doctest: +SKIP
    ...     model = prospect.train(stack, "au.gpkg", "gold")
    """
    with connect(scheduler, workers) as client:
        try:
            client.wait_for_workers(1, timeout=WAIT)
            answers = client.run(_versions, on_error="return")
        except (OSError, RuntimeError) as error:
            raise ClusterError(
                f"No worker came within {WAIT:.0f} s ({error}): start some with "
                "'dask worker ADDRESS', and give the command again."
            ) from error
        for address, answer in answers.items():
            if answer != _versions():
                raise ClusterError(
                    f"The worker {address} has {answer}, but here is {_versions()}: the same "
                    "versions are needed for the same model."
                )
        with parallel_config("dask", client=client, wait_for_workers_timeout=WAIT):
            yield client


def _versions() -> dict[str, str]:
    return {"prospect": __version__, **versions()}


def out_of_fold(
    estimator: Any,
    samples: Samples,
    splitter: Any,
    *,
    progress: Progress = silent,
    name: str = "folds",
) -> Scored:
    """
    Score every deposit and measured cell by a model that has not seen its ground.

    Parameters
    ----------
    estimator : classifier
        Fitted afresh in every fold.
    samples : Samples
    splitter : splitter
        Called with ``split(features, y, coordinates)``.
    progress : callable
    name : str

    Returns
    -------
    fold : array of shape (n,), int
        -1 where a sample is never held out.
    score : array of shape (n,)
        NaN for background that is only learnt from; ground known to be barren has one.

    Raises
    ------
    LabelError
        If a fold leaves one class only to learn from.
    """
    trials = {name: Trial(estimator, samples, splitter)}
    return out_of_folds(trials, progress=progress)[name]


def out_of_folds(
    trials: Mapping[str, Trial],
    *,
    skip: bool = False,
    progress: Progress = silent,
    name: str = "",
) -> dict[str, Scored]:
    """
    Several trials at once, as :func:`out_of_fold` does one.

    One fold comes after the other, its estimator on threads. Within :func:`on_cluster`, or a
    ``parallel_config`` of joblib, they go to its workers, all folds of all trials side by side
    and each on one thread: to the same bits, since a fold is fitted from what it is given alone.

    Parameters
    ----------
    trials : mapping of name to Trial
    skip : bool
        Leave out trials whose folds deposits cannot fill.
    progress : callable
    name : str
        Of all together; by default their names.

    Returns
    -------
    dict of name to (fold, score)

    Raises
    ------
    LabelError
        If a fold leaves one class only to learn from, and such trials are not skipped.
    """
    if not trials:
        return {}
    folds = {}
    for each, trial in trials.items():
        try:
            folds[each] = folds_of(trial)
        except ProspectError:
            if not skip:
                raise
    scored = {each: (number, np.full(number.size, np.nan)) for each, (number, _) in folds.items()}
    tasks = [(each, *fold) for each, (_, those) in folds.items() for fold in those]
    alone = effective_n_jobs(None) == 1
    # Made when a worker is free for them: together the features of all folds may be large.
    calls = (_call(trials[each], learnt, asked, alone) for each, learnt, asked in tasks)
    title = f"Validating in {name or ' and '.join(trials)}"
    with progress(title, len(tasks)) as done:
        landed = Parallel(return_as="generator")(calls)
        for (each, _, asked), score in zip(tasks, landed, strict=True):
            scored[each][1][asked] = score
            done(1)
    return scored


def folds_of(trial: Trial) -> tuple[Indices, list[tuple[Indices, Indices]]]:
    """
    The fold of each sample, and of each fold what is learnt from and what is asked.

    Raises
    ------
    LabelError
        If a fold leaves one class only to learn from.
    """
    samples = trial.samples
    positive = samples.kind == 1
    measured = (samples.kind != 0) | (samples.group == BARREN)
    number, folds = np.full(positive.size, -1, np.int64), []
    splits = trial.splitter.split(samples.features, positive.astype(np.int64), samples.coordinates)
    for k, (train_at, test_at) in enumerate(splits):
        learnt = samples.learnt(train_at)
        number[test_at] = k
        if not positive[learnt].any() or positive[learnt].all():
            raise LabelError(f"Fold {k + 1} leaves one class only to learn from.")
        folds.append((learnt, test_at[measured[test_at]]))
    return number, folds


def _call(trial: Trial, learnt: Indices, asked: Indices, alone: bool) -> Any:
    """What computes one fold, with all that it needs and no more."""
    estimator, samples = trial.estimator, trial.samples
    if not alone:
        estimator = single_threaded(clone(estimator))
    # A dict goes with its task: arrays by themselves joblib would leave with one worker of a
    # cluster, and lose with it.
    given = {"learnt": samples.learnt_from(learnt), "asked": samples.features[asked]}
    return delayed(_held_out)(estimator, given)


def _held_out(estimator: Any, given: dict[str, Any]) -> NDArray[np.float64]:
    """Scores of what is asked, by a model of what it learns from."""
    with threadpool_limits(1):
        fitted = fit(estimator, **given["learnt"])
        return likelihood(fitted, given["asked"]) if len(given["asked"]) else np.empty(0)
