"""Fitted trees asked over blocks of cells, many times faster and to the same bits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier
from threadpoolctl import threadpool_limits

from prospect.errors import ModelError
from prospect.grid import LATTICE
from prospect.learners import likelihood
from prospect.models.training_draws import TrainingDraws, components, levels_of
from prospect.trees import Block, Doubles, Mask, Tree, Trees, pack

FORESTS = (
    RandomForestClassifier,
    ExtraTreesClassifier,
    RandomForestRegressor,
    ExtraTreesRegressor,
)
SINGLE_TREES = (DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier)


@dataclass(frozen=True)
class Predictor:
    """
    Scores blocks of features as a fitted estimator would; made by :func:`compile_estimator`.

    It can be pickled, and asked by several threads at a time.

    Attributes
    ----------
    features : int
        How many the estimator reads.
    draws : int
        Members whose disagreement :meth:`predict_with_spread` tells; 0 if there are none.
    fast : bool
        Whether trees are traversed here, rather than by the estimator's own code.
    """

    part: Part
    features: int

    @property
    def draws(self) -> int:
        """Members of the outermost ensemble, if they are separate draws."""
        return self.part.draws

    @property
    def fast(self) -> bool:
        """Whether this module's own traversal is used."""
        return not isinstance(self.part, Foreign)

    def predict(self, block: NDArray[Any], valid: Mask | None = None) -> Doubles:
        """
        Score the cells of a block.

        Parameters
        ----------
        block : array of shape (feature, rows, cols)
            Taken as float32, as every feature is. Gaps are NaN, and go where the estimator
            sends them. Foreign estimators are asked by blocks of the lattice, which begins
            at the first cell.
        valid : array of shape (rows, cols), bool, optional
            Which cells to score; all when not given.

        Returns
        -------
        array of shape (rows, cols), float64
            The score of the deposit class; NaN where ``valid`` is false.

        Raises
        ------
        ModelError
            If the block has another number of features.
        """
        return self.part.score(*self._require(block, valid), spread=False)[0]

    def predict_with_spread(
        self, block: NDArray[Any], valid: Mask | None = None
    ) -> tuple[Doubles, Doubles]:
        """
        Score the cells of a block, and tell how far the draws disagree.

        Parameters
        ----------
        block, valid
            As of :meth:`predict`.

        Returns
        -------
        likelihood, spread : array of shape (rows, cols), float64
            The mean of the draws and their standard deviation.

        Raises
        ------
        ModelError
            If there are no draws, or the block has another number of features.
        """
        if not self.draws:
            raise ModelError("The spread of draws was asked for, but the estimator has no draws.")
        return self.part.score(*self._require(block, valid), spread=True)

    @property
    def tells_variances(self) -> bool:
        """Whether :meth:`predict_with_variances` can be asked."""
        return isinstance(self.part, Square)

    def predict_with_variances(
        self, block: NDArray[Any], valid: Mask | None = None
    ) -> tuple[Doubles, Doubles]:
        """
        Score the cells of a block, and tell what the spread of training draws is made of.

        Parameters
        ----------
        block, valid
            As of :meth:`predict`.

        Returns
        -------
        likelihood : array of shape (rows, cols)
            To the bits of :meth:`predict`.
        variances : array of shape (3, rows, cols)
            Over draws of background, of deposits, and of their places; the sum is the
            square of the spread. NaN where ``valid`` is false.

        Raises
        ------
        ModelError
            If the estimator is none of :class:`~prospect.models.TrainingDraws`, or the block
            has another number of features.
        """
        if not isinstance(self.part, Square):
            raise ModelError("Variances by draw were asked for, but there are no training draws.")
        return self.part.variances(*self._require(block, valid))

    def _require(self, block: NDArray[Any], valid: Mask | None) -> tuple[Block, Mask]:
        if block.ndim != 3 or block.shape[0] != self.features:
            raise ModelError(
                f"A block of {self.features} features in rows and columns was expected, but one "
                f"of shape {block.shape} came."
            )
        valid = np.ones(block.shape[1:], bool) if valid is None else valid
        if valid.shape != block.shape[1:]:
            raise ModelError(f"Cells {block.shape[1:]} were expected, but {valid.shape} came.")
        return np.ascontiguousarray(block, np.float32), np.ascontiguousarray(valid, bool)


