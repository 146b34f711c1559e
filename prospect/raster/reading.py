"""Read windows of a raster on its own grid, or aligned to another one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.enums import MaskFlags, Resampling
from rasterio.vrt import WarpedVRT

from prospect.errors import GridError, LayerError
from prospect.grid import LATTICE, SAME_CELL, Grid, Window, crs_name, same_crs
from prospect.raster.memory import placed, readable
from prospect.raster.opening import GDAL_ERRORS, HUGE, RasterInfo, one_line, safe_open

Method = Literal["same", "nearest", "bilinear", "average", "mode"]

NO_CLASS = -1

AVERAGE_FROM = 2.0
"""Source cells per target cell, along one side, from which values are averaged."""

MAX_SOURCE_CELLS = 2**24
"""Source cells of one block that is warped at once."""

_MARGIN = 4
"""Source cells read around a block, so that interpolation sees its neighbours."""


@dataclass(frozen=True)
class Alignment:
    """
    How a raster comes onto a grid.

    Attributes
    ----------
    info : RasterInfo
    grid : Grid
        The grid to come onto.
    categorical : bool
        Class codes, which are never averaged.
    method : str
        ``same`` when the grids are one, else the resampling.
    reason : str
        In words for people: what differs.
    allow_drivers : tuple of str
    """

    info: RasterInfo
    grid: Grid
    categorical: bool
    method: Method
    reason: str
    allow_drivers: tuple[str, ...] = ()

    def read(self, window: Window) -> NDArray[Any]:
        """
        The cells of a window of the target grid.

        Parameters
        ----------
        window : Window
            Inside the target grid.

        Returns
        -------
        array of shape (height, width)
            float32 with NaN for gaps; int32 with -1 for gaps when categorical. The same
            bits come for a cell whatever window it is read in.

        Raises
        ------
        LayerError
            If the file cannot be read there.
        """
        with safe_open(self.info.path, allow_drivers=self.allow_drivers) as dataset:
            if self.method == "same":
                return _read_cells(dataset, self.info, window, self.categorical)
            # Interpolation depends, in its last bits, on the window that is asked for.
            # Whole lattice blocks, or equal parts of them, are always the same windows.
            dtype = np.int32 if self.categorical else np.float32
            out = np.empty((window.height, window.width), dtype)
            for block in window.lattice_blocks(self._side()):
                whole = block.intersect(self.grid.window)
                part = whole.intersect(window)
                if part.height and part.width:
                    out[part.within(window)] = self._warp(dataset, whole)[part.within(whole)]
            return out

    def _side(self) -> int:
        """Side of the blocks to warp: the lattice, or less where the source is much finer."""
        across, down = source_cells_per_cell(self.info.grid, self.grid)
        side = LATTICE
        while side > 1 and side * side * across * down > MAX_SOURCE_CELLS:
            side //= 2
        return side

    def _warp(self, dataset: Any, block: Window) -> NDArray[Any]:
        """One block, warped."""
        target = self.grid.crop(block)
        source = self.info.grid
        shape = (block.height, block.width)
        gap: float = NO_CLASS if self.categorical else math.nan
        window = _source_window(source, target)
        if window.height == 0 or window.width == 0:
            return np.full(shape, gap, np.int32 if self.categorical else np.float32)
        cells = _read_cells(dataset, self.info, window, self.categorical)
        # A wider kernel keeps fine detail from aliasing, but shifts a slope by up to a tenth of
        # a cell where the ratio is no whole number: below the limit it is plain interpolation.
        scale_x, scale_y = (
            ratio if ratio >= AVERAGE_FROM else 1.0
            for ratio in source_cells_per_cell(source, self.grid)
        )
        if same_crs(source.crs, target.crs):
            # One system needs no transformation, whatever its name says.
            target = Grid(source.crs, target.transform, target.shape)
        try:
            with (
                readable(cells, source.crop(window), nodata=gap) as given,
                WarpedVRT(
                    given,
                    crs=target.crs.to_wkt(),
                    transform=placed(target),
                    height=target.rows,
                    width=target.cols,
                    src_nodata=gap,
                    nodata=gap,
                    resampling=Resampling[self.method],
                    num_threads=1,
                    # GDAL's own tolerance would put cells an eighth of a cell away.
                    tolerance=SAME_CELL,
                    XSCALE=1 / scale_x,
                    YSCALE=1 / scale_y,
                ) as warped,
            ):
                out: NDArray[Any] = warped.read(1)
        except GDAL_ERRORS as error:
            raise LayerError(
                f"{self.info.path} cannot be brought onto the grid ({one_line(error)}): "
                "warp it yourself, for example with gdalwarp."
            ) from error
        return out


def align(
    info: RasterInfo,
    grid: Grid,
    *,
    categorical: bool = False,
    resampling: str | None = None,
    allow_drivers: tuple[str, ...] = (),
) -> Alignment:
    """
    Plan how a raster comes onto a grid.

    Values are interpolated bilinearly, or averaged where the source is at least twice
    as fine; classes take the nearest cell, or the most frequent one.

    Parameters
    ----------
    info : RasterInfo
    grid : Grid
    categorical : bool
    resampling : {'nearest', 'bilinear', 'average', 'mode'}, optional
        Instead of the rule above.
    allow_drivers : tuple of str

    Raises
    ------
    GridError
        If the raster and the grid do not overlap.
    LayerError
        If classes would be averaged.
    """
    allowed = ("nearest", "mode") if categorical else ("nearest", "bilinear", "average", "mode")
    if resampling is not None and resampling not in allowed:
        raise LayerError(
            f"{info.path}: resampling '{resampling}' does not suit a "
            f"{'categorical' if categorical else 'continuous'} layer; use {' or '.join(allowed)}."
        )
    if info.grid.same_as(grid):
        return Alignment(info, grid, categorical, "same", "on the grid", allow_drivers)
    window = _source_window(info.grid, grid, margin=0)
    if window.height == 0 or window.width == 0:
        raise GridError(
            f"{info.path} ({info.grid.describe()}) does not overlap the grid "
            f"({grid.describe()}): check its coordinate system, or leave it out."
        )
    ratio = max(source_cells_per_cell(info.grid, grid))
    if resampling is not None:
        method = resampling
    elif categorical:
        method = "mode" if ratio >= AVERAGE_FROM else "nearest"
    else:
        method = "average" if ratio >= AVERAGE_FROM else "bilinear"
    reason = _difference(info.grid, grid)
    return Alignment(info, grid, categorical, method, reason, allow_drivers)  # type: ignore[arg-type]


def read_native(
    info: RasterInfo,
    window: Window,
    *,
    categorical: bool = False,
    allow_drivers: tuple[str, ...] = (),
) -> NDArray[Any]:
    """The cells of a window of the raster's own grid; gaps NaN, or -1 for classes."""
    with safe_open(info.path, allow_drivers=allow_drivers) as dataset:
        return _read_cells(dataset, info, window, categorical)


