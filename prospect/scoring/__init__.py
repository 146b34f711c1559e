"""The tile engine: score any stack, on any number of workers, to the same bytes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from prospect.errors import ModelError
from prospect.ground import Area, read_area
from prospect.matching import bind
from prospect.model import Model
from prospect.progress import Progress, silent
from prospect.scoring.engines import ENGINES, run_tiles
from prospect.scoring.layers import select_layers
from prospect.scoring.output import DISCLAIMER, as_dataset, require_some, write_map
from prospect.scoring.plan import plan
from prospect.scoring.tile import Job, score_tile

__all__ = ["DISCLAIMER", "ENGINES", "Job", "plan", "score", "score_tile", "select_layers"]


def score(
    model: Model,
    stack: xr.Dataset,
    output: Path | str | None = None,
    *,
    engine: str = "threads",
    workers: int | None = None,
    tile: int | None = None,
    mapping: Mapping[str, str] | None = None,
    exclude: Path | str | Area | None = None,
    compress: str = "zstd",
    progress: Progress = silent,
) -> xr.Dataset | Path:
    """
    Score every cell of a stack, tile by tile.

    Parameters
    ----------
    model : Model
    stack : Dataset of dims (y, x)
        With the model's layers, in any order, matched by name, else by role.
    output : path, optional
        A GeoTIFF to write, with a QGIS style and a manifest beside it. Without it the
        map comes back in memory.
    engine : {'threads', 'serial', 'processes'}
        The bytes are the same from all.
    workers : int, optional
        By default one a processor.
    tile : int, optional
        Side of a tile in cells, rounded up to whole lattice blocks of 256.
    mapping : mapping of the model's layer names to the stack's, optional
        Settles doubts.
    exclude : path or Area, optional
        Ground that is left empty in the map, such as reserves.
    compress : {'zstd', 'deflate'}
    progress : callable
        Told what is going on.

    Returns
    -------
    Dataset of dims (y, x), or Path
        ``likelihood``, float32 from 0 to 1: a relative score, not a probability. NaN
        outside the ground that counts.

    Raises
    ------
    ModelError
        If a layer is missing or ambiguous.
    GridError
        If cells have another size, or no cell can be scored.
    OutputError
        If the output cannot be written.
    """
    if engine not in ENGINES:
        raise ModelError(f"Engine '{engine}' is unknown; there are {', '.join(ENGINES)}.")
    if tile is not None and tile < 1:
        raise ModelError(f"A tile has at least one cell a side, but {tile} came.")
    bindings = bind(model.builder.layers_, stack, mapping)
    grid = model.builder.require_grid(stack)
    area = read_area(exclude) if isinstance(exclude, (str, Path)) else exclude
    # What looks at the whole map is computed here, once for all workers.
    stack = model.builder.settle(stack, bindings)
    job = Job.of(model, stack, bindings, area)
    workers = max(1, workers or os.cpu_count() or 1) if engine != "serial" else 1
    windows = plan(grid, len(model.feature_names), tile)
    if output is None:
        values = np.full(grid.shape, np.nan, np.float32)
        for window, block in run_tiles(job, windows, engine, workers, progress):
            values[window.slices] = block
        require_some(bool(np.isfinite(values).any()))
        return as_dataset(model, grid, values)
    return write_map(job, windows, Path(output), engine, workers, compress, progress)
