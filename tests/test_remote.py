"""Rasters elsewhere: fetched where the door is opened by name, and no connection otherwise."""

import re
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from prospect.cli import main
from prospect.errors import LayerError
from prospect.raster import align, read_info
from prospect.scoring import score
from prospect.stack import open_stack


class Ranges(BaseHTTPRequestHandler):
    """Files of a folder, whole or in ranges of bytes."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.came.append((self.path, self.headers.get("Range")))
        file = self.server.folder / self.path.lstrip("/")
        if not file.is_file():
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        held = file.read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first, last = (int(asked[1]), int(asked[2] or len(held) - 1)) if asked else (0, len(held))
        part = held[first : last + 1]
        self.send_response(206 if asked else 200)
        if asked:
            end = first + len(part) - 1
            self.send_header("Content-Range", f"bytes {first}-{end}/{len(held)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(part)

    do_HEAD = do_GET

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def served(tmp_path):
    """A server on this computer: its address, its folder, and what it was asked."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Ranges) as server:
        server.folder, server.came = tmp_path, []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            server.prefix = f"/vsicurl/http://127.0.0.1:{server.server_port}/"
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_an_open_door_gives_the_same_cells(write_tif, grid, served):
    values = np.random.default_rng(0).normal(size=(400, 500)).astype(np.float32)
    large = type(grid)(grid.crs, grid.transform, values.shape)
    path = write_tif("a.tif", values, on=large, tiled=True, blockxsize=64, blockysize=64)
    there = Path(served.prefix + "a.tif")
    info = read_info(there, allow_drivers=(served.prefix,))
    assert info.grid == read_info(path).grid
    window = large.window.intersect(type(large.window)(0, 0, 64, 64))
    cells = align(info, large, allow_drivers=(served.prefix,)).read(window)
    np.testing.assert_array_equal(cells, values[:64, :64])
    assert {name for name, _ in served.came} == {"/a.tif"}, "no sibling is asked for"
    assert any(ranged for _, ranged in served.came)


def test_a_closed_door_makes_no_connection(write_tif, ramp, served):
    write_tif("a.tif", ramp)
    name = served.prefix + "a.tif"
    host = served.prefix.split("//")[1]
    for given in (name, Path(name)):
        with pytest.raises(LayerError, match=f"--allow-remote /vsicurl/http://{host}"):
            read_info(given)
    with pytest.raises(LayerError, match="another computer"):
        read_info(name, allow_drivers=("/vsis3/bucket/", "AIG", "PAM"))
    for other in (served.prefix + "b/", served.prefix.replace("127.0.0.1", "127.0.0.2")):
        with pytest.raises(LayerError, match="another computer"):
            read_info(name, allow_drivers=(other,))
    assert served.came == []


@pytest.mark.parametrize(
    "name",
    ["/vsis3/mine/../other/a.tif", "/vsis3/mine-too/a.tif", "/vsigs/mine/a.tif",
     "/vsicurl/https://mine/a.tif"],
)  # fmt: skip
def test_a_door_opens_nothing_beside_it(name):
    with pytest.raises(LayerError, match="another computer"):
        read_info(name, allow_drivers=("/vsis3/mine/",))


@pytest.mark.parametrize("door", ["/vsizip/a/", "/vsis3/mine", "/vsimem/", "/vsis3/../"])
def test_doors_are_beginnings_of_paths_elsewhere(door, write_tif, ramp):
    with pytest.raises(LayerError, match="cannot be allowed: the beginning of paths"):
        read_info(write_tif("a.tif", ramp), allow_drivers=(door,))


@pytest.mark.parametrize("name", ["/vsizip/a.zip/a.tif", "/vsimem/a.tif", "s3://mine/a.tif"])
def test_other_tricks_stay_refused(name):
    with pytest.raises(LayerError, match="not a file on this computer"):
        read_info(name, allow_drivers=("/vsis3/mine/",))


def test_an_open_door_lets_no_file_fetch_another(served, tmp_path, grid):
    """A VRT is no GeoTIFF, and what is fetched must be one."""
    (tmp_path / "a.tif").write_text(
        f"<VRTDataset><SourceFilename>{served.prefix}b.tif</SourceFilename></VRTDataset>"
    )
    with pytest.raises(LayerError, match="cannot be opened as GeoTIFF"):
        read_info(served.prefix + "a.tif", allow_drivers=(served.prefix,))
    with pytest.raises(LayerError, match="cannot be opened as GeoTIFF"):
        read_info(served.prefix + "gone.tif", allow_drivers=(served.prefix,))
    assert "/b.tif" not in {name for name, _ in served.came}


def test_inspect_says_how_the_door_opens(write_tif, ramp, served):
    write_tif("a.tif", ramp)
    ran = CliRunner().invoke(main, ["inspect", served.prefix + "a.tif"])
    assert "--allow-remote /vsicurl/http://127.0.0.1" in ran.output + str(ran.exception)
    assert served.came == []
    ran = CliRunner().invoke(
        main, ["inspect", served.prefix + "a.tif", "--allow-remote", served.prefix]
    )
    assert ran.exit_code == 0, ran.output
    assert served.came


@pytest.mark.parametrize("engine", ["threads", "dask"])
def test_a_map_of_layers_elsewhere_is_the_same(
    engine, gold_model, region_folder, world, served, tmp_path
):
    """Workers are told of the door by the job, not by their environment."""
    if engine == "dask":
        pytest.importorskip("distributed", reason="needs the extra dask")
    served.folder = region_folder
    away = ("magnetics", "elevation")
    layers = tuple(
        replace(spec, path=Path(served.prefix + spec.path.name)) if spec.name in away else spec
        for spec in world.layers
    )
    moved = replace(world, layers=layers)
    with pytest.raises(LayerError, match="another computer"):
        open_stack(moved)
    assert served.came == []
    stack = open_stack(moved, allow_drivers=(served.prefix,))
    found = score(gold_model, stack, tmp_path / "a.tif", engine=engine, workers=2)
    kept = score(gold_model, open_stack(world), tmp_path / "b.tif", workers=2)
    assert found.read_bytes() == kept.read_bytes()
    assert {name for name, _ in served.came} == {f"/{name}.tif" for name in away}
