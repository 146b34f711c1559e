"""Fuzzy overlay: memberships by hand, operators by hand, gaps that change nothing."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.estimator_checks import parametrize_with_checks

from prospect.errors import ModelError
from prospect.models import FuzzyOverlay
from prospect.models.fuzzy import OVERLAYS


@parametrize_with_checks([FuzzyOverlay(), FuzzyOverlay(overlay="and")])
def test_scikit_learn_agrees(estimator, check):
    check(estimator)


RAMP = np.linspace(0, 100, 101)[:, None]


def test_memberships_by_hand():
    X = np.hstack([RAMP] * 4)
    model = FuzzyOverlay(["+", "-", "∩", "0"], low=0.1, high=0.9, floor=0.1).fit(X)
    told = model.memberships([[0.0] * 4, [10.0] * 4, [30.0] * 4, [50.0] * 4, [99.0] * 4])
    np.testing.assert_allclose(told[:, 0], [0.1, 0.1, 0.3, 0.5, 0.9])
    np.testing.assert_allclose(told[:, 1], [0.9, 0.9, 0.7, 0.5, 0.1])
    near = [0.1 + 0.8 * v for v in (1 / 5, 1 / 5, 1 / 2, 1, 1 / 5)]
    np.testing.assert_allclose(told[:, 2], near)
    assert np.isnan(told[:, 3]).all()


def by_hand(memberships, overlay, gamma, kinds):
    known = [m for m in memberships if not math.isnan(m)]
    if not known:
        return math.nan
    product = math.prod(known) ** (kinds / len(known))
    total = 1 - math.prod(1 - m for m in known) ** (kinds / len(known))
    return {
        "gamma": total**gamma * product ** (1 - gamma),
        "product": product,
        "sum": total,
        "and": min(known),
        "or": max(known),
    }[overlay]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlays_by_hand(overlay):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    X[rng.random(X.shape) < 0.3] = np.nan
    X[0] = np.nan
    model = FuzzyOverlay(["+", "-", "∩", "+"], overlay=overlay, gamma=0.7).fit(X)
    expected = [by_hand(row, overlay, 0.7, 4) for row in model.memberships(X)]
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], expected)
    assert np.isnan(expected[0])


def test_an_and_b_by_the_book():
    """Bonham-Carter (1994), chapter 9: memberships 0.75 and 0.5 give these, gamma 0.75."""
    X = np.array([[0.0, 0.0], [1.0, 1.0], [0.75, 0.5]])
    scores = {}
    for overlay in OVERLAYS:
        model = FuzzyOverlay(overlay=overlay, gamma=0.75, low=0, high=1, floor=1e-9).fit(X)
        scores[overlay] = model.predict_proba(X[2:])[0, 1]
    assert scores["and"] == pytest.approx(0.5)
    assert scores["or"] == pytest.approx(0.75)
    assert scores["product"] == pytest.approx(0.375)
    assert scores["sum"] == pytest.approx(0.875)
    assert scores["gamma"] == pytest.approx(0.875**0.75 * 0.375**0.25)


@settings(max_examples=50, deadline=None)
@given(
    st.floats(0, 100),
    st.lists(st.booleans(), min_size=5, max_size=5).filter(any),
    st.sampled_from(OVERLAYS),
)
def test_a_gap_among_equals_changes_nothing(value, known, overlay):
    model = FuzzyOverlay(overlay=overlay).fit(np.hstack([RAMP] * 5))
    whole = np.full((1, 5), value)
    holed = np.where(known, whole, np.nan)
    np.testing.assert_allclose(
        model.predict_proba(holed), model.predict_proba(whole), rtol=1e-9, atol=1e-12
    )


def test_gaps_do_not_move_scores_on_average():
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(4000, 6))
    model = FuzzyOverlay().fit(X)
    holed = X.copy()
    holed[rng.random(X.shape) < 0.3] = np.nan
    whole, some = model.predict_proba(X)[:, 1], model.predict_proba(holed)[:, 1]
    rank = np.argsort(np.argsort(np.concatenate([whole, some[~np.isnan(some)]])))
    assert abs(rank[:4000].mean() / rank[4000:].mean() - 1) < 0.03


def test_evidence_of_one_group_counts_once():
    X = np.hstack([RAMP, RAMP[::-1], RAMP[::-1] * 2])
    grouped = FuzzyOverlay(groups=["a", "b", "b"]).fit(X)
    single = FuzzyOverlay().fit(X[:, :2])
    np.testing.assert_allclose(grouped.predict_proba(X), single.predict_proba(X[:, :2]))
    # A group speaks while any of it is known.
    X[:, 1] = np.nan
    np.testing.assert_allclose(
        grouped.predict_proba(X), single.predict_proba(np.hstack([RAMP, RAMP[::-1]]))
    )


def test_no_label_is_looked_at():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    alone = FuzzyOverlay(["+", "-", "0"]).fit(X)
    assert alone.classes_.tolist() == [0, 1]
    for _ in range(3):
        labelled = FuzzyOverlay(["+", "-", "0"]).fit(X, rng.permutation(np.arange(100) < 10))
        np.testing.assert_array_equal(labelled.predict_proba(X), alone.predict_proba(X))


def test_a_rare_presence_still_speaks():
    X = np.zeros((1000, 1))
    X[:7] = 1
    model = FuzzyOverlay(["+"]).fit(X)
    assert model.predict_proba([[1.0]])[0, 1] > model.predict_proba([[0.0]])[0, 1]


@pytest.mark.parametrize(
    ("settings_", "sentence"),
    [
        ({"signs": ["0"]}, "No feature with a sign"),
        ({"groups": ["a", "b"]}, "A group for each of 1 features"),
        ({"gamma": 1.1}, "gamma lies between 0 and 1"),
        ({"low": 0.9, "high": 0.1}, "low < high"),
        ({"floor": 0.5}, "floor lies above 0"),
        ({"overlay": "xor"}, "overlay is one of"),
    ],
)
def test_wrong_settings_are_sentences(settings_, sentence):
    with pytest.raises(ModelError, match=sentence):
        FuzzyOverlay(**settings_).fit(RAMP)
