"""The .prospect file: a zip of JSON, skops and arrays. Nothing in it can run."""

from __future__ import annotations

import io
import json
import re
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import skops.io
from numpy.typing import NDArray

from prospect.errors import ModelError, ProspectError
from prospect.raster import atomic_path, require_file
from prospect.raster.opening import one_line
from prospect.sound_trees import Claim, require_sound_states, require_sound_trees

FORMAT = 2
MAX_MEMBER = 2**30
"""Largest part of a model file, in bytes, when unpacked."""

MAX_RATIO = 1100
"""Largest compression of a part; deflate itself cannot pass 1,032."""

DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What parsers of archives, JSON and array headers raise of damaged ones."""

_MEMBERS = ("manifest.json", "estimator.skops", "samples.npz", "applicability.npz")

# Estimators that are taken apart and put together without running code of the file.
# skops trusts more by default; random generators, for one, can be made to crash.
_ALLOWED = re.compile(
    r"(sklearn\.(ensemble|linear_model|tree|impute|pipeline|preprocessing|naive_bayes|svm|"
    r"neighbors|discriminant_analysis|calibration|compose|feature_selection|decomposition|"
    r"isotonic|neural_network|gaussian_process|dummy|frozen|utils|_loss|cluster|base|"
    r"kernel_approximation|semi_supervised)(\.\w+)*\.\w+"
    r"|numpy\.(ndarray|dtype|dtypes\.\w+|bool|bool_|int8|int16|int32|int64|uint8|uint16|uint32|"
    r"uint64|float16|float32|float64|str_)"
    r"|builtins\.(dict|list|tuple|set|int|float|str|bool|NoneType|slice|type|bytes|bytearray)"
    r"|collections\.(OrderedDict|defaultdict)"
    r"|prospect\.models\.\w+\.[A-Z]\w+)"
)


@dataclass(frozen=True)
class Contents:
    """
    What a model file holds.

    Attributes
    ----------
    manifest : dict
        Plain data.
    estimator : fitted classifier
    samples : dict of str to array
    applicability : dict of str to array
        Empty if the model cannot say where it may be believed.
    """

    manifest: dict[str, Any]
    estimator: Any
    samples: dict[str, NDArray[Any]]
    applicability: dict[str, NDArray[Any]] = field(default_factory=dict)


def write_model_file(path: Path | str, contents: Contents) -> Path:
    """
    Write a model file, whole or not at all; the same contents are the same bytes.

    Parameters
    ----------
    path : path
        Ends in ``.prospect``.
    contents : Contents

    Returns
    -------
    Path

    Raises
    ------
    ModelError
        If the estimator holds what could not be loaded again.
    OutputError
        If the file cannot be written.
    """
    path = Path(path)
    estimator = _canonical(skops.io.dumps(contents.estimator))
    _require_loadable(contents.estimator, estimator)
    manifest = {"format": FORMAT, "scikit-learn": sklearn.__version__, **contents.manifest}
    text = json.dumps(manifest, ensure_ascii=False, indent=1, default=_plain)
    arrays = (_packed(each) for each in (contents.samples, contents.applicability))
    parts = (text.encode("utf-8"), estimator, *arrays)
    with (
        atomic_path(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name, content in zip(_MEMBERS, parts, strict=True):
            entry = _entry(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return path


def read_model_file(path: Path | str, *, any_version: bool = False) -> Contents:
    """
    Read a model file; nothing in it is run, and nothing is believed unchecked.

    Parameters
    ----------
    path : path
    any_version : bool
        Take a model that another minor version of scikit-learn made.

    Returns
    -------
    Contents

    Raises
    ------
    ModelError
        If the file is no model, is damaged or tampered with, or another version made it.
    """
    path = require_file(path)
    parts = _unpack(path)
    with damage_as_sentence(path):
        manifest = json.loads(parts["manifest.json"])
        if manifest["format"] != FORMAT:
            raise ModelError(
                f"{path} has model format {manifest['format']!r}, but {FORMAT} was expected: "
                "train again with this version."
            )
        _require_version(path, str(manifest["scikit-learn"]), any_version)
        estimator = _load_estimator(path, parts["estimator.skops"])
        arrays = (_load_arrays(path, parts[name]) for name in _MEMBERS[2:])
        return Contents(manifest, estimator, *arrays)


@contextmanager
def damage_as_sentence(path: Path) -> Iterator[None]:
    """Whatever a damaged file provokes, told as one."""
    try:
        yield
    except ProspectError:
        raise
    except DAMAGE as error:
        raise ModelError(
            f"{path} is damaged ({type(error).__name__}: {one_line(error)}): copy it again, or "
            "train again."
        ) from error


def _unpack(path: Path) -> dict[str, bytes]:
    """The parts of the archive, none larger than it may be."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(archive.namelist())
            if names == sorted(_MEMBERS[:3]):
                raise ModelError(
                    f"{path} is a model of format 1, which does not know where it may be believed: "
                    "train again with this version."
                )
            if names != sorted(_MEMBERS):
                raise ModelError(
                    f"{path} is not a prospect model: it holds {', '.join(names[:5]) or 'nothing'}."
                )
            return {name: _member(archive, name, path) for name in _MEMBERS}
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise ModelError(
            f"{path} is not a prospect model, or is damaged ({error}): give the .prospect file "
            "that 'prospect train' wrote."
        ) from error
    except zlib.error as error:
        raise ModelError(f"{path} is damaged ({error}): copy it again.") from error


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    info = archive.getinfo(name)
    if info.file_size > MAX_MEMBER or info.file_size > MAX_RATIO * max(1, info.compress_size):
        raise ModelError(
            f"{path}: {name} would unpack to {info.file_size / 1e6:.0f} MB, more than is accepted."
        )
    with archive.open(name) as member:
        content = member.read(info.file_size + 1)
    if len(content) != info.file_size:
        raise ModelError(f"{path}: {name} is not as long as it says: copy the file again.")
    return content


