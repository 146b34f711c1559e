"""A disk of every size, filled while a map is made: the map is whole, or all is as it was."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from prospect.project import load_project
from prospect.scoring import score
from prospect.stack import open_stack
from prospect.training import train

SAMPLE = Path(__file__).parents[1] / "sample_data" / "region"

# Mounts are of this process alone, and go with it.
PRIVATE = ["unshare", "-m"] if getattr(os, "geteuid", lambda: 1)() == 0 else ["unshare", "-Urm"]

SWEEP = """
import hashlib, json, subprocess, sys
from pathlib import Path
from prospect.errors import OutputError
from prospect.model import load_model
from prospect.scoring import engines, run, score
from prospect.stack import open_stack
model, sample, place, *sizes = sys.argv[1:]
model, stack, place = load_model(model), open_stack(sample), Path(place)
path, known, real = place / "gold.tif", {}, engines.score_tile
def remembered(job, window):
    if window not in known:
        known[window] = real(job, window)
    return known[window]
engines.score_tile = remembered
asked = run.require_space
def bytes_of():
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in place.glob("gold*")}
def mount(*options):
    subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", str(place)], check=True)
for size in sizes:
    # An untold size is as if others filled the disk after it was looked at.
    run.require_space = asked if size.endswith("told") else lambda *_: None
    size = int(size.removesuffix("told"))
    mount("-o", f"size={size}k")
    for name in ("gold.tif", "gold.qml", "gold.manifest.json"):
        place.joinpath(name).write_bytes(b"old")
    before = bytes_of()
    try:
        score(model, stack, path, engine="serial", tile=256)
        said = "written"
    except OutputError as error:
        said = str(error)
    after = bytes_of()
    left = sorted(p.name for p in place.iterdir() if p.name.startswith("."))
    mount("-o", "remount,size=64m")
    score(model, stack, path, engine="serial", tile=256, resume=True)
    print(json.dumps([size, said, after == before, after == bytes_of(), left, bytes_of(),
                      sorted(p.name for p in place.iterdir())]), flush=True)
    subprocess.run(["umount", str(place)], check=True)
"""


@pytest.fixture(scope="module")
def private():
    """A command before a command that may mount."""
    probe = [*PRIVATE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("a file system of our own cannot be mounted here")
    return PRIVATE


@pytest.fixture(scope="module")
def expected(small_forest, tmp_path_factory):
    folder = tmp_path_factory.mktemp("expected")
    stack = open_stack(SAMPLE)
    occurrences = load_project(SAMPLE).occurrences
    model = train(stack, occurrences, "gold", estimator=small_forest, background=300)
    file = model.save(folder / "gold.prospect")
    path = score(model, stack, folder / "gold.tif", engine="serial", tile=256)
    from hashlib import sha256

    made = {p.name: sha256(p.read_bytes()).hexdigest() for p in folder.glob("gold*")}
    del made[file.name]
    return file, path, made


def swept(private, expected, tmp_path, sizes):
    """One line of what became of the map for each size of disk, in kB."""
    model, _, _ = expected
    place = tmp_path / "disk"
    place.mkdir()
    words = [sys.executable, "-c", SWEEP, model, SAMPLE, place, *sizes]
    done = subprocess.run(
        [*private, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        cwd=SAMPLE.parents[1],
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def judge(rows, expected):
    """How many maps were written, and how many refused; each whole or as before."""
    _, _, made = expected
    written = 0
    for size, said, as_before, as_resumed, left, final, all_names in rows:
        assert final == made, size
        assert all_names == sorted(made), size
        if said == "written":
            written += 1
            assert as_resumed, size
            assert left == [], size
        else:
            assert as_before, (size, said)
            assert "\n" not in said
            assert left in ([], [".gold.tif.work"]), (size, left)
    return written, len(rows) - written


def test_a_small_disk(private, expected, tmp_path):
    sizes = [12, 40, 900, 8000, "12told", "900told", "8000told"]
    rows = swept(private, expected, tmp_path, sizes)
    assert judge(rows, expected) == (2, 5)
    told = [said for _, said, *_ in rows[4:6]]
    assert all("takes up to" in said and "free some space" in said for said in told)


@pytest.mark.slow
def test_a_disk_of_every_size(private, expected, tmp_path):
    sizes = [12, 16, 20, 24, 28, 32, *range(40, 4000, 40)]
    written, refused = judge(swept(private, expected, tmp_path, sizes), expected)
    assert min(written, refused) > 10
