"""GeoTIFFs that are whole or not there at all."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine

from prospect.errors import OutputError
from prospect.grid import LATTICE, Grid, Window
from prospect.raster import (
    CogBand,
    CogWriter,
    atomic_path,
    cog,
    read_info,
    read_native,
    write_geotiff,
)


@pytest.fixture
def large():
    """A grid that needs overviews, whose sides are no multiples of a block."""
    return Grid("EPSG:32642", Affine(30.0, 0, 5e5, 0, -30.0, 44e5), (700, 1100))


def noise(grid, bands=1, seed=0):
    rng = np.random.default_rng(seed)
    # A large offset shows sums of squares that cancel.
    cells = (rng.normal(size=(bands, *grid.shape)) + 10_000).astype(np.float32)
    cells[rng.random(cells.shape) < 0.1] = np.nan
    return cells


def write(path, grid, cells, side=LATTICE, units=None, **options):
    units = units or [""] * len(cells)
    bands = [CogBand(f"band {i}", unit) for i, unit in enumerate(units)]
    with CogWriter(path, grid, bands, **options) as writer:
        for row in range(0, grid.rows, side):
            for col in range(0, grid.cols, side):
                window = Window(row, col, side, side).intersect(grid.window)
                rows, cols = window.slices
                writer.write(window, cells[:, rows, cols])
    return path


def folder_of(path):
    return sorted(p.name for p in path.parent.iterdir())


@pytest.mark.parametrize("compress", ["zstd", "deflate"])
def test_a_cog_holds_what_was_meant(tmp_path, large, compress):
    cells = noise(large, 2)
    tags = {"COMMODITY": "сурьма & золото", "NOTE": "a < b"}
    path = write(
        tmp_path / "карта 1.tif", large, cells, units=["1", "г/т"], tags=tags, compress=compress
    )
    assert folder_of(path) == ["карта 1.tif"]
    with rasterio.open(path) as dataset:
        assert np.array_equal(dataset.read(), cells, equal_nan=True)
        assert dataset.crs.to_epsg() == 32642
        assert (dataset.transform, dataset.shape) == (large.transform, large.shape)
        assert all(np.isnan(v) for v in dataset.nodatavals)
        assert dataset.descriptions == ("band 0", "band 1")
        assert dataset.units == ("1", "г/т")
        assert dataset.tags().items() >= tags.items()
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert dataset.profile["compress"] == compress
        assert set(dataset.block_shapes) == {(512, 512)}
        assert dataset.overviews(1) == dataset.overviews(2) == [2, 4]
        for band in range(2):
            valid = cells[band][np.isfinite(cells[band])].astype(np.float64)
            found = dataset.tags(band + 1)
            for name, value in (
                ("MINIMUM", valid.min()),
                ("MAXIMUM", valid.max()),
                ("MEAN", valid.mean()),
                ("STDDEV", valid.std()),
            ):
                assert float(found[f"STATISTICS_{name}"]) == pytest.approx(value, rel=1e-12)
            share = 100 * valid.size / cells[band].size
            assert float(found["STATISTICS_VALID_PERCENT"]) == pytest.approx(share, rel=1e-3)
    with rasterio.open(path, overview_level=0) as small:
        mean = np.nanmean(cells[0, :2, :2])
        assert small.read(1)[0, 0] == pytest.approx(mean, rel=1e-6)


def test_the_directories_stand_before_the_cells(tmp_path, large):
    """As a reader over a network wants it: headers first, coarse before fine."""
    path = write(tmp_path / "a.tif", large, noise(large))
    assert b"LAYOUT=IFDS_BEFORE_DATA" in path.read_bytes()[:300]
    offsets = []
    for level in (None, 0, 1):
        options = {} if level is None else {"overview_level": level}
        with rasterio.open(path, **options) as dataset:
            offsets.append(int(dataset.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1)))
            ifd = int(dataset.get_tag_item("IFD_OFFSET", "TIFF", bidx=1))
            assert ifd < min(offsets)
    assert offsets == sorted(offsets, reverse=True)


def test_the_same_cells_make_the_same_bytes(tmp_path, large):
    cells = noise(large)
    tags = {"A": "1", "B": "2"}
    first = write(tmp_path / "a.tif", large, cells, tags=tags).read_bytes()
    (tmp_path / "other").mkdir()
    again = write(tmp_path / "other" / "a.tif", large, cells, side=512, tags=tags).read_bytes()
    assert first == again


def test_the_writer_hands_its_own_rows_back(tmp_path, grid):
    cells = noise(grid, 2)
    with CogWriter(tmp_path / "a.tif", grid, ["a", "b"]) as writer:
        writer.write(grid.window, cells)
        for window, rows in writer.rows(1):
            assert np.array_equal(rows, cells[1][window.slices], equal_nan=True)


def test_gaps_only_and_one_cell(tmp_path):
    grid = Grid("EPSG:32642", Affine(30.0, 0, 5e5, 0, -30.0, 44e5), (1, 1))
    path = write(tmp_path / "a.tif", grid, np.full((1, 1, 1), np.nan, np.float32))
    with rasterio.open(path) as dataset:
        assert np.isnan(dataset.read(1)).all()
        assert dataset.tags(1)["STATISTICS_VALID_PERCENT"] == "0"
        assert "STATISTICS_MEAN" not in dataset.tags(1)


@pytest.mark.real
def test_a_system_without_a_code_survives(tmp_path, real_data):
    source = read_info(next((real_data / "lapland_gold" / "rasters").glob("*mag*.tif"))).grid
    grid = source.crop(Window(0, 0, 20, 30))
    path = write(tmp_path / "a.tif", grid, noise(grid))
    assert read_info(path).grid.transform == grid.transform
    assert read_info(path).grid.crs.coordinate_operation.params[1].value == 27


class Stop(Exception):
    pass


@pytest.mark.parametrize("error", [Stop, KeyboardInterrupt])
def test_a_failure_in_the_body_leaves_nothing(tmp_path, grid, error):
    path = tmp_path / "a.tif"
    with pytest.raises(error), CogWriter(path, grid, ["a"]) as writer:
        writer.write(grid.window, noise(grid))
        raise error
    assert list(tmp_path.iterdir()) == []
    path.write_bytes(b"old")
    with pytest.raises(error), CogWriter(path, grid, ["a"]):
        raise error
    assert folder_of(path) == ["a.tif"]
    assert path.read_bytes() == b"old"


def test_cells_that_never_came_are_noticed(tmp_path, grid):
    path = tmp_path / "a.tif"
    with pytest.raises(OutputError, match="50 of its cells never came"):  # noqa: SIM117
        with CogWriter(path, grid, ["a"]) as writer:
            writer.write(Window(0, 0, 39, 50), noise(grid)[:, :39])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("window", "shape"),
    [
        (Window(0, 0, 40, 50), (1, 40, 49)),
        (Window(0, 0, 40, 50), (2, 40, 50)),
        (Window(1, 0, 40, 50), (1, 40, 50)),
        (Window(-1, 0, 40, 50), (1, 40, 50)),
    ],
)
def test_cells_that_do_not_fit_are_refused(tmp_path, grid, window, shape):
    with (
        pytest.raises(OutputError, match="inside the grid were expected"),
        CogWriter(tmp_path / "a.tif", grid, ["a"]) as writer,
    ):
        writer.write(window, np.zeros(shape, np.float32))
    assert list(tmp_path.iterdir()) == []


def test_too_little_free_space_is_told_before_anything_is_computed(tmp_path, grid, monkeypatch):
    free = SimpleNamespace(free=10_000)
    monkeypatch.setattr(cog.shutil, "disk_usage", lambda folder: free)
    with (
        pytest.raises(OutputError, match=r"takes up to 0 MB, but .* has 0 MB free: free some"),
        CogWriter(tmp_path / "a.tif", grid, ["a"]),
    ):
        raise AssertionError("not reached")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_cannot_reserve_is_full(tmp_path, grid, monkeypatch, code):
    def full(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(cog.os, "posix_fallocate", full)
    with (
        pytest.raises(OutputError, match="the disk is full"),
        CogWriter(tmp_path / "a.tif", grid, ["a"]),
    ):
        raise AssertionError("not reached")
    assert list(tmp_path.iterdir()) == []


FULL = """
import json, resource, sys
import numpy as np
from affine import Affine
from pathlib import Path
from prospect.errors import OutputError
from prospect.grid import Grid
from prospect.raster import CogWriter, write_geotiff
kind, limit, path = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
grid = Grid("EPSG:32642", Affine(30.0, 0, 5e5, 0, -30.0, 44e5), (512, 512))
cells = np.random.default_rng(0).normal(size=grid.shape).astype(np.float32)
def fill():
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    if kind != "copy":
        fill()
    if kind != "plain":
        with CogWriter(path, grid, ["a"], compress="deflate") as writer:
            writer.write(grid.window, cells[None])
            if kind == "copy":
                writer._raw.flush()
                fill()
    else:
        write_geotiff(path, cells, grid)
    said = "written"
