"""Which parts do what a fitted estimator does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
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
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from prospect.bundles import Bundle
from prospect.models import (
    BaggedPU,
    BlendedClassifier,
    ClassEncoder,
    ElkanNoto,
    FuzzyOverlay,
    NegativeDraws,
    SignedLogistic,
    TrainingDraws,
    WeightsOfEvidence,
)
from prospect.parts import (
    Bag,
    Boosting,
    Calibrated,
    Capped,
    Encoded,
    Encoding,
    Foreign,
    Forest,
    Lines,
    Memberships,
    Part,
    Ranked,
    Square,
    Steps,
)
from prospect.trees import Doubles, Tree, pack, with_means

FORESTS = (
    RandomForestClassifier,
    ExtraTreesClassifier,
    RandomForestRegressor,
    ExtraTreesRegressor,
)
SINGLE_TREES = (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)
DRAWN = (BaggedPU, NegativeDraws)
"""Ensembles of ours whose members are draws, added up one after another."""

SHAPES = {"+": 0, "-": 1, "\u2229": 2}
"""How a membership goes with its feature, as the kernel counts."""


class Reading(NamedTuple):
    """
    How an estimator inside others sees the block: which planes, and gaps filled with what.

    From plane ``behind`` on, after those of the block come those of ``encodings``.
    """

    planes: NDArray[np.int64]
    fills: Doubles | None
    behind: int
    encodings: tuple[Encoding, ...] = ()

    @classmethod
    def plain(cls, features: int) -> Reading:
        """Every plane, gaps and all."""
        return cls(np.arange(features), None, features)

    @property
    def as_it_is(self) -> bool:
        """Whether what is seen is the block itself."""
        whole = np.array_equal(self.planes, np.arange(self.behind))
        return self.fills is None and not self.encodings and whole

    def filled(self, columns: NDArray[np.int64]) -> Doubles:
        """What stands for gaps of some columns; NaN where they stay gaps."""
        return np.full(len(columns), np.nan) if self.fills is None else self.fills[columns]


def compile_part(fitted: Any, reading: Reading) -> Part | None:
    """The part that does what an estimator does, or None where that is not known."""
    kind = type(fitted)
    if kind is Pipeline:
        return _pipeline(fitted, reading)
    if kind is HistGradientBoostingClassifier:
        return _boosting(fitted, reading)
    if kind is BaggingClassifier:
        return _bag(fitted, reading)
    if kind in DRAWN:
        return _drawn(fitted, reading)
    if kind is TrainingDraws:
        return _square(fitted, reading)
    if kind is CalibratedClassifierCV:
        return _calibrated(fitted, reading)
    if kind is ElkanNoto:
        part = _or_asked(fitted.estimator_, reading)
        return None if part is None else Capped(part, fitted.c_)
    if kind is BlendedClassifier:
        return _blended(fitted, reading)
    if kind in (SignedLogistic, LogisticRegression):
        return _lines(fitted, reading)
    if kind is WeightsOfEvidence:
        return _steps(fitted, reading)
    if kind is FuzzyOverlay:
        return _memberships(fitted, reading)
    trees = _trees(fitted, reading)
    packed = None if trees is None else pack(trees)
    return None if packed is None else Forest(packed)


def _or_asked(fitted: Any, reading: Reading) -> Part | None:
    """The part that does what a member does; itself, where it sees what the block holds."""
    part = compile_part(fitted, reading)
    if part is None and reading.as_it_is and list(fitted.classes_) == [0, 1]:
        return Foreign(fitted)
    return part


def _pipeline(fitted: Pipeline, reading: Reading) -> Part | None:
    inner = _through(fitted.steps[:-1], reading)
    part = None if inner is None else compile_part(fitted.steps[-1][1], inner)
    if part is None or inner is None or inner.encodings == reading.encodings:
        return part
    return Encoded(part, inner.encodings)


def _through(steps: Iterable[tuple[str, Any]], reading: Reading) -> Reading | None:
    """What is seen behind the steps of a pipeline, if they only encode classes and fill gaps."""
    for _, step in steps:
        if step is None or step == "passthrough":
            continue
        seen = _filled(step, reading) if type(step) is SimpleImputer else _encoded(step, reading)
        if seen is None:
            return None
        reading = seen
    return reading


def _filled(step: SimpleImputer, reading: Reading) -> Reading | None:
    gap, precision = step.missing_values, np.dtype(step._fill_dtype)
    if step.add_indicator or not (isinstance(gap, float) and np.isnan(gap)):
        return None
    if precision.kind != "f":
        return None
    # Filled in the imputer's precision, then compared in that of the estimator.
    fills = np.asarray(step.statistics_).astype(precision).astype(np.float64)
    if np.isnan(fills).any():
        return None
    return reading if reading.fills is not None else reading._replace(fills=fills)


def _encoded(step: Any, reading: Reading) -> Reading | None:
    """What is seen behind our encoder of classes, as :func:`with_encoded_classes` puts it."""
    if type(step) is not ColumnTransformer or reading.fills is not None or reading.encodings:
        return None
    known = [
        (name, part)
        for name, part, _ in step.transformers_
        if type(part) is ClassEncoder or name == "remainder"
    ]
    if step.remainder != "passthrough" or len(known) != len(step.transformers_):
        return None
    planes: list[int] = []
    encodings: list[Encoding] = []
    for name, part in known:
        for i, column in enumerate(step._transformer_to_input_indices[name]):
            plane = int(reading.planes[column])
            if name == "remainder":
                planes.append(plane)
                continue
            codes = np.asarray(part.encoder_.categories_[i], float)
            seen = ~np.isnan(codes)
            shares = np.asarray(part.encoder_.encodings_[i], float)[seen]
            planes.append(reading.behind + len(encodings))
            encodings.append(
                Encoding(plane, codes[seen], shares, float(part.encoder_.target_mean_))
            )
    return reading._replace(planes=np.array(planes), encodings=tuple(encodings))


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
        if not _parted_alike(reading, reading.planes[feature], nodes["num_threshold"]):
            return None
        left, right = (
            np.where(leaf, -1, nodes[side].astype(np.int64)) for side in ("left", "right")
        )
        trees.append(
            Tree(
                left=left,
                right=right,
                plane=reading.planes[feature],
                threshold=nodes["num_threshold"],
                gaps_left=nodes["missing_go_to_left"].astype(bool),
                fill=None if reading.fills is None else reading.fills[feature],
                value=with_means(left, right, nodes["value"], nodes["count"]),
            )
        )
    packed = pack(trees)
    baseline = float(np.ravel(fitted._baseline_prediction)[0])
    return None if packed is None else Boosting(packed, baseline)


def _parted_alike(reading: Reading, plane: NDArray[np.int64], threshold: Doubles) -> bool:
    """Whether float32 shares of classes lie on the same sides of thresholds as float64 ones."""
    for i, encoding in enumerate(reading.encodings):
        shares = np.append(encoding.shares, encoding.other)
        limits = threshold[plane == reading.behind + i]
        nearest = shares.astype(np.float32).astype(float)
        if not np.array_equal(shares[:, None] <= limits, nearest[:, None] <= limits):
            return False
    return True


def _bag(fitted: BaggingClassifier, reading: Reading) -> Part | None:
    if list(fitted.classes_) != [0, 1]:
        return None
    members = [
        (
            member,
            reading._replace(
                planes=reading.planes[planes],
                fills=None if reading.fills is None else reading.fills[planes],
            ),
        )
        for member, planes in zip(fitted.estimators_, fitted.estimators_features_, strict=True)
    ]
    return _ensemble(members, asked=False)


def _drawn(fitted: Any, reading: Reading) -> Part | None:
    """An ensemble of ours: members see all features."""
    members = [(member, reading) for member in fitted.estimators_]
    return _ensemble(members, asked=reading.as_it_is)


def _ensemble(members: Sequence[tuple[Any, Reading]], *, asked: bool) -> Part | None:
    """
    The mean of members that are draws.

    Trees, and forests of trees, become one forest whose trees know their draw.
    """
    trees: list[Tree] = []
    sizes: list[int] = []
    parts: list[Part] = []
    for member, reading in members:
        if list(member.classes_) != [0, 1]:
            return None
        steps = member.steps if type(member) is Pipeline else [("", member)]
        seen = _through(steps[:-1], reading)
        plain = seen is not None and seen.encodings == reading.encodings
        found = _trees(steps[-1][1], seen) if seen is not None and plain else None
        if found is not None and not parts:
            trees += found
            sizes.append(len(found))
            continue
        part = _or_asked(member, reading) if asked else compile_part(member, reading)
        if part is None:
            return None
        parts.append(part)
    if not parts:
        packed = pack(trees, sizes if max(sizes) > 1 else ())
        if packed is not None:
            return Forest(packed, draws=len(sizes))
    return None if trees else Bag(tuple(parts), draws=len(parts))


def _square(fitted: TrainingDraws, reading: Reading) -> Part | None:
    """Members that are single trees are packed; others are asked one by one."""
    if list(fitted.classes_) != [0, 1]:
        return None
    seen = reading if reading.fills is not None else reading._replace(fills=fitted.fills_)
    if all(type(member) in SINGLE_TREES for member in fitted.estimators_):
        trees = [tree for member in fitted.estimators_ for tree in _trees(member, seen) or ()]
        packed = pack(trees) if len(trees) == len(fitted.estimators_) else None
        return None if packed is None else Square(packed, fitted.n_draws, fitted.placed_)
    parts = [compile_part(member, seen) for member in fitted.estimators_]
    known = tuple(part for part in parts if part is not None)
    if len(known) < len(parts):
        return None
    lines = [part for part in known if isinstance(part, Lines)]
    fills = seen.filled(np.arange(seen.planes.size))
    if len(lines) == len(known) and not np.isnan(fills).any():
        return Square(_bundle(lines, fills), fitted.n_draws, fitted.placed_)
    return Square(known, fitted.n_draws, fitted.placed_)


def _bundle(lines: Sequence[Lines], fills: Doubles) -> Bundle:
    """Lines of the same features, whose gaps are filled alike before any is asked."""
    slopes = np.stack([line.slope / line.divisor for line in lines])
    centres = np.stack([line.centre for line in lines])
    intercepts = np.array([line.intercept for line in lines]) - (slopes * centres).sum(axis=1)
    return Bundle(lines[0].planes, fills, slopes, intercepts)


def _calibrated(fitted: CalibratedClassifierCV, reading: Reading) -> Part | None:
    """The mean of calibrated members, which are folds rather than draws."""
    if list(fitted.classes_) != [0, 1]:
        return None
    members = []
    for member in fitted.calibrated_classifiers_:
        inner = member.estimator
        part = compile_part(inner.estimator if type(inner) is FrozenEstimator else inner, reading)
        if isinstance(part, Boosting):
            # Calibrated is what it decides by, not the share it tells.
            part = replace(part, raw=True)
        # Bags of boosting decide by a mean of their own.
        known = isinstance(part, (Forest, Boosting)) and member.method in ("sigmoid", "isotonic")
        if part is None or not known:
            return None
        members.append(Calibrated(part, member.calibrators[0]))
    return Bag(tuple(members))


def _blended(fitted: BlendedClassifier, reading: Reading) -> Part | None:
    parts = [_or_asked(estimator, reading) for estimator, _, _ in fitted.parts_]
    known = tuple(part for part in parts if part is not None)
    if len(known) < len(parts):
        return None
    _, ranks, shares = zip(*fitted.parts_, strict=True)
    return Ranked(known, ranks, shares)


def _lines(fitted: Any, reading: Reading) -> Part | None:
    """Logistic regressions of two classes."""
    # Shares of classes are float32 behind the block: not what the estimator would multiply.
    if reading.encodings or list(fitted.classes_) != [0, 1]:
        return None
    slope = fitted.coef_[0].astype(float)
    every = np.arange(slope.size)
    fills, centre, divisor = reading.filled(every), np.zeros(slope.size), np.ones(slope.size)
    if type(fitted) is SignedLogistic:
        centre = fitted.mean_
        slope = np.where(fitted.scale_ > 0, slope, 0.0)
        divisor = np.where(fitted.scale_ > 0, fitted.scale_, 1.0)
        # A gap counts as the mean.
        fills = np.where(np.isnan(fills), centre, fills)
    intercept = float(np.ravel(fitted.intercept_)[0])
    return Lines(reading.planes, fills, centre, divisor, slope, intercept)


def _steps(fitted: WeightsOfEvidence, reading: Reading) -> Part | None:
    if reading.encodings or list(fitted.classes_) != [0, 1]:
        return None
    used = np.flatnonzero(fitted.used_)
    return Steps(
        reading.planes[used],
        reading.filled(used),
        tuple(np.asarray(fitted.edges_[j], float) for j in used),
        tuple(fitted.coef_[0, j] * np.asarray(fitted.weights_[j], float) for j in used),
        float(fitted.intercept_[0]),
    )


def _memberships(fitted: FuzzyOverlay, reading: Reading) -> Part | None:
    if reading.encodings or list(fitted.classes_) != [0, 1]:
        return None
    used = np.flatnonzero(fitted.used_)
    used = used[np.argsort(fitted._group[used], kind="stable")]
    return Memberships(
        reading.planes[used],
        reading.filled(used),
        fitted._group[used],
        np.array([SHAPES[str(fitted._signs[j])] for j in used], np.int64),
        fitted.low_[used],
        fitted.high_[used],
        float(fitted.floor),
        fitted,
    )
