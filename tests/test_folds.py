"""Spatial folds."""

import time

import numpy as np
import pytest
import sklearn
from scipy.spatial.distance import cdist
from shapely import box
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score, cross_validate

from prospect.errors import LabelError
from prospect.folds import (
    BlockFolds,
    BufferedLeaveOneOut,
    LeavePairOut,
    LeaveRegionOut,
    NearestNeighbourFolds,
    RandomFolds,
    block_size,
    size_by_residuals,
    variogram,
    variogram_range,
)
from prospect.synthetic.fields import random_field

SPLITTERS = [
    BlockFolds(20_000, 4, buffer=1_000),
    NearestNeighbourFolds(4, buffer=1_000),
    BufferedLeaveOneOut(5_000, together=15_000),
    LeavePairOut(5_000, n_pairs=60),
    LeaveRegionOut(n_splits=3, buffer=1_000),
    RandomFolds(4),
]


@pytest.fixture
def samples():
    rng = np.random.default_rng(0)
    where = rng.uniform(0, 100_000, (600, 2))
    y = np.zeros(600, int)
    y[:40] = 1
    return where, y


@pytest.mark.parametrize("seed", range(5))
def test_blocks_are_held_out_whole_with_a_strip_around(samples, seed):
    where, y = samples
    folds = BlockFolds(20_000, 5, buffer=3_000, random_state=seed)
    held = np.zeros(600, int)
    for train, test in folds.split(where, y, where):
        held[test] += 1
        assert y[test].any()
        assert y[train].any()
        assert not set(train) & set(test)
        near = np.hypot(*(where[train][:, None] - where[test][None]).transpose(2, 0, 1))
        assert near.min() >= 0
        # The strip is kept from blocks, not only from their samples.
        low = np.floor((where[test] - folds.origin_) / 20_000) * 20_000 + folds.origin_
        gap = np.maximum(low[None] - where[train][:, None], 0)
        gap = np.maximum(gap, where[train][:, None] - (low[None] + 20_000))
        assert np.hypot(gap[..., 0], gap[..., 1]).min() >= 3_000
    assert (held == 1).all()


def test_deposits_are_dealt_out_evenly(samples):
    where, y = samples
    counts = [y[test].sum() for _, test in BlockFolds(20_000, 5).split(where, y, where)]
    assert sum(counts) == 40
    assert max(counts) - min(counts) <= 6


def test_seeds_give_other_folds_and_the_same_seed_the_same(samples):
    where, y = samples
    first, same, other = (
        [list(test) for _, test in BlockFolds(20_000, random_state=s).split(where, y, where)]
        for s in (1, 1, 2)
    )
    assert first == same != other


def test_it_is_a_splitter_of_scikit_learn(samples):
    where, y = samples
    scores = cross_val_score(
        LogisticRegression(),
        where / 1e5,
        y,
        groups=where,
        cv=BlockFolds(20_000, 4),
        scoring="roc_auc",
    )
    assert scores.shape == (4,)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    ("folds", "sentence"),
    [
        (BlockFolds(200_000, 5), "too few for 5 folds"),
        (BlockFolds(45_000, 4, buffer=150_000), "no deposit is left to learn from"),
    ],
)
def test_folds_that_cannot_be_are_refused(samples, folds, sentence):
    where, y = samples
    with pytest.raises(LabelError, match=sentence):
        list(folds.split(where, y, where))


def test_coordinates_are_needed(samples):
    where, y = samples
    with pytest.raises(LabelError, match="need y"):
        list(BlockFolds().split(where, y))
    with pytest.raises(LabelError, match=r"coordinates of shape \(600, 2\)"):
        list(BlockFolds().split(where, y, where[:, 0]))


def test_random_folds_spread_deposits(samples):
    where, y = samples
    counts = [y[test].sum() for _, test in RandomFolds(5).split(where, y, where)]
    assert counts == [8] * 5
    with pytest.raises(LabelError, match="3 deposits cannot fill 5 folds"):
        list(RandomFolds(5).split(where, np.repeat([1, 0], [3, 597])))


