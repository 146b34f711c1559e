"""Occurrences become deposits on the grid, and background is drawn beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyproj import CRS

from prospect.clusters import merge_within
from prospect.coordinates import operation_between
from prospect.errors import LabelError
from prospect.grid import Grid, same_crs
from prospect.occurrences import (
    commodities_of,
    names_of,
    presence_of,
    types_of,
    weigh_types,
    weights_of,
)
from prospect.project import OccurrenceSpec
from prospect.vector import located, read_points, to_crs

if TYPE_CHECKING:
    from prospect.commodities import Commodity

WITHOUT_COORDINATES = "without coordinates"

MIN_DEPOSITS = 8
"""Below this many deposits nothing can be learnt that could be checked."""


@dataclass(frozen=True, eq=False)
class Labels:
    """
    Known deposits on a grid.

    Attributes
    ----------
    row, col : array of shape (n,), int
        A cell each.
    x, y : array of shape (n,), float
        Centres of the cells.
    weight : array of shape (n,), float
        Of the status: deposit 1, occurrence 0.5, showing 0.2.
    group : array of shape (n,), int
        Cells of one deposit share a group; folds never part them.
    name : array of shape (n,), str
    source : array of shape (n,), int
        Row of the table, counted from 1 without its header.
    other_x, other_y : array of shape (m,), float
        Occurrences of other commodities.
    barren_row, barren_col : array of shape (k,), int
        Cells known to be barren, where a label column says so.
    counts : mapping of str to int
        How many rows came, and what became of them.
    notes : tuple of str
        What was decided on the way.
    table : DataFrame
        The rows as they came.
    reasons : array of shape (rows,), str
        Why a row does not train; empty for one that does.
    other_barren : array of shape (m,), bool
        Of the other occurrences, those whose commodity is not associated with this one: ground
        that was looked at as closely, where it was not found.
    deposit_type : array of shape (n,), str
        Such as ``au_irgs``; empty where the table does not tell.
    """

    row: NDArray[np.int64]
    col: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    weight: NDArray[np.float64]
    group: NDArray[np.int64]
    name: NDArray[np.object_]
    source: NDArray[np.int64]
    other_x: NDArray[np.float64]
    other_y: NDArray[np.float64]
    barren_row: NDArray[np.int64]
    barren_col: NDArray[np.int64]
    counts: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    table: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    reasons: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, object), repr=False)
    other_barren: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    deposit_type: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, object))

    @property
    def deposits(self) -> int:
        """Number of deposits; satellites are not counted."""
        return int(np.unique(self.group).size)

    @property
    def enough(self) -> bool:
        """Whether there are enough deposits to learn from, or to check a map by."""
        return self.deposits >= MIN_DEPOSITS

    def where(self, keep: NDArray[np.bool_], reason: str) -> Labels:
        """The labels that are kept; the others are counted under ``reason``."""
        counts = dict(self.counts)
        counts[reason] = counts.get(reason, 0) + int((~keep).sum())
        reasons = self.reasons.copy()
        if reasons.size:
            reasons[self.source[~keep] - 1] = reason
        one_a_label = ("row", "col", "x", "y", "weight", "name", "source")
        picked = {key: getattr(self, key)[keep] for key in one_a_label}
        if self.deposit_type.size:
            picked["deposit_type"] = self.deposit_type[keep]
        _, group = np.unique(self.group[keep], return_inverse=True)
        return replace(self, **picked, group=group.astype(np.int64), counts=counts, reasons=reasons)

    def rejected(self) -> pd.DataFrame:
        """
        The rows that do not train, with their reason.

        Returns
        -------
        DataFrame
            ``row`` (counted from 1 without the header), ``reason``, and the table's columns.
        """
        out = np.flatnonzero(self.reasons != "")
        table = self.table.iloc[out].reset_index(drop=True)
        table.insert(0, "row", out + 1)
        table.insert(1, "reason", self.reasons[out].astype(str))
        return table

    def summary(self) -> str:
        """One line for people."""
        parts = [f"{count} {what}" for what, count in self.counts.items() if count]
        return f"{self.deposits} deposits in {len(self.row)} cells; " + ", ".join(parts)


def read_labels(
    occurrences: OccurrenceSpec | Path | str | pd.DataFrame | None,
    commodity: Commodity,
    grid: Grid,
) -> Labels:
    """
    Place the occurrences of a commodity on a grid.

    Parameters
    ----------
    occurrences : OccurrenceSpec, path, GeoDataFrame, or None
        Vector data that pyogrio reads, or CSV with coordinates. In another coordinate
        system they are brought to the grid's, and the notes say so. None gives no labels.
    commodity : Commodity
        Its words choose rows where there is a commodity column.
    grid : Grid

    Returns
    -------
    Labels
        Rows without coordinates, outside the grid, of other commodities or in a cell
        that is taken are counted.

    Raises
    ------
    LabelError
        If no occurrence of the commodity falls inside the grid.
    """
    if occurrences is None:
        whole, real, names = np.empty(0, np.int64), np.empty(0), np.empty(0, np.object_)
        return Labels(whole, whole, real, real, real, whole, names, whole, real, real, whole, whole)
    spec = OccurrenceSpec(Path())
    if isinstance(occurrences, pd.DataFrame):
        table: Any = occurrences
        if getattr(table, "crs", None) is None:
            raise LabelError(
                "Occurrences need geometries with a coordinate system: give a GeoDataFrame."
            )
    else:
        spec = (
            occurrences
            if isinstance(occurrences, OccurrenceSpec)
            else OccurrenceSpec(Path(occurrences))
        )
        table = read_points(spec.path, crs=spec.crs, x=spec.x, y=spec.y)
    notes = list(table.attrs.get("notes", ()))
    if not same_crs(CRS(table.crs), grid.crs):
        places = table.geometry[located(table)].get_coordinates()
        middle = tuple(places.median()) if len(places) else None
        notes.append(f"occurrences {operation_between(CRS(table.crs), grid.crs, at=middle)}")
    # Of a table of the whole world, what is too far away for the grid's system is outside.
    table = to_crs(table.reset_index(drop=True), grid.crs, keep_far=True)
    reasons = np.full(len(table), "", dtype=object)

    def leave_out(which: NDArray[np.bool_], reason: str) -> None:
        reasons[which & (reasons == "")] = reason

    leave_out(~located(table), WITHOUT_COORDINATES)
    mine, placer, barren_of = commodities_of(table, commodity, spec, notes)
    other = ~mine & ~placer
    leave_out(other, f"of other commodities than {commodity.name}")
    leave_out(placer & mine, "placers, left out")
    leave_out(placer, f"of other commodities than {commodity.name}")
    near = np.isfinite(table.geometry.get_coordinates().reindex(table.index)).all(axis=1)
    present = presence_of(table, spec)
    barren = ~present & (reasons == "")
    leave_out(barren, "known to be barren")
    kinds = types_of(table, commodity, spec)
    if commodity.type:
        of_another = mine & (kinds != "") & (kinds != commodity.type)
        leave_out(of_another, f"of other types than {commodity.type}")
        other |= of_another
    # Where another commodity was looked for in vain there is none to keep away from.
    other &= present & near
    others = table[other]
    meant = np.flatnonzero(reasons == "")
    place_of = table.geometry.get_coordinates().reindex(table.index).to_numpy(float)
    row, col, inside = grid.index(place_of[:, 0], place_of[:, 1])
    leave_out(~inside, "outside the grid")
    if not (reasons == "").any():
        west, south, east, north = grid.bounds
        where, many = "", meant.size
        meant = meant[np.isfinite(place_of[meant]).all(axis=1)]
        if meant.size:
            middle = np.median(place_of[meant], axis=0)
            where = f"; they lie around x = {middle[0]:.0f}, y = {middle[1]:.0f}"
        raise LabelError(
            f"No occurrence of {commodity.name} falls inside the grid ({many} of "
            f"{len(table)} rows are of {commodity.name}{where}; the grid spans x "
            f"{west:.0f}–{east:.0f}, y {south:.0f}–{north:.0f}): check the coordinate system "
            "and the commodity column."
        )
    weight = weights_of(table, spec, reasons == "", notes)
    weight = weigh_types(weight, kinds, commodity, reasons == "", notes)
    here = np.flatnonzero(reasons == "")
    group = merge_within(place_of[here]) if _in_metres(grid) else np.arange(here.size)
    # Of several in one cell, the one of highest standing speaks.
    order = np.lexsort((np.arange(here.size), -weight[here]))
    _, first = np.unique(row[here][order] * grid.cols + col[here][order], return_index=True)
    kept = np.sort(order[first])
    taken = np.ones(len(table), bool)
    taken[here[kept]] = False
    leave_out(taken, "in a cell already taken")
    _, group = np.unique(group[kept], return_inverse=True)
    kept = here[kept]
    known_barren = np.flatnonzero(barren & inside)
    cell = row * grid.cols + col
    # A cell is barren once, and not at all where it has a deposit.
    _, first = np.unique(cell[known_barren], return_index=True)
    alone = ~np.isin(cell[known_barren], cell[kept])
    if not alone.all():
        notes.append(f"{int((~alone).sum())} barren rows share a cell with a deposit: left out")
    known_barren = known_barren[np.intersect1d(first, np.flatnonzero(alone))]
    names = names_of(table)
    return Labels(
        row=row[kept],
        col=col[kept],
        x=grid.x[col[kept]],
        y=grid.y[row[kept]],
        weight=weight[kept],
        group=group.astype(np.int64),
        name=names[kept],
        source=(kept + 1).astype(np.int64),
        other_x=others.geometry.x.to_numpy(float),
        other_y=others.geometry.y.to_numpy(float),
        barren_row=row[known_barren],
        barren_col=col[known_barren],
        counts=_counts(reasons),
        notes=tuple(notes),
        table=pd.DataFrame(table.drop(columns=table.geometry.name)),
        reasons=reasons,
        other_barren=barren_of[other],
        deposit_type=kinds[kept],
    )


def _counts(reasons: NDArray[np.object_]) -> dict[str, int]:
    """How many rows came, and how many are left out for which reason."""
    found = Counter(reason for reason in reasons if reason)
    return {"rows": reasons.size, **found}


def _in_metres(grid: Grid) -> bool:
    return bool(grid.crs.is_projected or grid.crs.is_engineering)


def with_tested(labels: Labels, path: Path | str, grid: Grid, *, crs: str | None = None) -> Labels:
    """
    The labels, with ground that was drilled or trenched and found barren.

    A cell is barren once, and not at all where it has a deposit.

    Parameters
    ----------
    labels : Labels
    path : path
        Points, or polygons that stand for the cell in their midst.
    grid : Grid
    crs : str, optional
        Of a table in metres.

    Raises
    ------
    LabelError
        If none of it lies inside the grid.
    """
    table = read_points(path, crs=crs)
    table = to_crs(table[located(table)], grid.crs)
    row, col, inside = grid.index(table.geometry.x.to_numpy(), table.geometry.y.to_numpy())
    if not inside.any():
        raise LabelError(
            f"None of the {len(table)} barren places of {path} lies inside the grid: check its "
            "coordinate system."
        )
    tested = np.unique(row[inside] * grid.cols + col[inside])
    cells = np.setdiff1d(tested, labels.row * grid.cols + labels.col)
    notes = labels.notes
    if cells.size < tested.size:
        shared = tested.size - cells.size
        notes = (*notes, f"{shared} barren cells of {path} hold a deposit: left out")
    both = np.union1d(labels.barren_row * grid.cols + labels.barren_col, cells)
    return replace(
        labels,
        barren_row=both // grid.cols,
        barren_col=both % grid.cols,
        counts={**labels.counts, "cells tested and barren": int(cells.size)},
        notes=notes,
    )


def keep_away(
    ground: NDArray[np.bool_],
    grid: Grid,
    points: tuple[NDArray[np.float64], NDArray[np.float64]],
    distance: float,
) -> NDArray[np.bool_]:
    """
    The ground whose cells lie at least so far from some points.

    Parameters
    ----------
    ground : array of shape (y, x), bool
    grid : Grid
    points : (x, y)
        Anywhere, also beyond the grid.
    distance : float, metres

    Returns
    -------
    array of shape (y, x), bool
    """
    kept = ground.copy()
    if distance <= 0:
        return kept
    for x, y in zip(*points, strict=True):
        row = slice(*_reach(grid.y[0] - y, grid.cell.dy, distance, grid.rows))
        col = slice(*_reach(x - grid.x[0], grid.cell.dx, distance, grid.cols))
        away = (grid.y[row, None] - y) ** 2 + (grid.x[None, col] - x) ** 2
        kept[row, col] &= away >= distance**2
    return kept


def draw_background(
    ground: NDArray[np.bool_],
    grid: Grid,
    count: int,
    *,
    away_from: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    distance: float = 0.0,
    chance: NDArray[np.float32] | None = None,
    random_state: int | np.random.Generator = 0,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """
    Draw cells from the ground that counts.

    Parameters
    ----------
    ground : array of shape (y, x), bool
    grid : Grid
    count : int
        Cells to draw; all that there are when fewer.
    away_from : (x, y), optional
        Points to keep away from.
    distance : float, metres
        How far.
    chance : array of shape (y, x), optional
        How likely each cell is to be drawn, relative to others; those of 0 and gaps are not.
        By default all alike.
    random_state : int or Generator
        Another number makes another draw.

    Returns
    -------
    row, col : array of shape (n,), int
        In the order of the grid.

    Raises
    ------
    LabelError
        If no cell is left, or none is asked for.
    """
    if count < 1:
        raise LabelError(f"At least one cell is drawn from the ground, but {count} came.")
    rng = np.random.default_rng(random_state)
    if away_from is not None:
        ground = keep_away(ground, grid, away_from, distance)
    if chance is not None:
        ground = ground & (chance > 0)
    cells = np.flatnonzero(ground)
    if cells.size == 0:
        raise LabelError(
            "There is no ground to draw background from: the area, the permissive ground and "
            "the gaps of required layers leave no cell away from the deposits."
        )
    if cells.size <= count:
        pass
    elif chance is None:
        cells = np.sort(rng.choice(cells, size=count, replace=False))
    else:
        # The first of as many clocks as there are cells, each ticking at its cell's chance.
        ticks = rng.standard_exponential(cells.size) / chance.ravel()[cells]
        cells = np.sort(cells[np.argpartition(ticks, count - 1)[:count]])
    row, col = np.divmod(cells, grid.cols)
    return row, col


def _reach(offset: float, cell: float, distance: float, count: int) -> tuple[int, int]:
    """First and last-but-one cell along one axis that a distance from a point may reach."""
    first, last = (offset - distance) / cell, (offset + distance) / cell
    return min(max(int(first) - 1, 0), count), min(max(int(last) + 2, 0), count)


def require_enough(labels: Labels, commodity: str) -> None:
    """
    Refuse to learn from too few deposits.

    Raises
    ------
    LabelError
        Below eight deposits.
    """
    if not labels.enough:
        raise LabelError(
            f"{labels.deposits} deposits of {commodity} lie on usable ground, but at least "
            f"{MIN_DEPOSITS} are needed to learn from and still check the result: add known "
            "deposits, widen the area, or take the learner 'fuzzy', which maps what is known of "
            "the deposit type and needs none."
        )
