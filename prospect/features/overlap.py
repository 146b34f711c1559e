"""Rows that one window of a layer and the next below it share: decoded once, kept between."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import numpy as np
import xarray as xr

from prospect.features.operation import Array
from prospect.grid import LATTICE, Window
from prospect.stack import CHUNKS, read_block

MOST = 192 * 2**20
"""Bytes that are kept at the most; what was kept longest goes first."""

DEEPEST = 512
"""Rows of a file's blocks up to which a block that a window cuts is taken whole."""

Kept = tuple[Window, Array]


class Overlap:
    """
    Reads layers for tiles that are taken from the top down.

    A file's blocks are decoded whole, and windows with their halos cut them. So a window is
    read down to the edge of its blocks, and the rows that the next one begins with wait for
    it, in pieces as wide as a block: windows need not be equally wide. A piece is handed out
    once. Threads may share one object; what another has not read yet is read again. A copy
    that another process gets is empty.

    Parameters
    ----------
    most : float
        Bytes to keep at the most.
    """

    def __init__(self, most: float = MOST) -> None:
        self.most = most
        self._lock = threading.Lock()
        self._kept: dict[tuple[Any, int], Kept] = {}
        self._bytes = 0

    def __reduce__(self) -> tuple[type[Overlap], tuple[float]]:
        return Overlap, (self.most,)

    def read(
        self, layer: xr.DataArray, window: Window, again: int, dtype: type[np.generic]
    ) -> Array:
        """
        A window inside a layer.

        Parameters
        ----------
        layer : DataArray of dims (y, x)
        window : Window
        again : int
            The row with which the window below will begin.
        dtype : type

        Returns
        -------
        array of shape (height, width), contiguous
            As of :func:`prospect.stack.read_block`.
        """
        if CHUNKS not in layer.encoding:
            return read_block(layer, window, dtype)
        rows, cols = _blocks(layer)
        last = layer.sizes["y"]
        end = min(-(-(window.row + window.height) // rows) * rows, last)
        deep = Window(window.row, window.col, end - window.row, window.width)
        out = np.empty((deep.height, deep.width), dtype)
        pieces = list(_across(deep, cols))
        starts = [self._fill((layer.name, p.col // cols), p, out[p.within(deep)]) for p in pieces]
        for start, same in groupby(zip(starts, pieces, strict=True), key=lambda item: item[0]):
            parts = [piece for _, piece in same]
            right = parts[-1].col + parts[-1].width
            missing = Window(start, parts[0].col, end - start, right - parts[0].col)
            if missing.height:
                out[missing.within(deep)] = read_block(layer, missing, dtype)
        if window.row + window.height < last:
            for piece in pieces:
                below = Window(again, piece.col, end - again, piece.width).intersect(piece)
                values = out[below.within(deep)].copy()
                self._keep((layer.name, piece.col // cols), (below, values))
        return out[: window.height]

    def _fill(self, key: tuple[Any, int], piece: Window, out: Array) -> int:
        """Copy what is kept of a piece; the first row that is still to be read."""
        with self._lock:
            place, values = self._kept.pop(key, (Window(0, 0, 0, 0), out))
            self._bytes -= values.nbytes if place.height else 0
        shared = piece.intersect(place)
        if shared.row != piece.row or shared.width != piece.width:
            return piece.row
        out[: shared.height] = values[shared.within(place)]
        return shared.row + shared.height

    def _keep(self, key: tuple[Any, int], kept: Kept) -> None:
        with self._lock:
            for old in [key, *self._kept]:
                if old in self._kept and (old == key or self._bytes + kept[1].nbytes > self.most):
                    self._bytes -= self._kept.pop(old)[1].nbytes
            if self._bytes + kept[1].nbytes <= self.most:
                self._kept[key] = kept
                self._bytes += kept[1].nbytes


def deeper_of(layers: Iterable[xr.DataArray]) -> int:
    """Rows that windows of some layers are read further down at the most."""
    return max((_blocks(layer)[0] - 1 for layer in layers if CHUNKS in layer.encoding), default=0)


def _blocks(layer: xr.DataArray) -> tuple[int, int]:
    """Rows to read at once, and columns of the pieces that are kept."""
    chunks = layer.encoding[CHUNKS]
    return chunks["y"] if chunks["y"] <= DEEPEST else 1, max(chunks["x"], LATTICE)


def _across(window: Window, cols: int) -> Iterator[Window]:
    """The parts of a window that lie in one column of blocks each."""
    for col in range(window.col // cols * cols, window.col + window.width, cols):
        yield Window(window.row, col, window.height, cols).intersect(window)
