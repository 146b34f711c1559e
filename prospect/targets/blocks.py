"""Licence blocks, or any polygons, ranked by what a map says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from prospect.errors import GridError, ModelError
from prospect.grid import Grid
from prospect.learners import likelihood
from prospect.map_file import MapFile, open_map
from prospect.model import Model
from prospect.raster import burn
from prospect.samples import features_at
from prospect.targets.cells import Cells, strips
from prospect.targets.ranking import APPLICABLE, expected, prior_doubt
from prospect.vector import to_crs

ASKED = 20_000
"""Cells that the members of an ensemble are asked about, spread over the blocks."""


def rank_blocks(
    scored: MapFile | Path | str,
    blocks: Any,
    *,
    model: Model | None = None,
    stack: xr.Dataset | None = None,
    workers: int | None = None,
) -> Any:
    """
    Rank blocks of ground by the sum of a map's scores in them.

    A cell belongs to the block that its centre lies in; where blocks overlap, to the later
    one. So the sums of the blocks and of the ground beyond are the sum of the map.

    Parameters
    ----------
    scored : MapFile or path
    blocks : GeoDataFrame
        Polygons in any coordinate system; their columns are kept.
    model, stack : Model, Dataset, optional
        With both, the members of the model are asked, too.
    workers : int, optional

    Returns
    -------
    GeoDataFrame
        The blocks by falling sum: rank, area_km2 (of cells with a score), gap_share (of the
        block, without a score), total, share (of the map), per_km2, outside_share (of the
        ground, unlike any the model knows) where the map says; first_share (of the members
        of the ensemble that rank it first) with a model that has some; expected with its
        interval where scores are probabilities. ``attrs`` say total and beyond, the sum on
        no block, and overlapping, the number of cells in more than one.

    Raises
    ------
    GridError
        If no block meets the map.
    """
    opened = scored if isinstance(scored, MapFile) else open_map(scored)
    grid, band = opened.grid, "probability" if "probability" in opened else "likelihood"
    table = to_crs(blocks, grid.crs).reset_index(drop=True)
    shapes, count = list(table.geometry), len(table)
    cells, scored_cells, outside = (np.zeros(count + 1, np.int64) for _ in range(3))
    total, overlapping = np.zeros(count + 1), 0
    told_outside = APPLICABLE in opened
    for window in strips(grid):
        place, twice = _burnt(shapes, grid.crop(window))
        overlapping += twice
        values = opened.read(band, window)
        known = values == values
        cells += np.bincount(place.ravel(), minlength=count + 1)
        scored_cells += np.bincount(place[known], minlength=count + 1)
        total += np.bincount(place[known], values[known].astype(float), minlength=count + 1)
        if told_outside:
            off = known & (opened.read(APPLICABLE, window) > 0)
            outside += np.bincount(place[off], minlength=count + 1)
    if not cells[1:].any():
        raise GridError("None of the blocks lies on the map: check their coordinate system.")
    size = grid.cell.dx * grid.cell.dy / 1e6
    ground, own = scored_cells[1:] * size, total[1:]
    made = table.copy()
    made.insert(0, "rank", 0)
    made["area_km2"] = ground
    made["gap_share"] = _ratio((cells - scored_cells)[1:], cells[1:])
    made["total"], made["share"] = own, own / total.sum() if total.sum() else 0.0
    made["per_km2"] = _ratio(own, ground)
    if told_outside:
        made["outside_share"] = _ratio(outside[1:], scored_cells[1:])
    if model is not None and stack is not None:
        first = first_share(model, stack, shapes, scored_cells[1:], workers)
        if first is not None:
            made["first_share"] = first
    if band == "probability":
        told = [expected(float(value), *prior_doubt(model)) for value in own]
        for name in told[0]:
            made[name] = [each[name] for each in told]
    made = made.sort_values("total", ascending=False, kind="stable").reset_index(drop=True)
    made["rank"] = np.arange(1, count + 1)
    made.attrs.update(
        total=float(total.sum()), beyond=float(total[0]), overlapping=int(overlapping)
    )
    return made


def first_share(
    model: Model,
    stack: xr.Dataset,
    shapes: list[Any],
    weight: NDArray[np.int64],
    workers: int | None = None,
) -> NDArray[np.float64] | None:
    """
    How many members of the model's ensemble rank each block first, by a sample of its cells.

    Returns
    -------
    array of shape (block,), or None
        None where the model has no members that could disagree.
    """
    if not has_members(model.estimator):
        return None
    grid = Grid.of(stack)
    rows, cols, owner = _sample(shapes, grid)
    said = said_by_members(
        model.estimator, features_at(model.builder, stack, rows, cols, workers=workers)
    )
    asked = np.bincount(owner, minlength=len(shapes))
    wins = np.zeros(len(shapes))
    for score in said:
        mean = _ratio(np.bincount(owner, score, len(shapes)), asked)
        wins[int(np.argmax(mean * weight))] += 1
    return wins / len(said)


def has_members(estimator: Any) -> bool:
    """Whether an estimator is an ensemble whose members can score by themselves."""
    found = getattr(_ensemble(estimator), "estimators_", None)
    return isinstance(found, list) and all(hasattr(each, "predict_proba") for each in found)


def said_by_members(estimator: Any, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """
    The score of every member of the outermost ensemble.

    Parameters
    ----------
    estimator : classifier
        Fitted, with members; may stand at the end of a Pipeline.
    features : array of shape (n, k)

    Returns
    -------
    array of shape (member, n)
    """
    ensemble = _ensemble(estimator)
    if ensemble is not estimator:
        features = estimator[:-1].transform(features)
    if hasattr(ensemble, "fills_"):
        # The ensemble fills gaps before its members see them.
        features = np.where(np.isnan(features), ensemble.fills_, features).astype(np.float32)
    return np.stack([likelihood(member, features) for member in ensemble.estimators_])


def _ensemble(estimator: Any) -> Any:
    from sklearn.pipeline import Pipeline

    return estimator[-1] if isinstance(estimator, Pipeline) else estimator


def _sample(shapes: list[Any], grid: Grid) -> tuple[Cells, Cells, Cells]:
    """Cells of every block on one regular lattice of the map, and whose they are."""
    rows, cols, owner = [], [], []
    for window in strips(grid):
        place, _ = _burnt(shapes, grid.crop(window))
        row, col = np.nonzero(place)
        rows.append(row + window.row)
        cols.append(col)
        owner.append(place[row, col] - 1)
    row, col, own = np.concatenate(rows), np.concatenate(cols), np.concatenate(owner)
    step = max(1, int(np.ceil(np.sqrt(row.size / ASKED))))
    kept = (row % step == 0) & (col % step == 0)
    # A block too small for the lattice is asked about whole.
    missed = np.setdiff1d(np.unique(own), np.unique(own[kept]))
    kept |= np.isin(own, missed)
    if not kept.any():
        raise ModelError("No block holds the centre of a cell.")
    return row[kept], col[kept], own[kept]


def _burnt(shapes: list[Any], grid: Grid) -> tuple[NDArray[np.int32], int]:
    """Which block each cell is in, counted from 1; and how many cells are in several."""
    near = [k for k, shape in enumerate(shapes) if shape is not None and _meets(shape, grid)]
    place = burn([shapes[k] for k in near], grid, values=[k + 1 for k in near])
    back = near[::-1]
    other = burn([shapes[k] for k in back], grid, values=[k + 1 for k in back])
    return place, int((place != other).sum())


def _meets(shape: Any, grid: Grid) -> bool:
    west, south, east, north = shape.bounds if not shape.is_empty else (np.inf,) * 4
    left, bottom, right, top = grid.bounds
    return bool(west < right and east > left and south < top and north > bottom)


def _ratio(top: NDArray[Any], bottom: NDArray[Any]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.divide(
        top, bottom, out=np.zeros(len(top)), where=np.asarray(bottom) > 0
    )
    return found
