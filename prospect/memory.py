"""How much memory this process has, and how much the system lets it have."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

UNKNOWN = 3e9
"""Bytes that are taken to be there where the system does not say."""


def resident(root: Path = Path("/")) -> float:
    """Bytes of memory that this process has; 0 where the system does not say."""
    return _pages(root, 1)


def free_memory(root: Path = Path("/")) -> float:
    """
    Bytes that this process could have in all, with those it has.

    The least of what is free on the machine, what the group of processes may still take (of
    a container, or a job of SLURM), and what address space is left (``ulimit -v``).

    Parameters
    ----------
    root : path
        Where the system tells of itself.
    """
    return resident(root) + max(0.0, min([_machine(root), *_groups(root), addresses_left(root)]))


def addresses_left(root: Path = Path("/")) -> float:
    """Bytes of address space that are left, such as ``ulimit -v`` leaves; else infinity."""
    try:
        import resource
    except ImportError:
        return math.inf
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    return math.inf if most == resource.RLIM_INFINITY else most - _pages(root, 0)


def _machine(root: Path) -> float:
    """Bytes that are free on the machine."""
    try:
        for line in (root / "proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024.0 * int(line.split()[1])
    except (OSError, ValueError):
        pass
    sysconf: Any = getattr(os, "sysconf", None)
    if sysconf is None or sys.platform == "win32":
        return UNKNOWN
    return float(sysconf("SC_PAGE_SIZE") * sysconf("SC_PHYS_PAGES") / 2)


def _groups(root: Path) -> Iterator[float]:
    """Bytes left to each control group that this process is in."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, kinds, place = line.split(":", 2)
        if kinds == "":
            base, names = "", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in kinds.split(","):
            base = "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        folder = root / "sys/fs/cgroup" / base
        parts = Path(place.lstrip("/")).parts
        for depth in range(len(parts) + 1):
            left = _left(folder.joinpath(*parts[:depth]), *names)
            if left is not None:
                yield left


def _left(folder: Path, limit: str, used: str, cached: str) -> float | None:
    """Bytes that a control group may still take; files it holds in memory give way."""
    try:
        # Without a limit it says "max", or a number beyond all memory.
        most, taken = (int((folder / name).read_text()) for name in (limit, used))
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    return float(most - taken + int(stat.get(cached, 0)))


def _pages(root: Path, which: int) -> float:
    """Bytes that this process has: of address space (0), in memory (1)."""
    try:
        pages = int((root / "proc/self/statm").read_text().split()[which])
        return float(pages * os.sysconf("SC_PAGE_SIZE"))
    except (OSError, ValueError, AttributeError):
        return 0.0
