"""Layers of any grid become one lazy stack."""

import gc
import pickle
import subprocess
import sys
from pathlib import Path
from unittest import mock

import geopandas as gpd
import numpy as np
import pytest
import xarray as xr
from affine import Affine
from conftest import plane
from joblib import Parallel, delayed
from shapely import LineString, box

from prospect.errors import GridError, LayerError, ProjectError
from prospect.grid import Grid, Window
from prospect.project import GridSpec, LayerSpec, Project, VectorSpec, load_project, write_project
from prospect.raster import opening
from prospect.stack import as_project, open_stack, read_block
from prospect.vector import write_vector

X, Y = 500_000.0, 4_400_000.0


@pytest.fixture
def folder(tmp_path, write_tif, grid, ramp):
    """A project: a field, coarser assays, classes with names, and faults."""
    coarse = Grid(grid.crs, Affine(250, 0, X, 0, -250, Y), (16, 20))
    codes = (np.indices(grid.shape)[1] // 25 + 1).astype(np.uint8)
    codes[0, 0] = 255
    ramp[3, 4] = -9999
    layers = (
        LayerSpec("mag", write_tif("mag.tif", ramp), role="magnetics.rtp", unit="nT",
                  required=True, nodata=-9999),
        LayerSpec("Sb", write_tif("Sb.tif", plane(coarse), on=coarse), role="geochemistry.Sb",
                  unit="ppm"),
        LayerSpec("lith", write_tif("lith.tif", codes, nodata=255), role="geology.lithology",
                  kind="categorical", classes={1: "сланец", 2: "известняк"}),
    )  # fmt: skip
    faults = gpd.GeoDataFrame(
        {"type": ["thrust", "normal"]},
        geometry=[LineString([(X, Y - 550), (X + 5000, Y - 550)]), box(X, Y - 4000, X + 300, Y)],
        crs=grid.crs,
    )
    write_vector(faults, tmp_path / "faults.gpkg")
    vectors = (
        VectorSpec("thrusts", tmp_path / "faults.gpkg", "faults.thrust", where="type = 'thrust'"),
        VectorSpec("types", tmp_path / "faults.gpkg", "faults.type", attribute="type"),
    )
    project = Project(tmp_path, GridSpec(like="mag"), layers, vectors)
    write_project(project, tmp_path / "prospect.toml")
    return tmp_path


def test_a_project_becomes_a_stack(folder, grid):
    stack = open_stack(folder)
    assert list(stack.data_vars) == ["mag", "Sb", "lith", "thrusts", "types"]
    assert Grid.of(stack) == grid
    assert {n: str(v.dtype) for n, v in stack.data_vars.items()} == {
        "mag": "float32", "Sb": "float32", "lith": "int32", "thrusts": "float32", "types": "int32",
    }  # fmt: skip
    mag, lith = stack.mag, stack.lith
    assert np.argwhere(np.isnan(mag.values)).tolist() == [[3, 4]]  # nodata of the project
    assert (mag.attrs["role"], mag.attrs["units"], mag.attrs["required"]) == (
        "magnetics.rtp", "nT", True,
    )  # fmt: skip
    assert (mag.attrs["resampling"], mag.attrs["source"]) == ("same", str(folder / "mag.tif"))
    assert stack.Sb.attrs["alignment"] == "from cells of 250 × 250"
    assert np.allclose(stack.Sb.values[3:-3, 3:-3], plane(grid)[3:-3, 3:-3], atol=1e-3)
    assert lith.values[0, 0] == -1
    assert lith.attrs["classes"] == {1: "сланец", 2: "известняк"}
    assert stack.thrusts.values.sum(axis=1).nonzero()[0].tolist() == [5]
    assert stack.types.attrs["classes"] == {1: "normal", 2: "thrust"}
    assert stack.types.values[5, 0] == 2
    assert stack.types.values[6, :4].tolist() == [1, 1, 1, -1]
    for other in (str(folder), folder / "prospect.toml", load_project(folder)):
        assert open_stack(other).identical(stack)


def test_nodata_of_the_project_goes_instead_of_the_files(write_tif, grid):
    cells = np.arange(2000, dtype=np.int16).reshape(grid.shape)
    path = write_tif("a.tif", cells, nodata=5)
    for nodata, gap in ((None, 5), (9, 9), (-1e30, None)):
        project = Project(Path(), layers=(LayerSpec("a", path, nodata=nodata),))
        gaps = np.flatnonzero(np.isnan(open_stack(project).a.values)).tolist()
        assert gaps == ([] if gap is None else [gap])


def test_plain_files_with_guessed_and_given_roles(folder, write_tif, grid):
    paths = [folder / "mag.tif", folder / "Sb.tif", folder / "lith.tif"]
    stack = open_stack(paths, vectors={"faults.all": folder / "faults.gpkg"})
    assert [v.attrs["role"] for v in stack.data_vars.values()] == [
        "magnetics.tmi", "geochemistry.Sb", "geology.lithology", "faults.all",
    ]  # fmt: skip
    assert stack.lith.attrs["kind"] == "categorical"
    assert list(stack.data_vars)[-1] == "faults_all"
    named = open_stack({"a": paths[0], "zz": str(paths[1])}, roles={"a": "magnetics.rtp"})
    assert named.a.attrs["role"] == "magnetics.rtp"
    assert named.zz.attrs["role"] == "other.zz"
    assert list(open_stack(paths, without=["Sb"]).data_vars) == ["mag", "lith"]
    assert list(open_stack(folder, without=["Sb", "types"]).data_vars) == ["mag", "lith", "thrusts"]
    assert open_stack(paths[0]).sizes == {"y": 40, "x": 50}
    assert open_stack(str(paths[0])).identical(open_stack([paths[0]]))


def test_the_grid_follows_a_layer_or_the_most(folder, grid):
    paths = [folder / "Sb.tif", folder / "mag.tif", folder / "lith.tif"]
    assert Grid.of(open_stack(paths)) == grid  # two share it
    assert Grid.of(open_stack(paths[:2])) == grid  # of two, the finer
    like = open_stack(paths, like="Sb")
    assert like.sizes == {"y": 16, "x": 20}
    assert like.mag.attrs["resampling"] == "average"
    assert like.lith.attrs["resampling"] == "mode"
    with pytest.raises(GridError, match="no layer 'zzz' to take the grid from"):
        open_stack(paths, like="zzz")


def test_another_cell_size_system_and_bounds(folder):
    fine = open_stack(folder, cell=50)
    assert Grid.of(fine).cell == (50, 50)
    assert fine.sizes == {"y": 80, "x": 100}
    part = Grid.of(open_stack(folder, bounds=(X + 130, Y - 990, X + 1000, Y - 200)))
    assert part.bounds == (X + 100, Y - 1000, X + 1000, Y - 200)
    other = open_stack(folder, crs="EPSG:28412", cell=100)
    grid = Grid.of(other)
    assert grid.crs.to_epsg() == 28412
    assert grid.cell == (100, 100)
    assert (grid.transform.c % 100, grid.transform.f % 100) == (0, 0)
    assert other.mag.attrs["alignment"] == "from EPSG:32642"
    assert np.isfinite(other.mag.values).mean() > 0.9
    same = open_stack(folder, crs="EPSG:32642")
    assert Grid.of(same).cell == (100, 100)


def test_exactly_the_grid_of_a_map(folder):
    """Also one whose corner is on no multiple of its cell, or whose cells are not square."""
    asked = Grid("EPSG:32642", Affine(100.0, 0.0, X + 37.0, 0.0, -90.0, Y - 41.0), (11, 12))
    assert Grid.of(open_stack(folder, grid=asked)) == asked


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"crs": "EPSG:28412"}, "needs a cell size: give cell, in metres"),
        ({"crs": "nonsense", "cell": 100}, "'nonsense' is not a coordinate system"),
        ({"cell": 0}, "cell is positive"),
        ({"cell": -5}, "cell is positive"),
        ({"bounds": (X + 10, Y, X, Y + 10)}, "Bounds are west, south, east, north"),
        ({"bounds": (0, 0, 1000, 1000)}, "does not overlap the grid"),
        ({"crs": "EPSG:32642", "bounds": (np.nan, 0, 1, 1)}, "Bounds are"),
    ],
)
def test_grids_that_cannot_be(folder, options, says):
    with pytest.raises(GridError, match=says):
        open_stack(folder, **options)