def _require_loadable(estimator: Any, data: bytes) -> None:
    """What is written must come back, and score as it did."""
    who = f"This estimator ({type(estimator).__name__})"
    _require_allowed(data, who)
    try:
        again = _load_estimator(Path(who), data)
        same = np.array_equal(_answers(again), _answers(estimator), equal_nan=True)
    except ProspectError as error:
        raise ModelError(f"{who} could not be loaded again: {error}") from error
    if not same:
        raise ModelError(
            f"{who} would score differently after loading, so a model file cannot hold it: use "
            "one of scikit-learn's or of prospect.models."
        )


def _answers(estimator: Any) -> NDArray[np.float64]:
    """Scores of a few made-up cells."""
    rng = np.random.default_rng(0)
    cells = rng.normal(size=(16, estimator.n_features_in_)).astype(np.float32)
    return np.asarray(estimator.predict_proba(cells), float)


def _load_estimator(path: Path, data: bytes) -> Any:
    """The estimator, after its types and its arrays have been looked at."""
    types = _require_allowed(data, f"{path}")
    arrays = _require_honest_arrays(path, data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            require_sound_states(path, json.loads(archive.read("schema.json")), arrays)
        estimator = skops.io.loads(data, trusted=[t for t in types if _ALLOWED.fullmatch(t)])
    except ProspectError:
        raise
    except Exception as error:
        raise ModelError(
            f"{path}: the estimator cannot be loaded ({type(error).__name__}: "
            f"{one_line(error)}): train again."
        ) from error
    require_sound_trees(path, estimator)
    try:
        _answers(estimator)
    except Exception as error:
        raise ModelError(
            f"{path}: the estimator cannot score ({type(error).__name__}: {one_line(error)}): "
            "train again."
        ) from error
    return estimator


def _require_allowed(data: bytes, who: str) -> list[str]:
    """The types in skops data, if each is on the list of this program, not of skops."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_MEMBER:
                raise ModelError(f"{who} holds an estimator larger than is accepted.")
            schema = json.loads(archive.read("schema.json"))
    except (zipfile.BadZipFile, KeyError, ValueError, RecursionError) as error:
        raise ModelError(f"{who} holds no estimator that can be read ({error}).") from error
    types = sorted(set(_types(schema)))
    refused = [name for name in types if not _ALLOWED.fullmatch(name)]
    if refused:
        raise ModelError(
            f"{who} holds a {refused[0]}, which a model file cannot hold: use estimators "
            "of scikit-learn or prospect.models, with whole numbers for random_state."
        )
    return types


def _canonical(data: bytes) -> bytes:
    """Skops data without memory addresses and dates, so that one model is one file."""
    names: dict[str, str] = {}

    def walk(node: Any) -> Any:
        if isinstance(node, list):
            return [walk(value) for value in node]
        if not isinstance(node, dict):
            return node
        node = {key: walk(value) for key, value in node.items()}
        for key in ("__id__", "file"):
            if key in node:
                stem, dot, suffix = str(node[key]).partition(".")
                if node.get("__loader__") == "JsonNode":
                    # Addresses of passing texts repeat by chance: each gets its own number.
                    stem = f"text {len(names)}"
                number = names.setdefault(stem, str(len(names)))
                node[key] = int(number) if key == "__id__" else number + dot + suffix
        return node

    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as target,
    ):
        schema = walk(json.loads(source.read("schema.json")))
        target.writestr(_entry("schema.json"), json.dumps(schema))
        for name in sorted(
            (name for name in source.namelist() if name != "schema.json"),
            key=lambda name: int(names[name.partition(".")[0]]),
        ):
            stem, dot, suffix = name.partition(".")
            target.writestr(_entry(names[stem] + dot + suffix), source.read(name))
    return out.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    """A member of an archive, of a date that never changes."""
    return zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))


def _types(node: Any) -> Iterator[str]:
    """Every module.class that a skops schema names."""
    if isinstance(node, dict):
        if "__class__" in node and "__module__" in node:
            yield f"{node['__module__']}.{node['__class__']}"
        if node.get("__loader__") in (
            "FunctionNode",
            "MethodNode",
            "PartialNode",
            "OperatorFuncNode",
        ):
            yield f"function.{node.get('__loader__')}"
        for value in node.values():
            yield from _types(value)
    elif isinstance(node, list):
        for value in node:
            yield from _types(value)


def _require_honest_arrays(path: Path, data: bytes) -> dict[str, Claim]:
    """An array's header must not claim more than the file holds: it is allocated first."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {
            name: _require_honest(path, archive.read(name))
            for name in archive.namelist()
            if name.endswith(".npy")
        }


