"""Weights of evidence: hand-made tables, published digits, and the test of independence."""

import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.utils.estimator_checks import parametrize_with_checks

from prospect.errors import ModelError
from prospect.models import WeightsOfEvidence, pattern_weights


@parametrize_with_checks([WeightsOfEvidence(), WeightsOfEvidence(method="multiclass")])
def test_scikit_learn_agrees(estimator, check):
    check(estimator)


def cells(*rows):
    """Features and labels from (value, cells, deposits)."""
    x, y = [], []
    for value, count, deposits in rows:
        x += [value] * count
        y += [1] * deposits + [0] * (count - deposits)
    return np.array(x, float)[:, None], np.array(y)


# Gold in the Meguma terrane: 68 deposits on 2945 km2. Weights as printed by Agterberg,
# Bonham-Carter and Wright (1990) and again in Agterberg (2014), Geomathematics, Table 5.1.
# Areas were recovered from the weights, to a tenth of a km2: one number each, that must give
# four back.
MEGUMA = {
    "anticline axes": (50, 1276.4, (0.5452, 0.1443, -0.7735, 0.2370)),
    "Goldenville formation": (63, 2021.0, (0.3085, 0.1280, -1.4689, 0.4484)),
    "north-west lineaments": (17, 749.7, (-0.0185, 0.2453, 0.0062, 0.1417)),
}


@pytest.mark.parametrize("pattern", MEGUMA)
def test_published_weights_to_their_digits(pattern):
    deposits, area, printed = MEGUMA[pattern]
    found = pattern_weights(deposits, area, 68, 2945)
    told = (found.w_plus, found.s_w_plus, found.w_minus, found.s_w_minus)
    assert told == pytest.approx(printed, abs=1e-4)  # a tenth of a km2 is half a last digit
    assert found.contrast == pytest.approx(printed[0] - printed[2], abs=1e-4)


def test_a_published_posterior_to_its_digits():
    """Agterberg (2014), section 5.1.4: p 0.069, deviation of its logit 0.401, of itself 0.028."""
    parts = [pattern_weights(*MEGUMA[name][:2], 68, 2945) for name in MEGUMA]
    contact = pattern_weights(34, 1029.4, 68, 2945)  # Goldenville-Halifax contact
    granite = pattern_weights(12, 382.7, 68, 2945)  # far from granite
    parts.append(contact)
    total = logit(68 / 2945) + sum(part.w_plus for part in parts) + granite.w_minus
    variance = 1 / 68 + 1 / (2945 - 68)
    variance += sum(part.s_w_plus**2 for part in parts) + granite.s_w_minus**2
    assert round(expit(total), 3) == 0.069
    assert round(math.sqrt(variance), 3) == 0.401
    assert round(expit(total) * math.sqrt(variance), 3) == 0.028


def test_a_table_made_by_hand():
    """Ten deposits on 1000 cells, eight of them in the hundred cells of the pattern."""
    X, y = cells((0, 900, 2), (1, 100, 8))
    model = WeightsOfEvidence().fit(X, y)
    w_plus = math.log((8 / 10) / (92 / 990))
    w_minus = math.log((2 / 10) / (898 / 990))
    deviation = math.sqrt(1 / 8 + 1 / 92 + 1 / 2 + 1 / 898)
    row = model.table_.iloc[0]
    assert len(model.table_) == 1
    assert row["w_plus"] == pytest.approx(w_plus)
    assert row["w_minus"] == pytest.approx(w_minus)
    assert row["contrast"] == pytest.approx(w_plus - w_minus)
    assert row["s_contrast"] == pytest.approx(deviation)
    assert row["studentised"] == pytest.approx((w_plus - w_minus) / deviation)
    assert (row["cells"], row["deposits"], row["from"], row["to"]) == (100, 8, 1, np.inf)
    # With one evidence the posterior is the share of deposits in each class.
    np.testing.assert_allclose(model.predict_proba([[0], [1]])[:, 1], [2 / 900, 8 / 100])
    # Missing evidence leaves the prior.
    np.testing.assert_allclose(model.predict_proba([[np.nan]])[0, 1], 10 / 1000)


