"""What a map is written as: a GeoTIFF, a QGIS style and a manifest; or a Dataset."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from prospect._version import __version__
from prospect.errors import GridError, OutputError
from prospect.grid import Grid, Window
from prospect.model import Model
from prospect.progress import Progress
from prospect.raster import CogBand, CogWriter, atomic_path, require_writable_folder
from prospect.record import sha256, versions
from prospect.scoring.engines import run_tiles
from prospect.scoring.tile import Job
from prospect.styles import qgis_style, thresholds

DISCLAIMER = (
    "Not a Mineral Resource or an Exploration Target under JORC or NI 43-101; no sign-off by a "
    "Competent or Qualified Person. Не является подсчётом запасов (A, B, C1, C2) и не оценкой "
    "прогнозных ресурсов (P1–P3)."
)

STYLE_CELLS = 4_000_000


def write_map(
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
        output, grid, [CogBand("likelihood", "1")], tags=tags, compress=compress
    ) as writer:
        for window, block in run_tiles(job, windows, engine, workers, progress):
            writer.write(window, block[None])
            start = (-window.row % style_stride, -window.col % style_stride)
            some = block[start[0] :: style_stride, start[1] :: style_stride]
            seen.append(some[some == some])
        values = np.concatenate(seen)
        require_some(values.size > 0 or any(True for _ in _valid_rows(writer)))
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


def require_some(any_cell: bool) -> None:
    if not any_cell:
        raise GridError(
            "No cell could be scored: required layers, area and permissive ground leave nothing "
            "in common. Check with 'prospect inspect' that the layers overlap."
        )


def as_dataset(model: Model, grid: Grid, values: NDArray[np.float32]) -> xr.Dataset:
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
