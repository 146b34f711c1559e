"""Cells as they are and brought to another grid, to the same bits whatever window is read."""

import pickle
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import numpy as np
import pytest
import rasterio
from affine import Affine
from conftest import moved, onto, plane, read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio.features import rasterize
from scipy.ndimage import map_coordinates
from shapely.geometry import box

from prospect.errors import GridError, LayerError
from prospect.grid import Grid, Window
from prospect.raster import (
    align,
    burn,
    opening,
    polygons,
    read_info,
    read_native,
    reading,
)

WHOLE = Window(0, 0, 40, 50)


def test_truncated_and_flipped_files_are_not_read_as_if_whole(write_tif, tmp_path):
    noise = np.random.default_rng(0).normal(size=(40, 50)).astype(np.float32)
    path = write_tif("a.tif", noise, compress="deflate", blockysize=8)
    data = path.read_bytes()
    with rasterio.open(path) as dataset:
        block = int(dataset.get_tag_item("BLOCK_OFFSET_0_2", "TIFF", bidx=1))
    cut = tmp_path / "cut.tif"
    cut.write_bytes(data[: block + 10])
    with pytest.raises(LayerError, match=r"cut\.tif cannot be"):
        read(cut)
    flipped = tmp_path / "flipped.tif"
    damaged = bytearray(data)
    # A flip that still inflates goes unseen by any reader; this one does not inflate.
    damaged[block] ^= 0xFF
    flipped.write_bytes(damaged)
    with pytest.raises(LayerError, match=r"rows 0–40 .* damaged or incomplete; copy it again"):
        read(flipped)
    head = read_native(read_info(flipped), Window(0, 0, 8, 50))
    assert np.array_equal(head, noise[:8])  # only what is asked for is read


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint16", "int32", "uint32",
                                   "int64", "uint64", "float32", "float64"])  # fmt: skip
def test_every_type_comes_as_float32_or_classes(write_tif, grid, dtype):
    cells = (np.arange(2000).reshape(grid.shape) % 100).astype(dtype)
    path = write_tif("a.tif", cells)
    values = read(path)
    assert values.dtype == np.float32
    assert np.array_equal(values, cells.astype(np.float32))
    codes = read(path, categorical=True)
    assert codes.dtype == np.int32
    assert np.array_equal(codes, cells)


def test_nan_beside_nodata_and_undeclared_codes_are_gaps(write_tif, ramp):
    ramp[0, :6] = -9999, np.nan, -3.4028235e38, 1.70141e38, -1e32, 3.4e38
    with_code = read(write_tif("a.tif", ramp, nodata=-9999))
    assert np.isnan(with_code[0, :6]).all()
    assert np.array_equal(with_code[1:], ramp[1:])
    without = read(write_tif("b.tif", ramp))
    assert without[0, 0] == -9999  # undeclared, it is a number: inspect says so
    assert np.isnan(without[0, 1:6]).all()


def test_the_largest_double_is_a_gap_and_no_overflow(write_tif, ramp):
    values = ramp.astype(np.float64)
    values[0, 0], values[0, 1] = -1.7976931348623157e308, 1e300
    for nodata in (None, -1.7976931348623157e308):
        back = read(write_tif("a.tif", values, nodata=nodata, scale=(10.0, 1.0)))
        assert np.isnan(back[0, :2]).all()
        assert np.allclose(back[1:], ramp[1:] * 10.0 + 1.0, rtol=1e-6)


@pytest.mark.parametrize(("nodata", "gap"), [(0, 0), (255, 255), (None, None), (np.nan, None)])
def test_nodata_is_told_from_none(write_tif, grid, nodata, gap):
    cells = (np.arange(2000).reshape(grid.shape) % 256).astype(np.uint8)
    if nodata is np.nan:
        cells = cells.astype(np.float32)
    path = write_tif("a.tif", cells, nodata=nodata)
    expected = cells.astype(np.float32)
    if gap is not None:
        expected[cells == gap] = np.nan
    assert np.array_equal(read(path), expected, equal_nan=True)
    assert np.array_equal(read(path, categorical=True), np.nan_to_num(expected, nan=-1))


def test_nodata_that_the_type_cannot_hold_marks_nothing(write_tif, grid):
    path = write_tif("a.tif", np.full(grid.shape, 241, np.uint8))
    with rasterio.open(path, "r+") as dataset:
        dataset.nodata = -9999  # -9999 % 256 == 241
    assert (read(path) == 241).all()


