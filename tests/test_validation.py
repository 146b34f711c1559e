"""Validation: baselines, alarms, what layers are worth, and the verdict."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import shapely
from click.testing import CliRunner
from scipy.spatial.distance import cdist
from shapely import box
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier

from prospect.cli import main
from prospect.errors import LayerError, ModelError, OutputError
from prospect.folds import BlockFolds, LeavePairOut, RandomFolds
from prospect.held_out import out_of_fold
from prospect.metrics import auc, differences
from prospect.samples import Samples
from prospect.stack import open_stack
from prospect.validation import (
    baseline_scores,
    baselines,
    blocks_of,
    explain_permissive,
    feature_alarms,
    pair_auc,
    permissive_table,
    samples_of,
    validate,
    verdict,
    without_layers,
)
from prospect.validation.alarms import gap_alarm, truth_alarm
from prospect.validation.baselines import best_layer, chance, distance_to_known
from prospect.validation.layers import polygons_of, values_on_grid
from prospect.validation.sensitivity import columns_of
from prospect.vector import frame, read_vector, write_vector

BLOCK = 10_000.0


@pytest.fixture(scope="module")
def stack(world):
    return open_stack(world).load()


@pytest.fixture(scope="module")
def model(gold_model):
    """The gold model, measured on fewer cells."""
    label = gold_model.samples["label"]
    kept = np.sort(np.concatenate([np.flatnonzero(label != -1), np.flatnonzero(label == -1)[::5]]))
    fewer = {name: values[kept] for name, values in gold_model.samples.items()}
    return replace(gold_model, samples=fewer)


@pytest.fixture(scope="module")
def samples(model, stack) -> Samples:
    """The model's cells."""
    return samples_of(model, stack, workers=2)


@pytest.fixture(scope="module")
def truth(region, samples):
    """Expected deposits at the samples."""
    row, col, _ = region.grid.index(samples.x, samples.y)
    return np.nan_to_num(region.truth.intensity["gold"].to_numpy()[row, col].astype(float))


@pytest.fixture(scope="module")
def outcome(model, stack, region):
    """A whole validation, of the small model."""
    return validate(
        model,
        stack,
        folds=("block", "knndm", "random"),
        permissive="lithology in (carbonate, 'black shale', schist)",
        without=["gravity", "strike_slip"],
        truth=region.truth.intensity["gold"].to_numpy(),
        draws=2,
        workers=2,
    )


def with_features(samples, **more):
    """The samples with columns added."""
    features = np.column_stack([samples.features, *more.values()]).astype(np.float32)
    return Samples(**{**vars(samples), "features": features})


def split(samples, score):
    return score[samples.kind == 1], score[samples.kind == -1]


# ---- baselines ------------------------------------------------------------------------


def tiny(kind, features, x=None):
    n = len(kind)
    x = np.arange(n, dtype=float) if x is None else np.asarray(x, float)
    features = np.asarray(features, np.float32).reshape(n, -1)
    return Samples(x, np.zeros(n), np.array(kind), np.ones(n), np.full(n, -1), features)


def test_distance_knows_the_deposits_learnt_from_only():
    made = tiny([1, 1, 0, -1, -1], np.zeros(5), x=[0, 10, 5, 12, 4])
    told = distance_to_known(made, np.array([0, 2]), np.array([1, 3, 4]))
    assert told.tolist() == [-10, -12, -4]


def test_the_best_layer_is_chosen_where_it_is_learnt():
    rng = np.random.default_rng(0)
    kind = np.array([1] * 6 + [0] * 20 + [-1] * 10)
    falling = np.where(kind == 1, -2.0, rng.normal(size=36))
    betraying = np.where(np.arange(36) >= 26, 5.0 * (np.arange(36) % 2), 0.0)
    made = tiny(kind, np.column_stack([rng.normal(size=36), falling, betraying]))
    learnt, asked = np.arange(26), np.arange(26, 36)
    told = best_layer(made, learnt, asked)
    ground = falling[6:26]
    expected = [np.mean(ground > f) for f in made.features[asked, 1]]
    assert told == pytest.approx(expected, abs=1e-6)
    made.features[30, 1] = np.nan
    assert 0.2 < best_layer(made, learnt, asked)[4] < 0.9