def source_cells_per_cell(source: Grid, target: Grid) -> tuple[float, float]:
    """How many source cells one target cell spans, along x and y, at the target's centre."""
    if same_crs(source.crs, target.crs):
        dx, dy = target.transform.a, -target.transform.e
    else:
        west, south, east, north = target.bounds
        x, y = (west + east) / 2, (south + north) / 2
        hx, hy = target.transform.a / 2, -target.transform.e / 2
        transformer = Transformer.from_crs(target.crs, source.crs, always_xy=True)
        xs, ys = transformer.transform([x - hx, x + hx, x, x], [y, y, y - hy, y + hy])
        dx = math.hypot(xs[1] - xs[0], ys[1] - ys[0])
        dy = math.hypot(xs[3] - xs[2], ys[3] - ys[2])
        if not (math.isfinite(dx) and math.isfinite(dy) and dx > 0 and dy > 0):
            raise GridError(
                f"{crs_name(target.crs)} cannot be transformed to {crs_name(source.crs)} "
                "at the centre of the grid: check both coordinate systems."
            )
    return dx / source.transform.a, dy / -source.transform.e


def _source_window(source: Grid, target: Grid, margin: int = _MARGIN) -> Window:
    """The source cells that a target window needs; empty when there are none."""
    west, south, east, north = target.bounds
    if not same_crs(source.crs, target.crs):
        transformer = Transformer.from_crs(target.crs, source.crs, always_xy=True)
        west, south, east, north = transformer.transform_bounds(
            west, south, east, north, densify_pts=21
        )
        if not all(math.isfinite(v) for v in (west, south, east, north)):
            return Window(0, 0, 0, 0)
    t = source.transform
    reach = [margin * max(1, math.ceil(n)) for n in source_cells_per_cell(source, target)]
    reach = reach if margin else [0, 0]
    left = math.floor((west - t.c) / t.a) - reach[0]
    right = math.ceil((east - t.c) / t.a) + reach[0]
    top = math.floor((north - t.f) / t.e) - reach[1]
    bottom = math.ceil((south - t.f) / t.e) + reach[1]
    return Window(top, left, bottom - top, right - left).intersect(source.window)


