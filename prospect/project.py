"""prospect.toml: which files are which evidence, in words a geologist can correct."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from prospect.errors import ProjectError
from prospect.raster import atomic_path

FORMAT = 1
FILE_NAME = "prospect.toml"
KINDS = ("continuous", "categorical")
MEDIA = ("stream", "soil", "rock")

_UNSAID = {"sign": "", "vintage": "", "survey": "", "medium": ""}
_PARTS = ("grid", "layers", "vectors", "occurrences")
_WANTED = {
    "str": "a text in quotes",
    "str | None": "a text in quotes",
    "Path": "a path in quotes",
    "int": "a whole number",
    "bool": "true or false",
    "float | None": "a number",
    "tuple[float, float, float, float] | None": "[west, south, east, north]",
}


@dataclass(frozen=True)
class LayerSpec:
    """
    One raster layer.

    Attributes
    ----------
    name, path : str, Path
    band : int
        Counted from 1.
    role : str
        What it is for, such as ``geochemistry.Sb``.
    unit : str
        Empty when unknown.
    kind : 'continuous' or 'categorical'
    required : bool
        Whether a gap here is a gap in the map.
    resampling : str or None
        Instead of the default for its kind.
    nodata : float or None
        Instead of what the file declares.
    classes : mapping of int to str
        Names of class codes.
    sign : '+', '-', '0', '∩' or ''
        How likelihood goes with evidence of the user's own; such a layer becomes a feature
        whatever the commodity says. Empty for a layer that the commodity's rows name.
    scale : float or None
        Metres that evidence of the user's own is told at.
    confidence : float or None
        From 0 to 1, for the report.
    source_scale : float or None
        Denominator of the map it was drawn from.
    vintage : str
        Year of the survey.
    medium : 'stream', 'soil', 'rock' or ''
        What assays were taken of.
    survey : str
        Whose map it is.
    """

    name: str
    path: Path
    band: int = 1
    role: str = ""
    unit: str = ""
    kind: str = "continuous"
    required: bool = False
    resampling: str | None = None
    nodata: float | None = None
    classes: Mapping[int, str] = field(default_factory=dict)
    sign: str = ""
    scale: float | None = None
    confidence: float | None = None
    source_scale: float | None = None
    vintage: str = ""
    medium: str = ""
    survey: str = ""
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class VectorSpec:
    """
    One vector file, or a part of it, that is burnt in as a layer; see :class:`LayerSpec`.

    ``attribute`` names the classes of polygons; where there is none, ``inside`` is the one
    class that they all are, and the ground around them is ``not`` it.
    """

    name: str
    path: Path
    role: str = ""
    layer: str | None = None
    where: str | None = None
    attribute: str | None = None
    inside: str | None = None
    crs: str | None = None
    sign: str = ""
    scale: float | None = None
    confidence: float | None = None
    source_scale: float | None = None
    vintage: str = ""
    survey: str = ""


@dataclass(frozen=True)
class OccurrenceSpec:
    """
    The file of known deposits, and its columns.

    ``of`` is the commodity of every row, where no column tells it.
    """

    path: Path
    commodity: str | None = None
    of: str | None = None
    status: str | None = None
    label: str | None = None
    crs: str | None = None
    x: str | None = None
    y: str | None = None


@dataclass(frozen=True)
class GridSpec:
    """The grid: like a layer, or coordinate system, cell size and bounds."""

    like: str | None = None
    crs: str | None = None
    cell: float | None = None
    bounds: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Project:
    """All of a prospect.toml; paths are joined to its folder when it is read."""

    folder: Path
    grid: GridSpec = GridSpec()
    layers: tuple[LayerSpec, ...] = ()
    vectors: tuple[VectorSpec, ...] = ()
    occurrences: OccurrenceSpec | None = None

    def without(self, names: Iterable[str]) -> Project:
        """
        The project less some layers or vectors.

        Raises
        ------
        ProjectError
            If a name is none of them.
        """
        known = [spec.name for spec in self.layers] + [spec.name for spec in self.vectors]
        names = list(names)
        for name in names:
            if name not in known:
                raise ProjectError(f"There is no layer '{name}'; known: {', '.join(known)}.")
        return replace(
            self,
            layers=tuple(spec for spec in self.layers if spec.name not in names),
            vectors=tuple(spec for spec in self.vectors if spec.name not in names),
        )


def load_project(path: Path | str) -> Project:
    """
    Read a project.

    Parameters
    ----------
    path : path
        A folder with a ``prospect.toml``, or the file itself.

    Raises
    ------
    ProjectError
        If the file is missing, is no TOML, or says what is not understood.
    """
    path = Path(path)
    file = path / FILE_NAME if path.is_dir() else path
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise ProjectError(
            f"There is no {file}: make one with 'prospect init FOLDER -o {file.parent}', or give "
            "the layers themselves."
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise ProjectError(f"{file} cannot be read as TOML: {error}") from error
    version = data.pop("format", None)
    if type(version) is not int or version != FORMAT:
        raise ProjectError(
            f"{file} has format = {version!r}, but {FORMAT} was expected: write format = {FORMAT} "
            "at its top, or update prospect."
        )
    folder = file.parent
    unknown = set(data) - set(_PARTS)
    if unknown:
        raise ProjectError(
            f"{file} has an unknown part [{min(unknown)}]; known: {', '.join(_PARTS)}."
        )
    grid = _build(GridSpec, data.get("grid", {}), f"{file} [grid]")
    layers = tuple(
        _layer(name, table, folder, file) for name, table in _tables(data, "layers", file)
    )
    vectors = tuple(
        _located(VectorSpec, table, folder, f"{file} [vectors.{name}]", name=name)
        for name, table in _tables(data, "vectors", file)
    )
    names = [spec.name for spec in (*layers, *vectors)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ProjectError(f"{file} names both a layer and a vector '{twice}': rename one.")
    occurrences = None
    if "occurrences" in data:
        occurrences = _located(OccurrenceSpec, data["occurrences"], folder, f"{file} [occurrences]")
    if grid.like is not None and grid.like not in [spec.name for spec in layers]:
        raise ProjectError(f"{file} [grid]: like = '{grid.like}' is none of the layers.")
    return Project(folder, grid, layers, vectors, occurrences)


def write_project(project: Project, path: Path | str) -> None:
    """
    Write a prospect.toml; doubts stand in it as comments.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    path = Path(path)
    lines = [
        "# Which files are which evidence. Correct what is wrong; 'prospect inspect' shows it.",
        f"format = {FORMAT}",
        "",
        "[grid]",
    ]
    lines += _entries(project.grid, {}, path.parent)
    for layer in project.layers:
        lines += ["", f"[layers.{_key(layer.name)}]"]
        lines += [f"# doubtful: {' '.join(doubt.split())}" for doubt in layer.doubts]
        lines += _entries(layer, _UNSAID, path.parent, skip=("name", "doubts", "classes"))
        if layer.classes:
            lines += [f"[layers.{_key(layer.name)}.classes]"]
            lines += [f"{code} = {_value(name)}" for code, name in layer.classes.items()]
    for vector in project.vectors:
        lines += ["", f"[vectors.{_key(vector.name)}]"]
        lines += _entries(vector, _UNSAID, path.parent, skip=("name",))
    if project.occurrences is not None:
        lines += ["", "[occurrences]", *_entries(project.occurrences, {}, path.parent)]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def add_layer(spec: LayerSpec | VectorSpec, path: Path | str) -> None:
    """
    Add a layer at the end of a prospect.toml, whose comments and order stay.

    Raises
    ------
    ProjectError
        If the name is taken, or the file would not be understood.
    OutputError
        If the file cannot be written.
    """
    file = Path(path) / FILE_NAME if Path(path).is_dir() else Path(path)
    project = load_project(file)
    names = [layer.name for layer in project.layers] + [v.name for v in project.vectors]
    if spec.name in names:
        raise ProjectError(f"{file} has a layer '{spec.name}' already: name this one otherwise.")
    part = "vectors" if isinstance(spec, VectorSpec) else "layers"
    lines = [f"[{part}.{_key(spec.name)}]"]
    skip = ("name", "doubts", "classes")
    lines += _entries(spec, _UNSAID, file.parent, skip=skip)
    text = file.read_text(encoding="utf-8-sig").rstrip() + "\n\n" + "\n".join(lines) + "\n"
    with atomic_path(file) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        load_project(temporary)


