"""A map is checked against its manifest: files, layers and model are those that it names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prospect.errors import OutputError
from prospect.model import load_model
from prospect.raster import require_file
from prospect.record import sha256

MAX_MANIFEST = 64 * 2**20
"""Largest manifest that is read, in bytes."""
MAX_NAME = 255
"""Longest name of a file, in bytes, that the usual file systems hold."""


@dataclass(frozen=True)
class Finding:
    """
    One thing that a manifest names.

    Attributes
    ----------
    what : str
        The file or layer.
    holds : bool or None
        Whether it is what the manifest says; None where that could not be looked at.
    says : str
    """

    what: str
    holds: bool | None
    says: str


def verify_map(
    output: Path | str,
    *,
    sources: Mapping[str, Path] | None = None,
    model: Path | str | None = None,
) -> list[Finding]:
    """
    Check a map against the manifest beside it.

    Parameters
    ----------
    output : path
        The map; its manifest is ``<name>.manifest.json``.
    sources : mapping of name to path, optional
        Layers to compare with those that the map was made of, by name or file name.
    model : path, optional
        The model that is said to have made it.

    Returns
    -------
    list of Finding
        Of the map and each file beside it, every layer, and the model where given.

    Raises
    ------
    OutputError
        If there is no manifest, or it cannot be understood.
    ModelError
        If the model cannot be read.
    """
    output = require_file(output)
    manifest = read_manifest(output.with_suffix(".manifest.json"))
    try:
        files = {str(k): str(v) for k, v in _files(manifest).items()}
        layers = {str(name): dict(said) for name, said in manifest["layers"].items()}
        if output.name not in files:
            raise OutputError(
                f"The manifest is of {', '.join(files)}, but {output.name} was to be checked: was "
                "the map renamed?"
            )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(
            f"The manifest of {output} is not one of a map ({type(error).__name__}: {error}): "
            "score again."
        ) from error
    found = [_file(output.with_name(name), name, said) for name, said in files.items()]
    found += [_layer(name, said, sources) for name, said in layers.items()]
    if model is not None:
        found.append(_model(Path(model), manifest))
    return found


def read_manifest(path: Path) -> dict[str, Any]:
    """
    The manifest of a map, as plain data.

    Raises
    ------
    OutputError
        If it is missing, far too long or no JSON object.
    """
    if not path.is_file():
        raise OutputError(
            f"There is no {path}: a map is checked against the manifest that 'prospect score' "
            "writes beside it."
        )
    try:
        if path.stat().st_size > MAX_MANIFEST:
            raise ValueError(f"more than {MAX_MANIFEST >> 20} MB")
        manifest = json.loads(path.read_bytes())
        if not isinstance(manifest, dict):
            raise ValueError("no object")
    except (OSError, ValueError, RecursionError) as error:
        raise OutputError(f"{path} cannot be read ({error}): score again.") from error
    return manifest


def _files(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The files of a map by name, none of them in another folder."""
    files = {manifest["map"]["name"]: manifest["map"]["sha256"], **manifest.get("files", {})}
    for name in files:
        if not isinstance(name, str) or not name or Path(name).name != name:
            raise ValueError(f"'{name}' is not beside it")
        if len(name.encode()) > MAX_NAME:
            raise ValueError(f"a file's name of {len(name.encode())} bytes")
    return files


def _file(path: Path, name: str, said: str) -> Finding:
    if not path.is_file():
        return Finding(name, False, "is missing")
    holds = sha256(path) == said
    return Finding(name, holds, "as written" if holds else "has been changed since it was written")


def _layer(name: str, said: Mapping[str, Any], sources: Mapping[str, Path] | None) -> Finding:
    what, source = f"layer {name}", str(said.get("source", ""))
    if said.get("sha256") is None:
        return Finding(what, None, "not checked: it came from no file")
    given = None
    if sources is not None:
        by_file = {path.name: path for path in sources.values()}
        given = sources.get(str(said.get("given_as"))) or by_file.get(source) or sources.get(name)
    if given is None:
        return Finding(what, None, f"not checked: {source} was not given")
    holds = sha256(require_file(given)) == said["sha256"]
    return Finding(what, holds, f"{given} is {'' if holds else 'not '}what the map was made of")


def _model(path: Path, manifest: Mapping[str, Any]) -> Finding:
    """Whether a model has the record and the measures that the manifest quotes."""
    known = manifest.get("model")
    if isinstance(known, Mapping) and "sha256" in known:
        holds = sha256(require_file(path)) == known["sha256"]
    else:
        model = load_model(path, any_version=True)
        quality = model.measures.to_dict(orient="records")
        holds = _plain(model.record) == _plain(manifest.get("training")) and _plain(
            quality
        ) == _plain(manifest.get("quality"))
    return Finding(
        f"model {path.name}", holds, "made the map" if holds else "is not the one that made the map"
    )


def _plain(value: Any) -> str:
    """Data as the manifest would hold them."""
    if isinstance(value, Mapping):
        value = dict(value)
    return json.dumps(value, sort_keys=True, default=str)
