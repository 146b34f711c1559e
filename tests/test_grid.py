"""The grid as one value."""

import pickle

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS

from prospect.errors import GridError
from prospect.grid import LATTICE, Cell, Grid, Window, crs_name, equal_epsg, parse_crs, same_crs
from prospect.stack import open_stack

T = Affine(100.0, 0.0, 500_000.0, 0.0, -100.0, 4_400_000.0)


@pytest.mark.parametrize(
    ("crs", "transform", "shape", "says"),
    [
        (None, T, (2, 2), "needs a coordinate system"),
        ("EPSG:32642", T @ Affine.rotation(5), (2, 2), "unrotated"),
        ("EPSG:32642", Affine(100.0, 0, 0, 0, 100.0, 0), (2, 2), "north-up"),
        ("EPSG:32642", Affine(-100.0, 0, 0, 0, -100.0, 0), (2, 2), "north-up"),
        ("EPSG:32642", Affine(0.0, 0, 0, 0, -100.0, 0), (2, 2), "non-zero cells"),
        ("EPSG:32642", Affine(np.nan, 0, 0, 0, -100.0, 0), (2, 2), "finite"),
        ("EPSG:32642", T, (0, 2), "at least one cell"),
        ("nonsense", T, (2, 2), "'nonsense' is not a coordinate system"),
        ("EPSG:99999999", T, (2, 2), "write EPSG:code or WKT"),
    ],
)
def test_refuses_what_is_no_grid(crs, transform, shape, says):
    with pytest.raises(GridError, match=says):
        Grid(crs, transform, shape)


def test_edges_and_centres(grid):
    assert grid.bounds == (500_000, 4_396_000, 505_000, 4_400_000)
    assert grid.x[0] == 500_050
    assert grid.y[0] == 4_399_950
    assert grid.y[-1] == 4_396_050
    assert (grid.rows, grid.cols) == grid.shape == (40, 50)
    assert grid.cell == (100, 100)
    assert grid.describe() == "40 × 50 cells of 100 m, EPSG:32642"


def test_describes_degrees_and_oblong_cells():
    degrees = Grid("EPSG:4326", Affine(0.5, 0, 10, 0, -0.25, 50), (4, 6))
    assert degrees.describe() == "4 × 6 cells of 0.5 × 0.25 °, EPSG:4326"
    feet = Grid("EPSG:2263", T, (4, 6))
    assert "US survey foot" in feet.describe()


@pytest.mark.parametrize(("shift", "same"), [(0.0, True), (0.09, True), (0.11, False)])
def test_same_to_a_thousandth_of_a_cell(grid, shift, same):
    t = grid.transform
    for moved in (
        Affine(t.a, 0, t.c + shift, 0, t.e, t.f),
        Affine(t.a, 0, t.c, 0, t.e, t.f - shift),
        # The far corner counts too: a slightly larger cell adds up.
        Affine(t.a + shift / 50, 0, t.c, 0, t.e, t.f),
    ):
        other = Grid(grid.crs, moved, grid.shape)
        assert grid.same_as(other) is same
        assert other.same_as(grid) is same


def test_other_shapes_and_systems_are_other_grids(grid):
    assert not grid.same_as(Grid(grid.crs, grid.transform, (41, 50)))
    assert not grid.same_as(Grid("EPSG:32643", grid.transform, grid.shape))


def test_same_system_under_another_name():
    assert same_crs(CRS("EPSG:4326"), CRS("OGC:CRS84"))
    assert not same_crs(CRS("EPSG:4326"), CRS("EPSG:4284"))
    assert crs_name(CRS("EPSG:32642")) == "EPSG:32642"
    assert crs_name(CRS("+proj=tmerc +lon_0=70 +ellps=krass")) == "'unknown' (no EPSG code)"
    assert parse_crs(32642) == parse_crs("epsg:32642")


