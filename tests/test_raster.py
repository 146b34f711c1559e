"""Opening, reading and aligning rasters, whoever made them."""

import json
import pickle
import struct
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import numpy as np
import pytest
import rasterio
from affine import Affine
from conftest import plane
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio.features import rasterize
from scipy.ndimage import map_coordinates
from shapely.geometry import LineString, Point, box

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
    require_file,
    safe_open,
)

WHOLE = Window(0, 0, 40, 50)


def read(path, categorical=False, **options):
    info = read_info(path, **options)
    return read_native(info, info.grid.window, categorical=categorical)


# Opening


def test_says_what_a_file_says_of_itself(write_tif, grid):
    path = write_tif("карта 1 #2?.tif", np.zeros((2, *grid.shape), np.int16), nodata=-99)
    with rasterio.open(path, "r+") as dataset:
        dataset.set_band_description(2, "Sb")
        dataset.set_band_unit(2, "ppm")
        dataset.scales, dataset.offsets = (1.0, 0.1), (0.0, -5.0)
    info = read_info(path, 2)
    assert info.grid == grid
    assert (info.path, info.band, info.bands, info.driver) == (path, 2, 2, "GTiff")
    assert (info.dtype, info.nodata, info.is_float) == ("int16", -99.0, False)
    assert (info.description, info.unit, info.scale, info.offset) == ("Sb", "ppm", 0.1, -5.0)
    assert info.notes == ()


@pytest.mark.parametrize("band", [0, 2, -1])
def test_refuses_a_band_that_is_not_there(write_tif, ramp, band):
    with pytest.raises(LayerError, match=f"bands 1 to 1, but band {band} was asked"):
        read_info(write_tif("a.tif", ramp), band)


@pytest.mark.parametrize(
    "name",
    [
        "http://localhost/a.tif",
        "https://localhost/a.tif",
        "s3://bucket/a.tif",
        "zip+file://a.zip!a.tif",
        "zip:///a.zip!a.tif",
        "/vsicurl/http://localhost/a.tif",
        "/vsizip/a.zip/a.tif",
        "<VRTDataset></VRTDataset>",
        "a\0.tif",
    ],
)
def test_refuses_what_is_no_file_on_this_computer(name):
    with pytest.raises(LayerError, match="not a file on this computer: download or unpack"):
        require_file(name)
    with pytest.raises(LayerError):
        read_info(name)


def test_refuses_missing_files_folders_and_unnamed_drivers(tmp_path, write_tif, ramp):
    with pytest.raises(LayerError, match="There is no file"):
        read_info(tmp_path / "missing.tif")
    with pytest.raises(LayerError, match="cannot be looked up"):
        read_info("a" * 5000)
    with pytest.raises(LayerError, match="is a folder"):
        read_info(tmp_path)
    with pytest.raises(LayerError, match="cannot be opened as ESRI grid"):
        read_info(tmp_path, allow_drivers=("AIG",))
    with pytest.raises(LayerError, match="'VRT' cannot be allowed"):
        read_info(write_tif("a.tif", ramp), allow_drivers=("VRT",))


def vrt_of(path, grid):
    """A description file that shows another raster."""
    return (
        f'<VRTDataset rasterXSize="{grid.cols}" rasterYSize="{grid.rows}">'
        f"<SRS>EPSG:4326</SRS><GeoTransform>1, 1, 0, 1, 0, -1</GeoTransform>"
        '<VRTRasterBand dataType="Float32" band="1"><NoDataValue>0</NoDataValue><SimpleSource>'
        f"<SourceFilename>{path}</SourceFilename><SourceBand>1</SourceBand>"
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )


def test_a_description_named_tif_shows_no_other_file(tmp_path, write_tif, ramp, grid):
    secret = write_tif("secret.tif", ramp)
    trick = tmp_path / "trick.tif"
    trick.write_text(vrt_of(secret, grid))
    with rasterio.open(trick) as dataset:
        assert dataset.driver == "VRT"  # the danger is real
    with pytest.raises(LayerError, match="cannot be opened as GeoTIFF"):
        read_info(trick)
    with pytest.raises(LayerError, match="cannot be opened as GeoTIFF or ESRI grid"):
        read_info(trick, allow_drivers=("AIG",))


