"""Which ground counts: study area, permissive ground, and the gaps of required layers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from prospect.errors import LayerError, ProjectError
from prospect.features.operation import is_valid
from prospect.grid import Grid, Window, parse_crs
from prospect.matching import Binding, cards_of
from prospect.roles import matches
from prospect.sheets import GEOGRAPHIC, read_sheet
from prospect.stack import read_block
from prospect.vector import area_mask, frame, read_vector, to_crs

_QUOTED = r"'[^']*'|\"[^\"]*\""
_TEST = re.compile(
    rf"\s*(?P<layer>{_QUOTED}|[\w.\-*]+)\s*"
    rf"(?:(?P<not>\bnot\s+)?\bin\s*\((?P<values>(?:{_QUOTED}|[^()'\"])*)\)"
    r"|(?P<compare><=|>=|<|>|=)\s*(?P<number>\S+))\s*(?:(?P<and>\band\b)|$)"
)
_VALUE = re.compile(rf"{_QUOTED}|[^,'\"]+")

_COMPARE = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "=": np.equal,
}


@dataclass(frozen=True)
class Area:
    """
    A polygon that bounds the work.

    Attributes
    ----------
    wkt : str
        The geometry, as well-known text.
    crs : str
        Its coordinate system.
    source : str
        The file it came from.
    """

    wkt: str
    crs: str
    source: str = ""

    def on(self, grid: Grid) -> BaseGeometry:
        """The polygon in the grid's coordinate system."""
        table = frame({"id": [1]}, [shapely.from_wkt(self.wkt)], parse_crs(self.crs))
        return to_crs(table, grid.crs).geometry.iloc[0]


@dataclass(frozen=True)
class Permissive:
    """
    A test of layers that ground must pass to be thought of at all.

    Written as ``LAYER in (a, b)``, ``LAYER not in (a, b)`` or ``LAYER >= 3``, joined by
    ``and``; a layer goes by name or role, classes by name or code. Names with spaces,
    commas or brackets stand in quotes.

    Attributes
    ----------
    text : str
    """

    text: str

    def __post_init__(self) -> None:
        self.tests()

    def tests(self) -> list[dict[str, Any]]:
        """
        The single tests.

        Raises
        ------
        ProjectError
            If the text is not understood.
        """
        found: list[dict[str, Any]] = []
        start, more = 0, True
        while more:
            match = _TEST.match(self.text, start)
            if match is None:
                raise ProjectError(
                    f"'{self.text[start:].strip()}' is not a test of a layer: write, for example, "
                    '"lithology in (carbonate, \'black shale\')" or "elevation <= 3000".'
                )
            found.append({"layer": match["layer"].strip("'\"")} | _test(match))
            start, more = match.end(), match["and"] is not None
        return found

    def mask(self, stack: xr.Dataset, window: Window) -> NDArray[np.bool_]:
        """Where a window passes every test; a gap passes none."""
        result = np.ones((window.height, window.width), bool)
        for test in self.tests():
            layer = _layer(stack, str(test["layer"]), self.text)
            if "values" in test:
                result &= _in_classes(layer, test["values"], bool(test["negate"]), window)
            else:
                values = _read(layer, window)
                with np.errstate(over="ignore"):
                    result &= _COMPARE[test["compare"]](values, test["number"]) & is_valid(values)
        return result


