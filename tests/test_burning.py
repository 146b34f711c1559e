"""Geometry burnt into a grid, and classes outlined."""

import numpy as np
import pytest
from affine import Affine
from conftest import onto
from shapely.geometry import LineString, Point, box

from prospect.grid import Grid
from prospect.raster import burn, polygons


def test_polygons_are_burnt_by_centre_and_lines_by_touch(grid):
    # Centres lie 50 m from the edges: this takes rows 0–1 and columns 0–2.
    square = box(500_000, 4_399_849, 500_251, 4_400_000)
    assert burn([square], grid).sum() == 6
    line = LineString([(500_010, 4_399_990), (500_410, 4_399_990)])
    touched = burn([line], grid, all_touched=True)
    assert touched[0].tolist() == [1] * 5 + [0] * 45
    assert touched[1:].sum() == 0
    assert burn([Point(500_150, 4_399_950)], grid)[0, 1] == 1


def test_later_geometries_lie_on_top_and_empty_ones_are_passed_over(grid):
    a, b = box(500_000, 4_399_000, 501_000, 4_400_000), box(500_500, 4_399_500, 502_000, 4_400_000)
    codes = burn([a, Point(), b, None], grid, values=[3, 9, 5, 9], fill=-1)
    assert codes.dtype == np.int32
    assert codes[0, [0, 4, 5, 19, 20]].tolist() == [3, 3, 5, 5, -1]
    assert (burn([Point()], grid, fill=-1) == -1).all()
    assert (burn([box(0, 0, 1, 1)], grid) == 0).all()


def test_outlines_are_burnt_back(grid):
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 4, grid.shape).astype(np.int32)
    outlines = polygons(codes, grid)
    back = burn([g for g, _ in outlines], grid, values=[c for _, c in outlines], fill=-1)
    assert np.array_equal(back, codes)
    only = polygons(codes, grid, mask=codes == 2)
    assert {code for _, code in only} == {2}
    assert sum(g.area for g, _ in only) == pytest.approx((codes == 2).sum() * 10_000)


def test_the_grid_that_gdal_takes_for_none_works_too(write_tif):
    """Cells of 1 m with the corner at 0, 0 read as no position at all."""
    grid = Grid("EPSG:32642", Affine(1, 0, 0, 0, -1, 0), (8, 8))
    assert burn([box(0, -2, 3, 0)], grid).sum() == 6
    source = Grid("EPSG:32642", Affine(1, 0, -2.5, 0, -1, 2.5), (16, 16))
    values = np.add.outer(-source.y, source.x).astype(np.float32)
    _, cells = onto(write_tif("a.tif", values, on=source), grid)
    assert np.allclose(cells, np.add.outer(-grid.y, grid.x), atol=1e-5)
