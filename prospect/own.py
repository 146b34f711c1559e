"""Evidence of the user's own: rows for it, and what its scale allows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import xarray as xr

from prospect.errors import RecipeError
from prospect.features.recipe import FeatureSpec, Recipe
from prospect.grid import Grid

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
    found = []
    for name, layer in stack.data_vars.items():
        scale = layer.attrs.get("source_scale")
        if scale and cell < DRAWN_TO * float(scale):
            found.append(
                f"'{name}' was drawn at 1:{float(scale):,.0f}, good to "
                f"{DRAWN_TO * float(scale):g} m, but cells are {cell:g} m: it looks sharper than "
                "it is"
            )
    return found


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
