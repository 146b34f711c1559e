"""Bands of a map: what a model says of every cell, and what it cannot say."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from prospect.bands import NOTHING_SPEAKS, PARTS, Band, bands_of, compile_bands
from prospect.calibration import Prior
from prospect.errors import ModelError
from prospect.evidence import evidence_groups
from prospect.inference import compile_estimator
from prospect.learners import fit
from prospect.models import TrainingDraws
from prospect.samples import features_at
from prospect.stack import open_stack


def test_gaps_follow_the_kind_of_band():
    numbers, classes = Band("spread", "…"), Band("driver", "…", classes=("faults", "assays"))
    assert np.isnan(numbers.empty((2, 3))).all()
    assert numbers.empty((2, 3)).dtype == np.float32
    assert (classes.empty((2, 3)) == 255).all()
    assert classes.empty((2, 3)).dtype == np.uint8


@pytest.fixture(scope="module")
def drawn_model(gold_model, world):
    """The gold model with training draws, and the prior that somebody states."""
    samples, stack = gold_model.samples, open_stack(world)
    row, col, _ = gold_model.builder.require_grid(stack).index(samples["x"], samples["y"])
    learnt = samples["label"] >= 0
    features = features_at(gold_model.builder, stack, row[learnt], col[learnt])
    positive = samples["label"][learnt] == 1
    again = np.repeat(features[positive][None], 3, axis=0)
    again[:, :, 0] += 1
    fitted = fit(
        TrainingDraws(n_draws=4, random_state=0), features, positive,
        np.ones(learnt.sum()), placings=again,
    )  # fmt: skip
    return replace(gold_model, estimator=fitted, prior=Prior(0.0005, (4.0,)))


@pytest.fixture(scope="module")
def block(gold_model, world):
    """A corner of the map, and the cells that are asked for."""
    features = gold_model.builder.transform(open_stack(world)).values[:, :24, :30]
    return np.ascontiguousarray(features), np.random.default_rng(0).random((24, 30)) < 0.8


def test_each_model_offers_what_it_can(gold_model, drawn_model):
    without = replace(gold_model, applicability=None)
    assert list(bands_of(without)) == ["likelihood", "driver"]
    assert {"applicable", "dissimilarity"} < set(bands_of(gold_model))
    assert "spread" not in bands_of(gold_model)
    assert {"probability", "spread", *(part.name for part in PARTS)} < set(bands_of(drawn_model))
    every = [band.name for band in compile_bands(drawn_model, ["all"]).bands]
    assert every == list(bands_of(drawn_model))
    usual = [band.name for band in compile_bands(drawn_model).bands]
    assert usual == ["probability", "spread", "dissimilarity", "applicable", "driver"]
    usual = [band.name for band in compile_bands(gold_model).bands]
    assert usual == ["likelihood", "dissimilarity", "applicable", "driver"]


def test_bands_are_what_estimator_and_experience_say(drawn_model, block):
    features, valid = block
    names = list(bands_of(drawn_model))
    made = pickle.loads(pickle.dumps(compile_bands(drawn_model, names[::-1]))).compute(*block)
    assert list(made) == names[::-1]
    for name, band in bands_of(drawn_model).items():
        assert made[name].dtype == band.dtype
        gap = np.isnan(made[name]) if band.classes is None else made[name] == 255
        np.testing.assert_array_equal(gap, ~valid)
    cells = features[:, valid].T
    likelihood = drawn_model.estimator.predict_proba(cells)[:, 1]
    np.testing.assert_allclose(made["likelihood"][valid], likelihood, rtol=1e-6)
    probability = drawn_model.probability(likelihood)
    np.testing.assert_allclose(made["probability"][valid], probability, rtol=1e-5)
    variances = drawn_model.estimator.variances(cells)
    for part, variance in zip(PARTS, variances, strict=True):
        np.testing.assert_allclose(made[part.name][valid], np.sqrt(variance), atol=1e-5)
    np.testing.assert_allclose(made["spread"][valid] ** 2, variances.sum(axis=0), atol=1e-6)
    known = drawn_model.applicability
    experience = [
        known.dissimilarity(features, valid),
        known.dissimilarity(features, valid, deposits=True),
        known.missing(features, valid),
    ]
    for name, expected in zip(
        ("dissimilarity", "dissimilarity_deposits", "missing"), experience, strict=True
    ):
        np.testing.assert_array_equal(made[name], expected)
    np.testing.assert_array_equal(made["applicable"], known.classes(*experience))
    groups = evidence_groups(drawn_model.builder)
    drivers = compile_estimator(drawn_model.estimator).drivers(features, valid, groups.of)
    np.testing.assert_array_equal(made["driver"], drivers)
    assert bands_of(drawn_model)["driver"].classes == (*groups.names, NOTHING_SPEAKS)


def test_a_band_alone_is_what_it_is_among_others(drawn_model, block):
    together = compile_bands(drawn_model, list(bands_of(drawn_model))).compute(*block)
    for name, expected in together.items():
        alone = compile_bands(drawn_model, [name]).compute(*block)
        assert list(alone) == [name]
        np.testing.assert_array_equal(alone[name], expected)


def test_ground_without_evidence_is_told(drawn_model, block):
    features = block[0].copy()
    features[:, :, 10:] = np.nan
    valid = np.ones((24, 30), bool)
    made = compile_bands(drawn_model, ["applicable", "likelihood"]).compute(features, valid)
    assert (made["applicable"][:, 10:] == 3).all()
    assert (made["applicable"][:, :10] != 3).any()
    # Medians fill the gaps: the score itself tells nothing.
    assert np.isfinite(made["likelihood"]).all()


def test_what_cannot_be_mapped_is_a_sentence(gold_model):
    with pytest.raises(ModelError, match=r"no band 'spread'; it can make likelihood"):
        compile_bands(gold_model, ["spread"])
    with pytest.raises(ModelError, match=r"no band 'probability'.*State it with --prior"):
        compile_bands(gold_model, ["probability"])
    with pytest.raises(ModelError, match="no held-out scores"):
        replace(gold_model, calibration=None).probability(np.zeros(3))