except OutputError as error:
    said = str(error)
print(json.dumps([said, sorted(p.name for p in path.parent.iterdir())]))
"""


@pytest.mark.parametrize(
    ("kind", "share", "old"),
    [
        ("raw", 0.5, True),
        ("copy", 0.001, False),
        ("copy", 0.5, True),
        ("copy", 0.85, False),
        ("copy", 1.5, True),
        ("plain", 0.02, True),
        ("plain", 0.85, False),
    ],
)
def test_a_disk_that_fills_up_leaves_things_as_they_were(tmp_path, kind, share, old):
    """By a limit on file size: the write fails in the same calls as on a full disk."""
    path = tmp_path / "a.tif"
    if old:
        path.write_bytes(b"old")
    limit = int(share * 4 * 512 * 512)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FULL, kind, str(limit), str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said, left = json.loads(done.stdout)
    assert left == (["a.tif"] if old or said == "written" else [])
    if share > 1:
        assert said == "written"
        with rasterio.open(path) as dataset:
            assert np.isfinite(dataset.read(1)).all()
    else:
        assert f"{path} " in said
        assert "written" in said
        assert path.read_bytes() == b"old" if old else not path.exists()


KILLED = """
import os, signal, sys
from affine import Affine
from prospect.grid import Grid
from prospect.raster import CogWriter, cog
import numpy as np
path, when = sys.argv[1:]
grid = Grid("EPSG:32642", Affine(30.0, 0, 5e5, 0, -30.0, 44e5), (512, 512))
die = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
if when == "copy":
    cog.rasterio.shutil.copy = die
