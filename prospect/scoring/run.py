"""A run of the engine: prepared, planned, measured if asked, then done and gone on with."""

from __future__ import annotations

import logging
import os
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from prospect.errors import GridError, OutputError
from prospect.features.overlap import Overlap
from prospect.grid import Grid, Window
from prospect.model import Model
from prospect.progress import Done, Progress, silent
from prospect.raster import require_space
from prospect.scoring.attempts import run_tiles
from prospect.scoring.engines import Engine, Landed, make_engine
from prospect.scoring.identity import key_of, made_of
from prospect.scoring.journal import Blocks, Journal, WorkFolder
from prospect.scoring.output import (
    MapFiles,
    as_dataset,
    make_companions,
    require_some,
    tags_of,
)
from prospect.scoring.plan import TilePlan
from prospect.scoring.tile import Job, ground_of, score_tile

log = logging.getLogger(__name__)

SAMPLES = 49
"""Lattice blocks that are looked at to guess how much of a map counts."""


@dataclass(frozen=True)
class Run:
    """
    All that is needed to score a map, made by :func:`prospect.scoring.prepare`.

    Attributes
    ----------
    model : Model
    job : Job
        With the stack as the user gave it.
    plan : TilePlan
    output : path, optional
    compress : str
    resume : bool
    scheduler : str, path or distributed.Client, optional
        Of a cluster that is there.
    """

    model: Model
    job: Job
    plan: TilePlan
    output: Path | None
    compress: str
    resume: bool
    scheduler: Any = None

    @property
    def grid(self) -> Grid:
        """The grid of the map."""
        return Grid.of(self.job.stack)

    def settled(self) -> Job:
        """The job, once what looks at the whole map is computed, once for all workers."""
        stack = self.job.builder.settle(self.job.stack, self.job.bindings)
        overlap = Overlap() if self.plan.overlap else None
        return replace(self.job, stack=stack, overlap=overlap)

    def _engine(self) -> Engine:
        return make_engine(self.plan.engine, self.settled(), self.plan.workers, self.scheduler)

    @property
    def _threads(self) -> int:
        """Of this process, where it works itself: the workers may be on other computers."""
        return min(self.plan.workers, os.cpu_count() or 1) if self.plan.apart else self.plan.workers

    def expect(self) -> tuple[float, float]:
        """
        Guess how long the tiles will take, from one that is scored now.

        Returns
        -------
        share : float
            Of the lattice blocks, those where something counts, from a few of them.
        seconds : float
            For all tiles; making the GeoTIFF of them comes on top.
        """
        job, grid = self.settled(), self.grid
        blocks = list(grid.window.lattice_blocks())
        some = blocks[:: max(1, len(blocks) // SAMPLES)]
        full = [b for b in some if ground_of(job, b.intersect(grid.window)).any()]
        if not full:
            return 0.0, 0.0
        middle = full[len(full) // 2]
        # Once for nothing: kernels are compiled or loaded.
        score_tile(job, middle.intersect(grid.window))
        tile = next(w for w in self.plan.windows if 0 not in w.intersect(middle)[2:])
        start = time.perf_counter()
        score_tile(job, tile)
        each = (time.perf_counter() - start) / (tile.height * tile.width)
        share = len(full) / len(some)
        return share, each * share * self.plan.cells / self.plan.workers

    def in_memory(self, progress: Progress = silent) -> xr.Dataset:
        """The map as a Dataset."""
        bands, grid = self.job.maker.bands, self.grid
        values = {band.name: band.empty(grid.shape) for band in bands}
        engine = self._engine()
        any_cell = False
        with progress(f"Scoring {self.model.commodity}", self.plan.cells, "cells") as done:
            for landed in run_tiles(engine, self.plan.windows):
                for name, block in (landed.tile or {}).items():
                    values[name][landed.window.slices] = block
                    any_cell = any_cell or bool(np.isfinite(block).any())
                tell(done, landed)
        require_some(any_cell)
        return as_dataset(self.model, grid, bands, values)

    def to_files(self, progress: Progress = silent) -> Path:
        """The map as GeoTIFFs, with styles and a manifest."""
        assert self.output is not None
        with WorkFolder(self.output) as work:
            with progress("Checking the layers"):
                made = made_of(self.model, self.job, self._threads)
                journal = Journal(work.path / "journal.jsonl", key_of(made, self.job))
            entries = self._done_before(work, journal)
            if not entries:
                work.clear()
            held = sum(file.stat().st_size for file in work.path.glob("*.raw"))
            try:
                require_space(self.output.parent, self.output.name, self.plan.disk - held)
                self._work(work, journal, entries, made, progress)
            except BaseException as error:
                self._leave(work, journal, error)
                raise
            work.remove()
        return self.output

    def _done_before(self, work: WorkFolder, journal: Journal) -> list[tuple[Window, list[int]]]:
        """Tiles to go on with; those that are not gone on with are said."""
        if self.resume:
            return journal.read()
        try:
            found = len(journal.read())
        except OutputError:
            log.warning(
                "Unfinished work of other layers, another model or other settings was in %s: it is "
                "removed, and the map begun anew.",
                work.path,
            )
            return []
        if found:
            log.warning(
                "%d %s of the same map had been done in %s and make way, since the map is begun "
                "anew; with --resume it would have been gone on with.",
                found,
                "tile" if found == 1 else "tiles",
                work.path,
            )
        return []

    def _work(
        self,
        work: WorkFolder,
        journal: Journal,
        entries: list[tuple[Window, list[int]]],
        made: dict[str, Any],
        progress: Progress,
    ) -> None:
        assert self.output is not None
        grid, windows, title = self.grid, self.plan.windows, f"Scoring {self.model.commodity}"
        with (
            ExitStack() as beside,
            MapFiles(
                self.output,
                grid,
                self.job.maker.bands,
                tags=tags_of(self.model),
                compress=self.compress,
                work=work.path,
                again=bool(entries),
                threads=self._threads,
            ) as files,
        ):
            blocks = Blocks(grid.window)
            entries = [entry for entry in entries if files.holds(*entry)]
            for window, _ in entries:
                blocks.add(window)
            # Without what was cut, or is not what it was.
            journal.begin(entries)
            left = [window for window in windows if window not in blocks]
            for window in windows:
                if window in blocks:
                    files.accept(window)
            if len(left) < len(windows):
                title += f", {len(windows) - len(left)} of {len(windows)} tiles done before"
            engine = self._engine()
            cells = sum(window.height * window.width for window in left)
            # Closing is what stops the workers when something fails here.
            with (
                progress(title, cells, "cells") as done,
                closing(run_tiles(engine, left)) as tiles,
            ):
                for landed in tiles:
                    journal.add(landed.window, files.write(landed.window, landed.tile))
                    tell(done, landed)
            made = made | engine.remarks()
            values = files.values()
            with progress("Writing the map"):
                files.finish()
            make_companions(beside, files, values, self.output, self.model, made, work.path)

    def _leave(self, work: WorkFolder, journal: Journal, error: BaseException) -> None:
        """Keep what is worth going on with, and say so; remove the rest."""
        kept = journal.read()
        # A map of nothing would be one again.
        if kept and not isinstance(error, GridError):
            error.add_note(
                f"{len(kept)} of {len(self.plan.windows)} tiles are kept in {work.path}: "
                "give the same command with --resume to go on."
            )
        else:
            work.remove()


def tell(done: Done, landed: Landed) -> None:
    """Tell the progress of a tile, and whose it is where that is of interest."""
    cells = landed.window.height * landed.window.width
    if landed.by:
        done(cells, by=landed.by, seconds=landed.seconds)
    else:
        done(cells)
