"""What derivatives of a surface share: one pass of the kernel for all that are asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from prospect.errors import RecipeError
from prospect.features.operation import Array, Asks, Family, Parameters
from prospect.features.windows import require_outputs
from prospect.grid import Cell

OUTPUTS = (
    "slope",
    "aspect",
    "eastness",
    "northness",
    "profile_curvature",
    "plan_curvature",
    "total_curvature",
    "ruggedness",
    "position",
    "roughness",
    "hillshade",
)
"""What terrain can give, in the kernel's order."""

METHODS = ("horn", "zevenbergen-thorne")

SUN = (315.0, 45.0)
"""Azimuth and altitude of the light where none is named, degrees."""


def some_outputs(parameters: Parameters) -> list[str]:
    """The outputs asked for."""
    return require_outputs(parameters["outputs"], OUTPUTS)


def derive(
    block: Array,
    out: Array,
    cell: Cell,
    places: dict[str, int],
    method: str = METHODS[0],
    sun: tuple[float, float] = SUN,
) -> None:
    """Fill planes of ``out`` with the named outputs; 'normal' stands for three planes."""
    from prospect._kernels import terrain as kernels

    if method not in METHODS:
        raise RecipeError(f"'method' is one of {', '.join(METHODS)}, but {method!r} came.")
    azimuth, altitude = map(math.radians, sun)
    light = np.array(
        [
            math.sin(azimuth) * math.cos(altitude),
            math.cos(azimuth) * math.cos(altitude),
            math.sin(altitude),
        ]
    )
    where = np.array([places.get(name, -1) for name in OUTPUTS] + [-1] * 3, np.int64)
    if "normal" in places:
        where[len(OUTPUTS) :] = places["normal"] + np.arange(3)
    kernels.surface(block, cell.dy, cell.dx, method == "horn", light, where, out)


def of_surface(parameters: Parameters) -> tuple[str, tuple[float, float]]:
    """What rows must agree on to share a pass; curvatures and the like agree with the default."""
    sun = float(parameters.get("azimuth", SUN[0])), float(parameters.get("altitude", SUN[1]))
    return str(parameters.get("method", METHODS[0])), sun


def together(
    block: Array,
    out: Array,
    cell: Cell,
    asked: Sequence[tuple[int, str]],
    key: tuple[str, tuple[float, float]],
) -> None:
    """Fill planes with derivatives of one surface in one pass."""
    first: dict[str, int] = {}
    for plane, what in asked:
        first.setdefault(what, plane)
    derive(block, out, cell, first, *key)
    for plane, what in asked:
        if plane != first[what]:
            out[plane] = out[first[what]]


SURFACE = Family("surface", of_surface, together)
"""Rows of one elevation, method of the gradient, and light."""


def asks(*what: str) -> tuple[Family, Asks]:
    """A single derivative."""
    return SURFACE, lambda parameters: what
