"""Operations on one cell at a time: values, logarithms, robust z, ranks, classes as columns."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from prospect.errors import EvidenceError, RecipeError
from prospect.features.operation import Array, Parameters, operation
from prospect.grid import Cell

IQR_TO_SIGMA = 1.349
"""Interquartile range of a normal distribution, in standard deviations."""


@operation()
def value(layer: Array, *, out: Array, cell: Cell) -> None:
    """
    The layer itself.

    Parameters
    ----------
    layer : DataArray of shape (y, x)

    Returns
    -------
    DataArray of shape (y, x), float32
        In the unit of the layer. Gaps stay gaps.
    """
    np.copyto(out, layer)


def _learn_floor(values: Array, attrs: Mapping[str, Any], *, floor: float = 0.0) -> dict[str, Any]:
    """Half the smallest positive value, which is where zeros and negatives are put."""
    if floor > 0:
        return {"floor": floor}
    positive = values[values > 0]
    if positive.size == 0:
        raise EvidenceError("A logarithm needs positive values, but the layer has none.")
    return {"floor": float(positive.min()) / 2}


@operation(learn=_learn_floor, learned=("floor",), units="log10({unit})")
def log(layer: Array, *, out: Array, cell: Cell, floor: float) -> None:
    """
    Decimal logarithm, for concentrations and other skewed, positive values.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
    floor : float, in the unit of the layer
        Values below it are raised to it. By default half the smallest positive value,
        learned where the builder is fitted.

    Returns
    -------
    DataArray of shape (y, x), float32
        Gaps stay gaps.

    Raises
    ------
    RecipeError
        If no value is positive.
    """
    np.maximum(layer, np.float32(floor), out=out)
    np.log10(out, out=out)


def _learn_quartiles(values: Array, attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Median, and the interquartile range as a standard deviation."""
    if values.size == 0:
        raise EvidenceError("A robust z needs values, but the layer has gaps only.")
    low, centre, high = (float(q) for q in np.quantile(values, (0.25, 0.5, 0.75)))
    spread = (high - low) / IQR_TO_SIGMA
    if spread == 0:
        spread = float(values.std(dtype=np.float64)) or 1.0
    return {"median": centre, "spread": spread}


@operation(learn=_learn_quartiles, learned=("median", "spread"), units="1")
def robust_z(layer: Array, *, out: Array, cell: Cell, median: float, spread: float) -> None:
    """
    Distance from the median, in robust standard deviations.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
    median, spread : float, in the unit of the layer
        Learned where the builder is fitted: median, and interquartile range / 1.349. A
        layer whose quartiles coincide takes its standard deviation instead.

    Returns
    -------
    DataArray of shape (y, x), float32, without unit
        Gaps stay gaps.
    """
    np.subtract(layer, np.float32(median), out=out)
    out *= np.float32(1 / spread)


RANKS = 200
"""Steps of a learned distribution: a rank between two of them is interpolated."""