def test_baselines_learn_nothing_from_what_is_held_out(samples, gold_model):
    signs = ["0"] * samples.features.shape[1]
    splitter = BlockFolds(BLOCK, 3, buffer=2_500)
    first, notes = baseline_scores(
        {k: v for k, v in baselines(signs).items() if k != "fuzzy overlay"}, samples, splitter
    )
    assert notes == []
    assert set(first) == {
        "weights of evidence",
        "distance to the nearest known deposit",
        "the best single layer",
        "chance",
    }
    assert auc(*split(samples, first["chance"])) == 0.5
    for score in first.values():
        assert np.isfinite(score[samples.kind != 0]).all()
        assert np.isnan(score[samples.kind == 0]).all()
    # Labels of the held-out fold exchanged for nonsense change no score of that fold.
    positive = (samples.kind == 1).astype(int)
    train, test = next(iter(splitter.split(samples.features, positive, samples.coordinates)))
    kind = samples.kind.copy()
    kind[test] = np.random.default_rng(0).permutation(kind[test])
    weird = Samples(**{**vars(samples), "kind": kind})
    learnt, asked = train[samples.kind[train] >= 0], test[samples.kind[test] != 0]
    for rule in (distance_to_known, best_layer, chance):
        np.testing.assert_array_equal(rule(samples, learnt, asked), rule(weird, learnt, asked))


def test_a_baseline_that_cannot_run_is_told(samples):
    def broken(*_):
        raise ModelError("no signs at all")

    scores, notes = baseline_scores({"broken": broken, "chance": chance}, samples, RandomFolds(3))
    assert list(scores) == ["chance"]
    assert notes == ["broken could not be run: no signs at all"]


# ---- alarms ---------------------------------------------------------------------------


def leaks(samples):
    rng = np.random.default_rng(0)
    gap = cdist(samples.coordinates, samples.coordinates[samples.kind == 1])
    near = gap.min(axis=1)
    density = np.exp(-(gap**2) / (2 * 5_000.0**2)).sum(axis=1)
    local = np.exp(-(gap**2) / (2 * 2_000.0**2)).sum(axis=1)
    return {
        "distance to mines": near,
        "showings on the map": (near < 1_500).astype(float),
        "density of showings": density,
        "noisy density": local + rng.normal(0, 0.3 * local.std(), local.size),
    }


def test_planted_leaks_ring(samples, gold_model):
    planted = leaks(samples) | {
        "X": samples.x,
        "turned": samples.x + 0.5 * samples.y,
    }
    names = [*gold_model.feature_names, *planted]
    found = feature_alarms(with_features(samples, **planted), names, BLOCK)
    assert {alarm.subject for alarm in found} == set(planted)
    kinds = {alarm.subject: alarm.kind for alarm in found}
    assert kinds["X"] == kinds["turned"] == "like coordinates"
    assert kinds["distance to mines"] == kinds["showings on the map"] == "follows deposits"
    assert all(alarm.value >= alarm.threshold for alarm in found)


def test_clean_features_do_not_ring(samples, gold_model):
    assert feature_alarms(samples, gold_model.feature_names, BLOCK) == []
    empty = with_features(
        samples, empty=np.full(samples.x.size, np.nan), same=np.ones(samples.x.size)
    )
    names = [*gold_model.feature_names, "empty", "same"]
    assert feature_alarms(empty, names, BLOCK) == []


def test_coordinates_beat_the_truth_in_random_folds_and_ring(samples, truth):
    spied = with_features(samples, x=samples.x, y=samples.y)
    boosted = GradientBoostingClassifier(n_estimators=100, random_state=0)
    _, score = out_of_fold(boosted, spied, RandomFolds())
    best, ours = split(samples, truth), split(samples, score)
    assert auc(*ours) > auc(*best)
    cluster = blocks_of(samples, BLOCK)
    groups = cluster[samples.kind == 1], cluster[samples.kind == -1]
    gap = differences(auc, ours, {"truth": best}, *groups).loc["truth"]
    (alarm,) = truth_alarm("random folds", auc(*ours), auc(*best), (gap["low"], gap["high"]))
    assert "above the" in alarm.sentence


