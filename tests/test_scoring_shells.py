"""Maps from shells of their own: two at once on one output, and memory that the system limits."""

import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import SAMPLE

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")


def start(*arguments, code="from prospect.cli import run; run()"):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_commands_on_one_output(sample, tmp_path):
    path = tmp_path / "gold.tif"
    command = ["score", sample.path, SAMPLE, "-o", path, "-q", "--engine", "serial"]
    first = start(*command, "--tile", 256)
    work = path.parent / f".{path.name}.work"
    for _ in range(6000):
        if (work / "journal.jsonl").exists() or first.poll() is not None:
            break
        time.sleep(0.01)
    # However slow the second is to begin, the first is in the middle of it.
    os.kill(first.pid, signal.SIGSTOP)
    try:
        assert (work / "journal.jsonl").exists()
        second = start(*command)
        _, said = second.communicate(timeout=300)
    finally:
        os.kill(first.pid, signal.SIGCONT)
    assert second.returncode == 1
    assert f"is being written by process {first.pid} on " in said
    assert "wait for it, or choose another output" in said
    assert "Traceback" not in said
    _, said = first.communicate(timeout=300)
    assert first.returncode == 0, said
    assert path.read_bytes() == sample.map.read_bytes()
    assert not work.exists()


LIMITED = """
import resource, sys
from pathlib import Path
from prospect.cli import main, run
model, folder, warm, extra, path = sys.argv[1:]
command = ["score", model, folder, "-q", "--tile", "256", "--workers", "2", "-o"]
if warm:
    # Libraries and kernels are loaded, so that the limit is felt by the map and nothing else.
    main([*command, warm], standalone_mode=False)
pages = int(Path("/proc/self/statm").read_text().split()[0])
most = pages * resource.getpagesize() + int(extra) * 2**20
resource.setrlimit(resource.RLIMIT_AS, (most, most))
sys.argv = ["prospect", *command, path]
import prospect.cli
if warm:
    prospect.cli.ADDRESSES = 0
run()
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no size of the process")  # noqa: PTH110
@pytest.mark.parametrize(
    ("extra", "loaded", "ending"),
    [
        (5, True, "GB are free: end other programs, or give a smaller --tile or fewer --workers."),
        (60, True, "GB are free: end other programs, or give a smaller --tile or fewer --workers."),
        (600, True, ""),
        (450, False, "GB are left: raise the limit with 'ulimit -v', or in the job's file."),
    ],
)
def test_a_limit_on_memory_is_told_before_the_start(sample, tmp_path, extra, loaded, ending):
    path = tmp_path / "gold.tif"
    warm = tmp_path / "warm" / "gold.tif" if loaded else ""
    if loaded:
        warm.parent.mkdir()
    run = start(sample.path, SAMPLE, warm, extra, path, code=LIMITED)
    _, said = run.communicate(timeout=300)
    if ending:
        assert run.returncode == 1, said
        assert said.rstrip().endswith(ending), said
        assert "Traceback" not in said
        assert not [item.name for item in tmp_path.iterdir() if item.name != "warm"]
    else:
        assert run.returncode == 0, said
        assert path.read_bytes() == sample.map.read_bytes()