def _learn_ranks(values: Array, attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Values at regular ranks; a value that holds several of them gets their middle."""
    if values.size == 0:
        raise EvidenceError("Ranks need values, but the layer has gaps only.")
    ranks = np.linspace(0, 1, RANKS + 1)
    knots, first = np.unique(np.quantile(values.astype(np.float64), ranks), return_index=True)
    last = np.append(first[1:] - 1, RANKS)
    return {"knots": knots.tolist(), "ranks": ((ranks[first] + ranks[last]) / 2).tolist()}


@operation(learn=_learn_ranks, learned=("knots", "ranks"), units="1")
def quantile_rank(
    layer: Array, *, out: Array, cell: Cell, knots: list[float], ranks: list[float]
) -> None:
    """
    Share of the layer's values that lie below.

    Brings layers of any unit and skewness to one scale; outliers lose their weight.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
    knots, ranks : list of float
        Learned where the builder is fitted: values at every half per cent of the layer,
        interpolated between, which is right within half a per cent.

    Returns
    -------
    DataArray of shape (y, x), float32
        From 0 to 1; values beyond those of the fit get its ends. Gaps stay gaps.
    """
    out[...] = np.interp(layer, knots, ranks)


def _learn_bounds(
    values: Array, attrs: Mapping[str, Any], *, low: float = 0.01, high: float = 0.99
) -> dict[str, Any]:
    """The values at two quantiles."""
    if not 0 <= low < high <= 1:
        raise RecipeError(f"'low' and 'high' are shares, 0 to 1, but {low:g} and {high:g} came.")
    if values.size == 0:
        raise EvidenceError("Quantiles need values, but the layer has gaps only.")
    lowest, highest = (float(q) for q in np.quantile(values, (low, high)))
    return {"lowest": lowest, "highest": highest}


@operation(learn=_learn_bounds, learned=("lowest", "highest"))
def winsorise(
    layer: Array,
    *,
    out: Array,
    cell: Cell,
    lowest: float,
    highest: float,
    low: float = 0.01,
    high: float = 0.99,
) -> None:
    """
    The layer with its extremes drawn in to two quantiles.

    One erratic assay no longer outweighs a district.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
    lowest, highest : float, in the unit of the layer
        Learned where the builder is fitted.
    low, high : float
        Shares of the values that lie below the two.

    Returns
    -------
    DataArray of shape (y, x), float32
        In the unit of the layer. Gaps stay gaps.
    """
    np.clip(layer, np.float32(lowest), np.float32(highest), out=out)


MOST_FITTED = 200_000
"""Values that an exponent is fitted to; of more, every so-manieth in order of place."""


def _learn_exponent(
    values: Array, attrs: Mapping[str, Any], *, method: str = "yeo-johnson"
) -> dict[str, Any]:
    """The exponent that makes the values most like a normal distribution, and their scale."""
    from scipy import stats

    if method not in ("box-cox", "yeo-johnson"):
        raise RecipeError(f"'method' is 'box-cox' or 'yeo-johnson', but {method!r} came.")
    sample = values[:: max(1, values.size // MOST_FITTED)].astype(np.float64)
    floor = 0.0
    if method == "box-cox":
        positive = values[values > 0]
        if positive.size == 0:
            raise EvidenceError("Box-Cox needs positive values, but the layer has none.")
        floor = float(positive.min()) / 2
        sample = np.maximum(sample, floor)
    if sample.size == 0 or sample.min() == sample.max():
        raise EvidenceError("An exponent needs two different values, but the layer has not.")
    fitted = stats.boxcox(sample) if method == "box-cox" else stats.yeojohnson(sample)
    changed = fitted[0]
    return {
        "exponent": float(fitted[1]),
        "floor": floor,
        "centre": float(changed.mean()),
        "spread": float(changed.std()) or 1.0,
    }


@operation(learn=_learn_exponent, learned=("exponent", "floor", "centre", "spread"), units="1")
def power_transform(
    layer: Array,
    *,
    out: Array,
    cell: Cell,
    exponent: float,
    floor: float,
    centre: float,
    spread: float,
    method: str = "yeo-johnson",
) -> None:
    """
    The power of the layer that comes nearest to a normal distribution, standardised.

    For linear learners and for what expects normal values; trees do not need it.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
    method : 'yeo-johnson' or 'box-cox'
        Box-Cox is for positive values, and finds a logarithm where that is right (an
        exponent of 0); what is zero or negative is raised to half the smallest positive
        value. Yeo-Johnson takes values of any sign.
    exponent, floor, centre, spread : float
        Learned where the builder is fitted, the exponent by greatest likelihood (SciPy) on
        200,000 values at least, or all there are.

    Returns
    -------
    DataArray of shape (y, x), float32
        Standard deviations from the mean of the transformed layer. Gaps stay gaps.

    Raises
    ------
    EvidenceError
        If the layer does not hold two different values, or for Box-Cox no positive one.
    RecipeError
        If the method is another.

    References
    ----------
    .. [1] Box and Cox (1964). An analysis of transformations. Journal of the Royal
       Statistical Society B 26(2).
    .. [2] Yeo and Johnson (2000). A new family of power transformations to improve normality
       or symmetry. Biometrika 87(4).
    """
    values = layer.astype(np.float64)
    if method == "box-cox":
        changed = _power(np.log(np.maximum(values, floor)), exponent)
    else:
        # What is below 0 is mirrored, and its exponent about 1.
        changed = np.where(
            values < 0,
            -_power(np.log1p(np.maximum(-values, 0)), 2 - exponent),
            _power(np.log1p(np.maximum(values, 0)), exponent),
        )
    np.copyto(out, (changed - centre) / spread)


def _power(logarithm: Array, exponent: float) -> Array:
    """``(x**exponent - 1) / exponent`` from the logarithm of x, which it is for exponent 0."""
    if abs(exponent) < 1e-12:
        return logarithm
    return np.asarray(np.expm1(exponent * logarithm) / exponent)


@operation(takes="categorical", units="class")
def class_code(layer: Array, *, out: Array, cell: Cell) -> None:
    """
    The code of the class, for learners that encode classes themselves.

    As a number it means nothing: give it to ``prospect.encoding.with_encoded_classes``,
    never to a learner as it is.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
        Class codes.

    Returns
    -------
    DataArray of shape (y, x), float32
        Exact below 16 million. Gaps stay gaps.
    """
    np.copyto(out, layer, casting="unsafe")
    out[layer < 0] = np.nan


def _learn_classes(
    values: Array, attrs: Mapping[str, Any], *, min_share: float = 0.005, max_classes: int = 30
) -> dict[str, Any]:
    """The commonest classes, and their names."""
    codes, counts = np.unique(values, return_counts=True)
    order = np.lexsort((codes, -counts))
    kept = [i for i in order if counts[i] >= min_share * values.size][:max_classes]
    codes = np.sort(codes[kept])
    names = {int(code): str(name) for code, name in dict(attrs.get("classes", {})).items()}
    return {
        "codes": [int(code) for code in codes],
        "names": [names.get(int(code), str(int(code))) for code in codes],
    }


def _class_columns(parameters: Parameters) -> list[str]:
    return list(parameters["names"])


@operation(
    takes="categorical",
    learn=_learn_classes,
    learned=("codes", "names"),
    columns=_class_columns,
    units="1",
)
def one_hot(
    layer: Array,
    *,
    out: Array,
    cell: Cell,
    codes: list[int],
    names: list[str],
    min_share: float = 0.005,
    max_classes: int = 30,
) -> None:
    """
    One column a class: 1 in the class, 0 elsewhere.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
        Class codes.
    min_share : float
        Classes rarer than this share of the valid cells get no column.
    max_classes : int
        The commonest at most.

    Returns
    -------
    DataArray of shape (feature, y, x), float32
        A class without a column, or one never seen where the builder was fitted, is 0
        in all of them. Gaps stay gaps.
    """
    gaps = layer == -1
    for column, code in zip(out, codes, strict=True):
        np.equal(layer, code, out=column, casting="unsafe")
        np.copyto(column, np.nan, where=gaps)


def _band_columns(parameters: Parameters) -> list[str]:
    edges = [f"{edge:g}" for edge in _rising(parameters["edges"])]
    between = [f"{low}–{high}" for low, high in pairwise(edges)]
    return [f"to {edges[0]}", *between, f"over {edges[-1]}"]


def _rising(edges: list[float]) -> list[float]:
    if not edges or any(low >= high for low, high in pairwise(edges)):
        raise RecipeError(f"edges of bands are rising numbers, but {edges} came.")
    return edges


@operation(columns=_band_columns, units="1")
def bands(layer: Array, *, out: Array, cell: Cell, edges: list[float]) -> None:
    """
    One column a band: 1 in the band, 0 elsewhere.

    For evidence that is best neither near nor far: some way outside a contact, or where a
    basin is neither shallow nor deep.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
    edges : list of float, in the unit of the layer
        Rising. A band holds its upper edge and not its lower one; the first is of all up to
        the first edge, the last of all beyond the last.

    Returns
    -------
    DataArray of shape (feature, y, x), float32
        Gaps stay gaps.

    Raises
    ------
    RecipeError
        If edges do not rise.
    """
    limits = [-np.inf, *_rising(edges), np.inf]
    gaps = np.isnan(layer)
    for column, low, high in zip(out, limits, limits[1:], strict=False):
        np.copyto(column, (layer > low) & (layer <= high))
        np.copyto(column, np.nan, where=gaps)
