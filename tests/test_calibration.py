"""Calibration: curves with a known truth, priors by hand, and sets that hold what they promise."""

import json

import numpy as np
import pytest
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from prospect.calibration import (
    Calibration,
    ConformalSets,
    Prior,
    calibrate,
    held_out_probability,
    shift_prior,
)
from prospect.errors import ModelError


def scored(n, seed=0, slope=6.0, shift=-5.0):
    """Scores from 0 to 1 whose meaning is known."""
    rng = np.random.default_rng(seed)
    scores = rng.random(n)
    truth = expit(slope * scores + shift)
    return scores, truth, rng.random(n) < truth


def test_the_sigmoid_is_that_of_platt():
    scores, _, deposit = scored(800)
    made = calibrate(scores, deposit, "sigmoid")
    n, m = deposit.sum(), (~deposit).sum()
    # Targets short of 0 and 1 are weighted pairs of 0 and 1 to scikit-learn.
    target = np.where(deposit, (n + 1) / (n + 2), 1 / (m + 2))
    both = np.concatenate([scores, scores])[:, None]
    fitted = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000)
    fitted.fit(both, np.repeat([1, 0], 800), sample_weight=np.concatenate([target, 1 - target]))
    asked = np.linspace(0, 1, 11)
    expected = fitted.predict_proba(asked[:, None])[:, 1]
    np.testing.assert_allclose(made.curve(asked), expected, atol=1e-4)


def said_and_found(probability, deposit, bins=10):
    """How far shares of deposits are from what was said, a mean over bins of equal numbers."""
    parts = np.array_split(np.argsort(probability), bins)
    return np.mean([abs(deposit[part].mean() - probability[part].mean()) for part in parts])


def test_the_truth_comes_back():
    scores, truth, deposit = scored(6000)
    for method in ("sigmoid", "isotonic"):
        made = calibrate(scores, deposit, method)
        assert np.abs(made.curve(scores) - truth).mean() < 0.03
        assert said_and_found(made.curve(scores), deposit) < 0.02
    assert said_and_found(scores, deposit) > 0.1


def test_the_method_goes_by_the_number_of_deposits():
    scores = np.linspace(0, 1, 1000)
    assert calibrate(scores, np.arange(1000) >= 801).method == "sigmoid"
    made = calibrate(scores, np.arange(1000) >= 800)
    assert made.method == "isotonic"
    assert made.share == 0.2
    steps = IsotonicRegression(out_of_bounds="clip").fit(scores, np.arange(1000) >= 800)
    expected = np.clip(steps.predict(scores), 1 / 802, 201 / 202)
    np.testing.assert_allclose(made.curve(scores), expected)
    # Nothing is certain: a prior counts everywhere.
    assert made.probability(np.array([1.0]), 1e-5)[0] < 0.01


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_a_curve_never_falls_and_keeps_gaps(method):
    scores, _, deposit = scored(500, slope=-6, shift=1)  # deposits score low
    made = calibrate(np.append(scores, np.nan), np.append(deposit, True), method)
    curve = made.curve(np.linspace(-1, 2, 50))
    assert (np.diff(curve) >= -1e-12).all()
    assert np.ptp(curve) < 0.1
    assert np.isnan(made.curve(np.array([np.nan])))[0]


def test_a_constant_score_is_the_share():
    made = calibrate(np.full(100, 0.3), np.arange(100) < 20)
    assert made.curve(np.array([0.3, 0.9])) == pytest.approx([0.2, 0.2], abs=0.01)


def test_the_prior_shifts_odds():
    """By hand: odds 3 at even prior become 3/99 at 1 %."""
    assert shift_prior(np.array([0.75]), 0.5, 0.01)[0] == pytest.approx((3 / 99) / (1 + 3 / 99))
    p = np.linspace(0, 1, 11)
    np.testing.assert_allclose(shift_prior(shift_prior(p, 0.2, 0.01), 0.01, 0.2), p, atol=1e-12)
    with pytest.raises(ModelError, match="share of cells between 0 and 1"):
        shift_prior(p, 0.5, 0.0)


def test_probability_needs_a_prior_and_adds_up():
    rng = np.random.default_rng(0)
    # Of 200000 cells 1 % hold a deposit; samples take all of these and 4 % of the others.
    deposit = rng.random(200_000) < 0.01
    scores = expit(rng.normal(size=200_000) + 2 * deposit)
    kept = deposit | (rng.random(200_000) < 0.04)
    made = calibrate(scores[kept], deposit[kept])
    assert made.probability(scores, 0.01).sum() == pytest.approx(deposit.sum(), rel=0.05)
    assert made.curve(scores).sum() > 5 * deposit.sum()
    with pytest.raises(ModelError, match="Without a prior the probability"):
        made.probability(scores, None)


def test_one_kind_alone_is_refused():
    with pytest.raises(ModelError, match="0 of 5 are of deposits"):
        calibrate(np.ones(5), np.zeros(5, bool))
    with pytest.raises(ModelError, match="held-out scores"):
        ConformalSets(np.ones(5), np.zeros(5, bool), np.arange(5))
    with pytest.raises(ModelError, match="method is"):
        calibrate(np.ones(5), np.arange(5) < 2, "spline")


