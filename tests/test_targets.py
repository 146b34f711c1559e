"""Targets and licence blocks: hand-made maps whose zones are known."""

import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from affine import Affine
from shapely import box

from prospect.errors import GridError, LayerError, ModelError, OutputError
from prospect.grid import Grid
from prospect.map_file import open_map
from prospect.raster import write_geotiff
from prospect.scoring import score
from prospect.stack import open_stack
from prospect.targets import find_targets, rank_blocks
from prospect.targets.blocks import has_members, said_by_members
from prospect.targets.cells import choose, score_at_share, zones
from prospect.targets.ranking import expected
from prospect.targets.writing import write_targets
from prospect.vector import frame, read_vector

GRID = Grid("EPSG:32642", Affine(1000, 0, 500_000, 0, -1000, 4_400_000), (12, 20))
LOW, HIGH = 0.1, 0.8


def write(path, values, band="likelihood"):
    write_geotiff(path, np.asarray(values, np.float32), GRID, nodata=np.nan, description=band)
    return path


@pytest.fixture
def values():
    """Two cells that touch at a corner, a block of four, and a gap."""
    made = np.full(GRID.shape, LOW, np.float32)
    made[2, 3] = made[3, 4] = HIGH
    made[7:9, 10:12] = HIGH, 0.9
    made[0] = np.nan
    return made


@pytest.fixture
def scored(values, tmp_path):
    return write(tmp_path / "gold.tif", values)


def test_zones_join_at_corners_and_are_ranked_by_their_sum(scored, values):
    found = find_targets(scored, threshold=0.5)
    assert list(found["rank"]) == [1, 2]
    np.testing.assert_allclose(found["area_km2"], [4, 2])
    total = np.nansum(values, dtype=float)
    np.testing.assert_allclose(found["share"], [3.4 / total, 1.6 / total], rtol=1e-6)
    np.testing.assert_allclose(found["peak"], [0.9, 0.8], rtol=1e-6)
    assert found.geometry.iloc[0].area == pytest.approx(4e6)
    assert found.geometry.iloc[1].geom_type == "MultiPolygon"
    assert (found["x"].iloc[0], found["y"].iloc[0]) == (511_500, 4_392_500)


def test_longitude_and_latitude_are_those_of_the_peak(scored):
    from pyproj import Transformer

    row = find_targets(scored, threshold=0.5).iloc[0]
    lon, lat = Transformer.from_crs("EPSG:32642", "EPSG:4326", always_xy=True).transform(
        row["x"], row["y"]
    )
    assert (row["lon"], row["lat"]) == pytest.approx((lon, lat), abs=1e-6)


def test_small_zones_are_left_out(scored):
    assert list(find_targets(scored, threshold=0.5, minimum=3e6)["area_km2"]) == [4]
    assert len(find_targets(scored, threshold=0.5, minimum=9e6)) == 0


def test_zones_do_not_reach_round_the_edge(tmp_path):
    made = np.full(GRID.shape, LOW, np.float32)
    made[4, -1] = made[5, 0] = HIGH
    assert len(find_targets(write(tmp_path / "a.tif", made), threshold=0.5)) == 2


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5, 1.0])
def test_the_share_of_the_ground_is_exact(tmp_path, share):
    rng = np.random.default_rng(3)
    made = rng.random(GRID.shape).astype(np.float32) ** 3
    made[rng.random(GRID.shape) < 0.2] = np.nan
    opened = open_map(write(tmp_path / "a.tif", made))
    valid = np.sort(made[made == made])[::-1]
    expected = valid[int(np.ceil(share * valid.size)) - 1]
    assert score_at_share(opened, "likelihood", share) == expected


def test_nothing_is_chosen_of_a_map_without_scores(tmp_path):
    empty = write(tmp_path / "a.tif", np.full(GRID.shape, np.nan))
    assert len(find_targets(empty)) == 0


@pytest.mark.parametrize("seed", range(3))
def test_zones_are_those_of_scipy(tmp_path, seed):
    from scipy.ndimage import label

    made = np.random.default_rng(seed).random(GRID.shape).astype(np.float32)
    opened = open_map(write(tmp_path / "a.tif", made))
    chosen = choose(opened, "likelihood", 0.6, None)
    ours = zones(chosen, GRID.cols)
    theirs, count = label(made >= 0.6, np.ones((3, 3)))
    theirs = theirs[chosen.row, chosen.col]
    assert np.unique(ours).size == count
    assert len(set(zip(ours, theirs, strict=True))) == count


def test_ground_outside_experience_has_a_list_of_its_own(scored, tmp_path, write_classes):
    classes = np.zeros(GRID.shape, np.uint8)
    classes[:, 11:] = 1
    names = ["applicable", "outside experience"]
    write_classes(tmp_path / "gold.applicable.tif", classes, GRID, "applicable", names)
    found = find_targets(scored, threshold=0.5)
    assert list(found["list"]) == ["targets", "targets", "outside experience"]
    assert list(found["rank"]) == [1, 2, 1]
    assert found["area_km2"].sum() == 6


