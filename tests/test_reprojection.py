"""A layer that goes to another coordinate system and comes back is the layer that went."""

import numpy as np
import pytest
from affine import Affine
from conftest import moved
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from prospect.grid import Grid
from prospect.raster import align, read_info, write_geotiff

EXAMPLES = settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def around(grid, crs, cell):
    """A grid in another system that holds all of a grid, with a rim of ten cells."""
    change = Transformer.from_crs(grid.crs, crs, always_xy=True)
    west, south, east, north = change.transform_bounds(*grid.bounds, densify_pts=21)
    # As many metres a cell as told, whatever the unit.
    size = cell * (east - west) / (grid.cols * grid.transform.a)
    shape = [int(np.ceil(d / size)) + 20 for d in (north - south, east - west)]
    place = Affine(size, 0, west - 10 * size, 0, -size, north + 10 * size)
    return Grid(crs, place, tuple(shape))


def there_and_back(path, tmp_path, crs, cell, **options):
    """The layer's cells on its own grid, after it was brought to another one."""
    info = read_info(path)
    away = around(info.grid, crs, cell)
    cells = align(info, away, **options).read(away.window)
    write_geotiff(tmp_path / "away.tif", cells, away, nodata=-1 if options else np.nan)
    back = align(read_info(tmp_path / "away.tif"), info.grid, **options)
    assert back.method != "same"
    return back.read(info.grid.window)


SYSTEMS = st.sampled_from(["EPSG:32641", "EPSG:32643", "EPSG:3857", "EPSG:4326", "EPSG:6933"])


@EXAMPLES
@given(crs=SYSTEMS, cell=st.floats(20, 90), row=st.integers(5, 30), col=st.integers(5, 40))
def test_measurements_come_back(write_tif, tmp_path, grid, crs, cell, row, col):
    x, y = np.meshgrid(grid.x - 5e5, grid.y - 4.396e6)
    went = (0.01 * x + 0.03 * y + 5 * np.sin(x / 900) * np.cos(y / 700)).astype(np.float32)
    went[row : row + 3, col : col + 4] = np.nan
    came = there_and_back(write_tif("a.tif", went), tmp_path, crs, cell)
    valid = np.isfinite(went) & np.isfinite(came)
    # Two rounds of interpolation: less than one cell's worth of the steepest slope.
    assert np.abs(came - went)[valid].max() < 1.5
    assert np.abs(came - went)[valid].mean() < 0.1
    # Gaps grow or shrink by the cells beside them, and no more.
    assert (~np.isfinite(came[1:-1, 1:-1])).sum() <= 6 * 7
    assert not np.isfinite(came[row + 1, col + 1 : col + 3]).all()


@EXAMPLES
@given(crs=SYSTEMS, cell=st.floats(20, 60))
def test_classes_come_back(write_tif, tmp_path, grid, crs, cell):
    went = np.repeat(np.repeat(np.arange(20).reshape(4, 5), 10, 0), 10, 1).astype(np.int32)
    came = there_and_back(
        write_tif("a.tif", went, nodata=-1), tmp_path, crs, cell, categorical=True
    )
    assert set(np.unique(came)) <= {*range(20), -1}
    inside = np.zeros(grid.shape, bool)
    for r in range(0, 40, 10):
        for c in range(0, 50, 10):
            inside[r + 2 : r + 8, c + 2 : c + 8] = True
    np.testing.assert_array_equal(came[inside], went[inside])


@pytest.mark.parametrize("shift", [0.0, 25.0, 50.0])
def test_the_oracle_would_notice_a_shift(write_tif, tmp_path, grid, shift):
    """Brought to a grid that is moved and back by plain cells, the plane is off by the shift."""
    x, _ = np.meshgrid(grid.x - 5e5, grid.y)
    path = write_tif("a.tif", (0.04 * x).astype(np.float32))
    other = moved(grid, dx=shift)
    cells = align(read_info(path), other).read(other.window)
    write_geotiff(tmp_path / "b.tif", cells, grid, nodata=np.nan)  # the wrong place, on purpose
    wrong = align(read_info(tmp_path / "b.tif"), grid).read(grid.window)
    off = np.nanmedian(np.abs(wrong - 0.04 * x))
    assert off == pytest.approx(0.04 * shift, abs=0.01)
