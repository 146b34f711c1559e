"""Applicability: against a brute-force oracle, and where it must say no."""

import numpy as np
import pytest

from prospect.applicability import applicability
from prospect.errors import ModelError


def training(n=120, k=4, seed=0, gaps=0.0):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, k)) * [1, 10, 0.1, 5] + np.array([0, 100, 0, -3])
    features[rng.random(features.shape) < gaps] = np.nan
    return features, np.array([3.0, 1.0, 0.0, 0.5]), rng.integers(0, 5, n), np.arange(n) < 25


def by_hand(features, importance, fold, asked, only=None):
    """Everything with plain loops."""
    mean, scale = np.nanmean(features, axis=0), np.nanstd(features, axis=0, ddof=1)

    def place(row):
        return [
            0.0 if np.isnan(v) else (v - m) / s * w
            for v, m, s, w in zip(row, mean, scale, importance, strict=True)
        ]

    cells = [place(row) for row in features]
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
    index, threshold = by_hand(features, importance, fold, asked)
    np.testing.assert_allclose(made.dissimilarity(asked), index)
    assert made.threshold == pytest.approx(threshold)
    index, threshold = by_hand(features, importance, fold, asked, deposit)
    np.testing.assert_allclose(made.dissimilarity(asked, deposits=True), index)
    assert made.deposit_threshold == pytest.approx(threshold)
    np.testing.assert_array_equal(
        made.applicable(asked, deposits=True), np.array(index) <= threshold
    )


def test_a_twin_is_at_zero_and_far_ground_is_outside():
    features, importance, fold, deposit = training()
    made = applicability(features, importance, fold, deposit)
    np.testing.assert_allclose(made.dissimilarity(features), 0, atol=1e-12)
    far = features[:5] + np.array([20, 0, 0, 0])
    assert not made.applicable(far).any()
    assert made.applicable(features).all()
    # Nearest to a deposit is never nearer than nearest to any training cell.
    assert (made.dissimilarity(far, deposits=True) >= made.dissimilarity(far)).all()


def test_what_does_not_count_does_not_matter():
    features, importance, fold, deposit = training()
    made = applicability(features, importance, fold, deposit)
    moved = features + np.array([0, 0, 1e6, 0])
    np.testing.assert_allclose(made.dissimilarity(moved), 0, atol=1e-12)
    scaled = applicability(features, importance * 7, fold, deposit)
    asked = features * 1.3
    np.testing.assert_allclose(scaled.dissimilarity(asked), made.dissimilarity(asked))


def test_gaps_are_told():
    features, importance, fold, deposit = training()
    made = applicability(features, importance, fold, deposit)
    asked = features[:3].copy()
    asked[0, 0] = np.nan
    asked[1] = np.nan
    np.testing.assert_allclose(made.known_share(asked), [1.5 / 4.5, 0, 1])
    assert np.isnan(made.dissimilarity(asked)[1])
    assert not made.applicable(asked)[1]


def test_folds_decide_the_threshold():
    """Clusters of ground: random folds have a twin elsewhere, whole clusters do not."""
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(10), 30)
    features = rng.normal(size=(10, 3))[cluster] * 3 + 0.1 * rng.normal(size=(300, 3))
    deposit = np.arange(300) % 3 == 0
    blocks = applicability(features, np.ones(3), cluster % 5, deposit)
    random = applicability(features, np.ones(3), rng.integers(0, 5, 300), deposit)
    assert blocks.threshold > 3 * random.threshold


def test_cells_never_held_out_are_not_judged_but_are_learnt_from():
    features, importance, fold, deposit = training()
    fold[60:] = -1
    made = applicability(features, importance, fold, deposit)
    assert np.isfinite(made.threshold)
    np.testing.assert_allclose(made.dissimilarity(features[60:]), 0, atol=1e-12)


def test_what_cannot_be_is_a_sentence():
    features, importance, fold, deposit = training()
    with pytest.raises(ModelError, match="Importances of 4 features"):
        applicability(features, importance[:2], fold, deposit)
    with pytest.raises(ModelError, match="alike in the features that count"):
        applicability(np.ones_like(features), importance, fold, deposit)
    with pytest.raises(ModelError, match="at least two folds"):
        applicability(features, importance, np.zeros_like(fold), deposit)
