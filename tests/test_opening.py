"""What a raster file says of itself, and what is refused before a cell is read."""

import json
import struct
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from affine import Affine
from conftest import read

from prospect.errors import GridError, LayerError
from prospect.grid import Window
from prospect.raster import read_info, read_native, require_file, safe_open

WHOLE = Window(0, 0, 40, 50)


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
        (200_000, 200_000, {"tiled": True, "blockxsize": 2048, "blockysize": 2048},
         "set PROSPECT_MAX_CELLS="),
        (16384, 16384, {"compress": "deflate", "blockysize": 16384}, "blocks of 1,024 MB"),
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
