"""Trees over blocks: what scikit-learn says of every cell, to the bit."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from prospect import trees
from prospect.errors import ModelError
from prospect.inference import Foreign, Predictor, compile_estimator
from prospect.learners import extra_trees, fit

FEATURES = 5


@pytest.fixture(autouse=True)
def one_thread():
    """Boosting waits for its threads where others work, too."""
    with threadpool_limits(1):
        yield


def samples(seed=0, count=120, gaps=0.0, ties=False, kinds=2):
    """Features of which one is constant, and labels that depend on them; all classes occur."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, FEATURES)).astype(np.float32)
    if ties:
        values = np.round(values * 2)
    values[:, 3] = 1.5
    label = np.digitize(values[:, 0] + rng.normal(size=count), np.linspace(0, 1, kinds - 1))
    label[:kinds] = np.arange(kinds)
    values[rng.random(values.shape) < gaps] = np.nan
    return values, label


def block(seed=1, shape=(19, 21), gaps=0.0, ties=False):
    """Features of cells, patches cut by two of its edges."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(FEATURES, *shape)).astype(np.float32)
    if ties:
        values = np.round(values * 2)
    values[rng.random(values.shape) < gaps] = np.nan
    return values


def asked(fitted, cells):
    """What the estimator itself says, all cells at once."""
    table = cells.reshape(len(cells), -1).T
    if hasattr(fitted, "predict_proba"):
        scores = fitted.predict_proba(table)[:, list(fitted.classes_).index(1)]
    else:
        scores = fitted.predict(table)
    return scores.reshape(cells.shape[1:])


def require_equal(fitted, cells):
    predictor = compile_estimator(fitted)
    assert predictor.fast
    np.testing.assert_array_equal(predictor.predict(cells), asked(fitted, cells))


@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestClassifier(7),
        RandomForestClassifier(150, max_depth=3),
        ExtraTreesClassifier(9, min_samples_leaf=3),
        ExtraTreesClassifier(64, bootstrap=True, max_leaf_nodes=7),
        RandomForestRegressor(6),
        ExtraTreesRegressor(6, min_samples_leaf=2),
        DecisionTreeClassifier(),
    ],
    ids=str,
)
@pytest.mark.parametrize("gaps", [0.0, 0.2])
def test_trees_are_as_asked_themselves(estimator, gaps):
    values, label = samples(gaps=gaps)
    weight = np.where(label == 1, 3.7, 0.6)
    fitted = estimator.set_params(random_state=0).fit(values, label, sample_weight=weight)
    require_equal(fitted, block(gaps=gaps))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    shape=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    gaps=st.sampled_from([0.0, 0.3, 1.0]),
    ties=st.booleans(),
    leaf=st.integers(1, 4),
    depth=st.sampled_from([None, 1, 3]),
    kind=st.sampled_from([RandomForestClassifier, ExtraTreesClassifier]),
    filled=st.booleans(),
    double=st.booleans(),
)
def test_any_forest_over_any_block(seed, shape, gaps, ties, leaf, depth, kind, filled, double):
    values, label = samples(seed, 40, min(gaps, 0.3), ties)
    estimator = kind(5, min_samples_leaf=leaf, max_depth=depth, random_state=seed)
    if filled:
        estimator = make_pipeline(SimpleImputer(strategy="median"), estimator)
    fitted = estimator.fit(values.astype(float) if double else values, label)
    cells = block(seed, shape, gaps, ties)
    require_equal(fitted, cells + 1e-9 if double else cells)


def test_a_threshold_between_neighbouring_numbers_parts_them():
    numbers = [np.float32(100)]
    while len(numbers) < 8:
        numbers.append(np.nextafter(numbers[-1], np.float32(np.inf)))
    values = np.tile(numbers, (FEATURES, 10)).T
    fitted = DecisionTreeClassifier().fit(values, np.tile([0, 1], 40))
    assert fitted.get_n_leaves() == 8
    cells = np.broadcast_to(np.tile(numbers, 2), (FEATURES, 3, 16))
    require_equal(fitted, cells)
    expected = np.tile([0.0, 1.0], 8)
    np.testing.assert_array_equal(compile_estimator(fitted).predict(cells)[0], expected)


@pytest.mark.parametrize("strategy", ["median", "mean", "constant"])
@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_gaps_are_filled_as_the_imputer_fills_them(strategy, precision):
    values, label = samples(gaps=0.2)
    imputer = SimpleImputer(strategy=strategy)
    for last in (ExtraTreesClassifier(8), HistGradientBoostingClassifier(max_iter=4)):
        fitted = make_pipeline(imputer, last.set_params(random_state=0))
        fitted.fit(values.astype(precision) * precision(1.1), label)
        require_equal(fitted, block(gaps=0.5))


def test_a_fill_that_lies_on_a_threshold_goes_left():
    values = np.repeat(np.float32([[1], [3]]), 10, axis=0)
    label = np.repeat([0, 1], 10)
    estimator = make_pipeline(SimpleImputer(strategy="median"), DecisionTreeClassifier())
    fitted = estimator.fit(values, label)
    gap = np.full((1, 2, 2), np.nan, np.float32)
    assert fitted[-1].tree_.threshold[0] == fitted[0].statistics_[0] == 2.0
    assert compile_estimator(fitted).predict(gap).max() == 0.0
    # Members that fill differently: every node knows which way a gap goes.
    bag = BaggingClassifier(estimator, 30, random_state=0).fit(values, label)
    assert {float(member[0].statistics_[0]) for member in bag.estimators_} == {1.0, 2.0, 3.0}
    require_equal(bag, gap)


@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_boosting_is_as_asked_itself(gaps):
    values, label = samples(count=300, gaps=gaps)
    values[label == 1, 2] = np.nan
    fitted = HistGradientBoostingClassifier(max_iter=30, random_state=0).fit(values, label)
    cells = block(gaps=gaps)
    predictor = compile_estimator(fitted)
    assert predictor.fast
    np.testing.assert_allclose(predictor.predict(cells), asked(fitted, cells), rtol=0, atol=1e-7)


def test_many_patches_may_share_a_load_of_trees(monkeypatch):
    values, label = samples()
    fitted = RandomForestClassifier(70, random_state=0).fit(values, label)
    cells = block(shape=(70, 131))
    expected = compile_estimator(fitted).predict(cells)
    np.testing.assert_array_equal(expected, asked(fitted, cells))
    monkeypatch.setattr(trees, "NEAR_NODES", 0)
    np.testing.assert_array_equal(compile_estimator(fitted).predict(cells), expected)


def test_trees_without_a_split_and_leaves_of_one_class():
    values, label = samples()
    values[:] = 2.0
    require_equal(RandomForestClassifier(3, random_state=0).fit(values, label), block())
    only = np.ones(len(values), int)
    require_equal(RandomForestClassifier(3, random_state=0).fit(values, only), block())


def test_deposits_may_be_one_class_of_three():
    values, label = samples(kinds=3)
    require_equal(ExtraTreesClassifier(5, random_state=0).fit(values, label), block())


def test_only_valid_cells_are_scored():
    values, label = samples()
    predictor = compile_estimator(RandomForestClassifier(5, random_state=0).fit(values, label))
    cells = block()
    valid = np.random.default_rng(0).random(cells.shape[1:]) < 0.3
    valid[:8, :16] = False
    scores = predictor.predict(cells, valid)
    np.testing.assert_array_equal(scores, np.where(valid, predictor.predict(cells), np.nan))
    assert np.isnan(predictor.predict(cells, np.zeros_like(valid))).all()


def bags():
    """Bags by how they are made, and whether each member is one tree."""
    tree, forest = DecisionTreeClassifier(min_samples_leaf=2), ExtraTreesClassifier(4)
    return {
        "trees": tree,
        "pure trees": DecisionTreeClassifier(),
        "trees behind imputers": make_pipeline(SimpleImputer(strategy="median"), tree),
        "forests behind imputers": make_pipeline(SimpleImputer(strategy="median"), forest),
        "boosting": HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=3),
    }


@pytest.mark.parametrize("kind", bags())
@pytest.mark.parametrize("share", [1.0, 0.6])
def test_bags_and_the_spread_of_their_draws(kind, share):
    values, label = samples(gaps=0.1)
    bag = BaggingClassifier(bags()[kind], 11, max_features=share, random_state=0)
    fitted = bag.fit(values, label)
    cells = block(gaps=0.1)
    predictor = compile_estimator(fitted)
    assert predictor.fast
    assert predictor.draws == 11
    scores, spread = predictor.predict_with_spread(cells)
    draws = np.array(
        [
            asked(member, cells[planes])
            for member, planes in zip(fitted.estimators_, fitted.estimators_features_, strict=True)
        ]
    )
    np.testing.assert_array_equal(scores, asked(fitted, cells))
    np.testing.assert_array_equal(scores, predictor.predict(cells))
    np.testing.assert_allclose(spread, draws.std(axis=0), atol=1e-7)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@pytest.mark.parametrize("kind", ["forest", "forest behind an imputer", "boosting", "frozen"])
def test_calibration_is_as_asked_itself(method, kind):
    values, label = samples(gaps=0.1)
    inner = {
        "forest": ExtraTreesClassifier(4, random_state=0),
        "forest behind an imputer": make_pipeline(
            SimpleImputer(strategy="median"), RandomForestClassifier(4, random_state=0)
        ),
        "boosting": HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=3),
        "frozen": FrozenEstimator(RandomForestClassifier(4, random_state=0).fit(values, label)),
    }[kind]
    fitted = CalibratedClassifierCV(inner, method=method, cv=3).fit(values, label)
    cells = block(gaps=0.1)
    require_equal(fitted, cells)
    predictor = compile_estimator(fitted)
    assert predictor.draws == 0
    assert np.isnan(predictor.predict(cells, np.zeros((19, 21), bool))).all()


def test_the_spread_keeps_to_valid_cells():
    values, label = samples()
    fitted = BaggingClassifier(DecisionTreeClassifier(), 5, random_state=0).fit(values, label)
    valid = np.zeros((19, 21), bool)
    valid[3, 4] = True
    for found in compile_estimator(fitted).predict_with_spread(block(), valid):
        np.testing.assert_array_equal(np.isfinite(found), valid)


def test_extra_trees_as_they_are_trained():
    values, label = samples(gaps=0.1)
    weight = np.random.default_rng(0).random(len(label)) + 0.5
    fitted = fit(extra_trees().set_params(n_draws=9), values,
                 label == 1, weight)  # fmt: skip
    require_equal(fitted, block(gaps=0.1))


def bag_of_strangers(values, label):
    return BaggingClassifier(GaussianNB(), 3).fit(np.nan_to_num(values), label)


def calibrated_bag(values, label):
    bag = BaggingClassifier(HistGradientBoostingClassifier(max_iter=2), 2)
    return CalibratedClassifierCV(bag, cv=2).fit(values, label)


def flagged(values, label):
    imputer = SimpleImputer(strategy="median", add_indicator=True)
    return make_pipeline(imputer, RandomForestClassifier(3, random_state=0)).fit(values, label)


def classed(values, label):
    sizes = np.nan_to_num(values)
    sizes[:, 1] = np.abs(np.round(sizes[:, 1]))
    return HistGradientBoostingClassifier(max_iter=2, categorical_features=[1]).fit(sizes, label)


def of_three_classes(values, label):
    return HistGradientBoostingClassifier(max_iter=2).fit(*samples(kinds=3))


@pytest.mark.parametrize(
    "stranger", [bag_of_strangers, calibrated_bag, flagged, classed, of_three_classes]
)
def test_strangers_are_asked_themselves_by_lattice_blocks(stranger):
    fitted = stranger(*samples(gaps=0.1))
    predictor = compile_estimator(fitted)
    assert not predictor.fast
    cells = np.abs(block(shape=(3, 300)))
    valid = cells[0] > 0.5
    scores = predictor.predict(cells, valid)
    np.testing.assert_array_equal(np.isfinite(scores), valid)
    # The second lattice block alone.
    again = predictor.predict(cells[:, :, 256:], valid[:, 256:])
    np.testing.assert_array_equal(scores[:, 256:], again)
    np.testing.assert_allclose(scores[valid], asked(fitted, cells)[valid], rtol=1e-6)


def test_a_tree_of_very_many_leaves_is_asked_itself(monkeypatch):
    values, label = samples()
    fitted = RandomForestRegressor(3, random_state=0).fit(values, values[:, 0])
    monkeypatch.setattr(trees, "MOST_LEAVES", 3)
    assert not compile_estimator(fitted).fast
    stumps = RandomForestClassifier(3, max_depth=1, random_state=0).fit(values, label)
    assert compile_estimator(stumps).fast


def test_predictors_travel():
    values, label = samples()
    cells = block()
    for estimator in (RandomForestClassifier(3), LogisticRegression(), GaussianNB()):
        predictor = compile_estimator(estimator.fit(values, label))
        again = pickle.loads(pickle.dumps(predictor))
        np.testing.assert_array_equal(again.predict(cells), predictor.predict(cells))


def test_a_tree_that_leads_back_is_refused():
    values, label = samples()
    fitted = HistGradientBoostingClassifier(max_iter=2).fit(values, label)
    fitted._predictors[1][0].nodes["left"][0] = 0
    with pytest.raises(ModelError, match="children lie further down"):
        compile_estimator(fitted)
    fitted._predictors[1][0].nodes["left"][0] = 10_000
    with pytest.raises(ModelError, match="children lie further down"):
        compile_estimator(fitted)


def test_wrong_blocks_are_refused():
    values, label = samples()
    predictor = compile_estimator(RandomForestClassifier(3).fit(values, label))
    with pytest.raises(ModelError, match="A block of 5 features"):
        predictor.predict(block()[:4])
    with pytest.raises(ModelError, match=r"Cells \(19, 21\) were expected"):
        predictor.predict(block(), np.ones((3, 3), bool))
    with pytest.raises(ModelError, match="has no draws"):
        predictor.predict_with_spread(block())


def test_foreign_parts_have_no_spread():
    values, label = samples()
    fitted = GaussianNB().fit(values, label)
    assert isinstance(compile_estimator(fitted), Predictor)
    assert Foreign(fitted).draws == 0
