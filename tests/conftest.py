"""What tests share: tiny GeoTIFFs, a small synthetic world, the real data where they stand."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from sklearn.ensemble import ExtraTreesClassifier

from prospect.grid import Grid
from prospect.model import Model
from prospect.project import Project, load_project
from prospect.raster import align, read_info, read_native, write_geotiff
from prospect.samples import draw_samples
from prospect.scoring import score
from prospect.stack import open_stack
from prospect.synthetic import Region, make_region, write_region
from prospect.training import train

QGIS_PYTHON = "/usr/bin/python3"
REAL = Path(__file__).resolve().parents[2] / "shared" / "data"
SAMPLE = Path(__file__).parents[1] / "sample_data" / "region"


@pytest.fixture(scope="session")
def real_data():
    """The folder of real data beside the checkout."""
    if not REAL.is_dir():
        pytest.skip("the real data do not stand beside the checkout (../shared/data)")
    return REAL


@pytest.fixture(scope="session")
def in_qgis(tmp_path_factory):
    """
    Run a script by the system's Python, which has QGIS, with JSON as its input.

    It answers with lines of JSON. Nothing of the environment the tests run in is there.
    """
    home = tmp_path_factory.mktemp("qgis-home")
    home.chmod(0o700)

    def run(words, told=None, *, home=home, path="/usr/bin:/bin", timeout=600):
        environment = {"PATH": path, "HOME": str(home), "QT_QPA_PLATFORM": "offscreen",
                       "XDG_RUNTIME_DIR": str(home), "LC_ALL": "C.UTF-8"}  # fmt: skip
        return subprocess.run(
            [str(word) for word in words],
            input=json.dumps(told),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def answers(script, told, **options):
        done = run([QGIS_PYTHON, Path(__file__).parent / script], told, **options)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    there = os.access(QGIS_PYTHON, os.X_OK) and run([QGIS_PYTHON, "-c", "import qgis.core"])
    if not there or there.returncode:
        pytest.skip("QGIS is not there: tools/install_qgis.sh installs it")
    answers.run = run
    return answers


@pytest.fixture
def grid():
    """40 rows and 50 columns of 100 m in UTM zone 42."""
    return Grid("EPSG:32642", Affine(100.0, 0.0, 500_000.0, 0.0, -100.0, 4_400_000.0), (40, 50))


@pytest.fixture
def write_tif(tmp_path, grid):
    """Write a GeoTIFF as others do: anything but what is said comes from the grid."""

    def write(
        name,
        values,
        *,
        on=grid,
        crs="of the grid",
        transform="of the grid",
        tags=None,
        scale=None,
        mask=None,
        **profile,
    ):
        values = np.asarray(values)
        bands = values if values.ndim == 3 else values[None]
        options = {"driver": "GTiff", **profile}
        if crs is not None:
            options["crs"] = on.crs.to_wkt() if crs == "of the grid" else crs
        if transform is not None:
            options["transform"] = on.transform if transform == "of the grid" else transform
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            pytest.warns() if transform is None else rasterio.Env(),
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
            rasterio.open(
                path,
                "w",
                height=bands.shape[1],
                width=bands.shape[2],
                count=bands.shape[0],
                dtype=bands.dtype,
                **options,
            ) as dataset,
        ):
            dataset.write(bands)
            if scale is not None:
                dataset.scales, dataset.offsets = [scale[0]], [scale[1]]
            if mask is not None:
                dataset.write_mask(mask)
            dataset.update_tags(**(tags or {}))
        return path

    return write


@pytest.fixture
def ramp(grid):
    """A plane over the grid, in its cell centres."""
    return plane(grid)


def plane(grid):
    """A plane over a grid, in its cell centres, float32."""
    x, y = np.meshgrid(grid.x - 500_000, grid.y - 4_396_000)
    return (0.01 * x + 0.03 * y).astype(np.float32)


@pytest.fixture
def write_classes():
    """Write a band of classes, as the engine writes it beside a map."""

    def write(path, cells, grid, band, names):
        write_geotiff(path, cells, grid, nodata=255, description=band)
        with rasterio.open(path, "r+") as dataset:
            dataset.update_tags(1, CLASSES=json.dumps(dict(enumerate(names))))

    return write


def read(path, categorical=False, **options):
    """All cells of a file, on its own grid."""
    info = read_info(path, **options)
    return read_native(info, info.grid.window, categorical=categorical)


def onto(path, grid, window=None, categorical=False, **options):
    """How a file is brought to a grid, and its cells there."""
    alignment = align(read_info(path), grid, categorical=categorical, **options)
    return alignment, alignment.read(window or grid.window)


def moved(grid, dx=0.0, dy=0.0, size=1.0, shape=None, crs=None):
    """A grid with its corner metres to the east and south, its cells so many times as large."""
    t = grid.transform
    place = Affine(t.a * size, 0, t.c + dx, 0, t.e * size, t.f - dy)
    return Grid(crs or grid.crs, place, shape or grid.shape)


@pytest.fixture(scope="session")
def region() -> Region:
    return make_region(0, shape=(80, 100), cell=1000.0)


@pytest.fixture(scope="session")
def region_folder(region, tmp_path_factory):
    return write_region(region, tmp_path_factory.mktemp("world") / "region")


@pytest.fixture(scope="session")
def world(region_folder) -> Project:
    return load_project(region_folder)


@pytest.fixture(scope="session")
def small_forest() -> ExtraTreesClassifier:
    return ExtraTreesClassifier(30, min_samples_leaf=3, random_state=0)


@pytest.fixture(scope="session")
def gold_model(world, small_forest) -> Model:
    return train(
        open_stack(world),
        world.occurrences,
        "gold",
        estimator=small_forest,
        background=500,
        workers=2,
    )


@pytest.fixture
def fewer_cells(monkeypatch):
    """Training on fewer cells, where their number does not matter."""
    few_cells(monkeypatch)


def few_cells(patch):
    patch.setitem(draw_samples.__kwdefaults__, "measured_on", 1_000)
    patch.setitem(train.__kwdefaults__, "background", 500)


class Sample(NamedTuple):
    """The sample region, which spans four lattice blocks; a model of it, its file and its map."""

    model: Model
    stack: xr.Dataset
    path: Path
    map: Path


@pytest.fixture(scope="session")
def sample(small_forest, tmp_path_factory) -> Sample:
    folder = tmp_path_factory.mktemp("sample")
    stack = open_stack(SAMPLE)
    with pytest.MonkeyPatch.context() as patch:
        few_cells(patch)
        model = train(stack, load_project(SAMPLE).occurrences, "gold", estimator=small_forest)
    path = model.save(folder / "gold.prospect")
    score(model, stack, folder / "gold.tif", engine="serial", tile=256)
    return Sample(model, stack, path, folder / "gold.tif")


@pytest.fixture
def make_stack():
    """Arrays as a stack on a projected grid: float layers continuous, int ones classes."""

    def make(cell=(100.0, 100.0), crs="EPSG:32642", attrs=None, **arrays):
        shape = next(iter(arrays.values())).shape
        grid = Grid(crs, Affine(cell[1], 0, 600_000, 0, -cell[0], 4_400_000), shape)
        layers = {}
        for name, array in arrays.items():
            kind = "continuous" if array.dtype.kind == "f" else "categorical"
            layers[name] = (("y", "x"), array, {"role": name, "kind": kind, "units": ""})
            layers[name][2].update((attrs or {}).get(name, {}))
        return xr.Dataset(layers, coords=grid.coordinates())

    return make


@pytest.fixture
def field():
    """A random field with gaps, as float32."""

    def make(shape=(40, 50), gaps=0.1, seed=0):
        rng = np.random.default_rng(seed)
        values = rng.normal(size=shape).astype(np.float32)
        values[rng.random(shape) < gaps] = np.nan
        return values

    return make
