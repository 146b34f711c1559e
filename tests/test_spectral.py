"""Satellite bands: formulas, masks, the order of bands, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from prospect.errors import RecipeError
from prospect.features import (
    FeatureBuilder,
    band_ratio,
    masked,
    normalised_difference,
    reflectance,
    spectral_index,
)
from prospect.features.spectral import INDICES
from prospect.roles import guess_role


def bands(*names, seed=0, gaps=0.1):
    rng = np.random.default_rng(seed)
    layers = {}
    for name in names:
        layers[name] = rng.uniform(0.02, 0.6, (30, 40)).astype(np.float32)
        layers[name][rng.random((30, 40)) < gaps] = np.nan
    return layers


def with_roles(make_stack, sensor, layers):
    attrs = {name: {"role": f"{sensor}.{name}"} for name in layers}
    return make_stack(**layers, attrs=attrs)


@pytest.mark.parametrize("name", INDICES)
def test_every_index_is_its_formula_and_names_bands_that_have_roles(make_stack, name):
    index = INDICES[name]
    layers = bands(*index.bands)
    stack = with_roles(make_stack, index.sensor, layers)
    got = spectral_index(*stack.values(), index=name).values
    wide = {n: x.astype(np.float64) for n, x in layers.items()}
    np.testing.assert_allclose(got, eval(index.formula, {}, wide), rtol=1e-4, atol=1e-5)
    assert np.isnan(got).any()
    assert all(guess_role(f"{role}.tif").role == role for role in index.roles)
    assert index.source
    assert index.meaning


def test_jasperoid_against_a_known_answer(make_stack):
    layers = {
        n: np.full((2, 2), v, np.float32) for n, v in (("b11", 0.9), ("b10", 0.8), ("b12", 0.75))
    }
    stack = with_roles(make_stack, "aster", layers)
    assert spectral_index(*stack.values(), index="aster_quartz").values[0, 0] == pytest.approx(1.35)


def test_ratios_and_differences(make_stack):
    layers = bands("a", "b")
    layers["a"][0, :2], layers["b"][0, 1:3] = 0, [-0.01, 0]
    stack = make_stack(**layers)
    a, b = (np.where(x > 0, x, np.nan) for x in layers.values())
    np.testing.assert_allclose(band_ratio(*stack.values()).values, a / b, rtol=1e-6)
    got = normalised_difference(*stack.values()).values
    np.testing.assert_allclose(got, (a - b) / (a + b), rtol=1e-5, atol=1e-6)


def test_numbers_with_an_offset_are_no_reflectance_yet(make_stack):
    numbers = make_stack(a=np.array([[8000.0, np.nan]], np.float32))
    got = reflectance(numbers["a"], scale=0.0000275, offset=-0.2).values
    np.testing.assert_allclose(got, [[0.02, np.nan]], atol=1e-6)


def test_what_is_masked_or_cannot_be_judged_is_a_gap(make_stack):
    layer = np.array([[1, 2, 3, 4, np.nan]], np.float32)
    by = np.array([[0.1, 0.5, np.nan, 0.9, 0.5]], np.float32)
    stack = make_stack(a=layer, ndvi=by)
    nan = np.nan
    for limits, want in (
        ({"above": 0.5}, [1, 2, nan, nan, nan]),
        ({"below": 0.5}, [nan, 2, nan, 4, nan]),
        ({"above": 0.6, "below": 0.2}, [nan, 2, nan, nan, nan]),
    ):
        np.testing.assert_array_equal(masked(stack["a"], stack["ndvi"], **limits).values, [want])
    with pytest.raises(RecipeError, match="takes a limit"):
        masked(stack["a"], stack["ndvi"])


def test_a_row_needs_no_layers_named_and_is_masked_by_another(make_stack):
    layers = bands("b1", "b2", "b3n", "b4", "b5", "b6", gaps=0.0)
    stack = with_roles(make_stack, "aster", layers)
    rows = [
        {"name": "ndvi", "operation": "spectral_index", "index": "aster_ndvi", "keep": False},
        {"name": "raw", "operation": "spectral_index", "index": "aster_clay", "keep": False},
        {"name": "clay", "operation": "masked", "of": ["raw", "ndvi"], "above": 0.3},
        {"name": "quartz", "operation": "spectral_index", "index": "aster_quartz"},
    ]
    built = FeatureBuilder(rows).fit(stack)
    assert built.feature_names == ["clay"]
    assert [spec.name for spec in built.missing_] == ["quartz"]
    got = built.transform(stack).values[0]
    v = {n: x.astype(np.float64) for n, x in layers.items()}
    green = (v["b3n"] - v["b2"]) / (v["b3n"] + v["b2"]) > 0.3
    assert 0.1 < green.mean() < 0.9
    np.testing.assert_allclose(
        got, np.where(green, np.nan, (v["b4"] + v["b6"]) / v["b5"]), rtol=1e-5
    )


def test_bands_in_another_order_are_refused(make_stack):
    stack = with_roles(make_stack, "aster", bands("b5", "b7", "b6"))
    with pytest.raises(RecipeError, match=r"but aster.b6 came where aster.b7 belongs"):
        spectral_index(stack["b5"], stack["b6"], stack["b7"], index="aster_sericite")
    with pytest.raises(RecipeError, match="but 2 layers came"):
        spectral_index(stack["b5"], stack["b6"], index="aster_sericite")
    with pytest.raises(RecipeError, match="'s': There is no spectral index 'aster_sericit': did"):
        FeatureBuilder(
            [{"name": "s", "operation": "spectral_index", "index": "aster_sericit"}]
        ).fit(stack)
