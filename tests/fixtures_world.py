"""A small synthetic world, made once: 80 × 100 cells of 1 km with known deposits."""

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from sklearn.ensemble import ExtraTreesClassifier

from prospect.grid import Grid
from prospect.model import Model
from prospect.project import Project, load_project
from prospect.stack import open_stack
from prospect.synthetic import Region, make_region, write_region
from prospect.training import train


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