def test_a_difference_of_nothing_has_no_sign_of_its_own():
    row = {"value": 0.9, "difference": -0.001, "low": -0.04, "high": 0.04, "certainty": 0.48}
    assert "+0.00 in AUC (-0.04 to +0.04" in verdict(pd.DataFrame([row], index=["x"]))[1]


def test_alarms_about_folds_have_thresholds():
    assert gap_alarm(0.85, 0.80, (0.01, 0.09)) == []
    assert gap_alarm(0.95, 0.80, (-0.01, 0.3)) == []
    (alarm,) = gap_alarm(0.95, 0.80, (0.08, 0.2))
    assert "a gap of 0.15 (0.08 to 0.20; alarm from 0.10)" in alarm.sentence
    assert truth_alarm("block folds", 0.8, 0.85, (-0.1, 0.0)) == []
    assert truth_alarm("block folds", 0.855, 0.85, (-0.02, 0.04)) == []


# ---- layers ---------------------------------------------------------------------------


def test_all_that_rests_on_a_layer_is_left_out(gold_model):
    names = gold_model.feature_names
    gone = {names[k] for k in columns_of(gold_model.builder, "strike_slip")}
    of_all_faults = ("fault_density", "node_density", "strike_variance")
    assert gone == {name for name in names if name.startswith(("strike_slip", *of_all_faults))}
    gold = {names[k] for k in columns_of(gold_model.builder, "Au_ppm")}
    # By way of the logarithm, which is no feature itself.
    assert {"z_Au", "au_1500m"} <= gold
    with pytest.raises(ModelError, match="no layer 'gravitas'; it has:"):
        columns_of(gold_model.builder, "gravitas")


def test_a_layer_that_counts_is_missed(samples, gold_model, small_forest):
    splitter = BlockFolds(BLOCK, 3, buffer=2_500)
    _, score = out_of_fold(small_forest, samples, splitter)
    table = without_layers(
        samples,
        gold_model.builder,
        small_forest,
        splitter,
        score,
        blocks_of(samples, BLOCK),
        ["strike_slip", "gravity"],
    )
    assert table.loc["strike_slip", "change"] < -0.03
    assert abs(table.loc["gravity", "change"]) < 0.03
    assert table.loc["gravity", "rank_correlation"] > table.loc["strike_slip", "rank_correlation"]
    assert (table["low"] <= table["change"]).all()
    assert table["top_kept"].between(0, 1).all()


# ---- permissive ground ----------------------------------------------------------------


def test_three_areas_side_by_side_by_hand():
    # Four of five deposits and half of the ground inside; inside, the score says nothing.
    deposits, inside = np.array([1.0, 1, 1, 1, 0]), np.array([True] * 4 + [False])
    area = np.array([1.0, 1, 0, 0, np.nan])
    area_inside = np.array([True, True, False, False, True])
    table = permissive_table(deposits, area, inside, area_inside, np.arange(5), np.arange(5) % 5)
    assert table["value"].tolist() == [(4 * 0.75 + 0.25) / 5, 0.5, (4 * 0.75 + 0.25) / 5]
    assert table["area"].tolist() == [1, 0.5, 1]
    assert table["deposits"].tolist() == [5, 4, 5]
    assert "quote the second" in explain_permissive(table)


@pytest.mark.real
def test_murchison_side_by_side(real_data):
    folder = real_data / "murchison_gold"
    gold, faults, greenstone = (
        read_vector(folder / f"{name}.gpkg", crs="EPSG:32750").geometry.values
        for name in ("gold_points", "faults", "greenstone")
    )
    x, y = np.arange(353_783, 682_589, 2_000.0), np.arange(6_700_742, 7_101_484, 2_000.0)
    cells = shapely.points(*(axis.ravel() for axis in np.meshgrid(x, y)))
    rock = shapely.union_all(shapely.make_valid(greenstone))
    shapely.prepare(rock)
    tree, near, inside, block = shapely.STRtree(faults), [], [], []
    for points in (gold, cells):
        near.append(-shapely.distance(points, faults[tree.nearest(points)]))
        inside.append(shapely.covers(rock, points))
        places = np.column_stack([shapely.get_x(points), shapely.get_y(points)]) // 40_000
        block.append((1000 * places[:, 0] + places[:, 1]).astype(int))
    table = permissive_table(*near, *inside, *block)
    assert table["value"].tolist() == pytest.approx([0.89, 0.54, 0.88], abs=0.02)
    assert table["deposits"].tolist() == [255, 219, 255]
    # Within the greenstone the interval all but has chance in it.
    assert table["low"].iloc[1] < 0.52
    assert explain_permissive(table).endswith("was known: quote the second.")


