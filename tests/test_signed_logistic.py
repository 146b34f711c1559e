"""Signed logistic regression: scikit-learn where it is free, its conditions where it is bound."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from prospect.errors import ModelError
from prospect.models import SignedLogistic


@parametrize_with_checks(
    [SignedLogistic(), SignedLogistic(penalty=0.1)],
    expected_failed_checks=lambda estimator: {
        "check_sample_weight_equivalence_on_dense_data": "only ratios of weights in a class matter"
    },
)
def test_scikit_learn_agrees(estimator, check):
    check(estimator)


def sampled(seed=0, n=400, slopes=(1.5, -1.0, 0.0, 0.5), deposits=40):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, len(slopes))) * 3 + 7
    score = ((X - 7) / 3) @ np.array(slopes) + rng.logistic(size=n)
    return X, (score >= np.sort(score)[-deposits]).astype(int)


def test_free_signs_are_ridge_regression():
    X, y = sampled()
    model = SignedLogistic(penalty=4.0).fit(X, y)
    weight = np.where(y == 1, 1.0, 40 / 360)
    scaler = StandardScaler().fit(X, sample_weight=weight)
    ridge = LogisticRegression(C=1 / 4.0, tol=1e-10, max_iter=10_000)
    ridge.fit(scaler.transform(X), y, sample_weight=weight)
    np.testing.assert_allclose(model.coef_, ridge.coef_, atol=1e-5)
    np.testing.assert_allclose(
        model.predict_proba(X), ridge.predict_proba(scaler.transform(X)), atol=1e-5
    )


@pytest.mark.parametrize("prior", [0.0, 0.3])
def test_bound_coefficients_meet_the_conditions_of_an_optimum(prior):
    X, y = sampled()
    signs = ["-", "-", "+", "0"]  # the first is wrong
    model = SignedLogistic(signs, penalty=2.0, prior=prior).fit(X, y)
    coefficient = model.coef_[0]
    weight = np.where(y == 1, 1.0, 40 / 360)
    scaled = (X - model.mean_) / model.scale_
    likely = expit(model.intercept_ + scaled @ coefficient)
    pull = prior * np.array([-1, -1, 1, 0])
    gradient = scaled.T @ (weight * (likely - y)) + 2.0 * (coefficient - pull)
    assert coefficient[0] == 0 and gradient[0] < 0  # would like to be above 0, may not
    assert coefficient[1] < 0 <= coefficient[2]
    free = coefficient != 0
    np.testing.assert_allclose(gradient[free], 0, atol=1e-4)
    assert (weight * (likely - y)).sum() == pytest.approx(0, abs=1e-4)


def test_few_deposits_keep_to_the_prior_and_many_leave_it():
    signs = ["+", "-", "+", "+"]
    far = []
    for deposits, n in ((2, 200), (40, 4000), (800, 80_000)):
        X, y = sampled(1, n, deposits=deposits)
        model = SignedLogistic(signs, penalty=20.0, prior=0.25).fit(X, y)
        far.append(np.abs(model.coef_[0] - [0.25, -0.25, 0.25, 0.25]).max())
    assert far[0] < 0.12 < far[1] < far[2]
    assert far[2] > 0.6


def test_wrong_evidence_counts_as_nothing_rather_than_against():
    X, y = sampled()
    model = SignedLogistic(["+", "+", "+", "+"]).fit(X, y)
    assert model.coef_[0, 1] == 0
    assert (model.coef_ >= 0).all()


def test_missing_evidence_adds_nothing():
    X, y = sampled()
    holed = X.copy()
    holed[::3, 0] = np.nan
    model = SignedLogistic().fit(holed, y)
    assert np.isfinite(model.predict_proba(holed)).all()
    one = np.full((1, 4), np.nan)
    assert model.decision_function(one)[0] == model.intercept_[0]
    at_mean = model.mean_[None].copy()
    np.testing.assert_allclose(model.decision_function(at_mean), model.decision_function(one))


def test_scale_of_weights_does_not_matter():
    X, y = sampled()
    weight = np.random.default_rng(0).uniform(0.2, 1, 400)
    first = SignedLogistic().fit(X, y, weight)
    second = SignedLogistic().fit(X, y, weight * np.where(y == 1, 100, 3))
    np.testing.assert_allclose(first.coef_, second.coef_, rtol=1e-5)


def test_a_row_scores_alike_alone_and_among_others():
    X, y = sampled()
    model = SignedLogistic().fit(X, y)
    alone = np.concatenate([model.predict_proba(row[None]) for row in X[:50]])
    np.testing.assert_array_equal(alone, model.predict_proba(X)[:50])


def test_wrong_settings_are_sentences():
    X, y = sampled()
    with pytest.raises(ModelError, match="penalty and prior are 0 or more"):
        SignedLogistic(penalty=-1).fit(X, y)
    with pytest.raises(ModelError, match="A sign for each of 4 features"):
        SignedLogistic(["+"]).fit(X, y)