@dataclass(frozen=True)
class Ground:
    """
    The ground that counts, for training, background, measures and map alike.

    Attributes
    ----------
    area : Area or None
    permissive : Permissive or None
    """

    area: Area | None = None
    permissive: Permissive | None = None

    def mask(
        self, stack: xr.Dataset, window: Window, bindings: Mapping[str, Binding]
    ) -> NDArray[np.bool_]:
        """
        Where a window counts.

        Parameters
        ----------
        stack : Dataset
        window : Window
            Inside the grid.
        bindings : mapping of name to Binding
            The evidence: its required layers must have a value, and some layer must.

        Returns
        -------
        array of shape (height, width), bool
        """
        grid = Grid.of(stack)
        result = np.ones((window.height, window.width), bool)
        if self.area is not None:
            result = area_mask(self.area.on(grid), grid, window)
        if self.permissive is not None and result.any():
            result &= self.permissive.mask(stack, window)
        if not result.any():
            return result
        return result & evidence_mask(stack, window, bindings)

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        area = None
        if self.area is not None:
            area = {"wkt": self.area.wkt, "crs": self.area.crs, "source": self.area.source}
        return {
            "area": area,
            "permissive": self.permissive.text if self.permissive is not None else None,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Ground:
        """From plain data."""
        area, permissive = data["area"], data["permissive"]
        return cls(
            None if area is None else Area(str(area["wkt"]), str(area["crs"]), str(area["source"])),
            None if permissive is None else Permissive(str(permissive)),
        )


def evidence_mask(
    stack: xr.Dataset, window: Window, bindings: Mapping[str, Binding]
) -> NDArray[np.bool_]:
    """
    Where every required layer has a value; where none is required, where any layer has.

    Burnt-in geometry has no gaps, so it says nothing about where data are: for a model of
    vectors alone, the stack's own required layers bound the ground, if there are any.
    """
    required = [b for b in bindings.values() if b.card.required]
    shape = (window.height, window.width)
    if required:
        result = np.ones(shape, bool)
        for binding in required:
            result &= _has_value(stack[binding.name], window)
        return result
    names = [b.name for b in bindings.values()]
    drawn = [name for name in names if stack[name].attrs.get("kind") == "geometry"]
    if len(drawn) == len(names):
        result = np.ones(shape, bool)
        for layer in stack.data_vars.values():
            if layer.attrs.get("required"):
                result &= _has_value(layer, window)
        return result
    result = np.zeros(shape, bool)
    for name in names:
        if name not in drawn:
            result |= _has_value(stack[name], window)
            if result.all():
                break
    return result


def read_area(path: Path | str) -> Area:
    """
    The union of a file's polygons.

    Raises
    ------
    LayerError
        If it holds no polygon.
    """
    table = read_vector(path, columns=[])
    parts = shapely.get_parts(shapely.make_valid(table.geometry.values))
    # Once more, since a repaired polygon may come as a collection with its loose edges.
    parts = shapely.get_parts(parts)
    flat = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    if not flat.size:
        raise LayerError(
            f"{path} holds no polygon, but an area is bounded by polygons: give such a file."
        )
    union = shapely.union_all(flat)
    return Area(shapely.to_wkt(union, rounding_precision=-1), CRS(table.crs).to_wkt(), str(path))


def sheet_area(name: str) -> Area:
    """
    The area of a map sheet such as J-42-XII.

    Raises
    ------
    GridError
        If there is no such sheet.
    """
    sheet = read_sheet(name)
    outline = shapely.box(sheet.west, sheet.south, sheet.east, sheet.north)
    # Parallels are curves in a projection.
    outline = shapely.segmentize(outline, 0.05)
    wkt = shapely.to_wkt(outline, rounding_precision=-1)
    return Area(wkt, GEOGRAPHIC, f"sheet {sheet.name}")


def make_ground(area: Path | str | Area | None, permissive: str | None) -> Ground:
    """The ground of a study area and a test, as a user gives them."""
    bounds = area if area is None or isinstance(area, Area) else read_area(area)
    return Ground(bounds, None if permissive is None else Permissive(permissive))


def _test(match: re.Match[str]) -> dict[str, Any]:
    """What is asked of the layer."""
    if match["values"] is not None:
        values = [value.strip().strip("'\"") for value in _VALUE.findall(match["values"])]
        values = [value for value in values if value]
        if not values:
            raise ProjectError(f"'{match[0].strip()}' names no class: write some in the brackets.")
        return {"values": values, "negate": match["not"] is not None}
    try:
        number = float(match["number"])
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ProjectError(
            f"'{match['number']}' in '{match[0].strip()}' is not a number: write, for example, "
            "3000 or 0.5."
        )
    return {"compare": match["compare"], "number": number}


def _read(layer: xr.DataArray, window: Window) -> NDArray[Any]:
    """The cells of a window, with gaps as its kind has them."""
    return read_block(layer, window, np.float32 if layer.dtype.kind == "f" else np.int32)


def _has_value(layer: xr.DataArray, window: Window) -> NDArray[np.bool_]:
    return is_valid(_read(layer, window))


def _layer(stack: xr.Dataset, name: str, text: str) -> xr.DataArray:
    if name in stack.data_vars:
        return stack[name]
    cards = cards_of(stack)
    fitting = [card.name for card in cards.values() if card.role and matches(name, card.role)]
    if len(fitting) != 1:
        raise ProjectError(
            f"'{text}' names the layer '{name}', which fits {len(fitting)} of the layers "
            f"({', '.join(fitting or cards)}): name one of them."
        )
    return stack[fitting[0]]


def _in_classes(
    layer: xr.DataArray, values: list[str], negate: bool, window: Window
) -> NDArray[np.bool_]:
    """Where a layer's class is, or is not, one of some; gaps are in neither."""
    if layer.attrs.get("kind") != "categorical" and layer.dtype.kind == "f":
        raise ProjectError(
            f"'{layer.name}' has no classes: compare it with a number, as in \"{layer.name} >= 3\"."
        )
    names = {str(label): int(code) for code, label in dict(layer.attrs.get("classes", {})).items()}
    codes = []
    for value in values:
        if value in names:
            codes.append(names[value])
        elif value.lstrip("-").isdigit():
            codes.append(int(value))
        else:
            known = ", ".join(names) or "codes only"
            raise ProjectError(f"'{layer.name}' has no class '{value}'; it has: {known}.")
    block = _read(layer, window)
    found: NDArray[np.bool_] = np.isin(block, codes) != negate
    return found & is_valid(block)
