"""A real cluster of two processes on the loopback address: the same bytes, whoever dies."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from prospect.cluster import connect, survey
from prospect.errors import ClusterError, ModelError, TileError
from prospect.features.overlap import Overlap
from prospect.grid import Window
from prospect.ground import Ground
from prospect.model import load_model
from prospect.progress import bars, json_lines
from prospect.project import load_project
from prospect.scoring import cluster as on_cluster
from prospect.scoring import prepare, score
from prospect.stack import open_stack
from prospect.training import train

cloudpickle = pytest.importorskip("cloudpickle")
pytest.importorskip("distributed")

SAMPLE = Path(__file__).parents[1] / "sample_data" / "region"
# Workers do not have this module.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def given(small_forest, tmp_path_factory):
    """A model of the sample region, which spans four lattice blocks; its file, stack and map."""
    folder = tmp_path_factory.mktemp("given")
    stack = open_stack(SAMPLE)
    model = train(
        stack, load_project(SAMPLE).occurrences, "gold", estimator=small_forest, background=300
    )
    path = score(model, stack, folder / "gold.tif", engine="threads", tile=256)
    return model.save(folder / "gold.prospect"), model, stack, path


@pytest.fixture(scope="module")
def client():
    """Of a cluster that, to a run that is given its address, was there before."""
    with connect(workers=2) as client:
        yield client


@pytest.fixture
def address(client):
    """Of its scheduler, once both workers are there."""
    client.wait_for_workers(2, timeout=60)
    return client.scheduler.address


@dataclass(frozen=True)
class Deadly(Ground):
    """Ground that kills the process of whom looks at one tile of it: once, or always."""

    once: str = ""
    slow: float = 0.0

    def mask(self, stack, window, bindings):
        time.sleep(self.slow)
        if (window.row, window.col) == (256, 256) and not self.slow:
            if not self.once:
                os.kill(os.getpid(), signal.SIGKILL)
            if not Path(self.once).exists():
                Path(self.once).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return super().mask(stack, window, bindings)

    @classmethod
    def like(cls, ground, **how):
        """The same ground, but deadly."""
        return cls(**{f.name: getattr(ground, f.name) for f in fields(Ground)}, **how)


def deadly(given, path, address, **how):
    """A run on such ground."""
    _, model, stack, _ = given
    run = prepare(model, stack, path, tile=256, scheduler=address)
    return replace(run, job=replace(run.job, ground=Deadly.like(run.job.ground, **how)))


def out_of_time():
    """What a disk on the network raises."""
    raise TimeoutError(110, "Connection timed out")


@pytest.mark.parametrize(("task", "error"), [(out_of_time, TimeoutError), (time.sleep, None)])
def test_a_tile_that_timed_out_or_was_cancelled_is_not_waited_for(client, address, task, error):
    engine = on_cluster.Cluster(None, 2, address)
    engine.client, engine._look = client, lambda: None
    worker = next(iter(client.nthreads()))
    future = client.submit(task, *([] if error else [30]), pure=False, workers=[worker])
    if error is None:
        client.cancel([future], force=True)
    flight = on_cluster.Flight(future, on_cluster.Seat(worker, 1, "x"))
    found = []

    def fetch():
        try:
            engine._fetch(flight)
        except Exception as failed:  # noqa: BLE001 - whatever it is, it is looked at
            found.append(failed)

    waiting = threading.Thread(target=fetch, daemon=True)
    waiting.start()
    waiting.join(10)
    flight.lost = True
    waiting.join(10)
    assert isinstance(found[0], error or on_cluster.WorkerLostError)
    assert not (error and isinstance(found[0], on_cluster.WorkerLostError))


def test_what_a_worker_had_is_lost_with_the_one_that_came_to_its_address():
    engine = on_cluster.Cluster(None, 1)
    before, after = (on_cluster.Seat("tcp://10.0.0.5:4000", 1, "x") for _ in range(2))
    flight = on_cluster.Flight(SimpleNamespace(release=lambda: None), before)
    engine._flights.add(flight)
    engine.seats = {after.address: after}
    engine.client = SimpleNamespace(nthreads=dict)
    engine._look(now=True)
    assert flight.lost
    assert not engine.seats


def test_the_same_bytes_as_threads(given, address, tmp_path, capsys):
    _, model, stack, expected = given
    path = score(
        model, stack, tmp_path / "gold.tif", tile=256, scheduler=address, progress=json_lines
    )
    assert digest(path) == digest(expected)
    manifest = ".manifest.json"
    assert path.with_suffix(manifest).read_text() == expected.with_suffix(manifest).read_text()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (end,) = [
        line for line in lines if line["event"] == "end" and line["title"].startswith("Scoring")
    ]
    assert end["done"] == 320 * 400
    assert 1 <= len(end["workers"]) <= 2
    assert all(rate > 0 for rate in end["workers"].values())


@pytest.mark.usefixtures("address")
def test_a_client_of_ones_own_stays_open(given, client):
    _, model, stack, _ = given
    here = score(model, stack, bands=["likelihood"])
    there = score(model, stack, scheduler=client, bands=["likelihood"])
    assert here.identical(there)
    assert client.status == "running"


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="no list of sockets")
def test_nobody_else_can_reach_it(client, address):
    """Of the sockets that listen, those of the cluster's processes are on 127.0.0.1."""

    def listening():
        files = Path("/proc/self/fd").iterdir()
        own = {str(file.readlink()) for file in files if file.is_symlink()}
        found = []
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            for line in Path(table).read_text().splitlines()[1:]:
                part = line.split()
                if part[3] == "0A" and f"socket:[{part[9]}]" in own:
                    found.append(part[1].split(":")[0])
        return found

    hosts = listening()
    for more in client.run(listening).values():
        hosts += more
    assert len(hosts) >= 3
    assert set(hosts) == {"0100007F"}


