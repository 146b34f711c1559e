"""Progress: what is going on, told on a terminal, in plain lines, or not at all."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Done = Callable[[int], None]
Progress = Callable[..., AbstractContextManager[Done]]
"""Called with a title, a total and a unit; what comes back takes the steps that are done."""


@contextmanager
def silent(title: str, total: int = 0, unit: str = "") -> Iterator[Done]:
    """Say nothing: the default of the library."""
    yield lambda steps: None


@contextmanager
def bars(title: str, total: int = 0, unit: str = "") -> Iterator[Done]:
    """
    A bar on a terminal, else a line at the end.

    Parameters
    ----------
    title : str
    total : int
        Steps to come; 0 when not known.
    unit : str
        Of the steps, such as ``cells``.
    """
    start = time.monotonic()
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

            def advance(steps: int) -> None:
                bar.update(steps)

            yield advance
    else:
        yield lambda steps: None
        print(f"{title}: done in {time.monotonic() - start:.1f} s", file=sys.stderr)  # noqa: T201