@pytest.mark.parametrize(
    ("west", "north", "names"),
    [
        (71.0, 41.0, ["EPSG:32642", "Gauss–Krüger zone 12 EPSG:28412"]),
        (74.6, 42.9, ["EPSG:32643", "Gauss–Krüger zone 13 EPSG:28413"]),
        (118.0, -25.0, ["EPSG:32750"]),
        (-179.9, 60.0, ["EPSG:32601"]),
    ],
)
def test_metres_are_refused_on_degrees_with_a_projection_that_fits(west, north, names):
    degrees = Grid("EPSG:4326", Affine(0.001, 0, west, 0, -0.001, north), (10, 10))
    with pytest.raises(GridError, match="measures in degrees") as error:
        _ = degrees.cell
    assert all(name in str(error.value) for name in names)
    for name in names:
        assert CRS(name[name.index("EPSG") :]).is_projected
    assert ("Gauss" in str(error.value)) is (len(names) == 2)


def test_metres_are_refused_in_feet():
    with pytest.raises(GridError, match="measures in US survey foot"):
        _ = Grid("EPSG:2263", T, (4, 6)).cell


def test_halo_reaches_to_the_radius_and_not_beyond():
    cell = Cell(dy=50.0, dx=100.0)
    assert cell.halo(100.0) == (2, 1)
    assert cell.halo(101.0) == (3, 2)
    # 0.3 / 0.1 is a little more than 3 in floating point.
    assert Cell(0.1, 0.1).halo(0.3) == (3, 3)


def test_points_find_their_cells(grid):
    x = np.array([500_000.0, 500_099.9, 504_999.9, 505_000.0, 499_999.9, np.nan])
    y = np.array([4_400_000.0, 4_399_900.1, 4_396_000.1, 4_397_000.0, 4_397_000.0, 4_397_000.0])
    row, col, inside = grid.index(x, y)
    assert inside.tolist() == [True, True, True, False, False, False]
    assert row.tolist() == [0, 0, 39, -1, -1, -1]
    assert col.tolist() == [0, 0, 49, -1, -1, -1]


windows = st.builds(
    Window,
    st.integers(-600, 600),
    st.integers(-600, 600),
    st.integers(1, 600),
    st.integers(1, 600),
)


@given(windows)
def test_lattice_blocks_cover_a_window_once(window):
    blocks = list(window.lattice_blocks())
    assert all(b.row % LATTICE == 0 and b.col % LATTICE == 0 for b in blocks)
    parts = [b.intersect(window) for b in blocks]
    assert all(p.height > 0 and p.width > 0 for p in parts)
    assert sum(p.height * p.width for p in parts) == window.height * window.width


@given(windows, windows)
def test_windows_meet_alike_from_both_sides(a, b):
    both = a.intersect(b)
    assert both == b.intersect(a)
    if both.height and both.width:
        rows, cols = both.within(a)
        assert 0 <= rows.start < rows.stop <= a.height
        assert 0 <= cols.start < cols.stop <= a.width


def test_crop_keeps_cells_where_they_are(grid):
    part = grid.crop(Window(3, 5, 10, 7))
    assert np.array_equal(part.x, grid.x[5:12])
    assert np.array_equal(part.y, grid.y[3:13])
    assert grid.crop(Window(-2, -1, 5, 5)).x[1] == grid.x[0]


def on(grid, **variables):
    return xr.Dataset(
        {name: (("y", "x"), values) for name, values in variables.items()},
        coords=grid.coordinates(),
    )


@pytest.mark.parametrize("origin", [(500_000.0, 4_400_000.0), (2434.123456789, 7776450.217)])
@pytest.mark.parametrize("size", [(100.0, 100.0), (463.3127165279165, 500.0 / 3)])
def test_of_gives_back_the_grid_and_its_windows(origin, size):
    grid = Grid("EPSG:32642", Affine(size[0], 0, origin[0], 0, -size[1], origin[1]), (40, 50))
    data = on(grid, a=np.zeros(grid.shape))
    assert Grid.of(data) == grid
    assert Grid.of(data.a) == grid
    part = Grid.of(data.isel(y=slice(7, 19), x=slice(11, 12)))
    assert part.same_as(grid.crop(Window(7, 11, 12, 1)))
    assert part.transform.a == grid.transform.a
    assert Grid.of(data.isel(y=slice(3, 4), x=slice(0, 1))).shape == (1, 1)
    assert pickle.loads(pickle.dumps(grid)) == grid


