"""The tile engine: score any stack, on any number of workers, to the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from prospect.cluster import survey
from prospect.errors import ModelError
from prospect.features.overlap import deeper_of
from prospect.ground import Area, read_area
from prospect.matching import bind
from prospect.model import Model
from prospect.progress import Progress, silent
from prospect.scoring.engines import ENGINES, require_engine
from prospect.scoring.layers import select_layers
from prospect.scoring.output import DISCLAIMER, files_of
from prospect.scoring.plan import TilePlan, lay_plan
from prospect.scoring.run import Run
from prospect.scoring.tile import Job, score_tile

if TYPE_CHECKING:
    from distributed import Client

__all__ = [
    "DISCLAIMER",
    "ENGINES",
    "Job",
    "Run",
    "TilePlan",
    "prepare",
    "score",
    "score_tile",
    "select_layers",
]


def score(
    model: Model,
    stack: xr.Dataset,
    output: Path | str | None = None,
    *,
    bands: Sequence[str] | None = None,
    engine: str = "threads",
    workers: int | None = None,
    scheduler: str | Path | Client | None = None,
    tile: int | None = None,
    max_memory: float | None = None,
    mapping: Mapping[str, str] | None = None,
    exclude: Path | str | Area | None = None,
    compress: str = "zstd",
    resume: bool = False,
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
        A GeoTIFF to write, with a QGIS style and a manifest beside it; bands of classes
        get files of their own, such as ``gold.driver.tif``. Without it the map comes back
        in memory.
    bands : sequence of str, optional
        By default all that the model can make.
    engine : {'threads', 'serial', 'processes', 'dask'}
        The bytes are the same from all. ``dask`` needs the extra of that name and starts a
        cluster of processes on this computer.
    workers : int, optional
        By default one a processor, or as many as memory allows.
    scheduler : str, path or distributed.Client, optional
        A cluster of dask.distributed that is there, as of :func:`prospect.cluster.connect`:
        all its workers are used, and read layers by the paths that they have here.
    tile : int, optional
        Side of a tile in cells, rounded up to whole lattice blocks of 256. By default
        what memory allows.
    max_memory : float, optional
        Bytes of all processes together; by default 1.5 GB and what further processes take
        before their first tile, or half of what is free if that is less. With a scheduler,
        bytes of each thread of a worker.
    mapping : mapping of the model's layer names to the stack's, optional
        Settles doubts.
    exclude : path or Area, optional
        Ground that is left empty in the map, such as reserves.
    compress : {'zstd', 'deflate'}
    resume : bool
        Go on where a run with the same layers, model and settings was interrupted.
    progress : callable
        Told what is going on.

    Returns
    -------
    Dataset of dims (y, x), or Path
        ``likelihood``, float32 from 0 to 1: a relative score, not a probability. NaN
        outside the ground that counts. Then the other bands; those of classes are uint8,
        255 outside.

    Raises
    ------
    ModelError
        If a layer is missing or ambiguous, or memory does not suffice for a tile.
    GridError
        If cells have another size, or no cell can be scored.
    OutputError
        If the output cannot be written, another run is writing it, or what was to be
        resumed is of another run.
    TileError
        If tiles cannot be computed, even alone; all others are done then, and kept.
    ClusterError
        If a cluster does not answer, or none of its workers can be used.
    """
    run = prepare(
        model,
        stack,
        output,
        bands=bands,
        engine=engine,
        workers=workers,
        scheduler=scheduler,
        tile=tile,
        max_memory=max_memory,
        mapping=mapping,
        exclude=exclude,
        compress=compress,
        resume=resume,
    )
    return run.in_memory(progress) if output is None else run.to_files(progress)


def prepare(
    model: Model,
    stack: xr.Dataset,
    output: Path | str | None = None,
    *,
    bands: Sequence[str] | None = None,
    engine: str = "threads",
    workers: int | None = None,
    scheduler: str | Path | Client | None = None,
    tile: int | None = None,
    max_memory: float | None = None,
    mapping: Mapping[str, str] | None = None,
    exclude: Path | str | Area | None = None,
    compress: str = "zstd",
    resume: bool = False,
) -> Run:
    """
    Check and plan a run, and start nothing.

    Parameters
    ----------
    model, stack, output, **settings
        As of :func:`score`.

    Returns
    -------
    Run
        ``run.plan.describe()`` says what it takes, ``run.expect()`` how long.
    """
    if scheduler is not None:
        if workers is not None:
            raise ModelError(
                "A scheduler has workers of its own: give the number of workers, or a scheduler."
            )
        engine = "dask"
    require_engine(engine)
    if tile is not None and tile < 1:
        raise ModelError(f"A tile has at least one cell a side, but {tile} came.")
    bindings = bind(model.builder.layers_, stack, mapping)
    grid = model.builder.require_grid(stack)
    area = read_area(exclude) if isinstance(exclude, (str, Path)) else exclude
    job = Job.of(model, stack, bindings, area, bands)
    target = None if output is None else Path(output)
    if target is not None:
        files_of(target, job.maker.bands)
    seats = None if scheduler is None else survey(scheduler)
    plan = lay_plan(
        grid,
        model.builder.plan(),
        model.builder.cell_,
        job.maker.bands,
        engine=engine,
        workers=workers if seats is None else seats.threads,
        tile=tile,
        max_memory=max_memory,
        each=None if seats is None else seats.memory,
        to_disk=target is not None,
        deeper=deeper_of(stack[binding.name] for binding in bindings.values()),
    )
    return Run(model, job, plan, target, compress, resume, scheduler)
