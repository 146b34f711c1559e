"""Training draws: who is in which member, and what the spread is made of."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from prospect.errors import ModelError
from prospect.inference import compile_estimator
from prospect.learners import fit
from prospect.models import SignedLogistic, TrainingDraws
from prospect.models.training_draws import components, levels_of


@parametrize_with_checks(
    [TrainingDraws(n_draws=4), TrainingDraws(LogisticRegression(), n_draws=3)],
    expected_failed_checks=lambda estimator: {
        "check_sample_weight_equivalence_on_dense_data": "draws come from the rows that are given"
    },
)
def test_scikit_learn_agrees(estimator, check):
    check(estimator)


class Remembers(ClassifierMixin, BaseEstimator):
    """Knows what it was fitted to."""

    def fit(self, X, y, sample_weight=None):
        self.found_, self.barren_ = X[y == 1, 0].tolist(), X[y == 0, 0].tolist()
        self.sums_ = sample_weight[y == 1].sum(), sample_weight[y == 0].sum()
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X):
        likely = np.full(len(X), len(set(self.found_)) / 10)
        return np.column_stack([1 - likely, likely])


def numbered(n=210, deposits=10):
    return np.arange(n, dtype=float)[:, None], (np.arange(n) < deposits).astype(int)


def test_every_background_meets_every_draw_of_deposits():
    X, y = numbered()
    model = TrainingDraws(Remembers(), n_draws=5, random_state=0).fit(X, y)
    square = np.array(model.estimators_, dtype=object).reshape(5, 5)
    for line in square:
        assert all(member.barren_ == line[0].barren_ for member in line)
    for line in square.T:
        assert all(member.found_ == line[0].found_ for member in line)
    assert len({tuple(member.barren_) for member in square[:, 0]}) == 5
    # With replacement, some two thirds of the background are in a draw.
    assert 100 < len(square[0, 0].barren_) < 150
    assert min(square[0, 0].barren_) >= 10
    for member in square.ravel():
        assert member.sums_[0] == pytest.approx(member.sums_[1])


def test_satellites_are_drawn_with_their_deposit():
    X, y = numbered()
    group = np.where(y == 1, np.arange(210) // 2, -1)
    model = TrainingDraws(Remembers(), n_draws=6, random_state=1).fit(X, y, group=group)
    for member in model.estimators_:
        found = set(member.found_)
        assert all((number // 2 * 2 in found) == (number // 2 * 2 + 1 in found) for number in found)


def test_placings_stand_on_the_diagonals():
    X, y = numbered(deposits=12)
    placing = np.where(y == 1, np.arange(210) % 3, -1)
    group = np.where(y == 1, np.arange(210) // 3, -1)
    model = TrainingDraws(Remembers(), n_draws=3, random_state=2).fit(
        X, y, group=group, placing=placing
    )
    assert model.placed_
    for number, member in enumerate(model.estimators_):
        i, k = divmod(number, 3)
        assert {f % 3 for f in member.found_} == {(i + k) % 3}


def test_the_three_draws_are_told_apart():
    """Against effects that were put in, and against a table with nothing but chance."""
    side, rng = 20, np.random.default_rng(0)
    levels = levels_of(side)
    assert all(np.bincount(row).tolist() == [side] * side for row in levels)
    for a in range(3):
        for b in range(a):
            assert len(set(zip(levels[a], levels[b], strict=True))) == side * side
    deviations, repeats = np.array([0.1, 0.05, 0.02]), 400
    effects = rng.normal(size=(3, side, repeats)) * deviations[:, None, None]
    said = sum(effect[level] for effect, level in zip(effects, levels, strict=True))
    noisy = said + rng.normal(size=said.shape) * 0.2
    for values, tolerance in ((said, 0.05), (noisy, 0.15)):
        sums = np.stack(
            [[values[row == level].sum(axis=0) for level in range(side)] for row in levels]
        )
        found = components(
            values.sum(axis=0), (values**2).sum(axis=0), (sums**2).sum(axis=1), side, placed=True
        )
        np.testing.assert_allclose(found.mean(axis=1)[:2], deviations[:2] ** 2, rtol=tolerance)
        assert found[2].mean() < 0.002
    found = components(
        values.sum(axis=0), (values**2).sum(axis=0), (sums**2).sum(axis=1), side, placed=False
    )
    assert not found[2].any()


def drawn(estimator=None, n_draws=5, gaps=0.1):
    rng = np.random.default_rng(3)
    features = rng.normal(size=(200, 4)).astype(np.float32)
    positive = np.arange(200) < 20
    features[positive, 0] += 1
    features[rng.random(features.shape) < gaps] = np.nan
    again = features[:20] + rng.normal(scale=0.5, size=(n_draws - 1, 20, 4)).astype(np.float32)
    model = TrainingDraws(estimator, n_draws=n_draws, random_state=0, n_jobs=2)
    return fit(model, features, positive, np.ones(200), placings=again), features


@pytest.mark.parametrize("estimator", [None, "boosting", "lines"])
def test_blocks_are_told_as_the_members_tell(estimator):
    """Trees and lines in kernels, others one by one, against every member asked by itself."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    if estimator == "boosting":
        estimator = HistGradientBoostingClassifier(max_iter=3, early_stopping=False)
    if estimator == "lines":
        estimator = SignedLogistic(["+", "0", "-", "0"], penalty=3.0)
    fitted, features = drawn(estimator)
    assert fitted.placed_
    block = np.ascontiguousarray(features[:198].T.reshape(4, 11, 18))
    valid = np.ones((11, 18), bool)
    valid[3, 4] = valid[8] = False
    predictor = compile_estimator(fitted)
    assert predictor.fast
    assert predictor.tells_variances
    assert predictor.draws == 5
    mean, variances = predictor.predict_with_variances(block, valid)
    np.testing.assert_array_equal(mean, predictor.predict(block, valid))
    expected = fitted.predict_proba(features[:198])[:, 1].reshape(11, 18)
    np.testing.assert_allclose(
        mean[valid],
        expected[valid],
        rtol=1e-6 if isinstance(estimator, HistGradientBoostingClassifier) else 1e-12,
    )
    by_member = fitted.variances(features[:198]).reshape(3, 11, 18)
    np.testing.assert_allclose(variances[:, valid], by_member[:, valid], atol=1e-9)
    assert np.isnan(variances[:, ~valid]).all()
    assert (by_member.max(axis=(1, 2)) > 0).all()
    _, spread = predictor.predict_with_spread(block, valid)
    np.testing.assert_array_equal(spread, np.sqrt(variances.sum(axis=0)))


