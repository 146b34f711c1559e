"""Progress: what is going on, told on a terminal, in plain lines, or not at all."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

Done = Callable[..., None]
Progress = Callable[..., AbstractContextManager[Done]]
"""
Called with a title, a total and a unit; what comes back takes the steps that are done.

Where several computers share the work it is also told ``by`` which worker, and the ``seconds`` that
it took there.
"""


LINE_EVERY = 30.0
"""Seconds between two lines where there is no terminal."""

JSON_EVERY = 1.0


@contextmanager
def silent(title: str, total: int = 0, unit: str = "") -> Iterator[Done]:
    """Say nothing: the default of the library."""
    yield lambda steps, **_: None


@contextmanager
def bars(title: str, total: int = 0, unit: str = "") -> Iterator[Done]:
    """
    A bar on a terminal; elsewhere a line at the end, and one now and then before.

    Parameters
    ----------
    title : str
    total : int
        Steps to come; 0 when not known.
    unit : str
        Of the steps, such as ``cells``.
    """
    if sys.stderr.isatty():
        from tqdm import tqdm

        shape = None if total else "{desc} {elapsed}"
        scale = total > 10_000
        with tqdm(
            total=total or None,
            desc=title,
            unit=f" {unit}" if unit else "",
            unit_scale=scale,
            bar_format=shape,
            leave=True,
            dynamic_ncols=True,
        ) as bar:
            shares = _Shares()

            def advance(steps: int, **by: Any) -> None:
                shares.add(steps, **by)
                if shares:
                    bar.set_postfix_str(shares.words(unit), refresh=False)
                bar.update(steps)

            yield advance
        return
    clock = _Clock(total, LINE_EVERY)

    def tell(steps: int, **by: Any) -> None:
        if clock.advance(steps, **by):
            print(f"{title}: {clock.words(unit)}", file=sys.stderr, flush=True)  # noqa: T201

    yield tell
    who = f"; {clock.shares.words(unit)}" if clock.shares else ""
    print(f"{title}: done in {clock.seconds:.1f} s{who}", file=sys.stderr)  # noqa: T201


@contextmanager
def json_lines(title: str, total: int = 0, unit: str = "") -> Iterator[Done]:
    """
    A line of JSON on the standard error for every event, for machines.

    Every line has ``event`` (``start``, ``progress``, ``end``, or ``stopped`` by an error or a
    signal), ``title``, ``unit``, ``done``, ``total`` (0 when not known) and ``seconds`` since the
    start; where there are steps, ``per_second`` and ``seconds_left`` (null when not known).
    ``progress`` comes once a second at the most. Where several computers share the work,
    ``workers`` are the steps a second of each, by its name.

    Parameters
    ----------
    title, total, unit
        As of :func:`bars`.
    """
    clock = _Clock(total, JSON_EVERY)

    def tell(event: str) -> None:
        line: dict[str, Any] = {
            "event": event,
            "title": title,
            "unit": unit,
            "done": clock.done,
            "total": total,
            "seconds": round(clock.seconds, 3),
            "per_second": round(clock.rate, 1) if clock.done else None,
            "seconds_left": round(clock.left, 1) if clock.left is not None else None,
        }
        if clock.shares:
            line["workers"] = {name: round(rate, 1) for name, rate in clock.shares.rates.items()}
        print(json.dumps(line, ensure_ascii=False), file=sys.stderr, flush=True)  # noqa: T201

    def advance(steps: int, **by: Any) -> None:
        if clock.advance(steps, **by):
            tell("progress")

    tell("start")
    try:
        yield advance
    except BaseException:
        tell("stopped")
        raise
    tell("end")


class _Clock:
    """How far something is, how fast it goes, and whether it is time to say so."""

    def __init__(self, total: int, every: float) -> None:
        self.total, self.every, self.done = total, every, 0
        self.begin = self.told = time.monotonic()
        self.shares = _Shares()

    def advance(self, steps: int, **by: Any) -> bool:
        """Take steps; whether it is time to tell."""
        self.done += steps
        self.shares.add(steps, **by)
        now = time.monotonic()
        if now - self.told < self.every:
            return False
        self.told = now
        return True

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.begin

    @property
    def rate(self) -> float:
        """Steps a second."""
        return self.done / max(self.seconds, 1e-9)

    @property
    def left(self) -> float | None:
        """Seconds to come, where that can be known."""
        if not (self.total and self.done):
            return None
        return max(0, self.total - self.done) / self.rate

    def words(self, unit: str) -> str:
        """In words."""
        share = f"{self.done / self.total:.0%}, " if self.total else ""
        left = "" if self.left is None else f", {duration(self.left)} left"
        who = f"; {self.shares.words(unit)}" if self.shares else ""
        return f"{share}{self.rate:,.0f} {unit} a second{left}{who}"


class _Shares:
    """What each of several workers did, and how long it took there."""

    def __init__(self) -> None:
        self.done: dict[str, tuple[int, float]] = {}

    def __bool__(self) -> bool:
        return bool(self.done)

    def add(self, steps: int, by: str = "", seconds: float = 0.0) -> None:
        """Count what a worker did, if one is named."""
        if by:
            before, spent = self.done.get(by, (0, 0.0))
            self.done[by] = before + steps, spent + seconds

    @property
    def rates(self) -> dict[str, float]:
        """Steps a second of each worker, while it was at work."""
        return {name: steps / max(spent, 1e-9) for name, (steps, spent) in self.done.items()}

    def words(self, unit: str) -> str:
        """In words: all of a few, the slowest and the fastest of many."""
        rates = sorted(self.rates.items(), key=lambda pair: pair[1])
        few = len(rates) <= 4
        told = ", ".join(
            f"{name} {rate:,.0f}" for name, rate in (rates if few else rates[:: len(rates) - 1])
        )
        many = "" if few else f"{len(rates)} workers, slowest and fastest: "
        return f"{many}{told} {unit} a second at work"


def duration(seconds: float) -> str:
    """40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
