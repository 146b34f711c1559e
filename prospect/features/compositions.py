"""Assays as parts of a whole: logarithms, their ratios, balances, components and robust z.

Concentrations are parts of a whole, so that one rises as the others fall; logarithms of
ratios do not show that [1]_. What is zero or negative was not detected: it is raised to half
the smallest positive value of its layer, learned where the builder is fitted. A layer
undetected in more than 30 % of its cells is refused where ratios are taken, and above 80 %
everywhere: what is put in for it would be most of what is seen.

All of these are weighted sums of logarithms. Rows of a recipe share them: every layer is read
and its logarithm taken once.

References
----------
.. [1] Aitchison (1982). The statistical analysis of compositional data. Journal of the Royal
   Statistical Society B 44(2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from prospect.errors import EvidenceError, RecipeError
from prospect.features.local import IQR_TO_SIGMA
from prospect.features.logarithms import (
    LEAST,
    LOGARITHMS,
    Attrs,
    Mix,
    alone,
    floors_of,
    logarithm,
)
from prospect.features.operation import Array, Parameters, operation
from prospect.grid import Cell

MOST_IN_RATIO = 0.3
"""Undetected share of a layer above which a ratio would mostly be of invented numbers."""

MOST_UNDETECTED = 0.8
"""Undetected share above which only 'detected or not' is left to use."""


def _learn_parts(
    values: Sequence[Array], attrs: Attrs, *, numerator: int | None = None, **_: Any
) -> dict[str, Any]:
    if len(values) < 2:
        raise EvidenceError("A log-ratio is of two layers at least, but one came.")
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


def _of_ratio(parameters: Parameters) -> list[Mix]:
    return [Mix(tuple(parameters["floors"]), ((0, 1.0), (1, -1.0)))]


@operation(
    learn=_learn_parts,
    learned=("floors",),
    units="1",
    jointly=True,
    joint=(LOGARITHMS, _of_ratio),
)
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
    EvidenceError
        If more than 30 % of a layer is not positive.
    """
    alone((above, below), out, cell, _of_ratio({"floors": floors}))


def _of_clr(parameters: Parameters) -> list[Mix]:
    floors = tuple(parameters["floors"])
    return [Mix(floors, ((k, 1.0),), mean=-1.0) for k in range(len(floors))]


@operation(
    learn=_learn_named_parts,
    learned=("floors", "parts"),
    columns=_part_columns,
    units="1",
    jointly=True,
    joint=(LOGARITHMS, _of_clr),
)
def log_ratio_clr(
    *layers: Array, out: Array, cell: Cell, floors: list[float], parts: list[str]
) -> None:
    """
    Centred log-ratios: the logarithm of every part less the mean of them all.

    An element is high against the others of its sample, not because the sample is rich.
    In a recipe ``of = "geochemistry.*"`` takes every assay there is.

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
    EvidenceError
        If more than 30 % of a layer is not positive.

    References
    ----------
    .. [1] Aitchison (1986). The Statistical Analysis of Compositional Data. Chapman and Hall.
    """
    alone(layers, out, cell, _of_clr({"floors": floors}))


def _of_alr(parameters: Parameters) -> list[Mix]:
    floors = tuple(parameters["floors"])
    last = len(floors) - 1
    return [Mix(floors, ((k, 1.0), (last, -1.0))) for k in range(last)]


def _but_the_last(parameters: Parameters) -> list[str]:
    return list(parameters["parts"])[:-1]


@operation(
    learn=_learn_named_parts,
    learned=("floors", "parts"),
    columns=_but_the_last,
    units="1",
    jointly=True,
    joint=(LOGARITHMS, _of_alr),
)
def log_ratio_alr(
    *layers: Array, out: Array, cell: Cell, floors: list[float], parts: list[str]
) -> None:
    """
    Additive log-ratios: the logarithm of every part less that of the last.

    With an immobile element last, such as Zr or Ti, they tell gain and loss. Distances
    between samples are not kept: take centred ones where that matters.

    Parameters
    ----------
    layers : DataArrays of shape (y, x)
        Concentrations, two layers or more; the last divides the others.
    floors : list of float, in the units of the layers
        What zeros and negatives are raised to, learned.
    parts : list of str
        Names of the layers, learned.

    Returns
    -------
    DataArray of shape (feature, y, x), float32
        One plane a layer but the last. A gap in the last is a gap in all.

    Raises
    ------
    EvidenceError
        If more than 30 % of a layer is not positive.

    References
    ----------
    .. [1] Aitchison (1986). The Statistical Analysis of Compositional Data. Chapman and Hall.
    """
    alone(layers, out, cell, _of_alr({"floors": floors}))


def _of_balance(parameters: Parameters) -> list[Mix]:
    floors, above = tuple(parameters["floors"]), int(parameters["numerator"])
    below = len(floors) - above
    scale = math.sqrt(above * below / len(floors))
    shares = [scale / above] * above + [-scale / below] * below
    return [Mix(floors, tuple(enumerate(shares)))]


@operation(
    learn=_learn_parts,
    learned=("floors",),
    units="1",
    jointly=True,
    joint=(LOGARITHMS, _of_balance),
)
def ilr_balance(
    *layers: Array, out: Array, cell: Cell, numerator: int, floors: list[float]
) -> None:
    """
    Balance of two groups of elements: an isometric log-ratio.

    Sb, Hg, As against Pb, Zn, Cu: low-temperature against base-metal ground, whatever the
    dilution of the sample. ``of = ["geochemistry.Sb", "geochemistry.*"]`` with a numerator
    of 1 sets antimony against all others.

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
    EvidenceError
        If more than 30 % of a layer is not positive.
    RecipeError
        If a group is empty.

    References
    ----------
    .. [1] Egozcue and Pawlowsky-Glahn (2005). Groups of parts and their balances in
       compositional data analysis. Mathematical Geology 37(7).
    """
    alone(layers, out, cell, _of_balance({"floors": floors, "numerator": numerator}))