@pytest.mark.parametrize("folds", SPLITTERS, ids=lambda folds: type(folds).__name__)
def test_every_fold_has_deposits_and_as_many_folds_as_promised(samples, folds):
    where, y = samples
    splits = list(folds.split(where, y, where))
    assert len(splits) == folds.get_n_splits(where, y, where)
    for train, test in splits:
        assert y[test].any()
        assert y[train].any()
        assert not y[train].all()
        assert not set(train) & set(test)


@pytest.mark.parametrize("folds", SPLITTERS, ids=lambda folds: type(folds).__name__)
def test_coordinates_reach_splitters_where_metadata_are_routed(samples, folds):
    where, y = samples
    if isinstance(folds, LeavePairOut):
        folds = LeavePairOut(5_000, n_pairs=5)
    with sklearn.config_context(enable_metadata_routing=True):
        told = cross_validate(
            LogisticRegression(), where / 1e5, y, cv=folds, params={"groups": where}
        )
    assert np.isfinite(told["test_score"]).all()


@pytest.mark.parametrize("folds", SPLITTERS[:5], ids=lambda folds: type(folds).__name__)
def test_the_strip_around_what_is_held_out_is_purged(samples, folds):
    where, y = samples
    for train, test in folds.split(where, y, where):
        if isinstance(folds, BufferedLeaveOneOut):
            test = test[y[test] == 1]
        assert cdist(where[train], where[test]).min() >= folds.buffer


@pytest.mark.parametrize("buffer", [0.0, 3_000.0, 12_000.0])
def test_purging_by_neighbouring_blocks_is_purging_by_distance(samples, buffer):
    where, y = 4 * samples[0], samples[1]
    folds = BlockFolds(10_000, 3, buffer=buffer, random_state=3)
    for train, test in folds.split(where, y, where):
        held = np.unique(np.floor((where[test] - folds.origin_) / 10_000), axis=0)
        low = folds.origin_ + held * 10_000
        gap = np.maximum(low[None] - where[:, None], where[:, None] - low[None] - 10_000)
        distance = np.hypot(*np.maximum(gap, 0).transpose(2, 0, 1)).min(axis=1)
        expected = np.setdiff1d(np.flatnonzero(distance >= buffer), test)
        np.testing.assert_array_equal(train, expected)


def test_blocks_are_those_of_verde(samples):
    verde = pytest.importorskip("verde")
    where, y = samples
    folds = BlockFolds(20_000, 4)
    blocks, _ = folds.assign(where, y == 1)
    low = folds.origin_ - 20_000
    region = [low[0], low[0] + 140_000, low[1], low[1] + 140_000]
    _, labels = verde.block_split(where.T, spacing=20_000, region=region)
    ours = np.unique(blocks, axis=0, return_inverse=True)[1].ravel()
    pairs = np.unique(np.column_stack([ours, labels]), axis=0)
    assert len(pairs) == ours.max() + 1 == np.unique(labels).size


@pytest.mark.parametrize(("size", "w"), [(20, 1.091896), (1000, 1.2004)])
def test_knndm_gives_what_cast_states(size, w):
    # CAST's own tests (testthat/test-knndm.R): six points in a square of side 10, k = 2,
    # maxp = 0.8, hierarchical. Its regular points are a grid from R's first two random
    # numbers after set.seed(1).
    points = np.array([(1, 1), (1, 2), (2, 2), (2, 3), (1, 4), (5, 4)], float)
    step = np.sqrt(100 / size)
    start = np.array([2.655087, 3.721239]) % step
    axes = [low + step * np.arange(round((10 - low) / step) + 1) for low in start]
    grid = np.array([(x, y) for x in axes[0] for y in axes[1] if x <= 10 and y <= 10])
    folds = NearestNeighbourFolds(2, largest=0.8, together=0)
    folds.assign(points, grid)
    assert folds.w_ == pytest.approx(w, abs=5e-5)
    assert folds.clusters_ == 3