def test_lines_say_the_same_whatever_the_block():
    fitted, features = drawn(SignedLogistic())
    predictor = compile_estimator(fitted)
    block = np.ascontiguousarray(features.T.reshape(4, 8, 25))
    valid = np.ones((8, 25), bool)
    whole = np.stack([*predictor.predict_with_variances(block, valid)[1], predictor.predict(block)])
    for rows, cols in ((slice(2, 5), slice(3, 20)), (slice(7, 8), slice(24, 25))):
        part = np.ascontiguousarray(block[:, rows, cols])
        told = predictor.predict_with_variances(part)[1]
        np.testing.assert_array_equal(whole[:3, rows, cols], told)
        np.testing.assert_array_equal(whole[3, rows, cols], predictor.predict(part))


def test_what_drives_a_mean_of_lines_is_what_drives_them_in_the_mean():
    fitted, features = drawn(SignedLogistic(), gaps=0.0)
    block = np.ascontiguousarray(features.T.reshape(4, 8, 25))
    told = compile_estimator(fitted).contributions(block, np.arange(4))
    slopes = np.mean([m.coef_[0] / m.scale_ for m in fitted.estimators_], axis=0)
    expected = slopes[:, None] * (features - fitted.fills_).T
    np.testing.assert_allclose(told, expected.reshape(4, 8, 25), atol=1e-5)


def test_one_thread_or_two_fit_the_same():
    fitted, features = drawn()
    alone = fit(
        TrainingDraws(n_draws=5, random_state=0), features, np.arange(200) < 20, np.ones(200)
    )
    again = fit(
        TrainingDraws(n_draws=5, random_state=0, n_jobs=2),
        features, np.arange(200) < 20, np.ones(200),
    )  # fmt: skip
    np.testing.assert_array_equal(alone.predict_proba(features), again.predict_proba(features))
    assert not alone.placed_
    assert not alone.variances(features)[2].any()
    # Deposits that may stand elsewhere teach something else.
    assert (alone.predict_proba(features) != fitted.predict_proba(features)).any()


def test_what_cannot_be_drawn_is_a_sentence():
    X, y = numbered()
    with pytest.raises(ModelError, match="at least 3 by 3"):
        TrainingDraws(n_draws=2).fit(X, y)
    with pytest.raises(ModelError, match="at most 2,000 trees"):
        TrainingDraws(n_draws=45).fit(X, y)
    for placing in (3, -2, np.nan):
        with pytest.raises(ModelError, match="placings from -1 to 2"):
            TrainingDraws(n_draws=3).fit(X, y, placing=np.full(210, placing))
    with pytest.raises(ModelError, match="weight above 0"):
        TrainingDraws(n_draws=3).fit(X, y, y.astype(float))
    with pytest.raises(ModelError, match="leaves no deposit"):
        TrainingDraws(n_draws=3).fit(X, y, placing=np.where(y == 1, 0, -1))
