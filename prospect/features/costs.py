"""What features cost: time measured on a sample tile, halo, and the layers they read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from prospect.features.builder import FeatureBuilder
from prospect.features.plan import Call
from prospect.grid import LATTICE, Grid, Window


@dataclass(frozen=True)
class Cost:
    """
    One call of a plan.

    Attributes
    ----------
    features : tuple of str
        What it makes, together.
    operations : tuple of str
    inputs : tuple of str
        Layers, or earlier rows.
    halo : (int, int)
        Rows and columns it reads beyond a tile.
    seconds : float
        A cell of the tile, on one thread, all its features together.
    """

    features: tuple[str, ...]
    operations: tuple[str, ...]
    inputs: tuple[str, ...]
    halo: tuple[int, int]
    seconds: float


def measure_costs(builder: FeatureBuilder, stack: xr.Dataset, side: int = 2) -> list[Cost]:
    """
    Measure what each call of a fitted builder's plan costs on one thread.

    Parameters
    ----------
    builder : FeatureBuilder
    stack : Dataset of dims (y, x)
    side : int
        Of the sample tile, in lattice blocks; it lies in the middle of the grid.

    Returns
    -------
    list of Cost
        In the order of computing. The time of a call includes that of its halo, which
        weighs less on larger tiles; reading layers is not part of it.
    """
    grid = Grid.of(stack)
    plan = builder.plan()
    row, col = (max(0, size // 2 // LATTICE - side // 2) * LATTICE for size in grid.shape)
    window = Window(row, col, side * LATTICE, side * LATTICE).intersect(grid.window)
    best = [np.inf] * len(plan.calls)
    for _ in range(3):
        taken: list[float] = []

        def watch(call: Call, region: Window, seconds: float, taken: list[float] = taken) -> None:
            taken.append(seconds)

        # The first turn compiles; the other two are compared.
        for _ in builder.tiles(stack, window, tile=side * LATTICE, watch=watch):
            pass
        best = [min(a, b) for a, b in zip(best, taken, strict=True)]
    cells = window.height * window.width
    return [
        Cost(
            features=tuple(name for step in call.steps for name in step.columns),
            operations=tuple(dict.fromkeys(step.operation.name for step in call.steps)),
            inputs=call.steps[0].spec.of,
            halo=call.halo,
            seconds=seconds / cells,
        )
        for call, seconds in zip(plan.calls, best, strict=True)
    ]
