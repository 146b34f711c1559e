"""Runs a program: its lines as they come, its end when it is asked to stop."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PATIENCE = 10.0
"""Seconds that a program has to end by itself after it was asked to."""

TICK = 0.1
WINDOWS = os.name == "nt"


def run(
    words: Sequence[str],
    *,
    folder: Path | None,
    environ: Mapping[str, str],
    out: Callable[[str], None],
    err: Callable[[str], None],
    stopped: Callable[[], bool] = lambda: False,
) -> int:
    """
    Run a program to its end, and return its exit code.

    ``out`` and ``err`` get every line, in the calling thread. When ``stopped`` says so, the
    program and all that it has started are ended.

    Raises
    ------
    OSError
        If it cannot be started.
    """
    child = subprocess.Popen(
        list(words),
        cwd=folder,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        **_apart(),
    )
    lines: queue.Queue = queue.Queue()
    readers = [
        threading.Thread(target=_read, args=(stream, to, lines), daemon=True)
        for stream, to in ((child.stdout, out), (child.stderr, err))
    ]
    for reader in readers:
        reader.start()
    try:
        ended = 0
        while ended < len(readers):
            if stopped():
                break
            try:
                to, line = lines.get(timeout=TICK)
            except queue.Empty:
                continue
            if line is None:
                ended += 1
            else:
                to(line)
        while child.poll() is None and not stopped():
            time.sleep(TICK)
    finally:
        if child.poll() is None:
            end(child)
    return child.wait()


def _apart() -> dict:
    """A group of its own, so that all of it can be ended; no window."""
    if WINDOWS:
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        return {"creationflags": flags}
    return {"start_new_session": True}


def _read(stream, to, lines: queue.Queue) -> None:
    with stream:
        for line in stream:
            lines.put((to, line.rstrip("\r\n")))
    lines.put((to, None))


def end(child: subprocess.Popen) -> None:
    """End a program and what it has started, kindly first."""
    if WINDOWS:
        # Finished tiles are on the disk and journalled, so nothing is lost by force.
        subprocess.run(
            ["taskkill", "/F", "/T", "/PID", str(child.pid)], capture_output=True, check=False
        )
        child.wait()
        return
    _signal(child, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(PATIENCE)
    # What it started may outlive it.
    _signal(child, signal.SIGKILL)
    child.wait()


def _signal(child: subprocess.Popen, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)