def test_leading_evidence_is_told_with_whose_map_it_is(scored, tmp_path, write_classes, gold_model):
    from dataclasses import replace

    drivers = np.zeros(GRID.shape, np.uint8)
    drivers[:, 11:] = 1
    write_classes(tmp_path / "gold.driver.tif", drivers, GRID, "driver", ["faults", "Au assays"])
    told = {"thrusts": {"role": "faults", "source_scale": 2e5, "vintage": "1986"}}
    model = replace(gold_model, record={"inputs": told})
    row = find_targets(scored, model, threshold=0.5).iloc[0]
    assert row["drivers"] == "Au assays; faults (1:200,000, 1986)"


def test_zones_around_known_deposits_are_told_apart(gold_model, world, tmp_path):
    path = score(gold_model, open_stack(world), tmp_path / "gold.tif", workers=2)
    found = find_targets(path, gold_model, area=0.1)
    around = found[found["list"] == "around known deposits"]
    assert (around["nearest_km"] <= 1).all()
    assert (found[found["list"] == "targets"]["nearest_km"] > 1).all()
    assert len(around) > 0
    assert len(found[found["list"] == "targets"]) > 0


def test_ranking_does_not_depend_on_the_tiles(gold_model, world, tmp_path):
    tables = []
    for tile in (256, 4096):
        path = score(gold_model, open_stack(world), tmp_path / f"{tile}.tif", tile=tile, workers=2)
        tables.append(find_targets(path, gold_model, area=0.1).drop(columns="geometry"))
    pd.testing.assert_frame_equal(*tables)


def test_expected_deposits_only_of_probabilities(values, tmp_path):
    path = write(tmp_path / "p.tif", values, band="probability")
    row = find_targets(path, threshold=0.5).iloc[0]
    assert row["expected"] == pytest.approx(3.4, rel=1e-6)
    assert row["expected_low"] <= 3.4 <= row["expected_high"]
    assert "expected" not in find_targets(write(tmp_path / "l.tif", values), threshold=0.5)


def test_a_certain_mean_has_the_interval_of_poisson():
    from scipy.stats import poisson

    told = expected(3.4)
    assert (told["expected_low"], told["expected_high"]) == poisson.interval(0.9, 3.4)
    assert told["expected_by"] == "chance alone"


@pytest.mark.parametrize(("total", "doubt"), [(3.4, 0.3), (0.5, 2.0), (12.0, 0.05)])
def test_a_doubtful_mean_has_the_interval_of_what_is_drawn(total, doubt):
    rng = np.random.default_rng(0)
    mean = rng.gamma(1 / doubt, doubt * total, 400_000)
    drawn = rng.poisson(mean)
    told = expected(total, doubt, "prior")
    low, high = np.quantile(drawn, [0.05, 0.95], method="inverted_cdf")
    assert (told["expected_low"], told["expected_high"]) == (low, high)
    assert told["expected_by"] == "chance and prior"


def test_a_prior_of_three_numbers_widens_the_interval(gold_model, values, tmp_path):
    from dataclasses import replace

    from prospect.calibration import Prior

    path = write(tmp_path / "p.tif", values, band="probability")
    sure, unsure = (
        replace(gold_model, prior=Prior.of(10_000, expected=numbers))
        for numbers in ((10,), (2, 10, 25))
    )
    rows = [find_targets(path, each, threshold=0.5).iloc[0] for each in (sure, unsure)]
    assert rows[0]["expected_by"] == "chance alone"
    assert rows[1]["expected_by"] == "chance and prior"
    assert rows[1]["expected_high"] > rows[0]["expected_high"]


def test_the_doubt_of_a_prior_is_that_of_its_three_numbers():
    from prospect.calibration import Prior

    mean = 0.3 * 2 + 0.4 * 10 + 0.3 * 25
    variance = 0.3 * (2 - mean) ** 2 + 0.4 * (10 - mean) ** 2 + 0.3 * (25 - mean) ** 2
    prior = Prior.of(10_000, expected=(2, 10, 25))
    assert prior.relative_variance == pytest.approx(variance / mean**2)
    assert Prior.of(10_000, expected=(10,)).relative_variance == 0


def test_one_way_to_choose_ground(scored):
    with pytest.raises(ModelError, match="give one"):
        find_targets(scored, area=0.1, threshold=0.5)
    with pytest.raises(ModelError, match="a share from 0 to 1, but 3 came"):
        find_targets(scored, area=3)
    with pytest.raises(ModelError, match="needs a model that was put to the test"):
        find_targets(scored, at_prediction_area=True)


def test_a_map_of_something_else_is_refused(tmp_path):
    with pytest.raises(LayerError, match="no map of 'prospect score'"):
        find_targets(write(tmp_path / "dem.tif", np.ones(GRID.shape), band="elevation"))


