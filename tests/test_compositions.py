"""Log-ratios and their kin: against oracles, known answers, shared and alone, what they refuse."""

from __future__ import annotations

import naive
import numpy as np
import pytest

from prospect.errors import EvidenceError, RecipeError
from prospect.features import (
    FeatureBuilder,
    clr_components,
    ilr_balance,
    log_ratio_alr,
    log_ratio_clr,
    pathfinder_sum,
    ratio,
)
from prospect.features.plan import make_plan
from prospect.grid import Window

SHAPES = [(30, 40), (1, 900), (900, 1)]


def assays(shape=(30, 40), gaps=0.0, count=4):
    layers = {}
    for seed, name in enumerate(["Sb", "As", "Pb", "Zn"][:count]):
        rng = np.random.default_rng(seed)
        layer = rng.lognormal(seed, 1, shape).astype(np.float32)
        layer[rng.random(shape) < 0.1] = [0, -0.5][seed % 2]
        layer[rng.random(shape) < gaps] = np.nan
        layers[name] = layer
    return layers


@pytest.mark.parametrize("gaps", [0.0, 0.02, 0.6])
@pytest.mark.parametrize("shape", SHAPES)
def test_log_ratios_against_their_oracles(make_stack, shape, gaps):
    layers = assays(shape, gaps, count=2 if gaps > 0.5 else 4)
    stack = make_stack(**layers)
    logs = naive.logarithms(*layers.values())
    got = log_ratio_clr(*stack.values())
    np.testing.assert_allclose(got.values, logs - logs.mean(axis=0), atol=2e-5)
    assert list(got["feature"].values) == list(layers)
    valid = ~np.isnan(got.values)
    assert valid.any() and (valid == valid[0]).all()
    np.testing.assert_allclose(got.values.sum(axis=0)[valid[0]], 0, atol=1e-5)
    first_two = naive.logarithms(layers["Sb"], layers["As"])
    got = ratio(stack["Sb"], stack["As"]).values
    np.testing.assert_allclose(got, first_two[0] - first_two[1], atol=2e-5)
    r, s = 1, len(layers) - 1
    balance = np.sqrt(r * s / (r + s)) * (logs[0] - logs[1:].mean(axis=0))
    got = ilr_balance(*stack.values(), numerator=1).values
    np.testing.assert_allclose(got, balance, atol=2e-5)


def test_balances_keep_the_length_of_a_composition(make_stack):
    # A full set of balances is a rotation of the centred log-ratios.
    layers = {name: np.abs(x) + np.float32(0.1) for name, x in assays().items()}
    stack = make_stack(**layers)
    parts = list(stack.values())
    balances = [
        ilr_balance(*parts, numerator=2),
        ilr_balance(parts[0], parts[1], numerator=1),
        ilr_balance(parts[2], parts[3], numerator=1),
    ]
    clr = log_ratio_clr(*parts).values
    length = sum(np.square(b.values, dtype=np.float64) for b in balances)
    np.testing.assert_allclose(length, np.square(clr, dtype=np.float64).sum(axis=0), rtol=1e-4)


def test_dilution_changes_no_log_ratio(make_stack):
    layers = {name: np.abs(x) + np.float32(0.1) for name, x in assays(count=3).items()}
    weak = {name: x * np.float32(0.25) for name, x in layers.items()}
    for operation, options in ((log_ratio_clr, {}), (ilr_balance, {"numerator": 2})):
        first = operation(*make_stack(**layers).values(), **options).values
        second = operation(*make_stack(**weak).values(), **options).values
        np.testing.assert_allclose(first, second, atol=1e-5)


@pytest.mark.parametrize("gaps", [0.0, 0.02, 0.6])
def test_pathfinder_sum_against_its_oracle(make_stack, gaps):
    layers = assays(gaps=gaps, count=3)
    z = [naive.robust_z(layer) for layer in naive.logarithms(*layers.values())]
    got = pathfinder_sum(*make_stack(**layers).values(), weights=[1, 1, 0.5]).values
    np.testing.assert_allclose(got, (z[0] + z[1] + z[2] / 2) / 2.5, atol=2e-5)
    got = pathfinder_sum(*make_stack(**layers).values()).values
    np.testing.assert_allclose(got, np.mean(z, axis=0), atol=2e-5)


