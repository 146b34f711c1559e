"""Distance to a contour of a field, such as the zero of its tilt angle."""

from __future__ import annotations

import numpy as np

from prospect.features.distance import decay, decay_cap, measure, within_cap, within_decay
from prospect.features.operation import Array, Parameters, operation
from prospect.grid import Cell


def one_beyond_cap(cell: Cell, parameters: Parameters) -> tuple[int, int]:
    """As far as a distance reaches, and a neighbour more."""
    rows, cols = within_cap(cell, parameters)
    return rows + 1, cols + 1


def one_beyond_decay(cell: Cell, parameters: Parameters) -> tuple[int, int]:
    """As far as a proximity reaches, and a neighbour more."""
    rows, cols = within_decay(cell, parameters)
    return rows + 1, cols + 1


@operation(halo=one_beyond_cap, units="m")
def distance_to_contour(
    block: Array, *, out: Array, cell: Cell, level: float = 0.0, cap: float = 10_000.0
) -> None:
    """
    Distance to where a field passes through a level.

    With level 0 on a tilt angle: the distance to the edges of bodies.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
        A field. NaN marks gaps.
    level : float
        In the unit of the layer.
    cap : float
        Distances beyond are not told apart, metres.

    Returns
    -------
    DataArray of shape (y, x), float32
        Metres between centres of cells, 0 in the cells next to the contour, at most
        ``cap``. Gaps are not passed through, and have a distance like any other cell.
    """
    measure(on_contour(block, level), cell, cap, out)


@operation(halo=one_beyond_decay, units="1")
def proximity_to_contour(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    scale: float,
    level: float = 0.0,
    cap: float = 0.0,
) -> None:
    """
    Closeness to where a field passes through a level, ``exp(-distance / scale)``.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
        A field. NaN marks gaps.
    scale : float
        Distance at which closeness has fallen to 37 %, metres.
    level : float
        In the unit of the layer.
    cap : float
        Distances beyond are not told apart, metres; 0 means 10 km or four scales,
        whichever is more.

    Returns
    -------
    DataArray of shape (y, x), float32
        1 in the cells next to the contour, ``exp(-cap / scale)`` from the cap on. Gaps
        are not passed through, and have a closeness like any other cell.
    """
    measure(on_contour(block, level), cell, decay_cap(scale, cap), out)
    decay(out, scale)


def on_contour(block: Array, level: float) -> Array:
    """
    Cells of all but the outer ring that lie at a level, or next to it.

    Where two neighbours lie on different sides of it, the nearer one does, or both.
    """
    away = block - np.float32(level)
    near = away[1:-1, 1:-1]
    found = near == 0
    above, valid, size = near > 0, ~np.isnan(near), np.abs(near)
    for beside in (away[:-2, 1:-1], away[2:, 1:-1], away[1:-1, :-2], away[1:-1, 2:]):
        between = (beside > 0) != above
        # A gap lies on neither side; comparing with it is False.
        found |= between & valid & (size <= np.abs(beside))
    return np.ascontiguousarray(found)
