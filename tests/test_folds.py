"""Spatial folds."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from prospect.errors import LabelError
from prospect.folds import BlockFolds, RandomFolds


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
