"""How a map is cut into tiles, and what that takes of memory and disk; stated before the start."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from prospect.bands import Band
from prospect.errors import ModelError
from prospect.features import overlap
from prospect.features.plan import Item, Plan
from prospect.grid import LATTICE, Cell, Grid, Window
from prospect.memory import free_memory, resident
from prospect.raster import DISK_FACTOR

MOST_MEMORY = 1.5e9
"""Bytes a run takes by default, where more than twice as much is free; bare processes on top."""

BASE = 340e6
"""Bytes of a process before its first tile: the interpreter, libraries, compiled kernels."""

CACHE = 64 * 2**20
"""Bytes of GDAL's cache of blocks."""

MOST_BLOCKS = 64
"""Lattice blocks of a tile of few features: four million cells, so that threads share a map."""

SCRATCH = 6
"""Arrays, as large as its largest, that an operation or a reader keeps to itself for a while."""

LOOSE = 1.1
"""What tiles take of memory over what they hold: the allocator gives it back late (380 M cells)."""

ROW_START = 64
"""Cells that beginning a row costs as much as: wide tiles are preferred."""

_SIDES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)


@dataclass(frozen=True)
class TilePlan:
    """
    Tiles, and what they take.

    Attributes
    ----------
    windows : tuple of Window
    shape : (int, int)
        Lattice blocks of a tile, down and across.
    halo : (int, int)
        Cells read beyond a tile.
    engine : str
    workers : int
    memory : float
        Bytes at the most.
    disk : float
        Bytes at the most, while the map is made.
    overlap : bool
        Whether rows that tiles share are kept for the next one; there is memory for it.
    apart : bool
        Whether workers are on other computers; then ``memory`` is that of each.
    """

    windows: tuple[Window, ...]
    shape: tuple[int, int]
    halo: tuple[int, int]
    engine: str
    workers: int
    memory: float
    disk: float
    overlap: bool = False
    apart: bool = False

    @property
    def cells(self) -> int:
        """Cells of all tiles."""
        return sum(window.height * window.width for window in self.windows)

    def describe(self) -> str:
        """In one line, for people."""
        count = len(self.windows)
        height = max(window.height for window in self.windows)
        width = max(window.width for window in self.windows)
        one = {"threads": "thread", "processes": "process", "dask": "worker of a cluster"}
        many = {"dask": "workers of a cluster"}
        who = (one if self.workers == 1 else many).get(self.engine, self.engine)
        disk = f", {self.disk / 1e9:.2g} GB of disk" if self.disk else ""
        return (
            f"{self.cells:,} cells in {count:,} {'tile' if count == 1 else 'tiles'} of up to "
            f"{height} × {width}, {max(self.halo)} cells of halo; {self.workers} {who}, up to "
            f"{self.memory / 1e9:.2g} GB of memory{' each' if self.apart else ''}{disk}."
        )


