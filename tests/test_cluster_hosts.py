"""Two hosts, as network namespaces: scheduler and client on one, workers on the other."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from prospect.scoring import score
from prospect.stack import open_stack
from prospect.training import train

pytestmark = [pytest.mark.hosts, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[1]
SCHEDULER, WORKERS = "10.213.77.1", "10.213.77.2"


def ip(*words):
    """The command ip; its complaint if it fails."""
    ran = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=20)
    if ran.returncode:
        raise OSError(ran.stderr.strip())
    return ran.stdout


class Host:
    """A network namespace, whose processes end with it."""

    def __init__(self, name, folder):
        self.name, self.folder, self.begun = name, folder, []
        ip("netns", "add", name)

    def words(self, module, *words):
        return ["ip", "netns", "exec", self.name, sys.executable, "-m", module, *map(str, words)]

    def start(self, module, *words):
        """Begin something that stays."""
        with (self.folder / f"{self.name}.log").open("ab") as log:
            begun = subprocess.Popen(
                self.words(module, *words), cwd=self.folder, env=environment(),
                stdout=log, stderr=log,
            )  # fmt: skip
        self.begun.append(begun)

    def run(self, module, *words):
        """Do something, and wait for it."""
        return subprocess.run(
            self.words(module, *words), cwd=self.folder, env=environment(),
            capture_output=True, text=True, timeout=240,
        )  # fmt: skip

    def pids(self):
        return [int(each) for each in ip("netns", "pids", self.name).split()]

    def remove(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            until = time.monotonic() + 5
            for process in self.pids():
                with suppress(ProcessLookupError):
                    os.kill(process, number)
            while self.pids() and time.monotonic() < until:
                time.sleep(0.1)
        for begun in self.begun:
            begun.wait(10)
        ip("netns", "delete", self.name)


def environment():
    """Ours, with this tree in front."""
    paths = [str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


@pytest.fixture
def hosts(tmp_path):
    """Two hosts and a wire between them."""
    pytest.importorskip("distributed", reason="needs the extra dask")
    if shutil.which("ip") is None:
        pytest.skip("network namespaces need iproute2")
    number = os.getpid()
    with ExitStack() as held:
        try:
            pair = []
            for letter in "ab":
                pair.append(Host(f"prospect-{letter}{number}", tmp_path))
                held.callback(pair[-1].remove)
            ends = [f"pr{letter}{number}" for letter in "ab"]
            ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
            for host, end, address in zip(pair, ends, (SCHEDULER, WORKERS), strict=True):
                ip("link", "set", end, "netns", host.name)
                ip("-n", host.name, "address", "add", f"{address}/24", "dev", end)
                ip("-n", host.name, "link", "set", end, "up")
                ip("-n", host.name, "link", "set", "lo", "up")
        except OSError as error:
            pytest.skip(f"network namespaces cannot be made here ({error})")
        yield pair


def sent(host):
    """Bytes that a host has put onto the wire."""
    lines = ip("-n", host.name, "-s", "link").split("TX:")[-1].splitlines()
    return int(lines[1].split()[0])


def test_workers_of_another_host_give_the_same_bytes(
    hosts, gold_model, region_folder, world, tmp_path
):
    first, second = hosts
    address = f"tcp://{SCHEDULER}:8786"
    first.start("distributed.cli.dask_scheduler", "--host", SCHEDULER, "--no-dashboard")
    second.start(
        "distributed.cli.dask_worker", address, "--host", WORKERS, "--no-dashboard",
        "--nworkers", "2", "--nthreads", "1",
    )  # fmt: skip
    model = tmp_path / "gold.prospect"
    gold_model.save(model)
    stack = open_stack(world)
    kept = score(gold_model, stack, tmp_path / "here.tif", workers=2)
    before = sent(second)
    ran = first.run(
        "prospect.cli", "score", model, region_folder, "-o", tmp_path / "there.tif",
        "--scheduler", address, "-q",
    )  # fmt: skip
    logs = "".join(log.read_text() for log in tmp_path.glob("*.log"))
    assert ran.returncode == 0, ran.stderr + logs
    assert (tmp_path / "there.tif").read_bytes() == kept.read_bytes()
    cells = stack.sizes["y"] * stack.sizes["x"]
    assert sent(second) - before > 4 * cells, "the map came over the wire"

    train(
        stack, world.occurrences, "gold", estimator="woe", n_splits=3, workers=2
    ).save(tmp_path / "here.prospect")  # fmt: skip
    ran = first.run(
        "prospect.cli", "train", region_folder, "-c", "gold", "--learner", "woe", "--folds", "3",
        "-o", tmp_path / "there.prospect", "--scheduler", address, "-q",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr + logs
    assert (tmp_path / "there.prospect").read_bytes() == (tmp_path / "here.prospect").read_bytes()
