"""Cells to learn from: where background comes from, and what of it is learnt from."""

from dataclasses import replace

import numpy as np
import pytest

from prospect.commodities import load_commodity
from prospect.errors import LabelError
from prospect.features import FeatureBuilder
from prospect.grid import Grid
from prospect.labels import read_labels
from prospect.samples import (
    BARREN,
    OTHERS_SHARE,
    Samples,
    background_cells,
    draw_samples,
    unlikeness,
)
from prospect.stack import open_stack


@pytest.fixture(scope="module")
def stack(world):
    return open_stack(world)


@pytest.fixture(scope="module")
def builder(stack):
    rows = [{"name": "m", "operation": "value", "of": "magnetics.tmi"},
            {"name": "e", "operation": "value", "of": "elevation"}]  # fmt: skip
    return FeatureBuilder(rows).fit(stack)


@pytest.fixture(scope="module")
def labels(stack, world):
    return read_labels(world.occurrences, load_commodity("gold"), Grid.of(stack))


def gap_to(x, y, others):
    return np.hypot(x[:, None] - others[0], y[:, None] - others[1]).min(axis=1)


def test_background_keeps_away_from_deposits_and_from_what_goes_with_them(stack, labels):
    grid = Grid.of(stack)
    counts = np.ones(grid.shape, bool)
    row, col, weight = background_cells(labels, counts, grid, 10**6)
    x, y = grid.x[col], grid.y[row]
    assert gap_to(x, y, (labels.x, labels.y)).min() >= 3000
    kin = ~labels.other_barren
    assert 0 < kin.sum() < kin.size  # antimony goes with gold, coal does not
    assert gap_to(x, y, (labels.other_x[kin], labels.other_y[kin])).min() >= 1000
    assert gap_to(x, y, (labels.other_x[~kin], labels.other_y[~kin])).min() < 1000
    assert (weight == 1).all()


def test_deposits_of_other_commodities_as_background(stack, labels):
    grid = Grid.of(stack)
    counts = np.ones(grid.shape, bool)
    row, col, _ = background_cells(labels, counts, grid, 10**6, method="deposits")
    barren = labels.other_barren
    others = grid.index(labels.other_x[barren], labels.other_y[barren])
    assert set(zip(row, col, strict=True)) <= set(zip(*others[:2], strict=True))
    assert row.size >= 8
    mixed = background_cells(labels, counts, grid, 400, method="mixed")
    assert mixed[0].size == 400 + row.size
    assert mixed[2][400:].sum() / mixed[2].sum() == pytest.approx(OTHERS_SHARE)
    none = replace(labels, other_barren=np.zeros(barren.size, bool))
    with pytest.raises(LabelError, match="0 deposits of other commodities"):
        background_cells(none, counts, grid, 400, method="deposits")
    with pytest.raises(LabelError, match="No deposit of another commodity stands on usable"):
        background_cells(none, counts, grid, 400, method="mixed")
    even = np.ones(grid.shape, np.float32)
    with pytest.raises(LabelError, match="cannot be matched: leave the match out"):
        background_cells(labels, counts, grid, 400, method="deposits", chance=even)
    with pytest.raises(LabelError, match="Background is of distance, deposits"):
        background_cells(labels, counts, grid, 400, method="near")


def test_another_number_is_another_draw(stack, labels):
    grid = Grid.of(stack)
    counts = np.ones(grid.shape, bool)
    draws = [background_cells(labels, counts, grid, 300, random_state=k)[0] for k in (0, 1, 0)]
    assert not np.array_equal(draws[0], draws[1])
    np.testing.assert_array_equal(draws[0], draws[2])


def test_unlikeness_is_the_distance_of_ranks():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 3)).astype(np.float32)
    features[3, 1] = np.nan
    positive = np.arange(60) < 5
    ranks = np.full(features.shape, 0.5)
    for j in range(3):
        known = np.flatnonzero(~np.isnan(features[:, j]))
        for i in known:
            ranks[i, j] = np.mean(features[known, j] <= features[i, j])
    slow = [min(np.linalg.norm(r - ranks[p]) for p in range(5)) for r in ranks]
    np.testing.assert_allclose(unlikeness(features, positive), slow)
    # No unit matters.
    scaled = features * np.float32([1e4, 1, 1e-3])
    np.testing.assert_allclose(unlikeness(scaled, positive), slow)


def test_dissimilar_background_is_told_from_the_deposits_learnt_from_alone():
    rng = np.random.default_rng(1)
    kind = np.repeat([1, 0, -1], [10, 200, 50])
    features = rng.normal(size=(260, 2)).astype(np.float32)
    features[:5] += 4
    features[5:10] -= 4
    whole = np.ones(260)
    samples = Samples(whole, whole, kind, whole, kind, features)
    np.testing.assert_array_equal(samples.learnt(), np.arange(210))
    unlike = replace(samples, unlike=True)
    kept = unlike.learnt()
    assert (kind[kept] == 1).sum() == 10
    assert (kind[kept] == 0).sum() == 100
    assert set(kept) <= set(range(210))
    # Ground known to be barren is learnt from, however like the deposits it is.
    group = np.where((kind == 0) & (np.arange(260) % 2 == 0), BARREN, kind)
    barren = replace(unlike, group=group).learnt()
    assert set(np.flatnonzero(group == BARREN)) <= set(barren)
    assert ((kind[barren] == 0) & (group[barren] != BARREN)).sum() == 50
    # With the upper deposits held out, background like them stays.
    fold = unlike.learnt(np.arange(5, 260))
    lower = features[fold[kind[fold] == 0]].mean()
    assert lower > features[kept[kind[kept] == 0]].mean() + 0.2


def test_samples_of_a_mixed_background_weigh_what_they_should(stack, labels, builder):
    counts = np.ones(Grid.of(stack).shape, bool)
    samples = draw_samples(
        builder, stack, labels, counts, background=300, measured_on=200, method="mixed", workers=1
    )
    assert samples.unlike
    others = (samples.kind == 0) & (samples.weight != 1)
    assert others.any()
    assert samples.weight[samples.kind == -1].tolist() == [1.0] * 200
    np.testing.assert_array_equal(samples.weight[samples.kind == 1], labels.weight)
