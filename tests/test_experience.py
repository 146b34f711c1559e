"""Dissimilarity from the training cells: against every distance, measured one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist

from prospect.errors import ModelError
from prospect.experience import Experience


def oracle(features, importance, block):
    """Every cell against every training cell."""
    mean, deviation = np.nanmean(features, axis=0), np.nanstd(features, axis=0)
    factor = np.divide(importance, deviation, where=deviation > 0, out=np.zeros_like(deviation))

    def brought(cells):
        return np.nan_to_num((cells - mean) * factor)

    known, asked = brought(features), brought(block.reshape(len(block), -1).T)
    pairs = cdist(known, known)[np.triu_indices(len(known), 1)]
    return cdist(asked, known).min(axis=1).reshape(block.shape[1:]) / pairs.mean()


def smooth(seed, features, shape, gaps=0.0):
    rng = np.random.default_rng(seed)
    block = gaussian_filter(rng.normal(size=(features, *shape)), (0, 2, 2)).astype(np.float32)
    block[rng.random(block.shape) < gaps] = np.nan
    return block


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    features=st.integers(1, 9),
    shape=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    gaps=st.sampled_from([0.0, 0.2]),
    count=st.integers(2, 40),
)
def test_the_nearest_of_all(seed, features, shape, gaps, count):
    rng = np.random.default_rng(seed)
    known = rng.normal(scale=0.3, size=(count, features)).astype(np.float32)
    known[2:][rng.random((count - 2, features)) < gaps] = np.nan
    importance = rng.random(features) * (rng.random(features) < 0.8)
    importance[0] = 1.0
    block = smooth(seed, features, shape, gaps)
    found = Experience.of(known, importance).dissimilarity(block)
    np.testing.assert_allclose(found, oracle(known, importance, block), rtol=1e-3, atol=1e-4)


def test_blocks_and_neighbours_leave_no_trace():
    block = smooth(0, 7, (60, 50), 0.05)
    known = block[:, ::9, ::7].reshape(7, -1).T
    experience = Experience.of(known)
    whole = experience.dissimilarity(block)
    assert whole[0, 0] == whole[9, 14] == 0.0
    np.testing.assert_array_equal(experience.dissimilarity(block[:, 13:, 5:21]), whole[13:, 5:21])
    valid = np.random.default_rng(0).random(whole.shape) < 0.2
    some = experience.dissimilarity(block, valid)
    np.testing.assert_array_equal(some, np.where(valid, whole, np.nan))


def test_what_does_not_count_does_not_matter():
    known = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    known[:, 1] = 5.0
    block = smooth(1, 3, (9, 9))
    experience = Experience.of(known, np.array([1.0, 2.0, 0.0]))
    expected = experience.dissimilarity(block)
    block[1:] += 100
    np.testing.assert_array_equal(experience.dissimilarity(block), expected)


def test_wrong_experience_is_refused():
    known = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.raises(ModelError, match="differ in some feature"):
        Experience.of(np.ones((4, 3)))
    with pytest.raises(ModelError, match="none below 0"):
        Experience.of(known, np.array([1.0, -1.0, 0.0]))
    with pytest.raises(ModelError, match="A block of 3 features"):
        Experience.of(known).dissimilarity(np.zeros((2, 5, 5), np.float32))