def p_by_hand(asked, scores, block):
    """A block a vote, the asked cell a block of its own."""
    votes = [np.mean([scores[i] <= asked for i in np.flatnonzero(block == b)]) for b in set(block)]
    return (sum(votes) + 1) / (len(votes) + 1)


def test_p_values_by_hand():
    rng = np.random.default_rng(0)
    scores, deposit = rng.random(60).round(1), np.arange(60) < 20
    block = rng.integers(0, 7, 60)
    made = ConformalSets(scores, deposit, block)
    asked = np.linspace(-0.1, 1.1, 13)
    found = made.p_values(asked)
    for k, value in enumerate(asked):
        mine = p_by_hand(value, scores[deposit], block[deposit])
        theirs = p_by_hand(-value, -scores[~deposit], block[~deposit])
        assert found[k] == pytest.approx([theirs, mine])
    assert made.sets(np.array([np.nan])).tolist() == [[True, True]]


def blocks(seed, count=40, cells=30, spread=0.7):
    """Scores that differ from block to block."""
    rng = np.random.default_rng(seed)
    block = np.repeat(np.arange(count), cells)
    deposit = rng.random(block.size) < 0.2
    scores = rng.normal(size=count)[block] * spread + rng.normal(size=block.size) + 2.0 * deposit
    return scores, deposit, block


def test_new_blocks_are_covered_as_promised():
    alpha, held = 0.2, []
    for seed in range(30):
        scores, deposit, block = blocks(seed)
        made = ConformalSets(scores, deposit, block)
        asked, truth, _ = blocks(1000 + seed)
        sets = made.sets(asked, alpha)
        held.append((sets[truth, 1].mean(), sets[~truth, 0].mean()))
    deposits, barren = np.mean(held, axis=0)
    # Of 30 regions the mean has a standard error of about 0.008.
    assert deposits == pytest.approx(1 - alpha, abs=0.035)
    assert barren == pytest.approx(1 - alpha, abs=0.035)
    assert min(deposits, barren) > 1 - alpha - 0.025


def test_coverage_is_told_from_blocks_left_out():
    scores, deposit, block = blocks(0)
    made = ConformalSets(scores, deposit, block)
    told = made.coverage(0.2)
    by_hand = []
    for b in range(40):
        here, rest = block == b, block != b
        if (here & deposit).any():
            p = [
                p_by_hand(v, scores[rest & deposit], block[rest & deposit])
                for v in scores[here & deposit]
            ]
            by_hand.append(np.mean(np.array(p) > 0.2))
    assert told.loc["deposit", "coverage"] == pytest.approx(np.mean(by_hand))
    assert told.loc["deposit", "cells"] == deposit.sum()
    assert told.loc["barren", "blocks"] == 40
    # Noise rules nothing out; a sharp score leaves one answer.
    sharp = ConformalSets(deposit + 0.0, deposit, block).coverage(0.2)
    assert sharp.loc["deposit", "single"] == 1 > told.loc["deposit", "single"]


def test_a_calibration_is_made_again_of_plain_data():
    scores, _, deposit = scored(600)
    for method in ("sigmoid", "isotonic"):
        made = calibrate(scores, deposit, method)
        again = Calibration.from_dict(json.loads(json.dumps(made.to_dict())))
        assert again == made
        np.testing.assert_array_equal(again.curve(scores), made.curve(scores))
    for wrong in (
        {"method": "magic"},
        {"share": 0.0},
        {"points": [[0.0, float("nan")]]},
        {"points": [[0.1, 0.5], [0.2, 0.4]]},
    ):
        with pytest.raises(ModelError, match="train again"):
            Calibration.from_dict({**calibrate(scores, deposit, "isotonic").to_dict(), **wrong})


def test_folds_are_calibrated_by_one_another():
    """Against doing it fold by fold; a fold of other scores betrays itself."""
    scores, _, deposit = scored(600)
    fold = np.arange(scores.size) % 3
    found = held_out_probability(scores, deposit, fold)
    for name in range(3):
        rest = calibrate(scores[fold != name], deposit[fold != name])
        expected = shift_prior(rest.curve(scores[fold == name]), rest.share, 0.5)
        np.testing.assert_array_equal(found[fold == name], expected)
    alone = held_out_probability(scores, deposit, np.where(deposit, 0, 1))
    assert np.isnan(alone).all()


def test_priors_as_people_state_them():
    assert Prior.of(1000) is None
    assert Prior.of(1000, prior=0.01) == Prior(0.01, (10.0,))
    assert Prior.of(1000, expected=[12]) == Prior(0.012, (12.0,))
    stated = Prior.of(1000, expected=[4, 12, 30])
    assert stated.per_cell == pytest.approx((0.3 * 4 + 0.4 * 12 + 0.3 * 30) / 1000)
    assert "12 deposits expected on the ground (P90 4, P10 30)" in stated.told()
    assert Prior.from_dict(json.loads(json.dumps(vars(stated)))) == stated
    with pytest.raises(ModelError, match="not both"):
        Prior.of(1000, prior=0.1, expected=[3])
    for wrong in ([], [1, 2], [3, 2, 1], [0]):
        with pytest.raises(ModelError, match="P90, P50 and P10"):
            Prior.of(1000, expected=wrong)
    with pytest.raises(ModelError, match="a cell holds one"):
        Prior.of(1000, expected=[2000])
    with pytest.raises(ModelError, match="between 0 and 1"):
        Prior.of(1000, prior=2.0)
