"""Estimators of this package as passes over blocks: what they say of every cell, to the bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from prospect.encoding import with_encoded_classes, with_filled_gaps
from prospect.errors import ModelError
from prospect.inference import compile_estimator
from prospect.models import (
    BaggedPU,
    BlendedClassifier,
    ElkanNoto,
    FuzzyOverlay,
    NegativeDraws,
    SignedLogistic,
    WeightsOfEvidence,
)

FEATURES = 5
SIGNS = ["+", "-", "0", "+", "∩"]


@pytest.fixture(autouse=True)
def one_thread():
    """Boosting waits for its threads where others work, too."""
    with threadpool_limits(1):
        yield


def samples(seed=0, count=150, gaps=0.1):
    """Features of which one is constant and the last is of classes, and what follows of them."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, FEATURES)).astype(np.float32)
    values[:, 3] = 1.5
    values[:, 4] = rng.integers(0, 6, count)
    label = (values[:, 0] - values[:, 1] + (values[:, 4] == 2) + rng.normal(size=count) > 1.0) * 1
    values[rng.random(values.shape) < gaps] = np.nan
    return values, label


def block(seed=1, shape=(19, 21), gaps=0.1):
    """Cells with classes of which one was never learnt from."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(FEATURES, *shape)).astype(np.float32)
    values[4] = rng.integers(0, 7, shape)
    values[rng.random(values.shape) < gaps] = np.nan
    return values


def asked(fitted, cells):
    """What the estimator itself says, all cells at once."""
    scores = fitted.predict_proba(cells.reshape(len(cells), -1).T)[:, 1]
    return scores.reshape(cells.shape[1:])


def draws_of(fitted, cells):
    """What every member of an ensemble of ours says."""
    return np.array([asked(member, cells) for member in fitted.estimators_])


FOREST = ExtraTreesClassifier(6, min_samples_leaf=2)
EXACT = {
    "bagged trees": BaggedPU(random_state=0, n_bags=70),
    "bagged trees of one class a leaf": BaggedPU(DecisionTreeClassifier(), random_state=0),
    "bagged trees behind a pipeline": with_filled_gaps(BaggedPU(random_state=0)),
    "bagged forests": BaggedPU(FOREST, n_bags=15, random_state=0),
    "bagged strangers": BaggedPU(with_filled_gaps(GaussianNB()), n_bags=3, random_state=0),
    "draws of trees": NegativeDraws(random_state=0),
    "draws of forests": NegativeDraws(FOREST, n_draws=12, random_state=0),
    "draws of forests behind pipelines": NegativeDraws(with_filled_gaps(FOREST), random_state=0),
    "draws of pure forests": NegativeDraws(RandomForestClassifier(5), n_draws=4, random_state=0),
    "elkan noto": ElkanNoto(FOREST, random_state=0),
    "elkan noto of a stranger": ElkanNoto(with_filled_gaps(GaussianNB()), random_state=0),
    "blend": BlendedClassifier(FuzzyOverlay(SIGNS)),
    "blend of a stranger": BlendedClassifier(FuzzyOverlay(SIGNS), with_filled_gaps(GaussianNB())),
    "blend that only knows": BlendedClassifier(FuzzyOverlay(SIGNS), fewest=1000, most=2000),
    "blend that only learns": BlendedClassifier(FuzzyOverlay(SIGNS), fewest=1, most=2),
    "signed logistic": SignedLogistic(SIGNS),
    "signed logistic behind a pipeline": with_filled_gaps(SignedLogistic(SIGNS)),
    "weights of evidence": WeightsOfEvidence(SIGNS, min_studentised=0.3),
    "weights of many classes": WeightsOfEvidence(method="multiclass", min_studentised=0.1),
    "weights behind a pipeline": with_filled_gaps(WeightsOfEvidence()),
    "weights that say nothing": WeightsOfEvidence(min_studentised=100.0),
    "fuzzy": FuzzyOverlay(SIGNS),
    "fuzzy behind a pipeline": with_filled_gaps(FuzzyOverlay(SIGNS)),
    "fuzzy groups": FuzzyOverlay(SIGNS, groups=["a", "b", "a", "b", "b"]),
    **{f"fuzzy {name}": FuzzyOverlay(SIGNS, overlay=name) for name in ("and", "or", "sum")},
    "encoded classes": with_encoded_classes(ExtraTreesClassifier(9, random_state=0), [4]),
    "encoded classes of gaps filled": with_encoded_classes(with_filled_gaps(FOREST), [4]),
    "encoded classes in draws": NegativeDraws(with_encoded_classes(FOREST, [4]), random_state=0),
    "encoded classes before draws": with_encoded_classes(NegativeDraws(FOREST), [4]),
    "encoded classes of weights": with_encoded_classes(WeightsOfEvidence(), [4]),
}  # fmt: skip
PIPED = (
    "bagged strangers",
    "draws of forests behind pipelines",
    "elkan noto of a stranger",
    "encoded classes in draws",
)
STRANGE = ("strangers", "stranger", "encoded classes of weights")


@pytest.mark.parametrize("name", EXACT)
def test_estimators_of_ours_are_as_asked_themselves(name):
    # Ensembles of ours take no gaps where their members are pipelines.
    gaps = 0.0 if name in PIPED else 0.1
    values, label = samples(gaps=gaps)
    fitted = EXACT[name].fit(values, label)
    cells = block(gaps=gaps)
    predictor = compile_estimator(fitted)
    assert predictor.fast == (not name.endswith(STRANGE))
    expected = asked(fitted, cells)
    np.testing.assert_array_equal(predictor.predict(cells), expected)
    # A part of the block, and few of its cells.
    valid = np.random.default_rng(0).random(cells.shape[1:]) < 0.2
    found = predictor.predict(cells[:, 3:, 5:], valid[3:, 5:])
    np.testing.assert_array_equal(found, np.where(valid, expected, np.nan)[3:, 5:])


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    shape=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    gaps=st.sampled_from([0.0, 0.3, 1.0]),
    kind=st.sampled_from([SignedLogistic, WeightsOfEvidence, FuzzyOverlay, NegativeDraws]),
)
def test_any_block(seed, shape, gaps, kind):
    values, label = samples(seed, gaps=min(gaps, 0.3))
    fitted = kind(random_state=0) if kind is NegativeDraws else kind(SIGNS)
    fitted.fit(values, label)
    cells = block(seed, shape, gaps)
    np.testing.assert_array_equal(compile_estimator(fitted).predict(cells), asked(fitted, cells))


def test_logistic_regression_is_within_rounding():
    values, label = samples()
    fitted = with_filled_gaps(LogisticRegression()).fit(values.astype(float), label)
    cells = block().astype(float)
    predictor = compile_estimator(fitted)
    assert predictor.fast
    np.testing.assert_allclose(predictor.predict(cells), asked(fitted, cells), rtol=0, atol=1e-12)


@pytest.mark.parametrize("encoded", [False, True])
def test_boosting_of_classes_and_of_draws(encoded):
    values, label = samples(count=300)
    boosting = HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5, random_state=0)
    draws = NegativeDraws(boosting, n_draws=3, random_state=0)
    fitted = (with_encoded_classes(draws, [4]) if encoded else draws).fit(values, label)
    predictor = compile_estimator(fitted)
    assert predictor.fast
    assert (predictor.draws, predictor.members) == (3, 0)
    cells = block()
    np.testing.assert_allclose(predictor.predict(cells), asked(fitted, cells), rtol=0, atol=1e-7)


def test_classes_that_single_precision_would_confuse_are_asked_themselves():
    values, label = samples(count=300)
    boosting = HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5, random_state=0)
    fitted = with_encoded_classes(boosting, [4]).fit(values, label)
    assert compile_estimator(fitted).fast
    shares = fitted[0].transformers_[0][1].encoder_.encodings_[0]
    nodes = fitted[-1]._predictors[0][0].nodes
    nodes["feature_idx"][0] = 0
    # A share that rounds up lies on its threshold in double precision, and above it in single.
    nodes["num_threshold"][0] = shares[2] = np.float64(np.float32(0.3)) - 1e-10
    assert not compile_estimator(fitted).fast


def parts_of(fitted, cells):
    """Means and variances of what every tree says, draw by draw, one after another."""
    means, variances = [], []
    for member in fitted.estimators_:
        last = member[-1] if hasattr(member, "steps") else member
        seen = cells.reshape(len(cells), -1).T
        if hasattr(member, "steps"):
            seen = member[:-1].transform(seen)
        trees = getattr(last, "estimators_", [last])
        told = np.array([tree.predict_proba(seen)[:, 1] for tree in trees])
        means.append(told.mean(axis=0))
        variances.append(told.var(axis=0))
    shape = cells.shape[1:]
    between, within = np.std(means, axis=0), np.sqrt(np.mean(variances, axis=0))
    return between.reshape(shape), within.reshape(shape)


@pytest.mark.parametrize("trees", [1, 2, 6, 70, 130])
@pytest.mark.parametrize("leaf", [1, 3])
@pytest.mark.parametrize("filled", [False, True])
def test_the_spread_has_two_parts(trees, leaf, filled):
    gaps = 0.0 if filled else 0.2
    values, label = samples(gaps=gaps)
    forest = ExtraTreesClassifier(trees, min_samples_leaf=leaf)
    draws = NegativeDraws(
        with_filled_gaps(forest) if filled else forest, n_draws=4, random_state=0
    ).fit(values, label)
    cells = block(gaps=gaps)
    predictor = compile_estimator(draws)
    assert predictor.draws == 4
    assert predictor.members == (0 if trees == 1 else trees)
    found = predictor.predict_with_parts(cells)
    between, within = parts_of(draws, cells)
    np.testing.assert_array_equal(found.likelihood, asked(draws, cells))
    np.testing.assert_array_equal(found.likelihood, predictor.predict(cells))
    # Rounding of the squares of equal means.
    np.testing.assert_allclose(found.between, between, atol=1e-7)
    np.testing.assert_allclose(found.within, within, atol=1e-7)
    assert found.between.max() > 0.05
    both = predictor.predict_with_spread(cells)
    np.testing.assert_array_equal(both, found[:2])
    valid = np.random.default_rng(0).random(cells.shape[1:]) < 0.2
    for part, whole in zip(predictor.predict_with_parts(cells, valid), found, strict=True):
        np.testing.assert_array_equal(part, np.where(valid, whole, np.nan))


def test_draws_of_several_sizes():
    values, label = samples(gaps=0.0)
    draws = BaggedPU(RandomForestClassifier(3, max_depth=3), n_bags=4, random_state=0)
    draws.fit(values, label)
    for number, member in enumerate(draws.estimators_[1:], 1):
        member.set_params(n_estimators=3 + 40 * number, warm_start=True).fit(values, label)
    cells = block(gaps=0.0)
    found = compile_estimator(draws).predict_with_parts(cells)
    between, within = parts_of(draws, cells)
    np.testing.assert_array_equal(found.likelihood, asked(draws, cells))
    np.testing.assert_allclose(found.between, between, atol=1e-7)
    np.testing.assert_allclose(found.within, within, atol=1e-7)


def test_draws_inside_draws_spread_within():
    values, label = samples()
    inner = BaggedPU(n_bags=5)
    fitted = NegativeDraws(inner, n_draws=3, random_state=0).fit(values, label)
    cells = block()
    predictor = compile_estimator(fitted)
    assert (predictor.draws, predictor.members) == (3, 5)
    found = predictor.predict_with_parts(cells)
    told = np.array([draws_of(member, cells) for member in fitted.estimators_])
    np.testing.assert_array_equal(found.likelihood, asked(fitted, cells))
    np.testing.assert_allclose(found.between, told.mean(axis=1).std(axis=0), atol=1e-7)
    np.testing.assert_allclose(found.within, np.sqrt(told.var(axis=1).mean(axis=0)), atol=1e-7)


def test_a_forest_alone_spreads_within():
    values, label = samples(gaps=0.0)
    fitted = RandomForestClassifier(7, random_state=0).fit(values, label)
    cells = block(gaps=0.0)
    predictor = compile_estimator(fitted)
    assert (predictor.draws, predictor.members) == (0, 7)
    found = predictor.predict_with_parts(cells)
    np.testing.assert_array_equal(found.between, 0.0)
    table = cells.reshape(FEATURES, -1).T
    told = np.array([tree.predict_proba(table)[:, 1] for tree in fitted.estimators_])
    np.testing.assert_allclose(found.within.ravel(), told.std(axis=0), atol=1e-7)


def test_what_has_no_members_has_no_parts():
    values, label = samples()
    for fitted in (FuzzyOverlay(SIGNS), SignedLogistic(), DecisionTreeClassifier()):
        predictor = compile_estimator(fitted.fit(values, label))
        with pytest.raises(ModelError, match="has no members"):
            predictor.predict_with_parts(block())


def test_a_bag_of_blends_and_of_classes_of_three():
    values, label = samples()
    fitted = BaggingClassifier(BlendedClassifier(FuzzyOverlay()), 2, random_state=0)
    fitted.fit(values, label)
    predictor = compile_estimator(fitted)
    assert predictor.fast
    np.testing.assert_array_equal(predictor.predict(block()), asked(fitted, block()))
    three = LogisticRegression().fit(np.nan_to_num(values), np.arange(len(values)) % 3)
    assert not compile_estimator(three).fast
