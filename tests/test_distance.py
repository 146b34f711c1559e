"""Distances: exact against all pairs, by tiles, for classes, and what they refuse."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prospect.errors import RecipeError
from prospect.features.distance import (
    class_codes,
    distance_to,
    distance_to_classes,
    line_density,
    point_density,
    proximity,
    proximity_to_classes,
    signed_distance_to_classes,
)
from prospect.grid import Cell

CELLS = [Cell(10.0, 10.0), Cell(30.0, 10.0), Cell(28.437, 31.1)]


def sources(shape, share, seed=0):
    return (np.random.default_rng(seed).random(shape) < share).astype(np.float32)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.5, 1.0])
def test_equals_the_nearest_of_all_pairs(cell, share):
    for shape in [(60, 70), (1, 50), (50, 1), (1, 1)]:
        layer = sources(shape, share)
        for cap in (5.0, 120.0, 5000.0):
            got = naive.apply(distance_to, layer, cell, cap=cap)
            want = naive.distance(layer > 0, *cell, cap)
            # Sides are taken in a ratio good to a millionth.
            np.testing.assert_allclose(got, want, rtol=2e-6)


@settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    tile=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    cap=st.sampled_from([7.0, 60.0, 150.0, 900.0]),
    share=st.sampled_from([0.002, 0.02, 0.3]),
    cell=st.sampled_from(CELLS),
    seed=st.integers(0, 99),
)
def test_a_tile_equals_the_whole_to_the_bit(shape, tile, cap, share, cell, seed):
    layer = sources(shape, share, seed)
    for operation, more in ((distance_to, {}), (proximity, {"scale": 40.0})):
        whole = naive.apply(operation, layer, cell, 8, cap=cap, **more)
        tiled = naive.apply(operation, layer, cell, 8, tile, cap=cap, **more)
        np.testing.assert_array_equal(whole.view(np.uint32), tiled.view(np.uint32))


def test_proximity_falls_to_a_third_at_its_scale():
    layer = np.zeros((1, 400), np.float32)
    layer[0, 0] = 1
    got = naive.apply(proximity, layer, Cell(100.0, 100.0), scale=500.0)
    assert got[0, 0] == 1
    assert got[0, 5] == pytest.approx(np.exp(-1), rel=1e-6)
    # The default cap of 10 km, 20 scales away.
    assert got[0, 399] == pytest.approx(np.exp(-20), rel=1e-5)
    far = naive.apply(proximity, layer, Cell(100.0, 100.0), scale=5000.0)
    assert far[0, 399] == pytest.approx(np.exp(-4), rel=1e-5)


def test_classes_are_learned_by_name_and_gaps_are_no_source():
    table = {0: "granite", 3: "limestone", 7: "Сланец"}
    codes = class_codes(np.array([0, 3]), {"classes": table}, classes=["Сланец", "granite"])
    assert codes == {"codes": [0, 7]}
    layer = np.full((9, 9), 3, np.int32)
    layer[0, 0], layer[0, 1], layer[8, 8] = 7, -1, -1
    cell = Cell(10.0, 20.0)
    got = naive.apply(distance_to_classes, layer, cell, classes=["Сланец"], codes=[7], cap=1000.0)
    np.testing.assert_allclose(got, naive.distance(layer == 7, *cell, 1000.0), rtol=2e-6)
    near = naive.apply(
        proximity_to_classes, layer, cell, classes=["Сланец"], codes=[7], scale=100.0
    )
    np.testing.assert_allclose(near, np.exp(-got / 100), rtol=1e-5)


def test_a_class_that_no_cell_shows_is_nowhere_near():
    layer = np.full((4, 4), 2, np.int32)
    got = naive.apply(distance_to_classes, layer, CELLS[0], classes=["a"], codes=[9], cap=50.0)
    assert (got == 50).all()


def test_signed_distance_is_negative_inside_and_gaps_bound_nothing():
    layer = np.full((20, 24), 2, np.int32)
    layer[5:15, 4:18] = 1
    layer[8, 8] = layer[0, 0] = -1
    layer[:, -1] = -1
    got = naive.apply(
        signed_distance_to_classes, layer, CELLS[1], classes=["a"], codes=[1], cap=60.0
    )
    outside = naive.distance(layer == 1, *CELLS[1], 60.0)
    inside = naive.distance(layer == 2, *CELLS[1], 60.0)
    np.testing.assert_allclose(got, np.where(layer == 1, -inside, outside), rtol=2e-6)


@pytest.mark.parametrize("shape", ["square", "circle"])
def test_points_per_square_kilometre_of_the_grid(shape):
    cell, layer = Cell(100.0, 50.0), sources((30, 40), 0.05)
    got = naive.apply(point_density, layer, cell, 8, radius=300.0, shape=shape)
    y, x = np.mgrid[-3:4, -6:7]
    inside = np.hypot(y * 100, x * 50) <= (300 if shape == "circle" else np.inf)
    seen = naive.windows(layer, 3, 6, inside)
    np.testing.assert_allclose(got, np.nanmean(seen, axis=-1) / 0.005, rtol=1e-6)


@pytest.mark.parametrize("degrees", range(0, 180, 15))
def test_a_line_has_about_its_length_whichever_way_it_runs(degrees):
    cell, side = Cell(10.0, 10.0), 201
    layer = np.zeros((side, side), np.float32)
    way = np.array([np.sin(np.radians(degrees)), np.cos(np.radians(degrees))])
    # One cell a step along the longer axis, as a line is burnt in.
    way /= np.abs(way).max()
    rows, cols = np.round(100 + np.outer(way, np.arange(-60, 61))).astype(int)
    layer[rows, cols] = 1
    got = naive.apply(line_density, layer, cell, radius=1000.0, shape="square")[100, 100]
    length = 1.2 * np.hypot(*way)
    assert got * 2.01**2 == pytest.approx(length, rel=0.06)


def test_crossings_and_corners_are_not_counted_twice():
    layer = np.zeros((21, 21), np.float32)
    layer[10, 5:16] = 1
    layer[5:16, 10] = 1
    got = naive.apply(line_density, layer, Cell(10.0, 10.0), radius=100.0, shape="square")[10, 10]
    assert got * 0.21**2 == pytest.approx(0.2 * 0.948, rel=1e-5)


@settings(max_examples=15, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    tile=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    window=st.sampled_from(["square", "circle"]),
    seed=st.integers(0, 99),
)
def test_densities_and_signs_are_the_same_by_tiles(shape, tile, window, seed):
    layer = sources(shape, 0.2, seed)
    codes = layer.astype(np.int32) - sources(shape, 0.1, seed + 1).astype(np.int32)
    codes = np.maximum(codes, -1)
    named = {"classes": ["a"], "codes": [1], "cap": 80.0}
    for operation, values, more in (
        (point_density, layer, {"radius": 50.0, "shape": window}),
        (line_density, layer, {"radius": 50.0, "shape": window}),
        (signed_distance_to_classes, codes, named),
        (distance_to_classes, codes, named),
    ):
        whole = naive.apply(operation, values, CELLS[0], 8, **more)
        tiled = naive.apply(operation, values, CELLS[0], 8, tile, **more)
        np.testing.assert_array_equal(whole.view(np.uint32), tiled.view(np.uint32))


def test_what_it_refuses():
    layer = sources((5, 5), 0.5)
    with pytest.raises(RecipeError, match="'cap' is a length"):
        naive.apply(distance_to, layer, CELLS[0], cap=0.0)
    with pytest.raises(RecipeError, match="'scale' is a length"):
        naive.apply(proximity, layer, CELLS[0], scale=-1.0)
    table = {"classes": {1: "granite"}}
    with pytest.raises(RecipeError, match="no class 'granit': did you mean granite"):
        class_codes(None, table, classes=["granit"])
    with pytest.raises(RecipeError, match="no table of classes"):
        class_codes(None, {}, classes=["granite"])
    with pytest.raises(RecipeError, match="at least one class"):
        class_codes(None, table, classes=[])
