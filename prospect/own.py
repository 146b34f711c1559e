"""Evidence of the user's own: rows for it, and what its scale allows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import xarray as xr

from prospect.errors import RecipeError
from prospect.features.recipe import FeatureSpec, Recipe
from prospect.grid import Grid
from prospect.project import LayerSpec, VectorSpec

SIGNS = ("+", "-", "0", "∩")

LINE_SCALE = 1000.0
"""Metres at which closeness to lines of the user's own has fallen to 37 %, unless said."""

DRAWN_TO = 0.0005
"""Half a millimetre on paper, in metres: a map's lines are no better placed."""


def with_own_rows(recipe: Recipe, stack: xr.Dataset) -> Recipe:
    """
    A recipe with a row more for every layer that carries a sign.

    Grids come as they are, or as the mean within their scale; classes one by one; vectors
    as closeness, ``exp(-distance / scale)``.

    Parameters
    ----------
    recipe : Recipe
    stack : Dataset
        Layers of the user's own have ``attrs["sign"]``, and perhaps ``attrs["scale"]``.

    Raises
    ------
    RecipeError
        If a sign or scale is not understood.
    """
    rows = []
    for name, layer in stack.data_vars.items():
        sign = layer.attrs.get("sign", "")
        if not sign:
            continue
        if sign not in SIGNS:
            raise RecipeError(
                f"The sign of '{name}' is one of {', '.join(SIGNS)}, but '{sign}' came."
            )
        rows.append(_row(str(name), layer, str(sign)))
    return replace(recipe, features=(*recipe.features, *rows))


def too_fine(stack: xr.Dataset) -> list[str]:
    """A sentence for every layer whose map is too coarse for the cells it is used on."""
    cell = min(Grid.of(stack).cell)
    scales = ((str(name), layer.attrs.get("source_scale")) for name, layer in stack.items())
    return [_too_fine(name, float(s), cell) for name, s in scales if s and _fine(s, cell)]


def unlike_its_scale(specs: Iterable[LayerSpec | VectorSpec], grid: Grid) -> list[str]:
    """The same, before anything is opened."""
    cell = min(grid.transform.a, -grid.transform.e)
    scales = ((spec.name, spec.source_scale) for spec in specs)
    return [_too_fine(name, s, cell) for name, s in scales if s and _fine(s, cell)]


def said_of(layer: xr.DataArray) -> dict[str, Any]:
    """
    Whose map a layer is, of which year and scale, and how far it is trusted; only what is said.

    Returns
    -------
    dict
        Of ``role``, ``survey``, ``vintage``, ``source_scale`` and ``confidence``.
    """
    keys = ("role", "survey", "vintage", "source_scale", "confidence")
    return {key: layer.attrs[key] for key in keys if layer.attrs.get(key) not in (None, "")}


def _fine(scale: float, cell: float) -> bool:
    return cell < DRAWN_TO * float(scale)


def _too_fine(name: str, scale: float, cell: float) -> str:
    return (
        f"'{name}' was drawn at 1:{scale:,.0f}, good to {DRAWN_TO * scale:g} m, but cells are "
        f"{cell:g} m: it looks sharper than it is"
    )


def _row(name: str, layer: xr.DataArray, sign: str) -> FeatureSpec:
    scale = layer.attrs.get("scale")
    if scale is not None and not float(scale) > 0:
        raise RecipeError(f"The scale of '{name}' is a length in metres, but {scale} came.")
    row: dict[str, Any] = {"name": f"own_{name}", "of": name, "sign": sign, "system": "context"}
    row["source"] = "The user's own evidence"
    if layer.attrs.get("kind") == "geometry":
        row |= {"operation": "proximity", "scale": float(scale or LINE_SCALE)}
    elif layer.attrs.get("kind") == "categorical":
        row |= {"operation": "one_hot"}
    elif scale is not None:
        row |= {"operation": "focal_mean", "radius": float(scale)}
    else:
        row |= {"operation": "value"}
    return FeatureSpec.from_table(row)
