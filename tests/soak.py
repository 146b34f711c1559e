"""
A soak: maps that are killed at random times and resumed, again and again, to the same bytes.

Prints a line; ends with 1 where a map differs or a run does not go on::

    python tests/soak.py [--runs 200] [--seed 0]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from prospect.project import load_project
from prospect.scoring import score
from prospect.stack import open_stack
from prospect.training import train

SAMPLE = Path(__file__).parents[1] / "sample_data" / "region"
MOST_KILLS = 20
"""Of one map: then it is let run to its end."""


def digests(path: Path) -> dict[str, str]:
    """The bytes of all files of a map."""
    files = sorted(path.parent.glob(f"{path.stem}.*"))
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def killed(work, delay: float) -> bool:
    """Do some work in a process, and kill it after a while; false if it ended by itself."""
    child = os.fork()
    if child == 0:
        # Not through the interpreter's end: nothing of the parent's is to be tidied up here.
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - nothing may pass the fork
            print(error, file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    end = time.monotonic() + delay
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            if status != 0:
                raise SystemExit(f"a run ended with status {status}")
            return False
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def main() -> None:
    """Kill and resume."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    kills = 0
    with tempfile.TemporaryDirectory() as folder:
        model = train(
            open_stack(SAMPLE), load_project(SAMPLE).occurrences, "gold", background=500, workers=1
        )
        path = Path(folder) / "gold.tif"

        def work() -> None:
            score(model, open_stack(SAMPLE), path, engine="serial", tile=256, resume=True)

        begin = time.monotonic()
        work()
        long, expected = time.monotonic() - begin, digests(path)
        for run in range(asked.runs):
            for file in path.parent.iterdir():
                file.unlink()
            for _ in range(MOST_KILLS):
                if not killed(work, rng.uniform(0, 1.2 * long)):
                    break
                kills += 1
            else:
                work()
            left = [p.name for p in path.parent.iterdir() if p.name.startswith(".")]
            if digests(path) != expected or left:
                raise SystemExit(f"run {run} of seed {asked.seed} ended otherwise; left: {left}")
    print(f"{asked.runs} maps, {kills} kills: the same bytes, and nothing left")


if __name__ == "__main__":
    main()