def compile_estimator(fitted: Any) -> Predictor:
    """
    Turn a fitted estimator into arrays that are traversed over blocks of cells.

    Known are random forests and extremely randomised trees (classifiers and regressors),
    single trees, histogram boosting of two classes, bags and training draws of any of them,
    and their calibration by a sigmoid or isotonically; each also behind a SimpleImputer in a
    Pipeline. Any other estimator is asked itself.

    Parameters
    ----------
    fitted : fitted classifier or tree regressor
        One output. The deposits are class 1.

    Returns
    -------
    Predictor
        Equal to ``predict_proba`` with ``n_jobs=1`` to the bit for trees, for boosting
        within 1e-7.
    """
    part = _compile(fitted, Reading.plain(fitted.n_features_in_))
    return Predictor(part or Foreign(fitted), int(fitted.n_features_in_))


class Reading(NamedTuple):
    """How an estimator inside others sees the block: which planes, and gaps filled with what."""

    planes: NDArray[np.int64]
    fills: Doubles | None

    @classmethod
    def plain(cls, features: int) -> Reading:
        """Every plane, gaps and all."""
        return cls(np.arange(features), None)


class Part(ABC):
    """What a predictor is made of."""

    draws = 0

    @abstractmethod
    def score(self, block: Block, valid: Mask, *, spread: bool) -> tuple[Doubles, Doubles]:
        """The scores, and their spread or an empty array."""


@dataclass(frozen=True)
class Forest(Part):
    """The mean of trees; every tree is a draw if ``draws`` says so."""

    trees: Trees
    draws: int = 0

    def score(self, block: Block, valid: Mask, *, spread: bool) -> tuple[Doubles, Doubles]:
        total, squares = self.trees.total(block, valid, squares=spread)
        count = len(self.trees.roots)
        total /= count
        return total, _deviation(total, squares / count)


@dataclass(frozen=True)
class Boosting(Part):
    """The sum of trees on a baseline, as a share unless ``raw``."""

    trees: Trees
    baseline: float
    raw: bool = False

    def score(self, block: Block, valid: Mask, *, spread: bool) -> tuple[Doubles, Doubles]:
        total, squares = self.trees.total(block, valid, start=self.baseline)
        return total if self.raw else expit(total, out=total), squares


@dataclass(frozen=True)
class Calibrated(Part):
    """What a part says, put on another scale cell by cell."""

    part: Part
    calibrator: Any

    def score(self, block: Block, valid: Mask, *, spread: bool) -> tuple[Doubles, Doubles]:
        scores, nothing = self.part.score(block, valid, spread=False)
        if valid.any():
            scores[valid] = self.calibrator.predict(scores[valid])
        return scores, nothing


@dataclass(frozen=True)
class Bag(Part):
    """The mean of members; each is a draw if ``draws`` says so."""

    members: tuple[Part, ...]
    draws: int = 0

    def score(self, block: Block, valid: Mask, *, spread: bool) -> tuple[Doubles, Doubles]:
        total = np.zeros(valid.shape)
        squares = np.zeros(valid.shape if spread else (0, 0))
        for member in self.members:
            scores, _ = member.score(block, valid, spread=False)
            total += scores
            if spread:
                squares += scores * scores
        total /= len(self.members)
        return total, _deviation(total, squares / len(self.members))


