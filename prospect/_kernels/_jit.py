"""How every kernel is compiled: cached, serial, without the GIL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile for contiguous arrays; threads live one layer above, gaps are NaN."""
    try:
        return cast(F, njit(nogil=True, cache=True, error_model="numpy")(function))
    except RuntimeError:
        # No folder can be written to: the kernel is compiled anew by every process.
        return cast(F, njit(nogil=True, error_model="numpy")(function))
