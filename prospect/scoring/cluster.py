"""Tiles on a cluster of dask.distributed: a worker gets the job once, and few tiles at a time."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import signal
import socket
import threading
import time
import uuid
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import CancelledError, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prospect._version import __version__
from prospect.cluster import connect, is_local, reaches
from prospect.errors import ClusterError
from prospect.grid import Window
from prospect.record import versions
from prospect.scoring.engines import Engine, Landed, Ticket
from prospect.scoring.tile import Job, Tile, score_tile

if TYPE_CHECKING:
    from distributed import Client, Future

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks at which workers are there."""

WAIT = 60.0
"""Seconds that a cluster without workers is waited for: those that died may come back."""

KEPT = 4
"""Jobs that a worker keeps at the most, should clients die without taking theirs back."""


class WorkerLostError(Exception):
    """A worker is gone."""

    def __init__(self, address: str) -> None:
        super().__init__(f"its worker {address} died, killed by the system or for want of memory")


class NotSettledError(Exception):
    """A worker does not have the job: another process has come to its address."""


@dataclass
class Seat:
    """A worker that is used: threads, kind of processor, how many tiles it has and the newest."""

    address: str
    threads: int
    processor: str
    flying: int = 0
    last: Window | None = None

    @property
    def load(self) -> float:
        """Tiles a thread."""
        return self.flying / self.threads


@dataclass(eq=False)
class Flight:
    """A tile that a worker was given."""

    future: Future
    seat: Seat
    lost: bool = False


