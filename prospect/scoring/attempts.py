"""Tiles as they are done: what fails is tried again alone, and named once the rest is done."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Generator, Iterator, Sequence

from prospect.errors import TileError
from prospect.grid import Window
from prospect.scoring.engines import Engine, Landed, Ticket

log = logging.getLogger(__name__)

ATTEMPTS = 2
"""How often a tile that failed among others is tried alone."""

ASIDE = 4
"""Failed tiles for each that may be in flight, before they are tried alone in between."""

HOPELESS = 10
"""Tiles that fail alone too before the rest is given up: then the fault is not a tile's."""


def run_tiles(engine: Engine, windows: Sequence[Window]) -> Generator[Landed, None, None]:
    """
    Tiles as they are done, few of them in flight.

    A tile that fails, or whose worker dies, is tried again alone once the others are done.

    Yields
    ------
    Landed

    Raises
    ------
    TileError
        If tiles fail alone too, once all others are done.
    """
    left = deque(windows)
    flying: dict[Ticket, Window] = {}
    aside: list[Window] = []
    poisoned: dict[Window, BaseException] = {}
    try:
        engine.restart(engine.workers)
        while left or flying:
            while left and len(flying) < engine.ahead:
                window, ticket = engine.submit_next(left)
                flying[ticket] = window
            failed = len(aside)
            yield from _land(engine, flying, aside)
            lost = len(aside) > failed and engine.brittle
            alone = bool(aside) and (not left or len(aside) > ASIDE * engine.ahead)
            if lost or alone:
                while flying:
                    yield from _land(engine, flying, aside)
            if alone:
                yield from _each_alone(engine, aside, poisoned)
                aside.clear()
            if (lost or alone) and left:
                engine.restart(engine.workers)
    finally:
        engine.stop()
    if poisoned:
        raise _poisoned(poisoned)


def _land(engine: Engine, flying: dict[Ticket, Window], aside: list[Window]) -> Iterator[Landed]:
    """What is done; what failed is noted."""
    for ticket in engine.landed(flying):
        window = flying.pop(ticket)
        try:
            landed = engine.take(window, ticket)
        except Exception as error:  # noqa: BLE001 - whatever it is, the tile is tried again
            log.warning(
                "The tile of %s failed (%s): it is tried again alone.", _place(window), _told(error)
            )
            aside.append(window)
        else:
            yield landed


def _each_alone(
    engine: Engine, windows: Sequence[Window], poisoned: dict[Window, BaseException]
) -> Iterator[Landed]:
    """Failed tiles one after the other, each by itself; those that fail again are noted."""
    engine.restart(1)
    for window in windows:
        for attempt in range(1, ATTEMPTS + 1):
            ticket = engine.submit(window)
            engine.landed([ticket])
            try:
                landed = engine.take(window, ticket)
            except Exception as error:  # noqa: BLE001 - whatever it is, the tile is named
                if attempt == ATTEMPTS:
                    log.warning("The tile of %s failed alone, too.", _place(window))
                    poisoned[window] = error
                engine.restart(1)
            else:
                log.warning("The tile of %s went well when alone.", _place(window))
                yield landed
                break
        if len(poisoned) >= HOPELESS:
            raise _poisoned(poisoned, "; since so many fail, the rest was not tried")


def _poisoned(poisoned: dict[Window, BaseException], more: str = "") -> TileError:
    """An error that names tiles, together where they fail of the same."""
    reasons: dict[str, list[str]] = {}
    for window, cause in poisoned.items():
        reasons.setdefault(_told(cause), []).append(_place(window))
    said = "; ".join(
        f"the tile{'s' * (len(places) > 1)} of {', of '.join(places)} cannot be scored, also "
        f"alone: {reason.rstrip('.')}"
        for reason, places in reasons.items()
    )
    error = TileError(f"T{said[1:]}{more}.")
    error.__cause__ = next(reversed(poisoned.values()))
    return error


def _place(window: Window) -> str:
    return (
        f"rows {window.row}–{window.row + window.height} and columns "
        f"{window.col}–{window.col + window.width}"
    )


def _told(error: BaseException) -> str:
    """An error in words."""
    if isinstance(error, MemoryError):
        return "there is not enough memory, so give a smaller --max-memory or fewer --workers"
    if type(error).__name__ in ("TerminatedWorkerError", "BrokenProcessPool", "KilledWorker"):
        return "a worker died, killed by the system or for want of memory"
    return " ".join([str(error) or type(error).__name__, *getattr(error, "__notes__", ())])
