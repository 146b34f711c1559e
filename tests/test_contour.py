"""Distance to contours: against its oracle, over a dyke, tiles, gaps and refusals."""

import naive
import numpy as np
import pytest

from prospect.errors import RecipeError
from prospect.features import FeatureBuilder, distance_to_contour, proximity_to_contour
from prospect.grid import Cell


@pytest.mark.parametrize("gaps", [0.0, 0.3])
@pytest.mark.parametrize("level", [0.0, 1.25])
def test_distance_to_a_contour_against_its_oracle(gaps, level):
    cell = Cell(100.0, 70.0)
    layer = naive.field((25, 31), gaps)
    layer[3:6, 4:9] = level
    source = naive.on_contour(layer, level)
    got = naive.apply(distance_to_contour, layer, cell, level=level, cap=900.0)
    np.testing.assert_allclose(got, naive.distance(source, *cell, 900.0), rtol=1e-6)
    close = naive.apply(proximity_to_contour, layer, cell, level=level, scale=300.0, cap=900.0)
    np.testing.assert_allclose(close, np.exp(-got / 300), rtol=1e-5)


def test_the_edge_of_the_map_is_no_contour():
    got = naive.apply(distance_to_contour, np.ones((9, 9), np.float32), Cell(10.0, 10.0), cap=50.0)
    assert (got == 50).all()
    holed = np.ones((9, 9), np.float32)
    holed[4, 4] = np.nan
    got = naive.apply(distance_to_contour, holed, Cell(10.0, 10.0), cap=50.0)
    assert (got == 50).all()


def test_a_plane_is_as_far_from_its_contour_as_it_should_be():
    ramp = np.tile(np.arange(40, dtype=np.float32), (7, 1))
    got = naive.apply(distance_to_contour, ramp, Cell(50.0, 20.0), level=12.0, cap=300.0)
    want = np.minimum(abs(np.arange(40) - 12) * 20.0, 300)
    np.testing.assert_array_equal(got, np.tile(want, (7, 1)))


@pytest.mark.parametrize("tile", [(1, 1), (2, 1)])
def test_a_tile_equals_the_whole_to_the_bit(tile):
    layer = naive.field((45, 50), 0.1)
    for operation, options in ((distance_to_contour, {}), (proximity_to_contour, {"scale": 90.0})):
        cell = Cell(30.0, 20.0)
        whole = naive.apply(operation, layer, cell, 16, level=2.0, cap=400.0, **options)
        tiled = naive.apply(operation, layer, cell, 16, tile, level=2.0, cap=400.0, **options)
        np.testing.assert_array_equal(whole.view(np.uint32), tiled.view(np.uint32))


def test_tilt_zero_in_a_recipe(make_stack):
    y, x = np.mgrid[:120, :120]
    east, north = (x - 60) * 100.0, (60 - y) * 100.0
    field = naive.prism(east, north, 300.0, 2000.0, 1e6).astype(np.float32)
    rows = [
        {"name": "tilt", "operation": "tilt_angle", "of": "a", "keep": False},
        {"name": "tilt_zero", "operation": "proximity_to_contour", "of": "tilt", "scale": 1000},
    ]
    stack = make_stack(cell=(100.0, 100.0), a=field)
    close = FeatureBuilder(rows).fit_transform(stack).values[0]
    ridges = east[60][close[60] == 1]
    np.testing.assert_allclose(sorted({abs(r) for r in ridges if abs(r) < 4000}), 2000, atol=150)


def test_what_is_refused():
    layer = naive.field((5, 5))
    with pytest.raises(RecipeError, match="'cap' is a length in metres above 0, but -1 came"):
        naive.apply(distance_to_contour, layer, Cell(10.0, 10.0), cap=-1.0)
    with pytest.raises(RecipeError, match="'scale' is a length in metres above 0, but 0 came"):
        naive.apply(proximity_to_contour, layer, Cell(10.0, 10.0), scale=0.0)
