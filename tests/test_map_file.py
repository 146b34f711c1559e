"""Scored maps read back."""

import json

import numpy as np
import pytest
from affine import Affine

from prospect.errors import LayerError
from prospect.grid import Grid
from prospect.map_file import open_map, reduced_grid
from prospect.raster import write_geotiff

GRID = Grid("EPSG:32642", Affine(100, 0, 500_000, 0, -100, 4_400_000), (30, 50))


@pytest.fixture
def scored(tmp_path):
    values = np.linspace(0, 1, 1500, dtype=np.float32).reshape(30, 50)
    values[:5] = np.nan
    write_geotiff(tmp_path / "gold.tif", values, GRID, nodata=np.nan, description="likelihood")
    return tmp_path / "gold.tif", values


def test_bands_come_by_name_and_gaps_as_nan(scored):
    path, values = scored
    opened = open_map(path)
    assert "likelihood" in opened
    assert "spread" not in opened
    np.testing.assert_array_equal(opened.read("likelihood"), values)
    assert opened.grid.same_as(GRID)
    assert opened.manifest == {}


def test_classes_lie_beside_with_their_names(scored, tmp_path, write_classes):
    path, _ = scored
    cells = np.zeros((30, 50), np.uint8)
    cells[:5], cells[20:] = 255, 1
    names = ["applicable", "outside experience"]
    write_classes(tmp_path / "gold.applicable.tif", cells, GRID, "applicable", names)
    opened = open_map(path)
    assert opened.classes["applicable"] == tuple(names)
    found = opened.read("applicable")
    assert set(np.unique(found)) == {-1, 0, 1}
    assert (found[:5] == -1).all()


def test_classes_of_an_earlier_map_are_passed_over(scored, tmp_path, write_classes):
    path, _ = scored
    write_classes(tmp_path / "gold.driver.tif", np.zeros((30, 50), np.uint8), GRID, "driver", "ab")
    path.with_suffix(".manifest.json").write_text(json.dumps({"files": {"gold.tif": ""}}))
    assert "driver" not in open_map(path)


def test_a_map_is_reduced_by_means_of_what_is_known(scored):
    path, values = scored
    small, grid = open_map(path).reduced("likelihood", 10)
    assert small.shape == grid.shape == (6, 10)
    assert grid.transform.a == 500
    np.testing.assert_allclose(small[2, 3], values[10:15, 15:20].mean(), rtol=1e-5)
    assert np.isnan(small[0]).all()


def test_reducing_keeps_the_corner_and_covers_everything():
    grid = reduced_grid(GRID, 7)
    assert grid.transform.c == GRID.transform.c
    assert grid.shape == (4, 7)
    assert grid.cols * grid.transform.a >= 50 * 100


def test_what_is_no_map_is_refused(tmp_path):
    write_geotiff(tmp_path / "dem.tif", np.zeros((30, 50), np.float32), GRID)
    with pytest.raises(LayerError, match="no map of 'prospect score'"):
        open_map(tmp_path / "dem.tif")


def test_an_unknown_band_is_refused_with_those_there_are(scored):
    with pytest.raises(LayerError, match="no band 'spread'; it has: likelihood"):
        open_map(scored[0]).read("spread")


@pytest.mark.parametrize("text", ["{", "[1]", "\x00"])
def test_a_broken_manifest_is_a_sentence(scored, text):
    path, _ = scored
    path.with_suffix(".manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(LayerError, match="manifest"):
        open_map(path)
