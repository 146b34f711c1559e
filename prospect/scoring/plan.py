"""How a grid is cut into tiles."""

from __future__ import annotations

from prospect.features.plan import tiles
from prospect.grid import LATTICE, Grid, Window

TILE_BYTES = 96 * 2**20
"""Features of a tile, per worker; the other buffers of a tile come to about as much."""


def plan(grid: Grid, features: int, tile: int | None = None) -> list[Window]:
    """
    Cut a grid into tiles of whole lattice blocks.

    Parameters
    ----------
    grid : Grid
    features : int
        Features of a cell, which set how many cells fit the memory of a tile.
    tile : int, optional
        Side in cells, rounded up to the lattice. By default tiles are a lattice block
        high and as wide as memory allows, since rows are read whole.

    Returns
    -------
    list of Window
    """
    if tile is not None:
        return list(tiles(grid.window, -(-tile // LATTICE) * LATTICE))
    blocks = max(1, TILE_BYTES // (4 * features * LATTICE * LATTICE))
    across = -(-grid.cols // LATTICE)
    width = min(blocks, across)
    height = max(1, blocks // across) if width == across else 1
    found = []
    for row in range(0, grid.rows, height * LATTICE):
        for col in range(0, grid.cols, width * LATTICE):
            window = Window(row, col, height * LATTICE, width * LATTICE)
            found.append(window.intersect(grid.window))
    return found