# ---- pairs, verdict, page -------------------------------------------------------------


def test_pairs_agree_with_what_they_ask():
    rng = np.random.default_rng(0)
    kind = np.array([1] * 12 + [0] * 60 + [-1] * 60)
    signal = np.where(kind == 1, 1.5, 0) + rng.normal(size=132)
    made = tiny(kind, signal, x=rng.uniform(0, 100_000, 132))
    forest = ExtraTreesClassifier(5, random_state=0)
    won, deposit = pair_auc(forest, made, LeavePairOut(2_000, n_pairs=60))
    assert set(deposit) == set(range(12))
    assert set(won) <= {0, 0.5, 1}
    assert won.mean() > 0.65


def test_the_verdict_is_in_words():
    columns = ["value", "difference", "low", "high", "certainty"]
    known = "distance to the nearest known deposit"
    table = pd.DataFrame(
        [[0.70, 0.15, 0.08, 0.22, 1.0], [0.86, -0.01, -0.05, 0.03, 0.3]],
        index=[known, "fuzzy overlay"],
        columns=columns,
    )
    first, second, third = verdict(table)
    assert first == f"Better for certain than {known}; not for certain than fuzzy overlay."
    assert second.startswith(
        f"better than {known} (AUC 0.70): +0.15 in AUC (+0.08 to +0.22; ahead in"
    )
    assert third.startswith("not to be told from fuzzy overlay")
    assert verdict(table.iloc[:1])[0] == "Better than every baseline, for certain."
    # Redraws are sure, the interval is not.
    table.loc[known, "low"] = -0.01
    assert verdict(table)[0].startswith("Not shown to beat the distance to the nearest")
    table.loc[known, "certainty"] = 0.6
    assert verdict(table)[0].startswith("Useless: it does not beat the distance")
    table.loc["fuzzy overlay", ["certainty", "high"]] = 0.01, -0.01
    assert verdict(table)[2].startswith("worse than fuzzy overlay")


def test_a_validation_has_all_its_parts(outcome, samples, small_forest, model):
    kinds = list(dict.fromkeys(outcome.measures["folds"]))
    assert kinds == ["block", "knndm", "random"]
    folds = BlockFolds(outcome.block, buffer=model.builder.reach())
    _, score = out_of_fold(small_forest, samples, folds)
    assert outcome.value("auc") == pytest.approx(auc(*split(samples, score)))
    assert len(outcome.draws) == 2
    assert outcome.draws[0] == pytest.approx(outcome.value("auc"))
    assert len(outcome.against) == 5
    assert list(outcome.without.index) == ["gravity", "strike_slip"]
    # Nothing but random folds may ring in a clean world.
    assert all("andom" in alarm.sentence for alarm in outcome.alarms)
    page = outcome.page()
    for text in (
        "27 known deposits",
        "random folds (flatter): AUC",
        "nearest-neighbour folds (kNNDM): AUC",
        "distance to the nearest known deposit (AUC",
        "within permissive ground",
        "Without a layer",
        "2 draws of block folds",
        "prediction–area curves cross",
    ):
        assert text in page, text


def test_a_validation_is_written_whole(outcome, tmp_path):
    written = {path.name for path in outcome.save(tmp_path / "отчёт")}
    figures = {"rates.png", "prediction_area.png", "reliability.png", "folds.png", "baselines.png"}
    assert written == figures | {"validation.txt", "validation.json"}
    text = (tmp_path / "отчёт" / "validation.json").read_text("utf-8")
    data = json.loads(text)
    assert "NaN" not in text
    assert data["baselines"][0]["baseline"] == "weights of evidence"
    assert data["measures"][0]["value"] == pytest.approx(outcome.value("auc"))
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        outcome.save(tmp_path / "file" / "folder")


