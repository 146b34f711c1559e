"""Assays: ratios, log-ratios, pathfinders, levelling by rock, anomalies over their background.

Concentrations are parts of a whole, so that one rises as the others fall; logarithms of
ratios do not show that [1]_. What is zero or negative was not detected: it is raised to half
the smallest positive value, learned where the builder is fitted. A layer undetected in more
than 30 % of its cells is refused where ratios are taken, and above 80 % everywhere.

References
----------
.. [1] Aitchison (1982). The statistical analysis of compositional data. Journal of the Royal
   Statistical Society B 44(2).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from prospect.errors import RecipeError
from prospect.features.local import IQR_TO_SIGMA
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

MOST_IN_RATIO = 0.3
"""Undetected share of a layer above which a ratio would mostly be of invented numbers."""

MOST_UNDETECTED = 0.8
"""Undetected share above which only 'detected or not' is left to use."""

FEWEST_CELLS = 30
"""A rock of fewer cells is levelled by the statistics of the whole."""

STEPS = 60
"""Concentrations at which the area above is taken."""

FEWEST_VALUES = 15
"""Fewer distinct values are steps of a semi-quantitative method."""

Attrs = Sequence[Mapping[str, Any]]


def floors_of(values: Sequence[Array], attrs: Attrs, most: float) -> list[float]:
    """
    Half the smallest positive value of every layer.

    Raises
    ------
    RecipeError
        If the layers have no cell in common, or one is undetected in too many of them.
    """
    floors = []
    for part, about in zip(values, attrs, strict=True):
        name = about.get("name", "a layer")
        if part.size == 0:
            raise RecipeError("The layers have no cell in which all of them hold a value.")
        undetected = float(np.mean(part <= 0))
        if undetected > most:
            raise RecipeError(
                f"'{name}' is zero or negative, that is undetected, in {undetected:.0%} of its "
                f"cells, and {most:.0%} is the most here: leave it out, or use share_above."
            )
        floors.append(float(part[part > 0].min()) / 2)
    return floors


def logarithm(layer: Array, floor: float) -> Array:
    """Natural logarithm of a layer raised to its floor, float32."""
    return np.asarray(np.log(np.maximum(layer, np.float32(floor))))


def _learn_parts(
    values: Sequence[Array], attrs: Attrs, *, numerator: int | None = None, **_: Any
) -> dict[str, Any]:
    if len(values) < 2:
        raise RecipeError("A log-ratio is of two layers at least, but one came.")
    if numerator is not None and not 0 < numerator < len(values):
        raise RecipeError(
            f"'numerator' counts the first layers, at least 1 and at most {len(values) - 1} "
            f"of these {len(values)}, but {numerator} came."
        )
    return {"floors": floors_of(values, attrs, MOST_IN_RATIO)}


def _learn_named_parts(values: Sequence[Array], attrs: Attrs, **_: Any) -> dict[str, Any]:
    names = [str(about.get("name", place)) for place, about in enumerate(attrs)]
    return _learn_parts(values, attrs) | {"parts": names}


def _part_columns(parameters: Parameters) -> list[str]:
    return list(parameters["parts"])


@operation(learn=_learn_parts, learned=("floors",), units="1", jointly=True)
def ratio(above: Array, below: Array, *, out: Array, cell: Cell, floors: list[float]) -> None:
    """
    Natural logarithm of the ratio of two layers.

    K/Th rises where potassium was added; Hg/Sb tells how deep a system is cut.

    Parameters
    ----------
    above, below : DataArray of shape (y, x)
        Concentrations. Another unit shifts the result by a constant.
    floors : list of float, in the units of the layers
        What zeros and negatives are raised to, learned.

    Returns
    -------
    DataArray of shape (y, x), float32
        0 where both are equal. A gap in either is a gap.

    Raises
    ------
    RecipeError
        If more than 30 % of a layer is not positive.
    """
    np.subtract(logarithm(above, floors[0]), logarithm(below, floors[1]), out=out)


@operation(
    learn=_learn_named_parts,
    learned=("floors", "parts"),
    columns=_part_columns,
    units="1",
    jointly=True,
)
def log_ratio_clr(
    *layers: Array, out: Array, cell: Cell, floors: list[float], parts: list[str]
) -> None:
    """
    Centred log-ratios: the logarithm of every part less the mean of them all.

    An element is high against the others of its sample, not because the sample is rich.

    Parameters
    ----------
    layers : DataArrays of shape (y, x)
        Concentrations, two layers or more. Other units shift columns by constants.
    floors : list of float, in the units of the layers
        What zeros and negatives are raised to, learned.
    parts : list of str
        Names of the layers, learned.

    Returns
    -------
    DataArray of shape (feature, y, x), float32
        One plane a layer; they sum to zero. A gap in any layer is a gap in all.

    Raises
    ------
    RecipeError
        If more than 30 % of a layer is not positive.

    References
    ----------
    .. [1] Aitchison (1986). The Statistical Analysis of Compositional Data. Chapman and Hall.
    """
    for plane, layer, floor in zip(out, layers, floors, strict=True):
        plane[...] = logarithm(layer, floor)
    out -= out.mean(axis=0, dtype=np.float64).astype(np.float32)


@operation(learn=_learn_parts, learned=("floors",), units="1", jointly=True)
def ilr_balance(
    *layers: Array, out: Array, cell: Cell, numerator: int, floors: list[float]
) -> None:
    """
    Balance of two groups of elements: an isometric log-ratio.

    Sb, Hg, As against Pb, Zn, Cu: low-temperature against base-metal ground, whatever the
    dilution of the sample.

    Parameters
    ----------
    layers : DataArrays of shape (y, x)
        Concentrations: first those of the one group, then those of the other.
    numerator : int
        How many layers are of the first group.
    floors : list of float, in the units of the layers
        What zeros and negatives are raised to, learned.

    Returns
    -------
    DataArray of shape (y, x), float32
        ``sqrt(r s / (r + s))`` times the difference of the mean logarithms of the r and s
        layers. A gap in any layer is a gap.

    Raises
    ------
    RecipeError
        If more than 30 % of a layer is not positive, or a group is empty.

    References
    ----------
    .. [1] Egozcue and Pawlowsky-Glahn (2005). Groups of parts and their balances in
       compositional data analysis. Mathematical Geology 37(7).
    """
    rest = len(layers) - numerator
    scale = math.sqrt(numerator * rest / len(layers))
    out[...] = 0
    for place, (layer, floor) in enumerate(zip(layers, floors, strict=True)):
        share = scale / numerator if place < numerator else -scale / rest
        out += np.float32(share) * logarithm(layer, floor)


def _learn_pathfinders(
    values: Sequence[Array], attrs: Attrs, *, weights: list[float] | None = None, **_: Any
) -> dict[str, Any]:
    if weights is not None and (
        len(weights) != len(values) or not all(0 < weight < math.inf for weight in weights)
    ):
        raise RecipeError(
            f"'weights' are numbers above 0, one a layer, but {weights} came for {len(values)}."
        )
    floors = floors_of(values, attrs, MOST_UNDETECTED)
    spreads = [centre_and_spread(logarithm(v, f)) for v, f in zip(values, floors, strict=True)]
    return {
        "floors": floors,
        "medians": [centre for centre, _ in spreads],
        "spreads": [spread for _, spread in spreads],
    }


@operation(
    learn=_learn_pathfinders, learned=("floors", "medians", "spreads"), units="1", jointly=True
)
def pathfinder_sum(
    *layers: Array,
    out: Array,
    cell: Cell,
    floors: list[float],
    medians: list[float],
    spreads: list[float],
    weights: list[float] | None = None,
) -> None:
    """
    Weighted mean of the robust z of the logarithms of several elements.

    Pathfinders agree over ore, their noise does not: the sum is cleaner than its parts.

    Parameters
    ----------
    layers : DataArrays of shape (y, x)
        Concentrations.
    weights : list of float, optional
        One a layer; equal when not given.
    floors, medians, spreads : list of float
        Learned: what zeros and negatives are raised to, and median and interquartile
        range / 1.349 of the natural logarithms.

    Returns
    -------
    DataArray of shape (y, x), float32
        Robust standard deviations. A gap in any layer is a gap.

    Raises
    ------
    RecipeError
        If more than 80 % of a layer is not positive, or weights do not fit the layers.
    """
    shares = [1.0] * len(layers) if weights is None else weights
    total = sum(shares)
    out[...] = 0
    for place, layer in enumerate(layers):
        scale = np.float32(shares[place] / total / spreads[place])
        out += scale * (logarithm(layer, floors[place]) - np.float32(medians[place]))


def centre_and_spread(values: Array) -> tuple[float, float]:
    """Median, and the interquartile range as a standard deviation, never 0."""
    low, centre, high = (float(q) for q in np.quantile(values, (0.25, 0.5, 0.75)))
    spread = (high - low) / IQR_TO_SIGMA
    return centre, spread or float(values.std(dtype=np.float64)) or 1.0


def _learn_levels(values: Sequence[Array], attrs: Attrs) -> dict[str, Any]:
    field, rock = values
    if field.size == 0:
        raise RecipeError("The layers have no cell in which both hold a value.")
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
        raise RecipeError(
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
    RecipeError
        If the layer has fewer than 15 distinct positive values.

    References
    ----------
    .. [1] Cheng, Agterberg and Ballantyne (1994). The separation of geochemical anomalies
       from background by fractal methods. Journal of Geochemical Exploration 51(2).
    """
    low, high = np.float32(thresholds[0]), np.float32(thresholds[1])
    np.add(layer >= low, layer >= high, out=out, dtype=np.float32)
    out[np.isnan(layer)] = np.nan
