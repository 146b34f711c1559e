"""Bands and relief as pictures whose values can still be read: a code a cell, a table a code."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prospect.styles import COLOURS, SHARES, class_colours

STEPS = 36
"""Codes between two shares of the area, so that a cell's own share can be told."""

CODES = 255
"""Codes of a picture; 0 is a gap."""


@dataclass(frozen=True)
class Surface:
    """
    A picture of one band.

    Attributes
    ----------
    name : str
    kind : {'shares', 'ramp', 'classes', 'shade'}
    png : str
        Codes as a grey PNG, in base64.
    colours : tuple of str
        Of the codes from 1.
    values : tuple of float
        What the codes from 1 stand for; empty for classes.
    shares : tuple of float
        Share of the area that scores higher than the code, for 'shares'.
    labels : tuple of str
        Names of classes.
    """

    name: str
    kind: str
    png: str
    colours: tuple[str, ...]
    values: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()


def by_share(name: str, values: NDArray[np.float32]) -> Surface:
    """
    Colours by share of the area, highest scores first, as the QGIS style has them.

    Parameters
    ----------
    name : str
    values : array of shape (rows, cols)
        NaN for gaps.
    """
    bounds = (1.0, *SHARES, 0.0)
    above = np.concatenate([np.linspace(a, b, STEPS, endpoint=False) for a, b in pairwise(bounds)])
    valid = values[values == values]
    limits = np.quantile(valid, 1 - above) if valid.size else np.zeros(above.size)
    codes = _codes(np.searchsorted(limits, values, side="right"), values)
    colours = tuple(COLOURS[k // STEPS] for k in range(above.size))
    return Surface(
        name, "shares", _png(codes), colours, _short(limits), tuple(np.round(above, 5).tolist())
    )


def by_ramp(name: str, values: NDArray[np.float32], colours: str = "cividis") -> Surface:
    """Colours along a ramp, from the first to the last hundredth of the values."""
    low, high = _range(values)
    position = (np.nan_to_num(values, nan=low) - low) / (high - low)
    codes = _codes(1 + np.rint(np.clip(position, 0, 1) * (CODES - 1)), values)
    return Surface(name, "ramp", _png(codes), _ramp(colours), _short(np.linspace(low, high, CODES)))


def by_class(name: str, values: NDArray[Any], labels: Sequence[str]) -> Surface:
    """A colour a class; -1 is a gap."""
    codes = np.where(values < 0, 0, values + 1).astype(np.uint8)
    colours = tuple(f"#{r:02x}{g:02x}{b:02x}" for r, g, b, _ in class_colours(len(labels)))
    return Surface(name, "classes", _png(codes), colours, labels=tuple(labels))


def shade(name: str, light: NDArray[np.float32]) -> Surface:
    """Relief lit from the north-west, in grey."""
    position = np.clip(np.nan_to_num(light), 0, 1)
    codes = _codes(1 + np.rint(position * (CODES - 1)), light)
    return Surface(name, "shade", _png(codes), _ramp("gray"))


def _codes(codes: NDArray[Any], values: NDArray[np.float32]) -> NDArray[np.uint8]:
    made: NDArray[np.uint8] = np.where(values == values, codes, 0).astype(np.uint8)
    return made


def _range(values: NDArray[np.float32]) -> tuple[float, float]:
    valid = values[values == values]
    if valid.size == 0:
        return 0.0, 1.0
    low, high = (float(v) for v in np.quantile(valid, (0.01, 0.99)))
    return (low, high) if high > low else (low, low + max(abs(low), 1.0))


def _ramp(name: str) -> tuple[str, ...]:
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return tuple(to_hex(colour) for colour in colormaps[name](np.linspace(0, 1, CODES)))


def _short(values: NDArray[Any]) -> tuple[float, ...]:
    return tuple(float(f"{value:.4g}") for value in values)


def _png(codes: NDArray[np.uint8]) -> str:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(codes, mode="L").save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode("ascii")
