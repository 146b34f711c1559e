"""The tile engine: score any stack, on any number of workers, to the same bytes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from joblib import Parallel, delayed
from numpy.typing import NDArray

from prospect._version import __version__
from prospect.errors import GridError, ModelError, OutputError
from prospect.features.plan import tiles
from prospect.features.running import own_workspace
from prospect.grid import LATTICE, Grid, Window
from prospect.ground import Area, read_area
from prospect.inference import Predictor, compile_estimator
from prospect.learners import single_threaded
from prospect.matching import Binding, LayerCard, bind, bind_cards
from prospect.model import Model
from prospect.progress import Progress, silent
from prospect.project import Project
from prospect.raster import CogWriter, atomic_path, require_writable_folder
from prospect.record import sha256, versions
from prospect.roles import matches
from prospect.styles import qgis_style, thresholds
from prospect.vector import area_mask

TILE_BYTES = 96 * 2**20
"""Features of a tile, per worker; the other buffers of a tile come to about as much."""

ENGINES = ("serial", "threads", "processes")

DISCLAIMER = (
    "Not a Mineral Resource or an Exploration Target under JORC or NI 43-101; no sign-off by a "
    "Competent or Qualified Person. Не является подсчётом запасов (A, B, C1, C2) и не оценкой "
    "прогнозных ресурсов (P1–P3)."
)

STYLE_CELLS = 4_000_000


@dataclass(frozen=True)
class Job:
    """Everything one tile needs to be scored, wherever that happens."""

    model: Model
    predictor: Predictor
    stack: xr.Dataset
    bindings: Mapping[str, Binding]
    exclude: Area | None

    @classmethod
    def of(
        cls,
        model: Model,
        stack: xr.Dataset,
        bindings: Mapping[str, Binding],
        exclude: Area | None = None,
    ) -> Job:
        """A job that carries the estimator once, as what asks it."""
        predictor = compile_estimator(single_threaded(model.estimator))
        return cls(replace(model, estimator=None), predictor, stack, bindings, exclude)


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
        for window, block in _run(job, windows, engine, workers, progress):
            values[window.slices] = block
        _require_some(bool(np.isfinite(values).any()))
        return _dataset(model, grid, values)
    return _to_file(job, windows, Path(output), engine, workers, compress, progress)


def select_layers(
    model: Model,
    project: Project,
    mapping: Mapping[str, str] | None = None,
    *,
    guessed: bool = False,
) -> tuple[Project, list[str]]:
    """
    Keep what a model uses of a project, before anything is opened.

    Parameters
    ----------
    model : Model
    project : Project
    mapping : mapping of the model's layer names to the project's, optional
    guessed : bool
        Whether kinds are only guessed, as those of plain files are: then the model's hold.

    Returns
    -------
    project : Project
        Less the layers that the model does not use, on a grid that the others share.
    unused : list of str
        The layers left out.

    Raises
    ------
    ModelError
        If a layer is missing or ambiguous.
    """
    cards = {
        spec.name: LayerCard(spec.name, spec.role, spec.unit, "" if guessed else spec.kind)
        for spec in project.layers
    }
    for spec in project.vectors:
        kind = "geometry" if spec.attribute is None else "categorical"
        cards[spec.name] = LayerCard(spec.name, spec.role, "", kind)
    bound = bind_cards(model.builder.layers_, cards, mapping)
    kinds = {binding.name: binding.card.kind for binding in bound.values()}
    used = set(kinds)
    if model.ground.permissive is not None:
        for test in model.ground.permissive.tests():
            wanted = str(test["layer"])
            used |= {n for n, card in cards.items() if n == wanted or matches(wanted, card.role)}
    unused = [name for name in cards if name not in used]
    grid = project.grid
    if grid.like in unused:
        # The layer that set the grid stays to set it.
        unused.remove(str(grid.like))
    layers = tuple(replace(s, kind=kinds.get(s.name, s.kind)) for s in project.layers)
    return replace(project, layers=layers).without(unused), unused


def score_tile(job: Job, window: Window) -> NDArray[np.float32]:
    """
    Score one tile; the same function runs serially, on threads and in processes.

    Trees are asked cell by cell, other estimators a lattice block at a time, so that the
    tile's size leaves no trace in sums.

    Returns
    -------
    array of shape (height, width), float32
        NaN where the ground does not count.
    """
    out = np.full((window.height, window.width), np.nan, np.float32)
    counts = job.model.ground.mask(job.stack, window, job.bindings)
    grid = Grid.of(job.stack)
    if job.exclude is not None and counts.any():
        counts &= ~area_mask(job.exclude.on(grid), grid, window)
    if not counts.any():
        return out
    # Memory never touched before is slow: a thread's block serves all its tiles.
    space = own_workspace()
    shape = (len(job.model.feature_names), window.height, window.width)
    features = space.take(shape, np.dtype(np.float32))
    job.model.builder.compute(job.stack, window, job.bindings, features)
    counts &= ~_unknown(features, counts)
    out[:] = job.predictor.predict(features, counts)
    space.give(features)
    return out


def _unknown(features: NDArray[np.float32], counts: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of the cells that count have no feature at all."""
    unknown = counts
    for plane in features:
        unknown = unknown & np.isnan(plane)
        if not unknown.any():
            break
    return unknown


