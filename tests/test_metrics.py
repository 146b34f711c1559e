"""Measures against independent implementations and hand-made cases."""

import naive
import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from prospect.errors import ProspectError
from prospect.metrics import (
    auc,
    average_precision_lift,
    bootstrap,
    boyce,
    brier_skill,
    capture,
    capture_at,
    differences,
    expected_calibration_error,
    normalised_density,
    prediction_area,
    prediction_area_point,
    prediction_rate,
    reliability,
    success_rate,
    summarise,
    tally,
)

NAN = np.nan


@pytest.fixture
def scores():
    """Deposits and area with ties, between 0 and 1, and weights of both."""
    rng = np.random.default_rng(0)
    deposits, area = rng.beta(4, 2, 40).round(2), rng.beta(2, 4, 900).round(2)
    return deposits, area, rng.uniform(0.2, 1, 40), rng.uniform(0.5, 2, 900)


def as_samples(deposits, area, weight=None, area_weight=None):
    """The same as scikit-learn asks for: labels, scores, weights."""
    labels = np.repeat([1, 0], [len(deposits), len(area)])
    ones = np.ones(len(deposits)), np.ones(len(area))
    pair = ones if weight is None else (weight, area_weight)
    return labels, np.concatenate([deposits, area]), np.concatenate(pair)


def test_auc_against_scikit_learn(scores):
    labels, told, weight = as_samples(*scores)
    assert auc(*scores) == pytest.approx(roc_auc_score(labels, told, sample_weight=weight))
    assert auc(*scores[:2]) == pytest.approx(roc_auc_score(labels, told))


def test_precision_lift_against_scikit_learn(scores):
    labels, told, weight = as_samples(*scores)
    expected = average_precision_score(labels, told, sample_weight=weight)
    prevalence = scores[2].sum() / weight.sum()
    assert average_precision_lift()(*scores) == pytest.approx(expected / prevalence)
    # At another prevalence the weights of the deposits change with it.
    weight = np.where(labels == 1, weight * 0.01 / prevalence, weight * 0.99 / (1 - prevalence))
    expected = average_precision_score(labels, told, sample_weight=weight) / 0.01
    assert average_precision_lift(0.01)(*scores) == pytest.approx(expected)
    assert average_precision_lift(0.01)(np.zeros(3), np.zeros(50)) == pytest.approx(1)


def test_brier_skill_and_reliability_against_scikit_learn(scores):
    labels, told, weight = as_samples(*scores)
    even = np.where(labels == 1, weight / scores[2].sum(), weight / scores[3].sum())
    brier = brier_score_loss(labels, told, sample_weight=even)
    assert brier_skill()(*scores) == pytest.approx(1 - brier / 0.25)
    assert brier_skill(0.1)(np.ones(3), np.zeros(9)) == 1
    assert brier_skill(0.1)(np.full(3, 0.1), np.full(9, 0.1)) == pytest.approx(0)
    # scikit-learn's table takes no weights: as many deposits as cells, one each.
    rng = np.random.default_rng(1)
    deposits, area = rng.beta(4, 2, 500), rng.beta(2, 4, 500)
    table = reliability(deposits, area, bins=8)
    observed, score = calibration_curve(*as_samples(deposits, area)[:2], n_bins=8)
    held = table[table["share"] > 0]
    np.testing.assert_allclose(held["observed"], observed)
    np.testing.assert_allclose(held["score"], score)
    error = (held["share"] * (held["observed"] - held["score"]).abs()).sum()
    assert expected_calibration_error(bins=8)(deposits, area) == pytest.approx(error)
    assert table["share"].sum() == pytest.approx(1)


def test_a_reliability_table_by_hand():
    table = reliability(np.array([0.9, 0.8, 0.2, NAN]), np.array([0.1, 0.3, 0.9, NAN]), bins=2)
    # At even odds a deposit weighs 1/8, a cell 1/6; the deposit without a score says 0.
    assert table["share"].tolist() == pytest.approx([2 / 8 + 2 / 6, 2 / 8 + 1 / 6])
    assert table["observed"].tolist() == pytest.approx([0.25 / (0.25 + 1 / 3), 0.25 / (5 / 12)])
    assert table["score"][1] == pytest.approx((1.7 / 8 + 0.9 / 6) / (5 / 12))


