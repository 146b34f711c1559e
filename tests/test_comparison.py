"""Two maps compared: hand-made changes that are known."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from affine import Affine

from prospect.comparison import compare
from prospect.errors import GridError
from prospect.grid import Grid
from prospect.map_file import open_map
from prospect.raster import write_geotiff

GRID = Grid("EPSG:32642", Affine(1000, 0, 500_000, 0, -1000, 4_400_000), (20, 20))


@pytest.fixture
def write(tmp_path):
    def make(name, values, grid=GRID, manifest=None):
        path = tmp_path / f"{name}.tif"
        values = np.asarray(values, np.float32)
        write_geotiff(path, values, grid, nodata=np.nan, description="likelihood")
        if manifest is not None:
            path.with_suffix(".manifest.json").write_text(json.dumps(manifest))
        return path

    return make


@pytest.fixture
def values():
    return np.random.default_rng(0).random(GRID.shape).astype(np.float32) / 2


def test_a_map_against_itself(write, values):
    found = compare(write("a", values), write("b", values))
    assert found.rank_correlation == pytest.approx(1)
    assert (found.change == 0).all()
    assert (found.kept == 1).all()
    assert len(found.gained) == len(found.lost) == 0
    assert found.causes == ()
    assert "Targets gained: none" in found.page()


def test_ranks_do_not_see_another_scale(write, values):
    found = compare(write("a", values), write("b", values**3))
    assert found.rank_correlation == pytest.approx(1)


def test_targets_that_came_and_went(write, values):
    before, after = values.copy(), values.copy()
    before[2:5, 2:5] = 0.9
    after[12:15, 12:15] = 0.9
    found = compare(write("a", before), write("b", after), area=9 / 400)
    assert len(found.lost) == len(found.gained) == 1
    assert found.lost.geometry.iloc[0].bounds == (502_000, 4_395_000, 505_000, 4_398_000)
    assert (found.change[2:5, 2:5] < 0).all()
    assert (found.change[12:15, 12:15] > 0).all()
    assert "Targets lost: 1" in found.page()


def test_a_target_that_grew_is_neither(write, values):
    before, after = values.copy(), values.copy()
    before[2:5, 2:5] = 0.9
    after[2:6, 2:6] = 0.9
    found = compare(write("a", before), write("b", after), area=0.02)
    assert len(found.lost) == len(found.gained) == 0


def test_gaps_of_either_are_left_out(write, values):
    before, after = values.copy(), values.copy()
    before[0], after[1] = np.nan, np.nan
    change = compare(write("a", before), write("b", after)).change
    assert np.isnan(change[:2]).all()
    assert np.isfinite(change[2:]).all()


def test_of_a_map_whose_best_is_one_tie_no_best_share_is_told(write, values):
    level = np.where(values > np.median(values), 1, values)
    page = compare(write("a", level), write("b", values)).page()
    assert "nan" not in page
    assert "Of the best" not in page


def test_what_was_different_is_said(write, values):
    one = {
        "layers": {"a": {"sha256": "1"}, "b": {"sha256": "1"}},
        "training": {"labels": {"deposits": 20}, "random_state": 0, "learner": "woe"},
    }
    two = {
        "layers": {"b": {"sha256": "2"}, "c": {"sha256": "1"}},
        "training": {"labels": {"deposits": 21}, "random_state": 0, "learner": "blend"},
    }
    causes = compare(write("a", values, manifest=one), write("b", values, manifest=two)).causes
    assert causes == (
        "layers only in the first: a",
        "layers only in the second: c",
        "layers with other contents: b",
        "known deposits: 20 and 21",
        "learner: woe and blend",
    )


def test_what_counts_in_each_model_is_compared(write, values, gold_model):
    from dataclasses import replace

    class Tilted:
        feature_importances_ = np.eye(len(gold_model.feature_names))[0]

    other = replace(gold_model, estimator=Tilted())
    maps = write("a", values), write("b", values)
    (cause,) = compare(*maps, models=(gold_model, other)).causes
    assert f"{gold_model.feature_names[0]} +" in cause


def test_the_change_is_written_as_a_map(write, values, tmp_path):
    after = values.copy()
    after[3] += 0.5
    found = compare(write("a", values), write("b", after))
    found.save(tmp_path / "change.tif")
    from prospect.raster import read_info, read_native

    info = read_info(tmp_path / "change.tif")
    np.testing.assert_array_equal(read_native(info, info.grid.window), found.change)
    style = ET.fromstring((tmp_path / "change.qml").read_text("utf-8").split("\n", 1)[1])
    items = style.findall(".//item")
    limits = [float(item.get("value")) for item in items]
    # A cell that stays where it is has the middle colour, between 3 % down and 3 % up.
    assert limits == sorted(limits) and limits[2:4] == [-0.03, 0.03] and limits[-1] == np.inf
    assert items[3].get("label") == "about the same"
    assert items[0].get("label") == "down by more than 20 %"


def test_two_grids_are_refused(write, values):
    moved = Grid(GRID.crs, Affine(1000, 0, 500_500, 0, -1000, 4_400_000), GRID.shape)
    with pytest.raises(GridError, match="scored on one grid"):
        compare(write("a", values), write("b", values, grid=moved))


def test_maps_without_common_ground_are_refused(write, values):
    before, after = values.copy(), values.copy()
    before[:10], after[10:] = np.nan, np.nan
    with pytest.raises(GridError, match="no ground in common"):
        compare(write("a", before), write("b", after))


def test_opened_maps_will_do(write, values):
    assert compare(open_map(write("a", values)), open_map(write("b", values))).kept.size == 4
