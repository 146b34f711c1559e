"""Outcrop and cover apart, and the shift of features between regions."""

import numpy as np
import pytest
from shapely import box

from prospect.folds import LeaveRegionOut
from prospect.metrics import auc
from prospect.samples import Samples
from prospect.validation import cover_table, explain_cover, feature_shift
from prospect.validation.transfer import shift_lines


def test_outcrop_and_cover_are_measured_apart():
    rng = np.random.default_rng(0)
    area, hidden = rng.normal(size=400), np.arange(400) < 100
    deposits = np.concatenate([rng.normal(1.5, 1, 20), rng.normal(0, 1, 10)])
    under = np.arange(30) >= 20
    table = cover_table(deposits, area, under, hidden, np.arange(30) % 6, np.arange(400) % 6)
    assert table.loc["outcrop", "value"] == pytest.approx(auc(deposits[:20], area[100:]))
    assert table.loc["under cover", "value"] == pytest.approx(auc(deposits[20:], area[:100]))
    assert table["deposits"].tolist() == [20, 10]
    assert table["area"].tolist() == [0.75, 0.25]
    assert (table["low"] <= table["value"]).all()
    assert "25% of the ground lies under cover, with 10 of 30 deposit cells." in explain_cover(
        table
    )


def test_that_nothing_was_measured_under_cover_is_said():
    rng = np.random.default_rng(0)
    area, hidden = rng.normal(size=400), np.arange(400) < 100
    area[hidden] -= 9
    found = np.zeros(30, bool)
    table = cover_table(
        rng.normal(size=30), area, found, hidden, np.arange(30) % 6, np.arange(400) % 6
    )
    assert np.isnan(table.loc["under cover", "value"])
    assert table.loc["under cover", "score"] < 0.25
    assert "ranks covered ground at 13% in the median (outcrop at 63%)" in explain_cover(table)


def test_the_shift_of_features_is_found():
    rng = np.random.default_rng(0)
    size = 900
    x, y = rng.uniform(0, 100_000, size), rng.uniform(0, 50_000, size)
    kind = np.where(np.arange(size) < 20, 1, np.where(np.arange(size) < 300, 0, -1))
    features = rng.normal(size=(size, 3)).astype(np.float32)
    east = x >= 50_000
    features[east, 0] += 2
    features[east & (rng.random(size) < 0.5), 1] = np.nan
    features[kind >= 0] += 50  # what is learnt from does not count
    ones = np.ones(size)
    samples = Samples(x, y, kind, ones, kind, features)
    halves = LeaveRegionOut([box(0, 0, 50_000, 50_000), box(50_000, 0, 100_001, 50_000)])
    table = feature_shift(samples, halves, ["shifted", "gappy", "same"])
    assert table["region"].value_counts().tolist() == [3, 3]
    assert table["feature"].tolist()[:2] == ["shifted", "shifted"]
    rows = table.set_index(["feature", "region"])
    assert rows.loc[("shifted", 2), "shift"] == pytest.approx(2, abs=0.2)
    assert rows.loc[("shifted", 1), "shift"] == pytest.approx(-2, abs=0.2)
    # Two normal distributions two deviations apart.
    assert rows.loc[("shifted", 1), "ks"] == pytest.approx(0.683, abs=0.06)
    assert rows.loc[("same", 1), "ks"] < 0.13
    assert rows.loc[("gappy", 2), "gaps"] == pytest.approx(0.5, abs=0.08)
    lines = shift_lines(table, 2)
    assert lines[0].startswith(("region 1: shifted -", "region 2: shifted +"))
    assert lines[-1] == "and 4 rows more, in validation.json"


def test_a_feature_without_values_has_no_shift():
    features = np.full((60, 1), np.nan, np.float32)
    x = np.linspace(0, 100_000, 60)
    kind = np.where(np.arange(60) % 3 == 0, 1, -1)
    samples = Samples(x, x * 0, kind, x, kind, features)
    halves = LeaveRegionOut([box(-1, -1, 50_000, 1), box(50_000, -1, 100_001, 1)])
    table = feature_shift(samples, halves, ["nothing"])
    assert table[["shift", "ks"]].isna().all(axis=None)
    assert shift_lines(table, 5) == []
