"""Structures by recipe, from files and of real surveys."""

from __future__ import annotations

import warnings

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely
import xarray as xr
from affine import Affine
from shapely import LineString, MultiLineString, box
from sklearn.metrics import roc_auc_score

from prospect.errors import RecipeError
from prospect.features import (
    FeatureBuilder,
    distance_to,
    distance_to_strike,
    length_density,
    proximity,
)
from prospect.grid import Grid, Window
from prospect.stack import open_stack, vector_layer

X, Y = 500_000.0, 4_400_000.0


def line(*points):
    """Of points in metres east and south of the corner."""
    return LineString([(X + east, Y - south) for east, south in points])


@pytest.fixture
def project(tmp_path, write_tif, grid):
    """Faults and folds in one file in degrees, with all that files hold."""
    kinds = ["thrust", "thrust", "cross", "anticline", "syncline", "thrust", "cross"]
    shapes = [
        shapely.force_3d(line((100, 1000), (4900, 1000)), 500.0),
        MultiLineString([line((100, 2000), (2000, 2000)), line((2000, 2000), (4900, 2000))]),
        line((2500, 500), (2500, 3500)),
        line((100, 3000), (4900, 3000)),
        line((100, 3700), (4900, 3700)),
        None,
        LineString(),
    ]
    table = gpd.GeoDataFrame({"kind": kinds}, geometry=shapes, crs=grid.crs).to_crs("EPSG:4326")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pyogrio.write_dataframe(table, tmp_path / "structures.gpkg", layer="s")
    write_tif("dem.tif", np.zeros(grid.shape, np.float32))
    text = 'format = 1\n[grid]\nlike = "dem"\n[layers.dem]\npath = "dem.tif"\nrole = "elevation"\n'
    for name, role, kind in (
        ("thrusts", "faults.thrust", "thrust"),
        ("crossing", "faults.cross", "cross"),
        ("anticlines", "folds.anticline", "anticline"),
        ("synclines", "folds.syncline", "syncline"),
    ):
        text += f'[vectors.{name}]\npath = "structures.gpkg"\nrole = "{role}"\n'
        text += f"where = \"kind = '{kind}'\"\n"
    (tmp_path / "prospect.toml").write_text(text)
    return tmp_path


RECIPE = [
    {"name": "fault_density", "operation": "length_density",
     "of": ["faults.thrust", "faults.cross"], "sigma": 250},
    {"name": "node_density", "operation": "node_density",
     "of": ["faults.thrust", "faults.cross"], "sigma": 250},
    {"name": "strike_variance", "operation": "strike_variance",
     "of": ["faults.thrust", "faults.cross"], "radius": 300},
    {"name": "crossing_density", "operation": "crossing_density",
     "of": ["faults.thrust", "faults.cross"], "sigma": 150},
    {"name": "anticline_proximity", "operation": "proximity", "of": "folds.anticline",
     "scale": 1000},
    {"name": "fold_density", "operation": "length_density", "of": "folds.*", "radius": 500},
    {"name": "absent", "operation": "node_density", "of": "lineaments", "radius": 500},
]  # fmt: skip


def test_a_recipe_names_roles_and_a_file_is_read_by_windows(project):
    stack = open_stack(project)
    builder = FeatureBuilder(RECIPE).fit(stack)
    assert [spec.name for spec in builder.missing_] == ["absent"]
    made = builder.transform(stack).sel
    names = ["fault_density", "node_density", "strike_variance", "crossing_density"]
    assert builder.feature_names == [*names, "anticline_proximity", "fold_density"]
    anticlines, synclines = stack["anticlines"], stack["synclines"]
    folds = length_density(anticlines, synclines, radius=500)
    np.testing.assert_array_equal(made(feature="fold_density"), folds)
    nodes_at = made(feature="node_density").values
    assert nodes_at[10, 25] > 50 * nodes_at[15, 10]
    np.testing.assert_allclose(made(feature="crossing_density").values.sum() / 100, 2, rtol=0.01)
    assert (
        made(feature="strike_variance").values[5, 5] != made(feature="strike_variance").values[5, 5]
    )
    near = made(feature="anticline_proximity").values
    np.testing.assert_array_equal(near, proximity(stack["anticlines"], scale=1000.0))
    assert near[30, 20] == 1 and near[10, 20] < 0.2
    part = builder.transform(stack, Window(7, 9, 20, 30)).values
    whole = builder.transform(stack).values
    assert part.tobytes() == np.ascontiguousarray(whole[:, 7:27, 9:39]).tobytes()
    again = FeatureBuilder.from_dict(builder.to_dict()).transform(stack)
    assert again.values.tobytes() == whole.tobytes()