def test_a_worker_that_dies_is_survived(given, address, tmp_path, caplog):
    *_, expected = given
    path = deadly(given, tmp_path / "gold.tif", address, once=str(tmp_path / "died")).to_files()
    assert (tmp_path / "died").exists()
    assert digest(path) == digest(expected)
    assert "died, killed by the system or for want of memory): it is tried again" in caplog.text
    assert "The tile of rows 256–320 and columns 256–400 went well when alone" in caplog.text


def test_a_tile_that_kills_its_workers_is_named_and_the_rest_done(given, address, tmp_path):
    _, model, stack, expected = given
    path = tmp_path / "gold.tif"
    said = (
        r"^The tile of rows 256–320 and columns 256–400 cannot be scored, also alone: its worker "
        r"tcp://127.0.0.1:\d+ died"
    )
    with pytest.raises(TileError, match=said) as error:
        deadly(given, path, address).to_files()
    assert "3 of 4 tiles are kept" in error.value.__notes__[0]
    assert "--resume" in error.value.__notes__[0]
    # Elsewhere it may go well.
    assert digest(score(model, stack, path, resume=True)) == digest(expected)


KILLED = """
import sys
from dataclasses import fields, replace
sys.path.insert(0, sys.argv[1])
import cloudpickle
import test_cluster
cloudpickle.register_pickle_by_value(test_cluster)
from prospect.model import load_model
from prospect.stack import open_stack
given = (None, load_model(sys.argv[2]), open_stack(test_cluster.SAMPLE), None)
test_cluster.deadly(given, sys.argv[3], sys.argv[4], slow=2.0).to_files()
"""


def test_a_client_that_is_killed_is_gone_on_with(given, address, tmp_path, caplog):
    file, _, stack, expected = given
    path = tmp_path / "gold.tif"
    journal = tmp_path / ".gold.tif.work" / "journal.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, *map(str, (Path(__file__).parent, file, path, address))],
        env={**os.environ, "PYTHONPATH": str(SAMPLE.parents[1])},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        begin = time.monotonic()
        while not journal.exists() or len(journal.read_text().splitlines()) < 2:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() - begin < 120
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    done = len(journal.read_text().splitlines()) - 1
    assert 0 < done < 4
    titles = []

    def listen(title, total=0, unit=""):
        titles.append(title)
        return bars(title, total, unit)

    model = load_model(file)
    score(model, stack, path, tile=256, scheduler=address, resume=True, progress=listen)
    assert f"Scoring gold, {done} of 4 tiles done before" in titles
    assert digest(path) == digest(expected)
    assert not caplog.text


def test_a_worker_that_does_not_see_the_layers_is_named(given, address, tmp_path, monkeypatch):
    _, model, stack, _ = given
    monkeypatch.setattr(on_cluster, "files_of_job", lambda job: [("/only/here/gravity.tif", 10)])
    said = (
        r"No worker of tcp://.* can be used: the worker tcp://127.0.0.1:\d+ on \S+ does not see "
        r"/only/here/gravity.tif .* same path on every host"
    )
    with pytest.raises(ClusterError, match=said):
        score(model, stack, tmp_path / "gold.tif", scheduler=address)
    assert not list(tmp_path.iterdir())