def test_boyce_against_a_slow_one(scores):
    deposits, area = scores[:2]
    rng = np.random.default_rng(2)
    for found, ground in (
        (deposits, area),
        (rng.normal(1, 1, 30), rng.normal(size=400)),
        (rng.normal(size=30), rng.normal(size=400)),
    ):
        assert boyce()(found, ground) == pytest.approx(naive.boyce(found, ground), abs=1e-9)
    rising = np.linspace(0, 1, 1001)
    assert boyce()(np.repeat(rising, np.arange(1001)), rising) == pytest.approx(1, abs=0.01)
    assert np.isnan(boyce()(np.zeros(3), np.zeros(9)))


def test_gaps_of_deposits_rank_last_and_gaps_of_the_ground_are_no_area():
    area = np.linspace(0, 1, 101)
    assert auc(np.array([NAN]), area) == 0
    assert auc(np.array([0.5, NAN]), area) == pytest.approx(0.25)
    assert capture(np.array([1.0, NAN]), area, 0.1) == 0.5
    # A map that is half nodata would otherwise capture everything in half of the "area".
    gaps = np.concatenate([area, np.full(101, NAN)])
    deposits = np.array([0.8, 0.3, 0.95])
    assert auc(deposits, gaps) == auc(deposits, area)
    for ours in (prediction_area, prediction_rate):
        np.testing.assert_array_equal(ours(deposits, gaps), ours(deposits, area))
    np.testing.assert_array_equal(
        prediction_area_point(deposits, gaps), prediction_area_point(deposits, area)
    )


def test_capture_by_hand():
    area = np.arange(100.0)
    deposits = np.array([99.0, 96.0, 94.0, 50.0])
    # The top five cells are 95 to 99.
    assert capture(deposits, area, 0.05) == 0.5
    assert capture(deposits, area, 0.06) == 0.75
    assert capture(deposits, area, 1.0) == 1.0
    # Half of cell 94 is taken, and half of the deposit on it.
    assert capture(deposits, area, 0.055) == pytest.approx(0.625)
    assert normalised_density(0.05)(deposits, area) == pytest.approx(10)


def test_capture_by_area_and_not_by_cells():
    # Three cells of 1, 2 and 7 km²: the best two hold 30 % of the area.
    area, size = np.array([3.0, 2.0, 1.0]), np.array([1.0, 2.0, 7.0])
    deposits, weight = np.array([3.0, 2.0, 1.0]), np.array([1.0, 0.5, 0.5])
    assert capture(deposits, area, 0.3, weight, size) == pytest.approx(0.75)
    assert capture(deposits, area, 0.1, weight, size) == pytest.approx(0.5)
    assert capture(deposits, area, 0.2, weight, size) == pytest.approx(0.625)


def test_a_constant_map_captures_what_it_covers():
    assert capture(np.zeros(10), np.zeros(1000), 0.05) == pytest.approx(0.05)
    assert auc(np.zeros(10), np.zeros(1000)) == 0.5


def test_rates_by_hand():
    deposits, area = np.array([0.9, 0.5, 0.5, NAN]), np.array([0.9, 0.7, 0.5, 0.1, NAN])
    table = prediction_rate(deposits, area)
    assert table["threshold"].tolist() == [np.inf, 0.9, 0.7, 0.5, 0.1, -np.inf]
    assert table["area"].tolist() == [0, 0.25, 0.5, 0.75, 1, 1]
    assert table["prediction_rate"].tolist() == [0, 0.25, 0.25, 0.75, 0.75, 1]
    renamed = success_rate(deposits, area).rename(columns={"success_rate": "prediction_rate"})
    assert renamed.equals(table)
    assert np.trapezoid(table["prediction_rate"], table["area"]) == auc(deposits, area)


def test_prediction_area_by_hand():
    # Ten cells scored 1 to 10; five deposits on 10, 9, 9, 7 and 2.
    deposits, area = np.array([10.0, 9, 9, 7, 2]), np.arange(1.0, 11)
    table = prediction_area(deposits, area).set_index("threshold")
    assert table.loc[10.0].tolist() == pytest.approx([0.2, 0.1, 2])
    assert table.loc[9.0].tolist() == pytest.approx([0.6, 0.2, 3])
    assert table.loc[7.0].tolist() == pytest.approx([0.8, 0.4, 2])
    assert table.loc[1.0].tolist() == pytest.approx([1, 1, 1])
    # From 8 (0.6 + 0.3) to 7 (0.8 + 0.4) the sum passes 1 after a third of the way.
    point = prediction_area_point(deposits, area)
    assert point["prediction_rate"] == pytest.approx(2 / 3)
    assert point["area"] == pytest.approx(1 / 3)
    assert point["threshold"] == pytest.approx(8 - 1 / 3)
    assert point["normalised_density"] == pytest.approx(2)
    assert point["weight"] == pytest.approx(np.log(2))
    chance = prediction_area_point(np.zeros(4), np.zeros(9))
    assert chance["prediction_rate"] == chance["area"] == 0.5


