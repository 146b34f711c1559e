"""Assays against their background: against oracles, with gaps, by tiles, and what they refuse."""

from __future__ import annotations

import json

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prospect.errors import RecipeError
from prospect.features import (
    FeatureBuilder,
    concentration_area_class,
    ilr_balance,
    levelled_z,
    local_anomaly,
    log_ratio_clr,
    pathfinder_sum,
    quantile_rank,
    ratio,
    value,
    winsorise,
)
from prospect.grid import Cell, Window


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
def test_levelled_z_against_its_oracle(make_stack, field, gaps):
    rock = np.random.default_rng(3).choice([-1, 0, 2, 5], (30, 40), p=[0.1, 0.5, 0.39, 0.01])
    rock = rock.astype(np.int32)
    layer = field((30, 40), gaps=gaps) + np.float32(3) * rock
    stack = make_stack(a=layer, rock=rock)
    got = levelled_z(stack["a"], stack["rock"]).values
    np.testing.assert_allclose(got, naive.levelled_z(layer, rock), atol=2e-5)
    # The step between rocks is gone.
    medians = [np.nanmedian(got[rock == code]) for code in (0, 2)]
    np.testing.assert_allclose(medians, 0, atol=1e-5)


def test_a_rock_never_seen_is_levelled_by_the_whole():
    layer, rock = np.array([[5, 5, 5]], np.float32), np.array([[1, 2**31 - 1, -1]], np.int32)
    out = np.empty_like(layer)
    options = {"codes": [1], "medians": [1.0, 3.0], "spreads": [2.0, 1.0]}
    levelled_z.compute(layer, rock, out=out, cell=Cell(1, 1), **options)
    np.testing.assert_array_equal(out, [[2, 2, np.nan]])
    options = {"codes": [], "medians": [1.0], "spreads": [2.0]}
    levelled_z.compute(layer, rock, out=out, cell=Cell(1, 1), **options)
    np.testing.assert_array_equal(out, [[2, 2, np.nan]])


@pytest.mark.parametrize("gaps", [0.0, 0.02, 0.6])
@pytest.mark.parametrize("cell", [Cell(100.0, 100.0), Cell(60.0, 90.0)])
@pytest.mark.parametrize("shape", ["circle", "square"])
@pytest.mark.parametrize("inner", [0.0, 130.0])
def test_local_anomaly_against_its_oracle(cell, gaps, shape, inner):
    layer = naive.field((18, 22), gaps, offset=1000)
    got = naive.apply(local_anomaly, layer, cell, 8, outer=300.0, inner=inner, shape=shape)
    rows, cols = cell.halo(300.0)
    y, x = np.mgrid[-rows : rows + 1, -cols : cols + 1]
    if shape == "circle":
        inside = np.hypot(y * cell.dy, x * cell.dx) <= inner
        whole = np.hypot(y * cell.dy, x * cell.dx) <= 300.0 + 1e-6
    else:
        near = cell.halo(inner)
        inside = (abs(y) <= near[0]) & (abs(x) <= near[1])
        whole = np.ones_like(inside)
    want = naive.local_anomaly(layer, inside, whole & ~inside, rows, cols)
    np.testing.assert_allclose(got, want, atol=1e-3)


def test_a_spike_stands_out_of_a_plane_and_the_plane_does_not():
    y, x = np.mgrid[:41, :41]
    plane = (3 * x - 2 * y).astype(np.float32)
    plane[20, 20] += 50
    got = naive.apply(local_anomaly, plane, Cell(10.0, 10.0), outer=50.0)
    assert got[20, 20] == pytest.approx(50, abs=1e-3)
    assert abs(got[8:12, 8:12]).max() < 1e-3


@settings(max_examples=10, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    tile=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    gaps=st.sampled_from([0.0, 0.02, 0.6]),
    seed=st.integers(0, 99),
)
def test_a_tile_of_an_anomaly_equals_the_whole_to_the_bit(shape, tile, gaps, seed):
    layer = naive.field(shape, gaps, seed=seed)
    options = {"outer": 35.0, "inner": 10.0}
    whole = naive.apply(local_anomaly, layer, Cell(10.0, 12.0), 8, **options)
    tiled = naive.apply(local_anomaly, layer, Cell(10.0, 12.0), 8, tile, **options)
    np.testing.assert_array_equal(whole.view(np.uint32), tiled.view(np.uint32))