def _read_cells(dataset: Any, info: RasterInfo, window: Window, categorical: bool) -> NDArray[Any]:
    """The cells of a window of the file: nodata codes end here."""
    rows, cols = window.slices
    place = (_pair(rows), _pair(cols))
    try:
        values: NDArray[Any] = dataset.read(info.band, window=place)
        if not categorical and _settled(dataset, info, values):
            return values
        gaps = _gaps(dataset, info, place, values)
    except (*GDAL_ERRORS, MemoryError) as error:
        raise LayerError(
            f"{info.path} cannot be read at rows {rows.start}–{rows.stop} ({one_line(error)}): "
            "it is damaged or incomplete; copy it again."
        ) from error
    # Gaps go first: the numbers that mark them may not fit once scaled or rounded.
    values = np.where(gaps, values.dtype.type(0), values)
    if not categorical and (info.scale != 1.0 or info.offset != 0.0):
        values = values.astype(np.float64) * info.scale + info.offset
    if np.abs(values).max(initial=0) >= HUGE:
        raise LayerError(
            f"{info.path} holds infinite values, which no measurement has: "
            "set them to nodata and export it again."
        )
    if categorical:
        return _as_classes(info, values, gaps)
    out: NDArray[Any] = values.astype(np.float32)
    out[gaps] = np.nan
    return out


def _settled(dataset: Any, info: RasterInfo, values: NDArray[Any]) -> bool:
    """
    Whether values are as layers hold them, once a code is NaN; most files need no more.

    Anything else goes the long way, which looks at every cell several times.
    """
    flags = dataset.mask_flag_enums[info.band - 1]
    plain = MaskFlags.all_valid in flags or flags == [MaskFlags.nodata]
    if not plain or values.dtype != np.float32 or (info.scale, info.offset) != (1.0, 0.0):
        return False
    if MaskFlags.nodata in flags and not _same_code(dataset.nodatavals[info.band - 1], info.nodata):
        return False
    if info.nodata is not None and not math.isnan(info.nodata):
        with np.errstate(over="ignore"):
            values[values == np.float32(info.nodata)] = np.nan
    low = np.fmin.reduce(values, axis=None, initial=np.nan)
    high = np.fmax.reduce(values, axis=None, initial=np.nan)
    return bool(np.isnan(low)) or bool(low > -HUGE and high < HUGE)


def _gaps(dataset: Any, info: RasterInfo, place: Any, values: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a window has no value: by the file's mask, the nodata code, NaN or sheer size."""
    flags = dataset.mask_flag_enums[info.band - 1]
    declared = dataset.nodatavals[info.band - 1]
    by_code = MaskFlags.nodata in flags
    if MaskFlags.all_valid in flags or (by_code and not _same_code(declared, info.nodata)):
        gaps = np.zeros(values.shape, bool)
    else:
        gaps = dataset.read_masks(info.band, window=place) == 0
    if info.is_float:
        with np.errstate(over="ignore"):
            code = values.dtype.type(math.nan if info.nodata is None else info.nodata)
        gaps |= (values == code) | np.isnan(values)
        gaps |= (np.abs(values) >= HUGE) & np.isfinite(values)
    elif info.nodata is not None and float(info.nodata).is_integer():
        gaps |= values == int(info.nodata)
    return gaps


def _same_code(a: float | None, b: float | None) -> bool:
    return a == b or (a is not None and b is not None and math.isnan(a) and math.isnan(b))


def _as_classes(info: RasterInfo, values: NDArray[Any], gaps: NDArray[np.bool_]) -> NDArray[Any]:
    """Class codes as int32; a code below zero cannot be told from a gap and is refused."""
    if info.is_float and not np.array_equal(np.rint(values), values):
        raise LayerError(
            f"{info.path} is taken as classes, but holds fractions: "
            "set kind = 'continuous' in prospect.toml."
        )
    low, high = values.min(initial=0), values.max(initial=0)
    if low < 0 or high > np.iinfo(np.int32).max:
        raise LayerError(
            f"{info.path} has class codes from {low:.0f} to {high:.0f}, but codes from 0 "
            "to 2147483647 were expected: recode it."
        )
    out = values.astype(np.int32)
    out[gaps] = NO_CLASS
    return out


def _pair(s: slice) -> tuple[int, int]:
    return int(s.start), int(s.stop)


def _difference(source: Grid, target: Grid) -> str:
    """In words: how a grid differs from the target."""
    if not same_crs(source.crs, target.crs):
        return f"from {crs_name(source.crs)}"
    s, t = source.transform, target.transform
    if not (math.isclose(s.a, t.a, rel_tol=1e-6) and math.isclose(s.e, t.e, rel_tol=1e-6)):
        return f"from cells of {s.a:g} × {-s.e:g}"
    shift_x, shift_y = ((s.c - t.c) / t.a) % 1, ((s.f - t.f) / -t.e) % 1
    shift_x, shift_y = min(shift_x, 1 - shift_x), min(shift_y, 1 - shift_y)
    if max(shift_x, shift_y) < 1e-3:
        return "from another extent"
    return f"shifted by {shift_x * t.a:.0f} m east–west, {shift_y * -t.e:.0f} m north–south"
