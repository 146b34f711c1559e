"""Runs interrupted, killed, disturbed or doubled: the same bytes at the end, or a sentence."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import warnings

import pytest
from click.testing import CliRunner
from conftest import SAMPLE

from prospect.cli import main
from prospect.errors import GridError, OutputError, TileError
from prospect.grid import Window
from prospect.project import load_project
from prospect.raster import cog
from prospect.scoring import engines, score, select_layers
from prospect.scoring import run as running
from prospect.scoring.journal import Journal, WorkFolder
from prospect.scoring.output import MapFiles
from prospect.stack import open_stack


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def work_of(path):
    return path.parent / f".{path.name}.work"


class Stop(BaseException):
    """As Ctrl-C, from within."""


def stop(*_):
    raise Stop


def interrupt_after(monkeypatch, tiles, how=stop):
    """Let some tiles be done, then stop."""
    real, done = engines.score_tile, []

    def some(job, window):
        if len(done) == tiles:
            how()
        done.append(window)
        return real(job, window)

    monkeypatch.setattr(engines, "score_tile", some)
    return done


def test_an_interrupted_run_is_gone_on_with(sample, tmp_path, monkeypatch):
    model, stack, _, expected = sample
    path = tmp_path / "gold.tif"
    path.write_bytes(b"old")
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2)
        with pytest.raises(Stop) as stopped:
            score(model, stack, path, engine="serial", tile=256)
    (note,) = stopped.value.__notes__
    assert note.startswith("2 of 4 tiles are kept in")
    assert "--resume" in note
    assert path.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == [".gold.tif.work", "gold.tif"]
    # Whatever the tiles and the engine are now, what is done is not done again.
    done = interrupt_after(monkeypatch, 99)
    score(model, stack, path, resume=True, engine="serial", tile=256)
    assert len(done) == 2
    assert digest(path) == digest(expected)
    assert (
        path.with_suffix(".manifest.json").read_text()
        == expected.with_suffix(".manifest.json").read_text()
    )
    assert not work_of(path).exists()


def test_other_tiles_may_go_on(sample, tmp_path, monkeypatch):
    model, stack, _, expected = sample
    path = tmp_path / "gold.tif"
    with monkeypatch.context() as patch:
        interrupt_after(patch, 3)
        with pytest.raises(Stop):
            score(model, stack, path, engine="serial", tile=256)
    score(model, stack, path, resume=True, workers=2, tile=512, compress="zstd")
    assert digest(path) == digest(expected)


def test_bytes_that_are_not_what_they_were_are_done_again(sample, tmp_path, monkeypatch):
    """A journal may be ahead of the disk when the power fails."""
    model, stack, _, expected = sample
    path = tmp_path / "gold.tif"
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2)
        with pytest.raises(Stop):
            score(model, stack, path, engine="serial", tile=256)
    with (work_of(path) / "gold.tif.raw").open("rb+") as raw:
        raw.seek(4 * 100)
        raw.write(b"\1" * 8)
    with (work_of(path) / "journal.jsonl").open("a") as file:
        file.write('{"window": [0, 0, 25')
    done = interrupt_after(monkeypatch, 99)
    score(model, stack, path, resume=True, engine="serial", tile=256)
    assert len(done) == 3
    assert digest(path) == digest(expected)


def test_another_runs_work_is_refused_or_said_to_go(sample, tmp_path, monkeypatch, caplog):
    model, stack, _, _ = sample
    path = tmp_path / "gold.tif"
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2)
        with pytest.raises(Stop):
            score(model, stack, path, engine="serial", tile=256)
    changed = stack.copy()
    changed["magnetics"] = stack["magnetics"] + 1
    del changed["magnetics"].attrs["source"]
    changed["magnetics"].attrs.update(
        {k: v for k, v in stack["magnetics"].attrs.items() if k != "source"}
    )
    with pytest.raises(OutputError, match="other layers, another model or other settings"):
        score(model, changed, path, resume=True, engine="serial")
    # It is still there, and goes when a run begins anew.
    assert work_of(path).exists()
    with monkeypatch.context() as patch:
        interrupt_after(patch, 1)
        with pytest.raises(Stop):
            score(model, changed, path, engine="serial", tile=256)
    assert "other settings was in" in caplog.text
    assert "2 tiles" not in caplog.text
    caplog.clear()
    done = interrupt_after(monkeypatch, 99)
    score(model, changed, path, engine="serial", tile=256)
    (said,) = [r.getMessage() for r in caplog.records if r.name.startswith("prospect")]
    assert said.startswith("1 tile of the same map had been done in")
    assert "with --resume it would have been gone on with" in said
    assert len(done) == 4
    assert not work_of(path).exists()


def test_resuming_nothing_begins(sample, tmp_path):
    model, stack, _, expected = sample
    assert digest(score(model, stack, tmp_path / "gold.tif", resume=True)) == digest(expected)


def test_one_run_at_a_time(sample, tmp_path):
    model, stack, _, _ = sample
    path = tmp_path / "gold.tif"
    with WorkFolder(path):
        said = rf"is being written by process {os.getpid()} on"
        with pytest.raises(OutputError, match=said):
            score(model, stack, path)
    # A lock is not a file that someone left.
    score(model, stack, path, workers=1)


def test_locks_of_the_dead_are_taken_over(tmp_path):
    path = tmp_path / "gold.tif"
    code = (
        "import os, sys; from pathlib import Path\n"
        "from prospect.scoring.journal import WorkFolder\n"
        "WorkFolder(Path(sys.argv[1])).__enter__(); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False, timeout=60)
    assert done.returncode == -9
    assert (work_of(path) / "lock").read_text().startswith("process ")
    with WorkFolder(path) as work:
        assert (work.path / "lock").read_text().startswith(f"process {os.getpid()} ")


def killed(work):
    """Do something in a copy of this process, which is killed before it ends."""
    with warnings.catch_warnings():
        # Other threads of the tests do not go along, and are not needed.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL


def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


def appear_and_die(files, *error, real=MapFiles.__exit__):
    real(files, *error)
    die()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process cannot be copied here")
@pytest.mark.parametrize("when", ["tile", "journal", "copy", "sync", "style", "between"])
def test_killed_at_any_point_it_ends_the_same(sample, tmp_path, monkeypatch, when):
    model, stack, _, expected = sample
    path = tmp_path / "gold.tif"
    path.write_bytes(b"old")
    with monkeypatch.context() as patch:
        if when == "tile":
            interrupt_after(patch, 2, die)
        elif when == "journal":
            real, added = Journal.add, []

            def add(self, window, checks):
                if len(added) == 2:
                    die()
                added.append(window)
                real(self, window, checks)

            patch.setattr(Journal, "add", add)
        elif when == "style":
            patch.setattr(running, "make_companions", die)
        elif when == "between":
            # The map has appeared, and what belongs beside it has not.
            patch.setattr(MapFiles, "__exit__", appear_and_die)
        else:
            patch.setattr(
                *{"copy": (cog.rasterio.shutil, "copy"), "sync": (cog, "sync")}[when], die
            )
        killed(lambda: score(model, stack, path, engine="serial", tile=256))
    if when == "between":
        assert digest(path) == digest(expected)
    else:
        assert path.read_bytes() == b"old"
    done = interrupt_after(monkeypatch, 99)
    score(model, stack, path, engine="serial", tile=256, resume=True)
    assert len(done) == (2 if when in ("tile", "journal") else 0)
    assert digest(path) == digest(expected)
    assert path.with_suffix(".qml").exists()
    assert not work_of(path).exists()


SLOW = """
import signal
# What a shell starts in the background is deaf to Ctrl-C, and so are its children.
signal.signal(signal.SIGINT, signal.default_int_handler)
import sys, time
import prospect.scoring.engines as e
real, tiles = e.score_tile, []
def slow(job, window):
    if len(tiles) == 2:
        print("two", flush=True)
        time.sleep(60)
    tiles.append(window)
    return real(job, window)