def test_thresholds_lie_where_the_power_law_breaks(make_stack):
    # log area against log concentration falls by 0.2, 1.0 and 3.0, with breaks at 10 and 100.
    n = 40_000
    area = (np.arange(n) + 0.5) / n
    at_10, at_100 = 10**-0.2, 10**-1.2
    values = np.where(
        area > at_10,
        area ** (-1 / 0.2),
        np.where(area > at_100, 10 * (area / at_10) ** -1, 100 * (area / at_100) ** (-1 / 3)),
    )
    values = np.random.default_rng(0).permutation(values).reshape(200, 200).astype(np.float32)
    values[0, :3] = 0, -1, np.nan
    got = concentration_area_class(make_stack(a=values)["a"])
    low, high = values[got.values >= 1].min(), values[got.values == 2].min()
    assert low == pytest.approx(10, rel=0.15)
    assert high == pytest.approx(100, rel=0.15)
    np.testing.assert_array_equal(got.values[0, :3], [0, 0, np.nan])


def test_a_threshold_parts_two_populations(make_stack):
    rng = np.random.default_rng(1)
    background, ore = rng.lognormal(0, 0.5, 38_000), rng.lognormal(4.5, 0.3, 2_000)
    values = rng.permutation(np.concatenate([background, ore])).reshape(200, 200)
    got = concentration_area_class(make_stack(a=values.astype(np.float32))["a"]).values
    # The 5 % of ore are above the upper or the lower threshold, and next to nothing else is.
    ore_rich = values > np.exp(2.5)
    assert (got[ore_rich] >= 1).all()
    assert (got[~ore_rich] == 0).mean() > 0.5
    parted = min(abs((got >= k).mean() - 0.05) for k in (1, 2))
    assert parted < 0.02


@pytest.mark.parametrize("gaps", [0.0, 0.02, 0.6])
def test_ranks_are_even_and_ties_share_theirs(make_stack, field, gaps):
    layer = np.exp(3 * field((60, 70), gaps))
    got = quantile_rank(make_stack(a=layer)["a"]).values
    assert (np.isnan(got) == np.isnan(layer)).all()
    valid = ~np.isnan(layer)
    order = layer[valid].argsort().argsort() / (valid.sum() - 1)
    np.testing.assert_allclose(got[valid], order, atol=0.005)
    tied = np.zeros((10, 10), np.float32)
    tied[:4] = np.arange(1, 41).reshape(4, 10)
    got = quantile_rank(make_stack(a=tied)["a"]).values
    assert got[9, 9] == pytest.approx(0.3, abs=0.01)
    assert got[3, 9] == 1


def test_winsorise_draws_the_tails_in(make_stack, field):
    layer = field((60, 70), 0.1)
    got = winsorise(make_stack(a=layer)["a"], low=0.05, high=0.9).values
    low, high = np.nanquantile(layer, [0.05, 0.9])
    np.testing.assert_allclose(got, np.clip(layer, low, high), rtol=1e-6)


RECIPE = [
    {"name": "clr", "operation": "log_ratio_clr", "of": ["Sb", "As", "Pb"]},
    {"name": "index", "operation": "pathfinder_sum", "of": ["Sb", "As"], "weights": [1, 0.5]},
    {"name": "level", "operation": "levelled_z", "of": ["index", "rock"]},
    {"name": "ring", "operation": "local_anomaly", "of": "level", "outer": 500},
    {"name": "ca", "operation": "concentration_area_class", "of": "Pb"},
    {"name": "rank", "operation": "quantile_rank", "of": "Pb"},
]