class Cluster(Engine):
    """
    On the workers of a cluster, a future a tile, each given to one worker and to no other.

    So a tile that kills its worker kills no second one before it is tried alone, whatever the
    cluster's own rules are, and no worker waits for the next tile. A worker goes downward, and
    keeps the rows that its next tile begins with. Workers that come are used
    once they are found to have our versions and to see the layers; tiles of those that go
    count as failed.
    """

    def __init__(self, job: Job, workers: int, scheduler: Any = None) -> None:
        super().__init__(job, workers)
        self.scheduler = scheduler
        self.client: Client | None = None
        self.seats: dict[str, Seat] = {}
        self.refused: dict[str, str] = {}
        self._held = ExitStack()
        self._token = f"prospect-{uuid.uuid4().hex}"
        self._given = 0
        self._looked = 0.0
        self._kinds: set[str] = set()
        self._flights: set[Flight] = set()
        self._wake = threading.Event()

    @property
    def ahead(self) -> int:
        """A tile a thread, and one more a worker, so that none waits."""
        return max(1, sum(seat.threads + 1 for seat in self.seats.values()))

    def restart(self, workers: int) -> None:
        """Find the cluster, or start one; lost workers come back by themselves."""
        if self.client is not None:
            return
        import cloudpickle

        number = None if self.scheduler is not None else workers
        self.client = self._held.enter_context(connect(self.scheduler, number))
        self._payload = cloudpickle.dumps(self.job)
        self._files = files_of_job(self.job)
        self._wait_for_workers()

    def submit(self, window: Window) -> Ticket:
        """Give a tile to the worker that has fewest."""
        return self._give(window, self._emptiest())

    def submit_next(self, left: deque[Window]) -> tuple[Window, Ticket]:
        """Give the worker that has fewest the tile below its newest, or a stretch of its own."""
        seat = self._emptiest()
        window = next_of(left, seat.last, [other.last for other in self.seats.values()])
        left.remove(window)
        return window, self._give(window, seat)

    def _emptiest(self) -> Seat:
        """The worker that has fewest tiles a thread."""
        self._look()
        if not self.seats:
            self._wait_for_workers()
        return min(self.seats.values(), key=lambda seat: seat.load)

    def _give(self, window: Window, seat: Seat) -> Ticket:
        """Have a worker compute a tile."""
        assert self.client is not None
        self._given += 1
        with self._answering():
            future = self.client.submit(
                score_there,
                self._token,
                tuple(window),
                key=f"{self._token}-{self._given}",
                workers=[seat.address],
                allow_other_workers=False,
                pure=False,
            )
        future.add_done_callback(lambda _: self._wake.set())
        flight = Flight(future, seat)
        seat.flying += 1
        seat.last = window
        self._flights.add(flight)
        return flight

    def landed(self, tickets: Collection[Ticket]) -> Collection[Ticket]:
        """Wait, and look which workers are there meanwhile."""
        while True:
            self._wake.clear()
            self._look()
            done = [
                flight
                for flight in tickets
                if isinstance(flight, Flight) and (flight.lost or flight.future.done())
            ]
            if done:
                return done
            self._wake.wait(LOOK_EVERY)

    def take(self, window: Window, ticket: Ticket) -> Landed:
        """Fetch a tile from its worker."""
        assert isinstance(ticket, Flight)
        address = ticket.seat.address
        try:
            tile, seconds = self._fetch(ticket)
        except NotSettledError:
            self.seats.pop(address, None)
            raise
        except WorkerLostError:
            raise
        except Exception as error:
            error.add_note(f"(On the worker {address}.)")
            raise
        finally:
            self._flights.discard(ticket)
            ticket.seat.flying -= 1
            ticket.future.release()
        return Landed(window, tile, address.split("://")[-1], seconds)

    def stop(self) -> None:
        """Take back what was asked for; a cluster that was there stays as it was."""
        if self.client is None:
            return
        with suppress(Exception):
            if not is_local(self.client):
                self.client.cancel([flight.future for flight in self._flights], force=True)
                self.client.run(forget, self._token, workers=list(self.seats), on_error="return")
        self._held.close()
        self.client = None

    def remarks(self) -> dict[str, Any]:
        """The kinds of processors, where there were several."""
        return {"processors": sorted(self._kinds)} if len(self._kinds) > 1 else {}

    def _fetch(self, flight: Flight) -> tuple[Tile | None, float]:
        """A tile's bands, and the seconds it took there."""
        assert self.client is not None
        if not flight.lost:
            fetch = asyncio.run_coroutine_threadsafe(
                self.client.gather(flight.future, asynchronous=True), self.client.loop.asyncio_loop
            )
            while not flight.lost:
                # Waiting for it tells its own TimeoutError, of a slow disk, from ours.
                if wait([fetch], timeout=LOOK_EVERY).done:
                    with suppress(CancelledError):
                        found: tuple[Tile | None, float] = fetch.result()
                        return found
                    break
                # What was done is gone with a worker that died since.
                self._look()
            fetch.cancel()
        raise WorkerLostError(flight.seat.address)

    def _wait_for_workers(self) -> None:
        """Wait until a worker can be used; say so if none comes."""
        begin = time.monotonic()
        while not self.seats:
            self._look(now=True)
            if self.seats:
                break
            if self.refused:
                raise ClusterError(
                    f"No worker of {self._where} can be used: the worker "
                    f"{next(iter(self.refused.values()))}."
                )
            if time.monotonic() - begin > WAIT:
                raise ClusterError(
                    f"No worker is at {self._where}, and none came within {WAIT:.0f} s: start some "
                    "with 'dask worker ADDRESS', and give the command again."
                )
            time.sleep(0.2)

    def _look(self, *, now: bool = False) -> None:
        """Find out which workers came and which are gone."""
        assert self.client is not None
        if not now and time.monotonic() - self._looked < LOOK_EVERY:
            return
        with self._answering():
            there = self.client.nthreads()
        self._looked = time.monotonic()
        self.seats = {address: seat for address, seat in self.seats.items() if address in there}
        for flight in self._flights:
            # Also of a worker that was at the address before the one we last knew there.
            if flight.seat.address not in there and not flight.lost:
                flight.lost = True
                flight.future.release()
        for address in [address for address in self.refused if address not in there]:
            del self.refused[address]
        come = [each for each in there if each not in self.seats and each not in self.refused]
        if come:
            self._admit(come, there)

    def _admit(self, addresses: Sequence[str], threads: dict[str, int]) -> None:
        """Give workers the job, if they would make of it what this computer makes."""
        assert self.client is not None
        with self._answering():
            answers = self.client.run(
                settle,
                self._token,
                self._payload,
                _versions(),
                self._files,
                own=self.scheduler is None,
                workers=list(addresses),
                on_error="return",
            )
        for address, answer in answers.items():
            if isinstance(answer, OSError):
                # Gone again; if it is not, it is asked once more.
                continue
            if isinstance(answer, Exception):
                problem = f"{address} cannot take the job ({answer}): install prospect there"
            else:
                problem = answer["problem"] and f"{address} on {answer['host']} {answer['problem']}"
            if problem:
                self.refused[address] = problem
                log.warning("A worker is not used: %s.", problem)
                continue
            self.seats[address] = Seat(address, threads[address], answer["processor"])
        self._go_direct(addresses)
        kinds = {seat.processor for seat in self.seats.values()} - self._kinds
        self._kinds |= kinds
        if kinds and len(self._kinds) > 1:
            log.warning(
                "Workers have different processors (%s): last bits may differ between them.",
                ", ".join(sorted(self._kinds)),
            )

    def _go_direct(self, addresses: Sequence[str]) -> None:
        """Fetch tiles from workers where they can be reached, and not through the scheduler."""
        client = self.client
        if client is None or is_local(client) or client is self.scheduler:
            return
        if client.direct_to_workers is None or client.direct_to_workers:
            client.direct_to_workers = all(reaches(address, 2.0) for address in addresses)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """What is asked of a scheduler that is gone ends in a sentence."""
        try:
            yield
        except (OSError, RuntimeError, ValueError) as error:
            raise ClusterError(
                f"The scheduler at {self._where} does not answer any more "
                f"({str(error) or type(error).__name__}): start it again, and give the same "
                "command with --resume."
            ) from error

    @property
    def _where(self) -> str:
        return "this computer" if self.scheduler is None else str(self.scheduler)


