"""What stands beside a raster: followed when asked, said always, never believed blindly."""

import struct

import numpy as np
import pytest
from conftest import read

from prospect.errors import LayerError
from prospect.raster import read_class_names, read_info, safe_open
from prospect.stack import open_stack

PAM = (
    "<PAMDataset><SRS>EPSG:32643</SRS><GeoTransform>600000, 50, 0, 4500000, 0, -50</GeoTransform>"
    '<PAMRasterBand band="1"><NoDataValue>3</NoDataValue><Scale>2</Scale><Offset>1</Offset>'
    "</PAMRasterBand></PAMDataset>"
)


@pytest.fixture
def beside(write_tif, grid):
    cells = np.tile(np.arange(5, dtype=np.float32), (grid.rows, grid.cols // 5))
    path = write_tif("a.tif", cells)

    def put(text):
        path.with_name("a.tif.aux.xml").write_text(text)
        return path

    return put


def test_a_sidecar_is_followed_when_asked_and_said_either_way(beside, grid):
    path = beside(PAM)
    info = read_info(path)
    assert (info.grid, info.nodata, info.scale) == (grid, None, 1.0)
    assert info.notes == ("a.tif.aux.xml ignored",)
    info = read_info(path, allow_drivers=("PAM",))
    assert info.grid.crs.to_epsg() == 32643
    assert (info.grid.transform.a, info.grid.transform.c) == (50, 600_000)
    assert (info.nodata, info.scale, info.offset) == (3.0, 2.0, 1.0)
    assert info.notes == ("a.tif.aux.xml followed",)
    values = read(path, allow_drivers=("PAM",))[0]
    np.testing.assert_array_equal(values[:5], [1, 3, 5, np.nan, 9])
    stack = open_stack([path], allow_drivers=("PAM",))
    np.testing.assert_array_equal(stack["a"].values[0, :5], [1, 3, 5, np.nan, 9])
    assert stack["a"].attrs["notes"] == ["a.tif.aux.xml followed"]


def test_no_sidecar_is_no_trouble(write_tif, ramp, grid):
    path = write_tif("b.tif", ramp)
    assert read_info(path, allow_drivers=("PAM",)).notes == ()
    with safe_open(path, allow_drivers=("PAM", "AIG")) as dataset:
        assert dataset.shape == grid.shape


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><PAMDataset><SRS>&a;</SRS>'
        "</PAMDataset>",
        "<PAMDataset>",
        "<VRTDataset/>",
        "<PAMDataset><GeoTransform>1,2</GeoTransform></PAMDataset>",
        "<PAMDataset><SRS>nonsense</SRS></PAMDataset>",
        '<PAMDataset><PAMRasterBand band="x"/></PAMDataset>',
        "",
    ],
)
def test_a_sidecar_that_means_harm_is_a_sentence(beside, text):
    path = beside(text)
    assert read_info(path).notes == ("a.tif.aux.xml ignored",)
    with pytest.raises(LayerError, match=r"a\.tif\.aux\.xml (declares|cannot be followed)"):
        read_info(path, allow_drivers=("PAM",))


def dbf(fields, rows):
    """A dBASE table, as programs write it beside a raster of classes."""
    width = 1 + sum(size for _, _, size in fields)
    head = struct.pack("<B3xIHH20x", 3, len(rows), 32 + 32 * len(fields) + 1, width)
    for name, kind, size in fields:
        head += name.ljust(11, "\0").encode() + kind.encode() + bytes(4) + bytes([size, 0])
        head += bytes(14)
    cells = b"".join(b" " + b"".join(v.ljust(s) for v, (_, _, s) in zip(row, fields, strict=True))
                     for row in rows)  # fmt: skip
    return head + b"\r" + cells


FIELDS = (("VALUE", "N", 9), ("COUNT", "N", 9), ("ROCK", "C", 30))


@pytest.mark.parametrize("encoding", ["utf-8", "cp1251"])
def test_class_names_come_from_a_table_beside(write_tif, grid, tmp_path, encoding):
    path = write_tif("lithology.tif", np.ones(grid.shape, np.int16))
    rows = [(b"1", b"9", "гранит".encode(encoding)), (b"2", b"4", "сланец".encode(encoding))]
    (tmp_path / "lithology.tif.vat.dbf").write_bytes(dbf(FIELDS, rows))
    assert read_class_names(path) == ({1: "гранит", 2: "сланец"}, "lithology.tif.vat.dbf")
    layer = open_stack([path])["lithology"]
    assert layer.attrs["classes"] == {1: "гранит", 2: "сланец"}
    assert layer.attrs["notes"] == ["classes from lithology.tif.vat.dbf"]


def test_a_table_of_classes_that_lies_is_a_sentence(write_tif, grid, tmp_path):
    path = write_tif("lithology.tif", np.ones(grid.shape, np.int16))
    table = tmp_path / "lithology.tif.vat.dbf"
    data = bytearray(dbf(FIELDS, [(b"1", b"9", b"granite")]))
    assert read_class_names(tmp_path / "other.tif") == ({}, "")
    for claim in (1000, 2**31 - 1):
        struct.pack_into("<I", data, 4, claim)
        table.write_bytes(data)
        with pytest.raises(LayerError, match="is not a table of classes"):
            read_class_names(path)
    table.write_bytes(dbf(FIELDS, [(b"one", b"9", b"granite")]))
    with pytest.raises(LayerError, match="is not a table of classes"):
        read_class_names(path)
    table.write_bytes(dbf(FIELDS[:2], [(b"1", b"9")]))
    assert read_class_names(path)[0] == {}
