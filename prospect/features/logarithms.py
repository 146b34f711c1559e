"""Weighted sums of logarithms: what log-ratios and scores of assays are, taken together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from prospect.errors import EvidenceError
from prospect.features.operation import Array, Family
from prospect.grid import Cell

LEAST = 1e-30
"""Floors stay above it: logarithms are of numbers of full precision."""

CELLS = 2048
"""Cells taken through all steps at once: few enough for the cache, enough for long reads."""

Attrs = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Mix:
    """
    A weighted sum of the logarithms of a row's layers.

    Attributes
    ----------
    floors : tuple of float
        Of every layer of the row.
    weights : tuple of (int, float)
        Place of a layer in the row, and its weight.
    mean : float
        Weight of the mean of the logarithms of all layers of the row.
    shift : float
        Added at last.
    """

    floors: tuple[float, ...]
    weights: tuple[tuple[int, float], ...]
    mean: float = 0.0
    shift: float = 0.0


def mix_together(
    blocks: Sequence[Array],
    out: Array,
    cell: Cell,
    asked: Sequence[tuple[int, tuple[tuple[int, ...], Mix]]],
    key: Any,
) -> None:
    """Fill planes of ``out`` with mixes of blocks; ``asked`` says which blocks a row is of."""
    from prospect._kernels import logarithms as kernels

    # Every logarithm that some mix needs, and every mean of such, is a row of the basis.
    logs: dict[tuple[int, float], int] = {}
    means: dict[tuple[int, ...], int] = {}
    for _, (places, mix) in asked:
        for pair in zip(places, mix.floors, strict=True):
            logs.setdefault(pair, len(logs))
    terms: list[list[tuple[int, float]]] = []
    for _, (places, mix) in asked:
        rows = [logs[pair] for pair in zip(places, mix.floors, strict=True)]
        term = [(rows[place], weight) for place, weight in mix.weights]
        if mix.mean:
            at = means.setdefault(tuple(rows), len(logs) + len(means))
            term.append((at, mix.mean))
        terms.append(term)
    # Rows must be whole in memory, wherever each begins.
    held = [b if b.strides[1] == 4 else np.ascontiguousarray(b) for b in blocks]
    kernels.combinations(
        np.array([held[place].ctypes.data for place, _ in logs], np.int64),
        np.array([held[place].strides[0] // 4 for place, _ in logs], np.int64),
        np.array([floor for _, floor in logs], np.float32),
        *_packed([list(rows) for rows in means]),
        *_packed([[at for at, _ in term] for term in terms]),
        np.array([weight for term in terms for _, weight in term], np.float32),
        np.array([mix.shift for _, (_, mix) in asked], np.float32),
        np.array([plane for plane, _ in asked], np.int64),
        np.empty((len(logs) + len(means) + 1, CELLS), np.float32),
        out,
    )


def _packed(lists: Sequence[list[int]]) -> tuple[Array, Array]:
    """Lists one after the other, and where each begins."""
    starts = np.cumsum([0, *map(len, lists)], dtype=np.int64)
    return starts, np.array([item for some in lists for item in some], np.int64)


LOGARITHMS = Family("logarithms", lambda parameters: None, mix_together, pooled=True)
"""Rows of any assays."""


def alone(layers: Sequence[Array], out: Array, cell: Cell, mixes: Sequence[Mix]) -> None:
    """What a single row asks for."""
    places = tuple(range(len(layers)))
    planes = out[None] if out.ndim == 2 else out
    mix_together(layers, planes, cell, [(k, (places, mix)) for k, mix in enumerate(mixes)], None)


def floors_of(values: Sequence[Array], attrs: Attrs, most: float) -> list[float]:
    """
    Half the smallest positive value of every layer.

    Raises
    ------
    EvidenceError
        If the layers have no cell in common, or one is undetected in too many of them.
    """
    floors = []
    for part, about in zip(values, attrs, strict=True):
        name = str(about.get("name", "a layer"))
        if part.size == 0:
            raise EvidenceError("The layers have no cell in which all of them hold a value.")
        undetected = float(np.mean(part <= 0))
        if undetected > most:
            raise EvidenceError(
                f"'{name}' is zero or negative, that is undetected, in {undetected:.0%} of its "
                f"cells, and {most:.0%} is the most here: leave it out, or use share_above.",
                name,
            )
        floors.append(max(float(about["least"]) / 2, LEAST))
    return floors


def logarithm(layer: Array, floor: float) -> Array:
    """Natural logarithm of a layer raised to its floor."""
    return np.asarray(np.log(np.maximum(layer, np.float32(floor))))
