"""The tile engine: the same bytes whatever the tiles, engines and workers."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import rioxarray  # noqa: F401 - gives .rio
from shapely import box

from prospect.errors import GridError, ModelError, OutputError, TileError
from prospect.grid import Grid
from prospect.ground import Ground, Permissive
from prospect.learners import likelihood
from prospect.scoring import engines, score, select_layers
from prospect.stack import open_stack
from prospect.vector import frame, write_vector


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def scored(gold_model, world, tmp_path_factory):
    path = tmp_path_factory.mktemp("scored") / "gold.tif"
    return score(gold_model, open_stack(world), path, workers=2)


def test_the_map_is_the_estimator_on_the_features(gold_model, world, scored):
    stack = open_stack(world)
    features = gold_model.builder.transform(stack).values
    with rasterio.open(scored) as dataset:
        written = dataset.read(1)
    row, col = np.nonzero(np.isfinite(written))
    expected = likelihood(gold_model.estimator, features[:, row, col].T.copy())
    np.testing.assert_allclose(written[row, col], expected, atol=1e-6)
    gaps = np.isnan(stack["magnetics"].values) | np.isnan(stack["elevation"].values)
    np.testing.assert_array_equal(np.isnan(written), gaps)


@pytest.mark.parametrize(
    "how",
    [
        {"tile": 64, "engine": "serial"},
        {"tile": 257, "workers": 2},
        {"tile": 4096, "workers": 1},
        {"engine": "processes", "workers": 2},
    ],
    ids=str,
)
def test_tiles_engines_and_workers_leave_no_trace(sample, tmp_path, how):
    again = score(sample.model, sample.stack, tmp_path / "gold.tif", **how)
    assert digest(again) == digest(sample.map)


def test_the_map_opens_with_all_that_belongs_to_it(world, scored, region):
    with rasterio.open(scored) as dataset:
        assert Grid(dataset.crs.to_wkt(), dataset.transform, dataset.shape).same_as(region.grid)
        assert dataset.descriptions == ("likelihood", "dissimilarity")
        assert np.isnan(dataset.nodata)
        assert dataset.profile["tiled"]
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        values = dataset.read(1)
        tags = dataset.tags(1)
        assert float(tags["STATISTICS_MAXIMUM"]) == np.nanmax(values)
        assert float(tags["STATISTICS_MEAN"]) == pytest.approx(np.nanmean(values, dtype=float))
        assert "not a probability" in dataset.tags()["CONTENT"]
        assert "JORC" in dataset.tags()["DISCLAIMER"]
    style = scored.with_suffix(".qml").read_text("utf-8")
    assert 'classificationMode="1"' in style
    manifest = json.loads(scored.with_suffix(".manifest.json").read_text("utf-8"))
    assert manifest["map"]["sha256"] == digest(scored)
    source = manifest["layers"]["magnetics"]
    assert source["sha256"] == digest(open_stack_source(world, "magnetics"))


def open_stack_source(world, name):
    return next(spec.path for spec in world.layers if spec.name == name)


def test_in_memory_it_is_the_same_map(gold_model, world, scored):
    result = score(gold_model, open_stack(world), workers=2)
    with rasterio.open(scored) as dataset:
        np.testing.assert_array_equal(result["likelihood"].values, dataset.read(1))
    assert result.rio.crs.to_epsg() == 32642


def test_excluded_ground_is_empty_and_the_rest_unchanged(
    gold_model, world, scored, region, tmp_path
):
    west, south, east, north = region.grid.bounds
    reserve = tmp_path / "reserve.gpkg"
    shape = box(west, (south + north) / 2, east, north)
    write_vector(frame({"id": [1]}, [shape], "EPSG:32642"), reserve)
    result = score(gold_model, open_stack(world), exclude=reserve)["likelihood"].values
    with rasterio.open(scored) as dataset:
        whole = dataset.read(1)
    assert np.isnan(result[:40]).all()
    np.testing.assert_array_equal(result[40:], whole[40:])


def test_the_models_ground_holds_for_the_map(gold_model, world):
    model = replace(gold_model, ground=Ground(permissive=Permissive("elevation <= 3000")))
    stack = open_stack(world)
    result = score(model, stack)["likelihood"].values
    assert np.isnan(result[stack["elevation"].values > 3000]).all()
    assert np.isfinite(result).any()
    nowhere = replace(gold_model, ground=Ground(permissive=Permissive("elevation > 99999")))
    with pytest.raises(GridError, match="No cell could be scored"):
        score(nowhere, stack)


def test_a_map_of_nothing_leaves_no_file(gold_model, world, tmp_path):
    nowhere = replace(gold_model, ground=Ground(permissive=Permissive("elevation > 99999")))
    with pytest.raises(GridError, match="No cell could be scored"):
        score(nowhere, open_stack(world), tmp_path / "m.tif")
    assert list(tmp_path.iterdir()) == []


def test_a_failing_tile_leaves_no_file(gold_model, world, tmp_path, monkeypatch):
    def fails(job, window):
        raise KeyboardInterrupt

    monkeypatch.setattr(engines, "score_tile", fails)
    with pytest.raises(KeyboardInterrupt):
        score(gold_model, open_stack(world), tmp_path / "m.tif", engine="serial")
    assert list(tmp_path.iterdir()) == []


def test_an_older_map_survives_a_failure(gold_model, world, tmp_path, monkeypatch):
    old = tmp_path / "m.tif"
    old.write_bytes(b"the map of last year")
    monkeypatch.setattr(engines, "score_tile", lambda job, window: 1 / 0)
    with pytest.raises(TileError, match="rows 0–80 and columns 0–100 cannot be scored, also alone"):
        score(gold_model, open_stack(world), old, engine="serial")
    assert old.read_bytes() == b"the map of last year"


@pytest.mark.parametrize(
    ("how", "error", "sentence"),
    [
        ({"output": "m.png"}, OutputError, r"ends in \.tif"),
        ({"output": "none/m.tif"}, OutputError, "There is no folder"),
        ({"engine": "steam"}, ModelError, "Engine 'steam' is unknown"),
        ({"tile": 0}, ModelError, "at least one cell"),
        ({"mapping": {"nothing": "magnetics"}}, ModelError, "has no layer 'nothing'"),
    ],
)
def test_wrong_wishes_are_refused(gold_model, world, tmp_path, how, error, sentence):
    if "output" in how:
        how = {**how, "output": tmp_path / how["output"]}
    with pytest.raises(error, match=sentence):
        score(gold_model, open_stack(world), **how)


def test_layers_are_chosen_before_they_are_opened(gold_model, world):
    project, unused = select_layers(gold_model, world)
    used = {card.name for card in gold_model.builder.layers_.values()}
    assert used <= {spec.name for spec in (*project.layers, *project.vectors)}
    assert set(unused).isdisjoint(used)
    with pytest.raises(ModelError, match="needs the layer 'magnetics'"):
        select_layers(gold_model, world.without(["magnetics"]))