def test_figures_have_labels_with_units_and_colours_for_all(outcome):
    from prospect.plots.figure import COLOURS

    figures = outcome.figures()
    for figure in figures.values():
        for axes in figure.axes:
            assert axes.get_ylabel() or axes.get_yticklabels()
        assert figure.axes[0].get_xlabel()
    assert figures["folds"].axes[0].get_xlabel() == "Easting (km)"
    assert "(%)" in figures["rates"].axes[0].get_ylabel()
    used = {line.get_color() for line in figures["rates"].axes[0].lines}
    assert used <= set(COLOURS)
    curve = figures["rates"].axes[0].lines[0]
    np.testing.assert_allclose(
        curve.get_ydata(), 100 * next(iter(outcome.curves.values()))["prediction_rate"]
    )


def test_what_cannot_be_validated_is_refused(model, stack):
    with pytest.raises(ModelError, match="pairs never come first"):
        validate(model, stack, folds=["pair", "block"])
    with pytest.raises(ModelError, match="not: jackknife"):
        validate(model, stack, folds=["jackknife"])
    with pytest.raises(ModelError, match="lie outside these layers"):
        validate(model, stack.isel(x=slice(0, 50)))
    with pytest.raises(ModelError, match="The truth has 3 × 4 cells"):
        validate(model, stack, folds=["block"], truth=np.zeros((3, 4)), n_splits=2)


def test_regions_and_truth_come_from_files(stack, region, region_folder, tmp_path):
    west, south, east, north = region.grid.bounds
    halves = [box(west, south, west + 50_000, north), box(west + 50_000, south, east, north)]
    write_vector(frame({"id": [1, 2]}, halves, region.grid.crs), tmp_path / "halves.gpkg")
    assert len(polygons_of(tmp_path / "halves.gpkg", stack)) == 2
    write_vector(frame({"id": [1]}, halves[:1], region.grid.crs), tmp_path / "one.gpkg")
    with pytest.raises(LayerError, match="holds 1 polygons"):
        polygons_of(tmp_path / "one.gpkg", stack)
    path = region_folder / "truth" / "gold_intensity.tif"
    np.testing.assert_array_equal(
        values_on_grid(path, stack), region.truth.intensity["gold"].to_numpy()
    )
    with pytest.raises(LayerError, match="on another grid"):
        values_on_grid(path, stack.isel(x=slice(1, None)))


# ---- the command ----------------------------------------------------------------------


def run(*arguments):
    return CliRunner().invoke(main, ["validate", *map(str, arguments)])


def test_the_command_prints_writes_and_holds_a_bar(model, region_folder, tmp_path):
    path = model.save(tmp_path / "gold.prospect")
    common = (path, region_folder, "-q", "--folds", "block", "--workers", 2)
    told = run(*common, "-o", tmp_path / "out", "--min-auc", 0.6, "--folds", "region")
    assert told.exit_code == 0, told.output
    assert "one region left out: AUC" in told.output
    assert "The page, validation.json and the figures are in" in told.output
    assert (tmp_path / "out" / "rates.png").stat().st_size > 10_000
    told = run(*common, "-o", tmp_path / "out", "--min-auc", 0.99)
    assert told.exit_code == 1
    assert "below the bar of 0.99" in told.output
    assert "Leak alarms" in told.output


def test_the_command_says_what_it_needs(region_folder, tmp_path, gold_model):
    path = gold_model.save(tmp_path / "gold.prospect")
    told = run(path)
    assert told.exit_code == 2
    assert "layers the model was trained on are needed" in told.output
    told = run(region_folder)
    assert told.exit_code == 2
    assert "a commodity to train one" in told.output
    told = run(path, region_folder, "-q", "--without", "gravitas", "-o", tmp_path / "o")
    assert told.exit_code == 1
    assert "gravitas" in told.output


@pytest.mark.usefixtures("fewer_cells")
def test_a_project_is_trained_and_put_to_the_test(region_folder, tmp_path):
    told = run(region_folder, "-c", "gold", "-q", "--folds", "knndm", "-o", tmp_path / "out")
    assert told.exit_code == 0, told.output
    assert "nearest-neighbour folds (kNNDM): AUC" in told.output
