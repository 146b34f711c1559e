"""Positive-unlabelled bagging: who is in a bag, who is asked, and who hides."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from prospect.errors import ModelError
from prospect.models import BaggedPU

RANDOM = {
    "check_sample_weight_equivalence_on_dense_data": "bags are drawn from the rows that are given"
}


@parametrize_with_checks(
    [
        BaggedPU(n_bags=5),
        BaggedPU(n_bags=5, bootstrap_deposits=True),
        BaggedPU(LogisticRegression(), n_bags=5),
    ],
    expected_failed_checks=lambda estimator: RANDOM,
)
def test_scikit_learn_agrees(estimator, check):
    check(estimator)


class Remembers(ClassifierMixin, BaseEstimator):
    """Scores 1 for rows it was fitted to, 0 for others."""

    def fit(self, X, y, sample_weight=None):
        self.seen_ = X[:, 0].tolist()
        self.deposits_, self.weight_ = int(y.sum()), sample_weight
        self.sums_ = sample_weight[y == 1].sum(), sample_weight[y == 0].sum()
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X):
        seen = np.isin(X[:, 0], self.seen_).astype(float)
        return np.column_stack([1 - seen, seen])


def numbered(n=300, deposits=12):
    return np.arange(n, dtype=float)[:, None], (np.arange(n) < deposits).astype(int)


def test_a_bag_holds_all_deposits_and_as_many_others():
    X, y = numbered()
    weight = np.linspace(0.2, 1, 300)
    model = BaggedPU(Remembers(), n_bags=30, random_state=0).fit(X, y, weight)
    drawn = []
    for each in model.estimators_:
        assert each.seen_[:12] == list(range(12))
        assert len(each.seen_) == 24
        assert each.deposits_ == 12
        assert each.sums_ == (pytest.approx(12), pytest.approx(12))
        drawn += each.seen_[12:]
    assert set(drawn) <= set(range(12, 300))
    assert len(set(drawn)) > 150  # drawn afresh
    np.testing.assert_allclose(each.weight_[:12], weight[:12] * 12 / weight[:12].sum())
    assert len(BaggedPU(Remembers(), size=40, n_bags=1).fit(X, y).estimators_[0].seen_) == 52


@pytest.mark.parametrize("bootstrap", [False, True])
def test_out_of_bag_means_come_from_bags_without_the_sample(bootstrap):
    X, y = numbered()
    model = BaggedPU(Remembers(), n_bags=15, bootstrap_deposits=bootstrap, random_state=1)
    model.fit(X, y)
    for row in range(300):
        out = [each for each in model.estimators_ if row not in each.seen_]
        if out:
            assert model.oob_decision_function_[row] == 0
        else:
            assert np.isnan(model.oob_decision_function_[row])
    assert np.isnan(model.oob_decision_function_[:12]).all() != bootstrap
    # And the mean over all bags counts those with it.
    share = np.mean([[row in each.seen_ for row in range(300)] for each in model.estimators_], 0)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], share)


def hidden(seed):
    """Deposits of which two thirds are not known."""
    rng = np.random.default_rng(seed)
    true = np.arange(1500) < 150
    X = rng.normal(size=(1500, 5)) + true[:, None]
    known = true & (rng.random(1500) < 1 / 3)
    return X, known, true


def test_hidden_deposits_are_found_among_the_background():
    found, plain = [], []
    for seed in range(4):
        X, known, true = hidden(seed)
        unknown = ~known
        model = BaggedPU(random_state=0).fit(X, known)
        found.append(roc_auc_score(true[unknown], model.oob_decision_function_[unknown]))
        forest = RandomForestClassifier(100, oob_score=True, random_state=0).fit(X, known)
        plain.append(roc_auc_score(true[unknown], forest.oob_decision_function_[unknown, 1]))
    assert np.mean(found) > 0.9
    assert np.mean(found) > np.mean(plain)


def test_it_repeats_with_a_seed():
    X, known, _ = hidden(0)
    first, second = (BaggedPU(n_bags=5, random_state=3).fit(X, known) for _ in range(2))
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    other = BaggedPU(n_bags=5, random_state=4).fit(X, known)
    assert not np.array_equal(first.predict_proba(X), other.predict_proba(X))


def test_more_than_two_thousand_trees_are_refused():
    X, y = numbered()
    forest = RandomForestClassifier(21, max_depth=1)
    with pytest.raises(ModelError, match=r"100 bags of 21 trees were asked for.*1 to 2,000"):
        BaggedPU(forest).fit(X, y)
    with pytest.raises(ModelError, match="2001 bags of 1 trees"):
        BaggedPU(n_bags=2001).fit(X, y)


def test_a_bag_without_background_is_refused():
    with pytest.raises(ModelError, match="at least one cell of background, not 0"):
        BaggedPU(size=0).fit(*numbered())