def test_a_name_is_no_prefix_of_gdal(tmp_path, write_tif, ramp, monkeypatch):
    write_tif("secret.tif", ramp)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "GTIFF_DIR:1:secret.tif").write_bytes(b"nothing")
    with rasterio.open("GTIFF_DIR:1:secret.tif") as dataset:
        assert dataset.shape == ramp.shape  # the danger is real
    with pytest.raises(LayerError, match="cannot be opened as GeoTIFF"):
        read_info("GTIFF_DIR:1:secret.tif")


def test_siblings_are_not_looked_at(tmp_path, write_tif, ramp, grid):
    path = write_tif("a.tif", ramp)
    plain = read(path)
    other = write_tif("other.tif", ramp + 1000)
    for suffix in (".ovr", ".msk"):
        (tmp_path / f"a.tif{suffix}").write_text(vrt_of(other, grid))
    (tmp_path / "a.tif.aux.xml").write_text(
        "<PAMDataset><SRS>EPSG:4326</SRS><GeoTransform>1, 1, 0, 1, 0, -1</GeoTransform>"
        '<PAMRasterBand band="1"><NoDataValue>5</NoDataValue><Scale>7</Scale></PAMRasterBand>'
        "</PAMDataset>"
    )
    (tmp_path / "a.tfw").write_text("1\n0\n0\n-1\n0\n0\n")
    (tmp_path / "a.prj").write_text("EPSG:4326")
    with rasterio.open(path) as dataset:
        assert dataset.nodata == 5  # the danger is real
    info = read_info(path)
    assert info.grid == grid
    assert (info.nodata, info.scale) == (None, 1.0)
    assert info.notes == ("a.tif.aux.xml ignored",)
    assert np.array_equal(read_native(info, WHOLE), plain)
    with safe_open(path) as dataset:
        assert dataset.overviews(1) == []


@pytest.mark.parametrize(
    ("suffix", "world"),
    [
        (".tfw", "100.0\n0.0\n0.0\n-100.0\n500050.0\n4399950.0\n"),
        (".TFW", "100,0\r\n0,0\r\n0,0\r\n-100,0\r\n500050,0\r\n4399950,0\r\n"),
        (".tifw", "1e2 0 0 -1e2 500050 4399950"),
        (".wld", "100 0 0 -100 500050 4399950"),
    ],
)
def test_world_file_and_prj_are_read_as_plain_numbers_and_text(
    tmp_path, write_tif, ramp, grid, suffix, world
):
    path = write_tif("лист 7.tif", ramp, crs=None, transform=None)
    path.with_suffix(suffix).write_text(world)
    path.with_suffix(".prj").write_text(grid.crs.to_wkt("WKT1_ESRI"))
    info = read_info(path)
    assert info.grid.same_as(grid)
    assert info.notes == (
        f"position from лист 7{suffix}",
        "coordinate system from лист 7.prj",
    )
    assert np.array_equal(read_native(info, WHOLE), ramp)


@pytest.mark.parametrize(
    ("world", "says"),
    [
        ("100 0 0 -100 500050", "six numbers were expected"),
        ("a b c d e f", "six numbers were expected, but 'a b c d e f'"),
        ("", "six numbers were expected"),
        ("nan 0 0 -100 0 0", "not finite"),
        ("1e999 0 0 -100 0 0", "not finite"),
        ("100 30 0 -100 0 0", "unrotated"),
        ("100 0 0 100 0 0", "north-up"),
        ("0 0 0 0 0 0", "non-zero cells"),
    ],
)
def test_wrong_world_files(write_tif, ramp, world, says):
    path = write_tif("a.tif", ramp, transform=None)
    path.with_suffix(".tfw").write_text(world)
    with pytest.raises((LayerError, GridError), match=says):
        read_info(path)


def test_refuses_layers_without_a_place(write_tif, ramp):
    with pytest.raises(LayerError, match="does not say where it lies"):
        read_info(write_tif("a.tif", ramp, transform=None))
    path = write_tif("b.tif", ramp, crs=None)
    with pytest.raises(LayerError, match="no coordinate system: assign one"):
        read_info(path)
    path.with_suffix(".prj").write_text("LOCAL nonsense")
    with pytest.raises(LayerError, match=r"b\.prj is not a coordinate system"):
        read_info(path)