def test_of_a_subsampled_stack_has_larger_cells(grid):
    data = on(grid, a=np.zeros(grid.shape)).isel(y=slice(0, None, 2), x=slice(0, None, 2))
    assert Grid.of(data).cell == (200, 200)
    assert Grid.of(data).bounds[0] == grid.bounds[0] - 50


def test_of_refuses_what_follows_no_convention(grid):
    data = on(grid, a=np.zeros(grid.shape))
    with pytest.raises(GridError, match=r"Expected dims \(y, x\)"):
        Grid.of(data.rename(x="lon"))
    with pytest.raises(GridError, match="spatial_ref"):
        Grid.of(data.drop_vars("spatial_ref"))
    bare = data.copy()
    bare["spatial_ref"] = xr.DataArray(0)
    with pytest.raises(GridError, match="no coordinate system"):
        Grid.of(bare)
    bare["spatial_ref"].attrs["crs_wkt"] = "nonsense"
    with pytest.raises(GridError, match="not a coordinate system"):
        Grid.of(bare)
    uneven = data.assign_coords(x=grid.x + np.where(np.arange(50) == 7, 5.0, 0.0))
    with pytest.raises(GridError, match="not regularly spaced"):
        Grid.of(uneven)
    with pytest.raises(GridError, match="north-up"):
        Grid.of(data.isel(y=slice(None, None, -1)))


def test_of_one_column_without_a_stored_transform_is_refused(grid):
    data = on(grid, a=np.zeros(grid.shape)).isel(x=[3])
    for text in (None, "1 2", "a b c d e f"):
        data["spatial_ref"].attrs["GeoTransform"] = text
        with pytest.raises(GridError, match="One x coordinate alone"):
            Grid.of(data)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # of affine, in rioxarray
def test_rio_works_on_a_stack(grid, ramp, write_tif):
    pytest.importorskip("rioxarray")
    ramp[3, 4] = np.nan
    classes = np.ones(grid.shape, np.uint8)
    classes[5, 6] = 255
    stack = open_stack(
        {"mag": write_tif("mag.tif", ramp), "lithology": write_tif("l.tif", classes, nodata=255)}
    )
    assert stack.rio.crs.to_epsg() == 32642
    assert stack.rio.transform() == grid.transform
    assert stack.rio.bounds() == grid.bounds
    assert np.isnan(stack.mag.rio.nodata)
    assert stack.lithology.rio.nodata == -1
    assert stack.rio.grid_mapping == "spatial_ref"
    clipped = stack.mag.rio.clip_box(501_000, 4_397_000, 502_000, 4_398_000)
    assert Grid.of(clipped).same_as(grid.crop(Window(20, 10, 10, 10)))
    coarse = stack.mag.rio.reproject("EPSG:32642", resolution=200)
    assert coarse.shape == (20, 25)


@pytest.mark.real
def test_equal_epsg_of_a_survey_without_a_code(real_data):
    from prospect.raster import read_info

    info = read_info(next((real_data / "lapland_gold" / "rasters").glob("*mag*.tif")))
    assert info.grid.crs.to_epsg() is None
    assert equal_epsg(info.grid.crs) == 3067


def test_equal_epsg_where_there_is_none():
    assert equal_epsg(CRS("EPSG:32642")) is None
    assert equal_epsg(CRS("EPSG:4326")) is None
    assert equal_epsg(CRS("+proj=tmerc +lon_0=70.3 +x_0=1234 +ellps=krass")) is None
    assert equal_epsg(CRS("+proj=tmerc +lon_0=69 +k=0.9996 +x_0=500000 +ellps=GRS80")) != 32642
