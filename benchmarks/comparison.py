"""Learners in the same folds: their scores kept as they come, and what they differ by."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from prospect.held_out import out_of_fold
from prospect.learners import learner
from prospect.metrics import Measure, auc, capture_at
from prospect.metrics.tally import Tally, sorted_levels, weighted_count
from prospect.samples import Samples
from prospect.validation import baselines

Scores = NDArray[np.float64]

MEASURES = {"AUC": auc, "capture at 5 %": capture_at(0.05)}

DISTANCE = "distance to the nearest known deposit"


def plain_forest(seed: int, workers: int) -> Any:
    """What a script would do."""
    forest = RandomForestClassifier(
        300, class_weight="balanced_subsample", random_state=seed, n_jobs=workers
    )
    return make_pipeline(SimpleImputer(strategy="median"), forest)


def plain_logistic(seed: int, workers: int) -> Any:
    """What a cautious script would do."""
    logistic = LogisticRegression(class_weight="balanced", max_iter=2000, random_state=seed)
    return make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), logistic)


PLAIN: dict[str, Callable[[int, int], Any]] = {
    "plain forest": plain_forest,
    "plain logistic": plain_logistic,
}
"""Read the raw layers, class codes as numbers, gaps filled by the median."""


@dataclass(frozen=True, eq=False)
class Draw:
    """
    Samples of one draw of the background.

    Attributes
    ----------
    samples : Samples
        With the features of the recipe.
    raw : array of shape (n, layers), float32
        The layers as they are, for plain learners.
    signs : list of str
        Of the features.
    inside : array of shape (n,), bool
        Whether a sample is on permissive ground.
    reach : float, metres
        Of the largest focal window: the buffer of folds.
    """

    samples: Samples
    raw: NDArray[np.float32]
    signs: list[str]
    inside: NDArray[np.bool_]
    reach: float

    def save(self, path: Path) -> None:
        """Keep it for other processes."""
        arrays = {**vars(self.samples), "raw": self.raw, "inside": self.inside}
        part = path.with_suffix(f".{np.random.default_rng().integers(1 << 40)}.npz")
        np.savez(part, signs=np.array(self.signs), reach=self.reach, **arrays)
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> Draw:
        """As it was kept."""
        kept = dict(np.load(path))
        raw, signs, inside, reach = (kept.pop(n) for n in ("raw", "signs", "inside", "reach"))
        return cls(Samples(**kept), raw, signs.tolist(), inside, float(reach))


def scores_of(draw: Draw, name: str, splitter: Any, seed: int, *, workers: int = 1) -> Scores:
    """Out-of-fold scores of a learner by name, a plain one, or nearness to known deposits."""
    samples = draw.samples
    if name == DISTANCE:
        rule = baselines(draw.signs)[DISTANCE]
        score = np.full(samples.kind.size, np.nan)
        found = (samples.kind == 1).astype(int)
        for train, test in splitter.split(samples.features, found, samples.coordinates):
            asked = test[samples.kind[test] != 0]
            score[asked] = rule(samples, train[samples.kind[train] >= 0], asked)
        return score
    if name in PLAIN:
        samples = Samples(**{**vars(samples), "features": draw.raw})
        return out_of_fold(PLAIN[name](seed, workers), samples, splitter)[1]
    estimator = learner(name, draw.signs, random_state=seed, n_jobs=workers)
    return out_of_fold(estimator, samples, splitter)[1]


def kept_scores(
    folder: Path, key: str, draw: Draw, names: list[str], splitter: Any, seed: int
) -> dict[str, Scores]:
    """The scores of all learners in some folds, kept as they come and taken from there."""
    path = folder / f"{key}.npz"
    found = dict(np.load(path)) if path.exists() else {}
    for name in names:
        if name not in found:
            found[name] = scores_of(draw, name, splitter, seed)
            np.savez(path, **found)
    return {name: found[name] for name in names}


def keep_run(
    folder: Path, key: str, draw: Draw, names: list[str], splitter: Any, seed: int
) -> None:
    """Score all learners in some folds, and say how well and how long."""
    start = time.monotonic()
    scores = kept_scores(folder, key, draw, names, splitter, seed)
    found, area = draw.samples.kind == 1, draw.samples.kind == -1
    told = {name: round(auc(s[found], s[area]), 3) for name, s in scores.items()}
    print(f"{key}: {told} {time.monotonic() - start:.0f} s", flush=True)


def in_parts(
    title: str,
    kept: str,
    run: Callable[[Path, Path, int, int], None],
    tell: Callable[[Path, Path], str],
    page: Path,
) -> None:
    """
    The command line of a benchmark whose runs can be shared between processes.

    ``run`` gets the data, the folder of scores and which part of the runs is asked for; once
    all have run, ``tell`` makes the page.
    """
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("data", type=Path, help="folder lapland_gold")
    parser.add_argument("--part", default="0/1", help="a part of the runs only, as in 0/2")
    parser.add_argument("--tell", action="store_true", help="only tell what was found")
    parser.add_argument(
        "--kept", type=Path, default=Path(tempfile.gettempdir()) / kept,
        help="folder of the scores, taken up again",
    )  # fmt: skip
    arguments = parser.parse_args()
    arguments.kept.mkdir(parents=True, exist_ok=True)
    if not arguments.tell:
        part, parts = (int(number) for number in arguments.part.split("/"))
        run(arguments.data, arguments.kept, part, parts)
        if parts > 1:
            return
    page.write_text(tell(arguments.data, arguments.kept), encoding="utf-8")


def values(
    runs: Mapping[Any, Mapping[str, Scores]], draws: Mapping[int, Draw], measure: Measure
) -> dict[str, Scores]:
    """A measure of each learner in every run; a run begins with the number of its draw."""
    told: dict[str, list[float]] = {}
    for run, scores in runs.items():
        kind = draws[run[0]].samples.kind
        for name, score in scores.items():
            told.setdefault(name, []).append(measure(score[kind == 1], score[kind == -1]))
    return {name: np.array(each) for name, each in told.items()}


def differences(
    runs: Mapping[Any, Mapping[str, Scores]],
    draws: Mapping[int, Draw],
    clusters: Mapping[int, NDArray[np.int64]],
    first: str,
    *,
    repeats: int,
    random_state: int = 0,
) -> dict[str, dict[str, tuple[float, float, float]]]:
    """
    The mean lead of one learner over each other, and its interval of 90 %, by measure.

    Whole clusters of ground are drawn again, the same for all learners and runs; the interval
    spans Student's t of the clusters with deposits.
    """
    rng = np.random.default_rng(random_state)
    names = np.unique(np.concatenate(list(clusters.values())))
    place = {draw: np.searchsorted(names, each) for draw, each in clusters.items()}
    used = {run[0] for run in runs}
    times = [np.ones(names.size)]
    while len(times) <= repeats:
        drawn = np.bincount(rng.integers(0, names.size, names.size), minlength=names.size)
        if all(drawn[place[d]][draws[d].samples.kind == 1].any() for d in used):
            times.append(drawn.astype(float))
    learners = list(next(iter(runs.values())))
    means = np.zeros((len(MEASURES), len(learners), len(times)))
    for run, scores in runs.items():
        kind = draws[run[0]].samples.kind
        found, area = place[run[0]][kind == 1], place[run[0]][kind == -1]
        for column, name in enumerate(learners):
            score = scores[name]
            levels, at_found, at_area, valid = sorted_levels(score[kind == 1], score[kind == -1])
            for number, weight in enumerate(times):
                tally = Tally(
                    levels,
                    weighted_count(at_found, weight[found], levels.size),
                    weighted_count(at_area, weight[area[valid]], levels.size),
                )
                for row, measure in enumerate(MEASURES.values()):
                    means[row, column, number] += measure.of(tally) / len(runs)
    lead = means[:, [learners.index(first)]] - means
    occupied = {c for d in used for c in clusters[d][draws[d].samples.kind == 1]}
    reach = student.ppf(0.95, max(1, len(occupied) - 1)) * lead[:, :, 1:].std(axis=2)
    return {
        label: {
            name: (float(a), float(a - r), float(a + r))
            for name, a, r in zip(learners, lead[row, :, 0], reach[row], strict=True)
            if name != first
        }
        for row, label in enumerate(MEASURES)
    }


def blocks(samples: Samples, size: float) -> NDArray[np.int64]:
    """A number for the square of ground of each sample; the same in every draw."""
    place = np.floor(samples.coordinates / size).astype(np.int64)
    return np.asarray(place[:, 0] * 100_003 + place[:, 1])
