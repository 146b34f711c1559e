"""Rocks around a cell: shares of classes, and contacts between two groups of them.

A contact lies where a cell of one group has a neighbour of the other across an edge. The
cells on both of its sides count as burnt in, so a contact is known to one cell, as drawn
lines are. Rocks that a gap or a third rock keeps apart do not touch: a contact below cover
is not known, and is not made up. ``class_entropy`` gives the diversity of classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from prospect.errors import RecipeError
from prospect.features.distance import (
    class_codes,
    decay,
    decay_cap,
    measure,
    of_classes,
    window_and_one,
    within_cap,
    within_decay,
)
from prospect.features.operation import Array, Family, Parameters, operation
from prospect.features.windows import fewest, moments, of_window, reach_of, size_of, window
from prospect.grid import Cell


def _one_beyond_cap(cell: Cell, parameters: Parameters) -> tuple[int, int]:
    rows, cols = within_cap(cell, parameters)
    return rows + 1, cols + 1


def _one_beyond_decay(cell: Cell, parameters: Parameters) -> tuple[int, int]:
    rows, cols = within_decay(cell, parameters)
    return rows + 1, cols + 1


def group_codes(
    values: Array,
    attrs: Mapping[str, Any],
    *,
    classes: list[str],
    others: list[str] | None = None,
    **_: Any,
) -> dict[str, Any]:
    """
    The codes of two groups of named classes; no ``others`` stand for every other class.

    Raises
    ------
    RecipeError
        If a class is not in the layer's table, or is in both groups.
    """
    codes: list[int] = class_codes(values, attrs, classes=classes)["codes"]
    if not others:
        table = {int(code) for code in dict(attrs["classes"])}
        return {"codes": codes, "other_codes": sorted(table - set(codes))}
    both = sorted(set(classes) & set(others))
    if both:
        raise RecipeError(
            f"A contact is between two groups of classes, but {', '.join(both)} is in both: "
            "leave it out of one."
        )
    return {"codes": codes, "other_codes": class_codes(values, attrs, classes=others)["codes"]}


def shares_together(
    block: Array,
    out: Array,
    cell: Cell,
    asked: Sequence[tuple[int, tuple[int, ...]]],
    key: tuple[float, float, str],
) -> None:
    """Fill planes with the shares of groups of classes in one window."""
    radius, min_valid, shape = key
    if shape == "circle":
        for plane, codes in asked:
            shares = np.where(block < 0, np.float32(np.nan), of_classes(block, list(codes)))
            shares = shares.astype(np.float32, copy=False)
            moments(shares, out[plane][None], cell, radius, min_valid, shape, (0, -1, -1))
        return
    from prospect._kernels import shares as kernels

    rows, cols = cell.halo(radius)
    needed = fewest(size_of(reach_of(cell, radius, shape)[0]), min_valid)
    table = sorted({code for _, codes in asked for code in codes})
    slots = np.empty(block.shape, np.uint16)
    kernels.slots_of(np.ascontiguousarray(block), np.array(table, np.int32), slots)
    # Gaps and classes that nobody asks for are of no group.
    groups = [[], [], *([k for k, (_, codes) in enumerate(asked) if c in codes] for c in table)]
    owners = np.array([some[0] if some else len(asked) for some in groups], np.uint16)
    starts = np.cumsum([0, *(max(len(some) - 1, 0) for some in groups)], dtype=np.int64)
    members = np.array([k for some in groups for k in some[1:]], np.int64)
    planes = np.array([plane for plane, _ in asked], np.int64)
    kernels.box_shares(slots, owners, starts, members, rows, cols, needed, planes, out)


SHARES = Family("shares", of_window, shares_together)
"""Rows of one map of classes, radius, shape and share of valid cells."""


def _codes_asked(parameters: Parameters) -> list[tuple[int, ...]]:
    return [tuple(parameters["codes"])]


@operation(
    takes="categorical",
    halo=window,
    learn=class_codes,
    learned=("codes",),
    units="1",
    anchored=True,
    joint=(SHARES, _codes_asked),
)
def class_share(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    classes: list[str],
    codes: list[int],
    radius: float,
    min_valid: float = 0.25,
    shape: str = "circle",
) -> None:
    """
    Share of the surroundings that is of the named classes.

    How much of a source or a host rock there is within reach, such as black shale within
    5 km of a gold occurrence.

    Parameters
    ----------
    layer : DataArray of shape (y, x), integer
        A map of classes with its table, code to name, in ``attrs['classes']``.
    classes : list of str
        Names in the table.
    codes : list of int
        Their codes, learned from the table.
    radius : float
        Reach of the window to every side, metres.
    min_valid : float
        Share of the window's cells that must hold a class.
    shape : 'circle' or 'square'
        Of the window.

    Returns
    -------
    DataArray of shape (y, x), float32
        From 0 to 1, of the window's valid cells. NaN in gaps and where the window holds
        too few of them.
    """
    shares_together(block, out[None], cell, [(0, tuple(codes))], (radius, min_valid, shape))


@operation(
    takes="categorical",
    halo=_one_beyond_cap,
    learn=group_codes,
    learned=("codes", "other_codes"),
    units="m",
)
def contact_distance(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    classes: list[str],
    codes: list[int],
    other_codes: list[int],
    others: list[str] | None = None,
    cap: float = 10_000.0,
) -> None:
    """
    Distance to the nearest contact between two groups of classes.

    Where rocks of other strength or chemistry meet, fluids are led and stopped: antimony
    sits where shale lies on carbonate. The larger of the distances to both groups, which
    is often taken instead, calls any ground between the two a contact.

    Parameters
    ----------
    layer : DataArray of shape (y, x), integer
        A map of classes with its table, code to name, in ``attrs['classes']``.
    classes, others : list of str
        Names in the table; no ``others`` stand for every other class.
    codes, other_codes : list of int
        Their codes, learned from the table.
    cap : float
        Distances beyond are not told apart, metres.

    Returns
    -------
    DataArray of shape (y, x), float32
        Metres, 0 in the cells on both sides of a contact, at most ``cap``. Gaps are on no
        side and have a distance like any other cell.
    """
    measure(contacts(block, codes, other_codes), cell, cap, out)


@operation(
    takes="categorical",
    halo=_one_beyond_decay,
    learn=group_codes,
    learned=("codes", "other_codes"),
    units="1",
)
def contact_proximity(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    classes: list[str],
    codes: list[int],
    other_codes: list[int],
    scale: float,
    others: list[str] | None = None,
    cap: float = 0.0,
) -> None:
    """
    Closeness to the nearest contact between two groups of classes, ``exp(-distance / scale)``.

    Parameters
    ----------
    layer : DataArray of shape (y, x), integer
        A map of classes with its table, code to name, in ``attrs['classes']``.
    classes, others : list of str
        Names in the table; no ``others`` stand for every other class.
    codes, other_codes : list of int
        Their codes, learned from the table.
    scale : float
        Distance at which closeness has fallen to 37 %, metres.
    cap : float
        Distances beyond are not told apart, metres; 0 means 10 km or four scales,
        whichever is more.

    Returns
    -------
    DataArray of shape (y, x), float32
        1 in the cells on both sides of a contact, ``exp(-cap / scale)`` from the cap on.
        Gaps are on no side and have a closeness like any other cell.
    """
    measure(contacts(block, codes, other_codes), cell, decay_cap(scale, cap), out)
    decay(out, scale)


@operation(
    takes="categorical",
    halo=window_and_one,
    learn=group_codes,
    learned=("codes", "other_codes"),
    units="km/km2",
    anchored=True,
)
def contact_length(
    block: Array,
    *,
    out: Array,
    cell: Cell,
    classes: list[str],
    codes: list[int],
    other_codes: list[int],
    radius: float,
    others: list[str] | None = None,
    min_valid: float = 0.25,
    shape: str = "circle",
) -> None:
    """
    Length of the contacts between two groups of classes, per square kilometre.

    Strong beside weak rock breaks: ground with many such contacts is fractured ground.
    The length comes from the changes of class along rows, columns and diagonals
    (Cauchy-Crofton [1]_): on square cells within 6 % for a straight contact of any
    direction, and right on average over all directions.

    Parameters
    ----------
    layer : DataArray of shape (y, x), integer
        A map of classes with its table, code to name, in ``attrs['classes']``.
    classes, others : list of str
        Names in the table; no ``others`` stand for every other class.
    codes, other_codes : list of int
        Their codes, learned from the table.
    radius : float
        Reach of the window to every side, metres.
    min_valid : float
        Share of the window's cells that must hold a class.
    shape : 'circle' or 'square'
        Of the window.

    Returns
    -------
    DataArray of shape (y, x), float32
        Kilometres per km² of the window's valid cells. NaN in gaps and where the window
        holds too few of them.

    References
    ----------
    .. [1] Boykov and Kolmogorov (2003). Computing geodesics and minimal surfaces via graph
       cuts. ICCV.
    """
    lengths = contact_lengths(block, codes, other_codes, cell)
    lengths[block[1:-1, 1:-1] < 0] = np.nan
    moments(lengths, out[None], cell, radius, min_valid, shape, (0, -1, -1))
    out *= np.float32(1e3 / (cell.dy * cell.dx))


def contacts(block: Array, codes: list[int], other_codes: list[int]) -> Array:
    """Cells of either group beside one of the other, of all but the outer ring."""
    one, two = of_classes(block, codes), of_classes(block, other_codes)
    return (one[1:-1, 1:-1] & _beside(two)) | (two[1:-1, 1:-1] & _beside(one))


def contact_lengths(block: Array, codes: list[int], other_codes: list[int], cell: Cell) -> Array:
    """Metres of contact in every cell but the outer ring: half of each change of class."""
    one, two = of_classes(block, codes), of_classes(block, other_codes)
    rows, cols = block.shape
    slant = float(np.arctan2(cell.dy, cell.dx))
    # Every line of sight weighs as much as the angle it stands for.
    angles = {
        (0, 1): (slant, cell.dx),
        (1, 0): (np.pi / 2 - slant, cell.dy),
        (1, 1): (np.pi / 4, float(np.hypot(cell.dy, cell.dx))),
        (1, -1): (np.pi / 4, float(np.hypot(cell.dy, cell.dx))),
    }
    lengths = np.zeros((rows - 2, cols - 2), np.float32)
    here = (slice(1, -1), slice(1, -1))
    for (down, right), (angle, step) in angles.items():
        share = np.float32(cell.dy * cell.dx * angle / (2 * step) / 2)
        for way in (1, -1):
            y, x = 1 + way * down, 1 + way * right
            there = (slice(y, y + rows - 2), slice(x, x + cols - 2))
            lengths += share * ((one[here] & two[there]) | (two[here] & one[there]))
    return lengths


def _beside(flags: Array) -> Array:
    """Whether a neighbour across an edge is True, for all cells but the outer ring."""
    across = flags[1:-1, :-2] | flags[1:-1, 2:]
    return np.asarray(across | flags[:-2, 1:-1] | flags[2:, 1:-1])
