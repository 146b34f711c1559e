"""Folds are fitted wherever joblib is told to, and the model is the same file."""

import os
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.base import BaseEstimator, ClassifierMixin

from prospect.cli import main
from prospect.cluster import connect
from prospect.errors import ClusterError, LabelError
from prospect.folds import BlockFolds, RandomFolds
from prospect.held_out import Trial, on_cluster, out_of_fold, out_of_folds
from prospect.learners import learner
from prospect.samples import Samples
from prospect.stack import open_stack
from prospect.training import train
from prospect.validation import validate


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(0)
    kind = np.repeat([1, 0, -1], [20, 120, 150])
    features = rng.normal(size=(kind.size, 4)).astype(np.float32)
    features[kind == 1] += 1
    x, y = rng.uniform(0, 50_000, (2, kind.size))
    group = np.where(kind == 1, np.arange(kind.size), -1)
    return Samples(x, y, kind, np.ones(kind.size), group, features)


@pytest.fixture(scope="module")
def client():
    pytest.importorskip("distributed", reason="needs the extra dask")
    with connect(workers=2) as client:
        yield client


def tasks_done(client):
    """How much the scheduler of a local cluster was asked."""
    return client.cluster.scheduler.transition_counter


class WhoFits(ClassifierMixin, BaseEstimator):
    """Scores are the process that fitted."""

    def fit(self, X, y):
        self.classes_, self.process_ = np.array([0, 1]), os.getpid()
        return self

    def predict_proba(self, X):
        return np.full((len(X), 2), float(self.process_))


class DiesOnce(WhoFits):
    """Kills the first process that fits it."""

    def __init__(self, mark=""):
        self.mark = mark

    def fit(self, X, y):
        try:
            Path(self.mark).touch(exist_ok=False)
        except FileExistsError:
            return super().fit(X, y)
        os._exit(1)


def test_several_trials_say_what_each_says_alone(samples):
    trials = {
        "random": Trial(learner("extra-trees"), samples, RandomFolds(3)),
        "blocks": Trial(learner("woe"), samples, BlockFolds(10_000.0, 4)),
    }
    together = out_of_folds(trials)
    for name, trial in trials.items():
        alone = out_of_fold(trial.estimator, samples, trial.splitter)
        for ours, theirs in zip(together[name], alone, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    measured = samples.kind != 0
    assert np.isfinite(together["random"][1][measured]).all()
    assert np.isnan(together["random"][1][~measured]).all()


def test_a_trial_that_deposits_cannot_fill_stops_or_is_skipped(samples):
    class OneClass:
        def split(self, features, positive, coordinates):
            yield np.flatnonzero(positive), np.flatnonzero(positive == 0)

    trials = {
        "bad": Trial(learner("woe"), samples, OneClass()),
        "good": Trial(learner("woe"), samples, RandomFolds(3)),
    }
    with pytest.raises(LabelError, match="Fold 1 leaves one class only"):
        out_of_folds(trials)
    assert list(out_of_folds(trials, skip=True)) == ["good"]
    assert out_of_folds({}) == {}


def test_folds_go_to_the_workers_one_thread_each(samples, client):
    with on_cluster(client):
        _, score = out_of_fold(WhoFits(), samples, RandomFolds(6))
    there = set(client.run(os.getpid).values())
    assert os.getpid() not in there
    assert set(score[np.isfinite(score)].astype(int)) <= there
    _, score = out_of_fold(WhoFits(), samples, RandomFolds(3))
    assert set(score[np.isfinite(score)].astype(int)) == {os.getpid()}, "the cluster was left"


def test_the_model_of_a_cluster_is_the_same_file(world, client, tmp_path):
    stack, files = open_stack(world), []
    for where in (nullcontext(), on_cluster(client)):
        with where:
            model = train(stack, world.occurrences, "gold", n_splits=2, background=300, workers=2)
        model.save(tmp_path / "gold.prospect")
        files.append((tmp_path / "gold.prospect").read_bytes())
    assert files[0] == files[1]


def test_validation_says_the_same_on_a_cluster(world, gold_model, client):
    stack, told = open_stack(world), []
    for where in (nullcontext(), on_cluster(client)):
        with where:
            outcome = validate(gold_model, stack, folds=("block",), n_splits=2, draws=2, workers=2)
        told.append(outcome)
    assert told[0].page() == told[1].page()
    assert told[0].draws == told[1].draws
    assert told[0].draws, "no draw of the folds was left"


def test_a_fold_whose_worker_dies_is_fitted_by_another(samples, tmp_path):
    pytest.importorskip("distributed", reason="needs the extra dask")
    with on_cluster(workers=2):
        _, score = out_of_fold(DiesOnce(str(tmp_path / "died")), samples, RandomFolds(4))
    assert (tmp_path / "died").exists()
    assert np.isfinite(score[samples.kind != 0]).all()


def test_commands_take_a_scheduler(region_folder, gold_model, client, tmp_path):
    kept, found = tmp_path / "kept.prospect", tmp_path / "found"
    gold_model.save(kept)
    train_it = ["train", region_folder, "-c", "gold", "-o", tmp_path / "gold.prospect"]
    test_it = ["validate", kept, region_folder, "--folds", "block", "--splits", "2", "-o", found]
    for command in ([*train_it, "--folds", "2", "--learner", "woe"], test_it):
        asked = [*command, "-q", "--scheduler", client.scheduler.address]
        before = tasks_done(client)
        ran = CliRunner().invoke(main, [str(each) for each in asked])
        assert ran.exit_code == 0, ran.output
        assert tasks_done(client) > before, "nothing was asked of the cluster"


def test_other_versions_are_refused(client, monkeypatch):
    monkeypatch.setattr("prospect.held_out.__version__", "0.0.0")
    with pytest.raises(ClusterError, match="same versions are needed"), on_cluster(client):
        raise AssertionError("the cluster was taken")
