"""Knowledge and learning blended: the weight by the formula, ranks by hand."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.estimator_checks import parametrize_with_checks

from prospect.errors import ModelError
from prospect.models import BlendedClassifier, FuzzyOverlay, SignedLogistic


@parametrize_with_checks(
    [BlendedClassifier(learner=SignedLogistic())],
    expected_failed_checks=lambda estimator: {
        "check_sample_weight_equivalence_on_dense_data": "ranks are among the rows that are given"
    },
)
def test_scikit_learn_agrees(estimator, check):
    check(estimator)


class Column(ClassifierMixin, BaseEstimator):
    """Scores by one of its features."""

    def __init__(self, column=0):
        self.column = column

    def fit(self, X, y):
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X):
        likely = X[:, self.column]
        return np.column_stack([1 - likely, likely])


def blend(deposits, n=500, **settings):
    rng = np.random.default_rng(0)
    X = rng.random((n, 2))
    y = (np.arange(n) < deposits).astype(int)
    return BlendedClassifier(Column(0), Column(1), **settings).fit(X, y), X, y


@pytest.mark.parametrize(
    ("deposits", "weight"), [(3, 0), (7, 0), (8, 1 / 43), (29, 22 / 43), (50, 1), (90, 1)]
)
def test_the_weight_grows_with_the_deposits(deposits, weight):
    model, X, y = blend(deposits)
    assert model.weight_ == pytest.approx(weight)
    ranks = []
    for column in range(2):
        others = X[y == 0, column]
        ranks.append([(others < v).mean() + 0.5 * (others == v).mean() for v in X[:, column]])
    expected = (1 - weight) * np.array(ranks[0]) + weight * np.array(ranks[1])
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], expected)
    assert (model.learner_ is None) == (weight == 0)


def test_where_one_is_silent_the_other_speaks():
    model, X, y = blend(29)
    asked = np.array([[np.nan, 0.5], [0.5, np.nan], [np.nan, np.nan]])
    found = model.predict_proba(asked)[:, 1]
    assert found[0] == pytest.approx((X[y == 0, 1] < 0.5).mean())
    assert found[1] == pytest.approx((X[y == 0, 0] < 0.5).mean())
    assert np.isnan(found[2])


def test_below_the_fewest_it_is_the_order_of_knowledge():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 3)), (np.arange(300) < 5).astype(int)
    signs = ["+", "-", "0"]
    blended = BlendedClassifier(FuzzyOverlay(signs), SignedLogistic(signs)).fit(X, y)
    alone = FuzzyOverlay(signs).fit(X)
    order = np.argsort(alone.predict_proba(X[5:])[:, 1], kind="stable")
    assert (np.diff(blended.predict_proba(X[5:])[order, 1]) >= 0).all()


def test_limits_that_cannot_be_are_refused():
    with pytest.raises(ModelError, match="1 <= fewest <= most"):
        blend(10, fewest=9, most=8)