def test_a_recipe_of_several_kinds_learns_is_kept_and_runs_by_tiles(make_stack):
    rock = np.random.default_rng(3).integers(-1, 3, (300, 280)).astype(np.int32)
    stack = make_stack(**assays((300, 280), 0.1), rock=rock)
    built = FeatureBuilder(RECIPE).fit(stack)
    assert built.feature_names[:3] == ["clr: Sb", "clr: As", "clr: Pb"]
    assert built.reach() == 500
    whole = built.transform(stack)
    index = pathfinder_sum(stack["Sb"], stack["As"], weights=[1, 0.5])
    np.testing.assert_array_equal(whole.sel(feature="index").values, index.values)
    level = levelled_z(index, stack["rock"])
    np.testing.assert_array_equal(whole.sel(feature="level").values, level.values)
    again = FeatureBuilder.from_dict(json.loads(json.dumps(built.to_dict())))
    part = again.transform(stack, Window(200, 130, 90, 140)).values
    np.testing.assert_array_equal(part, whole.values[:, 200:290, 130:270])


def test_statistics_of_several_layers_do_not_depend_on_the_tile(make_stack, monkeypatch):
    from prospect.features import builder

    rock = np.random.default_rng(3).integers(-1, 3, (90, 70)).astype(np.int32)
    stack = make_stack(**assays((90, 70), 0.1), rock=rock)
    monkeypatch.setattr(builder, "SAMPLE_CELLS", 90 * 70 // 9)
    first = FeatureBuilder(RECIPE[:3]).fit(stack).to_dict()
    monkeypatch.setattr(builder, "FIT_TILE", 1)
    monkeypatch.setattr(builder, "LATTICE", 16)
    assert FeatureBuilder(RECIPE[:3]).fit(stack).to_dict() == first


def test_what_it_refuses(make_stack):
    layers = assays()
    rare = layers["Sb"].copy()
    rare[:12] = 0
    rock = np.zeros((30, 40), np.int32)
    stack = make_stack(**layers, rare=rare, none=np.zeros_like(rare), rock=rock)
    with pytest.raises(RecipeError, match="'rare' is zero or negative, that is undetected, in 4"):
        ratio(stack["rare"], stack["As"])
    with pytest.raises(RecipeError, match="30% is the most here: leave it out, or use share_ab"):
        ilr_balance(stack["As"], stack["Pb"], stack["rare"], numerator=1)
    pathfinder_sum(stack["rare"], stack["As"])
    with pytest.raises(RecipeError, match="80% is the most"):
        pathfinder_sum(stack["none"], stack["As"])
    with pytest.raises(RecipeError, match="'numerator' counts the first layers"):
        ilr_balance(stack["As"], stack["Pb"], numerator=2)
    with pytest.raises(RecipeError, match="two layers at least"):
        log_ratio_clr(stack["As"])
    with pytest.raises(RecipeError, match="no cell in which all"):
        ratio(stack["As"], stack["Pb"] * np.nan)
    with pytest.raises(RecipeError, match="one a layer"):
        pathfinder_sum(stack["As"], stack["Pb"], weights=[1.0])
    with pytest.raises(RecipeError, match="'inner' is a length from 0 to less"):
        local_anomaly(stack["As"], outer=200.0, inner=200.0)
    with pytest.raises(RecipeError, match="widen the ring"):
        local_anomaly(stack["As"], outer=220.0, inner=210.0)
    with pytest.raises(RecipeError, match="15 distinct positive"):
        concentration_area_class(stack["none"])
    with pytest.raises(RecipeError, match="'low' and 'high' are shares"):
        winsorise(stack["As"], low=0.9, high=0.1)


def test_the_number_and_kinds_of_layers_are_checked(make_stack):
    stack = make_stack(**assays(), rock=np.zeros((30, 40), np.int32))
    with pytest.raises(RecipeError, match="'ratio' takes 2 layers, but 3 came"):
        ratio(stack["Sb"], stack["As"], stack["Pb"])
    with pytest.raises(RecipeError, match="'value' takes 1 layer, but 2 came"):
        value(stack["Sb"], stack["As"])
    with pytest.raises(RecipeError, match="takes a categorical layer, but 'As' is continuous"):
        levelled_z(stack["Sb"], stack["As"])
    row = {"name": "r", "operation": "levelled_z", "of": ["rock", "As"]}
    with pytest.raises(RecipeError, match="takes a continuous layer, but 'rock' is categorical"):
        FeatureBuilder([row]).fit(stack)
    with pytest.raises(RecipeError, match="'r': Operation 'levelled_z' takes 2 layers, but 1"):
        FeatureBuilder([row | {"of": "As"}]).fit(stack)
