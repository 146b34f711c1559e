"""The feature builder: what it learns, and that tiles leave no trace."""

import json

import naive
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prospect import grid
from prospect.errors import GridError, ModelError, RecipeError
from prospect.features import FeatureBuilder, builder, focal
from prospect.features.plan import tiles
from prospect.grid import Window

RECIPE = [
    {"name": "log", "operation": "log", "of": "assay", "keep": False},
    {"name": "z", "operation": "robust_z", "of": "log"},
    {"name": "z_mean", "operation": "focal_mean", "of": "z", "radius": 450},
    {"name": "mean_mean", "operation": "focal_mean", "of": "z_mean", "radius": 250},
    {"name": "std", "operation": "focal_std", "of": "field", "radius": 300},
    {"name": "gradient", "operation": "horizontal_gradient", "of": "field"},
    {"name": "gradient_mean", "operation": "focal_mean", "of": "gradient", "radius": 200},
    {
        "name": "near",
        "operation": "proximity_to_classes",
        "of": "rock",
        "classes": ["granite"],
        "scale": 300,
        "cap": 900,
    },
    {"name": "class", "operation": "one_hot", "of": "rock"},
]


@pytest.fixture
def stack(make_stack):
    rng = np.random.default_rng(3)
    shape = (90, 70)
    assay = rng.lognormal(size=shape).astype(np.float32)
    assay[rng.random(shape) < 0.1] = np.nan
    field = (1e4 + rng.normal(size=shape).cumsum(axis=0)).astype(np.float32)
    field[40:50, 20:25] = np.nan
    rock = rng.integers(-1, 4, shape).astype(np.int32)
    return make_stack(
        assay=assay,
        field=field,
        rock=rock,
        attrs={"rock": {"classes": {0: "shale", 1: "granite", 2: "schist", 3: "marl"}}},
    )


@pytest.fixture
def small_lattice(monkeypatch):
    """Blocks of 16 cells, so that small arrays have many."""
    for module in (grid, builder):
        monkeypatch.setattr(module, "LATTICE", 16)


def test_statistics_are_learnt_from_the_whole_stack(stack):
    built = FeatureBuilder(RECIPE).fit(stack)
    features = built.transform(stack)
    expected = naive.robust_z(naive.log(stack["assay"].values))
    np.testing.assert_allclose(features.sel(feature="z").values, expected, atol=1e-4)
    assert "log" not in built.feature_names
    assert set(features["feature"].values) == set(built.get_feature_names_out())
    assert features.dtype == np.float32
    assert features.sel(feature="gradient")["units"].item() == "/m"


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    row=st.integers(0, 89),
    col=st.integers(0, 69),
    height=st.integers(1, 90),
    width=st.integers(1, 70),
)
def test_any_window_equals_the_whole_to_the_bit(built_whole, row, col, height, width):
    built, stack, whole = built_whole
    window = Window(row, col, height, width).intersect(Window(0, 0, 90, 70))
    part = built.transform(stack, window).values
    expected = np.ascontiguousarray(whole[:, *window.slices])
    assert part.tobytes() == expected.tobytes()


@pytest.fixture
def built_whole(stack, small_lattice):
    built = FeatureBuilder(RECIPE).fit(stack)
    return built, stack, built.transform(stack).values


@pytest.mark.parametrize("side", [16, 48, 1024])
def test_tiles_cover_every_cell_once(side):
    seen = np.zeros((90, 70), int)
    for window in tiles(Window(0, 0, 90, 70), side):
        seen[window.slices] += 1
    assert (seen == 1).all()


def test_statistics_do_not_depend_on_the_tile(stack, monkeypatch):
    first = FeatureBuilder(RECIPE).fit(stack).to_dict()
    monkeypatch.setattr(builder, "FIT_TILE", 1)
    for module in (grid, builder):
        monkeypatch.setattr(module, "LATTICE", 16)
    assert FeatureBuilder(RECIPE).fit(stack).to_dict() == first