e.score_tile = slow
from prospect.cli import run
run()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are of POSIX systems")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_leave_a_journal_and_a_sentence(sample, tmp_path, number, code):
    _, _, model, expected = sample
    path = tmp_path / "gold.tif"
    command = ["score", model, SAMPLE, "-o", path, "--engine", "serial", "--tile", "256"]
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, *map(str, command), "--progress", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "two"
    process.send_signal(number)
    _, said = process.communicate(timeout=300)
    assert process.returncode == code, said
    assert "Interrupted: 2 of 4 tiles are kept" in said
    assert "Traceback" not in said
    events = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert events[-1]["event"] == "stopped"
    assert not path.exists()
    again = CliRunner().invoke(main, [*map(str, command), "-q", "--resume"])
    assert again.exit_code == 0, again.output
    assert digest(path) == digest(expected)


def test_a_tile_that_fails_once_goes_well_alone(sample, tmp_path, monkeypatch, caplog):
    model, stack, _, expected = sample
    real, failed = engines.score_tile, []
    lock = threading.Lock()

    def once(job, window):
        with lock:
            if window.row and not failed:
                failed.append(window)
                raise MemoryError
        return real(job, window)

    monkeypatch.setattr(engines, "score_tile", once)
    path = score(model, stack, tmp_path / "gold.tif", workers=2, tile=256)
    assert digest(path) == digest(expected)
    assert "tried again alone" in caplog.text
    assert "went well when alone" in caplog.text