def test_another_file_of_that_name_is_noticed(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"123")
    assert on_cluster._missing([(str(tmp_path / "a.tif"), 3), (str(tmp_path), -1)]) == ""
    assert "of 3 bytes instead of 4" in on_cluster._missing([(str(tmp_path / "a.tif"), 4)])


def test_the_files_of_a_job_are_those_of_its_layers(given):
    _, model, stack, _ = given
    job = prepare(model, stack).job
    names = {Path(path).name for path, _ in on_cluster.files_of_job(job)}
    assert {Path(layer.attrs["source"]).name for layer in job.stack.values()} == names
    assert all(Path(path).is_absolute() for path, _ in on_cluster.files_of_job(job))


def test_workers_of_other_versions_are_not_used(given, address, monkeypatch):
    _, model, stack, _ = given
    there = on_cluster._versions()
    monkeypatch.setattr(on_cluster, "_versions", lambda: {**there, "numpy": "1.0"})
    with pytest.raises(ClusterError, match=r"on \S+ has numpy 2\S+, not 1\.0: the same versions"):
        score(model, stack, scheduler=address)


def test_a_cluster_is_found_by_the_file_of_its_scheduler(client, address, tmp_path):
    file = tmp_path / "scheduler.json"
    file.write_text(json.dumps({"address": address}))
    assert survey(file).threads == 2
    assert survey(client).threads == 2


def test_a_cluster_that_is_not_there_is_told_in_a_sentence(given):
    _, model, stack, _ = given
    with pytest.raises(ClusterError, match=r"^No scheduler answers at tcp://127\.0\.0\.1:1 \("):
        prepare(model, stack, scheduler="tcp://127.0.0.1:1")
    with pytest.raises(ModelError, match="A scheduler has workers of its own"):
        prepare(model, stack, scheduler="tcp://127.0.0.1:1", workers=2)


def test_what_is_not_installed_is_named(given, monkeypatch):
    _, model, stack, _ = given
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"pip install 'prospect\[dask\]'"):
        prepare(model, stack, engine="dask")


def column(at, count):
    return [Window(256 * row, 512 * at, 256, 512) for row in range(count)]


def test_a_worker_goes_downward():
    left = column(0, 6)[1:] + column(1, 3)
    first = column(0, 6)[0]
    assert on_cluster.next_of(left, first, [first, None]) == left[0]


def test_a_worker_at_an_end_takes_the_longest_stretch_or_half_of_anothers():
    long, short = column(0, 8), column(1, 3)
    other = long[0]
    # Seven are left below the other's: four of them are more than three.
    assert on_cluster.next_of(long[1:] + short, short[2], [short[2], other]) == long[4]
    # Five are left: three below their middle, and as many that are nobody's.
    assert on_cluster.next_of(long[3:] + column(1, 4), None, [long[2], None]) == column(1, 1)[0]


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
def test_every_tile_is_given_once_and_most_below_the_one_before(workers):
    rng = np.random.default_rng(workers)
    left = [window for at in range(4) for window in column(at, 25)]
    last = [None] * workers
    given, below = [], 0
    while left:
        who = rng.integers(workers)
        window = on_cluster.next_of(left, last[who], last)
        left.remove(window)
        given.append(window)
        below += last[who] is not None and on_cluster._below(last[who]) == window[:2]
        last[who] = window
    assert len(set(given)) == 100
    assert below >= 100 - 10 * workers


def test_what_a_worker_is_sent_keeps_nothing_yet(tmp_path):
    layer = open_stack(SAMPLE)["elevation"]
    overlap = Overlap(1e6)
    overlap.read(layer, Window(0, 0, 100, 100), 90, np.float32)
    assert overlap._kept
    there = cloudpickle.loads(cloudpickle.dumps(overlap))
    assert (there.most, there._kept, there._bytes) == (1e6, {}, 0)


def test_workers_are_told_of_in_progress(capsys):
    for tell in (json_lines, bars):
        with tell("Scoring", 20, "cells") as done:
            done(10, by="a:1", seconds=2.5)
            done(10, by="b:2", seconds=5.0)
    said = capsys.readouterr().err.splitlines()
    assert json.loads(said[-2])["workers"] == {"a:1": 4.0, "b:2": 2.0}
    assert said[-1].endswith("s; b:2 2, a:1 4 cells a second at work")