def test_no_deposits_give_no_number():
    for measure in (auc, capture_at(0.05), boyce(), brier_skill(), average_precision_lift()):
        assert np.isnan(measure(np.empty(0), np.ones(3)))
        assert np.isnan(measure(np.ones(3), np.full(3, NAN)))
    assert np.isnan(prediction_area_point(np.empty(0), np.ones(3))["area"])
    assert prediction_area(np.empty(0), np.ones(3)).empty


@pytest.mark.parametrize("weight", [np.ones(2), np.array([1.0, -1, 1]), np.array([1.0, NAN, 1])])
def test_weights_must_be_weights(weight):
    with pytest.raises(ProspectError, match="3 finite numbers from 0 up"):
        tally(np.ones(3), np.ones(5), weight)


def test_intervals_cover_and_widen_with_clusters():
    rng = np.random.default_rng(1)
    area = rng.normal(size=2000)
    deposits = rng.normal(1.2, 1, 40)
    alone = np.arange(40), rng.integers(0, 40, 2000)
    # Ten clusters whose members share their luck.
    luck = np.repeat(rng.normal(1.2, 1, 10), 4)
    together = np.repeat(np.arange(10), 4), rng.integers(0, 10, 2000)
    low, high = bootstrap(auc, deposits, area, *alone, repeats=400)
    assert low < auc(deposits, area) < high
    low_t, high_t = bootstrap(auc, luck, area, *together, repeats=400)
    assert high_t - low_t > high - low


def test_a_draw_is_whole_clusters_put_together(scores):
    deposits, area, weight, area_weight = scores
    groups, area_groups = np.arange(40) % 7, np.arange(900) % 9
    low, high = bootstrap(
        capture_at(0.1), deposits, area, groups, area_groups,
        weight=weight, area_weight=area_weight, repeats=60, random_state=3,
    )  # fmt: skip
    rng = np.random.default_rng(3)
    values = []
    for _ in range(60):
        drawn = rng.integers(0, 9, 9)
        d = np.concatenate([np.flatnonzero(groups == k) for k in drawn])
        a = np.concatenate([np.flatnonzero(area_groups == k) for k in drawn])
        if d.size:
            values.append(capture(deposits[d], area[a], 0.1, weight[d], area_weight[a]))
    # Student's t of seven clusters with deposits, at 90 %: 1.943.
    reach = 1.943 * np.std(values)
    value = capture(deposits, area, 0.1, weight, area_weight)
    assert (low, high) == pytest.approx((value - reach, value + reach), rel=1e-3)


def test_differences_are_of_the_same_ground():
    rng = np.random.default_rng(4)
    area, deposits = rng.normal(size=800), rng.normal(1, 1, 40)
    groups, area_groups = np.arange(40) % 20, np.arange(800) % 20
    worse = deposits - 0.3, area
    table = differences(
        auc, (deposits, area), {"itself": (deposits, area), "worse": worse}, groups, area_groups
    )
    assert table.loc["itself"].tolist() == [auc(deposits, area), 0, 0, 0, 0.5]
    gap = table.loc["worse"]
    assert gap["difference"] == pytest.approx(auc(deposits, area) - auc(*worse))
    assert gap["low"] > 0
    assert gap["certainty"] == 1
    # Paired, the difference is far surer than either measure.
    low, high = bootstrap(auc, deposits, area, groups, area_groups)
    assert gap["high"] - gap["low"] < 0.5 * (high - low)


def test_the_summary_has_every_measure():
    rng = np.random.default_rng(2)
    table = summarise(
        rng.normal(1, 1, 30),
        rng.normal(size=500),
        np.arange(30) % 9,
        np.arange(500) % 9,
        measures=[boyce()],
    )
    assert list(table.index) == [
        "auc", "capture_1%", "capture_2%", "capture_5%", "capture_10%", "boyce",
    ]  # fmt: skip
    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()