def test_sources_that_make_no_stack(folder, tmp_path, write_tif, ramp):
    with pytest.raises(ProjectError, match="at least one layer"):
        open_stack([])
    with pytest.raises(ProjectError, match="no layer 'zzz'; known: mag"):
        open_stack(folder, without=["zzz"])
    with pytest.raises(ProjectError, match="no layer 'zzz'; known: Sb, lith, mag"):
        open_stack(folder, roles={"zzz": "elevation"})
    with pytest.raises(LayerError, match="There is no file"):
        open_stack([tmp_path / "missing.tif"])
    with pytest.raises(ProjectError, match=r"There is no .*prospect.toml"):
        (tmp_path / "empty").mkdir()
        open_stack(tmp_path / "empty")
    twin = write_tif("other/mag.tif", ramp)
    with pytest.raises(ProjectError, match=r"Two layers are called 'mag' \(.* and .*\): rename"):
        open_stack([folder / "mag.tif", twin])
    for name in ("x", "y", "spatial_ref"):
        with pytest.raises(ProjectError, match=rf"cannot be called '{name}'.*coordinate has it"):
            open_stack({name: folder / "mag.tif"})
    with pytest.raises(ProjectError, match=r"cannot be called 'faults_all'.*two layers"):
        open_stack(
            {"faults_all": folder / "mag.tif"}, vectors={"faults.all": folder / "faults.gpkg"}
        )


