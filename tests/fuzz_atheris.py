"""Atheris looks for project files, manifests and model files that come to no sentence.

``python tests/fuzz_atheris.py 60`` (``pip install .[fuzz]``) looks for a minute: a third of it at
each kind. It ends with 1 where an error is none of ours, an input takes longer than ten seconds,
or memory passes four gigabytes; that input is kept in ``build/fuzz``.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path

from fuzz_files import MEMORY, SECONDS, packed, parts_of

KINDS = ("project", "manifest", "model")
KEPT = Path(__file__).parents[1] / "build" / "fuzz"

# What parses, and not what computes. Modules are imported first and their functions instrumented
# after: to instrument every import takes minutes, and what numba compiles cannot be.
MODULES = (
    "tomllib._parser", "zipfile", "prospect.project", "prospect.verification", "prospect.record",
    "prospect.model", "prospect.model_file", "prospect.sound_trees", "prospect.calibration",
    "prospect.applicability", "prospect.ground", "prospect.features.recipe",
    "prospect.features.fitting", "prospect.features.builder", "prospect.features.operation",
)  # fmt: skip


def instrument(name: str) -> int:
    """Have the functions and methods of a module tell where they go; how many they are."""
    import atheris

    module, count = sys.modules[name], 0
    owners = [module, *(v for v in vars(module).values() if isinstance(v, type))]
    for owner in owners:
        if getattr(owner, "__module__", name) != name:
            continue
        for value in list(vars(owner).values()):
            function = getattr(value, "__func__", getattr(value, "__wrapped__", value))
            if isinstance(function, types.FunctionType) and function.__module__ == name:
                atheris.instrument_func(function)
                count += 1
    return count


def target_of(kind: str, folder: Path) -> tuple[list[bytes], Callable[[bytes], object]]:
    """Inputs to begin with, and what is done with one."""
    from prospect.model import load_model
    from prospect.project import FILE_NAME, load_project
    from prospect.verification import verify_map

    if kind == "project":
        file = folder / FILE_NAME

        def project(data: bytes) -> object:
            file.write_bytes(data)
            return load_project(folder)

        return [(next(folder.glob("region*")) / FILE_NAME).read_bytes()], project
    if kind == "manifest":
        (folder / "map.tif").write_bytes(b"map")

        def manifest(data: bytes) -> object:
            (folder / "map.manifest.json").write_bytes(data)
            return verify_map(folder / "map.tif", sources={"a": folder / "map.tif"})

        said = b'{"map":{"name":"map.tif","sha256":""},"files":{"map.qml":""},"layers":{"a":'
        return [said + b'{"sha256":"","source":"a.tif","given_as":"a"}},"model":{}}'], manifest
    parts = parts_of((folder / "trees.prospect").read_bytes())
    inner = parts_of(parts["estimator.skops"])
    path = folder / "fuzzed.prospect"

    def model(data: bytes) -> object:
        where, rest = data[:1], data[1:]
        if where == b"j":
            path.write_bytes(packed({**parts, "manifest.json": rest}))
        elif where == b"s":
            skops = packed({**inner, "schema.json": rest})
            path.write_bytes(packed({**parts, "estimator.skops": skops}))
        elif where == b"a":
            path.write_bytes(packed({**parts, "samples.npz": rest}))
        else:
            path.write_bytes(rest)
        return load_model(path)

    starts = [b"j" + parts["manifest.json"], b"s" + inner["schema.json"]]
    starts += [b"a" + parts["samples.npz"], b"z" + (folder / "trees.prospect").read_bytes()]
    return starts, model


def look(kind: str, folder: Path, seconds: int) -> None:
    """Look for a while; atheris ends the process itself."""
    import atheris

    from prospect.errors import ProspectError

    starts, do = target_of(kind, folder)
    count = sum(instrument(name) for name in MODULES)
    print(f"{kind}: {count} functions are watched", flush=True)
    corpus = folder / f"corpus-{kind}"
    corpus.mkdir()
    for number, start in enumerate(starts):
        (corpus / str(number)).write_bytes(start)

    def one(data: bytes) -> None:
        try:
            do(data)
        except ProspectError as error:
            if "\n" in str(error).strip():
                raise AssertionError(f"no one sentence: {error!r}") from error

    KEPT.mkdir(parents=True, exist_ok=True)
    options = {
        "max_total_time": seconds, "timeout": SECONDS, "rss_limit_mb": MEMORY >> 20, "seed": 1,
        "max_len": 200_000, "artifact_prefix": f"{KEPT}/{kind}-", "print_final_stats": 1,
    }  # fmt: skip
    arguments = [f"-{name}={value}" for name, value in options.items()]
    atheris.Setup([sys.argv[0], *arguments, str(corpus)], one)
    atheris.Fuzz()


def main(seconds: int) -> int:
    """Every kind in a process of its own; a line of figures each."""
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        maker = Path(__file__).with_name("fuzz_files.py")
        subprocess.run([sys.executable, maker, "models", temporary, "trees"], check=True)
        for kind in KINDS:
            each = str(max(1, seconds // len(KINDS)))
            done = subprocess.run(
                [sys.executable, __file__, kind, temporary, each],
                capture_output=True, text=True, check=False,
                timeout=10 * int(each) + 300,
            )  # fmt: skip
            said = done.stdout + done.stderr
            stat = dict(re.findall(r"stat::(\w+):\s+(\d+)", said))
            edges = re.findall(r"cov: (\d+)", said)
            print(
                f"{kind}: {stat.get('number_of_executed_units', '?')} inputs, "
                f"{edges[-1] if edges else '?'} places reached, of which "
                f"{edges[0] if edges else '?'} by good files, {stat.get('peak_rss_mb', '?')} MB: "
                f"{'well' if done.returncode == 0 else f'FAILED ({done.returncode})'}",
                flush=True,
            )
            if done.returncode or not edges or int(edges[-1]) < 30:
                failed += 1
                print(said[-4000:])
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1] in KINDS:
        look(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
        sys.exit(0)
    sys.exit(main(int(sys.argv[1])))
