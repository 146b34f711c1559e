"""Operations on one cell at a time."""

import naive
import numpy as np
import pytest

from prospect.errors import RecipeError
from prospect.features import (
    FeatureBuilder,
    bands,
    class_code,
    get_operation,
    log,
    one_hot,
    operations,
    power_transform,
    robust_z,
    value,
)


def test_value_is_the_layer(make_stack, field):
    stack = make_stack(a=field())
    np.testing.assert_array_equal(value(stack["a"]).values, stack["a"].values)


def test_log_against_its_oracle_and_floor(make_stack, field):
    values = np.abs(field(gaps=0.3)) + np.float32(0.001)
    values[0, :3] = 0, -5, np.nan
    result = log(make_stack(a=values)["a"])
    np.testing.assert_allclose(result.values, naive.log(values), rtol=1e-5, atol=1e-6)
    assert result.attrs["units"] == "log10()"
    np.testing.assert_allclose(log(make_stack(a=values)["a"], floor=1.0).values[0, :2], 0.0)


def test_log_refuses_a_layer_without_positive_values(make_stack):
    with pytest.raises(RecipeError, match="needs positive values"):
        log(make_stack(a=np.full((3, 3), -1, np.float32))["a"])


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_robust_z_against_its_oracle(make_stack, field, offset):
    values = field(gaps=0.6) + np.float32(offset)
    result = robust_z(make_stack(a=values)["a"]).values
    # float32 resolves 1e6 to 1/16, so noise of 1 keeps about one digit there.
    np.testing.assert_allclose(result, naive.robust_z(values), atol=1e-5 if offset == 0 else 0.1)
    assert np.isnan(result).sum() == np.isnan(values).sum()


def test_robust_z_of_a_constant_is_zero_and_of_gaps_is_refused(make_stack):
    np.testing.assert_array_equal(robust_z(make_stack(a=np.ones((4, 5), np.float32))["a"]), 0)
    with pytest.raises(RecipeError, match="gaps only"):
        robust_z(make_stack(a=np.full((4, 5), np.nan, np.float32))["a"])


def test_robust_z_of_a_mostly_constant_layer_uses_the_deviation(make_stack):
    values = np.zeros((10, 10), np.float32)
    values[0, 0] = 10
    result = robust_z(make_stack(a=values)["a"]).values
    np.testing.assert_allclose(result[0, 0], 10 / values.std(), rtol=1e-5)


def test_one_hot_against_its_oracle(make_stack):
    rng = np.random.default_rng(1)
    codes = rng.integers(-1, 6, (30, 20)).astype(np.int32)
    stack = make_stack(geology=codes, attrs={"geology": {"classes": {2: "carbonate"}}})
    result = one_hot(stack["geology"])
    np.testing.assert_array_equal(result.values, naive.one_hot(codes, range(6)))
    assert list(result["feature"].values) == ["0", "1", "carbonate", "3", "4", "5"]


def test_one_hot_drops_rare_classes_and_keeps_the_commonest(make_stack):
    codes = np.zeros((100, 100), np.int32)
    codes[0, 0] = 1
    codes[1:20] = 2
    codes[20:25] = 3
    result = one_hot(make_stack(g=codes)["g"])
    assert list(result["feature"].values) == ["0", "2", "3"]
    assert result.values[:, 0, 0].sum() == 0
    result = one_hot(make_stack(g=codes)["g"], max_classes=2)
    assert list(result["feature"].values) == ["0", "2"]


def test_parameters_are_checked(make_stack, field):
    stack = make_stack(a=field(), g=np.zeros((40, 50), np.int32))
    with pytest.raises(RecipeError, match="has no parameter 'colour'; it takes"):
        robust_z(stack["a"], colour=3)
    with pytest.raises(RecipeError, match="needs the parameter 'radius'"):
        get_operation("focal_mean")(stack["a"])
    with pytest.raises(RecipeError, match="is a number, but 'wide' came"):
        get_operation("focal_mean")(stack["a"], radius="wide")
    with pytest.raises(RecipeError, match="takes a continuous layer, but 'g' is categorical"):
        robust_z(stack["g"])
    with pytest.raises(RecipeError, match="did you mean focal_mean"):
        get_operation("focal_meen")


