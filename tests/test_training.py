"""Training: from labels and layers to a model that knows how good it is."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from prospect import learners, training
from prospect.calibration import Prior
from prospect.encoding import prepare
from prospect.errors import LabelError, ModelError
from prospect.features import FeatureBuilder
from prospect.folds import BlockFolds
from prospect.grid import Grid
from prospect.held_out import out_of_fold
from prospect.learners import DEFAULT, extra_trees, fit, learner, likelihood
from prospect.metrics import auc
from prospect.model import load_model
from prospect.models import SignedLogistic, TrainingDraws, WeightsOfEvidence
from prospect.samples import BARREN, Samples, features_at, ground_mask, replaced
from prospect.scoring import score
from prospect.stack import open_stack
from prospect.training import train

SMALL = {"background": 400, "workers": 2}


def test_a_model_carries_its_evidence_of_quality(gold_model):
    measures = gold_model.measures
    assert set(measures["measure"]) == {
        "auc",
        "capture_1%",
        "capture_2%",
        "capture_5%",
        "capture_10%",
    }
    blocks, flattering = dict.fromkeys(measures["folds"])
    size = float(blocks.removesuffix(" km block folds"))
    assert 10 <= size <= 40
    assert flattering == "random folds (flatter)"
    samples = gold_model.samples
    deposits = samples["label"] == 1
    assert np.isfinite(samples["score"][deposits]).all()
    assert np.isnan(samples["score"][samples["label"] == 0]).all()
    value = measures.query("measure == 'auc'")["value"].iloc[0]
    area = samples["score"][samples["label"] == -1]
    assert value == pytest.approx(auc(samples["score"][deposits], area))
    report = gold_model.report()
    assert "known deposits" in report
    assert "block folds: AUC" in report


@pytest.mark.parametrize("size", [0, -5.0, np.inf, np.nan])
def test_a_block_has_a_side(world, size):
    with pytest.raises(LabelError, match="A block's side is metres above 0, but"):
        train(open_stack(world), world.occurrences, "gold", block_size=size, **SMALL)


def test_intervals_are_of_the_blocks_that_folds_found(world, small_forest, monkeypatch):
    measure, sizes = training._measure, []

    def measured(samples, found, block, name):
        sizes.append(block)
        return measure(samples, found, block, name)

    monkeypatch.setattr(training, "_measure", measured)
    monkeypatch.setattr(training, "default_block", lambda *_: 1e6)
    folds = BlockFolds(None, 4)
    train(
        open_stack(world), world.occurrences, "gold", estimator=small_forest, folds=folds, **SMALL
    )
    assert sizes == [folds.size_]


def test_random_folds_flatter_here(gold_model):
    values = gold_model.measures.query("measure == 'auc'").set_index("folds")["value"]
    blocks, flattering = values
    assert flattering > blocks > 0.7


def test_training_repeats_to_the_bit(world, small_forest, gold_model):
    again = train(
        open_stack(world),
        world.occurrences,
        "gold",
        estimator=small_forest,
        background=500,
        workers=1,
    )
    for name, values in gold_model.samples.items():
        np.testing.assert_array_equal(again.samples[name], values)
    assert again.measures.equals(gold_model.measures)


def test_permuted_labels_teach_nothing(gold_model, world):
    stack = open_stack(world)
    grid = Grid.of(stack)
    rng = np.random.default_rng(0)
    x, y = gold_model.samples["x"], gold_model.samples["y"]
    row, col, _ = grid.index(x, y)
    features = features_at(gold_model.builder, stack, row, col)
    values = []
    for seed in range(8):
        kind = gold_model.samples["label"].copy()
        learnt = np.flatnonzero(kind >= 0)
        kind[learnt] = rng.permutation(kind[learnt])
        shuffled = training.Samples(x, y, kind, np.ones(kind.size), kind, features)
        forest = ExtraTreesClassifier(20, min_samples_leaf=3, random_state=seed)
        _, score = out_of_fold(forest, shuffled, BlockFolds(10_000, random_state=seed))
        values.append(auc(score[kind == 1], score[kind == -1]))
    # The standard error of one AUC of 27 deposits is about 0.055.
    assert abs(np.mean(values) - 0.5) < 3 * 0.055 / np.sqrt(8)


def test_area_and_permissive_ground_restrict_everything(world, region, small_forest, tmp_path):
    from shapely import box

    from prospect.vector import frame, write_vector

    west, south, east, north = region.grid.bounds
    half = box(west, south, (west + east) / 2, north)
    area = tmp_path / "half.gpkg"
    write_vector(frame({"id": [1]}, [half], "EPSG:32642"), area)
    model = train(
        open_stack(world),
        world.occurrences,
        "antimony",
        estimator=small_forest,
        area=area,
        permissive="lithology in (carbonate, 'black shale', flysch)",
        folds=BlockFolds(20_000, 3, buffer=2_000),
        **SMALL,
    )
    assert model.samples["x"].max() < (west + east) / 2
    stack = open_stack(world)
    row, col, _ = region.grid.index(model.samples["x"], model.samples["y"])
    names = {int(c): n for c, n in stack["lithology"].attrs["classes"].items()}
    found = {names[code] for code in np.unique(stack["lithology"].values[row, col])}
    assert found <= {"carbonate", "black shale", "flysch"}
    assert model.record["labels"]["on gaps or outside the area"] > 0


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(max_iter=500),
        HistGradientBoostingClassifier(max_iter=10, random_state=0),
    ],
)
def test_any_estimator_can_be_handed_in(world, estimator):
    model = train(open_stack(world), world.occurrences, "gold", estimator=estimator, **SMALL)
    assert model.measures["value"].between(0, 1).all()


def test_folds_can_be_handed_in(world, small_forest):
    folds = BlockFolds(20_000, 3, buffer=2_000)
    model = train(
        open_stack(world), world.occurrences, "gold", folds=folds, estimator=small_forest, **SMALL
    )
    assert set(model.measures["folds"]) == {"20 km block folds"}
    assert set(model.samples["fold"]) == {0, 1, 2}


def test_what_cannot_be_learnt_from_is_refused(world, tmp_path):
    stack = open_stack(world)
    few = tmp_path / "three.csv"
    lines = ["x,y,commodity"]
    lines += [f"{float(stack.x[20 + 10 * i])},{float(stack.y[40])},gold" for i in range(3)]
    few.write_text("\n".join(lines))
    from prospect.project import OccurrenceSpec

    with pytest.raises(LabelError, match="3 deposits of gold lie on usable ground"):
        train(stack, OccurrenceSpec(few, crs="EPSG:32642"), "gold")
    with pytest.raises(ModelError, match="There is no learner 'forest'; there are extra-trees"):
        train(stack, world.occurrences, "gold", estimator="forest")
    with pytest.raises(ModelError, match="predict_proba was expected, but int came"):
        train(stack, world.occurrences, "gold", estimator=3)


def test_a_map_without_labels(world, tmp_path):
    stack = open_stack(world)
    model = train(stack, None, "antimony", estimator="fuzzy", **SMALL)
    assert model.measures.empty
    assert "not measured: that takes at least eight known deposits" in model.quality()
    assert "0 known deposits" in model.report()
    assert not (model.samples["label"] == 1).any()
    again = load_model(model.save(tmp_path / "a.prospect"))
    assert again.quality() == model.quality()
    found = score(again, stack)["likelihood"].values
    assert np.nanstd(found) > 0.05
    # It knows what deposits are like: the truth of the region agrees.
    measured = train(stack, world.occurrences, "antimony", estimator="fuzzy", **SMALL)
    value = measured.measures.query("measure == 'auc'")["value"].iloc[0]
    assert value > 0.6


@pytest.fixture(scope="module")
def learnt(gold_model, world):
    """Features of the cells that the gold model learnt from, a few gaps in them, and labels."""
    stack = open_stack(world)
    kept = gold_model.samples["label"] >= 0
    row, col, _ = Grid.of(stack).index(gold_model.samples["x"], gold_model.samples["y"])
    features = features_at(gold_model.builder, stack, row[kept], col[kept])
    features[::7, 3] = np.nan
    return features, gold_model.samples["label"][kept] == 1


@pytest.mark.parametrize(
    "name", ["random-forest", "bagged-pu", "boosting", "logistic", "woe", "fuzzy", "blend"]
)
def test_learners_by_name_are_fitted_saved_and_loaded(
    gold_model, learnt, name, tmp_path, monkeypatch
):
    monkeypatch.setattr(learners, "TREES", 20)
    monkeypatch.setattr(learners, "DRAWS", 4)
    features, positive = learnt
    builder = gold_model.builder
    fitted = fit(learner(name, builder.signs), features, positive, positive + 1.0)
    found = likelihood(fitted, features)
    # A cell scores alike in any tile.
    np.testing.assert_array_equal(likelihood(fitted, features[100:137]), found[100:137])
    assert auc(found[positive], found[~positive]) > 0.65
    again = load_model(replace(gold_model, estimator=fitted).save(tmp_path / "m.prospect"))
    np.testing.assert_array_equal(likelihood(again.estimator, features), found)


def test_training_takes_a_learner_by_name(world):
    model = train(open_stack(world), world.occurrences, "gold", estimator="woe", **SMALL)
    assert isinstance(model.estimator, WeightsOfEvidence)
    assert model.estimator.signs == model.builder.signs
    assert model.measures.query("measure == 'auc'")["value"].iloc[0] > 0.55


def test_signs_reach_the_learner(gold_model):
    builder = gold_model.builder
    assert len(builder.signs) == len(builder.feature_names)
    named = dict(zip(builder.feature_names, builder.signs, strict=True))
    assert named["thrust_1500m"] == "+"
    assert named["granitoid_2500m"] == "∩"
    assert named["magnetic_gradient"] == "0"
    signs = builder.signs
    assert learner("woe", signs=signs).signs == signs
    assert learner("boosting", signs=signs).monotonic_cst == [
        {"+": 1, "-": -1}.get(sign, 0) for sign in signs
    ]


def test_coefficients_count_in_shares(gold_model, learnt):
    signs = gold_model.builder.signs
    model = replace(gold_model, estimator=fit(SignedLogistic(signs), *learnt, learnt[1] + 1))
    size = np.abs(model.estimator.coef_[0])
    told = model.importances()
    assert told.sum() == pytest.approx(1)
    assert told.iloc[0] == pytest.approx(size.max() / size.sum())
    assert told.index[0] == model.feature_names[int(size.argmax())]


def test_boosting_keeps_to_its_signs():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(600, 2)).astype(np.float32)
    positive = features[:, 0] + rng.normal(size=600) > 1
    ask = np.column_stack([np.linspace(-3, 3, 100), np.zeros(100)]).astype(np.float32)
    fitted = fit(learner("boosting", signs=["+", "0"]), features, positive, np.ones(600))
    assert (np.diff(likelihood(fitted, ask)) >= 0).all()
    against = fit(learner("boosting", signs=["-", "0"]), features, positive, np.ones(600))
    assert np.ptp(likelihood(against, ask)) < 0.2


def test_a_prior_that_the_data_contradict_is_told(gold_model, learnt):
    features, positive = learnt
    builder = gold_model.builder
    flipped = [{"+": "-", "-": "+"}.get(sign, sign) for sign in builder.signs]
    reports = [
        replace(
            gold_model, estimator=fit(SignedLogistic(signs), features, positive, positive + 1)
        ).report()
        for signs in (builder.signs, flipped)
    ]
    assert "strike_slip_1500m" in reports[1].split("which the deposits contradict")[1]
    assert "strike_slip_1500m" not in reports[0].split("What counts")[0]


def test_the_default_learner_has_not_changed():
    assert DEFAULT == "logistic"
    drawn = learner(DEFAULT, ["+", "0"])
    assert drawn.n_draws == 8
    signed = drawn.estimator
    assert (signed.penalty, signed.prior, signed.signs) == (30.0, 0.2, ["+", "0"])
    trees = learner("extra-trees", random_state=3)
    assert str(trees.get_params()) == str(extra_trees(3).get_params())
    assert trees.n_draws**2 == 400
    assert trees.estimator.min_samples_leaf == 3


def test_deposits_may_stand_elsewhere(grid):
    counts = np.ones(grid.shape, bool)
    row, col = np.full(500, 20), np.full(500, 25)
    counts[20, 26] = False
    there = replaced(row, col, counts, grid, 150.0, 0)
    assert there[0].shape == (19, 500)
    away = np.stack([there[0] - 20, there[1] - 25])
    # At most 150 m from any point of a cell of 100 m.
    assert np.abs(away).max() == 2
    assert not ((away[0] == 0) & (away[1] == 1)).any()
    assert (away[0] == 0).mean() < 0.5
    # As often north as south.
    assert abs(away[0].mean()) < 0.05
    assert len(replaced(row, col, counts, grid, 0.0, 0)[0]) == 0
    np.testing.assert_array_equal(replaced(row, col, counts, grid, 150.0, 0)[0], there[0])


def test_rows_that_are_learnt_from_bring_their_places():
    kind = np.array([1, 0, 1, -1, 1])
    features = np.arange(10, dtype=np.float32).reshape(5, 2)
    placings = np.stack([features[kind == 1] + 100, features[kind == 1] + 200])
    samples = Samples(*np.zeros((2, 5)), kind, np.ones(5), kind, features, placings=placings)
    given = samples.learnt_from(np.array([1, 2, 4]))
    np.testing.assert_array_equal(given["placings"][0], features[[2, 4]] + 100)
    np.testing.assert_array_equal(given["positive"], [False, True, True])


def test_the_default_learner_is_taught_by_places(world):
    """Places differ only where there is a positional error, and then their part is told."""
    parts = {}
    for error in (0.0, 1500.0):
        model = train(
            open_stack(world),
            world.occurrences,
            "gold",
            estimator=TrainingDraws(n_draws=4, random_state=0),
            background=300,
            positional_error=error,
            n_splits=3,
            workers=2,
        )
        assert model.record["positional_error"] == error
        parts[error] = model.record["doubts"]["spread"]
    assert parts[0.0][2] == 0 < parts[1500.0][2]
    with pytest.raises(LabelError, match="metres from 0 on"):
        train(open_stack(world), world.occurrences, "gold", positional_error=-1.0)


def test_doubts_are_told(gold_model):
    found = gold_model.record["doubts"]
    assert sum(found["applicable"]) == pytest.approx(1)
    assert set(found["coverage"]) == {"barren", "deposit"}
    before, after = found["calibration_error"]
    assert 0 <= after < before
    report = gold_model.report()
    for told in ("calibrated by a sigmoid", "conformal sets", "applicable", "not a probability"):
        assert told in report
    assert "expected on the ground" not in report
    assert "learner ExtraTreesClassifier; below 50 deposits 'blend'" in report
    stated = replace(gold_model, prior=Prior(0.0005, (2.0, 4.0, 6.0)))
    assert "4 deposits expected on the ground (P90 2, P10 6)" in stated.report()
    assert "not a probability" not in stated.report()


def test_the_ground_needs_required_layers(world):
    stack = open_stack(world)
    builder = FeatureBuilder([{"name": "m", "operation": "value", "of": "magnetics"}]).fit(stack)
    from prospect.ground import Ground
    from prospect.matching import bind

    counts = ground_mask(stack, Ground(), bind(builder.layers_, stack))
    np.testing.assert_array_equal(counts, np.isfinite(stack["magnetics"].values))


def test_samples_have_the_features_of_their_cells(gold_model, world):
    stack = open_stack(world)
    whole = gold_model.builder.transform(stack).values
    row, col = np.array([0, 79, 40, 40]), np.array([0, 99, 50, 50])
    np.testing.assert_array_equal(
        features_at(gold_model.builder, stack, row, col), whole[:, row, col].T
    )


def test_deposits_and_background_weigh_the_same():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(300, 3)).astype(np.float32)
    positive = np.arange(300) < 10
    fitted = fit(LogisticRegression(C=1e-6), features, positive, np.ones(300))
    # With hardly any slope the intercept is the log-odds of the weights: even.
    assert np.abs(likelihood(fitted, features) - 0.5).max() < 0.01


def test_estimators_that_cannot_read_gaps_get_them_filled():
    assert prepare(LogisticRegression()).steps[0][0] == "simpleimputer"
    assert isinstance(prepare(HistGradientBoostingClassifier()), HistGradientBoostingClassifier)


def test_the_record_names_files_by_name_and_hash(gold_model, world):
    inputs = gold_model.record["inputs"]
    assert set(inputs) == set(gold_model.builder.layers_)
    path = next(spec.path for spec in world.layers if spec.name == "magnetics")
    assert inputs["magnetics"] == {
        "file": "magnetics.tif",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "role": "magnetics.tmi",
    }
    assert str(path.parent) not in str(gold_model.record) + str(gold_model.builder.to_dict())


def test_features_that_tell_nothing_apart_are_said(world, small_forest):
    stack = open_stack(world)
    stack["gravity"] = xr.zeros_like(stack["gravity"]).assign_attrs(stack["gravity"].attrs)
    model = train(stack, world.occurrences, "gold", estimator=small_forest, background=200)
    (told,) = [note for note in model.record["notes"] if "the same everywhere" in note]
    assert "gravity_bouguer" in told


def test_ground_known_to_be_barren_is_measured_against(world, small_forest, tmp_path):
    from prospect.vector import points_frame, write_vector

    stack = open_stack(world)
    grid = Grid.of(stack)
    rng = np.random.default_rng(1)
    places = rng.choice(grid.x, 60), rng.choice(grid.y, 60)
    write_vector(points_frame({"id": range(60)}, *places, grid.crs), tmp_path / "barren.gpkg")
    model = train(
        stack,
        world.occurrences,
        "gold",
        estimator=small_forest,
        tested=tmp_path / "barren.gpkg",
        **SMALL,
    )
    samples = model.samples
    barren = samples["group"] == BARREN
    assert (samples["label"][barren] == 0).all()
    assert np.isfinite(samples["score"][barren]).all()
    assert np.isnan(samples["score"][(samples["label"] == 0) & ~barren]).all()
    told = model.measures.set_index(["measure", "folds"])["value"]
    blocks = model.measures["folds"][0]
    deposits = samples["label"] == 1
    expected = auc(samples["score"][deposits], samples["score"][barren])
    assert told["auc_barren", blocks] == pytest.approx(expected)
    assert f"known to be barren {expected:.2f}" in model.report()