def test_large_stacks_are_sampled_on_a_subgrid(stack, monkeypatch):
    monkeypatch.setattr(builder, "SAMPLE_CELLS", 90 * 70 // 4)
    built = FeatureBuilder([{"name": "z", "operation": "robust_z", "of": "assay"}]).fit(stack)
    sample = stack["assay"].values[::2, ::2]
    assert built.steps_[0].parameters["median"] == np.nanmedian(sample)


def test_nothing_beyond_the_grid_counts(stack):
    # Distances are defined there, but a mean of them must not see it.
    rows = [
        {
            "name": "d",
            "operation": "distance_to_classes",
            "of": "rock",
            "classes": ["granite"],
            "cap": 500,
        },
        {"name": "m", "operation": "focal_mean", "of": "d", "radius": 300, "min_valid": 0.1},
    ]
    built = FeatureBuilder(rows).fit(stack).transform(stack)
    direct = focal.focal_mean(built.sel(feature="d"), radius=300, min_valid=0.1)
    np.testing.assert_array_equal(built.sel(feature="m").values, direct.values)


def test_fitted_builders_survive_json(stack):
    built = FeatureBuilder(RECIPE).fit(stack)
    again = FeatureBuilder.from_dict(json.loads(json.dumps(built.to_dict())))
    assert again.to_dict() == built.to_dict()
    assert again.transform(stack).values.tobytes() == built.transform(stack).values.tobytes()
    with pytest.raises(RecipeError, match="cannot be read"):
        FeatureBuilder.from_dict({"layers": []})


def test_layers_come_in_any_order_and_by_role(stack):
    built = FeatureBuilder(RECIPE).fit(stack)
    expected = built.transform(stack).values
    shuffled = stack[["rock", "field", "assay"]].rename(assay="gold_2024")
    assert built.transform(shuffled).values.tobytes() == expected.tobytes()
    with pytest.raises(ModelError, match="needs the layer 'field'"):
        built.transform(stack.drop_vars("field"))


def test_class_codes_are_matched_by_name(stack):
    built = FeatureBuilder(RECIPE).fit(stack)
    expected = built.transform(stack).values
    other = stack.copy(deep=True)
    table = np.array([7, 5, 9, 4, -1], np.int32)
    other["rock"].values[:] = table[stack["rock"].values]
    other["rock"].attrs["classes"] = {7: "shale", 5: "granite", 9: "schist", 4: "marl"}
    assert built.transform(other).values.tobytes() == expected.tobytes()


def test_a_class_never_seen_is_none_of_the_columns(stack):
    built = FeatureBuilder([{"name": "class", "operation": "one_hot", "of": "rock"}]).fit(stack)
    other = stack.copy(deep=True)
    other["rock"].values[:5] = 77
    features = built.transform(other).values
    assert (features[:, :5] == 0).all()


def test_units_are_converted(stack):
    ppm = stack.copy(deep=True)
    ppm["assay"].attrs["units"] = "ppm"
    built = FeatureBuilder([{"name": "v", "operation": "value", "of": "assay"}]).fit(ppm)
    ppb = ppm.copy(deep=True)
    ppb["assay"].values[:] *= 1000
    ppb["assay"].attrs["units"] = "ppb"
    np.testing.assert_allclose(built.transform(ppb).values[0], ppm["assay"].values, rtol=1e-6)


@pytest.mark.parametrize(
    ("rows", "error", "sentence"),
    [
        (
            [{"name": "z", "operation": "robust_z", "of": "gravity"}],
            RecipeError,
            "none of the roles",
        ),
        ([{"name": "z", "operation": "robust_z", "of": "rock"}], RecipeError, "takes a continuous"),
        (
            [{"name": "o", "operation": "one_hot", "of": "field"}],
            RecipeError,
            "takes a categorical",
        ),
        (
            [
                {"name": "o", "operation": "one_hot", "of": "rock"},
                {"name": "m", "operation": "focal_mean", "of": "o", "radius": 300},
            ],
            RecipeError,
            "has several columns",
        ),
    ],
)
def test_what_does_not_fit_is_refused(stack, rows, error, sentence):
    with pytest.raises(error, match=sentence):
        FeatureBuilder(rows).fit(stack)


def test_cells_of_another_size_are_refused(stack, make_stack):
    built = FeatureBuilder(RECIPE).fit(stack)
    arrays = {name: layer.values for name, layer in stack.items()}
    coarse = make_stack(cell=(200.0, 200.0), attrs={"rock": stack["rock"].attrs}, **arrays)
    with pytest.raises(GridError, match="Cells of 100 × 100 were expected"):
        built.transform(coarse)


def test_halo_and_reach(stack):
    built = FeatureBuilder(RECIPE[:4]).fit(stack)
    assert built.reach() == 450
    # mean of 2.5 → 3 cells around a mean of 5; the inner one starts on the lattice.
    assert min(built.halo) >= 8