def lay_plan(
    grid: Grid,
    plan: Plan,
    cell: Cell,
    bands: Sequence[Band],
    *,
    engine: str = "threads",
    workers: int | None = None,
    tile: int | None = None,
    max_memory: float | None = None,
    each: float | None = None,
    to_disk: bool = True,
    deeper: int = 0,
) -> TilePlan:
    """
    Cut a grid into tiles of whole lattice blocks that memory allows.

    Of the shapes that fit, the one that reads and computes fewest cells more than once,
    wide ones before high ones.

    Parameters
    ----------
    grid : Grid
    plan : features.plan.Plan
        What is computed for a tile.
    cell : Cell
    bands : sequence of Band
    engine : str
    workers : int, optional
        By default one a processor, or as many as memory allows.
    tile : int, optional
        Side in cells, rounded up to the lattice, whatever memory it takes.
    max_memory : float, optional
        Bytes of all processes together; by default 1.5 GB and what further processes take
        before their first tile, or half of what is free if that is less.
    each : float, optional
        Bytes of memory that every worker has to itself, on whatever computer it is: then
        ``max_memory`` is that of one worker.
    to_disk : bool
        Whether the map goes to files.
    deeper : int
        Rows that layers are read further down than asked, to the edge of their blocks.

    Raises
    ------
    ModelError
        If even tiles of one lattice block do not fit.
    """
    if tile is not None and tile < 1:
        raise ModelError(f"A tile has at least one cell a side, but {tile} came.")
    wanted = max(1, workers or os.cpu_count() or 1) if engine != "serial" else 1
    processes = engine in ("processes", "dask") and each is None
    free = free_memory() / 2 if each is None else each
    usual = MOST_MEMORY + (wanted * (BASE + CACHE) if processes else 0)
    allowed = min(usual, free) if max_memory is None else min(max_memory, 2 * free)
    held = 0 if to_disk else _bytes_of(bands) * grid.rows * grid.cols

    # Processes share no memory, and get tiles in any order; workers of a cluster go downward.
    keeps = engine != "processes"

    def memory(shape: tuple[int, int], count: int) -> float:
        tiles = tile_bytes(plan, cell, bands, shape, grid, deeper if keeps else 0)
        kept = overlap.MOST if keeps else 0
        if engine == "dask":
            # What is done waits with its worker until it is asked for.
            tiles += 2.0 * _bytes_of(bands) * shape[0] * shape[1] * LATTICE**2
        if each is not None:
            return BASE + CACHE + kept + tiles
        apart = count * (BASE + CACHE + kept) if processes else kept
        return held + _base() + CACHE + apart + count * tiles

    across, down = -(-grid.cols // LATTICE), -(-grid.rows // LATTICE)
    if tile is not None:
        side = -(-tile // LATTICE)
        shape = min(side, down), min(side, across)
        keeps = keeps and memory(shape, wanted) <= allowed
    else:
        # Reading twice costs less than a tile too small.
        keeps = keeps and memory((1, 2), wanted) <= allowed
        while memory((1, 1), wanted) > allowed and wanted > 1 and workers is None and each is None:
            wanted -= 1
        most = min(MOST_BLOCKS, max(1, down * across // (4 * wanted) if wanted > 1 else 64))
        shapes = sorted(
            (
                (h, w)
                for h in {min(s, down) for s in _SIDES}
                for w in {min(s, across) for s in _SIDES}
                if h * w <= most
            ),
            key=lambda s: (_cost(plan, cell, s), -s[1]),
        )
        shape = next((s for s in shapes if memory(s, wanted) <= allowed), (1, 1))
    needed = memory(shape, wanted)
    what = (
        f"{needed / 1e9:.2f} GB of memory are needed for {wanted} tiles of {shape[0] * LATTICE} × "
        f"{shape[1] * LATTICE} cells at a time, with {plan.depth} features and their halos"
    )
    # What cannot be kept is refused where it was asked for, or where it cannot end well.
    if needed > 2 * free:
        raise ModelError(
            f"{what}, but {2 * free / 1e9:.2f} GB are free: end other programs, or give a smaller "
            "--tile or fewer --workers."
        )
    if needed > allowed and max_memory is not None and tile is None:
        raise ModelError(
            f"{what}, but {allowed / 1e9:.2f} GB are allowed: give a larger --max-memory or fewer "
            "--workers."
        )
    size = shape[0] * LATTICE, shape[1] * LATTICE
    windows = tuple(
        Window(row, col, *size).intersect(grid.window)
        # Downward, since a tile shares most of what it reads with the one above it.
        for col in range(0, grid.cols, size[1])
        for row in range(0, grid.rows, size[0])
    )
    return TilePlan(
        windows=windows,
        shape=shape,
        halo=_halo(plan, cell),
        engine=engine,
        workers=wanted,
        memory=memory(shape, min(wanted, len(windows))),
        disk=DISK_FACTOR * _bytes_of(bands) * grid.rows * grid.cols if to_disk else 0.0,
        overlap=keeps,
        apart=each is not None,
    )


def tile_bytes(
    plan: Plan,
    cell: Cell,
    bands: Sequence[Band],
    shape: tuple[int, int],
    grid: Grid,
    deeper: int = 0,
) -> float:
    """Bytes that one worker holds at the most for a tile, or two tiles' results."""
    window = _inner(shape)
    # A map that is smaller than a tile's halo is not larger for it.
    limit = Window(0, 0, grid.rows, grid.cols)
    cells = min(window.height, grid.rows) * min(window.width, grid.cols)
    arrays, largest = _held(plan, cell, window, limit, deeper)
    out = 4 * plan.depth * cells
    asked = (8 * 4 + 1 + 3 * _bytes_of(bands)) * cells
    return LOOSE * (out + max(1.15 * arrays + SCRATCH * 4 * largest, asked))


def _held(plan: Plan, cell: Cell, window: Window, limit: Window, deeper: int) -> tuple[float, int]:
    """Bytes of the arrays alive at once while a plan runs, and the cells of its largest."""
    regions, needs = plan.windows(window, cell)
    alive: dict[Item, float] = {}
    most, largest = 0.0, 0
    for k, (call, region) in enumerate(zip(plan.calls, regions, strict=True)):
        read = region.expand(*call.halo)
        for item in call.inputs:
            part = needs[item]
            deep = part._replace(height=part.height + deeper)
            alive.setdefault(item, 4.0 * _cells(deep, limit))
            largest = max(largest, _cells(part, limit))
        cut = sum(4.0 * _cells(read, limit) for item in call.inputs if read != needs[item])
        direct = region == window and all(step.name in plan.places for step in call.steps)
        made = 0.0 if direct else 4.0 * call.depth * _cells(region, limit)
        most = max(most, sum(alive.values()) + cut + made)
        if call.steps[0].name in plan.last:
            alive[call.steps[0].name] = made
        for item in set(call.inputs):
            if plan.last[item] == k:
                alive.pop(item)
    return most, largest


def _cost(plan: Plan, cell: Cell, shape: tuple[int, int]) -> float:
    """Cells that are read and computed for one cell of a tile."""
    window = _inner(shape)
    regions, needs = plan.windows(window, cell)

    def spent(part: Window) -> float:
        return part.height * (part.width + ROW_START)

    total = sum(
        call.depth * spent(region) for call, region in zip(plan.calls, regions, strict=True)
    )
    total += sum(spent(part) for part in needs.values())
    return total / (window.height * window.width)


def _halo(plan: Plan, cell: Cell) -> tuple[int, int]:
    """Rows and columns beyond a tile that any layer is read on."""
    window = _inner((1, 1))
    _, needs = plan.windows(window, cell)
    return (
        max((window.row - part.row for part in needs.values()), default=0),
        max((window.col - part.col for part in needs.values()), default=0),
    )


def _inner(shape: tuple[int, int]) -> Window:
    """A tile far from any edge."""
    return Window(2**14, 2**14, shape[0] * LATTICE, shape[1] * LATTICE)


def _cells(part: Window, limit: Window) -> int:
    return min(part.height, limit.height) * min(part.width, limit.width)


def _bytes_of(bands: Sequence[Band]) -> int:
    """Bytes of a cell's bands."""
    return sum(band.dtype.itemsize for band in bands)


def _base() -> float:
    """Bytes of this process before its first tile; what is loaded later counted."""
    return max(BASE, resident() + 100e6)
