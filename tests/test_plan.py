"""The plan: rows that share work give the bits they give alone, in any tile, order and number."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prospect import grid
from prospect.errors import RecipeError
from prospect.features import FeatureBuilder, builder, costs
from prospect.features.plan import lay_tiles, make_plan
from prospect.grid import Window
from prospect.matching import bind

DEFINITION = tomllib.loads(
    (Path(__file__).parents[1] / "benchmarks" / "recipe.toml").read_text(encoding="utf-8")
)
SHAPE = (70, 90)


def shrunk(row):
    """A row of the benchmark's recipe for small arrays: a fifth of the lengths."""
    lengths = ("radius", "sigma", "fine", "coarse", "cap", "scale")
    small = {key: value / 5 if key in lengths else value for key, value in row.items()}
    if row["operation"] == "proximity":
        small["cap"] = 1500.0
    return small


@pytest.fixture
def small_lattice(monkeypatch):
    """Blocks of 16 cells, so that small arrays have many."""
    from prospect.features import plan

    for module in (grid, builder):
        monkeypatch.setattr(module, "LATTICE", 16)
    monkeypatch.setattr(plan.grid, "LATTICE", 16)


@pytest.fixture
def recipe_stack(make_stack):
    rng = np.random.default_rng(5)
    arrays, attrs = {}, {}
    for name, kind in DEFINITION["layers"].items():
        values = rng.normal(size=SHAPE).cumsum(axis=0).astype(np.float32)
        if kind == "positive":
            values = np.exp(values / 4)
        if kind == "classes":
            arrays[name] = rng.integers(-1, 4, SHAPE).astype(np.int32)
            attrs[name] = {"classes": dict(enumerate(("shale", "granite", "marl", "schist")))}
        elif kind == "lines":
            arrays[name] = (rng.random(SHAPE) < 0.01).astype(np.float32)
            attrs[name] = {"kind": "geometry"}
        else:
            values[rng.random(SHAPE) < 0.05] = np.nan
            values[20:31, 40:60] = np.nan
            arrays[name] = values
    return make_stack(attrs=attrs, **arrays)


@pytest.fixture
def whole(recipe_stack, small_lattice):
    built = FeatureBuilder([shrunk(row) for row in DEFINITION["feature"]]).fit(recipe_stack)
    return built, recipe_stack, built.transform(recipe_stack).values


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    corner=st.tuples(st.integers(0, 69), st.integers(0, 89)),
    size=st.tuples(st.integers(1, 70), st.integers(1, 90)),
    tile=st.integers(1, 100),
    workers=st.integers(1, 3),
)
def test_tile_equals_whole_for_the_recipe_of_sixty(whole, corner, size, tile, workers):
    built, stack, expected = whole
    assert len(built.feature_names) == 60
    window = Window(*corner, *size).intersect(Window(0, 0, *SHAPE))
    seen = np.zeros(SHAPE, int)
    for part, block in built.tiles(stack, window, tile=tile, workers=workers):
        seen[part.slices] += 1
        assert block.tobytes() == np.ascontiguousarray(expected[:, *part.slices]).tobytes()
    assert (seen[window.slices] == 1).all()
    assert seen.sum() == window.height * window.width


def test_rows_that_share_work_equal_rows_alone(whole):
    built, stack, expected = whole
    calls = make_plan(built.steps_, built.cell_).calls
    assert len(calls) < len(built.steps_) - 10
    place = 0
    for step in built.steps_:
        needed = [s for s in built.steps_ if s.name in (step.name, *step.spec.of)]
        alone = FeatureBuilder(built.recipe)
        alone.steps_, alone.layers_, alone.cell_ = tuple(needed), built.layers_, built.cell_
        values = alone.transform(stack).sel(feature=list(step.columns)).values
        many = len(step.columns)
        assert values.tobytes() == expected[place : place + many].tobytes(), step.name
        place += many


def test_the_order_of_tiles_leaves_no_trace(whole):
    built, stack, expected = whole
    bindings = bind(built.layers_, stack)
    windows = lay_tiles(Window(0, 0, *SHAPE), 60, 32)
    for window in np.random.default_rng(0).permutation(np.array(windows)):
        part = Window(*map(int, window))
        block = built.compute(stack, part, bindings)
        assert block.tobytes() == np.ascontiguousarray(expected[:, *part.slices]).tobytes()


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_number_of_workers_leaves_no_trace(whole, workers):
    built, stack, expected = whole
    assert built.transform(stack, workers=workers).values.tobytes() == expected.tobytes()


