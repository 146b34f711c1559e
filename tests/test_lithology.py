"""Shares of classes and contacts between them."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prospect.errors import RecipeError
from prospect.features import (
    FeatureBuilder,
    class_share,
    contact_distance,
    contact_length,
    contact_proximity,
)
from prospect.features.lithology import group_codes
from prospect.features.plan import make_plan
from prospect.grid import Cell, Window

CELLS = [Cell(100.0, 100.0), Cell(250.0, 80.0)]
TABLE = {"classes": {0: "shale", 1: "carbonate", 2: "granite"}}
PAIR = {"classes": ["shale"], "others": ["carbonate"], "codes": [0], "other_codes": [1]}


def rocks(shape, gaps=0.0, seed=0):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 3, shape).astype(np.int32)
    codes[rng.random(shape) < gaps] = -1
    return codes


@pytest.mark.parametrize("gaps", [0.0, 0.02, 0.6])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("shape", [(20, 24), (1, 30), (30, 1), (1, 1)])
def test_share_is_the_mean_of_the_flags_of_valid_cells(shape, cell, gaps):
    layer = rocks(shape, gaps)
    flags = np.where(layer < 0, np.nan, np.isin(layer, [0, 2]))
    options = {"classes": ["shale", "granite"], "codes": [0, 2], "shape": "square"}
    got = naive.apply(class_share, layer, cell, radius=300.0, **options)
    want = naive.focal(flags, *cell.halo(300.0), np.mean)
    np.testing.assert_allclose(got, want, atol=1e-6)


@pytest.mark.parametrize("gaps", [0.0, 0.02, 0.6])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("shape", [(20, 24), (1, 30), (30, 1), (1, 1)])
def test_contact_distance_against_its_oracle(shape, cell, gaps):
    layer = rocks(shape, gaps)
    layer[: shape[0] // 2] = np.where(layer[: shape[0] // 2] == 1, 2, layer[: shape[0] // 2])
    got = naive.apply(contact_distance, layer, cell, cap=700.0, **PAIR)
    want = naive.distance(naive.contacts(layer, [0], [1]), *cell, 700.0)
    np.testing.assert_allclose(got, want, rtol=2e-6)
    near = naive.apply(contact_proximity, layer, cell, scale=200.0, cap=700.0, **PAIR)
    np.testing.assert_allclose(near, np.exp(-want / 200), rtol=1e-5)


def test_rocks_that_do_not_touch_have_no_contact():
    layer = np.full((9, 30), 2, np.int32)
    layer[:, :10], layer[:, 11:20] = 0, 1
    assert (naive.apply(contact_distance, layer, CELLS[0], cap=500.0, **PAIR) == 500).all()
    layer[:, 10] = -1
    assert (naive.apply(contact_distance, layer, CELLS[0], cap=500.0, **PAIR) == 500).all()
    layer[:, 10] = 0
    got = naive.apply(contact_distance, layer, CELLS[0], cap=500.0, **PAIR)
    np.testing.assert_array_equal(got[4, 8:14], [200, 100, 0, 0, 100, 200])


@pytest.mark.parametrize("degrees", range(0, 180, 10))
def test_a_contact_has_about_its_length_whichever_way_it_runs(degrees):
    y, x = np.mgrid[-60:61, -60:61]
    angle = np.radians(degrees)
    layer = (y * np.cos(angle) + x * np.sin(angle) > 0.37).astype(np.int32)
    got = naive.apply(contact_length, layer, Cell(10.0, 10.0), radius=500.0, **PAIR)[60, 60]
    # A chord through a circle of 500 m: 1 km in 0.785 km2.
    assert got * np.pi * 0.25 == pytest.approx(1.0, rel=0.07)


def test_contact_lengths_are_right_on_average_and_skip_gaps():
    y, x = np.mgrid[-60:61, -60:61]
    ring = (np.hypot(y, x) < 40).astype(np.int32)
    options = {"radius": 600.0, "shape": "square", **PAIR}
    got = naive.apply(contact_length, ring, Cell(10.0, 10.0), **options)[60, 60]
    assert got * 1.21**2 == pytest.approx(2 * np.pi * 0.4, rel=0.02)
    half = np.where(x < 0, -1, ring).astype(np.int32)
    got = naive.apply(contact_length, half, Cell(10.0, 10.0), **options)
    assert got[60, 60] * 1.21 * 0.61 == pytest.approx(np.pi * 0.4, rel=0.03)
    assert np.isnan(got[:, :60]).all()


@settings(max_examples=15, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    tile=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    cell=st.sampled_from(CELLS),
    window=st.sampled_from(["square", "circle"]),
    gaps=st.sampled_from([0.0, 0.02, 0.6]),
    seed=st.integers(0, 99),
)
def test_a_tile_equals_the_whole_to_the_bit(shape, tile, cell, window, gaps, seed):
    layer = rocks(shape, gaps, seed)
    for operation, options in (
        (class_share, {"classes": ["shale"], "codes": [0], "radius": 300.0, "shape": window}),
        (contact_distance, {"cap": 500.0, **PAIR}),
        (contact_proximity, {"scale": 200.0, "cap": 500.0, **PAIR}),
        (contact_length, {"radius": 300.0, "shape": window, **PAIR}),
    ):
        whole = naive.apply(operation, layer, cell, 8, **options)
        tiled = naive.apply(operation, layer, cell, 8, tile, **options)
        np.testing.assert_array_equal(whole.view(np.uint32), tiled.view(np.uint32))


def test_groups_are_learned_by_name_in_a_recipe(make_stack):
    layer = rocks((30, 40), 0.1)
    stack = make_stack(rock=layer, attrs={"rock": TABLE})
    row = {"name": "c", "operation": "contact_distance", "of": "rock", "cap": 900}
    rows = [row | {"classes": "shale", "others": ["carbonate"]}]
    built = FeatureBuilder(rows).fit_transform(stack)
    want = naive.distance(naive.contacts(layer, [0], [1]), 100, 100, 900.0)
    np.testing.assert_allclose(built.values[0], want, rtol=2e-6)
    assert group_codes(layer, TABLE, classes=["shale"], others=[])["other_codes"] == [1, 2]
    direct = contact_distance(stack["rock"], classes=["shale"], cap=900.0)
    want = naive.distance(naive.contacts(layer, [0], [1, 2]), 100, 100, 900.0)
    np.testing.assert_allclose(direct.values, want, rtol=2e-6)


def test_a_map_without_the_other_group_leaves_the_row_out(make_stack):
    stack = make_stack(rock=rocks((9, 9)), attrs={"rock": TABLE})
    row = {"operation": "contact_distance", "of": "rock", "classes": ["shale"]}
    rows = [row | {"name": "a", "others": ["schist"]}, row | {"name": "b"}]
    built = FeatureBuilder(rows).fit(stack)
    assert built.feature_names == ["b"]
    assert [spec.name for spec in built.missing_] == ["a"]


def test_what_it_refuses():
    with pytest.raises(RecipeError, match="shale is in both"):
        group_codes(None, TABLE, classes=["shale"], others=["shale", "granite"])
    with pytest.raises(RecipeError, match="no class 'granit': did you mean granite"):
        group_codes(None, TABLE, classes=["shale"], others=["granit"])
    with pytest.raises(RecipeError, match="no table of classes"):
        group_codes(None, {}, classes=["shale"], others=["granite"])
    with pytest.raises(RecipeError, match="'radius' is a length"):
        naive.apply(contact_length, rocks((5, 5)), CELLS[0], radius=0.0, **PAIR)


@pytest.mark.parametrize("gaps", [0.0, 0.1, 0.6])
@pytest.mark.parametrize("shape", ["square", "circle"])
def test_shares_counted_together_are_those_alone(make_stack, gaps, shape):
    table = {k: f"rock {k}" for k in range(6)}
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 6, (70, 90)).astype(np.int32)
    codes[rng.random(codes.shape) < gaps] = -1
    codes[:3, :3] = 2**31 - 1
    stack = make_stack(rock=codes, attrs={"rock": {"classes": table}})
    # Groups overlap, and one class is in none.
    groups = [["rock 0"], ["rock 0", "rock 1"], ["rock 4", "rock 1", "rock 0"], ["rock 3"]]
    rows = [
        {
            "name": str(k),
            "operation": "class_share",
            "of": "rock",
            "classes": group,
            "radius": 400,
            "shape": shape,
        }
        for k, group in enumerate(groups)
    ]
    built = FeatureBuilder(rows).fit(stack)
    assert len(make_plan(built.steps_, built.cell_).calls) == 1
    whole = built.transform(stack).values
    inside = None
    if shape == "circle":
        y, x = np.mgrid[-4:5, -4:5]
        inside = np.hypot(y, x) <= 4
    for k, group in enumerate(groups):
        alone = class_share(stack["rock"], classes=group, radius=400, shape=shape)
        np.testing.assert_array_equal(alone.values, whole[k])
        flags = np.where(codes < 0, np.nan, np.isin(codes, [int(name[-1]) for name in group]))
        want = naive.focal(flags, 4, 4, np.mean, inside=inside)
        np.testing.assert_allclose(whole[k], want, atol=1e-6)
    part = built.transform(stack, Window(13, 21, 40, 50)).values
    np.testing.assert_array_equal(part, whole[:, 13:53, 21:71])


def test_shares_of_a_wide_map_do_not_show_where_columns_were_parted():
    layer = rocks((12, 1500), 0.1)
    options = {"classes": ["shale"], "codes": [0], "shape": "square", "radius": 900.0}
    whole = naive.apply(class_share, layer, CELLS[0], **options)
    near = naive.apply(class_share, layer[:, 900:1200], CELLS[0], **options)
    np.testing.assert_array_equal(whole[:, 909:1191], near[:, 9:-9])


def test_a_row_is_content_with_the_classes_that_the_map_has(make_stack):
    stack = make_stack(rock=rocks((20, 24)), attrs={"rock": TABLE})
    row = {"operation": "class_share", "of": "rock", "radius": 300}
    rows = [
        {"name": "some", "classes": ["shale", "marble"], **row},
        {"name": "same", "classes": ["shale"], **row},
        {"name": "none", "classes": ["marble"], **row},
    ]
    built = FeatureBuilder(rows).fit(stack)
    assert built.feature_names == ["some", "same"]
    assert [spec.name for spec in built.missing_] == ["none"]
    assert built.notes_ == ("'some': 'rock' has no class marble",)
    some, same = built.transform(stack).values
    np.testing.assert_array_equal(some, same)
    # Whoever calls the operation is told.
    with pytest.raises(RecipeError, match="has no class 'marble'"):
        class_share(stack["rock"], classes=["shale", "marble"], radius=300)