def test_infinite_values_are_an_error_unless_they_are_the_code(write_tif, ramp):
    ramp[2, 3] = np.inf
    for categorical in (False, True):
        with pytest.raises(LayerError, match="infinite values, which no measurement has"):
            read(write_tif("a.tif", ramp), categorical=categorical)
    back = read(write_tif("b.tif", ramp, nodata=np.inf))
    assert np.isnan(back[2, 3])
    assert np.isfinite(back).sum() == 1999
    ramp[2, 3] = -np.inf
    with pytest.raises(LayerError, match="infinite"):
        read(write_tif("c.tif", ramp, nodata=-9999))


def test_scale_and_offset_are_applied_after_gaps(write_tif, grid):
    cells = np.arange(2000, dtype=np.int16).reshape(grid.shape)
    back = read(write_tif("a.tif", cells, nodata=7, scale=(0.1, -5.0)))
    assert np.isnan(back[0, 7])
    expected = cells * 0.1 - 5
    expected[0, 7] = np.nan
    assert np.allclose(back, expected, rtol=1e-6, atol=1e-6, equal_nan=True)
    assert read(write_tif("b.tif", np.full((2, 2), 3, np.uint8), scale=(0.5, 0)), True).max() == 3


def test_a_mask_inside_the_file_adds_to_nodata(write_tif, ramp):
    mask = np.full(ramp.shape, 255, np.uint8)
    mask[1, 1] = 0
    ramp[2, 2] = -9999
    back = read(write_tif("a.tif", ramp, nodata=-9999, mask=mask))
    assert np.argwhere(np.isnan(back)).tolist() == [[1, 1], [2, 2]]


@pytest.mark.parametrize(
    ("value", "dtype", "says"),
    [
        (-1, "int16", "codes from -1 to 0, but codes from 0"),
        (3_000_000_000, "uint32", "codes from 0 to 3000000000"),
        (2**63, "uint64", "codes from 0 to 9223372036854775808"),
        (0.5, "float32", "holds fractions: set kind = 'continuous'"),
    ],
)
def test_refuses_what_are_no_classes(write_tif, grid, value, dtype, says):
    cells = np.zeros(grid.shape, dtype)
    cells[0, 0] = value
    with pytest.raises(LayerError, match=says):
        read(write_tif("a.tif", cells), categorical=True)


# Aligning


def test_the_same_grid_is_read_as_it_is(write_tif, ramp, grid):
    ramp[3, 4] = np.nan
    alignment, cells = onto(write_tif("a.tif", ramp), grid)
    assert (alignment.method, alignment.reason) == ("same", "on the grid")
    assert np.array_equal(cells, ramp, equal_nan=True)


def test_another_extent_takes_the_same_cells(write_tif, ramp, grid):
    part = grid.crop(Window(5, 7, 20, 30))
    alignment, cells = onto(write_tif("a.tif", ramp), part)
    assert alignment.reason == "from another extent"
    assert np.allclose(cells, ramp[5:25, 7:37], rtol=1e-6)
    wider = grid.crop(Window(-5, -5, 60, 60))
    _, cells = onto(write_tif("a.tif", ramp), wider)
    assert np.allclose(cells[5:45, 5:55], ramp, rtol=1e-6)
    assert np.isnan(cells[:5]).all()
    assert np.isnan(cells[:, 56:]).all()


@pytest.mark.parametrize("shift", [(30.0, 0.0), (0.0, 70.0), (13.7, 91.2), (-250.0, 340.0)])
def test_a_shifted_grid_is_bilinear(write_tif, grid, shift):
    noise = np.random.default_rng(1).normal(10, 2, grid.shape).astype(np.float32)
    noise[20, 25] = np.nan
    target = moved(grid, *shift)
    alignment, cells = onto(write_tif("a.tif", noise), target)
    assert alignment.method == "bilinear"
    row = (target.y - grid.y[0]) / grid.transform.e
    col = (target.x - grid.x[0]) / grid.transform.a
    places = np.array(np.meshgrid(row, col, indexing="ij"))
    expected = map_coordinates(noise.astype(float), places, order=1, cval=np.nan)
    clear = np.isfinite(expected)
    assert clear.mean() > 0.8
    assert np.allclose(cells[clear], expected[clear], rtol=1e-5)
    # A gap stays where its own cell is, and does not grow over its neighbours.
    near = np.hypot(places[0] - 20, places[1] - 25)
    assert np.isfinite(cells[(near > 1) & (near < 3)]).all()


