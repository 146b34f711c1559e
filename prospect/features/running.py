"""Runs a plan on a window: each layer read once, results straight into place, buffers reused."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from functools import partial, reduce
from math import prod
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from prospect.features.operation import NO_CLASS, Array, gap_of
from prospect.features.overlap import Overlap
from prospect.features.plan import Call, Item, Measured, Plan, cover
from prospect.grid import Cell, Window
from prospect.lines import Segments, measure, read_segments
from prospect.matching import Binding
from prospect.stack import features_of, read_block

Watch = Callable[[Call, Window, float], None]
"""Told of every call, the window it filled, and the seconds it took."""


class Workspace:
    """Arrays that are used again and again: memory never touched before is slow."""

    def __init__(self) -> None:
        self.free: dict[np.dtype[Any], list[Array]] = {}

    def take(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An array of any content."""
        cells = prod(shape)
        free = self.free.setdefault(dtype, [])
        fits = [k for k, array in enumerate(free) if array.size >= cells]
        if fits:
            flat = free.pop(min(fits, key=lambda k: free[k].size))
        else:
            # What is too small would only pile up.
            if free:
                free.pop(max(range(len(free)), key=lambda k: free[k].size))
            flat = np.empty(cells, dtype)
        return flat[:cells].reshape(shape)

    def give(self, array: Array) -> None:
        """Back again; nobody may hold it any longer."""
        flat = array if array.base is None else array.base
        self.free[array.dtype].append(flat)


class Lines:
    """The lines that a plan measures on a window, each layer's read once."""

    def __init__(
        self,
        stack: xr.Dataset,
        bindings: Mapping[str, Binding],
        needs: Mapping[Item, Window],
        whole: Window,
    ) -> None:
        self.stack, self.bindings, self.whole = stack, bindings, whole
        self.needs = {item: part for item, part in needs.items() if isinstance(item, Measured)}
        self.found: dict[tuple[str, ...], Segments] = {}

    def read(self, item: Measured, space: Workspace) -> Array:
        """What is measured on the window that is needed; gaps lie beyond the grid."""
        if item.of not in self.found:
            same = [other for other in self.needs if other.of == item.of]
            window = reduce(cover, [self.needs[other] for other in same]).intersect(self.whole)
            margin = max(other.measure.margin for other in same)
            sources = [features_of(self.stack[self.bindings[name].name]) for name in item.of]
            self.found[item.of] = read_segments(sources, window, margin)
        wanted = self.needs[item]
        block = space.take((wanted.height, wanted.width), np.dtype(np.float32))
        return measure(self.found[item.of], item.measure, wanted, block)


_LOCAL = threading.local()


def own_workspace() -> Workspace:
    """The workspace of this thread."""
    if not hasattr(_LOCAL, "workspace"):
        _LOCAL.workspace = Workspace()
    found: Workspace = _LOCAL.workspace
    return found


def run_plan(
    plan: Plan,
    stack: xr.Dataset,
    bindings: Mapping[str, Binding],
    window: Window,
    whole: Window,
    cell: Cell,
    out: NDArray[np.float32],
    *,
    workspace: Workspace | None = None,
    watch: Watch | None = None,
    overlap: Overlap | None = None,
) -> None:
    """
    Fill ``out`` with the wanted rows of a window.

    Parameters
    ----------
    plan : Plan
    stack : Dataset
    bindings : mapping of layer name to Binding
    window, whole : Window
        What is wanted, inside the whole grid.
    cell : Cell
    out : array of shape (plan.depth, height, width), contiguous
    workspace : Workspace, optional
        By default that of the thread.
    watch : callable, optional
        Told what every call took.
    overlap : Overlap, optional
        Reads layers, where windows are asked for from the top down.
    """
    space = workspace or own_workspace()
    regions, needs = plan.windows(window, cell, whole)
    held: dict[Item, tuple[Array, Window]] = {}
    owned: dict[Item, Array] = {}
    lines = Lines(stack, bindings, needs, whole)
    for k, (call, region) in enumerate(zip(plan.calls, regions, strict=True)):
        blocks, lent = [], []
        for item in call.inputs:
            if item not in held:
                if isinstance(item, Measured):
                    array, mine = lines.read(item, space), True
                else:
                    wanted = needs[item]
                    reach = wanted.row + wanted.height - window.row - window.height
                    again = window.row + window.height - max(window.row - wanted.row, reach)
                    read = read_block if overlap is None else partial(overlap.read, again=again)
                    array, mine = _read(stack, bindings[item], wanted, space, read)
                held[item] = array, needs[item]
                if mine:
                    owned[item] = array
            block, mine = _cut(*held[item], region.expand(*call.halo), call.halo, space)
            blocks.append(block)
            if mine:
                lent.append(block)
        direct = region == window and all(step.name in plan.places for step in call.steps)
        if direct:
            target, planes = out, [plan.places[step.name] for step in call.steps]
        else:
            dtype = np.dtype(np.float32)
            target = space.take((call.depth, region.height, region.width), dtype)
            planes = _starts(call)
        start = time.perf_counter() if watch is not None else 0.0
        call.run(blocks, target, planes, cell)
        if watch is not None:
            watch(call, region, time.perf_counter() - start)
        for block in lent:
            space.give(block)
        followed = call.steps[0].name in plan.last
        if followed:
            held[call.steps[0].name] = target[planes[0]], region
        if not direct:
            rows, cols = window.within(region)
            for step, plane in zip(call.steps, planes, strict=True):
                if step.name in plan.places:
                    place, many = plan.places[step.name], len(step.columns)
                    out[place : place + many] = target[plane : plane + many, rows, cols]
            if followed:
                owned[call.steps[0].name] = target
            else:
                space.give(target)
        for item in set(call.inputs):
            if plan.last[item] == k:
                held.pop(item)
                if item in owned:
                    space.give(owned.pop(item))


