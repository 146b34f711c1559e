"""Shape of the ground: by the books, on known surfaces, by tiles, and what it refuses."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prospect.errors import RecipeError
from prospect.features import get_operation
from prospect.features.terrain import (
    OUTPUTS,
    aspect,
    hillshade,
    slope,
    terrain_derivatives,
    topographic_position,
    vector_ruggedness,
)
from prospect.grid import Cell

CELLS = [Cell(30.0, 30.0), Cell(20.0, 50.0)]


def relief(shape, gaps=0.0, offset=0.0, height=20.0):
    return height * naive.field(shape, gaps, 0.0) + np.float32(offset)


def turn(got, want):
    """Least turn between two azimuths."""
    return np.abs((got - want + 180) % 360 - 180)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("gaps", [0.0, 0.02, 0.6])
@pytest.mark.parametrize("method", ["horn", "zevenbergen-thorne"])
def test_every_output_follows_the_books(cell, gaps, method):
    for shape in [(20, 25), (1, 30), (30, 1), (2, 2), (3, 3)]:
        layer = relief(shape, gaps)
        got = naive.apply(terrain_derivatives, layer, cell, outputs=list(OUTPUTS), method=method)
        want = naive.terrain(layer, *cell, method == "horn")
        for plane, name in zip(got, OUTPUTS, strict=True):
            if name == "aspect":
                assert (np.isnan(plane) == np.isnan(want[name])).all()
                assert np.nanmax(turn(plane, want[name]), initial=0) < 1e-4
            else:
                tolerance = 1e-7 if "curvature" in name else 2e-5
                np.testing.assert_allclose(
                    plane, want[name], rtol=3e-5, atol=tolerance, err_msg=name
                )


@pytest.mark.parametrize("method", ["horn", "zevenbergen-thorne"])
def test_single_operations_are_planes_of_the_fused_one(method):
    layer = relief((20, 25), 0.02)
    together = naive.apply(
        terrain_derivatives, layer, CELLS[1], outputs=list(OUTPUTS), method=method
    )
    for plane, name in zip(together, OUTPUTS, strict=True):
        if name == "position":
            continue
        operation = get_operation(name)
        more = {"method": method} if "method" in operation.signature.parameters else {}
        alone = naive.apply(operation, layer, CELLS[1], **more)
        np.testing.assert_array_equal(plane, alone, err_msg=name)


@pytest.mark.parametrize("offset", [0.0, 4000.0])
@pytest.mark.parametrize("height", [0.002, 1.0, 300.0])
def test_angles_are_good_to_a_hundredth_of_a_degree_on_flats_and_cliffs(offset, height):
    layer = relief((200, 200), offset=offset, height=height)
    want = naive.terrain(layer, *CELLS[0])
    got = naive.apply(slope, layer, CELLS[0])
    assert np.nanmax(np.abs(got - want["slope"])) < 1e-4
    got = naive.apply(aspect, layer, CELLS[0])
    assert np.nanmax(turn(got, want["aspect"])) < 1e-4


@pytest.mark.parametrize("azimuth", [0, 37, 90, 135, 180, 225, 270, 359])
def test_a_plane_falls_where_it_falls(azimuth):
    dy, dx = cell = CELLS[1]
    y, x = np.mgrid[:9, :9]
    down = np.radians(azimuth)
    layer = -np.tan(np.radians(20)) * (np.sin(down) * x * dx - np.cos(down) * y * dy)
    planes = naive.apply(
        terrain_derivatives,
        layer.astype(np.float32),
        cell,
        outputs=["slope", "aspect", "total_curvature"],
    )
    inner = planes[:, 1:-1, 1:-1]
    np.testing.assert_allclose(inner[0], 20, atol=1e-4)
    assert turn(inner[1], azimuth).max() < 1e-3
    np.testing.assert_allclose(inner[2], 0, atol=1e-7)
    assert np.isnan(planes[:, 0]).all()


def test_a_flat_has_no_aspect_and_no_curvature():
    layer = np.full((5, 5), 700, np.float32)
    got = naive.apply(terrain_derivatives, layer, CELLS[0], outputs=list(OUTPUTS))[:, 2, 2]
    want = dict.fromkeys(OUTPUTS, 0.0) | {"aspect": np.nan, "hillshade": np.sqrt(0.5)}
    np.testing.assert_allclose(got, [want[name] for name in OUTPUTS], rtol=1e-6)


def test_a_ridge_is_convex_and_a_gully_concave():
    y, x = np.mgrid[:7, :7].astype(np.float32)
    ridge = -((x - 3) ** 2) - 5 * y
    names = ["plan_curvature", "profile_curvature", "total_curvature"]
    up = naive.apply(terrain_derivatives, ridge, Cell(1.0, 1.0), outputs=names)[:, 3, 3]
    down = naive.apply(terrain_derivatives, -ridge, Cell(1.0, 1.0), outputs=names)[:, 3, 3]
    np.testing.assert_allclose(up, [2, 0, 2], atol=1e-6)
    np.testing.assert_allclose(down, [-2, 0, -2], atol=1e-6)


def test_light_from_the_side_it_comes_from():
    x = np.mgrid[:5, :5][1].astype(np.float32)
    towards_east = -x * 30
    lit = naive.apply(hillshade, towards_east, CELLS[0], azimuth=90.0, altitude=45.0)[2, 2]
    dark = naive.apply(hillshade, towards_east, CELLS[0], azimuth=270.0, altitude=45.0)[2, 2]
    np.testing.assert_allclose([lit, dark], [1, 0], atol=1e-6)


@pytest.mark.parametrize("gaps", [0.0, 0.1])
def test_position_and_vector_ruggedness_by_the_books(gaps):
    layer = relief((25, 30), gaps, offset=2000)
    cell = CELLS[1]
    rows, cols = cell.halo(60.0)
    got = naive.apply(topographic_position, layer, cell, 8, radius=60.0)
    want = layer - naive.focal(layer, rows, cols, np.mean)
    np.testing.assert_allclose(got, want, atol=3e-4)
    got = naive.apply(vector_ruggedness, layer, cell, 8, radius=60.0, min_valid=0.2)
    normal = naive.terrain(layer, *cell)["normal"]
    mean = [naive.focal(axis, rows, cols, np.mean, 0.2) for axis in normal]
    np.testing.assert_allclose(got, 1 - np.sqrt(sum(m**2 for m in mean)), rtol=1e-5, atol=1e-7)


def test_vector_ruggedness_of_a_plane_is_nothing():
    y, x = np.mgrid[:20, :20].astype(np.float32)
    got = naive.apply(vector_ruggedness, 3 * x + 5 * y, CELLS[0], radius=60.0)
    assert np.nanmax(got) < 1e-12


@settings(max_examples=15, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    tile=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    gaps=st.sampled_from([0.0, 0.1]),
)
def test_a_tile_equals_the_whole_to_the_bit(shape, tile, gaps):
    layer = relief(shape, gaps, offset=1000)
    for operation, more in (
        (terrain_derivatives, {"outputs": list(OUTPUTS)}),
        (topographic_position, {"radius": 100.0}),
        (vector_ruggedness, {"radius": 100.0}),
    ):
        whole = naive.apply(operation, layer, CELLS[1], 8, **more)
        tiled = naive.apply(operation, layer, CELLS[1], 8, tile, **more)
        np.testing.assert_array_equal(whole.view(np.uint32), tiled.view(np.uint32))


@pytest.mark.parametrize("method", ["horn", "zevenbergen-thorne"])
def test_bits_do_not_depend_on_where_a_strip_of_columns_begins(method):
    layer = relief((2, 2100), 0.02, offset=1000)
    more = {"outputs": list(OUTPUTS), "method": method}
    whole = naive.apply(terrain_derivatives, layer, CELLS[1], 8, **more)
    tiled = naive.apply(terrain_derivatives, layer, CELLS[1], 8, (1, 31), **more)
    np.testing.assert_array_equal(whole.view(np.uint32), tiled.view(np.uint32))


def test_what_it_refuses():
    layer = relief((5, 5))
    with pytest.raises(RecipeError, match="'method' is one of horn"):
        naive.apply(slope, layer, CELLS[0], method="sobel")
    with pytest.raises(RecipeError, match="'outputs' names some of slope"):
        naive.apply(terrain_derivatives, layer, CELLS[0], outputs=["slope", "slope"])
    with pytest.raises(RecipeError, match="'altitude' is from 0 to 90"):
        naive.apply(hillshade, layer, CELLS[0], altitude=100.0)
    with pytest.raises(RecipeError, match="'radius' is a length"):
        naive.apply(topographic_position, layer, CELLS[0], radius=-5.0)
