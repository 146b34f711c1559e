"""What a model goes by: known drivers lead, and noise is not missed."""

import copy
import sys
import types
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.ensemble import ExtraTreesClassifier

from prospect.cli import main
from prospect.errors import LabelError, ModelError, OutputError
from prospect.evidence import EvidenceGroups, evidence_groups
from prospect.explanation import (
    Explanation,
    explain,
    explain_cells,
    own_importance,
    partial_dependence,
    permutation_importance,
)
from prospect.folds import BlockFolds, RandomFolds
from prospect.held_out import out_of_fold
from prospect.learners import fit, likelihood
from prospect.metrics import auc
from prospect.model import Model
from prospect.plots import figure
from prospect.samples import BARREN, Samples
from prospect.stack import open_stack
from prospect.validation import blocks_of, samples_of

BLOCK = 20_000.0


@pytest.fixture(scope="module")
def stack(world):
    return open_stack(world).load()


@pytest.fixture(scope="module")
def model(gold_model) -> Model:
    """The gold model, measured on fewer cells."""
    label = gold_model.samples["label"]
    kept = np.sort(np.concatenate([np.flatnonzero(label != -1), np.flatnonzero(label == -1)[::8]]))
    fewer = {name: values[kept] for name, values in gold_model.samples.items()}
    return replace(gold_model, samples=fewer)


@pytest.fixture(scope="module")
def samples(model, stack) -> Samples:
    return samples_of(model, stack, workers=2)


@pytest.fixture(scope="module")
def explained(model, stack) -> Explanation:
    deposit = np.flatnonzero(model.samples["label"] == 1)[0]
    at = [(model.samples["x"][deposit], model.samples["y"][deposit])]
    return explain(model, stack, n_splits=3, at=at, workers=2)


def test_known_drivers_lead_and_noise_is_not_missed(samples, model):
    """Gold of the synthetic region follows faults and rocks; a column of noise nothing."""
    rng = np.random.default_rng(0)
    features = np.column_stack([samples.features, rng.normal(size=samples.kind.size)])
    noisy = Samples(**{**vars(samples), "features": features.astype(np.float32)})
    known = evidence_groups(model.builder)
    groups = EvidenceGroups((*known.names, "noise"), np.append(known.of, len(known.names)))
    splitter = BlockFolds(BLOCK, 3, buffer=2_500)
    cluster = blocks_of(samples, BLOCK)
    forest = ExtraTreesClassifier(60, min_samples_leaf=3, random_state=0)
    table = permutation_importance(forest, noisy, groups, splitter, cluster, repeats=3)
    assert table.index[0] == "faults"
    assert table.loc["faults", "auc_low"] > 0.03
    assert abs(table.loc["noise", "auc_loss"]) < 0.01
    assert table.loc["noise", "auc_low"] < 0.01
    assert table["features"].sum() == features.shape[1]
    assert (table["auc_low"] <= table["auc_loss"]).all()
    assert (table["auc_loss"] <= table["auc_high"]).all()
    assert table["auc_loss"].is_monotonic_decreasing


def test_a_loss_is_what_dealing_out_by_hand_loses(samples, small_forest):
    """One group of all features: scores are dealt out whole, so the AUC falls to chance."""
    everything = EvidenceGroups(("all",), np.zeros(samples.features.shape[1], np.int64))
    splitter = RandomFolds(3, random_state=0)
    cluster = blocks_of(samples, BLOCK)
    table = permutation_importance(small_forest, samples, everything, splitter, cluster)
    _, score = out_of_fold(small_forest, samples, splitter)
    intact = auc(score[samples.kind == 1], score[samples.kind == -1])
    assert table.loc["all", "auc_loss"] == pytest.approx(intact - 0.5, abs=0.05)
    again = permutation_importance(small_forest, samples, everything, splitter, cluster)
    pd.testing.assert_frame_equal(table, again)


def test_folds_learn_and_ask_as_those_of_training_do(samples, small_forest, monkeypatch):
    """Dissimilar background, placings of deposits and ground known to be barren included."""
    group = samples.group.copy()
    group[np.flatnonzero(samples.kind == 0)[:20]] = BARREN
    placings = np.repeat(samples.features[None, samples.kind == 1], 2, axis=0)
    made = replace(samples, group=group, unlike=True, placings=placings)
    fits: dict[str, list] = {"held_out": [], "explanation.importance": []}
    for module, seen in fits.items():

        def spy(estimator, *told, seen=seen, **given):
            seen.append(given)
            return fit(estimator, *told, **given)

        monkeypatch.setattr(f"prospect.{module}.fit", spy)
    splitter = BlockFolds(BLOCK, 3)
    everything = EvidenceGroups(("all",), np.zeros(samples.features.shape[1], np.int64))
    permutation_importance(small_forest, made, everything, splitter, blocks_of(made, BLOCK))
    out_of_fold(small_forest, made, splitter)
    assert len(fits["held_out"]) == 3
    np.testing.assert_equal(*fits.values())


