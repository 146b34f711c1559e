"""What a fitted recipe computes where: rows that share work in one call, and windows they need."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prospect import grid
from prospect.features.operation import Array, Operation
from prospect.features.recipe import FeatureSpec
from prospect.grid import Cell, Window
from prospect.lines import Measure

TILE_BYTES = 96 * 2**20
"""Features of a tile; the other buffers of a tile come to about a third of it."""

MOST_BLOCKS = 64
"""Lattice blocks of a tile of few features: four million cells, so that threads share a map."""


@dataclass(frozen=True)
class Measured:
    """What a call reads of lines: a measure of one layer or several together."""

    measure: Measure
    of: tuple[str, ...]


Item = str | Measured
"""What a call reads: a layer or an earlier row by its name, or a measure of lines."""


@dataclass(frozen=True)
class Step:
    """
    A row of a fitted recipe: nothing is left to decide.

    Attributes
    ----------
    spec : FeatureSpec
    operation : Operation
    parameters : mapping
        With defaults and learned statistics.
    columns : tuple of str
        Names of the features it makes.
    units : str
    """

    spec: FeatureSpec
    operation: Operation
    parameters: Mapping[str, Any]
    columns: tuple[str, ...]
    units: str

    @property
    def name(self) -> str:
        """The row's name."""
        return self.spec.name

    @property
    def items(self) -> tuple[Item, ...]:
        """What it reads, a block each."""
        if self.operation.measures is None:
            return self.spec.of
        return tuple(Measured(m, self.spec.of) for m in self.operation.measures(self.parameters))


@dataclass
class Call:
    """
    One call of the plan: a row, or several that share their work.

    Attributes
    ----------
    steps : list of Step
        More than one only where they are of one family.
    halo : (int, int)
        Rows and columns it reads beyond the cells it fills.
    """

    steps: list[Step]
    halo: tuple[int, int]

    @property
    def inputs(self) -> tuple[Item, ...]:
        """What it reads, a block each."""
        if len(self.steps) == 1:
            return self.steps[0].items
        return tuple(dict.fromkeys(item for step in self.steps for item in step.items))

    @property
    def anchored(self) -> bool:
        """Whether it must start on the lattice."""
        return any(step.operation.anchored for step in self.steps)

    @property
    def depth(self) -> int:
        """How many planes it fills."""
        return sum(len(step.columns) for step in self.steps)

    def run(self, blocks: Sequence[Array], out: Array, planes: Sequence[int], cell: Cell) -> None:
        """Fill planes of ``out``; ``planes`` says where each step's columns begin."""
        first = self.steps[0]
        operation = first.operation
        if len(self.steps) > 1:
            assert operation.joint is not None
            family, _ = operation.joint
            asked: list[tuple[int, Any]] = []
            for step, plane in zip(self.steps, planes, strict=True):
                assert step.operation.joint is not None
                _, asks = step.operation.joint
                answers = asks(step.parameters)
                if family.pooled:
                    places = tuple(self.inputs.index(item) for item in step.spec.of)
                    answers = [(places, what) for what in answers]
                asked += [(plane + k, what) for k, what in enumerate(answers)]
            of = blocks if family.pooled else blocks[0]
            family.compute(of, out, cell, asked, family.key(first.parameters))
            return
        plane = planes[0]
        part = out[plane : plane + self.depth] if operation.columns else out[plane]
        operation.compute(*blocks, out=part, cell=cell, **first.parameters)


@dataclass
class Plan:
    """
    Calls in order, and where the columns of the wanted rows go.

    Attributes
    ----------
    calls : list of Call
    places : dict of str to int
        First plane of every wanted row, in their order.
    depth : int
        How many planes there are.
    last : dict of Item to int
        The last call that reads an item.
    """

    calls: list[Call]
    places: dict[str, int]
    depth: int
    last: dict[Item, int] = field(default_factory=dict)

    def windows(
        self, window: Window, cell: Cell, whole: Window | None = None
    ) -> tuple[list[Window], dict[Item, Window]]:
        """
        The window that each call fills, and that each item is needed on.

        A call covers what is wanted of it and what its followers read around theirs.
        Where the arithmetic runs along the lattice, it grows to whole lattice blocks.
        Nothing is computed beyond ``whole``: gaps lie there.
        """
        needs: dict[Item, Window] = {}
        regions: list[Window] = []
        for call in reversed(self.calls):
            region: Window | None = None
            for step in call.steps:
                wanted = [window] if step.name in self.places else []
                for part in [*wanted, *([needs[step.name]] if step.name in needs else [])]:
                    region = part if region is None else cover(region, part)
            assert region is not None
            if call.anchored:
                region = on_lattice(region)
            if whole is not None:
                region = region.intersect(whole)
            regions.append(region)
            read = region.expand(*call.halo)
            for item in call.inputs:
                needs[item] = cover(needs[item], read) if item in needs else read
        return regions[::-1], needs