def test_the_cut_of_largest_studentised_contrast_is_chosen():
    X, y = cells((0, 300, 1), (1, 300, 2), (2, 300, 20), (3, 100, 7))
    model = WeightsOfEvidence(["+"]).fit(X, y)
    by_hand = {
        cut: pattern_weights(deposits, count, 30, 1000).studentised
        for cut, deposits, count in ((1, 29, 700), (2, 27, 400), (3, 7, 100))
    }
    table = model.table_
    assert dict(zip(table["from"], table["studentised"], strict=True)) == pytest.approx(by_hand)
    assert table.loc[table["chosen"], "from"].tolist() == [max(by_hand, key=by_hand.get)] == [2]
    assert model.edges_[0].tolist() == [2]


def test_signs_decide_which_patterns_are_allowed():
    X, y = cells((0, 500, 25), (1, 500, 5))  # deposits lie low
    assert not WeightsOfEvidence(["+"]).fit(X, y).used_[0]
    free, falling = WeightsOfEvidence(["0"]).fit(X, y), WeightsOfEvidence(["-"]).fit(X, y)
    assert free.used_[0] and falling.used_[0]
    row = falling.table_.iloc[0]
    assert (row["from"], row["to"], row["cells"]) == (-np.inf, 1, 500)
    assert row["contrast"] > 0 > free.table_.iloc[0]["contrast"]
    np.testing.assert_allclose(free.predict_proba(X), falling.predict_proba(X))


def test_weak_evidence_is_left_out():
    X, y = cells((0, 500, 10), (1, 500, 14))
    strength = pattern_weights(14, 500, 24, 1000).studentised
    assert 0.5 < strength < 1.5
    model = WeightsOfEvidence().fit(X, y)
    assert not model.used_.any()
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], 24 / 1000)
    assert WeightsOfEvidence(min_studentised=0.5).fit(X, y).used_.all()


def test_several_classes_and_the_silent_ones_pooled():
    X, y = cells((0, 400, 4), (1, 200, 30), (2, 200, 2), (3, 200, 2))
    model = WeightsOfEvidence(method="multiclass", min_studentised=2).fit(X, y)
    weight = {k: pattern_weights(d, n, 38, 1000) for k, (n, d) in enumerate([(400, 4), (200, 30)])}
    strength = [
        pattern_weights(d, n, 38, 1000).studentised
        for n, d in ((400, 4), (200, 30), (200, 2), (200, 2))
    ]
    assert [abs(s) >= 2 for s in strength] == [True, True, True, True]
    strict = WeightsOfEvidence(method="multiclass", min_studentised=3).fit(X, y)
    assert [abs(s) >= 3 for s in strength] == [True, True, False, False]
    rest = pattern_weights(4, 400, 38, 1000).w_plus
    expected = [weight[0].w_plus, weight[1].w_plus, rest, rest]
    np.testing.assert_allclose(strict.weights_[0], expected)
    assert model.weights_[0][2] == pytest.approx(pattern_weights(2, 200, 38, 1000).w_plus)
    # An optimum is always several classes: one cut could not show it.
    assert WeightsOfEvidence(["∩"]).fit(X, y).edges_[0].tolist() == [1, 2, 3]


def test_an_empty_kind_of_cell_gets_half_a_cell():
    found = pattern_weights(10, 100, 10, 1000)
    assert found.w_plus == pytest.approx(math.log((10.5 / 11) / (90.5 / 991)))
    assert found.w_minus == pytest.approx(math.log((0.5 / 11) / (900.5 / 991)))


def dependent(copies, seed=0, gaps=0.0):
    """Evidence that repeats itself, ``copies`` times, with a few cells changed."""
    rng = np.random.default_rng(seed)
    truth = rng.random(4000) < 0.2
    y = (rng.random(4000) < np.where(truth, 0.06, 0.005)).astype(int)
    flips = rng.random((4000, copies)) < 0.02
    X = (truth[:, None] ^ flips).astype(float)
    X[rng.random(X.shape) < gaps] = np.nan
    return X, y


def independence_by_hand(model, X, y):
    """T, s(T) and z from a dictionary of unique conditions."""
    found = Counter()
    for row in X:
        state = []
        for j, value in enumerate(row):
            if not model.used_[j] or np.isnan(value):
                state.append(None)
            else:
                state.append(int((model.edges_[j] <= value).sum()))
        found[tuple(state)] += 1
    n, total, variance = int(y.sum()), 0.0, 0.0
    for state, count in found.items():
        lo, var = math.log(n / (len(y) - n)), 1 / n + 1 / (len(y) - n)
        for j, k in enumerate(state):
            if k is not None:
                lo += model.weights_[j][k]
                var += model.variances_[j][k]
        p = 1 / (1 + math.exp(-lo))
        total += count * p
        variance += (count * p * math.sqrt(var)) ** 2
    return total, math.sqrt(variance), (total - n) / math.sqrt(variance)