def test_wrong_vectors_are_told_when_opening(folder):
    project = load_project(folder)
    for spec, says in (
        (VectorSpec("v", folder / "faults.gpkg", where="zzz = 1"), "its layer and condition"),
        (VectorSpec("v", folder / "faults.gpkg", attribute="zzz"), "no attribute 'zzz'"),
        (VectorSpec("v", folder / "missing.gpkg"), "There is no file"),
    ):
        with pytest.raises(LayerError, match=says):
            open_stack(Project(folder, project.grid, project.layers, (spec,)))


def test_guesses_can_be_seen_before_anything_is_opened(folder):
    project = as_project([folder / "mag.tif", folder / "lith.tif"])
    assert [(s.name, s.kind, s.unit) for s in project.layers] == [
        ("mag", "continuous", "nT"),
        ("lith", "categorical", ""),
    ]


# Laziness


def test_opening_reads_no_cell_and_a_window_reads_only_itself(write_tif):
    grid = Grid("EPSG:32642", Affine(100, 0, X, 0, -100, Y), (600, 800))
    shifted = Grid("EPSG:32642", Affine(100, 0, X + 30, 0, -100, Y), (600, 800))
    paths = {
        "a": write_tif("a.tif", plane(grid), on=grid, tiled=True),
        "b": write_tif("b.tif", plane(shifted), on=shifted),
    }
    asked = []
    real = opening._Reader.read

    def spy(self, *args, window, **options):
        (top, bottom), (left, right) = window
        asked.append((Path(self.name).stem, bottom - top, right - left))
        return real(self, *args, window=window, **options)

    with mock.patch.object(opening._Reader, "read", spy):
        stack = open_stack(paths, like="a")
        part = stack.isel(y=slice(10, 30), x=slice(300, 310))
        str(part), part.sizes, Grid.of(part)
        assert asked == []
        cells = part.load()
    # Of an aligned layer a whole lattice block is taken, with a margin for its neighbours.
    assert asked[0] == ("a", 20, 10)
    assert asked[1:] == [("b", 260, 265)]
    assert np.array_equal(cells.a.values, plane(grid)[10:30, 300:310])
    assert np.allclose(cells.b.values, plane(grid)[10:30, 300:310], atol=1e-2)


@pytest.mark.parametrize(
    "key",
    [
        (slice(None), slice(None)),
        (slice(3, 9), slice(4, 5)),
        (slice(None, None, 3), slice(1, None, 7)),
        (slice(None, None, -1), slice(40, 2, -5)),
        (slice(5, 5), slice(None)),
        (slice(60, 70), slice(None)),
        (7, slice(None)),
        (-1, -2),
        (slice(None), np.int64(3)),
        ([5, 3, 3], [1, 49]),
        (np.array([True, False] * 20), slice(2, 4)),
    ],
)
def test_indexing_is_that_of_an_array(folder, key):
    stack = open_stack(folder)
    for name in ("mag", "Sb", "lith", "types"):
        lazy, whole = stack[name], stack[name].load().copy()
        lazy = open_stack(folder)[name]
        expected = whole.isel(y=key[0], x=key[1])
        found = lazy.isel(y=key[0], x=key[1])
        assert found.shape == expected.shape
        assert np.array_equal(found.values, expected.values, equal_nan=name in ("mag", "Sb"))
        # A window of a window is a window.
        if all(isinstance(k, slice) for k in key):
            again = lazy.isel(y=key[0], x=key[1])[1:4, ::2]
            assert np.array_equal(again.values, expected[1:4, ::2].values,
                                  equal_nan=name in ("mag", "Sb"))  # fmt: skip
    points = {"y": xr.DataArray([0, 5], dims="p"), "x": xr.DataArray([3, 9], dims="p")}
    found = open_stack(folder).mag.isel(points).values
    assert np.array_equal(found, open_stack(folder).mag.values[[0, 5], [3, 9]])


