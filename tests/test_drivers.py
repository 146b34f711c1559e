"""What drives the score of every cell: against trees walked down one after another."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import boosting_contributions, tree_contributions
from scipy.special import logit
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from prospect import trees
from prospect.encoding import with_encoded_classes, with_filled_gaps
from prospect.errors import ModelError
from prospect.inference import compile_estimator
from prospect.models import (
    BlendedClassifier,
    ElkanNoto,
    FuzzyOverlay,
    NegativeDraws,
    SignedLogistic,
    WeightsOfEvidence,
)

FEATURES = 5
EACH = np.arange(FEATURES)
GROUPS = np.array([0, 1, 0, 2, 1])


@pytest.fixture(autouse=True)
def one_thread():
    """Boosting waits for its threads where others work, too."""
    with threadpool_limits(1):
        yield


def samples(seed=0, count=120, gaps=0.1):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, FEATURES)).astype(np.float32)
    label = (values[:, 0] - values[:, 1] + rng.normal(size=count) > 0.8) * 1
    label[:2] = 0, 1
    values[rng.random(values.shape) < gaps] = np.nan
    return values, label


def block(seed=1, shape=(7, 10), gaps=0.1):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(FEATURES, *shape)).astype(np.float32)
    values[rng.random(values.shape) < gaps] = np.nan
    return values


def table(cells):
    return cells.reshape(len(cells), -1).T


def told_by(fitted, cells, groups=EACH):
    found = compile_estimator(fitted).contributions(cells, groups)
    return found.reshape(len(found), -1)


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    gaps=st.sampled_from([0.0, 0.3, 1.0]),
    kind=st.sampled_from([RandomForestClassifier, ExtraTreesClassifier]),
    leaf=st.integers(1, 4),
)
def test_forests_are_walked_down(seed, shape, gaps, kind, leaf):
    values, label = samples(seed, 40, min(gaps, 0.3))
    fitted = kind(3, min_samples_leaf=leaf, random_state=seed).fit(values, label)
    cells = block(seed, shape, gaps)
    expected = tree_contributions([tree.tree_ for tree in fitted.estimators_], table(cells))
    np.testing.assert_allclose(told_by(fitted, cells), expected, atol=1e-6)


def test_boosting_is_walked_down():
    values, label = samples(count=300)
    fitted = HistGradientBoostingClassifier(max_iter=4, min_samples_leaf=5).fit(values, label)
    cells = block()
    expected = boosting_contributions(fitted, table(cells))
    np.testing.assert_allclose(told_by(fitted, cells), expected, atol=1e-6)


def test_draws_and_imputers():
    values, label = samples(gaps=0.0)
    draws = NegativeDraws(with_filled_gaps(RandomForestClassifier(3)), n_draws=3, random_state=0)
    fitted = draws.fit(values, label)
    cells = block(gaps=0.0)
    every = [tree.tree_ for member in fitted.estimators_ for tree in member[-1].estimators_]
    np.testing.assert_allclose(
        told_by(fitted, cells), tree_contributions(every, table(cells)), atol=1e-6
    )
    values, label = samples()
    fitted = with_filled_gaps(ExtraTreesClassifier(3, random_state=0)).fit(values, label)
    filled = fitted[0].transform(table(block()))
    expected = tree_contributions([tree.tree_ for tree in fitted[-1].estimators_], filled)
    np.testing.assert_allclose(told_by(fitted, block()), expected, atol=1e-6)


def test_bags_of_parts_and_calibration_tell_the_mean_of_members():
    values, label = samples()
    boosting = HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=5)
    cells = block()
    bag = BaggingClassifier(boosting, 3, random_state=0).fit(values, label)
    expected = np.mean(
        [boosting_contributions(member, table(cells)) for member in bag.estimators_], axis=0
    )
    np.testing.assert_allclose(told_by(bag, cells), expected, atol=1e-6)
    calibrated = CalibratedClassifierCV(boosting, cv=2).fit(values, label)
    expected = np.mean(
        [
            boosting_contributions(member.estimator, table(cells))
            for member in calibrated.calibrated_classifiers_
        ],
        axis=0,
    )
    np.testing.assert_allclose(told_by(calibrated, cells), expected, atol=1e-6)
    noto = ElkanNoto(boosting, random_state=0).fit(values, label)
    expected = boosting_contributions(noto.estimator_, table(cells))
    np.testing.assert_allclose(told_by(noto, cells), expected, atol=1e-6)


def test_linear_models_say_how_far_from_the_mean():
    values, label = samples()
    fitted = SignedLogistic().fit(values, label)
    cells = block()
    scaled = np.nan_to_num((table(cells) - fitted.mean_) / fitted.scale_)
    expected = (fitted.coef_[0] * scaled).T
    np.testing.assert_allclose(told_by(fitted, cells), expected, atol=1e-5)
    grouped = told_by(fitted, cells, GROUPS)
    np.testing.assert_allclose(grouped[0], expected[0] + expected[2], atol=1e-5)


def test_weights_of_evidence_say_their_weights():
    values, label = samples(count=400)
    fitted = WeightsOfEvidence(method="multiclass", min_studentised=0.5).fit(values, label)
    cells = block()
    told = told_by(fitted, cells)
    likely = compile_estimator(fitted).predict(cells).ravel()
    np.testing.assert_allclose(told.sum(axis=0) + fitted.intercept_[0], logit(likely), atol=1e-5)
    assert np.abs(told).max() > 0.1
    np.testing.assert_array_equal(told.T[np.isnan(table(cells))], 0.0)


def test_fuzzy_overlays_say_the_logits_of_memberships():
    values, label = samples()
    fitted = FuzzyOverlay(["+", "-", "0", "+", "∩"]).fit(values, label)
    cells = block()
    expected = np.nan_to_num(logit(fitted.memberships(table(cells))).T)
    np.testing.assert_allclose(told_by(fitted, cells), expected, atol=1e-5)


def test_blends_divide_what_both_say():
    values, label = samples()
    fitted = BlendedClassifier(FuzzyOverlay(), ExtraTreesClassifier(5)).fit(values, label)
    cells = block()
    both = [told_by(part, cells) for part in (fitted.knowledge_, fitted.learner_)]
    shares = [part / np.maximum(np.abs(part).sum(axis=0), 1e-30) for part in both]
    expected = (1 - fitted.weight_) * shares[0] + fitted.weight_ * shares[1]
    np.testing.assert_allclose(told_by(fitted, cells), expected, atol=1e-5)


def test_encoded_classes_count_where_the_codes_stand():
    values, label = samples(count=300, gaps=0.0)
    values[:, 2] = np.random.default_rng(0).integers(0, 4, len(values))
    label = (values[:, 2] == 1) * 1
    fitted = with_encoded_classes(ExtraTreesClassifier(5, random_state=0), [2]).fit(values, label)
    cells = block(gaps=0.0)
    cells[2] = np.random.default_rng(1).integers(0, 5, cells.shape[1:])
    encoded = fitted[0].transform(table(cells))
    expected = tree_contributions([tree.tree_ for tree in fitted[-1].estimators_], encoded)
    np.testing.assert_allclose(told_by(fitted, cells), expected[[1, 2, 0, 3, 4]], atol=1e-6)
    drivers = compile_estimator(fitted).drivers(cells, np.ones(cells.shape[1:], bool), EACH)
    assert (drivers[cells[2] == 1] == 2).all()


@pytest.mark.parametrize("against", [False, True])
def test_the_driver_is_the_group_that_adds_most(against):
    values, label = samples()
    fitted = RandomForestClassifier(9, random_state=0).fit(values, label)
    cells = block(shape=(150, 20))
    valid = np.random.default_rng(0).random(cells.shape[1:]) < 0.8
    predictor = compile_estimator(fitted)
    told = predictor.contributions(cells, GROUPS, valid)
    assert np.isnan(told[:, ~valid]).all()
    found = predictor.drivers(cells, valid, GROUPS, against=against)
    assert found.dtype == np.uint8
    sign = -1 if against else 1
    expected = np.where((sign * told > 0).any(axis=0), (sign * told).argmax(axis=0), 3)
    np.testing.assert_array_equal(found, np.where(valid, expected, 255))
    assert set(np.unique(found)) >= {0, 1, 2, 255}


def test_patches_blocks_and_loads_leave_no_trace(monkeypatch):
    values, label = samples()
    predictor = compile_estimator(RandomForestClassifier(70, random_state=0).fit(values, label))
    cells = block(shape=(70, 131))
    whole = predictor.contributions(cells, GROUPS)
    part = np.ascontiguousarray(cells[:, 11:, 5:90])
    np.testing.assert_array_equal(predictor.contributions(part, GROUPS), whole[:, 11:, 5:90])
    monkeypatch.setattr(trees, "NEAR_NODES", 0)
    np.testing.assert_array_equal(predictor.contributions(cells, GROUPS), whole)


def test_nothing_drives_what_was_learnt_nowhere():
    values, label = samples()
    fitted = RandomForestClassifier(3).fit(np.zeros_like(values), label)
    found = compile_estimator(fitted).drivers(block(), np.ones((7, 10), bool), GROUPS)
    np.testing.assert_array_equal(found, 3)


def test_what_cannot_be_told_is_said():
    values, label = samples(gaps=0.0)
    everywhere = np.ones((7, 10), bool)
    stranger = compile_estimator(GaussianNB().fit(values, label))
    with pytest.raises(ModelError, match="What drives a GaussianNB cannot be told"):
        stranger.drivers(block(), everywhere, GROUPS)
    tree = compile_estimator(DecisionTreeClassifier().fit(values, label))
    with pytest.raises(ModelError, match="of each of 5 features"):
        tree.drivers(block(), everywhere, GROUPS[:3])
    with pytest.raises(ModelError, match="At most 254 groups"):
        tree.drivers(block(), everywhere, 100 * EACH)