def _layer(name: str, table: dict[str, Any], folder: Path, file: Path) -> LayerSpec:
    where = f"{file} [layers.{name}]"
    table = dict(table)
    try:
        classes = {int(code): str(label) for code, label in table.pop("classes", {}).items()}
    except (ValueError, AttributeError) as error:
        raise ProjectError(f'{where}: classes are code = "name", one a line.') from error
    spec: LayerSpec = _located(LayerSpec, table, folder, where, name=name)
    if spec.kind not in KINDS:
        raise ProjectError(f"{where}: kind is {' or '.join(KINDS)}, not '{spec.kind}'.")
    if spec.medium not in ("", *MEDIA):
        raise ProjectError(f"{where}: medium is {', '.join(MEDIA)}, not '{spec.medium}'.")
    return replace(spec, classes=classes)


def _tables(data: Mapping[str, Any], part: str, file: Path) -> list[tuple[str, dict[str, Any]]]:
    found = data.get(part, {})
    if not isinstance(found, dict) or not all(isinstance(t, dict) for t in found.values()):
        raise ProjectError(f"{file}: [{part}] holds tables, as in [{part}.magnetics].")
    return list(found.items())


def _located(kind: Any, table: Mapping[str, Any], folder: Path, where: str, **known: str) -> Any:
    """A spec whose path starts from the folder of the project."""
    spec = _build(kind, table, where, **known)
    if not isinstance(spec.path, str) or not spec.path:
        raise ProjectError(f"{where} needs a path.")
    return replace(spec, path=folder / Path(spec.path))


