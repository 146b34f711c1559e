"""Numbers and angles as people write them."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# Minus signs, hyphens and dashes; the plain one stands in none of them.
_MINUS = "\u2212\u2010\u2011\u2012\u2013\uff0d\ufe63"
_AS_MINUS = str.maketrans(dict.fromkeys(_MINUS, "-"))
_APART = re.compile(r"\d\s+\d")
_PARTS = re.compile(r"\d+(?:[.,]\d+)?")
# A small s is a second, a capital one is south.
_SOUTH_OR_WEST = re.compile(r"[юЮ]\s*\.?\s*[шШ]|[зЗ]\s*\.?\s*[дД]|[SW]")
_NORTH_OR_EAST = re.compile(r"[сС]\s*\.?\s*[шШ]|[вВ]\s*\.?\s*[дД]|[NE]")
_ANGLE = re.compile(r"[\d\s.,+\-°º˚'`´’′\"”″:dmsгрмин]*", re.IGNORECASE)


def plain_minus(text: str) -> str:
    """A text whose minus signs and dashes are the plain one."""
    return text.translate(_AS_MINUS)


def numbers(column: pd.Series[str]) -> NDArray[np.float64]:
    """
    Numbers as people write them.

    Parameters
    ----------
    column : Series of str
        With decimal points or commas, any minus sign, spaces between thousands.

    Returns
    -------
    array of shape (n,)
        NaN where there is no number. Where a column shows points and commas in one
        number, the later is the decimal mark.
    """
    text = column.astype(str).str.replace(r"\s", "", regex=True).map(plain_minus)
    comma, point = text.str.rfind(","), text.str.rfind(".")
    both = (comma >= 0) & (point >= 0)
    english = both & (point > comma)
    text = text.where(~english, text.str.replace(",", ""))
    european = both & (comma > point)
    text = text.where(~european, text.str.replace(".", ""))
    return pd.to_numeric(text.str.replace(",", "."), errors="coerce").to_numpy(float)


def degrees(column: pd.Series[str]) -> NDArray[np.float64]:
    """
    Angles in degrees, written as decimal numbers or as degrees, minutes and seconds.

    Parameters
    ----------
    column : Series of str
        Such as ``40.5``, ``−40,5``, ``40°30′15″N``, ``40 30 15``, ``71°12.5' в.д.``.

    Returns
    -------
    array of shape (n,), degrees
        South and west negative; NaN where there is no angle, or minutes or seconds reach 60.
    """
    plain = numbers(column)
    return np.array(
        [
            number if np.isfinite(number) and not _APART.search(text) else _sexagesimal(text)
            for number, text in zip(plain, column.astype(str), strict=True)
        ],
        float,
    )


def _sexagesimal(text: str) -> float:
    text = plain_minus(text).strip()
    negative = text.startswith("-") or _SOUTH_OR_WEST.search(text) is not None
    text = _NORTH_OR_EAST.sub("", _SOUTH_OR_WEST.sub("", text)).strip(" .")
    if not text or not _ANGLE.fullmatch(text):
        return math.nan
    parts = [float(part.replace(",", ".")) for part in _PARTS.findall(text)]
    if not 1 <= len(parts) <= 3 or any(part >= 60 for part in parts[1:]):
        return math.nan
    # Only the last part may have decimals.
    if any(not part.is_integer() for part in parts[:-1]):
        return math.nan
    size = float(sum(part / 60.0**place for place, part in enumerate(parts)))
    return -size if negative else size
