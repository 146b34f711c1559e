"""What a map is made of: hashes of layers, model and settings; no time, path or worker."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from prospect._version import __version__
from prospect.grid import LATTICE, Grid, Window
from prospect.model import Model
from prospect.record import sha256, versions
from prospect.scoring.tile import Job
from prospect.stack import read_block


def made_of(model: Model, job: Job, workers: int = 1) -> dict[str, Any]:
    """
    What decides the map, as plain data for a manifest.

    Parameters
    ----------
    model : Model
    job : Job
        With the stack as the user gave it.
    workers : int
        Threads that hash files.
    """
    grid = Grid.of(job.stack)
    names = [binding.name for binding in job.bindings.values()]
    with ThreadPoolExecutor(workers) as pool:
        hashes = dict(zip(names, pool.map(lambda n: _hash(job.stack[n]), names), strict=True))
    layers = {}
    for name, binding in job.bindings.items():
        attrs = job.stack[binding.name].attrs
        layers[name] = {
            "given_as": binding.name,
            "source": Path(str(attrs.get("source", ""))).name,
            "sha256": hashes[binding.name],
            "resampling": str(attrs.get("resampling", "")),
            "alignment": str(attrs.get("alignment", "")),
            "factor": binding.factor,
        }
    exclude = job.exclude
    return {
        "prospect": __version__,
        "versions": versions(),
        "commodity": model.commodity,
        "quality": model.measures.to_dict(orient="records"),
        "bands": [
            {"name": b.name, "content": b.content, "unit": b.unit, "classes": b.classes}
            for b in job.maker.bands
        ],
        "ground": model.ground.to_dict(),
        "exclude": None if exclude is None else {"wkt": exclude.wkt, "crs": exclude.crs},
        "grid": {
            "crs": grid.crs.to_wkt(),
            "transform": list(grid.transform)[:6],
            "shape": list(grid.shape),
        },
        "layers": layers,
        "training": dict(model.record),
    }


def key_of(made: Mapping[str, Any], job: Job) -> str:
    """A hash of everything that decides the bytes of tiles."""
    digest = hashlib.sha256(json.dumps(made, sort_keys=True, default=str).encode())
    digest.update(fingerprint(job.builder.to_dict()).encode())
    digest.update(fingerprint(job.maker).encode())
    bound = {binding.name for binding in job.bindings.values()}
    # A permissive test may look at any layer, and where all evidence is drawn, what the stack
    # itself requires bounds the ground.
    drawn = all(job.stack[name].attrs.get("kind") == "geometry" for name in bound)
    for name in sorted(map(str, job.stack.data_vars)):
        layer = job.stack[name]
        asked = job.ground.permissive is not None or (drawn and bool(layer.attrs.get("required")))
        if name in bound or asked:
            plain = {k: v for k, v in layer.attrs.items() if k not in ("source", "features")}
            source = layer.attrs.get("features")
            burnt = [getattr(source, part, None) for part in ("layer", "where", "attribute", "crs")]
            told = json.dumps([name, plain, burnt], sort_keys=True, default=str)
            digest.update(told.encode())
        if name not in bound and asked:
            digest.update(_hash(layer).encode())
    for name, binding in job.bindings.items():
        settled = (name, binding.name, binding.factor, binding.recode, binding.card.to_dict())
        digest.update(fingerprint(settled).encode())
    return digest.hexdigest()


def fingerprint(value: Any) -> str:
    """A hash of plain data, arrays, dataclasses of them, and fitted estimators."""
    digest = hashlib.sha256()
    _feed(digest, value)
    return digest.hexdigest()


def _feed(digest: Any, value: Any) -> None:
    kind = type(value).__name__
    if value is None or isinstance(value, (bool, int, float, str, bytes, np.generic)):
        digest.update(f"{kind}:{value!r};".encode())
    elif isinstance(value, np.ndarray) and value.dtype.kind != "O":
        digest.update(f"array:{value.dtype.str}{value.shape};".encode())
        digest.update(np.ascontiguousarray(value).data)
    elif isinstance(value, Mapping):
        digest.update(f"mapping:{len(value)};".encode())
        for name, item in value.items():
            _feed(digest, name)
            _feed(digest, item)
    elif isinstance(value, (list, tuple)):
        digest.update(f"sequence:{len(value)};".encode())
        for item in value:
            _feed(digest, item)
    elif dataclasses.is_dataclass(value):
        digest.update(f"{kind};".encode())
        for field in dataclasses.fields(value):
            _feed(digest, getattr(value, field.name))
    else:
        import joblib

        digest.update(joblib.hash(value, hash_name="sha1").encode())


def _hash(layer: xr.DataArray) -> str:
    """Of a layer's file, or of its values where it has none."""
    source = str(layer.attrs.get("source", ""))
    if source and Path(source).exists():
        return sha256(Path(source))
    digest = hashlib.sha256()
    rows, cols = layer.sizes["y"], layer.sizes["x"]
    dtype = np.float32 if layer.dtype.kind == "f" else np.int32
    for row in range(0, rows, LATTICE):
        window = Window(row, 0, min(LATTICE, rows - row), cols)
        digest.update(read_block(layer, window, dtype).data)
    return digest.hexdigest()
