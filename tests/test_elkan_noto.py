"""Elkan and Noto: the share of known deposits comes back, and probabilities with it."""

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from prospect.errors import ModelError
from prospect.models import ElkanNoto


@parametrize_with_checks([ElkanNoto()])
def test_scikit_learn_agrees(estimator, check):
    check(estimator)


TREE = DecisionTreeClassifier(min_samples_leaf=400, random_state=0)


def labelled(c, seed, n=6000):
    """Deposits that stand apart, of which a share c is known at random."""
    rng = np.random.default_rng(seed)
    true = rng.random(n) < 0.3
    X = rng.normal(size=(n, 2)) + 4.0 * true[:, None]
    return X, true, true & (rng.random(n) < c)


@pytest.mark.parametrize("c", [0.2, 0.5, 0.8])
def test_c_is_recovered_when_deposits_are_known_at_random(c):
    found = []
    for seed in range(4):
        X, true, known = labelled(c, seed)
        model = ElkanNoto(TREE, random_state=0).fit(X, known)
        found.append(model.c_)
        # Probabilities add up to the deposits there are, not to those known; a little less,
        # since none may be above 1.
        assert model.predict_proba(X)[:, 1].sum() == pytest.approx(true.sum(), rel=0.12)
    assert np.mean(found) == pytest.approx(c, abs=0.03)


def test_c_is_not_recovered_where_access_decides():
    """The assumption fails: better known on one side, c is a mixture and says too much."""
    X, true, _ = labelled(0.5, 0)
    rng = np.random.default_rng(0)
    known = true & (rng.random(true.size) < np.where(X[:, 0] > 4, 0.9, 0.1))
    assert ElkanNoto(TREE, random_state=0).fit(X, known).c_ > known.sum() / true.sum() + 0.1


def test_scores_are_those_of_the_classifier_over_c():
    X, _, known = labelled(0.5, 1, 800)
    model = ElkanNoto(random_state=0).fit(X, known)
    g = model.estimator_.predict_proba(X)[:, 1]
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], np.minimum(1, g / model.c_))
    assert (g / model.c_ > 1).any()


def test_held_out_deposits_decide_and_not_those_learnt_from():
    """A tree that knows its samples by heart would say that all deposits are known."""
    X, _, known = labelled(0.3, 2, 2000)
    model = ElkanNoto(DecisionTreeClassifier(), random_state=0).fit(X, known)
    assert model.estimator_.predict_proba(X[known])[:, 1].mean() == 1
    assert model.c_ == pytest.approx(0.3, abs=0.06)


def test_one_deposit_is_too_few():
    with pytest.raises(ModelError, match="At least two deposits"):
        ElkanNoto().fit(np.arange(10.0)[:, None], np.arange(10) == 0)
