"""Operations on gridded fields such as magnetics and gravity."""

from __future__ import annotations

from prospect.features.operation import Array, one_cell, operation
from prospect.grid import Cell


@operation(halo=one_cell, units="{unit}/m")
def horizontal_gradient(layer: Array, *, out: Array, cell: Cell) -> None:
    """
    Magnitude of the horizontal gradient of a gridded field.

    Its ridges follow steep contacts and faults [1]_.

    Parameters
    ----------
    layer : DataArray of shape (y, x)
        Field on a projected grid, e.g. the magnetic anomaly in nT. NaN marks gaps.

    Returns
    -------
    DataArray of shape (y, x), float32
        Gradient per metre, by central differences. NaN on the outer ring, in gaps and
        beside them.

    Raises
    ------
    GridError
        If ``layer`` is not on a regular, projected (y, x) grid.

    References
    ----------
    .. [1] Blakely and Simpson (1986). Approximating edges of source bodies from
       magnetic or gravity anomalies. Geophysics 51(7).
    """
    from prospect._kernels import terrain as kernels

    kernels.gradient_magnitude(layer, cell.dy, cell.dx, out)
