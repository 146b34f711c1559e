"""What memory there is: of the machine, of a container or job, of a process that is limited."""

import subprocess
import sys

import pytest

from prospect.memory import free_memory, resident

MB = 2**20


@pytest.fixture
def system(tmp_path):
    """A system that tells of 8 GB free, and of this process 100 MB."""

    def write(**files):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    write(proc__meminfo="MemTotal: 1\nMemAvailable: 8388608 kB\n")
    pages = 100 * MB // 4096
    write(proc__self__statm=f"{3 * pages} {pages} 1 1 0 1 0")
    return write


def group(system, path, most, taken, cached, names):
    folder = f"sys__fs__cgroup__{path}"
    # Names of files have dots; so they are written by hand.
    root = system()
    place = root / folder.replace("__", "/")
    place.mkdir(parents=True, exist_ok=True)
    for name, text in zip(names, (most, taken, f"anon 1\n{names[2]} {cached}"), strict=True):
        (place / ("memory.stat" if name == names[2] else name)).write_text(str(text))
    return root


TWO = ("memory.max", "memory.current", "inactive_file")
ONE = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def test_the_machine_and_what_is_held_already(system):
    root = system()
    assert resident(root) == 100 * MB
    assert free_memory(root) == 8 * 1024 * MB + 100 * MB


def test_a_container_says_less(system):
    root = system(proc__self__cgroup="0::/")
    group(system, "", 1024 * MB, 300 * MB, 50 * MB, TWO)
    assert free_memory(root) == (1024 - 300 + 50 + 100) * MB


def test_a_job_within_a_job_has_what_the_narrower_leaves(system):
    root = system(proc__self__cgroup="0::/slurm/job_7/step_0")
    group(system, "slurm__job_7", 2048 * MB, 1000 * MB, 0, TWO)
    group(system, "slurm__job_7__step_0", "max", 1000 * MB, 0, TWO)
    assert free_memory(root) == (1048 + 100) * MB


def test_the_older_kind_of_groups(system):
    root = system(proc__self__cgroup="5:cpu,cpuacct:/a\n4:memory:/a\n")
    group(system, "memory__a", 600 * MB, 200 * MB, 0, ONE)
    group(system, "memory", 9223372036854771712, 0, 0, ONE)
    assert free_memory(root) == 500 * MB


def test_a_group_that_has_taken_more_leaves_nothing(system):
    root = system(proc__self__cgroup="0::/")
    group(system, "", 100 * MB, 300 * MB, 0, TWO)
    assert free_memory(root) == 100 * MB


def test_where_nothing_is_told_something_is_assumed(tmp_path):
    assert resident(tmp_path) == 0
    assert free_memory(tmp_path) > 5e8


@pytest.mark.skipif(sys.platform == "win32", reason="limits are of POSIX systems")
def test_a_limit_on_address_space_counts():
    code = """
import resource
from prospect.memory import _pages, free_memory, resident
from pathlib import Path
most = int(_pages(Path("/"), 0)) + 300 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (most, most))
print((free_memory() - resident()) / 2**20)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert 250 < float(done.stdout) <= 300
