"""Project files, manifests and model files are changed at random; whatever comes is a sentence.

``python tests/fuzz_files.py atheris 60`` lets atheris (``pip install .[fuzz]``) look for a minute
for what is no sentence; ``python tests/fuzz_files.py mutate 10000`` changes real model files from
fixed seeds, in processes whose hook notes code, processes and connections.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

MEMORY = 4 * 2**30
SECONDS = 10
BATCH = 500

LEARNERS = ("trees", "boosting", "logistic", "woe")

FORBIDDEN = (
    "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec", "os.fork",
    "os.posix_spawn", "pty.spawn", "ctypes.dlopen", "shutil.rmtree", "os.remove",
    "pickle.find_class",
)  # fmt: skip


def good_models(folder: Path, wanted: tuple[str, ...] = LEARNERS) -> list[Path]:
    """Model files of several learners, of a tiny region."""
    from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier

    from prospect.project import load_project
    from prospect.stack import open_stack
    from prospect.synthetic import make_region, write_region
    from prospect.training import train

    region = write_region(make_region(0, shape=(60, 80), cell=1000.0), folder / "region")
    world = load_project(region)
    learners = {
        "trees": ExtraTreesClassifier(5, max_depth=5, random_state=0),
        "boosting": HistGradientBoostingClassifier(max_iter=5, random_state=0),
        "logistic": "logistic",
        "woe": "woe",
    }
    made = []
    for name in wanted:
        model = train(
            open_stack(world),
            world.occurrences,
            "gold",
            estimator=learners[name],
            background=200,
            workers=1,
        )
        made.append(model.save(folder / f"{name}.prospect"))
    return made


def parts_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def change(data: bytes, rng: random.Random) -> bytes:
    """A model file changed outside, in a part, in a part of a part, or in its numbers."""
    from hostile_files import mutate

    if rng.random() < 0.15:
        return mutate(data, rng)
    parts = parts_of(data)
    name = rng.choice(list(parts))
    if name == "manifest.json":
        parts[name] = _change_json(parts[name], rng)
    elif rng.random() < 0.15:
        parts[name] = mutate(parts[name], rng)
    else:
        inner = parts_of(parts[name])
        member = rng.choice(list(inner))
        if member == "schema.json":
            inner[member] = _change_json(inner[member], rng)
        elif member.endswith(".npy") and rng.random() < 0.7:
            inner[member] = _change_array(inner[member], rng)
        else:
            inner[member] = mutate(inner[member], rng)
        parts[name] = packed(inner)
    return packed(parts)


def _change_json(data: bytes, rng: random.Random) -> bytes:
    """Another value somewhere in the tree; what code could be called by, among them."""
    from hostile_files import mutate

    if rng.random() < 0.3:
        return mutate(data, rng)
    tree = json.loads(data)
    places = list(_places(tree))
    for _ in range(rng.randint(1, 3)):
        holder, key = rng.choice(places)
        holder[key] = rng.choice([
            None, 0, -1, 2**63, 1e308, True, "", "os", "system", "builtins", "eval", "subprocess",
            "FunctionNode", "MethodNode", "ReduceNode", "TypeNode", "ObjectNode", "posix",
            "sklearn.utils", "prospect.models", "__reduce__", [], {}, [1], {"a": 1}, "é" * 50,
        ])  # fmt: skip
    return json.dumps(tree).encode()


def _places(node: object):
    if isinstance(node, dict | list):
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in list(items):
            yield node, key
            yield from _places(value)


def _change_array(data: bytes, rng: random.Random) -> bytes:
    """Other numbers behind a header that stays right: indices of trees, among them."""
    changed = bytearray(data)
    start = 10 + struct.unpack_from("<H", changed, 8)[0]
    if start >= len(changed):
        return data
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(start, len(changed))
        some = struct.pack("<q", rng.choice([-1, -7, 0, 1, 2**31, 2**62, -(2**63), 7, 10**6]))
        size = rng.choice((1, 4, 8))
        changed[at : at + size] = some[: min(size, len(changed) - at)]
    return bytes(changed)


def attempt(path: Path) -> str:
    """What loading a model file, and asking it, comes to."""
    import numpy as np

    from prospect.errors import ProspectError
    from prospect.inference import compile_estimator
    from prospect.model import load_model

    try:
        model = load_model(path)
        features = np.random.default_rng(0).normal(size=(len(model.feature_names), 8, 8))
        features = features.astype(np.float32)
        features[0, 0] = np.nan
        predictor = compile_estimator(model.estimator)
        predictor.predict(features, np.ones((8, 8), bool))
        return "loaded"
    except ProspectError as error:
        return "refused" if "\n" not in str(error) else f"long: {error!r}"


def child(folder: Path, start: int, count: int) -> None:
    """Try changed files one after the other; a line each."""
    models = [path.read_bytes() for path in sorted(folder.glob("*.prospect"))]
    for path in sorted(folder.glob("*.prospect")):
        attempt(path)  # what a good file imports and compiles is imported and compiled
    known = set(sys.modules)
    events: list[str] = []

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in FORBIDDEN:
            events.append(f"{event} {arguments!r}"[:200])
        elif event == "import" and arguments[0] not in known:
            top = str(arguments[0]).split(".")[0]
            if top not in ("sklearn", "prospect", "numpy", "scipy", "skops", "encodings"):
                events.append(f"import {arguments[0]}")
        elif event in ("exec", "compile") and "<string>" in repr(arguments)[:300]:
            events.append(f"{event} {arguments!r}"[:200])

    sys.addaudithook(hook)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    target = folder / f"changed-{start}.bin"
    for number in range(start, start + count):
        rng = random.Random(number)
        target.write_bytes(change(models[number % len(models)], rng))
        events.clear()
        print(json.dumps(["start", number]), flush=True)
        begin = time.monotonic()
        try:
            said = attempt(target)
        except Exception as error:  # noqa: BLE001
            said = f"{type(error).__name__}: {error}"[:300]
        took = time.monotonic() - begin
        print(json.dumps(["end", number, said, took, events]), flush=True)


def mutate_models(count: int) -> int:
    """Change real model files ``count`` times; print what became of them."""
    said: Counter[str] = Counter()
    bad: list[object] = []
    longest = 0.0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        good_models(folder)
        next_one = 0
        while next_one < count:
            size = min(BATCH, count - next_one)
            command = [sys.executable, __file__, "child", str(folder), str(next_one), str(size)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                last, finished = next_one, next_one
                for line in process.stdout:
                    kind, last, *rest = json.loads(line)
                    if kind == "end":
                        finished = last + 1
                        outcome, took, events = rest
                        longest = max(longest, took)
                        well = outcome in ("loaded", "refused") and not events and took < SECONDS
                        said[outcome if well else "not well"] += 1
                        if not well:
                            bad.append([last, *rest])
            if finished < next_one + size:
                said["crash"] += 1
                bad.append([last, f"crash {process.returncode}"])
                finished = last + 1
            next_one = finished
            print(f"{next_one}: {dict(said)}", flush=True)
    print(f"{count} changed model files: {dict(said)}; longest {longest:.2f} s")
    for each in bad[:40]:
        print(" ", each)
    return 1 if bad else 0


def look(seconds: int) -> int:
    """Let atheris look for inputs that come to anything but a sentence."""
    with tempfile.TemporaryDirectory() as temporary:
        # Of a process of its own: what is instrumented computes slowly.
        subprocess.run([sys.executable, __file__, "models", temporary], check=True)
        return _look(Path(temporary), seconds)


def _look(folder: Path, seconds: int) -> int:
    import atheris

    # What parses, and not what computes: instrumenting all takes longer than the minute.
    parsers = ["model", "model_file", "project", "verification", "features.recipe"]
    with atheris.instrument_imports(include=[f"prospect.{name}" for name in parsers]):
        from prospect.errors import ProspectError
        from prospect.model import load_model
        from prospect.project import FILE_NAME, load_project
        from prospect.verification import verify_map
    models = [folder / "woe.prospect", folder / "trees.prospect"]
    corpus = folder / "corpus"
    corpus.mkdir()
    (folder / "map.tif").write_bytes(b"map")
    parts = parts_of(models[1].read_bytes())
    manifest = {"map": {"name": "map.tif", "sha256": ""}, "layers": {"a": {"sha256": ""}}}
    seeds = [
        b"p" + (next(folder.glob("region*")) / FILE_NAME).read_bytes(),
        b"m" + json.dumps(manifest).encode(),
        b"j" + parts["manifest.json"],
        b"s" + parts_of(parts["estimator.skops"])["schema.json"],
        b"z" + models[0].read_bytes(),
    ]
    for number, seed in enumerate(seeds):
        (corpus / str(number)).write_bytes(seed)
    inner = parts_of(parts["estimator.skops"])

    def one(data: bytes) -> None:
        kind, rest = data[:1], data[1:]
        path = folder / "fuzzed.prospect"
        calls: dict[bytes, Callable[[], object]] = {
            b"p": lambda: load_project(folder),
            b"m": lambda: verify_map(folder / "map.tif"),
        }
        if kind == b"p":
            (folder / FILE_NAME).write_bytes(rest)
        elif kind == b"m":
            (folder / "map.manifest.json").write_bytes(rest)
        elif kind == b"j":
            path.write_bytes(packed({**parts, "manifest.json": rest}))
        elif kind == b"s":
            skops = packed({**inner, "schema.json": rest})
            path.write_bytes(packed({**parts, "estimator.skops": skops}))
        else:
            path.write_bytes(rest)
        with contextlib.suppress(ProspectError):
            calls.get(kind, lambda: load_model(path))()

    arguments = [sys.argv[0], f"-max_total_time={seconds}", f"-timeout={SECONDS}", "-seed=1"]
    arguments += ["-rss_limit_mb=4096", "-max_len=100000", f"-artifact_prefix={Path.cwd()}/"]
    atheris.Setup([*arguments, "-print_final_stats=1", str(corpus)], one)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "models":
        good_models(Path(rest[0]), ("woe", "trees"))
        sys.exit(0)
    if what == "child":
        child(Path(rest[0]), int(rest[1]), int(rest[2]))
        sys.exit(0)
    sys.exit({"atheris": look, "mutate": mutate_models}[what](int(rest[0])))
