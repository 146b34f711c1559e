"""How much of a file is believed: caps on sizes, and how a user raises them."""

from __future__ import annotations

import os
from dataclasses import dataclass

from prospect.errors import ProspectError


@dataclass(frozen=True)
class Limit:
    """
    A cap, which an environment variable raises in every process of a run.

    Parameters
    ----------
    name : str
        The variable is ``PROSPECT_MAX_<NAME>``.
    default : float
    unit : str
        What a person counts in.
    size : float
        How many of what the program counts are one such unit.
    """

    name: str
    default: float
    unit: str
    size: float = 1.0

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"PROSPECT_MAX_{self.name}"

    @property
    def value(self) -> float:
        """
        The cap, in what the program counts.

        Raises
        ------
        ProspectError
            If the variable is no positive number.
        """
        text = os.environ.get(self.variable, "")
        if not text:
            return self.default * self.size
        try:
            found = float(text)
        except ValueError:
            found = -1.0
        if not found > 0:
            raise ProspectError(f"{self.variable} is '{text}', but a positive number was expected.")
        return found * self.size

    def refusal(self, amount: float) -> str:
        """The end of a sentence: how much came, what is accepted, how to accept more."""
        wanted = amount / self.size
        return (
            f"{wanted:,.0f} {self.unit}, more than the {self.value / self.size:,.0f} that are "
            f"accepted: if you trust it, set {self.variable}={_round_up(wanted)}"
        )


def _round_up(value: float) -> str:
    """The next number of two digits, for people to type."""
    digits = max(0, len(str(int(value))) - 2)
    return str((int(value) // 10**digits + 1) * 10**digits)


BLOCK = Limit("BLOCK_MB", 512, "MB", 2**20)
"""Largest block of a raster; one block is decoded at once."""

CELLS = Limit("CELLS", 20e9, "cells")
"""Largest raster: both countries at 10 m are 4 × 10⁹ cells."""

EXPANSION = Limit("EXPANSION", 20_000, "times its size")
"""Largest ratio of decoded to stored bytes; constant layers reach about 1,000."""

TABLE = Limit("TABLE_MB", 256, "MB", 2**20)
"""Largest table, as text."""

TABLE_CELLS = Limit("TABLE_CELLS", 20e6, "cells")
"""Most cells of a table: 400,000 rows of 50 columns."""

SHEET = Limit("SHEET_MB", 1024, "MB", 2**20)
"""Largest spreadsheet when unpacked."""

FEATURES = Limit("FEATURES", 20e6, "features")
"""Most features of a vector file."""
