"""Rows kept between windows: the same values as read anew, and every block decoded once."""

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st

from prospect.features.overlap import Overlap
from prospect.grid import Window
from prospect.stack import open_stack, read_block

ROWS, COLS, BLOCK = 700, 600, 128


@pytest.fixture(scope="module")
def layer(tmp_path_factory):
    path = tmp_path_factory.mktemp("overlap") / "a.tif"
    values = np.arange(ROWS * COLS, dtype=np.float32).reshape(ROWS, COLS)
    profile = {
        "driver": "GTiff",
        "height": ROWS,
        "width": COLS,
        "count": 1,
        "dtype": "float32",
        "crs": "EPSG:32642",
        "transform": rasterio.Affine(100, 0, 500_000, 0, -100, 4_500_000),
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
    }
    with rasterio.open(path, "w", **profile) as target:
        target.write(values, 1)
    return open_stack([path])["a"]


@pytest.fixture
def asked(monkeypatch):
    """The windows that are read of files."""
    windows = []

    def read(layer, window, dtype):
        windows.append(window)
        return read_block(layer, window, dtype)

    monkeypatch.setattr("prospect.features.overlap.read_block", read)
    return windows


def downward(width=COLS, height=256, halo=20):
    """Windows with halos of tiles from the top down, and where the next begins."""
    whole = Window(0, 0, ROWS, COLS)
    for row in range(0, ROWS, height):
        window = Window(row - halo, 0, height + 2 * halo, width).intersect(whole)
        yield window, row + height - halo


def test_no_block_is_decoded_twice_on_the_way_down(layer, asked):
    reader = Overlap()
    for window, again in downward():
        values = reader.read(layer, window, again, np.float32)
        np.testing.assert_array_equal(values, read_block(layer, window, np.float32))
    rows = sorted((w.row, w.row + w.height) for w in asked)
    assert [top for top, _ in rows] == [0, *(bottom for _, bottom in rows[:-1])]
    assert all(top % BLOCK == 0 for top, _ in rows)
    assert not reader._kept


def test_a_window_wider_than_the_one_above_reads_what_is_missing(layer, asked):
    reader = Overlap()
    for width, (window, again) in zip((300, COLS, 200), downward(), strict=True):
        window = window._replace(width=width)
        values = reader.read(layer, window, again, np.float32)
        np.testing.assert_array_equal(values, read_block(layer, window, np.float32))
    # The second window: the columns of whole blocks that the first had, and the rest.
    assert len(asked) > 3


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_windows_in_any_order_are_as_read_anew(layer, data):
    reader = Overlap(most=data.draw(st.sampled_from([0, 200_000, 10**9])))
    for _ in range(6):
        row, col = data.draw(st.integers(0, ROWS - 1)), data.draw(st.integers(0, COLS - 1))
        height = data.draw(st.integers(1, ROWS - row))
        width = data.draw(st.integers(1, COLS - col))
        again = row + data.draw(st.integers(0, height))
        window = Window(row, col, height, width)
        values = reader.read(layer, window, again, np.float32)
        np.testing.assert_array_equal(values, read_block(layer, window, np.float32))
        assert values.flags.c_contiguous
        kept = sum(values.nbytes for _, values in reader._kept.values())
        assert kept == reader._bytes <= reader.most


def test_layers_in_memory_are_not_copied(layer, asked):
    held = layer.load().copy()
    held.encoding = {}
    values = Overlap().read(held, Window(0, 0, 100, COLS), 90, np.float32)
    assert np.shares_memory(values, held.values)