def test_folds_without_deposits_are_refused(samples, small_forest):
    found = np.flatnonzero(samples.kind == 1)

    class AllDeposits:
        """Folds of which the first holds every deposit out, or none does."""

        def __init__(self, held):
            self.held = held

        def get_n_splits(self, *_):
            return 1

        def split(self, features, y, groups):
            test = found if self.held else np.flatnonzero(samples.kind == -1)[:50]
            yield np.setdiff1d(np.arange(len(y)), test), test

    groups = EvidenceGroups(("all",), np.zeros(samples.features.shape[1], np.int64))
    cluster = blocks_of(samples, BLOCK)
    with pytest.raises(LabelError, match="one class only"):
        permutation_importance(small_forest, samples, groups, AllDeposits(True), cluster)
    with pytest.raises(LabelError, match="No deposit is held out"):
        permutation_importance(small_forest, samples, groups, AllDeposits(False), cluster)


class Rises:
    """An estimator of known dependences: a, less b, b's middle for c, nothing of the rest."""

    classes_ = (0, 1)

    def __init__(self, features):
        self.n_features_in_ = features

    def predict_proba(self, X):
        share = np.clip(X, 0, 1)
        score = (share[:, 0] + 1 - share[:, 1] + 4 * share[:, 2] * (1 - share[:, 2])) / 3
        return np.column_stack([1 - score, score])


def with_signs(model, signs):
    """The model with other signs in its recipe, a feature each."""
    builder = replace_steps(model.builder, signs)
    return replace(model, builder=builder, estimator=Rises(len(model.feature_names)))


def replace_steps(builder, signs):
    given, steps = iter(signs), []
    for step in builder.steps_:
        if not step.spec.keep:
            steps.append(step)
            continue
        mine = [next(given) for _ in step.columns]
        steps.append(replace(step, spec=replace(step.spec, sign=mine[0])))
    copied = copy.copy(builder)
    copied.steps_ = tuple(steps)
    return copied


def test_dependence_is_that_of_the_estimator_and_judged_by_signs(model, samples):
    singles = [len(step.columns) == 1 for step in model.builder.steps_ if step.spec.keep]
    assert all(singles[:4])
    rng = np.random.default_rng(0)
    uniform = Samples(
        **{**vars(samples), "features": rng.random(samples.features.shape).astype(np.float32)}
    )
    uniform.features[:, 4] = 7.0
    count = samples.features.shape[1]
    names = model.feature_names

    def told(signs):
        made = with_signs(model, [*signs, *["0"] * (count - len(signs))])
        return partial_dependence(made, uniform)

    curves, trends = told(["+", "-", "∩", "+"])
    assert set(trends.index[:3]) == set(names[:3])
    assert trends.loc[names[:4], "trend"].tolist() == ["rising", "falling", "peaked", "flat"]
    verdicts = trends.loc[names[:4], "verdict"].tolist()
    assert [each.split()[0] for each in verdicts] == ["agrees", "agrees", "agrees", "says"]
    # The same everywhere: nothing to tell.
    assert names[4] not in trends.index
    curve = curves[curves["feature"] == names[0]]
    np.testing.assert_allclose(np.diff(curve["likelihood"]), np.diff(curve["value"]) / 3, atol=1e-6)
    _, trends = told(["-", "∩", "+", "0"])
    verdicts = trends.loc[names[:4], "verdict"].tolist()
    assert verdicts == [
        "contradicts the recipe's -",
        "is not plainly the recipe's ∩",
        "is not plainly the recipe's +",
        "the recipe leaves it free",
    ]


def test_an_explanation_has_all_its_parts(explained, model):
    assert explained.importance.index[0] == "faults"
    assert set(explained.importance.index) == set(evidence_groups(model.builder).names)
    assert set(explained.trends.index) <= set(model.feature_names)
    assert explained.trends["span"].is_monotonic_decreasing
    page = explained.page()
    assert "block folds" in page
    assert "faults" in page
    assert "agrees with the recipe's +" in page
    assert "likelihood" in page.splitlines()[-6]