def next_of(left: Sequence[Window], last: Window | None, others: Sequence[Window | None]) -> Window:
    """
    The tile that a worker goes on with.

    Parameters
    ----------
    left : sequence of Window
        Column by column, from the top down.
    last : Window, optional
        What the worker was given last.
    others : sequence of Window or None
        What workers, this one too, were given last.

    Returns
    -------
    Window
        That below its last, if it is left; else the first of the longest stretch of a column,
        or the middle of one that another worker is going down.
    """
    stretches: dict[tuple[int, int], list[Window]] = {}
    ends: dict[tuple[int, int], tuple[int, int]] = {}
    for window in left:
        here = window[:2]
        start = ends.pop(here, here)
        stretches.setdefault(start, []).append(window)
        ends[_below(window)] = start
    if last is not None and _below(last) in stretches:
        return stretches[_below(last)][0]
    taken = {_below(other) for other in others if other is not None}
    parts = (run[len(run) // 2 :] if place in taken else run for place, run in stretches.items())
    return max(parts, key=len)[0]


def _below(window: Window) -> tuple[int, int]:
    """Row and column where the tile below a tile begins."""
    return window.row + window.height, window.col


def files_of_job(job: Job) -> list[tuple[str, int]]:
    """The files that a job's layers are read from, and their sizes; of folders -1."""
    found = {}
    for layer in job.stack.data_vars.values():
        path = Path(str(layer.attrs.get("source", ""))).absolute()
        if layer.attrs.get("source") and path.exists():
            found[str(path)] = path.stat().st_size if path.is_file() else -1
    return sorted(found.items())


def _versions() -> dict[str, str]:
    """Versions that decide the bytes."""
    found = {"prospect": __version__, **versions()}
    found["python"] = ".".join(platform.python_version_tuple()[:2])
    return found


_HERE: dict[str, tuple[Job, Any]] = {}
"""In a worker: jobs, and what holds its libraries to one thread."""


def settle(
    token: str,
    payload: bytes,
    expected: dict[str, str],
    files: Sequence[tuple[str, int]],
    *,
    own: bool,
) -> dict[str, str]:
    """
    In a worker: keep a job, unless this worker would make something else of it.

    Returns
    -------
    dict
        ``problem``, empty if there is none, ``host`` and ``processor``.
    """
    import cloudpickle
    from threadpoolctl import threadpool_limits

    from prospect._kernels.processor import processor

    if own and threading.current_thread() is threading.main_thread():
        # It is for the first process to hear of Ctrl-C.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    answer = {
        "problem": _other_versions(expected) or _missing(files),
        "host": socket.gethostname(),
        "processor": processor(),
    }
    if not answer["problem"]:
        while len(_HERE) >= KEPT:
            forget(next(iter(_HERE)))
        # The payload runs code, as everything a cluster is sent does (SECURITY.md): whoever
        # reaches a worker needs no pickle of ours for it. No file is ever loaded this way.
        _HERE[token] = cloudpickle.loads(payload), threadpool_limits(1)
    return answer


def forget(token: str) -> None:
    """In a worker: let go of a job."""
    job = _HERE.pop(token, None)
    if job is not None and not _HERE:
        job[1].restore_original_limits()


def score_there(token: str, window: tuple[int, int, int, int]) -> tuple[Tile | None, float]:
    """In a worker: a tile, and the seconds it took."""
    if token not in _HERE:
        raise NotSettledError("its worker has started afresh")
    begin = time.perf_counter()
    tile = score_tile(_HERE[token][0], Window(*window))
    return tile, time.perf_counter() - begin


def _other_versions(expected: dict[str, str]) -> str:
    """What this worker has instead of what is here."""
    own = _versions()
    other = [
        f"{name} {own.get(name, '')}, not {version}"
        for name, version in expected.items()
        if own.get(name) != version
    ]
    return f"has {'; '.join(other)}: the same versions are needed for the same map" if other else ""


def _missing(files: Sequence[tuple[str, int]]) -> str:
    """Which file this worker does not see as it is seen where the run was started."""
    for path, size in files:
        try:
            found = os.stat(path).st_size  # noqa: PTH116
        except OSError as error:
            return (
                f"does not see {path} ({error.strerror}): layers are read by path, so they must "
                "lie under the same path on every host, such as on a shared disk"
            )
        if size not in (-1, found):
            return f"sees another {path}, of {found} bytes instead of {size}"
    return ""
