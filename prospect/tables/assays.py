"""Assays as laboratories write them: detection limits, traces, orders of magnitude, units."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from prospect.errors import LayerError
from prospect.tables.columns import UNITS
from prospect.tables.values import plain_minus

WARN_CENSORED = 0.3
"""Above this share below detection an element's values are mostly a laboratory's limit."""

MAX_CENSORED = 0.8
"""Above this share only detected or not can be told."""

STEPPED = 15
"""Below this many different values a column is semi-quantitative: it comes in steps."""

METHODS = ("ros", "half", "none")

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_NUMBER = r"\d+(?:\.\d+)?(?:e[+-]?\d+)?"
_PLAIN = re.compile(rf"(?P<sign>[<>≤≥-]?)(?P<number>{_NUMBER})%?", re.IGNORECASE)
_POWER = re.compile(
    r"(?P<sign>[<>≤≥]?)(?P<factor>n|\d+(?:\.\d+)?)[·*×xх•]10\^?(?P<power>-?\d+)%?", re.IGNORECASE
)
_TRACES = re.compile(r"сл\.?|следы|tr\.?|traces?", re.IGNORECASE)
_NOT = re.compile(
    r"н\.?/?\s?о\.?|не\s?обн\.?|не\s?опр\.?|n\.?/?d\.?|nd|n/a|na|null|nan|-|–|—", re.IGNORECASE
)
_NOT_DETECTED = re.compile(r"bdl|<\s*dl|ниже\s?п\.?о\.?|не\s?обнаружено", re.IGNORECASE)
_CODES = (-999.0, -9999.0, -99999.0)
"""Written for "no value" by databases. Any other negative number is a detection limit, so that
without this list a code would pass for a limit of 9999."""


@dataclass(frozen=True)
class Assays:
    """
    One element of a table, understood value by value.

    Attributes
    ----------
    value : array of shape (n,), parts per million
        As measured; of a censored value its limit; NaN for a gap.
    censored : array of shape (n,), int
        -1 below ``value``, +1 above it, 0 measured.
    counts : mapping of str to int
        How many values were written in which way.
    notes : tuple of str
        What a person should know before using the column.
    """

    value: NDArray[np.float64]
    censored: NDArray[np.int64]
    counts: dict[str, int]
    notes: tuple[str, ...]

    @property
    def stepped(self) -> bool:
        """Whether the values come in steps, as spectral analyses do: use ranks."""
        measured = self.value[(self.censored == 0) & np.isfinite(self.value)]
        return measured.size > 2 * STEPPED and np.unique(measured).size < STEPPED

    @property
    def share_censored(self) -> float:
        """Share below detection of all values that are no gap; NaN when there are none."""
        known = np.isfinite(self.value)
        return float((self.censored[known] < 0).mean()) if known.any() else float("nan")


def read_assays(
    column: pd.Series[str],
    *,
    unit: str = "ppm",
    not_found: str = "gap",
    limit: float | None = None,
) -> Assays:
    """
    Read one column of assays.

    Parameters
    ----------
    column : Series of str
        Such as ``0.5``, ``0,5``, ``<0.002``, ``-0.002`` (below detection), ``>1000``,
        ``сл.`` (traces), ``5·10⁻³``, ``n·10⁻³`` (of that order), ``н/о``.
    unit : str
        Of the numbers: ppm, ppb, %, г/т, мг/кг and so on; values come in ppm.
    not_found : 'gap' or 'below'
        What ``н/о`` means, which is written for "not detected" and for "not determined".
    limit : float, optional
        Detection limit, in ``unit``, of values written without one; by default the
        smallest limit written in the column, or else its smallest value.

    Returns
    -------
    Assays

    Raises
    ------
    LayerError
        If the unit is unknown, or a value is none of these.
    """
    if unit not in UNITS:
        raise LayerError(f"The unit '{unit}' is not known; known: {', '.join(UNITS)}.")
    if not_found not in ("gap", "below"):
        raise LayerError(f"not_found is 'gap' or 'below', not '{not_found}'.")
    value = np.full(len(column), np.nan)
    censored = np.zeros(len(column), np.int64)
    kinds = np.full(len(column), "", dtype=object)
    strange = []
    for i, text in enumerate(column.astype(str)):
        kind, number, sign = _read(text, not_found)
        kinds[i], value[i], censored[i] = kind, number, sign
        if kind == "not understood":
            strange.append((i + 1, text.strip()))
    if strange:
        listed = ", ".join(f"'{text}' in row {row}" for row, text in strange[:3])
        raise LayerError(
            f"{len(strange)} values of '{column.name}' are no assays ({listed}): write numbers, "
            "limits as <0.002, and leave gaps empty."
        )
    value *= UNITS[unit]
    below = censored < 0
    unknown = below & np.isnan(value)
    if unknown.any():
        if limit is not None:
            value[unknown] = limit * UNITS[unit]
        else:
            known = value[below & np.isfinite(value)]
            measured = value[(censored == 0) & (value > 0)]
            source = known if known.size else measured
            value[unknown] = source.min() if source.size else np.nan
    counts = {str(kind): int((kinds == kind).sum()) for kind in dict.fromkeys(kinds)}
    assays = Assays(value, censored, counts, ())
    return Assays(value, censored, counts, _notes(assays, str(column.name), unit))


def impute(assays: Assays, method: str = "ros") -> NDArray[np.float64]:
    """
    Values that can be averaged and ranked, for what lies below detection.

    Parameters
    ----------
    assays : Assays
    method : str
        ``ros``: robust regression on order statistics, the logarithms of the measured
        values against normal scores at Hirsch-Stedinger plotting positions, several
        limits allowed [1]_; ``half``: half of each limit; ``none``: a gap.

    Returns
    -------
    array of shape (n,), parts per million
        Measured values are left as they are; values above an upper limit take the limit;
        gaps stay NaN. Which of equal limits is given which imputed value follows the
        order of the table.

    Raises
    ------
    LayerError
        If too few values were measured for the regression.

    References
    ----------
    .. [1] Helsel and Cohn (1988). Estimation of descriptive statistics for multiply
       censored water quality data. Water Resources Research 24(12).
    """
    if method not in METHODS:
        raise LayerError(f"The method is one of {', '.join(METHODS)}, not '{method}'.")
    below = (assays.censored < 0) & np.isfinite(assays.value)
    result = assays.value.copy()
    if not below.any():
        return result
    if method == "none":
        result[below] = np.nan
    elif method == "half":
        result[below] = 0.5 * assays.value[below]
    else:
        measured = (assays.censored >= 0) & (assays.value > 0)
        result[below] = _ros(assays.value[measured], assays.value[below])
    return result


def ranks(assays: Assays) -> NDArray[np.float64]:
    """
    Share of values below each one, ties halved: what steps can tell.

    Returns
    -------
    array of shape (n,), from 0 to 1
        Values below detection share the lowest rank; gaps stay NaN.
    """
    low = np.where(assays.censored < 0, -np.inf, assays.value)
    known = np.isfinite(assays.value)
    result = np.full(low.size, np.nan)
    result[known] = (rankdata(low[known]) - 0.5) / known.sum()
    return result


def detected(assays: Assays) -> NDArray[np.float64]:
    """1 where a value was measured, 0 where it is below detection, NaN for gaps."""
    return np.where(np.isfinite(assays.value), assays.censored >= 0, np.nan)


def _read(text: str, not_found: str) -> tuple[str, float, int]:
    """How a value is written, its number, and on which side of it the truth lies."""
    text = plain_minus(text.strip().translate(_SUPERSCRIPTS))
    if not text:
        return "gaps", np.nan, 0
    if _TRACES.fullmatch(text):
        return "traces", np.nan, -1
    if _NOT_DETECTED.fullmatch(text):
        return "not detected", np.nan, -1
    if _NOT.fullmatch(text):
        return ("н/о", np.nan, -1) if not_found == "below" else ("н/о as gaps", np.nan, 0)
    plain = re.sub(r"\s", "", text).replace(",", ".")
    match = _PLAIN.fullmatch(plain)
    if match is not None:
        number, sign = float(match["number"]), match["sign"]
        if sign == "-":
            if -number in _CODES:
                return "codes for nothing", np.nan, 0
            return "negative", number, -1
        return _limited(number, sign)
    match = _POWER.fullmatch(plain)
    if match is not None:
        order, sign = 10.0 ** int(match["power"]), match["sign"]
        if match["factor"] in ("n", "N"):
            # Some digit from 1 to 9: the middle of the order on a logarithmic scale.
            return "orders of magnitude", 10**0.5 * order, 0
        return _limited(float(match["factor"]) * order, sign)
    return "not understood", np.nan, 0


def _limited(number: float, sign: str) -> tuple[str, float, int]:
    """A number with a sign that may make it a limit."""
    if sign in ("<", "≤"):
        return "below detection", number, -1
    if sign in (">", "≥"):
        return "above the range", number, 1
    return "measured", number, 0


_TAKEN = {
    "н/о as gaps": "written as not found or not determined (н/о), and a gap unless you say that "
    "it is below detection,",
    "н/о": "written as not found or not determined (н/о), and taken to be below detection,",
    "traces": "written as traces, and taken to be below the least limit or value written,",
    "negative": "negative, and taken to be below the number's size,",
    "codes for nothing": "a code for no value, and a gap,",
    "above the range": "above what could be measured, and taken at that limit,",
    "orders of magnitude": "written as an order of magnitude (n·10), and taken in its middle,",
}
"""What was made of values that are no plain numbers, in the words of a note."""


def _notes(assays: Assays, name: str, unit: str) -> tuple[str, ...]:
    notes = []
    if UNITS[unit] != 1.0:
        notes.append(f"'{name}' was brought from {unit} to ppm (× {UNITS[unit]:g})")
    share = assays.share_censored
    if share > MAX_CENSORED:
        notes.append(
            f"{share:.0%} of '{name}' is below detection: only detected or not can be told"
        )
    elif share > WARN_CENSORED:
        made = (
            "all of it shares the lowest rank" if assays.stepped else "its low values are imputed"
        )
        notes.append(f"{share:.0%} of '{name}' is below detection: {made}")
    if assays.stepped:
        notes.append(f"'{name}' comes in steps, as spectral analyses do: only ranks can be told")
    for kind, meaning in _TAKEN.items():
        count = assays.counts.get(kind, 0)
        if count:
            notes.append(f"'{name}' is {meaning} in {count} row{'s' if count > 1 else ''}")
    return tuple(notes)


def _ros(measured: NDArray[np.float64], limits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values for censored ones by regression on order statistics, never above their limit."""
    if np.unique(measured).size < 3:
        raise LayerError(
            f"{measured.size} measured values are too few to impute {limits.size} below "
            "detection: use half the limit, or detected or not."
        )
    levels = np.unique(limits)
    # Exceedance of each limit, from the highest down (Hirsch and Stedinger 1987).
    exceed = np.zeros(levels.size + 1)
    for j in range(levels.size - 1, -1, -1):
        above = levels[j + 1] if j + 1 < levels.size else np.inf
        between = ((measured >= levels[j]) & (measured < above)).sum()
        under = (measured < levels[j]).sum() + (limits <= levels[j]).sum()
        exceed[j] = exceed[j + 1]
        if between:
            exceed[j] += between / (between + under) * (1 - exceed[j + 1])
    position = np.empty(measured.size)
    bins = np.searchsorted(levels, measured, side="right")
    for j in np.unique(bins):
        here = bins == j
        top = 1.0 if j == 0 else exceed[j - 1]
        rank = np.empty(int(here.sum()))
        rank[np.argsort(measured[here], kind="stable")] = np.arange(1, here.sum() + 1)
        position[here] = (1 - top) + (top - exceed[j]) * rank / (here.sum() + 1)
    slope, intercept = np.polyfit(norm.ppf(position), np.log(measured), 1)
    filled = np.empty(limits.size)
    for j, level in enumerate(levels):
        here = limits == level
        count = int(here.sum())
        place = (1 - exceed[j]) * np.arange(1, count + 1) / (count + 1)
        filled[here] = np.exp(intercept + slope * norm.ppf(place))
    return np.asarray(np.minimum(filled, limits))