@dataclass(frozen=True)
class Square(Part):
    """Members of training draws: trees, which are packed, or other parts."""

    members: Trees | tuple[Part, ...]
    draws: int = 0
    placed: bool = False

    def score(self, block: Block, valid: Mask, *, spread: bool) -> tuple[Doubles, Doubles]:
        if spread:
            mean, variances = self.variances(block, valid)
            return mean, np.sqrt(variances.sum(axis=0))
        if not isinstance(self.members, Trees):
            return Bag(self.members).score(block, valid, spread=False)
        return Forest(self.members).score(block, valid, spread=False)

    def variances(self, block: Block, valid: Mask) -> tuple[Doubles, Doubles]:
        """Mean, and the variances over each of the three draws."""
        levels, side = levels_of(self.draws), self.draws
        if isinstance(self.members, Trees):
            total, squares, squared = self.members.by_level(block, valid, levels, side)
        else:
            total, squares = np.zeros((2, *valid.shape))
            sums = np.zeros((3, side, *valid.shape))
            for number, member in enumerate(self.members):
                said, _ = member.score(block, valid, spread=False)
                total += said
                squares += said * said
                sums[np.arange(3), levels[:, number]] += said
            squared = (sums**2).sum(axis=1)
        found = components(total, squares, squared, side, placed=self.placed)
        found[:, ~valid] = np.nan
        return total / side**2, found


@dataclass(frozen=True)
class Foreign(Part):
    """An estimator that is asked itself, a lattice block at a time, on one thread."""

    estimator: Any

    def score(self, block: Block, valid: Mask, *, spread: bool) -> tuple[Doubles, Doubles]:
        out = np.full(valid.shape, np.nan)
        starts = (range(0, size, LATTICE) for size in valid.shape)
        with threadpool_limits(1):
            for row, col in product(*starts):
                here = slice(row, row + LATTICE), slice(col, col + LATTICE)
                inside = valid[here]
                if inside.any():
                    cells = np.ascontiguousarray(block[:, *here][:, inside].T)
                    out[here][inside] = likelihood(self.estimator, cells)
        return out, np.empty((0, 0))


def _deviation(mean: Doubles, square: Doubles) -> Doubles:
    """Standard deviation of draws from the means of values and of squares."""
    return np.sqrt(np.maximum(square - mean * mean, 0.0)) if square.size else square


def _compile(fitted: Any, reading: Reading) -> Part | None:
    """The part that does what an estimator does, or None where that is not known."""
    kind = type(fitted)
    if kind is Pipeline:
        inner = _through(fitted.steps[:-1], reading)
        return None if inner is None else _compile(fitted.steps[-1][1], inner)
    if kind is HistGradientBoostingClassifier:
        return _boosting(fitted, reading)
    if kind is BaggingClassifier:
        return _bag(fitted, reading)
    if kind is CalibratedClassifierCV:
        return _calibrated(fitted, reading)
    if kind is TrainingDraws:
        return _square(fitted, reading)
    trees = _trees(fitted, reading)
    packed = None if trees is None else pack(trees)
    return None if packed is None else Forest(packed)


def _through(steps: Iterable[tuple[str, Any]], reading: Reading) -> Reading | None:
    """What is seen behind the steps of a pipeline, if they only fill gaps."""
    for _, step in steps:
        if step is None or step == "passthrough":
            continue
        if type(step) is not SimpleImputer or step.add_indicator:
            return None
        gap, precision = step.missing_values, np.dtype(step._fill_dtype)
        if not (isinstance(gap, float) and np.isnan(gap)) or precision.kind != "f":
            return None
        # Filled in the imputer's precision, then compared in that of the estimator.
        fills = np.asarray(step.statistics_).astype(precision).astype(np.float64)
        if np.isnan(fills).any():
            return None
        if reading.fills is None:
            reading = Reading(reading.planes, fills)
    return reading


def _trees(fitted: Any, reading: Reading) -> list[Tree] | None:
    """The trees of a forest, or the one tree."""
    if type(fitted) in FORESTS:
        members = fitted.estimators_
    elif type(fitted) in SINGLE_TREES:
        members = [fitted]
    else:
        return None
    classes = list(getattr(fitted, "classes_", [1]))
    if fitted.n_outputs_ != 1 or 1 not in classes:
        return None
    return [_tree(member.tree_, classes.index(1), reading) for member in members]


def _tree(tree: Any, column: int, reading: Reading) -> Tree:
    # Trees compare features, and what fills their gaps, in float32.
    fills = None if reading.fills is None else reading.fills.astype(np.float32).astype(float)
    inner = tree.children_left != -1
    feature = np.where(inner, tree.feature, 0)
    return Tree(
        left=tree.children_left,
        right=tree.children_right,
        plane=reading.planes[feature],
        threshold=tree.threshold,
        gaps_left=tree.missing_go_to_left.astype(bool),
        fill=None if fills is None else fills[feature],
        value=tree.value[:, 0, column],
    )


