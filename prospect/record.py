"""What a sceptical reader would ask for: hashes, versions, what was done, as plain data."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from prospect._version import __version__
from prospect.commodities import Commodity
from prospect.features import FeatureBuilder
from prospect.grid import Grid
from prospect.labels import Labels
from prospect.own import said_of, too_fine


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal; of a folder, that of its files in order."""
    digest = hashlib.sha256()
    files = sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
    for file in files:
        with file.open("rb") as stream:
            while chunk := stream.read(2**20):
                digest.update(chunk)
    return digest.hexdigest()


def record_of(
    stack: xr.Dataset,
    grid: Grid,
    counts: NDArray[np.bool_],
    labels: Labels,
    builder: FeatureBuilder,
    commodity: Commodity,
    splitters: Mapping[str, Any],
    random_state: int,
) -> dict[str, Any]:
    """What a sceptical reader would ask for, as plain data."""
    sources = {name: Path(str(stack[name].attrs.get("source", ""))) for name in builder.layers_}
    return {
        "prospect": __version__,
        "versions": versions(),
        "deposit_model": commodity.model,
        "definition": commodity.digest,
        "grid": {
            "crs": grid.crs.to_wkt(),
            "transform": list(grid.transform)[:6],
            "shape": list(grid.shape),
            "ground_cells": int(counts.sum()),
        },
        "random_state": random_state,
        "folds": {name: _parameters(each) for name, each in splitters.items()},
        "labels": {"deposits": labels.deposits, **labels.counts},
        "notes": [*labels.notes, *builder.notes_, *too_fine(stack)],
        # Rows that others build on are steps, not evidence.
        "missing_rows": [spec.name for spec in builder.missing_ if spec.keep],
        "inputs": {
            name: {"file": source.name, "sha256": sha256(source), **said_of(stack[name])}
            for name, source in sources.items()
            if source.name and source.exists()
        },
    }


def versions() -> dict[str, str]:
    """Versions of what the arithmetic rests on."""
    names = ("numpy", "scipy", "scikit-learn", "numba", "rasterio", "xarray", "pyproj")
    found = {name: importlib.metadata.version(name) for name in names}
    return {"python": platform.python_version(), **found}


def _parameters(splitter: Any) -> dict[str, Any]:
    plain = (bool, int, float, str)
    settings = {k: v for k, v in vars(splitter).items() if not k.endswith("_")}
    return {k: v for k, v in settings.items() if isinstance(v, plain)}
