"""Rows that look at a whole map: the same bits by any window, any worker, and in processes."""

import gc
import pickle
from pathlib import Path

import naive
import numpy as np
import pytest

import prospect
from prospect.errors import OutputError
from prospect.features import FeatureBuilder, pseudo_gravity, reduction_to_pole
from prospect.features.whole import is_whole
from prospect.grid import Window
from prospect.matching import bind
from prospect.scoring import score
from prospect.stack import open_stack
from prospect.training import train

POLE = {"inclination": 60, "declination": 5}
ROWS = [
    {"name": "flat", "operation": "winsorise", "of": "a", "keep": False},
    {"name": "rtp", "operation": "reduction_to_pole", "of": "flat"} | POLE,
    {"name": "heavy", "operation": "pseudo_gravity", "of": "rtp", "inclination": 90}
    | {"declination": 0},
    {"name": "z", "operation": "robust_z", "of": "rtp"},
    {"name": "tilt", "operation": "tilt_angle", "of": "rtp"},
    {"name": "plain", "operation": "horizontal_gradient", "of": "a"},
]


@pytest.fixture
def stack(make_stack):
    layer = naive.fractal(320, 3)[:, :290].astype(np.float32)
    layer[np.random.default_rng(0).random(layer.shape) < 0.02] = np.nan
    return make_stack(cell=(100.0, 100.0), a=layer)


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Where files of whole maps are put."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_any_window_and_any_workers_give_the_same_bits(stack):
    built = FeatureBuilder(ROWS).fit(stack)
    assert {step.name for step in built.steps_ if is_whole(step)} == {"rtp", "heavy"}
    whole = built.transform(stack)
    part = built.transform(stack, Window(230, 100, 60, 190))
    np.testing.assert_array_equal(part.values, whole.values[:, 230:290, 100:290])
    np.testing.assert_array_equal(built.transform(stack, workers=2).values, whole.values)
    for window, block in built.tiles(stack, tile=256):
        np.testing.assert_array_equal(block, whole.values[:, *window.slices])


def test_rows_of_whole_maps_are_those_of_the_operations(stack):
    built = FeatureBuilder(ROWS).fit(stack)
    got = built.transform(stack)
    flat = FeatureBuilder([ROWS[0] | {"keep": True}]).fit_transform(stack)[0].drop_vars("feature")
    flat = flat.rename("flat")
    rtp = reduction_to_pole(flat, inclination=60.0, declination=5.0)
    np.testing.assert_array_equal(got.sel(feature="rtp").values, rtp.values)
    heavy = pseudo_gravity(rtp, inclination=90.0, declination=0.0)
    np.testing.assert_array_equal(got.sel(feature="heavy").values, heavy.values)
    assert str(got.sel(feature="heavy").units.values) == "mGal"


def test_a_settled_stack_goes_to_other_processes_by_path(stack, made):
    built = FeatureBuilder(ROWS).fit(stack)
    bindings = bind(built.layers_, stack)
    settled = built.settle(stack, bindings)
    assert len(list(made.iterdir())) == 2
    data = pickle.dumps(settled)
    assert len(data) < 3 * stack["a"].nbytes
    copy = pickle.loads(data)
    window = Window(10, 20, 90, 80)
    want = built.transform(stack, window)
    np.testing.assert_array_equal(built.compute(copy, window, bindings), want.values)
    del copy
    gc.collect()
    # The copy's end leaves the file, its maker's does not.
    assert len(list(made.iterdir())) == 2
    assert built.settle(settled, bindings) is settled
    del settled
    gc.collect()
    assert list(made.iterdir()) == []


def test_without_whole_rows_a_stack_stays_as_it_is(stack):
    built = FeatureBuilder(ROWS[-1:]).fit(stack)
    assert built.settle(stack, bind(built.layers_, stack)) is stack


def test_windows_are_asked_for_by_a_reach(stack):
    rows = [ROWS[1] | {"of": "a", "reach": 3000}]
    built = FeatureBuilder(rows).fit(stack)
    assert not is_whole(built.steps_[0])
    assert built.halo == (30, 30)


def test_no_room_for_a_whole_map_is_said(stack, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(Path("nowhere") / "at" / "all"))
    built = FeatureBuilder([ROWS[1] | {"of": "a"}]).fit(stack)
    with pytest.raises(OutputError, match="computed whole could not be kept"):
        built.transform(stack)


def test_a_model_with_whole_rows_is_trained_and_scored(world, small_forest, tmp_path):
    gold = Path(prospect.__file__).parent / "commodities" / "gold.toml"
    definition = tmp_path / "whole.toml"
    row = '\n[[feature]]\nname = "pg"\noperation = "pseudo_gravity"\nof = "magnetics.tmi"\n'
    row += 'inclination = 58\ndeclination = 5\nsign = "0"\nsystem = "context"\nsource = "a test"\n'
    definition.write_text(gold.read_text("utf-8") + row, "utf-8")
    stack = open_stack(world)
    model = train(stack, world.occurrences, definition, estimator=small_forest, background=100)
    assert "pg" in model.builder.feature_names
    serial = score(model, stack, engine="serial", tile=64)["likelihood"].values
    assert np.isfinite(serial).any()
    apart = score(model, stack, engine="threads", workers=2)["likelihood"].values
    np.testing.assert_array_equal(serial, apart)
