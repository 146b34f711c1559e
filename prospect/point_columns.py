"""A column of points as numbers, under the name and role that its values deserve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prospect.backgrounds import FEWEST_SAMPLES, levelled
from prospect.errors import LayerError
from prospect.grid import Grid
from prospect.tables import element_of, numbers
from prospect.tables.assays import MAX_CENSORED, detected, impute, ranks, read_assays

DUPLICATES = ("mean", "first")

Points = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""x, y and value of points that have all three."""

Rocks = tuple[NDArray[np.int32], dict[int, str]]
"""The class of every cell, -1 where unmapped, and names of classes where they have any."""


@dataclass(frozen=True)
class Column:
    """A column of a table as numbers, and what was decided about it."""

    name: str
    role: str
    value: NDArray[np.float64]
    unit: str
    notes: list[str]

    @property
    def element(self) -> str:
        """The element it is of; for other columns their name."""
        return self.role.partition(".")[2]

    @property
    def is_concentration(self) -> bool:
        """Whether it can be levelled and mixed, as ranks and numbers of other kinds cannot."""
        return self.role.startswith("geochemistry.")


def read_column(column: Any, unit: str | None, not_found: str, imputation: str) -> Column:
    """A column's values under the name and role that they deserve."""
    element = element_of(str(column.name))
    if element is None:
        name = _plain_name(str(column.name))
        return Column(name, f"own.{name}", numbers(column), unit or "", [])
    if not element.unit and unit is None:
        raise LayerError(
            f"The column '{column.name}' does not say its unit: give it, for example ppm or г/т."
        )
    assays = read_assays(
        column.astype(str), unit=element.unit or unit or "ppm", not_found=not_found
    )
    name, notes = element.element, list(assays.notes)
    if assays.share_censored > MAX_CENSORED:
        return Column(f"{name}_detected", f"detected.{name}", detected(assays), "", notes)
    if assays.stepped:
        return Column(f"{name}_rank", f"rank.{name}", ranks(assays), "", notes)
    return Column(name, f"geochemistry.{name}", impute(assays, imputation), "ppm", notes)


def one_a_place(column: Column, at: Points, duplicates: str) -> Points:
    """One value a place, and how many there were said."""
    x, y, value = at
    places, first, which = np.unique(
        np.column_stack([x, y]), axis=0, return_index=True, return_inverse=True
    )
    more = x.size - first.size
    if not more:
        return at
    took = "averaged" if duplicates == "mean" else "left out, the first was taken"
    column.notes.append(f"'{column.name}' was sampled again {_times(more)} at one place: {took}")
    if duplicates == "mean":
        which = which.ravel()
        return places[:, 0], places[:, 1], np.bincount(which, value) / np.bincount(which)
    kept = np.sort(first)
    return x[kept], y[kept], value[kept]


def level_by_rock(column: Column, at: Points, rock: Rocks, grid: Grid) -> tuple[Column, Points]:
    """Robust z of every sample among those of the rock it lies on."""
    codes, names = rock
    row, col, inside = grid.index(at[0], at[1])
    on = np.where(inside, codes[row, col], -1)
    z, rare = levelled(at[2], on)
    known = np.isfinite(z)
    notes = list(column.notes)
    if not known.any():
        raise LayerError("No sample lies on mapped ground: look at the extent of the lithology.")
    if not known.all():
        notes.append(
            f"'{column.name}' is not levelled on unmapped ground, where it was sampled "
            f"{_times((~known).sum())}"
        )
    if rare:
        listed = ", ".join(names.get(code, str(code)) for code in rare[:5])
        notes.append(
            f"'{column.name}' is levelled by all samples on {len(rare)} rocks with fewer than "
            f"{FEWEST_SAMPLES} of them or no spread ({listed}{', …' if len(rare) > 5 else ''})"
        )
    above = Column(f"{column.name}_levelled", f"levelled.{column.element}", z, "", notes)
    return above, (at[0][known], at[1][known], z[known])


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _plain_name(name: str) -> str:
    return "_".join("".join(c if c.isalnum() else " " for c in name).split()) or "value"