@pytest.fixture
def blocks():
    west, south, east, north = GRID.bounds
    middle = (west + east) / 2
    halves = [box(west, south, middle, north), box(middle, south, east, north - 2000)]
    return frame({"name": ["A", "B"]}, halves, GRID.crs)


def test_blocks_and_the_rest_sum_to_the_map(scored, values, blocks):
    found = rank_blocks(scored, blocks)
    total = np.nansum(values, dtype=float)
    assert found.attrs["total"] == pytest.approx(total)
    assert found["total"].sum() + found.attrs["beyond"] == pytest.approx(total)
    assert list(found["name"]) == ["B", "A"]
    assert list(found["rank"]) == [1, 2]
    np.testing.assert_allclose(found["area_km2"], [100, 110])
    np.testing.assert_allclose(found["gap_share"], [0, 10 / 120])
    np.testing.assert_allclose(found["per_km2"], found["total"] / found["area_km2"])


def test_blocks_that_overlap_are_counted_once(scored, blocks):
    again = pd.concat([blocks, blocks.iloc[:1].assign(name="C")], ignore_index=True)
    found = rank_blocks(scored, again)
    assert found.set_index("name").loc["A", "total"] == 0
    assert found.attrs["overlapping"] == 120
    assert found["total"].sum() + found.attrs["beyond"] == pytest.approx(found.attrs["total"])


def test_blocks_in_degrees_come_to_the_map(scored, blocks):
    found = rank_blocks(scored, blocks.to_crs("EPSG:4326"))
    expected = rank_blocks(scored, blocks)
    np.testing.assert_allclose(found["area_km2"], expected["area_km2"], atol=2)


def test_blocks_beyond_the_map_are_refused(scored):
    far = frame({"name": ["A"]}, [box(0, 0, 1000, 1000)], GRID.crs)
    with pytest.raises(GridError, match="None of the blocks lies on the map"):
        rank_blocks(scored, far)


def test_the_members_of_the_model_say_which_block_they_rank_first(gold_model, world, tmp_path):
    stack = open_stack(world)
    path = score(gold_model, stack, tmp_path / "gold.tif", workers=2)
    west, south, east, north = Grid.of(stack).bounds
    middle = (west + east) / 2
    halves = [box(west, south, middle, north), box(middle, south, east, north)]
    table = frame({"name": ["A", "B"]}, halves, "EPSG:32642")
    found = rank_blocks(path, table, model=gold_model, stack=stack, workers=2)
    assert found["first_share"].sum() == pytest.approx(1)
    assert found["first_share"].iloc[0] > 0.5
    assert has_members(gold_model.estimator)


def test_a_model_without_members_has_none():
    from sklearn.linear_model import LogisticRegression

    assert not has_members(LogisticRegression())


def test_members_see_gaps_as_their_ensemble_fills_them():
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline

    from prospect.models import TrainingDraws

    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 3)).astype(np.float32)
    features[::7, 1] = np.nan
    label = rng.integers(0, 2, 60)
    for made in (
        TrainingDraws(n_draws=3),
        make_pipeline(SimpleImputer(), TrainingDraws(n_draws=3)),
    ):
        fitted = made.fit(features, label)
        said = said_by_members(fitted, features)
        assert said.shape == (9, 60)
        np.testing.assert_allclose(said.mean(axis=0), fitted.predict_proba(features)[:, 1])


@pytest.mark.parametrize("ending", ["gpkg", "geojson", "shp"])
def test_files_hold_what_was_found(scored, tmp_path, ending):
    found = find_targets(scored, threshold=0.5)
    (path,) = write_targets(found, tmp_path / f"цели.{ending}")
    again = read_vector(path)
    assert list(again["rank"]) == [1, 2]
    moved = again.to_crs(GRID.crs)
    np.testing.assert_allclose(moved.area, found.area, rtol=1e-3)
    assert "categorizedSymbol" in path.with_suffix(".qml").read_text()


def test_waypoints_are_the_peaks(scored, tmp_path):
    found = find_targets(scored, threshold=0.5)
    written = write_targets(found, tmp_path / "gold.csv", ["gpx"])
    assert [path.name for path in written] == ["gold.csv", "gold.gpx"]
    assert list(pd.read_csv(written[0])["rank"]) == [1, 2]
    points = ET.parse(written[1]).getroot().findall("{*}wpt")
    assert [p.find("{*}name").text for p in points] == ["T1", "T2"]
    assert float(points[0].get("lat")) == pytest.approx(found["lat"].iloc[0], abs=1e-5)


def test_an_ending_that_is_not_written(scored, tmp_path):
    with pytest.raises(OutputError, match="should end in"):
        write_targets(find_targets(scored, threshold=0.5), tmp_path / "gold.dxf")


def test_an_empty_list_is_written_too(scored, tmp_path):
    found = find_targets(scored, threshold=2.0)
    (path,) = write_targets(found, tmp_path / "none.gpkg")
    assert len(read_vector(path)) == 0