def _boosting(fitted: HistGradientBoostingClassifier, reading: Reading) -> Part | None:
    known = (
        list(fitted.classes_) == [0, 1]
        and fitted.n_trees_per_iteration_ == 1
        and (fitted.is_categorical_ is None or not np.any(fitted.is_categorical_))
    )
    if not known:
        return None
    trees = []
    for (predictor,) in fitted._predictors:
        nodes = predictor.nodes
        leaf = nodes["is_leaf"].astype(bool)
        feature = np.where(leaf, 0, nodes["feature_idx"])
        trees.append(
            Tree(
                left=np.where(leaf, -1, nodes["left"].astype(np.int64)),
                right=np.where(leaf, -1, nodes["right"].astype(np.int64)),
                plane=reading.planes[feature],
                threshold=nodes["num_threshold"],
                gaps_left=nodes["missing_go_to_left"].astype(bool),
                fill=None if reading.fills is None else reading.fills[feature],
                value=nodes["value"],
            )
        )
    packed = pack(trees)
    baseline = float(np.ravel(fitted._baseline_prediction)[0])
    return None if packed is None else Boosting(packed, baseline)


def _bag(fitted: BaggingClassifier, reading: Reading) -> Part | None:
    """Members that are single trees become one forest, each tree a draw."""
    if list(fitted.classes_) != [0, 1]:
        return None
    parts: list[Part] = []
    single: list[Tree] = []
    for member, planes in zip(fitted.estimators_, fitted.estimators_features_, strict=True):
        if list(member.classes_) != [0, 1]:
            return None
        fills = None if reading.fills is None else reading.fills[planes]
        steps = member.steps if type(member) is Pipeline else [("", member)]
        seen = _through(steps[:-1], Reading(reading.planes[planes], fills))
        if seen is None:
            return None
        last = steps[-1][1]
        if type(last) is DecisionTreeClassifier:
            single += _trees(last, seen) or []
            continue
        part = _compile(last, seen)
        if part is None:
            return None
        parts.append(part)
    if not parts:
        packed = pack(single)
        return None if packed is None else Forest(packed, draws=len(single))
    return None if single else Bag(tuple(parts), draws=len(parts))


def _square(fitted: TrainingDraws, reading: Reading) -> Part | None:
    """Members that are single trees are packed; others are asked one by one."""
    if list(fitted.classes_) != [0, 1]:
        return None
    fills = fitted.fills_ if reading.fills is None else reading.fills
    seen = Reading(reading.planes, fills)
    if all(type(member) in SINGLE_TREES for member in fitted.estimators_):
        trees = [tree for member in fitted.estimators_ for tree in _trees(member, seen) or ()]
        packed = pack(trees) if len(trees) == len(fitted.estimators_) else None
        return None if packed is None else Square(packed, fitted.n_draws, fitted.placed_)
    parts = [_compile(member, seen) for member in fitted.estimators_]
    known = tuple(part for part in parts if part is not None)
    if len(known) < len(parts):
        return None
    return Square(known, fitted.n_draws, fitted.placed_)


def _calibrated(fitted: CalibratedClassifierCV, reading: Reading) -> Part | None:
    """The mean of calibrated members, which are folds rather than draws."""
    if list(fitted.classes_) != [0, 1]:
        return None
    members = []
    for member in fitted.calibrated_classifiers_:
        inner = member.estimator
        part = _compile(inner.estimator if type(inner) is FrozenEstimator else inner, reading)
        if isinstance(part, Boosting):
            # Calibrated is what it decides by, not the share it tells.
            part = replace(part, raw=True)
        # Bags of boosting decide by a mean of their own.
        known = isinstance(part, (Forest, Boosting)) and member.method in ("sigmoid", "isotonic")
        if part is None or not known:
            return None
        members.append(Calibrated(part, member.calibrators[0]))
    return Bag(tuple(members))