def _starts(call: Call) -> list[int]:
    """First plane of every step, one after the other."""
    starts = [0]
    for step in call.steps:
        starts.append(starts[-1] + len(step.columns))
    return starts[:-1]


def _cut(
    array: Array, has: Window, wanted: Window, halo: tuple[int, int], space: Workspace
) -> tuple[Array, bool]:
    """A window of a held array, and whether it was borrowed; gaps lie beyond the array."""
    if wanted == has and array.flags.c_contiguous:
        return array, False
    inside = wanted.intersect(has)
    if inside == wanted:
        part = array[wanted.within(has)]
        # An operation without a halo looks at one cell at a time and needs no copy.
        if halo == (0, 0) or part.flags.c_contiguous:
            return part, False
    block = space.take((wanted.height, wanted.width), array.dtype)
    _fill(block, wanted, array[inside.within(has)], inside)
    return block, True


def _fill(block: Array, wanted: Window, values: Array, inside: Window) -> None:
    """Copy what is inside, and put gaps around it."""
    if inside.height == 0 or inside.width == 0:
        block[:] = gap_of(block.dtype)
        return
    rows, cols = inside.within(wanted)
    gap = gap_of(block.dtype)
    block[: rows.start] = gap
    block[rows.stop :] = gap
    block[rows, : cols.start] = gap
    block[rows, cols.stop :] = gap
    block[rows, cols] = values


def _read(
    stack: xr.Dataset,
    binding: Binding,
    wanted: Window,
    space: Workspace,
    read: Callable[..., Array] = read_block,
) -> tuple[Array, bool]:
    """A layer's block, in the unit and with the class codes that were fitted."""
    layer = stack[binding.name]
    whole = Window(0, 0, layer.sizes["y"], layer.sizes["x"])
    inside = wanted.intersect(whole)
    classes = binding.card.kind == "categorical"
    values = read(layer, inside, dtype=np.int32 if classes else np.float32)
    if classes and binding.recode is not None:
        values = _recode(values, binding.recode)
    elif not classes and binding.factor != 1.0:
        # Not in place: the values may be the stack's own.
        values = values * np.float32(binding.factor)
    if inside == wanted:
        return values, False
    block = space.take((wanted.height, wanted.width), values.dtype)
    _fill(block, wanted, values, inside)
    return block, True


def _recode(codes: NDArray[np.int32], table: Mapping[int, int]) -> NDArray[np.int32]:
    """Class codes of another table; classes that were never seen get a code of their own."""
    found, positions = np.unique(codes, return_inverse=True)
    unseen = np.iinfo(np.int32).max
    new = [NO_CLASS if code == NO_CLASS else table.get(int(code), unseen) for code in found]
    return np.array(new, np.int32)[positions].reshape(codes.shape)


def layer_values(stack: xr.Dataset, binding: Binding, window: Window) -> Array:
    """A layer's values on a window, as operations see them."""
    values, _ = _read(stack, binding, window, Workspace())
    return values