def test_knndm_comes_nearer_to_prediction_than_chance_does():
    rng = np.random.default_rng(0)
    centres = rng.uniform(0, 100_000, (8, 2))
    deposits = centres[np.arange(40) % 8] + rng.normal(0, 1500, (40, 2))
    cells = rng.uniform(0, 100_000, (3000, 2))
    folds = NearestNeighbourFolds(5, together=0)
    fold = folds.assign(deposits, cells)
    assert np.bincount(fold).min() > 0
    assert np.bincount(fold).max() <= 20
    wanted = np.sort(cdist(cells, deposits).min(axis=1))

    def quantile(values, share):
        return np.quantile(values, share, method="inverted_cdf")

    def apart(fold):
        gap = np.where(fold[:, None] == fold, np.inf, cdist(deposits, deposits)).min(axis=1)
        share = np.linspace(0, 1, 2001)[1:-1]
        return np.abs(quantile(gap, share) - quantile(wanted, share)).mean()

    drawn = [apart(rng.permutation(40) % 5) for _ in range(20)]
    assert apart(fold) < 0.6 * min(drawn)
    assert folds.w_ == pytest.approx(apart(fold), rel=0.03)


def test_knndm_deals_at_random_where_deposits_are_not_clustered():
    rng = np.random.default_rng(1)
    folds = NearestNeighbourFolds(4)
    folds.assign(rng.uniform(0, 100_000, (60, 2)), rng.uniform(0, 100_000, (2000, 2)))
    assert folds.clusters_ == 0


def test_satellites_are_never_parted():
    rng = np.random.default_rng(2)
    main = rng.uniform(0, 100_000, (20, 2))
    deposits = np.concatenate([main, main + 300.0])
    fold = NearestNeighbourFolds(4).assign(deposits, rng.uniform(0, 100_000, (500, 2)))
    np.testing.assert_array_equal(fold[:20], fold[20:])
    where = np.concatenate([deposits, rng.uniform(0, 100_000, (200, 2))])
    y = np.repeat([1, 0], [40, 200])
    assert BufferedLeaveOneOut().get_n_splits(where, y, where) == 20


def test_every_cell_is_held_out_once_with_its_nearest_deposit(samples):
    where, y = samples
    for folds in (NearestNeighbourFolds(4), BufferedLeaveOneOut(0.0), LeaveRegionOut(n_splits=3)):
        held = np.full(600, -1)
        for k, (_, test) in enumerate(folds.split(where, y, where)):
            assert (held[test] == -1).all()
            held[test] = k
        nearest = cdist(where, where[:40]).argmin(axis=1)
        np.testing.assert_array_equal(held, held[:40][nearest])


def test_pairs_hold_every_deposit_equally_often(samples):
    where, y = samples
    pairs = [test for _, test in LeavePairOut(1_000, n_pairs=900).split(where, y, where)]
    assert len(pairs) == 500
    assert all(y[a] == 1 and y[b] == 0 for a, b in pairs)
    counts = np.bincount([a for a, _ in pairs], minlength=40)[:40]
    assert counts.max() - counts.min() <= 1


def test_given_regions_are_held_out_and_the_rest_never(samples):
    where, y = samples
    west, east = box(0, 0, 30_000, 100_000), box(60_000, 0, 100_000, 100_000)
    folds = LeaveRegionOut([west, east])
    (_, first), (_, second) = folds.split(where, y, where)
    assert where[first, 0].max() <= 30_000
    assert where[second, 0].min() >= 60_000
    with pytest.raises(LabelError, match="stand in 1 of the regions"):
        list(LeaveRegionOut([west, box(500_000, 0, 600_000, 1)]).split(where, y, where))


