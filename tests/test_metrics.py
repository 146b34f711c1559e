"""Measures against independent implementations and hand-made cases."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from prospect.metrics import auc, bootstrap, capture, summarise


def test_auc_against_scikit_learn():
    rng = np.random.default_rng(0)
    deposits, area = rng.normal(1, 1, 40).round(1), rng.normal(0, 1, 900).round(1)
    labels = np.repeat([1, 0], [40, 900])
    expected = roc_auc_score(labels, np.concatenate([deposits, area]))
    assert auc(deposits, area) == pytest.approx(expected)


def test_gaps_rank_last():
    area = np.linspace(0, 1, 101)
    assert auc(np.array([np.nan]), area) == 0
    assert auc(np.array([0.5, np.nan]), area) == pytest.approx(0.25)
    assert capture(np.array([1.0, np.nan]), area, 0.1) == 0.5


def test_capture_by_hand():
    area = np.arange(100.0)
    deposits = np.array([99.0, 96.0, 94.0, 50.0])
    # The top five cells are 95 to 99.
    assert capture(deposits, area, 0.05) == 0.5
    assert capture(deposits, area, 0.06) == 0.75
    assert capture(deposits, area, 1.0) == 1.0


def test_a_constant_map_captures_what_it_covers():
    assert capture(np.zeros(10), np.zeros(1000), 0.05) == pytest.approx(0.05)
    assert auc(np.zeros(10), np.zeros(1000)) == 0.5


def test_no_deposits_give_no_number():
    assert np.isnan(auc(np.empty(0), np.ones(3)))
    assert np.isnan(capture(np.empty(0), np.ones(3)))


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


def test_the_summary_has_every_measure():
    rng = np.random.default_rng(2)
    table = summarise(
        rng.normal(1, 1, 30), rng.normal(size=500), np.arange(30) % 9, np.arange(500) % 9
    )
    assert list(table.index) == ["auc", "capture_1%", "capture_2%", "capture_5%", "capture_10%"]
    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()
