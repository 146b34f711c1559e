"""What moving windows share: their cells, how many must hold a value, and one call for several."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from prospect import grid
from prospect.errors import RecipeError
from prospect.features.operation import Array, Asks, Family, Parameters
from prospect.grid import Cell

STATISTICS = ("mean", "std", "z", "min", "max", "range")
"""What focal_statistics can give."""


def require_length(name: str, metres: float) -> float:
    """The length itself, if it is more than nothing."""
    if not 0 < metres < math.inf:
        raise RecipeError(f"'{name}' is a length in metres above 0, but {metres:g} came.")
    return metres


def require_share(name: str, share: float) -> float:
    """The share itself, if it lies between 0 and 1."""
    if not 0 <= share <= 1:
        raise RecipeError(f"'{name}' is a share from 0 to 1, but {share:g} came.")
    return share


def require_outputs(outputs: list[str], known: tuple[str, ...]) -> list[str]:
    """The outputs themselves, if all are known, and each is asked for once."""
    if not outputs or len(set(outputs)) < len(outputs) or not set(outputs) <= set(known):
        raise RecipeError(
            f"'outputs' names some of {', '.join(known)}, each once, but {outputs} came."
        )
    return list(outputs)


def window(cell: Cell, parameters: Parameters) -> tuple[int, int]:
    """Rows and columns that ``radius`` reaches to."""
    return cell.halo(require_length("radius", float(parameters["radius"])))


def some_statistics(parameters: Parameters) -> list[str]:
    """The outputs asked for."""
    return require_outputs(parameters["outputs"], STATISTICS)


def reach_of(cell: Cell, radius: float, shape: str) -> tuple[Array, Array]:
    """Cells to both sides of the centre in every row, and in every column; -1 for none."""
    rows, cols = cell.halo(radius)
    if shape == "square":
        return np.full(2 * rows + 1, cols, np.int64), np.full(2 * cols + 1, rows, np.int64)
    if shape != "circle":
        raise RecipeError(f"'shape' is 'square' or 'circle', but {shape!r} came.")

    def chords(count: int, step: float, other: float) -> Array:
        left = radius**2 * (1 + 1e-9) - (np.arange(-count, count + 1) * step) ** 2
        half = np.floor(np.sqrt(np.maximum(left, 0)) / other).astype(np.int64)
        return np.where(left < 0, -1, half)

    return chords(rows, cell.dy, cell.dx), chords(cols, cell.dx, cell.dy)


def size_of(reach: Array) -> int:
    """How many cells a window has."""
    return int(np.sum(np.maximum(2 * reach + 1, 0)))


def fewest(cells: int, min_valid: float) -> int:
    """How many of a window's cells must hold a value; one at least."""
    return max(1, math.ceil(round(require_share("min_valid", min_valid) * cells, 6)))


def moments(
    block: Array,
    out: Array,
    cell: Cell,
    radius: float,
    min_valid: float,
    shape: str,
    places: tuple[int, int, int],
) -> int:
    """Fill the planes at ``places`` with mean, std and z; answers how many cells a window has."""
    from prospect._kernels import focal as kernels

    rows, cols = cell.halo(radius)
    reach, _ = reach_of(cell, radius, shape)
    cells = size_of(reach)
    needed = fewest(cells, min_valid)
    if shape == "square":
        kernels.box_moments(block, rows, cols, grid.LATTICE, needed, *places, out)
    else:
        kernels.shaped_moments(block, reach, cols, grid.LATTICE, needed, *places, out)
    return cells


def lowest(
    block: Array,
    out: Array,
    cell: Cell,
    radius: float,
    min_valid: float,
    shape: str,
    places: tuple[int, int],
) -> None:
    """Fill the planes at ``places`` with the lowest and the highest of the window."""
    from prospect._kernels import focal as kernels

    rows, cols = cell.halo(radius)
    reach, _ = reach_of(cell, radius, shape)
    wanted = np.array([place for place in places if place >= 0], np.int64)
    for place, sign in zip(places, (1, -1), strict=True):
        if place >= 0 and shape == "square":
            kernels.box_lowest(block, rows, cols, sign, out[place])
        elif place >= 0:
            kernels.shaped_lowest(block, reach, cols, sign, out[place])
    if require_share("min_valid", min_valid) > 0:
        needed = fewest(size_of(reach), min_valid)
        if shape == "square":
            kernels.clear_few(block, rows, cols, needed, wanted, out)
        else:
            count = np.empty(out.shape[1:], np.float32)
            count_valid(block, count, cell, radius, shape)
            for place in wanted:
                np.copyto(out[place], np.nan, where=count < needed)


def count_valid(block: Array, out: Array, cell: Cell, radius: float, shape: str) -> int:
    """Fill ``out`` with how many of a window's cells hold a value; answers how many it has."""
    valid = np.isfinite(block).astype(np.float32)
    cells = moments(valid, out[None], cell, radius, 0.0, shape, (0, -1, -1))
    out *= np.float32(cells)
    np.rint(out, out=out)
    return cells


def of_window(parameters: Parameters) -> tuple[float, float, str]:
    """What rows must agree on to share a window."""
    shape = str(parameters.get("shape", "square"))
    return float(parameters["radius"]), float(parameters["min_valid"]), shape


def together(
    block: Array,
    out: Array,
    cell: Cell,
    asked: Sequence[tuple[int, str]],
    key: tuple[float, float, str],
) -> None:
    """Fill planes with statistics of one window, each computed once."""
    first: dict[str, int] = {}
    for plane, what in asked:
        first.setdefault(what, plane)
    mean, std, z = (first.get(what, -1) for what in ("mean", "std", "z"))
    position = first.get("position", -1)
    if position >= 0 and mean < 0:
        mean = position
    if max(mean, std, z) >= 0:
        moments(block, out, cell, *key, (mean, std, z))
    if position >= 0:
        rows, cols = cell.halo(key[0])
        height, width = out.shape[1:]
        centre = block[rows : rows + height, cols : cols + width]
        np.subtract(centre, out[mean], out=out[position])
    low, high, between = (first.get(what, -1) for what in ("min", "max", "range"))
    if between >= 0 and low >= 0 and high >= 0:
        lowest(block, out, cell, *key, (low, high))
        np.subtract(out[high], out[low], out=out[between])
    elif between >= 0:
        # The range stands where one of the two was, and the other is kept or made beside.
        if low >= 0:
            lowest(block, out, cell, *key, (low, between))
            np.subtract(out[between], out[low], out=out[between])
        elif high >= 0:
            lowest(block, out, cell, *key, (between, high))
            np.subtract(out[high], out[between], out=out[between])
        else:
            other = np.empty_like(out[between])
            lowest(block, other[None], cell, key[0], 0.0, key[2], (0, -1))
            lowest(block, out, cell, *key, (-1, between))
            np.subtract(out[between], other, out=out[between])
    elif max(low, high) >= 0:
        lowest(block, out, cell, *key, (low, high))
    for plane, what in asked:
        if plane != first[what]:
            out[plane] = out[first[what]]


WINDOW = Family("window", of_window, together)
"""Rows of one layer, radius, shape and share of valid cells."""


def asks(*what: str) -> tuple[Family, Asks]:
    """A single statistic of a window."""
    return WINDOW, lambda parameters: what