@pytest.mark.parametrize("gaps", [0.0, 0.2])
def test_the_test_of_independence_is_that_of_agterberg_and_cheng(gaps):
    X, y = dependent(3, gaps=gaps)
    model = WeightsOfEvidence(fallback=None).fit(X, y)
    found = (model.total_, model.s_total_, model.z_)
    np.testing.assert_allclose(found, independence_by_hand(model, X, y))
    assert 0.5 * math.erfc(model.z_ / math.sqrt(2)) == pytest.approx(model.p_value_)
    assert model.total_ == pytest.approx(model.predict_proba(X)[:, 1].sum())


def test_repeated_evidence_fails_and_the_fallback_mends_it():
    X, y = dependent(4)
    naive = WeightsOfEvidence(fallback=None).fit(X, y)
    assert naive.total_ > 1.5 * y.sum()
    assert not naive.independent_
    mended = WeightsOfEvidence().fit(X, y)
    assert mended.predict_proba(X)[:, 1].sum() == pytest.approx(y.sum(), rel=1e-4)
    # Four copies of one evidence count about as one.
    assert (mended.coef_ >= 0).all()
    assert 0.7 < mended.coef_.sum() < 1.6
    assert mended.total_ == naive.total_


def test_independent_evidence_passes():
    rng = np.random.default_rng(1)
    y = (np.arange(6000) < 120).astype(int)
    X = (rng.random((6000, 3)) < np.where(y[:, None] == 1, 0.5, 0.2)).astype(float)
    model = WeightsOfEvidence().fit(X, y)
    assert model.independent_
    assert (model.coef_ == 1).all()
    # Odds of the three weights, by hand.
    odds = np.log(120 / 5880) + sum(model.weights_[j][1] for j in range(3))
    assert model.predict_proba([[1, 1, 1]])[0, 1] == pytest.approx(expit(odds))


def test_another_prior_moves_the_posterior_and_not_the_order():
    X, y = dependent(2)
    own, rare = WeightsOfEvidence().fit(X, y), WeightsOfEvidence(prior=1e-4).fit(X, y)
    moved = logit(own.predict_proba(X)[:, 1]) - logit(rare.predict_proba(X)[:, 1])
    np.testing.assert_allclose(moved, logit(y.mean()) - logit(1e-4))
    assert rare.z_ == pytest.approx(own.z_)


def test_the_spread_has_two_parts():
    X, y = cells((0, 900, 2), (1, 100, 8))
    model = WeightsOfEvidence().fit(X, y)
    (weights, of_prior), (missing, unseen) = model.posterior_spread([[1], [np.nan]])
    prior = 1 / 10 + 1 / 990
    assert weights == pytest.approx(0.08 * math.sqrt(prior + 1 / 8 + 1 / 92))
    assert of_prior == pytest.approx(0.01 * math.sqrt(prior))
    assert missing == 0
    expected = 0.9 * (2 / 900 - 0.01) ** 2 + 0.1 * (8 / 100 - 0.01) ** 2
    assert unseen == pytest.approx(math.sqrt(expected))


def test_evidence_is_called_by_its_name():
    X, y = cells((0, 900, 2), (1, 100, 8))
    model = WeightsOfEvidence().fit(pd.DataFrame({"thrust": X[:, 0]}), y)
    assert model.table_["evidence"].tolist() == ["thrust"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"signs": ["+", "-"]}, "A sign for each of 1 features was expected, not 2"),
        ({"signs": ["up"]}, "A sign is one of"),
        ({"method": "fancy"}, "method is"),
        ({"classes": 1}, "two classes or more"),
        ({"prior": 1.5}, "between 0 and 1"),
        ({"fallback": "forest"}, "fallback is"),
    ],
)
def test_wrong_settings_are_sentences(settings, sentence):
    X, y = cells((0, 90, 2), (1, 10, 8))
    with pytest.raises(ModelError, match=sentence):
        WeightsOfEvidence(**settings).fit(X, y)


def test_counts_that_cannot_be_are_refused():
    with pytest.raises(ModelError, match="of which the pattern holds a part"):
        pattern_weights(11, 100, 10, 1000)