def test_shift_is_told_in_metres(write_tif, ramp, grid):
    alignment, _ = onto(write_tif("a.tif", ramp), moved(grid, 30, 60))
    assert alignment.reason == "shifted by 30 m east–west, 40 m north–south"


def test_a_coarser_layer_is_interpolated(write_tif, grid):
    coarse = Grid(grid.crs, Affine(500, 0, 499_000, 0, -500, 4_401_000), (12, 14))
    alignment, cells = onto(write_tif("a.tif", plane(coarse), on=coarse), grid)
    assert (alignment.method, alignment.reason) == ("bilinear", "from cells of 500 × 500")
    assert np.allclose(cells, plane(grid), atol=1e-3)


@pytest.mark.parametrize("times", [2, 5])
def test_a_finer_layer_is_averaged(write_tif, grid, times):
    fine = moved(grid, size=1 / times, shape=(40 * times, 50 * times))
    noise = np.random.default_rng(2).normal(10, 2, fine.shape).astype(np.float32)
    noise[0, 0] = np.nan
    noise[:times, times : 2 * times] = np.nan
    alignment, cells = onto(write_tif("a.tif", noise, on=fine), grid)
    assert alignment.method == "average"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        blocks = np.nanmean(noise.reshape(40, times, 50, times).astype(float), axis=(1, 3))
    assert np.isnan(cells[0, 1])
    assert np.isnan(cells).sum() == 1
    assert np.allclose(cells, blocks, rtol=1e-6, equal_nan=True)


def test_classes_take_the_most_frequent_or_the_nearest(write_tif, grid):
    rng = np.random.default_rng(3)
    fine = moved(grid, size=1 / 3, shape=(120, 150))
    codes = rng.choice([3, 7, 100], fine.shape, p=[0.2, 0.3, 0.5]).astype(np.uint8)
    codes[:3, :3] = 255
    alignment, cells = onto(write_tif("a.tif", codes, on=fine, nodata=255), grid, categorical=True)
    assert alignment.method == "mode"
    assert cells.dtype == np.int32
    assert cells[0, 0] == -1
    blocks = codes.reshape(40, 3, 50, 3).swapaxes(1, 2).reshape(40, 50, 9)
    for place in np.ndindex(40, 50):
        values, counts = np.unique(blocks[place], return_counts=True)
        winners = set(values[counts == counts.max()])
        assert cells[place] in winners | ({-1} if place == (0, 0) else set())
    alignment, near = onto(write_tif("b.tif", codes, on=fine, nodata=255),
                           moved(fine, 10, 0), categorical=True)  # fmt: skip
    assert alignment.method == "nearest"
    assert set(np.unique(near)) <= {-1, 3, 7, 100}
    assert np.array_equal(near[3:, :-1], codes[3:, :-1])


@pytest.mark.parametrize("method", ["bilinear", "average", "cubic", "nonsense"])
def test_classes_are_never_averaged(write_tif, grid, method):
    path = write_tif("a.tif", np.zeros(grid.shape, np.uint8))
    with pytest.raises(LayerError, match="categorical layer; use nearest or mode"):
        align(read_info(path), moved(grid, 10), categorical=True, resampling=method)


def test_resampling_can_be_chosen(write_tif, ramp, grid):
    path = write_tif("a.tif", ramp)
    alignment, cells = onto(path, moved(grid, 30, 30), resampling="nearest")
    assert alignment.method == "nearest"
    assert np.array_equal(cells[1:-1, 1:-1], ramp[1:-1, 1:-1])
    with pytest.raises(LayerError, match="'cubic' does not suit a continuous layer; use nearest"):
        align(read_info(path), grid, resampling="cubic")


def test_no_overlap_is_an_error_with_both_grids(write_tif, ramp, grid):
    path = write_tif("a.tif", ramp)
    for other in (moved(grid, 1e6), Grid("EPSG:32650", grid.transform, grid.shape)):
        with pytest.raises(GridError, match=r"40 × 50 .* does not overlap the grid .*40 × 50"):
            align(read_info(path), other)