def test_a_poisoned_tile_is_named_and_the_rest_kept(sample, tmp_path, monkeypatch):
    model, stack, _, expected = sample
    real = engines.score_tile

    def poisoned(job, window):
        if (window.row, window.col) == (256, 256):
            raise RuntimeError("the kernel is out of bounds")
        return real(job, window)

    path = tmp_path / "gold.tif"
    with monkeypatch.context() as patch:
        patch.setattr(engines, "score_tile", poisoned)
        said = r"rows 256–\d+ and columns 256–\d+ cannot be scored, also alone: the kernel"
        with pytest.raises(TileError, match=said) as error:
            score(model, stack, path, workers=2, tile=256)
    assert "3 of 4 tiles are kept" in error.value.__notes__[0]
    assert digest(score(model, stack, path, resume=True)) == digest(expected)


DYING = """
import os, sys
from pathlib import Path
import prospect.scoring.engines as e
from prospect.scoring import score
from prospect.model import load_model
from prospect.stack import open_stack
from prospect.errors import TileError
model, sample, path, mark = sys.argv[1:]

class Deadly:
    '''A band maker that kills its worker: once, or at one tile always.'''
    def __init__(self, maker):
        self.maker, self.bands = maker, maker.bands
    def compute(self, features, valid):
        if mark == "always" or not os.path.exists(mark):
            if mark != "always":
                open(mark, "w").close()
            os.kill(os.getpid(), 9)
        return self.maker.compute(features, valid)

import dataclasses
import prospect.scoring as s
real = s.Job.of
s.Job.of = lambda *a: dataclasses.replace(real(*a), maker=Deadly(real(*a).maker))
import prospect.scoring.run as r
r.key_of = lambda made, job: "key"
import logging; logging.basicConfig(level=logging.WARNING)
if __name__ == "__main__":
    try:
        score(load_model(model), open_stack(sample), path, engine="processes", workers=1, tile=256)
    except TileError as error:
        print(error)
"""


@pytest.mark.parametrize("how", ["once", pytest.param("always", marks=pytest.mark.slow)])
def test_workers_that_die_are_survived_or_their_tile_is_named(sample, tmp_path, how):
    _, _, model, expected = sample
    script, path = tmp_path / "dying.py", tmp_path / "gold.tif"
    script.write_text(DYING)
    mark = "always" if how == "always" else tmp_path / "died"
    done = subprocess.run(
        [sys.executable, *map(str, (script, model, SAMPLE, path, mark))],
        check=False,
        timeout=900,
        env={**os.environ, "PYTHONPATH": str(SAMPLE.parents[1])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "a worker died" in done.stderr
    if how == "once":
        assert "went well when alone" in done.stderr
        assert digest(path) == digest(expected)
    else:
        assert "cannot be scored, also alone: a worker died" in done.stdout
        assert not path.exists()


def test_a_journal_of_another_key_is_refused(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl", "one")
    assert journal.read() == []
    journal.begin()
    journal.add(Window(0, 256, 10, 20), [7, 8])
    assert journal.read() == [(Window(0, 256, 10, 20), [7, 8])]
    with pytest.raises(OutputError, match="another model"):
        Journal(journal.path, "two").read()


def test_errors_that_would_come_again_keep_nothing(sample, tmp_path, monkeypatch):
    model, stack, _, _ = sample
    monkeypatch.setattr(engines, "score_tile", lambda job, window: None)
    with pytest.raises(GridError, match="No cell could be scored"):
        score(model, stack, tmp_path / "gold.tif")
    assert list(tmp_path.iterdir()) == []


def test_layers_that_a_model_does_not_use_do_not_matter(sample, tmp_path, monkeypatch):
    model, stack, _, _ = sample
    project, unused = select_layers(model, load_project(SAMPLE))
    assert unused
    path = tmp_path / "gold.tif"
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2)
        with pytest.raises(Stop):
            score(model, stack, path, engine="serial", tile=256)
    score(model, open_stack(project), path, resume=True)
