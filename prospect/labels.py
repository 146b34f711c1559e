"""Occurrences become deposits on the grid, and background is drawn beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyproj import CRS
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from prospect.errors import LabelError
from prospect.grid import Grid, crs_name, same_crs
from prospect.project import OccurrenceSpec
from prospect.vector import located, read_points, to_crs

if TYPE_CHECKING:
    from prospect.commodities import Commodity

MERGE_WITHIN = 1000.0
"""Occurrences nearer than this, in metres, are one deposit (METHODS: labels)."""

MIN_DEPOSITS = 8
"""Below this many deposits nothing can be learnt that could be checked."""

STATUS_WEIGHTS: tuple[tuple[tuple[str, ...], float], ...] = (
    (("месторожд", "deposit", "mine", "рудник"), 1.0),
    (("рудопроявл", "occurrence", "prospect", "проявлен"), 0.5),
    (("точка", "showing", "mineralization", "минерализ"), 0.2),
)


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
    other_x, other_y : array of shape (m,), float
        Occurrences of other commodities.
    barren_row, barren_col : array of shape (k,), int
        Cells known to be barren, where a label column says so.
    counts : mapping of str to int
        How many rows came, and what became of them.
    notes : tuple of str
        What was decided on the way.
    """

    row: NDArray[np.int64]
    col: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    weight: NDArray[np.float64]
    group: NDArray[np.int64]
    name: NDArray[np.object_]
    other_x: NDArray[np.float64]
    other_y: NDArray[np.float64]
    barren_row: NDArray[np.int64]
    barren_col: NDArray[np.int64]
    counts: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

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
        picked = {
            key: getattr(self, key)[keep] for key in ("row", "col", "x", "y", "weight", "name")
        }
        _, group = np.unique(self.group[keep], return_inverse=True)
        rest = {
            key: getattr(self, key)
            for key in ("other_x", "other_y", "barren_row", "barren_col", "notes")
        }
        return Labels(**picked, **rest, group=group.astype(np.int64), counts=counts)

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
        return Labels(whole, whole, real, real, real, whole, names, real, real, whole, whole)
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
    notes = []
    if not same_crs(CRS(table.crs), grid.crs):
        notes.append(_reprojection(CRS(table.crs), grid.crs))
    table = to_crs(table, grid.crs)
    counts = {"rows": len(table)}
    placed = located(table)
    counts["without coordinates"] = int((~placed).sum())
    table = table[placed]
    mine, placer = _of_commodity(table, commodity, spec, notes)
    others = table[~mine & ~placer]
    counts[f"of other commodities than {commodity.name}"] = len(others)
    counts["placers, left out"] = int((placer & mine).sum())
    table = table[mine & ~placer]
    present = _presence(table, spec)
    barren, table = table[~present], table[present]
    if spec.label:
        counts["known to be barren"] = len(barren)
    x, y = table.geometry.x.to_numpy(float), table.geometry.y.to_numpy(float)
    row, col, inside = grid.index(x, y)
    counts["outside the grid"] = int((~inside).sum())
    if not inside.any():
        west, south, east, north = grid.bounds
        where = ""
        if len(x):
            where = f"; they lie around x = {np.median(x):.0f}, y = {np.median(y):.0f}"
        raise LabelError(
            f"No occurrence of {commodity.name} falls inside the grid ({len(table)} of "
            f"{counts['rows']} rows are of {commodity.name}{where}; the grid spans x "
            f"{west:.0f}–{east:.0f}, y {south:.0f}–{north:.0f}): check the coordinate system "
            "and the commodity column."
        )
    weight = _weights(table, spec)[inside]
    name = _names(table)[inside]
    row, col, x, y = row[inside], col[inside], x[inside], y[inside]
    group = merge_within(x, y, MERGE_WITHIN) if grid.crs.is_projected else np.arange(row.size)
    # Of several in one cell, the one of highest standing speaks.
    order = np.lexsort((np.arange(row.size), -weight))
    _, first = np.unique(row[order] * grid.cols + col[order], return_index=True)
    kept = np.sort(order[first])
    counts["in a cell already taken"] = int(row.size - kept.size)
    _, group = np.unique(group[kept], return_inverse=True)
    barren_row, barren_col, in_grid = grid.index(
        barren.geometry.x.to_numpy(float), barren.geometry.y.to_numpy(float)
    )
    return Labels(
        row=row[kept],
        col=col[kept],
        x=grid.x[col[kept]],
        y=grid.y[row[kept]],
        weight=weight[kept],
        group=group.astype(np.int64),
        name=name[kept],
        other_x=others.geometry.x.to_numpy(float),
        other_y=others.geometry.y.to_numpy(float),
        barren_row=barren_row[in_grid],
        barren_col=barren_col[in_grid],
        counts=counts,
        notes=tuple(notes),
    )


def merge_within(
    x: NDArray[np.float64], y: NDArray[np.float64], distance: float
) -> NDArray[np.int64]:
    """
    Number the clusters of points that chains of ``distance`` metres hold together.

    Parameters
    ----------
    x, y : array of shape (n,), metres
    distance : float, metres

    Returns
    -------
    array of shape (n,), int
    """
    if x.size == 0:
        return np.empty(0, np.int64)
    pairs = KDTree(np.column_stack([x, y])).query_pairs(distance, output_type="ndarray")
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(x.size, x.size))
    _, cluster = connected_components(graph, directed=False)
    return np.asarray(cluster, np.int64)


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
    columns = {str(name).lower(): name for name in table.columns}
    column = spec.commodity
    if column is not None and column not in table.columns:
        raise LabelError(
            f"{spec.path} has no column '{column}'; it has: {', '.join(map(str, table.columns))}."
        )
    column = column or columns.get("commodity") or columns.get("commod")
    if column is None:
        notes.append(f"no commodity column: every row is taken as {commodity.name}")
        everything = np.ones(len(table), bool)
        return everything, ~everything
    texts = [str(text).strip().lower() for text in table[column]]
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


def _weights(table: Any, spec: OccurrenceSpec) -> NDArray[np.float64]:
    columns = {str(name).lower(): name for name in table.columns}
    column = spec.status or columns.get("status")
    if column is None:
        return np.ones(len(table))
    if column not in table.columns:
        raise LabelError(f"{spec.path} has no column '{column}' for the status.")
    return np.array([_weight(str(text).lower()) for text in table[column]], float)


def _weight(status: str) -> float:
    for words, weight in STATUS_WEIGHTS:
        if any(word in status for word in words):
            return weight
    return 1.0


def _names(table: Any) -> NDArray[np.object_]:
    columns = {str(name).lower(): name for name in table.columns}
    column = columns.get("name") or columns.get("название")
    if column is None:
        return np.array([f"#{i + 1}" for i in range(len(table))], dtype=object)
    return np.array([str(text) for text in table[column]], dtype=object)


def _reprojection(source: CRS, target: CRS) -> str:
    """In words: how occurrences came to the grid, and how well."""
    from pyproj.transformer import TransformerGroup

    group = TransformerGroup(source, target, always_xy=True)
    text = f"occurrences brought from {crs_name(source)} to {crs_name(target)}"
    if not group.transformers:
        return text
    accuracy = group.transformers[0].accuracy
    known = f"accuracy {accuracy:g} m" if accuracy >= 0 else "accuracy unknown"
    return f"{text} ({group.transformers[0].description}; {known})"
