"""A cluster of processes beside threads on the made-up country, and a continent on paper.

    python benchmarks/cluster.py                       # 12 million cells
    python benchmarks/cluster.py --cells 100 --rounds 2 --write

Measured: what a tile costs beyond its computing (tiles of ground that does not count), the
throughput of 1, 2 and 4 workers beside two threads, and what the client can take in, which is the
only writer. From these parts follows what a continent at 30 m would cost. Every side runs in a
process of its own, once a small map has loaded what is compiled; times are from the command to the
map, without the start of the cluster, which stands apart. Layers are those of country.py.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from country import BANDS, SEEN, layers, learn, shape_of
from country_layers import open_country

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "cluster.md"
SIDES = ("threads 2", "workers 1", "workers 2", "workers 4")
EMPTY = 400
"""Tiles that say what one costs."""

AUSTRALIA = 7.69e12, 4000e3 * 3700e3
"""Square metres of land and of its bounding box."""

CELL = 30.0**2


class Clock:
    """Seconds of every stage of a run, by its title."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, title: str, total: int = 0, unit: str = "") -> Iterator[Any]:
        start = time.perf_counter()
        yield lambda steps, **_: None
        self.seconds[title.split()[0]] = time.perf_counter() - start


def side(name: str, country: Path, folder: Path) -> dict[str, float]:
    """One side: seconds of a run and of its stages."""
    import cloudpickle

    from prospect.cluster import connect
    from prospect.scoring import score

    engine, number = name.split()
    model = cloudpickle.loads((folder / "model").read_bytes())
    small, stack = open_country(layers(folder, SEEN, outline=True)), open_country(country)
    warm, output = folder / "warm.tif", folder / f"{engine}.tif"
    clock = Clock()

    def timed(busy: Any, **how: Any) -> dict[str, float]:
        score(model, small, warm, tile=256, bands=BANDS, **how)
        begin, before = time.perf_counter(), busy()
        score(model, stack, output, bands=BANDS, progress=clock, **how)
        seconds = time.perf_counter() - begin
        return {"seconds": seconds, "processor": busy() - before, **clock.seconds}

    if engine == "threads":
        return timed(time.process_time, workers=int(number))
    begin = time.perf_counter()
    with connect(workers=int(number)) as client:
        start = time.perf_counter() - begin

        def busy() -> float:
            return time.process_time() + sum(client.run(time.process_time).values())

        return {"start": start, **timed(busy, scheduler=client)}


def parts(country: Path, folder: Path) -> dict[str, float]:
    """What an empty tile costs, how fast tiles come in, and how fast they are written."""
    import cloudpickle

    from prospect.cluster import connect
    from prospect.grid import Window
    from prospect.ground import Ground
    from prospect.scoring import prepare
    from prospect.scoring.attempts import run_tiles
    from prospect.scoring.cluster import Cluster
    from prospect.scoring.journal import Journal, WorkFolder
    from prospect.scoring.output import MapFiles

    class Nothing(Ground):
        """Ground that does not count."""

        def mask(self, stack: Any, window: Window, bindings: Any) -> Any:
            return np.zeros((window.height, window.width), bool)

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    model = cloudpickle.loads((folder / "model").read_bytes())
    run = prepare(model, open_country(country), folder / "parts.tif", bands=BANDS, workers=2)
    job = dataclasses.replace(run.job, ground=Nothing())
    windows = [Window(0, 0, 1, 1 + k) for k in range(EMPTY)]
    found = {}
    with connect(workers=2) as client:
        for _ in range(2):
            begin = time.perf_counter()
            engine = Cluster(job, 2, client)
            tiles = run_tiles(engine, windows)
            next(tiles)
            begin = time.perf_counter()
            for _ in tiles:
                pass
            found["empty"] = (time.perf_counter() - begin) / EMPTY
        size = 2048

        def full(number: int) -> Any:
            return {name: np.full((size, size), number, np.float32) for name in BANDS}

        futures = [client.submit(full, k) for k in range(8)]
        for future in futures:
            while not future.done():
                time.sleep(0.05)
        # Until the second time, connections are made.
        client.gather(futures[0])
        amount = 4 * size * size * len(BANDS)
        begin = time.perf_counter()
        for future in futures[1:]:
            tile = client.gather(future)
        found["fetched"] = 7 * amount / (time.perf_counter() - begin)
        client.direct_to_workers = False
        begin = time.perf_counter()
        for future in futures[1:]:
            client.gather(future)
        found["through"] = 7 * amount / (time.perf_counter() - begin)
    from prospect.grid import Grid

    grid = Grid(run.grid.crs, run.grid.transform, (size * 4, size * 2))
    with (
        WorkFolder(folder / "parts.tif") as work,
        MapFiles(
            folder / "parts.tif",
            grid,
            run.job.maker.bands,
            tags={},
            compress="zstd",
            work=work.path,
        ) as files,
    ):
        journal = Journal(work.path / "journal.jsonl", "")
        journal.begin()
        begin = time.perf_counter()
        for row in range(4):
            for col in range(2):
                window = Window(row * size, col * size, size, size)
                journal.add(window, files.write(window, tile))
        found["written"] = 8 * amount / (time.perf_counter() - begin)
        files.finish()
    for path in folder.glob("parts*"):
        path.unlink()
    return found