def test_a_cut_of_a_stack_knows_its_lines(project):
    stack = open_stack(project)
    cut = stack.isel(y=slice(4, 30), x=slice(20, 40))
    got = length_density(cut["thrusts"], radius=1e5, shape="square").values
    assert got == pytest.approx(4.0 / 5.2, rel=1e-5)
    loaded = length_density(stack.load()["thrusts"], radius=1e5, shape="square").values
    assert loaded == pytest.approx(9.6 / 20, rel=1e-5)


def test_what_a_recipe_of_files_refuses(project):
    row = {"name": "n", "operation": "node_density", "radius": 500}
    with pytest.raises(RecipeError, match="radius 20 m is less than half a cell"):
        FeatureBuilder([row | {"of": "thrusts", "radius": 20}]).fit(open_stack(project))
    for wrong, why in (({"snap": -1}, "'snap' is a length"), ({"sigma": 9}, "but both came")):
        with pytest.raises(RecipeError, match=f"Feature 'n': .*{why}"):
            FeatureBuilder([row | {"of": "thrusts"} | wrong]).fit(open_stack(project))
    polygons = project / "polygons.gpkg"
    table = gpd.GeoDataFrame(geometry=[box(X, Y - 500, X + 500, Y)], crs="EPSG:32642")
    pyogrio.write_dataframe(table, polygons)
    stack = open_stack([project / "dem.tif"], vectors={"faults": polygons})
    with pytest.raises(RecipeError, match=r"polygons\.gpkg holds a polygon: choose the lines"):
        FeatureBuilder([row | {"of": "faults"}]).fit(stack)


@pytest.mark.real
def test_the_survey_of_lapland_measured_the_same_distances(real_data):
    folder = real_data / "lapland_gold"
    raster = folder / "rasters" / "derivatives_dst_struct.tif"
    lines = folder / "vectors" / "struct200k.shp"
    stack = open_stack([raster], vectors={"faults": lines})
    theirs = stack["derivatives_dst_struct"].values
    known = np.isfinite(theirs)
    ours = distance_to(stack["faults"], cap=25_000.0).values
    assert (abs(ours - theirs)[known] <= 500).mean() > 0.999
    # Cells that a line passes through are those it was burnt into.
    any_way = distance_to_strike(stack["faults"], strike=[0, 180], cap=25_000.0).values
    assert (abs(any_way - ours) <= 500).mean() > 0.9999


@pytest.mark.real
def test_gold_of_the_murchison_lies_near_faults(real_data):
    # Published with the data: AUC of the distance to the nearest fault, over the window.
    folder = real_data / "murchison_gold"
    faults, gold = (
        gpd.read_file(folder / name).set_crs("EPSG:32650", allow_override=True).geometry
        for name in ("faults.gpkg", "gold_points.gpkg")
    )
    grid = Grid("EPSG:32650", Affine(1000, 0, 352_000, 0, -1000, 7_102_000), (404, 332))
    lines = vector_layer(faults.to_frame(), like=xr.Dataset(coords=grid.coordinates()))
    near = -distance_to(lines, cap=150_000.0).values
    rows, cols, inside = grid.index(gold.x.to_numpy(), gold.y.to_numpy())
    assert inside.all()
    here = np.zeros(grid.shape, bool)
    here[rows, cols] = True
    assert roc_auc_score(here.ravel(), near.ravel()) == pytest.approx(0.89, abs=0.015)