def _require_honest(path: Path, content: bytes) -> Claim:
    """The shape and type of an array, if its bytes are as many."""
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(stream)
    except DAMAGE as error:
        raise ModelError(
            f"{path} holds an array that cannot be read ({one_line(error)})."
        ) from error
    claimed = int(np.prod([int(n) for n in shape], dtype=object)) * dtype.itemsize
    if dtype.hasobject or claimed != len(content) - stream.tell():
        raise ModelError(f"{path} holds an array that is not what it claims: train again.")
    return tuple(shape), dtype


def _packed(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays as one npz."""
    packed = io.BytesIO()
    np.savez_compressed(packed, allow_pickle=False, **arrays)
    return packed.getvalue()


def _load_arrays(path: Path, data: bytes) -> dict[str, NDArray[Any]]:
    arrays = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > MAX_MEMBER:
            raise ModelError(f"{path} holds samples larger than is accepted.")
        for info in archive.infolist():
            content = archive.read(info)
            _require_honest(path, content)
            arrays[info.filename.removesuffix(".npy")] = np.lib.format.read_array(
                io.BytesIO(content), allow_pickle=False
            )
    return arrays


def _require_version(path: Path, made_by: str, any_version: bool) -> None:
    if any_version or made_by.split(".")[:2] == sklearn.__version__.split(".")[:2]:
        return
    raise ModelError(
        f"{path} was made with scikit-learn {made_by}, but {sklearn.__version__} is installed, "
        "and scores may differ: train again, install that version, or insist with --any-version."
    )


def _plain(value: Any) -> Any:
    """Numbers of numpy as those of JSON."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
