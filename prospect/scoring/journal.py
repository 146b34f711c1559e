"""What is done of a map, kept beside it: a folder, a lock and a journal of finished tiles."""

from __future__ import annotations

import json
import os
import shutil
import socket
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prospect.errors import OutputError
from prospect.grid import LATTICE, Window

FORMAT = 1


class WorkFolder:
    """
    The folder beside an output that holds what is done of it; locked while it is worked in.

    Parameters
    ----------
    output : path
        ``gold.tif`` has ``.gold.tif.work``.

    Raises
    ------
    OutputError
        If another process works in it, or it cannot be made.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self.path = output.parent / f".{output.name}.work"
        self._lock: int | None = None

    def __enter__(self) -> WorkFolder:
        try:
            while self._lock is None:
                self.path.mkdir(exist_ok=True)
                self._lock = self._take()
        except OSError as error:
            raise OutputError(
                f"The folder {self.path} cannot be made ({error.strerror}): choose another output."
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            if self.path.is_dir() and [item.name for item in self.path.iterdir()] == ["lock"]:
                self.remove()
            os.close(self._lock)
            self._lock = None

    def clear(self) -> None:
        """Remove what is in it, but for the lock."""
        for item in self.path.iterdir():
            if item.name != "lock":
                item.unlink()

    def remove(self) -> None:
        """Remove it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _take(self) -> int | None:
        """The lock, if it still lies in the folder once it is ours."""
        file = self.path / "lock"
        lock = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(lock)
        except OSError as error:
            who = os.read(lock, 200).decode(errors="replace").strip() or "another process"
            os.close(lock)
            raise OutputError(
                f"{self.output} is being written by {who}: wait for it, or choose another output."
            ) from error
        try:
            ours = os.fstat(lock).st_ino == file.stat().st_ino
        except OSError:
            ours = False
        if not ours:
            # Whoever had it before took the folder away.
            os.close(lock)
            return None
        # On a full disk it is a lock without a name.
        with suppress(OSError):
            os.truncate(lock, 0)
            os.write(lock, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        return lock


class Journal:
    """
    Which tiles are done, and what their bytes came to.

    Parameters
    ----------
    path : path
    key : str
        Hash of everything that decides the bytes.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key = path, key

    def begin(self, entries: Iterable[tuple[Window, Sequence[int]]] = ()) -> None:
        """
        Start anew, with tiles that are done already.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        lines = [json.dumps({"format": FORMAT, "key": self.key}), *(_line(*e) for e in entries)]
        new = self.path.with_suffix(".new")
        try:
            new.write_text("\n".join(lines) + "\n", encoding="utf-8")
            new.replace(self.path)
        except OSError as error:
            raise self._failed(error) from error

    def add(self, window: Window, checks: Sequence[int]) -> None:
        """A tile is done, and in the hands of the system; raises as :meth:`begin`."""
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line(window, checks) + "\n")
        except OSError as error:
            raise self._failed(error) from error

    def read(self) -> list[tuple[Window, list[int]]]:
        """
        The tiles that are done.

        Raises
        ------
        OutputError
            If they are of other inputs, another model or other settings.
        """
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
            header = json.loads(lines[0])
        except (OSError, ValueError, IndexError):
            return []
        if header != {"format": FORMAT, "key": self.key}:
            raise OutputError(
                f"What is kept in {self.path.parent} is of other layers, another model or other "
                "settings: give those again to resume, or leave --resume out to begin anew."
            )
        entries = []
        for line in lines[1:]:
            # The last line may have been cut.
            with suppress(ValueError, KeyError, TypeError):
                entry: dict[str, Any] = json.loads(line)
                entries.append((Window(*entry["window"]), list(entry["checks"])))
        return entries

    def _failed(self, error: OSError) -> OutputError:
        return OutputError(
            f"{self.path} cannot be written ({error.strerror}): free some space, or choose another "
            "output."
        )


class Blocks:
    """Which lattice blocks of a grid are done."""

    def __init__(self, whole: Window) -> None:
        shape = -(-whole.height // LATTICE), -(-whole.width // LATTICE)
        self.done: NDArray[np.bool_] = np.zeros(shape, bool)

    def add(self, window: Window) -> None:
        """A tile is done."""
        self.done[self._of(window)] = True

    def __contains__(self, window: Window) -> bool:
        return bool(self.done[self._of(window)].all())

    def _of(self, window: Window) -> tuple[slice, slice]:
        bottom, right = window.row + window.height, window.col + window.width
        return (
            slice(window.row // LATTICE, -(-bottom // LATTICE)),
            slice(window.col // LATTICE, -(-right // LATTICE)),
        )


def _line(window: Window, checks: Sequence[int]) -> str:
    return json.dumps({"window": list(window), "checks": list(checks)})


def checksum(cells: NDArray[Any]) -> int:
    """What the bytes of some cells come to."""
    return zlib.crc32(np.ascontiguousarray(cells).data)


def _lock(file: int) -> None:
    """Lock a file for this process; the system lets go when the process ends, however it does."""
    try:
        import fcntl
    except ImportError:
        import msvcrt

        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