if when == "verify":
    CogWriter._verify = die
if when == "sync":
    cog.sync = die
with CogWriter(path, grid, ["a"]) as writer:
    writer.write(grid.window, np.ones((1, 512, 512), np.float32))
    if when == "body":
        die()
"""


@pytest.mark.parametrize("when", ["body", "copy", "verify", "sync"])
def test_killed_at_any_point_the_old_map_stays(tmp_path, when):
    path = tmp_path / "a.tif"
    path.write_bytes(b"old")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), when],
        check=False,
        timeout=60,
        env={**os.environ, "LC_ALL": "C"},
    )
    assert done.returncode == -9
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".")] == ["a.tif"]


@pytest.mark.parametrize("damage", ["cell", "cut", "place", "nothing"])
def test_a_corrupted_copy_is_caught(tmp_path, grid, monkeypatch, damage):
    real = rasterio.shutil.copy

    def copy(source, target, **options):
        if damage == "nothing":
            return
        real(source, target, **options)
        if damage == "cut":
            data = Path(target).read_bytes()
            Path(target).write_bytes(data[: len(data) // 2])
            return
        with rasterio.open(target, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
            if damage == "cell":
                cells = dataset.read(1)
                cells[39, 49] = 0.5
                dataset.write(cells, 1)
            else:
                dataset.transform = Affine(30.0, 0, 0, 0, -30.0, 44e5)

    monkeypatch.setattr(rasterio.shutil, "copy", copy)
    path = tmp_path / "a.tif"
    path.write_bytes(b"old")
    says = "not written as meant" if damage in ("cell", "place") else "cannot be"
    with pytest.raises(OutputError, match=says):
        write(path, grid, noise(grid))
    assert folder_of(path) == ["a.tif"]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("kind", ["cog", "plain", "text"])
def test_folders_that_cannot_be_written(tmp_path, grid, kind):
    def attempt(path):
        if kind == "cog":
            write(path, grid, noise(grid))
        elif kind == "plain":
            write_geotiff(path, noise(grid)[0], grid)
        else:
            with atomic_path(path) as temporary:
                temporary.write_text("x")

    with pytest.raises(OutputError, match=r"There is no folder .*missing to write"):
        attempt(tmp_path / "missing" / "a.tif")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="There is no folder"):
        attempt(tmp_path / "file" / "a.tif")
    (tmp_path / "folder.tif").mkdir()
    with pytest.raises(OutputError, match="is a folder, but a file is to be written"):
        attempt(tmp_path / "folder.tif")
    locked = Path("/proc/self")  # nobody makes files here, root neither
    if locked.is_dir():
        with pytest.raises(OutputError, match=r"cannot be written .*: choose another"):
            attempt(locked / "a.tif")


def test_atomic_path_replaces_whole_or_not_at_all(tmp_path):
    path = tmp_path / "отчёт.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    with pytest.raises(Stop), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise Stop
    with pytest.raises(OutputError, match="cannot be written"), atomic_path(path):
        pass  # a body that writes nothing
    assert path.read_text() == "new"
    assert folder_of(path) == ["отчёт.txt"]


@pytest.mark.parametrize(
    ("dtype", "nodata"), [("float32", np.nan), ("int32", -1), ("uint8", 255), ("int16", None)]
)
def test_plain_geotiffs_come_back(tmp_path, grid, dtype, nodata):
    cells = (np.arange(2000).reshape(grid.shape) % 100).astype(dtype)
    path = tmp_path / "a.tif"
    write_geotiff(path, cells, grid, nodata=nodata, description="Sb", unit="ppm")
    info = read_info(path)
    assert info.grid == grid
    assert (info.dtype, info.description, info.unit) == (dtype, "Sb", "ppm")
    assert info.nodata == nodata or (np.isnan(info.nodata) and np.isnan(nodata))
    assert np.array_equal(read_native(info, grid.window), cells.astype(np.float32))
    assert folder_of(path) == ["a.tif"]


def test_threads_that_compress_leave_no_trace(tmp_path, large):
    cells = noise(large, 2)
    made = [write(tmp_path / f"{n}.tif", large, cells, threads=n).read_bytes() for n in (1, 2, 5)]
    assert made[0] == made[1] == made[2]


def test_a_file_of_classes_has_a_palette(tmp_path, large):
    cells = (np.arange(large.rows * large.cols).reshape(1, *large.shape) % 3).astype(np.uint8)
    cells[0, :300] = 255
    colours = [(255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255)]
    bands = [CogBand("driver", tags={"CONTENT": "what counts most"})]
    path = tmp_path / "a.tif"
    with CogWriter(path, large, bands, dtype="uint8", palette=colours) as writer:
        writer.write(large.window, cells)
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(), cells)
        assert dataset.nodata == 255
        assert [dataset.colormap(1)[k] for k in range(3)] == colours
        assert dataset.tags(1)["CONTENT"] == "what counts most"
        assert dataset.overviews(1) == [2, 4]
    # Classes are never averaged.
    with rasterio.open(path, overview_level=0) as small:
        assert set(np.unique(small.read(1))) == {0, 1, 2, 255}


def test_a_raw_file_is_gone_on_with(tmp_path, large):
    cells, work = noise(large), tmp_path / "work"
    work.mkdir()
    path, half = tmp_path / "a.tif", Window(0, 0, 256, large.cols)
    rest = Window(256, 0, large.rows - 256, large.cols)
    with pytest.raises(Stop), CogWriter(path, large, ["a"], work=work) as writer:
        writer.write(half, cells[(slice(None), *half.slices)])
        writer.flush()
        raise Stop
    assert folder_of(path) == ["work"]
    with CogWriter(path, large, ["a"], work=work, again=True) as writer:
        assert np.array_equal(writer.read(half), cells[:, :256], equal_nan=True)
        writer.accept(half)
        writer.write(rest, cells[:, 256:])
        writer.finish()
        assert not path.exists()
        assert np.array_equal(writer.sample(0, 9), cells[0, ::9, ::9].ravel(), equal_nan=True)
    with rasterio.open(path) as dataset:
        assert np.array_equal(dataset.read(), cells, equal_nan=True)