@pytest.mark.parametrize(
    ("folds", "sentence"),
    [
        (NearestNeighbourFolds(5), "2 deposits cannot fill 5 folds"),
        (LeaveRegionOut(n_splits=3), "2 deposits cannot fill 3 regions"),
        (BufferedLeaveOneOut(500_000), "no deposit is left to learn from"),
        (LeavePairOut(500_000), "no deposit is left to learn from"),
    ],
)
def test_too_few_deposits_are_refused(samples, folds, sentence):
    where, _ = samples
    y = np.repeat([1, 0], [2, 598])
    with pytest.raises(LabelError, match=sentence):
        list(folds.split(where, y, where))


def test_no_fold_can_do_without_deposits(samples):
    where, y = samples
    for folds in SPLITTERS:
        with pytest.raises(LabelError):
            list(folds.split(where, 0 * y, where))


def test_a_variogram_by_hand():
    where = np.array([[0.0, 0], [1, 0], [2, 0], [3, 0]])
    table = variogram(where, np.array([0.0, 1, 0, np.nan]), longest=2.5, bins=5)
    # Pairs 1 m apart differ by 1, the pair 2 m apart by nothing; the gap has none.
    assert table["distance"].tolist() == [1, 2]
    assert table["semivariance"].tolist() == [0.5, 0]
    assert table["pairs"].tolist() == [2, 1]


@pytest.mark.parametrize("length", [4_000.0, 12_000.0])
def test_the_range_of_a_known_field_is_found(length):
    rng = np.random.default_rng(0)
    found = []
    for _ in range(4):
        field = random_field(rng, (150, 150), 600.0, length)
        row, col = rng.integers(0, 150, (2, 900))
        where = np.column_stack([600.0 * col, 600.0 * row])
        found.append(variogram_range(variogram(where, field[row, col], longest=50_000.0)))
    # At its length the field still resembles itself at 0.13; the spherical model ends near.
    assert 0.7 * length < np.median(found) < 1.7 * length


def test_noise_has_no_range():
    rng = np.random.default_rng(0)
    where = rng.uniform(0, 100_000, (1500, 2))
    assert variogram_range(variogram(where, rng.normal(size=1500))) == 0


def test_blocks_are_no_smaller_than_what_they_must_cover(samples):
    where, y = samples
    positive = y == 1
    assert block_size(where, None, positive) == 10_000
    assert block_size(where, None, positive, reach=7_400) == 15_000
    chain = np.column_stack([np.arange(40) * 900.0, np.zeros(40)])
    assert block_size(np.concatenate([chain, where[40:]]), None, positive) == 36_000
    smooth = np.sin(where[:, 0] / 20_000)
    assert block_size(where, smooth, positive) == 20_000
    folds = BlockFolds(n_splits=3)
    list(folds.split(np.column_stack([smooth, smooth**2]), y, where))
    assert folds.size_ == 20_000


def test_residuals_of_an_unseen_driver_set_the_size(samples):
    rng = np.random.default_rng(0)
    where = rng.uniform(0, 200_000, (1500, 2))
    driver = np.sin(where[:, 0] / 9_000) * np.sin(where[:, 1] / 9_000)
    positive = driver > 0.7
    noise = rng.normal(size=(1500, 3)).astype(np.float32)
    blind = size_by_residuals(noise, where, positive)
    assert 10_000 < blind <= 40_000
    knowing = np.column_stack([driver, noise]).astype(np.float32)
    assert size_by_residuals(knowing, where, positive) < blind


def test_folds_of_a_country_take_seconds():
    # 400,000 cells take under 30 s: benchmarks/validation_folds.py.
    rng = np.random.default_rng(0)
    where = rng.uniform(0, 400_000, (20_040, 2))
    y = np.repeat([1, 0], [40, 20_000])
    start = time.process_time()
    for folds in (BlockFolds(40_000), NearestNeighbourFolds(5), LeavePairOut(10_000)):
        list(folds.split(where, y, where))
    assert time.process_time() - start < 10
