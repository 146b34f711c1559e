"""Who computes tiles: this thread, several threads, or processes; and what becomes of failures."""

from __future__ import annotations

import logging
import signal
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait

from prospect.errors import ModelError, TileError
from prospect.grid import Window
from prospect.scoring.tile import Job, Tile, score_tile

log = logging.getLogger(__name__)

ATTEMPTS = 2
"""How often a tile that failed among others is tried alone."""

Landed = tuple[Window, Tile | None]


class Engine(ABC):
    """
    Where tiles are computed.

    To add one: say how it takes a tile, and how it starts again once its workers are lost.
    """

    def __init__(self, job: Job, workers: int) -> None:
        self.job, self.workers = job, workers

    @property
    def ahead(self) -> int:
        """Tiles in flight: one waits, so that no worker does."""
        return self.workers + 1

    @abstractmethod
    def submit(self, window: Window) -> Future[Tile | None]:
        """Have a tile computed."""

    @abstractmethod
    def restart(self, workers: int) -> None:
        """Start, or begin again with new workers."""

    @abstractmethod
    def stop(self) -> None:
        """Let no further tile begin, and end."""


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


ENGINES: dict[str, type[Engine]] = {"threads": Threads, "serial": Serial, "processes": Processes}


def require_engine(name: str) -> type[Engine]:
    """
    An engine by its name.

    Raises
    ------
    ModelError
        If there is none.
    """
    if name not in ENGINES:
        raise ModelError(f"Engine '{name}' is unknown; there are {', '.join(ENGINES)}.")
    return ENGINES[name]


def run_tiles(engine: Engine, windows: Sequence[Window]) -> Generator[Landed, None, None]:
    """
    Tiles as they are done, few of them in flight.

    A tile that fails is tried again alone, once those in flight have landed; so it is when
    its worker dies, and its neighbours with it.

    Yields
    ------
    window : Window
    tile : mapping of str to array, or None

    Raises
    ------
    TileError
        If a tile fails alone too.
    """
    left = deque(windows)
    flying: dict[Future[Tile | None], Window] = {}
    engine.restart(engine.workers)
    try:
        while left or flying:
            while left and len(flying) < engine.ahead:
                window = left.popleft()
                flying[engine.submit(window)] = window
            failed: list[Window] = []
            yield from _land(flying, failed, FIRST_COMPLETED)
            if failed:
                yield from _land(flying, failed, "ALL_COMPLETED")
                yield from _each_alone(engine, failed)
                engine.restart(engine.workers)
    finally:
        engine.stop()


def _land(
    flying: dict[Future[Tile | None], Window], failed: list[Window], until: str
) -> Iterator[Landed]:
    """What is done; what failed is noted."""
    done, _ = wait(flying, return_when=until)
    for future in done:
        window, error = flying.pop(future), future.exception()
        if error is None:
            yield window, future.result()
        else:
            log.warning("%s failed (%s): it is tried again alone.", _named(window), _told(error))
            failed.append(window)


def _each_alone(engine: Engine, windows: Sequence[Window]) -> Iterator[Landed]:
    """Failed tiles one after the other, each by itself."""
    engine.restart(1)
    for window in windows:
        for attempt in range(1, ATTEMPTS + 1):
            future = engine.submit(window)
            error = future.exception()
            if error is None:
                log.warning("%s went well when alone.", _named(window))
                yield window, future.result()
                break
            if attempt == ATTEMPTS:
                raise TileError(
                    f"{_named(window)} cannot be scored, also alone: {_told(error)}"
                ) from error
            engine.restart(1)


def _named(window: Window) -> str:
    return (
        f"The tile of rows {window.row}–{window.row + window.height} and columns "
        f"{window.col}–{window.col + window.width}"
    )


def _told(error: BaseException) -> str:
    """An error in words."""
    if isinstance(error, MemoryError):
        return "there is not enough memory, so give a smaller --max-memory or fewer --workers"
    if type(error).__name__ in ("TerminatedWorkerError", "BrokenProcessPool"):
        return "a worker died, killed by the system or for want of memory"
    return str(error) or type(error).__name__


_HERE: list[Job] = []


def _settle_in(job: Job) -> None:
    """Keep the job in a worker; it is for the first process to hear of Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _HERE[:] = [job]


def _score_here(window: Window) -> Tile | None:
    return score_tile(_HERE[0], window)