@pytest.mark.parametrize("key", [(40, 0), (0, 50), (-41, 0)])
def test_an_index_beyond_the_edge_is_an_error(folder, key):
    with pytest.raises(IndexError):
        _ = open_stack(folder).mag[key].values


def test_blocks_may_pass_the_edge(folder):
    stack = open_stack(folder)
    block = read_block(stack.mag, Window(-2, 45, 5, 10), np.float32)
    assert block.flags.c_contiguous
    assert np.isnan(block[:2]).all()
    assert np.isnan(block[:, 5:]).all()
    assert np.array_equal(block[2:, :5], stack.mag.values[:3, 45:])
    codes = read_block(stack.lith, Window(38, 48, 4, 4), np.int32)
    assert codes.tolist() == [[2, 2, -1, -1]] * 2 + [[-1] * 4] * 2
    away = read_block(stack.mag, Window(100, 100, 3, 3), np.float32)
    assert np.isnan(away).all()
    inside = read_block(stack.mag, Window(1, 2, 3, 4), np.float32)
    assert np.array_equal(inside, stack.mag.values[1:4, 2:6], equal_nan=True)


def test_a_stack_travels_and_ignores_the_working_folder(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    stack = open_stack(".")
    here = stack.compute()
    monkeypatch.chdir("/")
    sent = pickle.loads(pickle.dumps(stack))
    assert sent.identical(here)
    sums = Parallel(n_jobs=2)(delayed(total)(stack, name) for name in stack.data_vars)
    assert sums == [total(here, name) for name in here.data_vars]


def total(stack, name):
    """Of a layer's cells, in whatever process."""
    return float(np.nansum(stack[name].values.astype(float)))


def test_no_file_stays_open(folder):
    def handles():
        gc.collect()
        links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
        return [link for link in links if link.resolve().is_relative_to(folder)]

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("open files are counted in /proc")
    stack = open_stack(folder)
    assert handles() == []
    stack.compute()
    assert handles() == []


def test_a_stack_can_be_saved_as_netcdf_and_opened_again(folder, tmp_path, grid):
    stack = open_stack(folder)[["mag", "lith"]].compute()
    for name in stack.data_vars:
        stack[name].attrs = {k: v for k, v in stack[name].attrs.items() if k != "classes"}
        stack[name].attrs["required"] = int(stack[name].attrs.get("required", 0))
    stack.to_netcdf(tmp_path / "a.nc", engine="scipy")
    with xr.open_dataset(tmp_path / "a.nc", engine="scipy", decode_coords="all") as back:
        assert Grid.of(back).same_as(grid)
        assert np.array_equal(back.mag.values, stack.mag.values, equal_nan=True)
        assert np.isnan(back.lith.values[0, 0])


STRICT = """
import sys, warnings
import numpy as np
from joblib import Parallel, delayed
from sklearn.ensemble import RandomForestClassifier
from prospect import open_stack
from prospect.grid import Window
from prospect.stack import read_block

stack = open_stack(sys.argv[1])
forest = RandomForestClassifier(20, random_state=0)
forest.fit(np.random.default_rng(0).normal(size=(200, 3)), [0, 1] * 100)

def work(i):
    forest.predict_proba(np.zeros((500, 3)))
    cells = [read_block(stack[n], Window(i, 2 * i, 9, 9), np.float32) for n in stack.data_vars]
    forest.predict_proba(np.zeros((500, 3)))
    return float(np.nansum(cells))

for backend in ("sequential", "threading", "loky"):
    print(sum(Parallel(2, backend=backend)(delayed(work)(i) for i in range(24))))
"""


def test_no_warning_comes_out_beside_scikit_learn(folder):
    """Its forests change Python's filters in every task, on threads and in processes."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", STRICT, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr == ""
    assert len(set(done.stdout.split())) == 1
