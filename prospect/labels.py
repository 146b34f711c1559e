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
from scipy.spatial import KDTree

from prospect.clusters import merge_within
from prospect.coordinates import operation_between
from prospect.errors import LabelError
from prospect.grid import Grid, same_crs
from prospect.lexicon import standing_of
from prospect.project import OccurrenceSpec
from prospect.tables import guess_columns
from prospect.vector import located, read_points, to_crs

if TYPE_CHECKING:
    from prospect.commodities import Commodity

WITHOUT_COORDINATES = "without coordinates"

MIN_DEPOSITS = 8
"""Below this many deposits nothing can be learnt that could be checked."""


@dataclass(frozen=True)
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
    mine, placer = _of_commodity(table, commodity, spec, notes)
    other = ~mine & ~placer
    leave_out(other, f"of other commodities than {commodity.name}")
    leave_out(placer & mine, "placers, left out")
    leave_out(placer, f"of other commodities than {commodity.name}")
    near = np.isfinite(table.geometry.get_coordinates().reindex(table.index)).all(axis=1)
    others = table[other & near]
    barren = ~_presence(table, spec) & (reasons == "")
    leave_out(barren, "known to be barren")
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
    weight = _weights(table, spec, reasons == "", notes)
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
    names = _names(table)
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
    cells = np.unique(row[inside] * grid.cols + col[inside])
    return replace(
        labels,
        barren_row=np.concatenate([labels.barren_row, cells // grid.cols]),
        barren_col=np.concatenate([labels.barren_col, cells % grid.cols]),
        counts={**labels.counts, "cells tested and barren": int(cells.size)},
    )


def draw_background(
    ground: NDArray[np.bool_],
    grid: Grid,
    count: int,
    *,
    away_from: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    distance: float = 0.0,
    random_state: int | np.random.Generator = 0,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """
    Draw cells uniformly from the ground that counts.

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
    random_state : int or Generator

    Returns
    -------
    row, col : array of shape (n,), int
        In the order of the grid.

    Raises
    ------
    LabelError
        If no cell is left.
    """
    rng = np.random.default_rng(random_state)
    cells = np.flatnonzero(ground)
    if away_from is not None and distance > 0 and cells.size and len(away_from[0]):
        tree = KDTree(np.column_stack(away_from))
        row, col = np.divmod(cells, grid.cols)
        near, _ = tree.query(
            np.column_stack([grid.x[col], grid.y[row]]), distance_upper_bound=distance
        )
        cells = cells[np.isinf(near)]
    if cells.size == 0:
        raise LabelError(
            "There is no ground to draw background from: the area, the permissive ground and "
            "the gaps of required layers leave no cell away from the deposits."
        )
    if cells.size > count:
        cells = np.sort(rng.choice(cells, size=count, replace=False))
    row, col = np.divmod(cells, grid.cols)
    return row, col


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


def _of_commodity(
    table: Any, commodity: Commodity, spec: OccurrenceSpec, notes: list[str]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows are of the commodity, and which are placers."""
    column = spec.commodity
    if column is not None and column not in table.columns:
        raise LabelError(
            f"{spec.path} has no column '{column}'; it has: {', '.join(map(str, table.columns))}."
        )
    column = column or guess_columns(map(str, table.columns)).commodity
    if column is None and spec.of is not None:
        meant = np.full(len(table), commodity.is_meant(spec.of), bool)
        notes.append(f"every row of {spec.path.name} is taken as {spec.of}")
        return meant, np.zeros(len(table), bool)
    if column is None:
        notes.append(f"no commodity column: every row is taken as {commodity.name}")
        everything = np.ones(len(table), bool)
        return everything, ~everything
    texts = [str(text) for text in table[column]]
    mine = np.array([commodity.is_meant(text) for text in texts], bool)
    placer = np.array([commodity.is_excluded(text) for text in texts], bool)
    return mine, placer


def _presence(table: Any, spec: OccurrenceSpec) -> NDArray[np.bool_]:
    if not spec.label:
        return np.ones(len(table), bool)
    if spec.label not in table.columns:
        raise LabelError(f"{spec.path} has no column '{spec.label}' for the label.")
    values = pd.to_numeric(table[spec.label], errors="coerce")
    if not values.isin([0, 1]).all():
        raise LabelError(
            f"{spec.path}: the label column '{spec.label}' holds 1 (present) and 0 (absent) only."
        )
    return np.asarray(values == 1)


def _weights(
    table: Any, spec: OccurrenceSpec, used: NDArray[np.bool_], notes: list[str]
) -> NDArray[np.float64]:
    """Weight of every row by its standing; what is not understood is said."""
    column = spec.status or guess_columns(map(str, table.columns)).status
    if column is None:
        return np.ones(len(table))
    if column not in table.columns:
        raise LabelError(f"{spec.path} has no column '{column}' for the status.")
    standings = [standing_of(str(text)) for text in table[column]]
    strange = Counter(
        str(text)
        for text, standing, meant in zip(table[column], standings, used, strict=True)
        if standing is None and meant
    )
    if strange:
        listed = ", ".join(f"'{text}'" for text, _ in strange.most_common(3))
        notes.append(
            f"a status that is not understood stands in {strange.total()} rows ({listed}): "
            "they count as deposits"
        )
    return np.array([1.0 if s is None else s.weight for s in standings], float)


def _names(table: Any) -> NDArray[np.object_]:
    column = guess_columns(map(str, table.columns)).name
    if column is None:
        return np.array([f"#{i + 1}" for i in range(len(table))], dtype=object)
    return np.array([str(text) for text in table[column]], dtype=object)