def _learn_components(values: Sequence[Array], attrs: Attrs, *, count: int = 3) -> dict[str, Any]:
    learned = _learn_parts(values, attrs)
    if not 0 < count < len(values):
        raise RecipeError(
            f"'count' is 1 to {len(values) - 1} components of these {len(values)} layers, "
            f"but {count} came."
        )
    logs = [logarithm(v, f) for v, f in zip(values, learned["floors"], strict=True)]
    total, product = np.zeros(len(logs)), np.zeros((len(logs), len(logs)))
    for start in range(0, logs[0].size, 2**16):
        part = np.stack([log[start : start + 2**16] for log in logs], axis=1, dtype=np.float64)
        part -= part.mean(axis=1, keepdims=True)
        total += part.sum(axis=0)
        product += part.T @ part
    centre = total / logs[0].size
    spreads, vectors = np.linalg.eigh(product / logs[0].size - np.outer(centre, centre))
    loadings = vectors[:, ::-1][:, :count].T
    largest = np.take_along_axis(loadings, abs(loadings).argmax(axis=1)[:, None], axis=1)
    loadings = loadings * np.sign(largest)
    return learned | {
        "loadings": loadings.tolist(),
        "centres": (loadings @ centre).tolist(),
        "explained": (spreads[::-1][:count] / max(spreads.sum(), LEAST)).tolist(),
    }


def _of_components(parameters: Parameters) -> list[Mix]:
    floors = tuple(parameters["floors"])
    # Loadings of centred log-ratios sum to zero: they can be put on the logarithms as well.
    return [
        Mix(floors, tuple(enumerate(loading)), shift=-centre)
        for loading, centre in zip(parameters["loadings"], parameters["centres"], strict=True)
    ]


def _numbered(parameters: Parameters) -> list[str]:
    return [str(k + 1) for k in range(len(parameters["loadings"]))]


@operation(
    learn=_learn_components,
    learned=("floors", "loadings", "centres", "explained"),
    columns=_numbered,
    units="1",
    jointly=True,
    joint=(LOGARITHMS, _of_components),
)
def clr_components(
    *layers: Array,
    out: Array,
    cell: Cell,
    floors: list[float],
    loadings: list[list[float]],
    centres: list[float],
    explained: list[float],
    count: int = 3,
) -> None:
    """
    Scores on the principal components of the centred log-ratios.

    The first ones are mostly rock, a later one may be ore: look at the loadings. They are
    the ordinary, not the robust components: extremes turn them, and so do the floors that
    stand for what was not detected, which all lie in one direction. Leave elements out
    that were not detected in more than a few per cent.

    Parameters
    ----------
    layers : DataArrays of shape (y, x)
        Concentrations, two layers or more.
    count : int
        How many components, the strongest first.
    floors : list of float, in the units of the layers
        What zeros and negatives are raised to, learned.
    loadings : list of lists of float
        Learned, one list a component, one number a layer; the largest of each is positive.
    centres : list of float
        Learned: the scores of the mean.
    explained : list of float
        Learned: shares of the variance.

    Returns
    -------
    DataArray of shape (feature, y, x), float32
        One plane a component. A gap in any layer is a gap in all.

    Raises
    ------
    EvidenceError
        If more than 30 % of a layer is not positive.
    RecipeError
        If there are no so many components.

    References
    ----------
    .. [1] Aitchison (1983). Principal component analysis of compositional data. Biometrika
       70(1).
    .. [2] Filzmoser, Hron and Reimann (2009). Principal component analysis for compositional
       data with outliers. Environmetrics 20(6).
    """
    given = {"floors": floors, "loadings": loadings, "centres": centres}
    alone(layers, out, cell, _of_components(given))


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


def _of_pathfinders(parameters: Parameters) -> list[Mix]:
    floors = tuple(parameters["floors"])
    medians, spreads = parameters["medians"], parameters["spreads"]
    weights = parameters["weights"] or [1.0] * len(floors)
    shares = [w / sum(weights) / s for w, s in zip(weights, spreads, strict=True)]
    shift = -math.fsum(share * m for share, m in zip(shares, medians, strict=True))
    return [Mix(floors, tuple(enumerate(shares)), shift=shift)]


@operation(
    learn=_learn_pathfinders,
    learned=("floors", "medians", "spreads"),
    units="1",
    jointly=True,
    joint=(LOGARITHMS, _of_pathfinders),
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

    Pathfinders agree over ore, their noise does not: the sum is cleaner than its parts. Of
    one element it is the robust z of its logarithm.

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
    EvidenceError
        If more than 80 % of a layer is not positive.
    RecipeError
        If weights do not fit the layers.
    """
    given = {"floors": floors, "medians": medians, "spreads": spreads, "weights": weights}
    alone(layers, out, cell, _of_pathfinders(given))


def centre_and_spread(values: Array) -> tuple[float, float]:
    """Median, and the interquartile range as a standard deviation, never 0."""
    low, centre, high = (float(q) for q in np.quantile(values, (0.25, 0.5, 0.75)))
    spread = (high - low) / IQR_TO_SIGMA
    return centre, spread or float(values.std(dtype=np.float64)) or 1.0