def test_a_tile_far_from_the_layer_is_all_gaps(write_tif, ramp, grid):
    wide = grid.crop(Window(0, 0, 40, 3000))
    _, cells = onto(write_tif("a.tif", ramp), wide, Window(0, 2500, 40, 300))
    assert cells.shape == (40, 300)
    assert np.isnan(cells).all()


def smooth(lon, lat):
    return 100 + 30 * np.sin(40 * lon) + 20 * np.cos(50 * lat)


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:4326", Affine(0.001, 0, 68.9, 0, -0.001, 39.85)),
        ("EPSG:32641", Affine(95, 0, 1_005_000, 0, -95, 4_435_000)),
        ("EPSG:3857", Affine(120, 0, 7_672_000, 0, -120, 4_840_000)),
    ],
)
def test_another_system_agrees_with_proj(write_tif, grid, crs, transform):
    source = Grid(crs, transform, (400, 500))
    there = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    field = smooth(*there.transform(*np.meshgrid(source.x, source.y))).astype(np.float32)
    alignment, cells = onto(write_tif("a.tif", field, on=source), grid)
    assert alignment.reason == f"from {crs}"
    here = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    expected = smooth(*here.transform(*np.meshgrid(grid.x, grid.y)))
    assert np.isfinite(cells).all()
    # Bilinear interpolation errs by h²/8 · f″ along each axis: about 0.001²/8 · 50²·30 each.
    # A tenth of a cell off the place would make 0.1.
    assert np.abs(cells - expected).max() < 0.025


def test_cells_stay_in_place_across_a_whole_block(write_tif):
    """GDAL's own tolerance would let the middle of a block drift by a tenth of a cell."""
    grid = Grid("EPSG:32642", Affine(100.0, 0, 5e5, 0, -100.0, 44e5), (256, 256))
    source = Grid("EPSG:4326", Affine(0.001, 0, 68.9, 0, -0.001, 39.85), (400, 500))
    rows = np.repeat(np.arange(400, dtype=np.float32)[:, None], 500, axis=1)
    _, cells = onto(write_tif("a.tif", rows, on=source), grid)
    there = Transformer.from_crs(grid.crs, source.crs, always_xy=True)
    _, latitude = there.transform(*np.meshgrid(grid.x, grid.y))
    assert np.abs(cells - (source.y[0] - latitude) / 0.001).max() < 1e-3


# The same bits whatever window is read, whoever else reads


@pytest.fixture(scope="module")
def layers(tmp_path_factory):
    """Alignments of every method onto a grid of several lattice blocks, and their wholes."""
    folder = tmp_path_factory.mktemp("layers")
    grid = Grid("EPSG:32642", Affine(100.0, 0, 5e5, 0, -100.0, 44e5), (300, 530))
    rng = np.random.default_rng(4)
    sources = {
        "same": (grid, False),
        "bilinear": (moved(grid, 37, 61, shape=(280, 540)), False),
        "average": (moved(grid, 20, 20, size=0.31, shape=(900, 1600)), False),
        "mode": (moved(grid, 20, 20, size=0.31, shape=(900, 1600)), True),
        "nearest": (moved(grid, 37, 61), True),
        "warped": (
            Grid("EPSG:4326", Affine(0.0011, 0, 69.05, 0, -0.0009, 39.7), (400, 500)), False),
        "warped mean": (
            Grid("EPSG:32641", Affine(30, 0, 1_015_000, 0, -30, 4_430_000), (1000, 1500)), False),
    }  # fmt: skip
    found = {}
    for name, (source, categorical) in sources.items():
        values = rng.normal(100, 30, source.shape).astype(np.float32)
        values[rng.random(source.shape) < 0.02] = np.nan
        if categorical:
            values = rng.integers(0, 9, source.shape).astype(np.uint8)
        path = folder / f"{name}.tif"
        with rasterio.open(
            path, "w", driver="GTiff", height=source.rows, width=source.cols, count=1,
            dtype=values.dtype, crs=source.crs.to_wkt(), transform=source.transform, tiled=True,
        ) as dataset:  # fmt: skip
            dataset.write(values, 1)
        alignment = align(read_info(path), grid, categorical=categorical)
        found[name] = alignment, alignment.read(grid.window)
    assert {a.method for a, _ in found.values()} == {
        "same", "bilinear", "average", "mode", "nearest"
    }  # fmt: skip
    assert all((w == w).mean() > 0.1 for _, w in found.values())
    return found