def test_logarithms_are_as_exact_as_float32_allows():
    from prospect._kernels.logarithms import logarithms

    powers = np.random.default_rng(0).uniform(-30, 38, 100_000)
    values = np.concatenate([10.0**powers, [1, 0.70710677, 0.7071068, 1.4142135, 1.0000001]])
    values = values.astype(np.float32)
    out = np.empty_like(values)
    logarithms(values, np.float32(1e-30), out)
    exact = np.log(values.astype(np.float64))
    assert (abs(out - exact) <= 1.5e-7 * np.maximum(abs(exact), 1)).all()
    logarithms(np.array([np.nan, 0, -1, 5], np.float32), np.float32(2), out[:4])
    np.testing.assert_allclose(out[:4], np.log([np.nan, 2, 2, 5]), rtol=1e-6)


@pytest.mark.parametrize("gaps", [0.0, 0.02])
def test_additive_log_ratios_are_against_the_last(make_stack, gaps):
    layers = assays(gaps=gaps)
    *others, last = layers.values()
    want = [np.subtract(*naive.logarithms(layer, last)) for layer in others]
    got = log_ratio_alr(*make_stack(**layers).values())
    np.testing.assert_allclose(got.values, want, atol=2e-5)
    assert list(got["feature"].values) == list(layers)[:-1]


@pytest.mark.parametrize("gaps", [0.0, 0.02])
def test_components_of_centred_log_ratios_against_the_textbook(make_stack, gaps):
    layers = assays(gaps=gaps)
    logs = naive.logarithms(*layers.values())
    clr = (logs - logs.mean(axis=0)).reshape(4, -1)
    seen = clr[:, ~np.isnan(clr[0])]
    vectors = np.linalg.svd(seen - seen.mean(axis=1, keepdims=True))[0][:, :3].T
    largest = vectors[np.arange(3), abs(vectors).argmax(axis=1)]
    vectors *= np.sign(largest)[:, None]
    want = vectors @ (clr - seen.mean(axis=1, keepdims=True))
    got = clr_components(*make_stack(**layers).values())
    np.testing.assert_allclose(got.values.reshape(3, -1), want, atol=5e-5)
    assert list(got["feature"].values) == ["1", "2", "3"]
    spreads = np.nanstd(got.values.reshape(3, -1), axis=1)
    assert (np.diff(spreads) < 0).all()


def test_components_find_the_one_direction_there_is(make_stack):
    # Gold and arsenic rise together, by 2 and 1, in an else constant composition.
    t = np.random.default_rng(0).normal(size=(30, 40))
    one = np.ones_like(t)
    stack = make_stack(
        Au=np.exp(2 * t).astype(np.float32),
        As=np.exp(t).astype(np.float32),
        Ca=one.astype(np.float32),
    )
    row = {"name": "pc", "operation": "clr_components", "of": ["Au", "As", "Ca"], "count": 1}
    built = FeatureBuilder([row]).fit(stack)
    parameters = built.steps_[0].parameters
    np.testing.assert_allclose(parameters["loadings"], [[0.5**0.5, 0, -(0.5**0.5)]], atol=1e-5)
    np.testing.assert_allclose(parameters["explained"], [1], atol=1e-6)
    got = built.transform(stack).values[0]
    np.testing.assert_allclose(got, 2**0.5 * (t - t.mean()), atol=1e-4)


ROWS = [
    {"name": "clr", "operation": "log_ratio_clr", "of": "geochemistry.*"},
    {"name": "alr", "operation": "log_ratio_alr", "of": ["geochemistry.*", "geochemistry.Zn"]},
    {"name": "sb", "operation": "ilr_balance", "of": ["Sb", "geochemistry.*"], "numerator": 1},
    {"name": "ratio", "operation": "ratio", "of": ["Pb", "As"]},
    {"name": "pc", "operation": "clr_components", "of": "geochemistry.*", "count": 2},
    {"name": "z", "operation": "pathfinder_sum", "of": "Zn"},
    {"name": "index", "operation": "pathfinder_sum", "of": ["Sb", "As"], "keep": False},
    {"name": "near", "operation": "focal_mean", "of": "index", "radius": 300},
]


@pytest.fixture
def chemistry(make_stack):
    layers = assays((300, 290), 0.05)
    attrs = {name: {"role": f"geochemistry.{name}"} for name in layers}
    return make_stack(**layers, attrs=attrs)


def test_rows_share_logarithms_to_the_bits_they_have_alone(chemistry):
    built = FeatureBuilder(ROWS).fit(chemistry)
    calls = make_plan(built.steps_, built.cell_).calls
    assert sorted(len(call.steps) for call in calls) == [1, 1, 6]
    whole = built.transform(chemistry).values
    place = 0
    for step in built.steps_:
        if not step.spec.keep:
            continue
        needed = [s for s in built.steps_ if s.name in (step.name, *step.spec.of)]
        alone = FeatureBuilder(ROWS)
        alone.steps_, alone.layers_, alone.cell_ = tuple(needed), built.layers_, built.cell_
        values = alone.transform(chemistry).sel(feature=list(step.columns)).values
        assert values.tobytes() == whole[place : place + len(values)].tobytes(), step.name
        place += len(values)
    assert place == len(whole)
    part = built.transform(chemistry, Window(17, 130, 200, 101)).values
    assert part.tobytes() == np.ascontiguousarray(whole[:, 17:217, 130:231]).tobytes()
    direct = ratio(chemistry["Pb"], chemistry["As"]).values
    np.testing.assert_array_equal(direct, whole[built.feature_names.index("ratio")])


