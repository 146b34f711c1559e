"""Evidence of the user's own."""

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pytest
from click.testing import CliRunner
from shapely import LineString

from prospect import FeatureBuilder, load_project, open_stack
from prospect.cli import main
from prospect.errors import ProjectError, RecipeError
from prospect.features import focal_mean, proximity
from prospect.features.recipe import Recipe
from prospect.model import load_model
from prospect.own import said_of, too_fine, with_own_rows
from prospect.training import train
from prospect.vector import write_vector


def run(*arguments, exit_code=0):
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == exit_code, result.output
    return result.output


@pytest.fixture
def folder(write_tif, ramp, grid, tmp_path):
    write_tif("base.tif", ramp)
    write_tif("alteration.tif", np.sqrt(ramp))
    west, south, east, north = grid.bounds
    line = LineString([(west, south), (east, north)])
    dykes = gpd.GeoDataFrame({"a": [1]}, geometry=[line], crs=grid.crs)
    write_vector(dykes, tmp_path / "dykes.gpkg")
    (tmp_path / "prospect.toml").write_text(
        'format = 1\n# mine, and to be kept\n[layers.base]\npath = "base.tif"\nrequired = true\n'
    )
    return tmp_path


def test_layers_of_ones_own_become_features(folder):
    run("add", folder, folder / "alteration.tif", "--sign", "+", "--scale", 750)
    run("add", folder, folder / "dykes.gpkg", "--sign", "-", "--scale", 500, "--vintage", "1978")
    text = (folder / "prospect.toml").read_text(encoding="utf-8")
    assert "# mine, and to be kept" in text
    assert load_project(folder).vectors[0].vintage == "1978"
    stack = open_stack(folder)
    recipe = with_own_rows(
        Recipe.from_tables([{"name": "b", "operation": "value", "of": "base"}]), stack
    )
    builder = FeatureBuilder(recipe).fit(stack)
    assert builder.feature_names == ["b", "own_alteration", "own_dykes"]
    assert list(builder.signs) == ["0", "+", "-"]
    made = builder.transform(stack)
    np.testing.assert_array_equal(made[1], focal_mean(stack["alteration"], radius=750))
    np.testing.assert_array_equal(made[2], proximity(stack["dykes"], scale=500))


def test_a_role_that_a_commodity_names_needs_no_sign(folder):
    run("add", folder, folder / "dykes.gpkg", "--role", "faults.thrust")
    (vector,) = load_project(folder).vectors
    assert (vector.role, vector.sign) == ("faults.thrust", "")
    assert with_own_rows(Recipe(()), open_stack(folder)).features == ()


def test_what_is_drawn_coarsely_is_said(folder):
    run("add", folder, folder / "alteration.tif", "--source-scale", 1_000_000)
    (told,) = too_fine(open_stack(folder))
    assert told.startswith("'alteration' was drawn at 1:1,000,000, good to 500 m")


def test_what_cannot_be_added(folder):
    said = run("add", folder, folder / "base.tif", exit_code=1)
    assert "has a layer 'base' already" in said
    before = (folder / "prospect.toml").read_text()
    said = run("add", folder, folder / "none.tif", exit_code=1)
    assert "There is no file" in said
    assert (folder / "prospect.toml").read_text() == before
    with pytest.raises(ProjectError):
        load_project(folder / "missing")
    stack = open_stack(folder)
    stack["base"].attrs["sign"] = "plus"
    with pytest.raises(RecipeError, match="one of \\+, -, 0, ∩, but 'plus' came"):
        with_own_rows(Recipe(()), stack)


def test_a_table_is_no_layer_and_what_to_do_is_said(folder):
    (folder / "assays.csv").write_text("x,y,Sb_ppm\n1,2,3\n")
    said = run("add", folder, folder / "assays.csv", exit_code=1)
    assert "is a table, but a layer is a GeoTIFF or vectors" in said
    assert "prospect grid" in said


def test_whose_map_it_is_is_told_by_inspection_and_by_the_layer(folder):
    run("add", folder, folder / "alteration.tif", "--source-scale", 1_000_000, "--vintage", "1978",
        "--survey", "Южно-Киргизская экспедиция", "--confidence", 0.6)  # fmt: skip
    said = said_of(open_stack(folder)["alteration"])
    assert said == {
        "role": "own.alteration",
        "survey": "Южно-Киргизская экспедиция",
        "vintage": "1978",
        "source_scale": 1_000_000,
        "confidence": 0.6,
    }
    assert "was drawn at 1:1,000,000, good to 500 m" in run("inspect", folder, "-q")
    assert said_of(open_stack(folder)["base"]) == {}


def test_whose_map_it_is_is_kept_in_the_model(world, small_forest, tmp_path):
    """Through the training, the file and back."""
    said = {"survey": "Южная партия", "vintage": "1978", "source_scale": 200_000.0,
            "confidence": 0.6}  # fmt: skip
    name = world.layers[0].name
    layers = (replace(world.layers[0], **said), *world.layers[1:])
    model = train(
        open_stack(replace(world, layers=layers)),
        world.occurrences,
        "gold",
        estimator=small_forest,
        background=200,
        n_splits=2,
        workers=1,
    )
    model.save(tmp_path / "m.prospect")
    kept = load_model(tmp_path / "m.prospect")
    assert said.items() <= kept.record["inputs"][name].items()
    assert "Южная партия, 1978, 1:200,000, confidence 0.6" in kept.report()