@st.composite
def parts(draw):
    row, col = draw(st.integers(0, 299)), draw(st.integers(0, 529))
    return Window(row, col, draw(st.integers(1, 300 - row)), draw(st.integers(1, 530 - col)))


NAMES = ["same", "bilinear", "average", "mode", "nearest", "warped", "warped mean"]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(window=parts(), name=st.sampled_from(NAMES))
def test_any_window_equals_the_same_window_of_the_whole(layers, window, name):
    alignment, whole = layers[name]
    cells = alignment.read(window)
    assert cells.tobytes() == whole[window.slices].tobytes()


def test_alignments_travel(layers):
    alignment, whole = layers["warped"]
    sent = pickle.loads(pickle.dumps(alignment))
    assert np.array_equal(sent.read(Window(0, 0, 50, 60)), whole[:50, :60], equal_nan=True)


def test_threads_read_the_same_bits_while_warnings_are_errors(layers):
    """And while another thread changes Python's filters all the time, as scikit-learn does."""
    stop = threading.Event()

    def meddle():
        strict = [("error", None, Warning, None, 0)]
        while not stop.is_set():
            with warnings.catch_warnings():
                warnings.filters = list(strict)
                threading.Event().wait(0.0005)

    windows = [Window(r, c, 130, 140) for r in (0, 170) for c in (0, 200, 390)]
    jobs = [(name, window) for name in NAMES for window in windows] * 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        meddler = threading.Thread(target=meddle)
        meddler.start()
        try:
            with ThreadPoolExecutor(4) as pool:
                found = list(pool.map(lambda job: layers[job[0]][0].read(job[1]), jobs))
        finally:
            stop.set()
            meddler.join()
    for (name, window), cells in zip(jobs, found, strict=True):
        assert cells.tobytes() == layers[name][1][window.slices].tobytes(), name


def test_a_much_finer_layer_is_taken_in_smaller_parts(layers, monkeypatch):
    """A block of the lattice would hold gigabytes of a layer that is a hundred times finer."""
    for name in ("average", "mode", "warped mean"):
        alignment, whole = layers[name]
        asked = []
        real = opening._Reader.read

        def spy(self, *args, asked=asked, real=real, window, **options):
            asked.append((window[0][1] - window[0][0]) * (window[1][1] - window[1][0]))
            return real(self, *args, window=window, **options)

        with monkeypatch.context() as patch:
            patch.setattr(reading, "MAX_SOURCE_CELLS", 50_000)
            patch.setattr(opening._Reader, "read", spy)
            cells = alignment.read(alignment.grid.window)
            part = alignment.read(Window(60, 70, 100, 90))
        assert max(asked) < 100_000
        # Cells of another system move by the tolerance, a thousandth of a cell.
        rtol = 1e-3 if name == "warped mean" else 1e-6
        assert np.allclose(cells, whole, rtol=rtol, equal_nan=True)
        assert part.tobytes() == cells[60:160, 70:160].tobytes()


def test_rasterio_never_hides_a_warning_for_us(write_tif, ramp, grid):
    """Hiding one changes the filters of all threads, and fails while others change them."""
    unplaced = write_tif("a.tif", ramp, transform=None)
    unplaced.with_suffix(".tfw").write_text("100 0 0 -100 500050 4399950")
    shifted = align(read_info(write_tif("b.tif", ramp)), moved(grid, 30))
    with mock.patch("warnings.catch_warnings", side_effect=AssertionError("filters changed")):
        with pytest.raises(AssertionError, match="filters changed"):
            rasterize([box(0, 0, 1, 1)], out_shape=(2, 2))  # the danger is real
        assert np.array_equal(read(unplaced), ramp)
        shifted.read(WHOLE)
        codes = burn([box(500_000, 4_399_000, 500_500, 4_400_000)], grid)
        assert len(polygons(codes, grid)) == 2


def test_a_read_decodes_no_more_than_its_window(write_tif, grid):
    path = write_tif("a.tif", np.zeros((40, 50), np.float32))
    asked = []
    real = opening._Reader.read

    def spy(self, *args, **options):
        asked.append(options["window"])
        return real(self, *args, **options)

    with mock.patch.object(opening._Reader, "read", spy):
        read_native(read_info(path), Window(3, 4, 5, 6))
    assert asked == [((3, 8), (4, 10))]
