"""Satellite bands: ratios, normalised differences, named indices of minerals, and masks.

Bands go by roles such as ``aster.b5``, ``landsat.b4`` (Landsat 8 and 9) and ``sentinel2.b8a``.
They are surface reflectance, or emissivity in the thermal bands: products that hold whole
numbers with an offset (Landsat Collection 2, Sentinel-2 from baseline 04.00) go through
``reflectance`` first, for a ratio of such numbers is not that of the ground.

Indices see plants, snow and shade sooner than minerals: make gaps of them with ``masked``. A
gap is no evidence either way; a flag of it would only say where nobody has looked.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from prospect.errors import RecipeError
from prospect.features.operation import Array, Parameters, operation
from prospect.grid import Cell

_CUDAHY = "Cudahy et al. (2008), Next generation mineral mapping, CSIRO report P2007/364"
_KALINOWSKI = "Kalinowski and Oliver (2004), ASTER mineral index processing manual, GA"
_SEGAL = "Segal (1982), 2nd Thematic Conference on Remote Sensing for Exploratory Geology"
_NINOMIYA = "Ninomiya, Fu and Cudahy (2005), Remote Sensing of Environment 99(1-2)"
_SABINS = "Sabins (1999), Ore Geology Reviews 14(3-4)"
_MEER = "van der Meer, van der Werff and van Ruitenbeek (2014), Remote Sensing of Environment 148"
_ROUSE = "Rouse et al. (1974), NASA SP-351"
_HALL = "Hall, Riggs and Salomonson (1995), Remote Sensing of Environment 54(2)"


@dataclass(frozen=True)
class Index:
    """
    A named index: a formula of bands.

    Attributes
    ----------
    sensor : str
        ``aster``, ``landsat`` or ``sentinel2``: the part of the roles before the dot.
    formula : str
        Of bands as they are called after the dot.
    meaning : str
    source : str
    """

    sensor: str
    formula: str
    meaning: str
    source: str

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands of the formula in the order in which they come."""
        names = [n for n in ast.walk(ast.parse(self.formula)) if isinstance(n, ast.Name)]
        names.sort(key=lambda name: name.col_offset)
        return tuple(dict.fromkeys(name.id for name in names))

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles of its bands."""
        return tuple(f"{self.sensor}.{band}" for band in self.bands)


INDICES: Mapping[str, Index] = {
    "aster_ferric": Index("aster", "b2 / b1", "ferric iron", _KALINOWSKI),
    "aster_ferrous": Index("aster", "b5 / b3n + b1 / b2", "ferrous iron", _KALINOWSKI),
    "aster_alteration": Index("aster", "b4 / b5", "laterite or alteration", _KALINOWSKI),
    "aster_clay": Index("aster", "(b4 + b6) / b5", "kaolinite, dickite, alunite", _KALINOWSKI),
    "aster_sericite": Index("aster", "(b5 + b7) / b6", "sericite, muscovite, illite", _KALINOWSKI),
    "aster_al_oh": Index("aster", "(b5 + b7) / b6", "Al-OH content", _CUDAHY),
    "aster_mg_oh_carbonate": Index("aster", "(b6 + b9) / (b7 + b8)", "Mg-OH, carbonate", _CUDAHY),
    "aster_silica": Index("aster", "b13 / b10", "silica", _CUDAHY),
    "aster_quartz": Index("aster", "b11**2 / (b10 * b12)", "quartz, jasperoid", _NINOMIYA),
    "aster_carbonate": Index("aster", "b13 / b14", "carbonate", _NINOMIYA),
    "aster_ndvi": Index("aster", "(b3n - b2) / (b3n + b2)", "plants", _ROUSE),
    "aster_ndsi": Index("aster", "(b1 - b4) / (b1 + b4)", "snow", _HALL),
    "landsat_ferric": Index("landsat", "b4 / b2", "ferric iron", _SABINS),
    "landsat_ferrous": Index("landsat", "b6 / b5", "ferrous iron", _SEGAL),
    "landsat_clay": Index("landsat", "b6 / b7", "clay, sericite, carbonate", _SABINS),
    "landsat_ndvi": Index("landsat", "(b5 - b4) / (b5 + b4)", "plants", _ROUSE),
    "landsat_ndsi": Index("landsat", "(b3 - b6) / (b3 + b6)", "snow", _HALL),
    "sentinel2_ferric": Index("sentinel2", "b4 / b3", "ferric iron", _MEER),
    "sentinel2_ferrous": Index("sentinel2", "b12 / b8 + b3 / b4", "ferrous iron", _MEER),
    "sentinel2_clay": Index("sentinel2", "b11 / b12", "clay, sericite, carbonate", _MEER),
    "sentinel2_ndvi": Index("sentinel2", "(b8 - b4) / (b8 + b4)", "plants", _ROUSE),
    "sentinel2_ndsi": Index("sentinel2", "(b3 - b11) / (b3 + b11)", "snow", _HALL),
}
"""Indices by name."""


@operation(units="1")
def reflectance(layer: Array, *, out: Array, cell: Cell, scale: float, offset: float = 0.0) -> None:
    """
    Numbers of a product as reflectance, ``scale * number + offset``.

    Landsat Collection 2: 0.0000275 and -0.2. Sentinel-2 from baseline 04.00: 0.0001 and
    -0.1, before it 0.0001 and 0.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
    scale, offset : float

    Returns
    -------
    DataArray of shape (y, x), float32
        Gaps stay gaps.
    """
    np.multiply(layer, np.float32(scale), out=out)
    out += np.float32(offset)


@operation(units="1")
def band_ratio(above: Array, below: Array, *, out: Array, cell: Cell) -> None:
    """
    Ratio of two bands: slopes and shade darken both, and fall out.

    Parameters
    ----------
    above, below : DataArray of shape (y, x)
        Reflectance.

    Returns
    -------
    DataArray of shape (y, x), float32
        A gap in either is a gap, and so is a band that is not above 0.
    """
    _fill_where_positive((above, below), above / _no_zero(below), out)


@operation(units="1")
def normalised_difference(one: Array, other: Array, *, out: Array, cell: Cell) -> None:
    """
    Difference of two bands over their sum.

    Parameters
    ----------
    one, other : DataArray of shape (y, x)
        Reflectance.

    Returns
    -------
    DataArray of shape (y, x), float32
        From -1 to 1, 0 where both are equal. A gap in either is a gap, and so is a band
        that is not above 0.
    """
    _fill_where_positive((one, other), (one - other) / _no_zero(one + other), out)


def index_of(name: str) -> Index:
    """
    The index of a name.

    Raises
    ------
    RecipeError
        If there is none.
    """
    if name not in INDICES:
        import difflib

        near = difflib.get_close_matches(name, INDICES, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(INDICES)}."
        raise RecipeError(f"There is no spectral index '{name}': {hint}")
    return INDICES[name]


def _check_bands(
    values: Sequence[Array], attrs: Sequence[Mapping[str, Any]], *, index: str
) -> dict[str, Any]:
    """Nothing is learned, but bands in another order would give another index unseen."""
    wanted = index_of(index).roles
    if len(values) != len(wanted):
        raise RecipeError(
            f"Index '{index}' is of {', '.join(wanted)}, but {len(values)} layers came."
        )
    for about, role in zip(attrs, wanted, strict=True):
        came = str(about.get("role", ""))
        if came.split(".")[0] in {known.sensor for known in INDICES.values()} and came != role:
            raise RecipeError(
                f"Index '{index}' is of {', '.join(wanted)} in this order, but {came} came where "
                f"{role} belongs: reorder the layers, or leave 'of' out."
            )
    return {}


def _bands_of(parameters: Parameters) -> tuple[str, ...]:
    return index_of(str(parameters.get("index", ""))).roles


@operation(learn=_check_bands, jointly=True, units="1", roles=_bands_of)
def spectral_index(*bands: Array, out: Array, cell: Cell, index: str) -> None:
    """
    A named index of minerals, plants or snow.

    ASTER: ferric, ferrous, alteration, clay, sericite, al_oh, mg_oh_carbonate, silica,
    quartz (jasperoid), carbonate, ndvi, ndsi; Landsat and Sentinel-2: ferric, ferrous, clay,
    ndvi, ndsi; each with its sensor before it, as ``aster_clay``. Formulas and sources
    stand in ``prospect.features.spectral.INDICES``. A row of a recipe needs no ``of``: the
    index knows its bands.

    Parameters
    ----------
    bands : DataArrays of shape (y, x)
        Reflectance or emissivity, in the order in which the formula names them.
    index : str

    Returns
    -------
    DataArray of shape (y, x), float32
        A gap in any band is a gap, and so is a band that is not above 0.

    Raises
    ------
    RecipeError
        If there is no such index, or these are not its bands.
    """
    asked = index_of(index)
    named = dict(zip(asked.bands, bands, strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        result = _evaluate(ast.parse(asked.formula, mode="eval").body, named)
    _fill_where_positive(bands, result, out)


@operation()
def masked(
    layer: Array,
    by: Array,
    *,
    out: Array,
    cell: Cell,
    above: float | None = None,
    below: float | None = None,
) -> None:
    """
    The layer, with gaps where another lies above or below a limit.

    Plants: NDVI above 0.3. Snow: NDSI above 0.4 [1]_. Shade: near-infrared reflectance
    below 0.08. They are starting values: look at the map. Chain rows for several.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
    by : DataArray of shape (y, x)
        What decides.
    above, below : float, in the unit of ``by``
        At least one of them.

    Returns
    -------
    DataArray of shape (y, x), float32
        In the unit of the layer. A gap in either is a gap: what cannot be judged is not
        taken as clear.

    Raises
    ------
    RecipeError
        If no limit is given, or one is no number.

    References
    ----------
    .. [1] Hall, Riggs and Salomonson (1995). Development of methods for mapping global snow
       cover using MODIS data. Remote Sensing of Environment 54(2).
    """
    limits = [limit for limit in (above, below) if limit is not None]
    if not limits or not all(
        isinstance(limit, (int, float)) and math.isfinite(limit) for limit in limits
    ):
        raise RecipeError(
            f"'masked' takes a limit, 'above' or 'below', but {above} and {below} came."
        )
    clear = by == by
    if above is not None:
        clear &= by <= above
    if below is not None:
        clear &= by >= below
    np.copyto(out, layer)
    out[~clear] = np.nan


def _no_zero(values: Array) -> Array:
    """Zeros as gaps, since nothing is divided by them."""
    return np.where(values == 0, np.float32(np.nan), values)


def _fill_where_positive(bands: Sequence[Array], result: Any, out: Array) -> None:
    """A band of nothing, or of less, is no reflectance; gaps are not above 0 either."""
    np.copyto(out, result)
    for band in bands:
        out[~(band > 0)] = np.nan


def _evaluate(node: ast.expr, bands: Mapping[str, Array]) -> Any:
    """The value of a formula of bands, numbers, + - * / and **."""
    if isinstance(node, ast.Name):
        return bands[node.id]
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return np.float32(node.value)
    if isinstance(node, ast.BinOp):
        left, right = _evaluate(node.left, bands), _evaluate(node.right, bands)
        for kind, function in _ARITHMETIC.items():
            if isinstance(node.op, kind):
                return function(left, right)
    raise RecipeError(f"A formula is of bands, numbers, + - * / and **, not {ast.unparse(node)}.")


_ARITHMETIC: Mapping[type[ast.operator], Any] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
