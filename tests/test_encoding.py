"""Gaps filled and flagged on request, classes encoded inside folds."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from prospect.encoding import with_encoded_classes, with_filled_gaps
from prospect.errors import ModelError
from prospect.folds import BlockFolds
from prospect.held_out import out_of_fold
from prospect.learners import fit, likelihood
from prospect.metrics import auc
from prospect.model_file import Contents, read_model_file, write_model_file
from prospect.models import ClassEncoder
from prospect.samples import Samples


def samples(features, kind, seed=0):
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 100_000, (2, kind.size))
    return Samples(x, y, kind, np.ones(kind.size), kind, features.astype(np.float32))


def many_rare_classes(seed):
    """A class for every five cells or so, which the labels have nothing to do with."""
    rng = np.random.default_rng(seed)
    kind = np.repeat([1, 0, -1], [120, 400, 400])
    return rng.integers(0, 180, (kind.size, 1)).astype(float), kind


def measured(features, kind, estimator, seed):
    _, score = out_of_fold(
        estimator, samples(features, kind, seed), BlockFolds(10_000, random_state=seed)
    )
    return auc(score[kind == 1], score[kind == -1])


def test_an_encoder_fitted_inside_folds_gives_no_label_away():
    estimator = with_encoded_classes(LogisticRegression(), [0])
    values = [measured(*many_rare_classes(seed), estimator, seed) for seed in range(8)]
    # The standard error of one AUC of 120 against 400 is about 0.03.
    assert abs(np.mean(values) - 0.5) < 3 * 0.03 / np.sqrt(8)


def test_an_encoder_fitted_before_the_folds_would():
    # What the test above would see if the encoder looked at held-out labels.
    values = []
    for seed in range(3):
        features, kind = many_rare_classes(seed)
        before = ClassEncoder().fit(features, kind == 1).transform(features)
        values.append(measured(before, kind, LogisticRegression(), seed))
    assert min(values) > 0.6


def test_classes_are_encoded_by_their_share_and_gaps_stay():
    codes = np.repeat([1.0, 2.0, np.nan], [400, 400, 200])[:, None]
    y = np.zeros(1000, int)
    y[:200] = 1
    encoder = ClassEncoder(smooth=0.0).fit(codes, y)
    got = encoder.transform(np.array([[1.0], [2.0], [np.nan], [9.0]]))[:, 0]
    # A class never seen gets the share of the whole.
    np.testing.assert_allclose(got, [0.5, 0, np.nan, 0.2])
    assert np.isnan(encoder.fit_transform(codes, y)[800:]).all()


def test_cover_is_not_learnt_as_barren_by_an_encoder():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, (600, 1)).astype(float)
    positive = codes[:, 0] == 1
    codes[300:] = np.nan
    positive[300:] = False
    model = fit(with_encoded_classes(LogisticRegression(), [0]), codes, positive, np.ones(600))
    score = likelihood(model, np.array([[0.0], [1.0], [np.nan]], np.float32))
    assert score[0] <= score[2] <= score[1]


def test_an_encoding_model_is_saved_and_loaded(tmp_path):
    rng = np.random.default_rng(0)
    features = np.column_stack([rng.integers(0, 5, 300), rng.normal(size=300)]).astype(np.float32)
    positive = rng.random(300) < 0.1 + 0.1 * features[:, 0]
    model = fit(
        with_encoded_classes(DecisionTreeClassifier(), [0]), features, positive, np.ones(300)
    )
    path = write_model_file(tmp_path / "m.prospect", Contents({}, model, {}))
    again = read_model_file(path).estimator
    np.testing.assert_array_equal(likelihood(again, features), likelihood(model, features))


def test_gaps_are_flagged_only_if_asked():
    features = np.array([[1, 5], [np.nan, 6], [3, 7], [np.nan, 8]], np.float32)
    y = [0, 1, 0, 1]
    tree = DecisionTreeClassifier(random_state=0)
    for flag, columns in ((False, 2), (True, 3)):
        filled = with_filled_gaps(tree, flag=flag).fit(features, y)
        seen = filled[:-1].transform(features)
        assert seen.shape == (4, columns)
        np.testing.assert_array_equal(seen[:, 0], [1, 2, 3, 2])
    np.testing.assert_array_equal(seen[:, 2], [0, 1, 0, 1])


def test_no_columns_are_a_sentence():
    with pytest.raises(ModelError, match="Name the columns"):
        with_encoded_classes(LogisticRegression(), [])
