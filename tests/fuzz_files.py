"""Real model files are changed at random; whatever comes is a model or a sentence.

``python tests/fuzz_files.py mutate 10000`` changes them from fixed seeds, in processes whose hook
notes code, processes and connections.
"""

from __future__ import annotations

import io
import json
import random
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path

MEMORY = 4 * 2**30
SECONDS = 10
BATCH = 2500

LEARNERS = ("default", "trees", "boosting", "logistic", "woe")

FORBIDDEN = (
    "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec", "os.fork",
    "os.posix_spawn", "pty.spawn", "ctypes.dlopen", "shutil.rmtree", "os.remove",
    "pickle.find_class",
)  # fmt: skip


def good_models(folder: Path, wanted: tuple[str, ...] = LEARNERS) -> list[Path]:
    """Model files of several learners, of a tiny region."""
    from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier

    from prospect import learners as ours
    from prospect.project import load_project
    from prospect.stack import open_stack
    from prospect.synthetic import make_region, write_region
    from prospect.training import train

    # Few draws: what is loaded is of the same make, and loads in less time.
    ours.DRAWS, ours.LINES = 4, 5
    region = write_region(make_region(0, shape=(60, 80), cell=1000.0), folder / "region")
    world = load_project(region)
    learners = {
        "default": "extra-trees",
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
    if rng.random() < 0.08:
        _shuffle(parts, rng)
    elif name == "manifest.json":
        parts[name] = _change_json(parts[name], rng)
    elif rng.random() < 0.15:
        parts[name] = mutate(parts[name], rng)
    else:
        inner = parts_of(parts[name])
        member = rng.choice(list(inner))
        if rng.random() < 0.1:
            _shuffle(inner, rng)
        elif member == "schema.json":
            inner[member] = _change_json(inner[member], rng)
        elif member.endswith(".npy") and rng.random() < 0.7:
            changed = _change_header if rng.random() < 0.2 else _change_array
            inner[member] = changed(inner[member], rng)
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


def _shuffle(parts: dict[str, bytes], rng: random.Random) -> None:
    """Members of an archive that change places, go, or get names that lead elsewhere."""
    names = list(parts)
    one, other = rng.choice(names), rng.choice(names)
    kind = rng.choice(("swap", "drop", "copy", "name"))
    if kind == "swap":
        parts[one], parts[other] = parts[other], parts[one]
    elif kind == "drop":
        del parts[one]
    elif kind == "copy":
        parts[one] = parts[other]
    else:
        name = rng.choice(("../outside", "/tmp/outside", "a/../b", "con", "é" * 300, " ", one * 2))
        parts[name] = parts.pop(one)


def _change_header(data: bytes, rng: random.Random) -> bytes:
    """An array whose header claims another shape, type or order."""
    end = 10 + struct.unpack_from("<H", data, 8)[0]
    said = rng.choice((
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2305843009213693952,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<f8', 'fortran_order': True, 'shape': (0, 9223372036854775807), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (), }",
        "{'descr': [('a', '<i8'), ('b', '|O')], 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (1,), }",
        "__import__('os').system('true')",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (" + "(" * 200 + "), }",
    )).encode()  # fmt: skip
    head = data[:8] if rng.random() < 0.8 else data[:6] + bytes((rng.randrange(5), 0))
    wide = "<H" if head[6] < 2 else "<I"
    return head + struct.pack(wide, len(said)) + said + data[end:]


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
    import numba.core.boxing
    import numba.core.runtime.context  # noqa: F401 - else at the first kernel of a new kind

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
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    target = folder / f"changed-{start}.bin"
    for number in range(start, start + count):
        rng = random.Random(number)
        target.write_bytes(change(models[number % len(models)], rng))
        events.clear()
        print(json.dumps(["start", number]), flush=True)
        begin, busy = time.monotonic(), time.process_time()
        signal.alarm(SECONDS)  # whatever it is in the middle of, the system ends it
        try:
            said = attempt(target)
        except Exception as error:  # noqa: BLE001
            said = f"{type(error).__name__}: {error}"[:300]
        signal.alarm(0)
        took, busy = time.monotonic() - begin, time.process_time() - busy
        print(json.dumps(["end", number, said, took, busy, peak_memory(), events]), flush=True)


def peak_memory() -> int:
    """Of this process, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def mutate_models(count: int) -> int:
    """Change real model files ``count`` times; print what became of them."""
    said: Counter[str] = Counter()
    bad: list[object] = []
    longest, busiest, peak, begin = 0.0, 0.0, 0, time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        good_models(folder)
        left = 0
        while left < count:
            size = min(BATCH, count - left)
            command = [sys.executable, __file__, "child", str(folder), str(left), str(size)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                number, ended = left, True
                for line in process.stdout:
                    kind, number, *rest = json.loads(line)
                    ended = kind == "end"
                    if ended:
                        outcome, took, busy, memory, events = rest
                        longest, busiest = max(longest, took), max(busiest, busy)
                        peak = max(peak, memory)
                        well = outcome in ("loaded", "refused") and not events
                        said[outcome if well else "not well"] += 1
                        if not well:
                            bad.append([number, *rest])
            if process.returncode:
                kind = "hang" if process.returncode == -signal.SIGALRM else "crash"
                said[kind] += 1
                bad.append([number, f"{kind} {process.returncode}", ended])
            left = number + 1
            print(f"{left}: {dict(said)}, {time.monotonic() - begin:.0f} s", flush=True)
    print(
        f"{count} changed model files: {dict(said)}; longest {longest:.2f} s "
        f"({busiest:.2f} s of a processor), {peak} MB"
    )
    for each in bad[:40]:
        print(" ", each)
    return 1 if bad else 0


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "models":
        good_models(Path(rest[0]), tuple(rest[1:]) or LEARNERS)
        sys.exit(0)
    if what == "child":
        child(Path(rest[0]), int(rest[1]), int(rest[2]))
        sys.exit(0)
    sys.exit({"mutate": mutate_models}[what](int(rest[0])))
