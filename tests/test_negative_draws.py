"""Several draws of background: their mean, and an honest spread."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.estimator_checks import parametrize_with_checks

from prospect.errors import ModelError
from prospect.models import BaggedPU, NegativeDraws


@parametrize_with_checks(
    [NegativeDraws(n_draws=3)],
    expected_failed_checks=lambda estimator: {
        "check_sample_weight_equivalence_on_dense_data": "draws come from the rows that are given"
    },
)
def test_scikit_learn_agrees(estimator, check):
    check(estimator)


class MeanOfBackground(ClassifierMixin, BaseEstimator):
    """Scores every cell by the mean of the background it was fitted to."""

    def fit(self, X, y, sample_weight=None):
        self.mean_, self.rows_ = X[y == 0, 0].mean(), X[y == 0, 0].tolist()
        self.sum_ = sample_weight[y == 0].sum()
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X):
        likely = np.full(len(X), self.mean_)
        return np.column_stack([1 - likely, likely])


def test_a_draw_takes_its_share_and_keeps_the_weight():
    X, y = np.arange(210.0)[:, None], (np.arange(210) < 10).astype(int)
    model = NegativeDraws(MeanOfBackground(), n_draws=8, share=0.25, random_state=0).fit(X, y)
    rows = [each.rows_ for each in model.estimators_]
    assert all(len(set(r)) == 50 and min(r) >= 10 for r in rows)
    assert len({tuple(r) for r in rows}) == 8
    assert [each.sum_ for each in model.estimators_] == pytest.approx([200] * 8)
    means = [each.mean_ for each in model.estimators_]
    np.testing.assert_allclose(model.scores(X[:3]), np.repeat(np.array(means)[:, None], 3, 1))
    assert model.predict_proba(X[:1])[0, 1] == pytest.approx(np.mean(means))


@pytest.mark.parametrize("share", [0.2, 0.8])
def test_the_spread_is_that_of_fresh_draws(share):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(1010, 1)), (np.arange(1010) < 10).astype(int)
    model = NegativeDraws(MeanOfBackground(), n_draws=400, share=share, random_state=0).fit(X, y)
    expected = X[10:].std() / np.sqrt(share * 1000)
    np.testing.assert_allclose(model.spread(X[:2]), expected, rtol=0.12)


def test_a_hundred_bags_in_twenty_draws_are_a_model():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 3)), (np.arange(300) < 10).astype(int)
    X[y == 1] += 1
    model = NegativeDraws(BaggedPU(n_bags=3), n_draws=4, random_state=0).fit(X, y)
    assert model.predict_proba(X).shape == (300, 2)
    with pytest.raises(ModelError, match=r"21 draws of 100 trees.*at most 2,000"):
        NegativeDraws(BaggedPU(), n_draws=21).fit(X, y)
    with pytest.raises(ModelError, match="share lies between 0 and 1"):
        NegativeDraws(share=1.0).fit(X, y)