def test_cells_are_explained_by_contributions_that_add_up(model, stack, samples):
    places = [(samples.x[k] + 3.0, samples.y[k] - 2.0) for k in (0, 5)]
    table = explain_cells(model, stack, places, workers=2)
    count = len(model.feature_names)
    assert len(table) == 2 * count
    first = table.iloc[:count]
    assert first["x"].iloc[0] == samples.x[0]
    assert first["contribution"].abs().is_monotonic_decreasing
    scores = likelihood(model.estimator, samples.features[[0, 5]])
    np.testing.assert_allclose(table["likelihood"].to_numpy()[::count], scores)
    # From the mean of what was learnt to the score of the cell.
    for k in range(2):
        part = table.iloc[k * count : (k + 1) * count]
        trees = model.estimator.estimators_
        root = np.mean([tree.tree_.value[0, 0, 1] for tree in trees])
        assert part["contribution"].sum() + root == pytest.approx(scores[k], abs=1e-5)
        values = part.set_index("feature")["value"].reindex(model.feature_names)
        np.testing.assert_allclose(values, samples.features[[0, 5][k]], rtol=1e-6)
    with pytest.raises(ModelError, match="The place 0, 0 lies outside the layers"):
        explain_cells(model, stack, [(0.0, 0.0)])


def test_shapley_values_are_an_extra(model, stack, samples, monkeypatch):
    place = [(samples.x[0], samples.y[0])]
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(ModelError, match=r"pip install 'prospect\[shap\]'"):
        explain_cells(model, stack, place, shap=True)

    class Permutation:
        """Says of every feature how far the first score is from the mean of the area."""

        def __init__(self, function, background, seed):
            self.function, self.mean = function, function(background).mean()

        def __call__(self, cells):
            gap = (self.function(cells) - self.mean)[:, None] / cells.shape[1]
            return types.SimpleNamespace(values=np.repeat(gap, cells.shape[1], axis=1))

    library = types.ModuleType("shap")
    library.explainers = types.SimpleNamespace(Permutation=Permutation)
    monkeypatch.setitem(sys.modules, "shap", library)
    table = explain_cells(model, stack, place, shap=True)
    area = samples.features[samples.kind == -1][:400]
    mean = likelihood(model.estimator, area).mean()
    assert table["contribution"].sum() == pytest.approx(table["likelihood"].iloc[0] - mean)


def test_what_the_learner_counts_itself(model):
    shares = own_importance(model)
    assert shares.sum() == pytest.approx(1.0)
    assert shares.index[0] == "faults"
    with pytest.raises(ModelError, match="does not say what counts"):
        own_importance(replace(model, estimator=Rises(3)))


def test_figures_have_labels_and_units(explained):
    figures = explained.figures()
    importance = figures["importance"].axes[0]
    assert "90 %" in importance.get_xlabel()
    assert [t.get_text() for t in importance.get_yticklabels()] == list(explained.importance.index)
    panels = [axes for axes in figures["dependence"].axes if axes.get_visible()]
    assert len(panels) == 6
    assert all(axes.get_xlabel() for axes in panels)
    assert panels[0].get_ylabel() == "Mean likelihood"
    unit = explained.trends["unit"].iloc[:6]
    labels = [axes.get_xlabel() for axes in panels]
    assert [("(" in label) for label in labels] == [each not in ("", "1") for each in unit]
    assert panels[0].lines[0].get_color() in (figure.BLUE, figure.RED)


def test_an_explanation_is_written_whole(explained, tmp_path):
    written = explained.save(tmp_path / "why")
    assert {path.name for path in written} == {
        "explanation.txt", "importance.png", "dependence.png", "importance.csv",
        "dependence.csv", "trends.csv", "targets.csv",
    }  # fmt: skip
    again = pd.read_csv(tmp_path / "why" / "importance.csv", index_col="evidence")
    np.testing.assert_allclose(again["auc_loss"], explained.importance["auc_loss"], rtol=1e-6)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written to"):
        explained.save(tmp_path / "file")


def run(*arguments):
    return CliRunner().invoke(main, ["explain", *map(str, arguments)])


def test_the_command_prints_and_writes(model, region_folder, tmp_path):
    path = model.save(tmp_path / "gold.prospect")
    x, y = model.samples["x"][0], model.samples["y"][0]
    told = run(path, region_folder, "--splits", 2, "--at", f"{x},{y}", "-o", tmp_path / "why", "-q")
    assert told.exit_code == 0, told.output
    assert "what the model goes by" in told.output
    assert f"At {x:.0f}, {y:.0f}: likelihood" in told.output
    assert (tmp_path / "why" / "dependence.png").stat().st_size > 10_000
    alone = run(path)
    assert "no ground was held out" in alone.output
    assert alone.output.splitlines()[1].split()[0] == "faults"


def test_the_command_says_what_it_needs(model, region_folder, tmp_path):
    path = model.save(tmp_path / "gold.prospect")
    assert "give the layers as well" in run(path, "--at", "1,2").output
    assert "given as X,Y, not 'here'" in run(path, region_folder, "--at", "here").output
    assert "give --at X,Y" in run(path, region_folder, "--shap").output
