"""Rows that look at a whole map at once: computed before any tile is, and kept in a file."""

from __future__ import annotations

import hashlib
import os
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from prospect.errors import OutputError
from prospect.features.operation import Array, get_operation
from prospect.features.plan import Step, leading_to, make_plan, tiles
from prospect.features.running import layer_values, run_plan
from prospect.grid import Cell, Grid
from prospect.matching import Binding, LayerCard

TILE = 1024


def is_whole(step: Step) -> bool:
    """Whether a step takes the whole map at once."""
    return step.operation.whole is not None and step.operation.whole(step.parameters)


def as_layers(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Steps with every whole one as the value of a layer, which ``settle`` adds to a stack."""
    return tuple(
        replace(
            step,
            spec=replace(step.spec, of=(_hidden(steps, step),)),
            operation=get_operation("value"),
            parameters={},
        )
        if is_whole(step)
        else step
        for step in steps
    )


def bound(steps: Sequence[Step], bindings: Mapping[str, Binding]) -> Mapping[str, Binding]:
    """Bindings, and those of the layers that stand for whole steps."""
    names = [_hidden(steps, step) for step in steps if is_whole(step)]
    if not names:
        return bindings
    return {**bindings, **{name: Binding(LayerCard(name), name) for name in names}}


def settle(
    steps: Sequence[Step], cell: Cell, stack: xr.Dataset, bindings: Mapping[str, Binding]
) -> xr.Dataset:
    """
    Compute whole steps, each once, and add them to the stack as layers.

    Parameters
    ----------
    steps : sequence of Step
    cell : Cell
    stack : Dataset of dims (y, x)
    bindings : mapping of layer name to Binding

    Returns
    -------
    Dataset
        With layers that lie in files, which are removed when nobody holds them any longer;
        the stack itself where nothing is to be done.

    Raises
    ------
    RecipeError
        If the map is too large to be looked at whole.
    """
    for step in steps:
        if not is_whole(step) or _hidden(steps, step) in stack.data_vars:
            continue
        item = step.spec.of[0]
        block = (
            layer_values(stack, bindings[item], Grid.of(stack).window)
            if item in bindings
            else _row(as_layers(steps), cell, stack, bound(steps, bindings), item)
        )
        out = np.empty(block.shape, np.float32)
        step.operation.compute(block, out=out, cell=cell, **step.parameters)
        kept = _Kept(out)
        data = indexing.LazilyIndexedArray(kept)
        layer = xr.Variable(("y", "x"), data, {"source": kept.path})
        stack = stack.assign({_hidden(steps, step): layer})
    return stack


def _row(
    steps: Sequence[Step],
    cell: Cell,
    stack: xr.Dataset,
    bindings: Mapping[str, Binding],
    name: str,
) -> Array:
    """The whole of an earlier row."""
    whole = Grid.of(stack).window
    plan = make_plan(steps, cell, {name})
    out = np.empty((whole.height, whole.width), np.float32)
    for window in tiles(whole, TILE):
        block = np.empty((1, window.height, window.width), np.float32)
        run_plan(plan, stack, bindings, window, whole, cell, block)
        out[window.slices] = block[0]
    return out


def _hidden(steps: Sequence[Step], step: Step) -> str:
    """Name of the layer that stands for a whole step: no other recipe can mean it."""
    leading = [
        (s.name, s.operation.name, s.spec.of, sorted(s.parameters.items()))
        for s in leading_to(steps, {step.name})
    ]
    return f"{step.name} {hashlib.sha256(repr(leading).encode()).hexdigest()[:12]}"


class _Kept(BackendArray):
    """An array in a file, which goes with the object that made it; a copy of it may read."""

    def __init__(self, values: NDArray[np.float32]) -> None:
        self.shape, self.dtype = values.shape, values.dtype
        try:
            handle, self.path = tempfile.mkstemp(prefix="prospect-", suffix=".raw")
            with os.fdopen(handle, "wb") as target:
                values.tofile(target)
        except OSError as error:
            raise OutputError(f"A map that is computed whole could not be kept: {error}") from error
        weakref.finalize(self, _remove, self.path)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, self._read
        )

    def _read(self, key: tuple[Any, ...]) -> NDArray[Any]:
        return np.array(np.memmap(self.path, self.dtype, "r", shape=self.shape)[key])


def _remove(path: str) -> None:
    """Remove a file, if it is still there."""
    try:
        os.unlink(path)  # noqa: PTH108
    except OSError:
        return
