"""Applicability: against a brute-force oracle, and where it must say no."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist

from prospect.applicability import MOST_MISSING, Applicability, applicability
from prospect.errors import ModelError


def training(n=120, k=4, seed=0, gaps=0.0):
    rng = np.random.default_rng(seed)
    spread, middle = np.array([1, 10, 0.1, 5]), np.array([0, 100, 0, -3])
    features = (rng.normal(size=(n, 4)) * spread + middle)[:, :k].astype(np.float32)
    features[rng.random(features.shape) < gaps] = np.nan
    return features, np.array([3.0, 1.0, 0.0, 0.5])[:k], rng.integers(0, 5, n), np.arange(n) < 25


def blocked(cells):
    """Cells as a block of one row."""
    return np.ascontiguousarray(cells.T[:, None, :], np.float32)


def classes(made, block, valid=None):
    return made.classes(
        made.dissimilarity(block, valid),
        made.dissimilarity(block, valid, deposits=True),
        made.missing(block, valid),
    )


def by_hand(features, importance, fold, asked, only=None):
    """Everything with plain loops."""
    mean, scale = np.nanmean(features, axis=0), np.nanstd(features, axis=0)
    importance = importance / importance.sum()

    def place(row):
        return [
            0.0 if np.isnan(v) else (v - m) / s * w
            for v, m, s, w in zip(row, mean, scale, importance, strict=True)
        ]

    cells = [place(row) for row in features.astype(float)]
    pairs = [np.hypot.reduce(np.subtract(a, b)) for i, a in enumerate(cells) for b in cells[:i]]
    average = np.mean(pairs)
    members = range(len(cells)) if only is None else np.flatnonzero(only)

    def nearest(point, among):
        return min(np.sqrt(sum((p - q) ** 2 for p, q in zip(point, cells[j], strict=True)))
                   for j in among)  # fmt: skip

    inner = [nearest(cells[i], [j for j in members if fold[j] != fold[i]]) for i in members]
    low, high = np.quantile(inner, (0.25, 0.75))
    whisker = max(v for v in inner if v <= high + 1.5 * (high - low))
    return [nearest(place(row), members) / average for row in asked], whisker / average


@pytest.mark.parametrize("gaps", [0.0, 0.15])
def test_index_and_threshold_against_plain_loops(gaps):
    features, importance, fold, deposit = training(gaps=gaps)
    asked = training(30, seed=1, gaps=gaps)[0] * 1.5
    made = applicability(features, importance, fold, deposit)
    assert made.loss == 0
    index, threshold = by_hand(features, importance, fold, asked)
    found = made.dissimilarity(blocked(asked))[0]
    np.testing.assert_allclose(found, index, rtol=1e-4, atol=1e-5)
    assert made.threshold == pytest.approx(threshold, rel=1e-4)
    index, threshold = by_hand(features, importance, fold, asked, deposit)
    found = made.dissimilarity(blocked(asked), deposits=True)[0]
    np.testing.assert_allclose(found, index, rtol=1e-4, atol=1e-5)
    assert made.deposit_threshold == pytest.approx(threshold, rel=1e-4)


def smooth(seed, features, shape, gaps=0.0):
    rng = np.random.default_rng(seed)
    block = gaussian_filter(rng.normal(size=(features, *shape)), (0, 2, 2)).astype(np.float32)
    block[rng.random(block.shape) < gaps] = np.nan
    return block


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    k=st.integers(1, 4),
    shape=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    gaps=st.sampled_from([0.0, 0.2]),
)
def test_the_nearest_of_all_in_blocks(seed, k, shape, gaps):
    features, importance, fold, deposit = training(40, k, seed, gaps)
    block = smooth(seed, k, shape, gaps)
    found = applicability(features, importance, fold, deposit).dissimilarity(block)
    index, _ = by_hand(features, importance, fold, block.reshape(k, -1).T)
    np.testing.assert_allclose(found.ravel(), index, rtol=1e-3, atol=1e-4)


def test_blocks_and_neighbours_leave_no_trace():
    block = smooth(0, 7, (60, 50), 0.05)
    known = block[:, ::9, ::7].reshape(7, -1).T
    made = applicability(known, np.ones(7), np.arange(56) % 3, np.arange(56) < 9)
    whole = made.dissimilarity(block)
    assert whole[0, 0] == whole[9, 14] == 0.0
    np.testing.assert_array_equal(made.dissimilarity(block[:, 13:, 5:21]), whole[13:, 5:21])
    valid = np.random.default_rng(0).random(whole.shape) < 0.2
    some = made.dissimilarity(block, valid)
    np.testing.assert_array_equal(some, np.where(valid, whole, np.nan))
    found = classes(made, block, valid)
    np.testing.assert_array_equal(found, np.where(valid, classes(made, block), 255))


def test_each_kind_of_ground_is_told():
    features, importance, fold, deposit = training()
    features[deposit, 1] -= 60
    made = applicability(features, importance, fold, deposit)
    far = features[30] + np.array([20, 0, 0, 0], np.float32)
    lacking = features[0].copy()
    lacking[0] = np.nan
    unlike = features[30]
    asked = blocked(np.stack([features[0], unlike, far, lacking]))
    assert classes(made, asked).tolist() == [[0, 1, 2, 3]]
    assert made.missing(asked).tolist() == [[0, 0, 0, pytest.approx(3 / 4.5)]]
    # Nearest to a deposit is never nearer than nearest to any remembered cell.
    assert (made.dissimilarity(asked, deposits=True) >= made.dissimilarity(asked)).all()


def test_small_gaps_do_not_matter_and_large_ones_do():
    features, _, fold, deposit = training()
    importance = np.array([1.0, MOST_MISSING, 0.0, 0.9 * MOST_MISSING])
    made = applicability(features, importance / importance.sum(), fold, deposit)
    asked = np.repeat(features[:1], 3, axis=0)
    asked[0, 3] = asked[1, 1] = asked[1, 3] = asked[2, 2] = np.nan
    assert classes(made, blocked(asked))[0].tolist() == [0, 3, 0]


def test_what_does_not_count_does_not_matter():
    features, importance, fold, deposit = training()
    made = applicability(features, importance, fold, deposit)
    moved = features + np.array([0, 0, 1e6, 0], np.float32)
    assert not made.dissimilarity(blocked(moved)).any()
    scaled = applicability(features, importance * 7, fold, deposit)
    asked = blocked(features * 1.3)
    np.testing.assert_allclose(scaled.dissimilarity(asked), made.dissimilarity(asked), rtol=1e-4)


def test_folds_decide_the_threshold():
    """Clusters of ground: random folds have a twin elsewhere, whole clusters do not."""
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(10), 30)
    features = rng.normal(size=(10, 3))[cluster] * 3 + 0.1 * rng.normal(size=(300, 3))
    deposit = np.arange(300) % 3 == 0
    blocks = applicability(features, np.ones(3), cluster % 5, deposit)
    random = applicability(features, np.ones(3), rng.integers(0, 5, 300), deposit)
    assert blocks.threshold > 3 * random.threshold


def test_like_cells_are_remembered_once():
    """Of clusters one cell each, and every deposit; what it costs is told."""
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(30), 20)
    features = (rng.normal(size=(30, 3))[cluster] + 0.01 * rng.normal(size=(600, 3))).astype("f4")
    deposit = np.arange(600) % 120 == 0
    made = applicability(features, np.ones(3), cluster % 5, deposit, most=40)
    assert 30 <= len(made.points) <= 40
    assert made.deposits.shape[0] == 5
    assert 0 < made.loss < 0.05
    assert made.dissimilarity(blocked(features)).max() < 0.1
    assert not made.dissimilarity(blocked(features[deposit])).any()


def test_cells_never_held_out_are_not_judged_but_are_learnt_from():
    features, importance, fold, deposit = training()
    fold[60:] = -1
    made = applicability(features, importance, fold, deposit)
    assert np.isfinite(made.threshold)
    assert not made.dissimilarity(blocked(features[60:])).any()


def test_it_is_made_again_of_its_parts():
    features, importance, fold, deposit = training()
    made = applicability(features, importance, fold, deposit)
    numbers, arrays = made.to_parts()
    again = Applicability.from_parts(numbers, arrays, 4)
    asked = blocked(features * 1.4)
    np.testing.assert_array_equal(classes(again, asked), classes(made, asked))
    for wrong in (
        {"planes": arrays["planes"] + 2},
        {"planes": arrays["planes"] - 1},
        {"points": arrays["points"][:, :2]},
        {"points": arrays["points"][:0]},
        {"deposits": arrays["deposits"].astype(float)},
        {"centre": arrays["centre"][:1]},
        {"importance": importance[:2]},
    ):
        with pytest.raises(ModelError, match="do not fit the features"):
            Applicability.from_parts(numbers, {**arrays, **wrong}, 4)


def test_what_cannot_be_is_a_sentence():
    features, importance, fold, deposit = training()
    with pytest.raises(ModelError, match="Importances of 4 features"):
        applicability(features, importance[:2], fold, deposit)
    with pytest.raises(ModelError, match="Importances of 4 features"):
        applicability(features, -importance, fold, deposit)
    with pytest.raises(ModelError, match="alike in the features that count"):
        applicability(np.ones_like(features), importance, fold, deposit)
    with pytest.raises(ModelError, match="at least two folds"):
        applicability(features, importance, np.zeros_like(fold), deposit)
    with pytest.raises(ModelError, match="Without deposits"):
        applicability(features, importance, fold, ~deposit & deposit)
    with pytest.raises(ModelError, match="A block of 4 features"):
        applicability(features, importance, fold, deposit).missing(np.zeros((2, 5, 5)))


def test_local_density_counts_what_is_within_the_threshold():
    rng = np.random.default_rng(4)
    features = rng.normal(size=(300, 7)).astype(np.float32)
    fold, deposit = np.arange(300) % 5, np.arange(300) < 30
    known = applicability(features, np.arange(1.0, 8.0), fold, deposit)
    block = rng.normal(scale=1.3, size=(7, 13, 21)).astype(np.float32)
    block[2, :3] = np.nan
    valid = rng.random((13, 21)) < 0.9
    found = known.local_density(block, valid)
    used = known.planes.size
    cells = (block[known.planes].reshape(used, -1).T - known.centre) * known.scale
    away = cdist(np.nan_to_num(cells), known.points[:, :used])
    radius = known.threshold * known.mean_distance
    expected = (away <= radius).sum(axis=1).reshape(13, 21)
    # A distance that ties with the threshold to the last bit may go either way.
    tied = (np.abs(away - radius) < 1e-5).any(axis=1).reshape(13, 21)
    np.testing.assert_array_equal(found[valid & ~tied], expected[valid & ~tied])
    assert np.isnan(found[~valid]).all()
    assert 0 < found[valid].mean() < 100
    near = known.dissimilarity(block, valid) <= known.threshold
    np.testing.assert_array_equal((found > 0)[valid & ~tied], near[valid & ~tied])