def test_every_operation_documents_itself():
    for name, each in operations().items():
        text = each.__doc__ or ""
        assert each.name == name
        for part in ("Parameters", "Returns"):
            assert part in text, f"{name} has no {part}"
        assert "ap" in text.split("Returns")[1], f"{name} does not say what becomes of gaps"


@pytest.mark.parametrize("method", ["box-cox", "yeo-johnson"])
def test_power_transform_against_scikit_learn(make_stack, field, method):
    from sklearn.preprocessing import PowerTransformer

    layer = np.exp(field((60, 70), 0.1)) + np.float32(0.1)
    if method == "yeo-johnson":
        layer -= np.float32(1)
    got = power_transform(make_stack(a=layer)["a"], method=method).values
    want = PowerTransformer(method).fit_transform(layer.reshape(-1, 1).astype(np.float64))
    np.testing.assert_allclose(got, want.reshape(layer.shape), atol=2e-4)


def test_box_cox_of_a_lognormal_layer_is_its_logarithm(make_stack):
    z = np.random.default_rng(0).normal(size=(200, 200)).astype(np.float32)
    stack = make_stack(a=np.exp(z), b=z)
    learned = power_transform.learn(np.exp(z).ravel(), {}, method="box-cox")
    assert abs(learned["exponent"]) < 0.02
    got = power_transform(stack["a"], method="box-cox").values
    np.testing.assert_allclose(got[abs(z) < 2], z[abs(z) < 2], atol=0.06)
    # A normal layer stays as it is.
    assert power_transform.learn(z.ravel(), {})["exponent"] == pytest.approx(1, abs=0.02)


def test_power_transform_is_frozen_and_takes_what_was_not_detected(make_stack, field):
    layer = np.exp(field((40, 50), 0.0))
    layer[0, :3] = 0, -1, np.nan
    for method in ("box-cox", "yeo-johnson"):
        row = {"name": "p", "operation": "power_transform", "of": "a", "method": method}
        built = FeatureBuilder([row]).fit(make_stack(a=layer))
        whole = built.transform(make_stack(a=layer)).values[0]
        assert np.isnan(whole[0, 2])
        assert np.isfinite(whole).sum() == whole.size - 1
        other = built.transform(make_stack(a=layer[20:])).values[0]
        np.testing.assert_array_equal(other, whole[20:])


def test_what_a_power_transform_refuses(make_stack):
    stack = make_stack(a=np.full((4, 5), -2, np.float32))
    with pytest.raises(RecipeError, match="needs positive values"):
        power_transform(stack["a"], method="box-cox")
    with pytest.raises(RecipeError, match="two different values"):
        power_transform(stack["a"])
    with pytest.raises(RecipeError, match="'method' is 'box-cox' or"):
        power_transform(stack["a"], method="log")


def test_class_codes_are_numbers_with_gaps(make_stack):
    got = class_code(make_stack(a=np.array([[3, -1, 70_000]], np.int32))["a"]).values
    np.testing.assert_array_equal(got, [[3, np.nan, 70_000]])


def test_bands_hold_their_upper_edge(make_stack):
    values = np.array([[-1, 0, 1, 150, 151, 600, 601, np.nan]], np.float32)
    made = bands(make_stack(a=values)["a"], edges=[0, 150, 600])
    assert made.values[:, 0].tolist()[0][:7] == [1, 1, 0, 0, 0, 0, 0]
    assert made.values[1, 0].tolist()[:7] == [0, 0, 1, 1, 0, 0, 0]
    assert made.values[2, 0].tolist()[:7] == [0, 0, 0, 0, 1, 1, 0]
    assert made.values[3, 0].tolist()[:7] == [0, 0, 0, 0, 0, 0, 1]
    assert np.isnan(made.values[:, 0, 7]).all()
    row = {"name": "b", "operation": "bands", "of": "a", "edges": [0, 150, 600]}
    built = FeatureBuilder([row]).fit(make_stack(a=values))
    assert built.feature_names == ["b: to 0", "b: 0–150", "b: 150–600", "b: over 600"]
    with pytest.raises(RecipeError, match="edges of bands are rising numbers"):
        bands(make_stack(a=values)["a"], edges=[150, 0])