def test_values_of_a_stack_are_left_as_they_are(recipe_stack):
    before = {name: layer.values.copy() for name, layer in recipe_stack.items()}
    recipe_stack["Sb"].attrs["units"] = "ppm"
    built = FeatureBuilder([{"name": "v", "operation": "value", "of": "Sb"}]).fit(recipe_stack)
    recipe_stack["Sb"].attrs["units"] = "ppb"
    built.transform(recipe_stack)
    for name, layer in recipe_stack.items():
        np.testing.assert_array_equal(layer.values, before[name])


def test_rows_ask_for_the_same_twice(recipe_stack):
    rows = [
        {"name": "a", "operation": "focal_mean", "of": "K", "radius": 300},
        {
            "name": "b",
            "operation": "focal_statistics",
            "of": "K",
            "radius": 300,
            "outputs": ["range", "mean", "max"],
        },
        {"name": "c", "operation": "topographic_position", "of": "K", "radius": 300},
        {"name": "d", "operation": "focal_range", "of": "K", "radius": 300},
        {"name": "e", "operation": "focal_mean", "of": "K", "radius": 300, "shape": "circle"},
    ]
    built = FeatureBuilder(rows).fit(recipe_stack)
    assert len(make_plan(built.steps_, built.cell_).calls) == 2
    values = built.transform(recipe_stack)
    for row in rows:
        alone = FeatureBuilder([row]).fit_transform(recipe_stack)
        names = list(alone["feature"].values)
        assert values.sel(feature=names).values.tobytes() == alone.values.tobytes()


def test_shared_distances_have_the_cap_of_each(recipe_stack):
    rows = [
        {"name": "far", "operation": "distance_to", "of": "faults", "cap": 2000},
        {"name": "near", "operation": "distance_to", "of": "faults", "cap": 400},
        {"name": "close", "operation": "proximity", "of": "faults", "scale": 300, "cap": 900},
    ]
    built = FeatureBuilder(rows).fit(recipe_stack)
    assert len(make_plan(built.steps_, built.cell_).calls) == 1
    values = built.transform(recipe_stack)
    for row in rows:
        alone = FeatureBuilder([row]).fit_transform(recipe_stack)
        assert values.sel(feature=row["name"]).values.tobytes() == alone.values[0].tobytes()


def test_a_window_beyond_the_grid_is_gaps_there(whole):
    built, stack, expected = whole
    values = built.transform(stack, Window(-5, -7, 20, 30)).values
    assert np.isnan(values[:, :5]).all()
    assert np.isnan(values[:, :, :7]).all()
    assert values[:, 5:, 7:].tobytes() == expected[:, :15, :23].tobytes()


def test_costs_name_every_feature(whole):
    built, stack, _ = whole
    found = costs.measure_costs(built, stack)
    assert sorted(n for cost in found for n in cost.features) == sorted(built.feature_names)
    assert all(cost.seconds > 0 for cost in found)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"operation": "focal_meen", "radius": 300}, "did you mean focal_mean"),
        ({"operation": "focal_mean", "radios": 300}, "has no parameter 'radios'; it takes: radius"),
        ({"operation": "focal_mean"}, "needs the parameter 'radius'"),
        ({"operation": "focal_mean", "radius": "wide"}, "is a number, but 'wide' came"),
        ({"operation": "focal_mean", "radius": 0}, "a length in metres above 0, but 0 came"),
        ({"operation": "focal_mean", "radius": 30}, "30 m is less than half a cell of 100 m"),
        ({"operation": "focal_std", "radius": 30_000}, "larger than the layers"),
        ({"operation": "gaussian", "sigma": 30_000}, "larger than the layers"),
    ],
)
def test_wrong_rows_are_one_sentence(recipe_stack, row, sentence):
    with pytest.raises(RecipeError, match=sentence) as caught:
        FeatureBuilder([{"name": "f", "of": "K", **row}]).fit(recipe_stack)
    assert "\n" not in str(caught.value)


def test_metres_on_degrees_are_one_sentence(make_stack, field):
    stack = make_stack(K=field(), crs="EPSG:4326", cell=(0.01, 0.01))
    # The fixture's corner lies beyond the Earth in degrees; only the unit counts here.
    with pytest.raises(Exception, match="Metres are needed, but .* measures in degrees"):
        FeatureBuilder([{"name": "f", "operation": "focal_mean", "of": "K", "radius": 300}]).fit(
            stack
        )