def test_a_star_is_all_assays_but_those_that_are_named(chemistry):
    built = FeatureBuilder(ROWS).fit(chemistry)
    of = {step.name: step.spec.of for step in built.steps_}
    assert of["clr"] == ("Sb", "As", "Pb", "Zn")
    assert of["alr"] == ("Sb", "As", "Pb", "Zn")
    assert of["sb"] == ("Sb", "As", "Pb", "Zn")
    assert [n for n in built.feature_names if n.startswith("clr")] == [
        "clr: Sb",
        "clr: As",
        "clr: Pb",
        "clr: Zn",
    ]
    with pytest.raises(RecipeError, match=r"leave the \* out of its name"):
        FeatureBuilder([ROWS[0] | {"name": "clr_*"}]).fit(chemistry)


def test_what_was_mostly_not_detected_is_left_out_and_said(chemistry):
    chemistry["As"].values[:150] = 0
    with pytest.raises(EvidenceError, match="'As' is zero or negative, that is undetected, in 5"):
        ilr_balance(chemistry["Sb"], chemistry["As"], numerator=1)
    rows = [*ROWS, {"name": "mean", "operation": "focal_mean", "of": "ratio", "radius": 300}]
    built = FeatureBuilder(rows).fit(chemistry)
    names = [step.name for step in built.steps_]
    # A star can do without it, a row that names it cannot, nor one that builds on that.
    assert "ratio" not in names
    assert "mean" not in names
    assert {step.name: step.spec.of for step in built.steps_}["clr"] == ("Sb", "Pb", "Zn")
    told = " ".join(built.notes_)
    assert "'clr' does without 'As': 'As' is zero or negative" in told
    assert "'ratio' is left out: 'As' is zero" in told
    assert "'mean' is left out: it builds on 'ratio'" in told
    assert built.missing_ == ()
    again = FeatureBuilder.from_dict(built.to_dict())
    assert (
        again.transform(chemistry).values.tobytes() == built.transform(chemistry).values.tobytes()
    )


def test_layers_of_rows_left_out_are_not_asked_for(chemistry):
    chemistry["As"].values[:150] = 0
    rows = [ROWS[3], {"name": "v", "operation": "value", "of": "Sb"}]
    built = FeatureBuilder(rows).fit(chemistry)
    assert list(built.layers_) == ["Sb"]
    with pytest.raises(RecipeError, match="No feature of the recipe can be built: 'ratio' is left"):
        FeatureBuilder(rows[:1]).fit(chemistry)


def test_wrong_parameters_still_stop(chemistry):
    row = {"name": "b", "operation": "ilr_balance", "of": ["Sb", "As"], "numerator": 2}
    with pytest.raises(RecipeError, match="'numerator' counts the first layers"):
        FeatureBuilder([row, ROWS[0]]).fit(chemistry)
    with pytest.raises(RecipeError, match="'count' is 1 to 3 components of these 4"):
        FeatureBuilder([ROWS[4] | {"count": 4}]).fit(chemistry)


def test_what_is_not_compiled_computes_the_same():
    import os
    import subprocess
    import sys

    code = (
        "import numpy as np; from prospect.features.logarithms import Mix, alone\n"
        "layers = [np.array([[1, 2, np.nan] * 7, [0, 5, 6] * 7], np.float32) for _ in range(5)]\n"
        "layers[1] = layers[1][::-1] * 3\n"
        "out = np.empty((2, 2, 21), np.float32)\n"
        "mixes = [Mix((0.5,) * 5, ((0, 1.0), (1, -1.0)), shift=2.0)]\n"
        "mixes += [Mix((0.5,) * 5, ((1, 1.0),), mean=-1.0)]\n"
        "alone(layers, out, None, mixes)\n"
        "print(*np.nan_to_num(out, nan=9).ravel().round(4) + 0.0)"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "NUMBA_DISABLE_JIT": off},
            capture_output=True,
            text=True,
            check=True,
            timeout=100,
        ).stdout
        for off in ("0", "1")
    ]
    numbers = [np.array(text.split(), float) for text in told]
    assert numbers[0].size == 84
    np.testing.assert_allclose(*numbers, atol=2e-4)
