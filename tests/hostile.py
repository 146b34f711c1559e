"""Read hostile files in processes under limits, and count what became of them.

``python tests/hostile.py`` reads the malformed TIFFs beside the checkout, the attacks made by hand
and a thousand changed files, and prints the table of docs/robustness.md.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from hostile_files import good_files, handmade, mutated

MEMORY = 4 * 2**30
"""Address space of a process that reads hostile files, in bytes."""

SECONDS = 10.0
"""Longest that one file may take."""

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "hostile_tiff"

# Runs in a process of its own; a line before each file and one after it.
READER = r"""
import json, resource, sys, time, warnings
from pathlib import Path
def guard(event, arguments):
    if event in FORBIDDEN:
        print(json.dumps(["forbidden", event, str(arguments)[:200]]), flush=True)
FORBIDDEN = {"socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec",
             "os.posix_spawn", "os.fork", "sqlite3.enable_load_extension"}
warnings.simplefilter("error")
import numpy as np
from prospect.errors import ProspectError
from prospect.grid import Window
from prospect.raster import read_info, read_native
from prospect.tables import TABLE_SUFFIXES, read_table
from prospect.vector import outline, read_points, read_vector
sys.addaudithook(guard)
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
def attempts(path):
    suffix = path.suffix.lower()
    if suffix in (".tif", ".tiff"):
        def cells(categorical, drivers):
            info = read_info(path, allow_drivers=drivers)
            window = info.grid.window.intersect(Window(0, 0, 2000, 2000))
            read_native(info, window, categorical=categorical, allow_drivers=drivers)
        yield lambda: cells(False, ())
        yield lambda: cells(True, ())
        yield lambda: cells(False, SIDECARS)
    elif suffix in TABLE_SUFFIXES:
        yield lambda: read_table(path)
        yield lambda: read_points(path, crs="EPSG:32642")
    else:
        yield lambda: read_vector(path, crs="EPSG:4326")
        yield lambda: outline(path)
        yield lambda: read_points(path)
SIDECARS = tuple(sys.argv[2].split(",")) if sys.argv[2] else ()
for line in sys.stdin:
    path = Path(line.rstrip("\n"))
    print(json.dumps(["start"]), flush=True)
    begin, said = time.monotonic(), []
    for attempt in attempts(path):
        try:
            attempt()
            said.append("read")
        except ProspectError as error:
            text = str(error)
            fits = "\n" not in text and len(text) < 600
            said.append("refused" if fits else f"long: {text[:300]}")
        except Exception as error:
            said.append(f"{type(error).__name__}: {error}"[:300])
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps(["end", said, time.monotonic() - begin, peak]), flush=True)
"""


@contextmanager
def listener() -> Iterator[tuple[int, list[str]]]:
    """A port of this computer, and the requests that came to it."""
    came: list[str] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(1)
                try:
                    came.append(connection.recv(200).decode("latin-1").split("\r\n")[0])
                    connection.sendall(b"HTTP/1.1 404 None\r\nContent-Length: 0\r\n\r\n")
                except OSError:
                    came.append("a connection")

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield server.getsockname()[1], came
    finally:
        server.close()


def read_all(paths: Sequence[Path], *, memory: int = MEMORY, seconds: float = SECONDS) -> dict:
    """Of each file: what was said, seconds, and the peak of memory in MB."""
    left, found = list(paths), {}
    while left:
        child = subprocess.Popen(
            [sys.executable, "-c", READER, str(memory), "PAM"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C", "PYTHONUTF8": "1"},
        )
        lines: queue.Queue = queue.Queue()
        threading.Thread(target=_pump, args=(child.stdout, lines), daemon=True).start()
        errors: list[str] = []
        threading.Thread(target=lambda e=errors, c=child: e.extend(c.stderr), daemon=True).start()
        try:
            while left:
                path = left[0]
                child.stdin.write(f"{path}\n")
                child.stdin.flush()
                said, took, peak, forbidden = _answer(lines, seconds)
                if said is None:
                    child.kill()
                    child.wait()
                    said = ["hang" if took >= seconds else f"crash {child.returncode}"]
                    said += errors[-1:]
                found[path] = ([*said, *forbidden], took, peak)
                left.pop(0)
                if not isinstance(peak, float):
                    break
        except BrokenPipeError:
            found[left.pop(0)] = ([f"crash {child.wait()}", *errors[-1:]], 0.0, None)
        finally:
            child.kill()
            child.wait()
            for stream in (child.stdin, child.stdout, child.stderr):
                with suppress(OSError, ValueError):
                    stream.close()
    return found


def _pump(stream, lines: queue.Queue) -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


def _answer(lines: queue.Queue, seconds: float):
    """The reader's answer to one file; nothing said is a hang, an end is a crash."""
    begin, started, forbidden = time.monotonic(), False, []
    while True:
        # Starting the process and its libraries is no part of the file.
        limit = seconds if started else 60
        try:
            line = lines.get(timeout=max(0.01, begin + limit - time.monotonic()))
        except queue.Empty:
            return None, time.monotonic() - begin, None, forbidden
        if line is None:
            return None, min(seconds - 0.01, time.monotonic() - begin), None, forbidden
        kind, *rest = json.loads(line)
        if kind == "start":
            begin, started = time.monotonic(), True
        elif kind == "forbidden":
            forbidden.append(f"forbidden {rest}")
        else:
            return *rest, forbidden


def is_well(said: Sequence[str]) -> bool:
    """Whether a file was read or refused in a sentence, and nothing else happened."""
    return all(each in ("read", "refused") for each in said)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="changed files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--real", type=Path, default=REAL, help="malformed TIFFs of others")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, listener() as (port, came):
        folder = Path(temporary)
        good = good_files(folder / "good")
        groups = {
            "made by hand": list(handmade(folder / "hand", good, port, weight=200)),
            "changed": mutated(folder / "changed", good, options.count, options.seed),
        }
        if options.real.is_dir():
            groups["malformed TIFFs of others"] = sorted(options.real.glob("*.tif"))
        rows, bad = defaultdict(list), []
        for group, paths in groups.items():
            for path, outcome in read_all(paths).items():
                rows[group, path.suffix].append(outcome)
                if not is_well(outcome[0]):
                    bad.append((f"{path.parent.name}/{path.name}", outcome))
        print("| Files | Format | Tried | Read | Refused | Not well | Longest, s | Peak, MB |")
        print("|---|---|---:|---:|---:|---:|---:|---:|")
        for (group, suffix), outcomes in sorted(rows.items()):
            kinds = Counter(
                "odd" if not is_well(said) else "read" if "read" in said else "refused"
                for said, _, _ in outcomes
            )
            longest = max(took for _, took, _ in outcomes)
            peak = max((p for _, _, p in outcomes if p is not None), default=float("nan"))
            cells = (group, suffix[1:], len(outcomes), kinds["read"], kinds["refused"])
            cells = (*cells, kinds["odd"], f"{longest:.1f}", f"{peak:.0f}")
            print("| " + " | ".join(map(str, cells)) + " |")
        total = sum(map(len, rows.values()))
        print(f"\n{total} files, {len(bad)} not well; {len(came)} connections.")
        for path, outcome in bad:
            print(f"  {path}: {outcome}")
        for request in came:
            print(f"  connection: {request}")
    return 1 if bad or came else 0


if __name__ == "__main__":
    sys.exit(main())
