"""How a row of a recipe is fitted: its inputs checked, its statistics learned, or left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import xarray as xr

from prospect.errors import EvidenceError, LayerError, RecipeError
from prospect.features.operation import Array, Operation, get_operation
from prospect.features.plan import Step
from prospect.features.recipe import FeatureSpec
from prospect.features.wavenumber import require_whole
from prospect.grid import Grid
from prospect.lines import require_lines
from prospect.matching import LayerCard
from prospect.stack import features_of


def require_inputs(
    spec: FeatureSpec, layers: Mapping[str, LayerCard], steps: Sequence[Step], stack: xr.Dataset
) -> None:
    """
    Check that a row has as many inputs as its operation takes, each of its kind.

    Raises
    ------
    RecipeError
        If it has not.
    """
    operation = get_operation(spec.operation)
    try:
        operation.require_inputs(len(spec.of))
    except RecipeError as error:
        raise RecipeError(f"Feature '{spec.name}': {error}") from error
    for place, item in enumerate(spec.of):
        takes = operation.kind_of(place)
        if item in layers:
            kind = layers[item].kind
        else:
            step = next(s for s in steps if s.name == item)
            if step.operation.columns is not None:
                raise RecipeError(
                    f"Feature '{spec.name}' is of '{item}', which has several columns."
                )
            kind = "continuous"
        if takes == "lines":
            _require_lines(spec, item, stack)
        elif (kind == "categorical") != (takes == "categorical"):
            raise RecipeError(
                f"Feature '{spec.name}': '{operation.name}' takes a {takes} layer, "
                f"but '{item}' is {kind}."
            )


def settings_of(
    spec: FeatureSpec, layers: Mapping[str, LayerCard]
) -> tuple[dict[str, Any], list[str]]:
    """
    The parameters of a row, its lists of classes cut to those that the map has.

    Returns
    -------
    settings : dict
    notes : list of str
        Which classes the map has not.

    Raises
    ------
    RecipeError
        If a parameter is wrong.
    """
    try:
        settings = get_operation(spec.operation).check(spec.parameters)
    except RecipeError as error:
        raise RecipeError(f"Feature '{spec.name}': {error}") from error
    card = layers.get(spec.of[0])
    there = set(card.classes.values()) if card is not None else set()
    notes = []
    for key in ("classes", "others"):
        asked = settings.get(key) or []
        absent = [name for name in asked if name not in there]
        if there and absent and len(absent) < len(asked):
            settings[key] = [name for name in asked if name in there]
            notes.append(f"'{spec.name}': '{spec.of[0]}' has no class {', '.join(absent)}")
    return settings, notes


def learn_row(
    spec: FeatureSpec,
    settings: Mapping[str, Any],
    samples: Mapping[str, Array],
    layers: Mapping[str, LayerCard],
) -> tuple[FeatureSpec, dict[str, Any], list[str]]:
    """
    Learn the statistics of a row; of the layers that a ``*`` stood for, it may lose some.

    Returns
    -------
    spec : FeatureSpec
        With the inputs that are left.
    settings : dict
        With the statistics.
    notes : list of str
        Which inputs it does without, and why.

    Raises
    ------
    EvidenceError
        If the layers do not allow the row.
    RecipeError
        If a parameter is wrong.
    """
    notes = []
    while True:
        cards = [layers.get(item) for item in spec.of]
        attrs = [
            {"name": n, "classes": card.classes if card else {}, "role": card.role if card else ""}
            for n, card in zip(spec.of, cards, strict=True)
        ]
        blocks = [samples[item] for item in spec.of]
        try:
            learned = get_operation(spec.operation).learn_from(blocks, attrs, settings)
        except EvidenceError as error:
            if error.layer not in spec.spare or len(spec.of) == 1:
                raise
            notes.append(f"'{spec.name}' does without '{error.layer}': {error}")
            spec = without(spec, error.layer)
        except RecipeError as error:
            of = ", ".join(spec.of)
            raise RecipeError(f"Feature '{spec.name}' of {of}: {error}") from error
        else:
            return spec, {**settings, **learned}, notes


def without(spec: FeatureSpec, item: str) -> FeatureSpec:
    """A row without one of its inputs."""
    return replace(
        spec,
        of=tuple(name for name in spec.of if name != item),
        spare=tuple(name for name in spec.spare if name != item),
    )


def require_window(
    spec: FeatureSpec, operation: Operation, parameters: Mapping[str, Any], grid: Grid
) -> None:
    """
    Check that a moving window is wider than half a cell, and fits into the layers.

    Raises
    ------
    RecipeError
        If it does not.
    """
    if not operation.needs_metres:
        return
    cell = grid.cell
    try:
        rows, cols = operation.halo(cell, parameters)
        if operation.whole is not None and operation.whole(parameters):
            require_whole(grid.shape)
        if operation.measures is not None:
            operation.measures(parameters)
    except RecipeError as error:
        raise RecipeError(f"Feature '{spec.name}': {error}") from error
    known = ("radius", "coarse", "sigma")
    name = next((n for n in known if parameters.get(n) is not None), None)
    if name is None:
        return
    metres = float(parameters[name])
    if metres < max(cell) / 2:
        raise RecipeError(
            f"Feature '{spec.name}': {name} {metres:g} m is less than half a cell of "
            f"{max(cell):g} m: make it larger, or take finer layers."
        )
    if rows > grid.rows or cols > grid.cols:
        raise RecipeError(
            f"Feature '{spec.name}': {name} {metres:g} m reaches {rows} × {cols} cells to every "
            f"side, which is larger than the layers with {grid.rows} × {grid.cols}: make it less."
        )


def _require_lines(spec: FeatureSpec, item: str, stack: xr.Dataset) -> None:
    """What is measured as lines must be a layer of them."""
    if item not in stack.data_vars:
        raise RecipeError(
            f"Feature '{spec.name}': '{spec.operation}' takes a layer of lines, but '{item}' is "
            "a feature of cells."
        )
    try:
        require_lines(features_of(stack[item]))
    except LayerError as error:
        raise RecipeError(f"Feature '{spec.name}': {error}") from error