def measure(what: str, country: Path, folder: Path) -> dict[str, float]:
    """The same in a process of its own."""
    command = [sys.executable, str(Path(__file__)), "--side", what, str(country), str(folder)]
    paths = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(what, {name: round(value, 4) for name, value in found.items()}, flush=True)
    return found


def _counted(name: str) -> str:
    kind, number = name.split()
    return f"{number} {kind if number != '1' else kind.removesuffix('s')}"


def report(folder: Path, million: float, rounds: int) -> str:
    """All of it, in words."""
    from prospect.grid import Grid
    from prospect.scoring import prepare
    from prospect.scoring.plan import lay_plan

    shape = shape_of(million)
    country = layers(folder, shape, True)
    best: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        for name in SIDES:
            found = measure(name, country, folder)
            if name not in best or found["seconds"] < best[name]["seconds"]:
                best[name] = found
    same = (folder / "threads.tif").read_bytes() == (folder / "workers.tif").read_bytes()
    if not same:
        raise SystemExit("Threads and workers wrote different maps.")
    own = measure("parts", country, folder)

    import cloudpickle

    model = cloudpickle.loads((folder / "model").read_bytes())
    stack = open_country(country)
    run = prepare(model, stack, folder / "plan.tif", bands=BANDS, workers=2)
    plan = run.plan
    cells = shape[0] * shape[1]
    counted = float(np.isfinite(stack["elevation"].values[::8, ::8]).mean())
    base = best["threads 2"]
    rows = [
        f"| {_counted(name)} | {found['seconds']:.1f} | {found['Scoring']:.1f} | "
        f"{found['processor']:.0f} | "
        f"{cells / found['Scoring'] / 1e6:.2f} | {base['seconds'] / found['seconds']:.2f} | "
        f"{base['Scoring'] / found['Scoring']:.2f} | "
        f"{base['processor'] / found['processor']:.2f} | "
        f"{found.get('start', 0.0):.1f} |"
        for name, found in best.items()
    ]
    # A worker's, where as many are at work as there are processors.
    each = cells * counted / best["workers 2"]["Scoring"] / 2
    sent = cells * len(BANDS) * 4 / best["workers 2"]["Scoring"] / 2
    sink = 1 / (1 / own["fetched"] + 1 / own["written"])
    through = 1 / (1 / own["through"] + 1 / own["written"])
    wire = 1 / (1 / 118e6 + 1 / own["written"])
    read = sum(file.stat().st_size for file in country.glob("*.tif")) / cells
    land, box = (area / CELL for area in AUSTRALIA)
    rows_of_box = round((box * 3.7 / 4) ** 0.5)
    large = lay_plan(
        Grid(run.grid.crs, run.grid.transform, (rows_of_box, round(box / rows_of_box))),
        model.builder.plan(),
        model.builder.cell_,
        run.job.maker.bands,
        engine="dask",
        workers=32,
        each=1e12,
    )
    tiles = len(large.windows)
    hours = land / each / 3600
    checking = box / (cells / base["Checking"]) / 3600
    writing = box / (cells / base["Writing"]) / 3600
    taking = box * len(BANDS) * 4 / sink / 3600
    return f"""{shape[0]:,} × {shape[1]:,} cells, {counted:.0%} of them inside the country; {len(stack)} layers, 60
features, 200 trees, likelihood and spread; {len(plan.windows)} tiles for two threads. {os.cpu_count()} processors, the best of
{rounds} round{"s" if rounds > 1 else ""}. The maps are the same to the byte.

| | seconds | of them tiles | processor seconds | million cells a second | of two threads | tiles alone | by processor time | start, s |
|---|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}

"Of two threads" is their time over this one, of all stages, of the tiles alone, and of processor
time; the bar is 0.9 for two workers. Four workers share {os.cpu_count()} processors.

| The parts | |
|---|---|
| a tile beyond its computing (empty tiles, two workers) | {own["empty"] * 1e3:.1f} ms |
| tiles fetched from their workers | {own["fetched"] / 1e6:,.0f} MB/s |
| the same through the scheduler, where workers cannot be reached | {own["through"] / 1e6:,.0f} MB/s |
| tiles written, with their journal | {own["written"] / 1e6:,.0f} MB/s |
| a worker's tiles | {sent / 1e6:.1f} MB/s, {1 / (sent / (plan.cells / len(plan.windows) * len(BANDS) * 4)):.1f} s each |

The client fetches and writes in turn, {sink / 1e6:,.0f} MB/s together: as much as {sink / sent:,.0f} workers
make; {through / 1e6:,.0f} MB/s and {through / sent:,.0f} workers through the scheduler. The wire was this machine's
loopback: one of 1 Gbit/s, 118 MB/s at the most, would make it {wire / sent:,.0f} workers.

## A continent at 30 m, on paper

Australia: {land / 1e9:.1f} thousand million cells of land in a box of {box / 1e9:.1f}. Computed from the above, not run:

| | |
|---|---|
| tiles | {tiles:,} of {large.shape[0] * 256:,} × {large.shape[1] * 256:,} cells, some of them empty; {large.memory / 1e9:.2g} GB of memory a worker |
| read | {read * box / 1e9:,.0f} GB of layers ({read:.1f} bytes a cell of 20 layers), halos not counted |
| work of workers | {hours:,.0f} hours of one; {hours / 32:.1f} h with 32 |
| fetched and written | {box * len(BANDS) * 4 / 1e9:,.0f} GB, {taking:.2f} h of the client |
| overhead of tiles | {tiles * own["empty"]:,.0f} s |
| hashing the layers, before the first tile | {checking:.2f} h of the client |
| making the GeoTIFF of the tiles, after the last | {writing:.1f} h of the client |
| disk of the client, meanwhile | {large.disk / 1e9:,.0f} GB |

What breaks first, in order: the cap of 20 thousand million cells (`PROSPECT_MAX_CELLS`), which a
larger continent passes; then the client's first and last stage, which no worker shares and which
take longer than the tiles from some {hours / (writing + checking):,.0f} workers on; then the wire between workers and client.
What it costs to read {read * box / 1e9:,.0f} GB of layers from a shared disk, all workers at once, is not in these
figures: they came from this machine's own, mostly out of its memory.
"""  # noqa: E501


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=float, default=12, help="million cells")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where layers are made and kept")
    parser.add_argument("--write", action="store_true", help=f"renew {RESULTS.name}")
    parser.add_argument("--side", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side:
        what, country, folder = asked.side
        at = Path(country), Path(folder)
        found = parts(*at) if what == "parts" else side(what, *at)
        print(json.dumps(found))
        return
    import cloudpickle

    folder = asked.folder or Path(tempfile.gettempdir()) / "prospect-country"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "model").exists():
        (folder / "model").write_bytes(cloudpickle.dumps(learn(folder)["model"]))
    text = report(folder, asked.cells, asked.rounds)
    print(text)
    if asked.write:
        how = (
            f"python benchmarks/cluster.py --cells {asked.cells:g} --rounds {asked.rounds} --write"
        )
        RESULTS.write_text(f"# A cluster beside threads\n\nMade by `{how}`.\n\n{text}", "utf-8")


if __name__ == "__main__":
    main()