def _build(kind: Any, table: Any, where: str, **given: str) -> Any:
    """A dataclass from a table and what is given; unknown keys and wrong types are refused."""
    if not isinstance(table, Mapping):
        raise ProjectError(f"{where} is a table of key = value.")
    known = {f.name: str(f.type) for f in fields(kind) if f.name not in ("doubts", *given)}
    for key, value in table.items():
        if key not in known:
            raise ProjectError(f"{where} has an unknown key '{key}'; known: {', '.join(known)}.")
        if not _fits(value, known[key]):
            raise ProjectError(
                f"{where}: {key} = {_shown(value)} is not understood: {_WANTED[known[key]]} "
                "was expected."
            )
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}
    try:
        return kind(**given, **values)
    except TypeError as error:
        raise ProjectError(f"{where} is incomplete: it needs a path.") from error


def _fits(value: Any, wanted: str) -> bool:
    """Whether a value of a TOML file is of a field's type."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if wanted.startswith("tuple"):
        return isinstance(value, list) and len(value) == 4 and all(_fits(v, "float") for v in value)
    if wanted.startswith("float"):
        return number
    if wanted == "int":
        return number and isinstance(value, int)
    if wanted == "bool":
        return isinstance(value, bool)
    return isinstance(value, str)


def _shown(value: Any) -> str:
    return repr(value) if len(repr(value)) <= 60 else repr(value)[:57] + "..."


def _entries(
    spec: Any, defaults: Mapping[str, Any], folder: Path, skip: tuple[str, ...] = ()
) -> list[str]:
    lines = []
    for item in fields(spec):
        value = getattr(spec, item.name)
        if item.name in skip or value is None or value == defaults.get(item.name, ...):
            continue
        if isinstance(value, Path):
            value = _relative(value, folder)
        lines.append(f"{item.name} = {_value(value)}")
    return lines


def _relative(path: Path, folder: Path) -> str:
    """The path from the project's folder, so that both can move together."""
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive
        return path.resolve().as_posix()


def _key(name: str) -> str:
    plain = name.replace("_", "").replace("-", "")
    return name if plain.isascii() and plain.isalnum() else json.dumps(name, ensure_ascii=False)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    return json.dumps(str(value), ensure_ascii=False)
