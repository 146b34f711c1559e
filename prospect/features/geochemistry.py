"""Assays against their background: levelling by rock, rings around, concentration and area."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from prospect.errors import EvidenceError, RecipeError
from prospect.features.compositions import centre_and_spread
from prospect.features.operation import Array, Parameters, operation
from prospect.features.windows import (
    count_valid,
    fewest,
    moments,
    reach_of,
    require_length,
    size_of,
)
from prospect.grid import Cell

FEWEST_CELLS = 30
"""A rock of fewer cells is levelled by the statistics of the whole."""

STEPS = 60
"""Concentrations at which the area above is taken."""

FEWEST_VALUES = 15
"""Fewer distinct values are steps of a semi-quantitative method."""

Attrs = Sequence[Mapping[str, Any]]


def _learn_levels(values: Sequence[Array], attrs: Attrs) -> dict[str, Any]:
    field, rock = values
    if field.size == 0:
        raise EvidenceError("The layers have no cell in which both hold a value.")
    codes, counts = np.unique(rock, return_counts=True)
    kept = [int(code) for code in codes[counts >= FEWEST_CELLS]]
    levels = [centre_and_spread(field), *(centre_and_spread(field[rock == c]) for c in kept)]
    return {
        "codes": kept,
        "medians": [centre for centre, _ in levels],
        "spreads": [spread for _, spread in levels],
    }


@operation(
    takes=("continuous", "categorical"),
    learn=_learn_levels,
    learned=("codes", "medians", "spreads"),
    units="1",
    jointly=True,
)
def levelled_z(
    layer: Array,
    rock: Array,
    *,
    out: Array,
    cell: Cell,
    codes: list[int],
    medians: list[float],
    spreads: list[float],
) -> None:
    """
    Robust z of every cell among the cells of its own rock.

    Black shale is rich in arsenic everywhere; only what is rich for a black shale counts.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
        Concentrations, better their logarithms.
    rock : DataArray of shape (y, x), integer
        A map of classes.
    codes : list of int
        Classes of 30 cells or more, learned.
    medians, spreads : list of float, in the unit of the layer
        Learned: median and interquartile range / 1.349, first of the whole, then of each
        of the classes.

    Returns
    -------
    DataArray of shape (y, x), float32
        Robust standard deviations. Rarer classes, and those never seen where the builder
        was fitted, take the statistics of the whole. A gap in either layer is a gap.
    """
    table = np.asarray(codes, np.int64)
    places = np.minimum(np.searchsorted(table, rock), max(table.size - 1, 0))
    known = table[places] == rock if table.size else np.zeros(rock.shape, np.bool_)
    level = np.where(known, places + 1, 0)
    np.subtract(layer, np.asarray(medians, np.float32)[level], out=out)
    out /= np.asarray(spreads, np.float32)[level]
    out[rock < 0] = np.nan


def _within_ring(cell: Cell, parameters: Parameters) -> tuple[int, int]:
    inner, outer = float(parameters["inner"]), require_length("outer", float(parameters["outer"]))
    if not 0 <= inner < outer:
        raise RecipeError(
            f"'inner' is a length from 0 to less than 'outer', but {inner:g} and {outer:g} came."
        )
    return cell.halo(outer)


@operation(halo=_within_ring, anchored=True)
def local_anomaly(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    outer: float,
    inner: float = 0.0,
    min_valid: float = 0.25,
    shape: str = "circle",
) -> None:
    """
    Value, or mean of an inner window, less the mean of the ring around it.

    What stands out of its own surroundings, whatever the region's level.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
        Any continuous layer; concentrations better as logarithms.
    outer : float
        Outer radius of the ring, metres.
    inner : float
        Radius of what is compared with the ring, metres; 0 is the cell alone.
    min_valid : float
        Share of the ring's cells that must hold a value.
    shape : 'circle' or 'square'
        Of both windows.

    Returns
    -------
    DataArray of shape (y, x), float32
        In the unit of the layer. NaN in gaps and where the ring holds too few values.

    Raises
    ------
    RecipeError
        If the ring holds no cell.
    """
    rows, cols = cell.halo(outer)
    near_rows, near_cols = cell.halo(inner)
    down, across = rows - near_rows, cols - near_cols
    near = np.ascontiguousarray(
        block[down : block.shape[0] - down, across : block.shape[1] - across]
    )
    ring = size_of(reach_of(cell, outer, shape)[0]) - size_of(reach_of(cell, inner, shape)[0])
    if ring == 0:
        raise RecipeError(
            f"Between {inner:g} and {outer:g} m there is no cell of {cell.dx:g} m: widen the ring."
        )
    wide, many, few = np.empty_like(out), np.empty_like(out), np.empty_like(out)
    moments(block, wide[None], cell, outer, 0.0, shape, (0, -1, -1))
    moments(near, out[None], cell, inner, 0.0, shape, (0, -1, -1))
    count_valid(block, many, cell, outer, shape)
    count_valid(near, few, cell, inner, shape)
    # The ring's mean follows from both windows' means; this form subtracts no large sums.
    left = many - few
    out -= wide
    enough = left >= fewest(ring, min_valid)
    np.divide(many, left, out=wide, where=enough)
    out *= wide
    out[~enough] = np.nan


def _learn_breaks(values: Array, attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Two breaks of the line of log area above against log concentration."""
    positive = np.sort(values[values > 0].astype(np.float64))
    if np.unique(positive).size < FEWEST_VALUES:
        raise EvidenceError(
            f"Concentration-area thresholds need {FEWEST_VALUES} distinct positive values at "
            f"least, but {np.unique(positive).size} came: use quantile_rank."
        )
    # The last ten cells are too few to give an area.
    top = positive[max(positive.size - 10, positive.size // 2)]
    x = np.linspace(math.log(positive[0]), math.log(top), STEPS)
    area = positive.size - np.searchsorted(positive, np.exp(x), side="left")
    y = np.log(np.maximum(area, 1) / positive.size)
    best, found = math.inf, (x[1], x[2])
    for i in range(2, STEPS - 4):
        for j in range(i + 2, STEPS - 2):
            basis = np.stack(
                [np.ones(STEPS), x, np.maximum(x - x[i], 0), np.maximum(x - x[j], 0)], axis=1
            )
            fit = np.linalg.lstsq(basis, y, rcond=None)[0]
            misfit = float(np.sum((basis @ fit - y) ** 2))
            if misfit < best:
                best, found = misfit, (x[i], x[j])
    return {"thresholds": [math.exp(found[0]), math.exp(found[1])]}


@operation(learn=_learn_breaks, learned=("thresholds",), units="class")
def concentration_area_class(
    layer: Array, *, out: Array, cell: Cell, thresholds: list[float]
) -> None:
    """
    Class of a concentration by the area that reaches it: background, raised, anomalous.

    The area above a concentration falls as a power of it, with another power for each
    process; the breaks between the powers are natural thresholds [1]_.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
        Concentrations, not their logarithms.
    thresholds : list of float, in the unit of the layer
        Learned: the two breaks of the best line of three pieces through log area against
        log concentration, at 60 concentrations evenly spaced in the logarithm.

    Returns
    -------
    DataArray of shape (y, x), float32
        0, 1 or 2: how many of the thresholds are reached. Gaps stay gaps.

    Raises
    ------
    EvidenceError
        If the layer has fewer than 15 distinct positive values.

    References
    ----------
    .. [1] Cheng, Agterberg and Ballantyne (1994). The separation of geochemical anomalies
       from background by fractal methods. Journal of Geochemical Exploration 51(2).
    """
    low, high = np.float32(thresholds[0]), np.float32(thresholds[1])
    np.add(layer >= low, layer >= high, out=out, dtype=np.float32)
    out[np.isnan(layer)] = np.nan