@pytest.mark.parametrize(
    ("transform", "crs", "says"),
    [
        (Affine(100, 5, 5e5, 5, -100, 44e5), "EPSG:32642", "unrotated"),
        (Affine(100, 0, 5e5, 0, 100, 44e5), "EPSG:32642", "north-up"),
        (Affine(100, 0, 5e5, 0, 0, 44e5), "EPSG:32642", "non-zero cells"),
        (Affine(0.5, 0, 170, 0, -0.5, 50), "EPSG:4326", "crosses the antimeridian"),
        (Affine(0.5, 0, -190, 0, -0.5, 50), "EPSG:4326", "crosses the antimeridian"),
        (Affine(100, 0, 5e5, 0, -100, 44e5), "EPSG:4326", "said to be in degrees"),
    ],
)
def test_refuses_odd_places(write_tif, ramp, transform, crs, says):
    path = write_tif("a.tif", ramp, transform=transform, crs=crs)
    with pytest.raises(GridError, match=says) as error:
        read_info(path)
    assert str(path) in str(error.value)


def test_a_world_grid_with_cells_centred_on_its_edges_is_welcome(write_tif):
    cells = np.zeros((181, 361), np.uint8)
    path = write_tif("w.tif", cells, transform=Affine(1, 0, -180.5, 0, -1, 90.5), crs="EPSG:4326")
    assert read_info(path).grid.shape == (181, 361)


@pytest.mark.parametrize("dtype", ["complex64", "complex128", "complex_int16"])
def test_refuses_complex_values(write_tif, grid, dtype):
    cells = np.zeros(grid.shape, "complex64")
    if dtype == "complex_int16":
        path = write_tif("c.tif", cells)
        data = path.read_bytes()  # sample format: from complex float to complex integer
        tag = struct.pack("<HHI", 339, 3, 1)
        assert tag + b"\x06" in data
        path.write_bytes(data.replace(tag + b"\x06", tag + b"\x05"))
    else:
        path = write_tif("c.tif", cells.astype(dtype))
    with pytest.raises(LayerError, match="complex"):
        read_info(path)


@pytest.mark.parametrize("scale", [(0.0, 1.0), (np.nan, 0.0), (1.0, np.inf)])
def test_refuses_scales_that_leave_nothing(write_tif, ramp, scale):
    with pytest.raises(LayerError, match="set scale 1 and offset 0"):
        read_info(write_tif("a.tif", ramp, scale=scale))


def sparse(path, rows, cols, **profile):
    """A file that claims much and stores nothing."""
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=rows,
        width=cols,
        count=1,
        crs="EPSG:32642",
        transform=Affine(1, 0, 0, 0, -1, 10),
        SPARSE_OK=True,
        BIGTIFF="YES",
        **profile,
    ):
        pass
    return path


@pytest.mark.parametrize(
    ("rows", "cols", "profile", "says"),
    [
        (200_000, 200_000, {"tiled": True, "blockxsize": 2048, "blockysize": 2048}, "cells in 1"),
        (16384, 16384, {"compress": "deflate", "blockysize": 16384}, "blocks of 1024 MB"),
        (30_000, 30_000, {"compress": "deflate", "tiled": True, "blockxsize": 8192,
                          "blockysize": 8192}, "would grow from"),
    ],
)  # fmt: skip
def test_refuses_claims_that_would_exhaust_memory(tmp_path, rows, cols, profile, says):
    path = sparse(tmp_path / "s.tif", rows, cols, dtype="float32", **profile)
    assert path.stat().st_size < 200_000
    with pytest.raises(LayerError, match=says):
        read_info(path)


def test_large_but_honest_files_are_welcome(tmp_path):
    path = sparse(tmp_path / "s.tif", 16_000, 16_000, dtype="uint8", compress="deflate")
    assert read_info(path).grid.shape == (16_000, 16_000)


