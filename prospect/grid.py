"""The grid: coordinate system, affine transform and shape, as one value.

Arrays are ``(y, x)``, coordinates are ``(x, y)``; rows run south. Lengths are metres.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError

from prospect.errors import GridError

LATTICE = 256
"""Side, in cells, of the blocks anchored at the grid's origin that all arithmetic follows."""

LOCAL_METRES = "local-metres"
"""Named as a coordinate system: a flat plane of metres whose place on Earth is not known."""

_LOCAL_WKT = (
    'ENGCRS["local metres",EDATUM["unknown"],CS[Cartesian,2],'
    'AXIS["easting",east],AXIS["northing",north],LENGTHUNIT["metre",1]]'
)

SAME_CELL = 1e-3
"""Two grids are one when their corners agree to this fraction of a cell."""


class Window(NamedTuple):
    """A rectangle of cells: first row and column, height and width."""

    row: int
    col: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices, for indexing an array of the whole grid."""
        return slice(self.row, self.row + self.height), slice(self.col, self.col + self.width)

    def expand(self, rows: int, cols: int) -> Window:
        """This window with a margin on every side; it may pass the grid's edge."""
        return Window(
            self.row - rows, self.col - cols, self.height + 2 * rows, self.width + 2 * cols
        )

    def intersect(self, other: Window) -> Window:
        """The cells that both windows share; its height or width is 0 when there are none."""
        row, col = max(self.row, other.row), max(self.col, other.col)
        bottom = min(self.row + self.height, other.row + other.height)
        right = min(self.col + self.width, other.col + other.width)
        return Window(row, col, max(0, bottom - row), max(0, right - col))

    def lattice_blocks(self, side: int | None = None) -> Iterator[Window]:
        """Whole lattice blocks, or squares of another side, that cover this window by rows."""
        side = LATTICE if side is None else side
        for row in range(self.row // side, -(-(self.row + self.height) // side)):
            for col in range(self.col // side, -(-(self.col + self.width) // side)):
                yield Window(row * side, col * side, side, side)

    def within(self, outer: Window) -> tuple[slice, slice]:
        """Slices that select this window from an array of the ``outer`` window."""
        row, col = self.row - outer.row, self.col - outer.col
        return slice(row, row + self.height), slice(col, col + self.width)


class Cell(NamedTuple):
    """Size of one cell in metres, both positive."""

    dy: float
    dx: float

    def halo(self, radius: float) -> tuple[int, int]:
        """Rows and columns that a radius in metres reaches to."""
        return (
            math.ceil(round(radius / self.dy, 6)),
            math.ceil(round(radius / self.dx, 6)),
        )


@dataclass(frozen=True)
class Grid:
    """
    A regular, north-up, unrotated grid.

    Parameters
    ----------
    crs : CRS, or anything pyproj understands
        Coordinate system.
    transform : Affine
        From (column, row) to (x, y), of the upper-left corner.
    shape : (int, int)
        Rows and columns.

    Raises
    ------
    GridError
        If the grid is rotated, south-up, empty, or has no coordinate system.
    """

    crs: CRS
    transform: Affine
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        if self.crs is None:
            raise GridError(
                "A grid needs a coordinate system, but none came: name it, for example EPSG:32642."
            )
        object.__setattr__(self, "crs", parse_crs(self.crs))
        object.__setattr__(self, "transform", Affine(*tuple(self.transform)[:6]))
        object.__setattr__(self, "shape", (int(self.shape[0]), int(self.shape[1])))
        t = self.transform
        if not all(math.isfinite(value) for value in tuple(t)[:6]) or t.a * t.e == 0:
            raise GridError(f"A grid needs finite, non-zero cells, but the transform is {t[:6]}.")
        if t.b != 0 or t.d != 0 or t.a < 0 or t.e > 0:
            raise GridError(
                "A grid must be north-up and unrotated, but its transform is "
                f"{tuple(t)[:6]}: warp it first, for example with gdalwarp."
            )
        if min(self.shape) < 1:
            raise GridError(f"A grid needs at least one cell, but its shape is {self.shape}.")

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.shape[0]

    @property
    def cols(self) -> int:
        """Number of columns."""
        return self.shape[1]

    @property
    def window(self) -> Window:
        """The window of the whole grid."""
        return Window(0, 0, self.rows, self.cols)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east and north edges, in the units of the coordinate system."""
        t = self.transform
        return t.c, t.f + t.e * self.rows, t.c + t.a * self.cols, t.f

    @cached_property
    def x(self) -> NDArray[np.float64]:
        """Cell centres, west to east."""
        centres = np.arange(self.cols, dtype=np.float64) + 0.5
        return self.transform.c + self.transform.a * centres

    @cached_property
    def y(self) -> NDArray[np.float64]:
        """Cell centres, north to south."""
        centres = np.arange(self.rows, dtype=np.float64) + 0.5
        return self.transform.f + self.transform.e * centres

    @property
    def cell(self) -> Cell:
        """
        Size of a cell in metres.

        Raises
        ------
        GridError
            If the coordinate system does not measure in metres; the message names a
            projected one that would.
        """
        self.require_metres()
        return Cell(-self.transform.e, self.transform.a)

    def require_metres(self) -> None:
        """Raise GridError unless coordinates are metres of a projection or of a flat plane."""
        flat = self.crs.is_projected or self.crs.is_engineering
        if flat and all(
            math.isclose(axis.unit_conversion_factor, 1.0) for axis in self.crs.axis_info[:2]
        ):
            return
        if not self.crs.is_geographic:
            raise GridError(
                f"Metres are needed, but the grid's coordinate system '{self.crs.name}' measures "
                f"in {_unit(self.crs)}: warp the layers to a projection in metres."
            )
        raise GridError(
            f"Metres are needed, but the grid's coordinate system '{self.crs.name}' measures in "
            f"degrees: give a projected one, {self._projections()}, with a cell size in metres."
        )

    def _projections(self) -> str:
        """Names of projected systems that fit a geographic grid."""
        west, south, east, north = self.bounds
        longitude, latitude = (west + east) / 2, (south + north) / 2
        utm = (32600 if latitude >= 0 else 32700) + int((longitude + 180) // 6) % 60 + 1
        names = [f"for example UTM EPSG:{utm}"]
        zone = int(longitude // 6) + 1
        if 4 <= zone <= 32 and latitude > 35:
            names.append(f"or Gauss–Krüger zone {zone} EPSG:{28400 + zone}")
        return " ".join(names)

    def same_as(self, other: Grid) -> bool:
        """Whether two grids are one: system, shape, and corners to a thousandth of a cell."""
        if self.shape != other.shape or not same_crs(self.crs, other.crs):
            return False
        tolerance_x, tolerance_y = SAME_CELL * self.transform.a, -SAME_CELL * self.transform.e
        return all(
            abs(a - b) <= (tolerance_x if i % 2 == 0 else tolerance_y)
            for i, (a, b) in enumerate(zip(self.bounds, other.bounds, strict=True))
        )

    def crop(self, window: Window) -> Grid:
        """The grid of a window of this one; the window may pass the edges."""
        t = self.transform
        corner = Affine(t.a, 0.0, t.c + t.a * window.col, 0.0, t.e, t.f + t.e * window.row)
        return Grid(self.crs, corner, (window.height, window.width))

    def index(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Rows and columns of points, and which of them fall inside the grid."""
        col = np.floor((np.asarray(x, float) - self.transform.c) / self.transform.a)
        row = np.floor((np.asarray(y, float) - self.transform.f) / self.transform.e)
        inside = (row >= 0) & (row < self.rows) & (col >= 0) & (col < self.cols)
        row, col = np.where(inside, row, -1), np.where(inside, col, -1)
        return row.astype(np.int64), col.astype(np.int64), inside

    def coordinates(self) -> dict[str, xr.DataArray]:
        """The coordinates ``y``, ``x`` and ``spatial_ref``, as rioxarray writes them."""
        projected = bool(self.crs.is_projected)
        unit = _unit(self.crs)
        t = self.transform
        reference = xr.DataArray(
            0,
            attrs={
                "crs_wkt": self.crs.to_wkt(),
                "spatial_ref": self.crs.to_wkt(),
                "GeoTransform": " ".join(repr(float(v)) for v in (t.c, t.a, t.b, t.f, t.d, t.e)),
            },
        )
        x_attrs = {"axis": "X", "units": unit, "long_name": "longitude"}
        y_attrs = {"axis": "Y", "units": unit, "long_name": "latitude"}
        for name, attrs in (("x", x_attrs), ("y", y_attrs)):
            attrs["standard_name"] = attrs["long_name"]
            if projected:
                attrs["standard_name"] = f"projection_{name}_coordinate"
                attrs["long_name"] = f"{name} coordinate of projection"
        return {
            "y": xr.DataArray(self.y, dims="y", attrs=y_attrs),
            "x": xr.DataArray(self.x, dims="x", attrs=x_attrs),
            "spatial_ref": reference,
        }

    @classmethod
    def of(cls, data: xr.Dataset | xr.DataArray) -> Grid:
        """
        The grid of an xarray object that follows rioxarray's conventions.

        Parameters
        ----------
        data : Dataset or DataArray with dims (y, x)
            Cell-centre coordinates ``x`` and ``y``, and a ``spatial_ref`` coordinate with
            ``crs_wkt``.

        Raises
        ------
        GridError
            If dims, coordinates or the coordinate system are missing or irregular.
        """
        if "y" not in data.dims or "x" not in data.dims:
            raise GridError(f"Expected dims (y, x), but these came: {tuple(map(str, data.dims))}.")
        if "spatial_ref" not in data.coords or "x" not in data.coords or "y" not in data.coords:
            raise GridError(
                "Expected coordinates x, y and spatial_ref (as rioxarray writes them), but one is "
                "missing: open the files with open_stack, or use .rio.write_crs(...)."
            )
        attrs = data.coords["spatial_ref"].attrs
        wkt = attrs.get("crs_wkt") or attrs.get("spatial_ref")
        if not wkt:
            raise GridError(
                "The layers have no coordinate system (spatial_ref has no crs_wkt): "
                "set it, for example with .rio.write_crs('EPSG:32642')."
            )
        transform = _transform_of(
            np.asarray(data["x"].values, float),
            np.asarray(data["y"].values, float),
            attrs.get("GeoTransform"),
        )
        return cls(parse_crs(str(wkt)), transform, (data.sizes["y"], data.sizes["x"]))

    def describe(self) -> str:
        """One line for people: rows × columns, cell size, system."""
        t = self.transform
        unit = _unit(self.crs)
        unit = {"metre": "m", "meters": "m", "degree": "°"}.get(unit.lower(), unit)
        size = f"{t.a:g}" if math.isclose(t.a, -t.e) else f"{t.a:g} × {-t.e:g}"
        return f"{self.rows} × {self.cols} cells of {size} {unit}, {crs_name(self.crs)}"


def parse_crs(crs: Any) -> CRS:
    """
    A coordinate system from what a user writes.

    Raises
    ------
    GridError
        If it is not understood.
    """
    # A system compared with a text would look the text up in the database first.
    if isinstance(crs, str) and crs == LOCAL_METRES:
        return CRS.from_wkt(_LOCAL_WKT)
    try:
        return CRS.from_user_input(crs)
    except CRSError as error:
        reason = " ".join(str(error).split())[:120]
        raise GridError(
            f"'{str(crs)[:80]}' is not a coordinate system ({reason}): write EPSG:code or WKT."
        ) from error


def _unit(crs: CRS) -> str:
    """Name of the unit of a system's coordinates."""
    return str(crs.axis_info[0].unit_name) if crs.axis_info else "unknown"


def same_crs(a: CRS, b: CRS) -> bool:
    """Whether two coordinate systems are one, axis order and names aside."""
    return bool(a == b or a.equals(b, ignore_axis_order=True))


def crs_name(crs: CRS) -> str:
    """``EPSG:code`` where there is one, else the system's own name."""
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else f"'{crs.name}' (no EPSG code)"


@lru_cache(maxsize=64)
def equal_epsg(crs: CRS) -> int | None:
    """
    The EPSG code of the projection that a system without a code equals.

    Surveys write systems without a code or with an unnamed datum. Two projections are
    taken as equal when method, ellipsoid and parameters agree; the datum cannot be
    compared when the file does not name it, so the answer is for a person to confirm.
    """
    if crs.to_epsg() is not None or not crs.is_projected:
        return None
    from pyproj.aoi import AreaOfInterest
    from pyproj.database import query_crs_info
    from pyproj.enums import PJType

    operation = crs.coordinate_operation
    if operation is None or crs.ellipsoid is None:
        return None
    wanted = {p.name: p.value for p in operation.params}
    meridian = float(wanted.get("Longitude of natural origin", 0.0))
    area = AreaOfInterest(meridian - 1, -80, meridian + 1, 84)
    krassovsky = math.isclose(crs.ellipsoid.semi_major_metre, 6_378_245.0, abs_tol=1e-3)
    modern = ("Pulkovo 1942 /",) if krassovsky else ("ETRS89", "WGS 84")
    found = []
    for info in query_crs_info(pj_types=PJType.PROJECTED_CRS, area_of_interest=area):
        if info.auth_name != "EPSG" or not info.name.startswith(modern):
            continue
        candidate = CRS.from_epsg(int(info.code))
        other = candidate.coordinate_operation
        if (
            other is not None
            and other.method_name == operation.method_name
            and {p.name: p.value for p in other.params} == wanted
            and candidate.ellipsoid is not None
            and math.isclose(
                candidate.ellipsoid.semi_major_metre, crs.ellipsoid.semi_major_metre, abs_tol=1e-3
            )
            and math.isclose(
                candidate.ellipsoid.inverse_flattening,
                crs.ellipsoid.inverse_flattening,
                abs_tol=1e-6,
            )
        ):
            # East-north systems come first: "(N-E)" twins differ in axis order only.
            found.append(("(N-E)" in info.name, len(info.name), int(info.code)))
    return min(found)[2] if found else None


def _transform_of(x: NDArray[np.float64], y: NDArray[np.float64], text: Any) -> Affine:
    """The affine transform of cell centres; the stored text settles the last digits."""
    stored = None
    if isinstance(text, str):
        with suppress(ValueError):
            c, a, b, f, d, e = map(float, text.split())
            stored = Affine(a, b, c, d, e, f) if a * e != 0 else None
    steps = []
    for name, centres in (("x", x), ("y", y)):
        if centres.size > 1:
            step = (centres[-1] - centres[0]) / (centres.size - 1)
            drift = np.abs(centres - (centres[0] + step * np.arange(centres.size))).max()
            if step == 0 or not drift <= SAME_CELL * abs(step):
                raise GridError(f"The {name} coordinates are not regularly spaced: resample first.")
            steps.append(float(step))
        elif stored is not None:
            steps.append(stored.a if name == "x" else stored.e)
        else:
            raise GridError(f"One {name} coordinate alone does not tell the size of a cell.")
    dx, dy = steps
    computed = Affine(dx, 0.0, x[0] - dx / 2, 0.0, dy, y[0] - dy / 2)
    if stored is not None and stored.b == 0 and stored.d == 0:
        # Keep the stored cell size and corner, shifted by whole cells where a window was cut.
        cols = round((computed.c - stored.c) / stored.a)
        rows = round((computed.f - stored.f) / stored.e)
        shifted = Affine(
            stored.a, 0.0, stored.c + cols * stored.a, 0.0, stored.e, stored.f + rows * stored.e
        )
        if all(
            abs(p - q) <= SAME_CELL * abs(s)
            for p, q, s in (
                (shifted.c, computed.c, dx),
                (shifted.f, computed.f, dy),
                (shifted.a * x.size, dx * x.size, dx),
                (shifted.e * y.size, dy * y.size, dy),
            )
        ):
            return shifted
    return computed