def plan(grid: Grid, features: int, tile: int | None = None) -> list[Window]:
    """
    Cut a grid into tiles of whole lattice blocks.

    Parameters
    ----------
    grid : Grid
    features : int
        Features of a cell, which set how many cells fit the memory of a tile.
    tile : int, optional
        Side in cells, rounded up to the lattice. By default tiles are a lattice block
        high and as wide as memory allows, since rows are read whole.

    Returns
    -------
    list of Window
    """
    if tile is not None:
        return list(tiles(grid.window, -(-tile // LATTICE) * LATTICE))
    blocks = max(1, TILE_BYTES // (4 * features * LATTICE * LATTICE))
    across = -(-grid.cols // LATTICE)
    width = min(blocks, across)
    height = max(1, blocks // across) if width == across else 1
    found = []
    for row in range(0, grid.rows, height * LATTICE):
        for col in range(0, grid.cols, width * LATTICE):
            window = Window(row, col, height * LATTICE, width * LATTICE)
            found.append(window.intersect(grid.window))
    return found


def _run(
    job: Job, windows: Sequence[Window], engine: str, workers: int, progress: Progress
) -> Iterator[tuple[Window, NDArray[np.float32]]]:
    """Scored tiles in order, few of them in flight."""
    backend = {"serial": "sequential", "threads": "threading", "processes": "loky"}[engine]
    cells = sum(window.height * window.width for window in windows)
    with progress(f"Scoring {job.model.commodity}", cells, "cells") as done:
        pool = Parallel(
            n_jobs=workers, backend=backend, return_as="generator", pre_dispatch=2 * workers
        )
        # Closing the generator is what stops the workers when something fails here.
        with closing(pool(delayed(score_tile)(job, window) for window in windows)) as results:
            for window, block in zip(windows, results, strict=True):
                yield window, block
                done(window.height * window.width)


def _to_file(
    job: Job,
    windows: Sequence[Window],
    output: Path,
    engine: str,
    workers: int,
    compress: str,
    progress: Progress,
) -> Path:
    model, grid = job.model, Grid.of(job.stack)
    if output.suffix.lower() not in (".tif", ".tiff"):
        raise OutputError(f"The map is a GeoTIFF, so its name ends in .tif, not '{output.name}'.")
    require_writable_folder(output)
    tags = {
        "COMMODITY": model.commodity,
        "CONTENT": "likelihood: a relative score from 0 to 1, not a probability",
        "QUALITY": model.quality().replace("\n", "; "),
        "DISCLAIMER": DISCLAIMER,
        "SOFTWARE": f"prospect {__version__}",
    }
    style_stride = max(1, int(np.ceil(np.sqrt(grid.rows * grid.cols / STYLE_CELLS))))
    seen: list[NDArray[np.float32]] = []
    with CogWriter(
        output, grid, ["likelihood"], units=["1"], tags=tags, compress=compress
    ) as writer:
        for window, block in _run(job, windows, engine, workers, progress):
            writer.write(window, block[None])
            start = (-window.row % style_stride, -window.col % style_stride)
            some = block[start[0] :: style_stride, start[1] :: style_stride]
            seen.append(some[some == some])
        values = np.concatenate(seen)
        _require_some(values.size > 0 or any(True for _ in _valid_rows(writer)))
    title = f"{model.title}: likelihood"
    with atomic_path(output.with_suffix(".qml")) as path:
        path.write_text(qgis_style(thresholds(values), title), encoding="utf-8")
    with atomic_path(output.with_suffix(".manifest.json")) as path:
        text = json.dumps(_manifest(job, grid, output), ensure_ascii=False, indent=1)
        path.write_text(text + "\n", encoding="utf-8")
    return output


def _valid_rows(writer: CogWriter) -> Iterator[NDArray[np.float32]]:
    """Lattice rows with any score in them."""
    for _, cells in writer.rows(0):
        if (cells == cells).any():
            yield cells


def _require_some(any_cell: bool) -> None:
    if not any_cell:
        raise GridError(
            "No cell could be scored: required layers, area and permissive ground leave nothing "
            "in common. Check with 'prospect inspect' that the layers overlap."
        )


def _dataset(model: Model, grid: Grid, values: NDArray[np.float32]) -> xr.Dataset:
    attrs = {
        "units": "1",
        "long_name": f"likelihood of {model.commodity}",
        "content": "a relative score from 0 to 1, not a probability",
    }
    layer = xr.DataArray(values, coords=grid.coordinates(), dims=("y", "x"), attrs=attrs)
    return xr.Dataset({"likelihood": layer}, attrs={"disclaimer": DISCLAIMER})


def _manifest(job: Job, grid: Grid, output: Path) -> dict[str, Any]:
    """What made the map; no time, path of the output or worker count."""
    layers = {}
    for name, binding in job.bindings.items():
        source = str(job.stack[binding.name].attrs.get("source", ""))
        known = source and Path(source).exists()
        layers[name] = {
            "given_as": binding.name,
            "source": Path(source).name,
            "sha256": sha256(Path(source)) if known else None,
            "resampling": str(job.stack[binding.name].attrs.get("resampling", "")),
            "alignment": str(job.stack[binding.name].attrs.get("alignment", "")),
            "factor": binding.factor,
        }
    return {
        "map": {"name": output.name, "sha256": sha256(output)},
        "prospect": __version__,
        "versions": versions(),
        "commodity": job.model.commodity,
        "quality": job.model.measures.to_dict(orient="records"),
        "ground": job.model.ground.to_dict(),
        "grid": {
            "crs": grid.crs.to_wkt(),
            "transform": list(grid.transform)[:6],
            "shape": list(grid.shape),
        },
        "layers": layers,
        "training": dict(job.model.record),
        "disclaimer": DISCLAIMER,
    }
