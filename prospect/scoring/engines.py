"""Who computes tiles: this thread, several threads, processes, or the workers of a cluster."""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Collection, Hashable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from typing import Any, NamedTuple, cast

from prospect.cluster import require_distributed
from prospect.errors import ModelError
from prospect.grid import Window
from prospect.scoring.tile import Job, Tile, score_tile

Ticket = Hashable
"""What stands for a tile that is under way."""


class Landed(NamedTuple):
    """
    A tile that is done.

    ``by`` names its worker and ``seconds`` are those it took there, where several computers
    may share the work.
    """

    window: Window
    tile: Tile | None
    by: str = ""
    seconds: float = 0.0


class Engine(ABC):
    """
    Where tiles are computed.

    To add one: say how it takes a tile, and how it starts again once its workers are lost.

    Attributes
    ----------
    brittle : bool
        Whether a worker that dies takes the tiles of all others along.
    """

    brittle = False

    def __init__(self, job: Job, workers: int) -> None:
        self.job, self.workers = job, workers

    @property
    def ahead(self) -> int:
        """Tiles in flight: one waits, so that no worker does."""
        return self.workers + 1

    @abstractmethod
    def submit(self, window: Window) -> Ticket:
        """Have a tile computed."""

    def submit_next(self, left: deque[Window]) -> tuple[Window, Ticket]:
        """Take a tile of those that are left, and have it computed."""
        window = left.popleft()
        return window, self.submit(window)

    def landed(self, tickets: Collection[Ticket]) -> Collection[Ticket]:
        """Wait until tiles are done, well or not; which."""
        futures = cast("Collection[Future[Tile | None]]", tickets)
        return wait(futures, return_when=FIRST_COMPLETED).done

    def take(self, window: Window, ticket: Ticket) -> Landed:
        """A tile that is done; raises what it failed of."""
        return Landed(window, cast("Future[Tile | None]", ticket).result())

    @abstractmethod
    def restart(self, workers: int) -> None:
        """Start, or begin again with new workers."""

    @abstractmethod
    def stop(self) -> None:
        """Let no further tile begin, and end."""

    def remarks(self) -> dict[str, Any]:
        """What a manifest should say of who computed the map; nothing where all are alike."""
        return {}


class Serial(Engine):
    """In this thread, when asked."""

    @property
    def ahead(self) -> int:
        """One at a time."""
        return 1

    def submit(self, window: Window) -> Future[Tile | None]:
        """Compute it now."""
        future: Future[Tile | None] = Future()
        try:
            future.set_result(score_tile(self.job, window))
        except Exception as error:  # noqa: BLE001 - it is told where the result is asked for
            future.set_exception(error)
        return future

    def restart(self, workers: int) -> None:
        """Nothing to start."""

    def stop(self) -> None:
        """Nothing to stop."""


class Threads(Engine):
    """On threads: kernels and GDAL run without the interpreter's lock."""

    pool: ThreadPoolExecutor | None = None

    def submit(self, window: Window) -> Future[Tile | None]:
        """Have a thread compute it."""
        assert self.pool is not None
        return self.pool.submit(score_tile, self.job, window)

    def restart(self, workers: int) -> None:
        """New threads."""
        self.stop()
        self.pool = ThreadPoolExecutor(workers, thread_name_prefix="prospect")

    def stop(self) -> None:
        """Wait for the tiles that are being computed."""
        if self.pool is not None:
            self.pool.shutdown(wait=True, cancel_futures=True)


class Processes(Engine):
    """In processes, each of which gets the job once."""

    brittle = True
    pool: Executor | None = None

    def submit(self, window: Window) -> Future[Tile | None]:
        """Have a process compute it."""
        assert self.pool is not None
        return self.pool.submit(_score_here, window)

    def restart(self, workers: int) -> None:
        """New processes."""
        from joblib.externals.loky import ProcessPoolExecutor

        self.stop()
        self.pool = ProcessPoolExecutor(workers, initializer=_settle_in, initargs=(self.job,))

    def stop(self) -> None:
        """End the processes."""
        if self.pool is not None:
            self.pool.shutdown(wait=True, kill_workers=True)  # type: ignore[call-arg]


_LOCAL: dict[str, type[Engine]] = {
    "threads": Threads,
    "serial": Serial,
    "processes": Processes,
}
ENGINES = (*_LOCAL, "dask")


def require_engine(name: str) -> str:
    """
    The name of an engine that is there.

    Raises
    ------
    ModelError
        If there is none of that name.
    ClusterError
        If it is that of clusters and dask.distributed is not installed.
    """
    if name not in ENGINES:
        raise ModelError(f"Engine '{name}' is unknown; there are {', '.join(ENGINES)}.")
    if name == "dask":
        require_distributed()
    return name


def make_engine(name: str, job: Job, workers: int, scheduler: Any = None) -> Engine:
    """An engine by its name; of clusters, with the scheduler to go to."""
    if name in _LOCAL:
        return _LOCAL[name](job, workers)
    from prospect.scoring.cluster import Cluster

    return Cluster(job, workers, scheduler)


_HERE: list[Job] = []


def _settle_in(job: Job) -> None:
    """Keep the job in a worker; it is for the first process to hear of Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _HERE[:] = [job]


def _score_here(window: Window) -> Tile | None:
    return score_tile(_HERE[0], window)