HOSTILE = """
import json, resource, shutil, sys, time
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, 6 * 2**30))
from prospect.errors import ProspectError
from prospect.grid import Window
from prospect.raster import read_info, read_native
results = {}
for path in sorted(Path(sys.argv[1]).glob("*.tif")):
    bare = Path(sys.argv[2]) / path.name
    placed = Path(sys.argv[2]) / ("placed-" + path.name)
    for copy in (bare, placed):
        shutil.copyfile(path, copy)
    placed.with_suffix(".tfw").write_text("1 0 0 -1 0 0")
    placed.with_suffix(".prj").write_text("EPSG:32642")
    for copy in (bare, placed):
        start = time.monotonic()
        try:
            info = read_info(copy)
            for kind in (False, True):
                read_native(info, info.grid.window.intersect(Window(0, 0, 2000, 2000)),
                            categorical=kind)
            said = ["read", ""]
        except ProspectError as error:
            said = [type(error).__name__, str(error)]
        results[copy.name] = [*said, time.monotonic() - start]
        print(json.dumps([copy.name, *results[copy.name]]), flush=True)
"""


def run_python(code, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        **options,
    )


@pytest.mark.real
def test_malformed_tiffs_end_in_a_sentence(real_data, tmp_path):
    folder = real_data / "hostile_tiff"
    done = run_python(HOSTILE, folder, tmp_path)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (results[-1:], done.stderr[-2000:])
    assert len(results) == 2 * len(list(folder.glob("*.tif"))) >= 26
    for name, kind, message, seconds in results:
        assert seconds < 10, name
        if not name.startswith("placed-"):
            assert kind == "LayerError", (name, kind)
        if kind != "read":
            assert name in message
            assert message.endswith((".", "!"))
            assert "\n" not in message


# Reading


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


def onto(path, grid, window=None, categorical=False, **options):
    alignment = align(read_info(path), grid, categorical=categorical, **options)
    return alignment, alignment.read(window or grid.window)


def moved(grid, dx=0.0, dy=0.0, size=1.0, shape=None, crs=None):
    t = grid.transform
    place = Affine(t.a * size, 0, t.c + dx, 0, t.e * size, t.f - dy)
    return Grid(crs or grid.crs, place, shape or grid.shape)


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


# Burning in and outlining


def test_polygons_are_burnt_by_centre_and_lines_by_touch(grid):
    # Centres lie 50 m from the edges: this takes rows 0–1 and columns 0–2.
    square = box(500_000, 4_399_849, 500_251, 4_400_000)
    assert burn([square], grid).sum() == 6
    line = LineString([(500_010, 4_399_990), (500_410, 4_399_990)])
    touched = burn([line], grid, all_touched=True)
    assert touched[0].tolist() == [1] * 5 + [0] * 45
    assert touched[1:].sum() == 0
    assert burn([Point(500_150, 4_399_950)], grid)[0, 1] == 1


def test_later_geometries_lie_on_top_and_empty_ones_are_passed_over(grid):
    a, b = box(500_000, 4_399_000, 501_000, 4_400_000), box(500_500, 4_399_500, 502_000, 4_400_000)
    codes = burn([a, Point(), b, None], grid, values=[3, 9, 5, 9], fill=-1)
    assert codes.dtype == np.int32
    assert codes[0, [0, 4, 5, 19, 20]].tolist() == [3, 3, 5, 5, -1]
    assert (burn([Point()], grid, fill=-1) == -1).all()
    assert (burn([box(0, 0, 1, 1)], grid) == 0).all()


def test_outlines_are_burnt_back(grid):
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 4, grid.shape).astype(np.int32)
    outlines = polygons(codes, grid)
    back = burn([g for g, _ in outlines], grid, values=[c for _, c in outlines], fill=-1)
    assert np.array_equal(back, codes)
    only = polygons(codes, grid, mask=codes == 2)
    assert {code for _, code in only} == {2}
    assert sum(g.area for g, _ in only) == pytest.approx((codes == 2).sum() * 10_000)


def test_the_grid_that_gdal_takes_for_none_works_too(write_tif):
    """Cells of 1 m with the corner at 0, 0 read as no position at all."""
    grid = Grid("EPSG:32642", Affine(1, 0, 0, 0, -1, 0), (8, 8))
    assert burn([box(0, -2, 3, 0)], grid).sum() == 6
    source = Grid("EPSG:32642", Affine(1, 0, -2.5, 0, -1, 2.5), (16, 16))
    values = np.add.outer(-source.y, source.x).astype(np.float32)
    _, cells = onto(write_tif("a.tif", values, on=source), grid)
    assert np.allclose(cells, np.add.outer(-grid.y, grid.x), atol=1e-5)