def make_plan(steps: Sequence[Step], cell: Cell, wanted: set[str] | None = None) -> Plan:
    """
    Arrange steps into calls.

    Rows of one input and family whose keys agree become one call, unless another row
    builds on them: then their windows differ. In a pooled family rows of any layers do.

    Parameters
    ----------
    steps : sequence of Step
    cell : Cell
    wanted : set of str, optional
        Names of the rows whose values are wanted; by default those that are kept.

    Returns
    -------
    Plan
    """
    if wanted is None:
        wanted = {step.name for step in steps if step.spec.keep}
    steps = leading_to(steps, wanted)
    followed = {item for step in steps for item in step.spec.of}
    made = {step.name for step in steps}
    calls: list[Call] = []
    shared: dict[Hashable, Call] = {}
    places: dict[str, int] = {}
    depth = 0
    for step in steps:
        if step.name in wanted:
            places[step.name] = depth
            depth += len(step.columns)
        halo = step.operation.halo(cell, step.parameters)
        key: Hashable = None
        if step.operation.joint is not None and step.name not in followed:
            family, _ = step.operation.joint
            if not family.pooled:
                key = (family.name, step.items, family.key(step.parameters))
            elif not made & set(step.spec.of):
                key = (family.name, None, family.key(step.parameters))
        if key is not None and key in shared:
            call = shared[key]
            call.steps.append(step)
            call.halo = max(call.halo[0], halo[0]), max(call.halo[1], halo[1])
            continue
        calls.append(Call([step], halo))
        if key is not None:
            shared[key] = calls[-1]
    last = {item: k for k, call in enumerate(calls) for item in call.inputs}
    return Plan(calls, places, depth, last)


def leading_to(steps: Sequence[Step], names: set[str]) -> list[Step]:
    """Steps that some names are, or build on."""
    wanted = set(names)
    found = []
    for step in reversed(steps):
        if step.name in wanted:
            wanted.update(step.spec.of)
            found.append(step)
    return found[::-1]


def cover(a: Window, b: Window) -> Window:
    """The smallest window that holds both."""
    row, col = min(a.row, b.row), min(a.col, b.col)
    bottom = max(a.row + a.height, b.row + b.height)
    right = max(a.col + a.width, b.col + b.width)
    return Window(row, col, bottom - row, right - col)


def on_lattice(window: Window) -> Window:
    """The smallest union of lattice blocks that holds a window."""
    side = grid.LATTICE
    row = window.row // side * side
    col = window.col // side * side
    bottom = -(-(window.row + window.height) // side) * side
    right = -(-(window.col + window.width) // side) * side
    return Window(row, col, bottom - row, right - col)


def tiles(window: Window, side: int) -> Iterator[Window]:
    """Cut a window into tiles of ``side`` cells, a multiple of the lattice, row by row."""
    for row in range(window.row, window.row + window.height, side):
        for col in range(window.col, window.col + window.width, side):
            height = min(side, window.row + window.height - row)
            width = min(side, window.col + window.width - col)
            yield Window(row, col, height, width)


def lay_tiles(window: Window, features: int, side: int | None = None) -> list[Window]:
    """
    Cut a window into tiles of whole lattice blocks, counted from the grid's origin.

    Parameters
    ----------
    window : Window
    features : int
        Features of a cell, which set how many cells fit the memory of a tile.
    side : int, optional
        In cells, rounded up to the lattice. By default tiles are as wide as memory
        allows, and higher only if they are as wide as the window.

    Returns
    -------
    list of Window
    """
    whole = on_lattice(window)
    if side is not None:
        height = width = -(-side // grid.LATTICE) * grid.LATTICE
    else:
        blocks = max(1, TILE_BYTES // (4 * max(1, features) * grid.LATTICE * grid.LATTICE))
        blocks = min(blocks, MOST_BLOCKS)
        across = whole.width // grid.LATTICE
        width = min(blocks, across) * grid.LATTICE
        height = max(1, blocks // across) * grid.LATTICE
    return [
        Window(row, col, height, width).intersect(window)
        for row in range(whole.row, whole.row + whole.height, height)
        for col in range(whole.col, whole.col + whole.width, width)
    ]
