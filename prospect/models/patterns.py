"""Binary patterns of evidence: their weights, and where to cut values into them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prospect.errors import ModelError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PatternWeights:
    """
    Weights of a binary pattern.

    Attributes
    ----------
    w_plus, w_minus : float
        Added to the logit where the pattern is present, and where it is absent.
    s_w_plus, s_w_minus : float
        Their standard deviations.
    """

    w_plus: float
    s_w_plus: float
    w_minus: float
    s_w_minus: float

    @property
    def contrast(self) -> float:
        """How far presence and absence are apart."""
        return self.w_plus - self.w_minus

    @property
    def s_contrast(self) -> float:
        """Standard deviation of the contrast."""
        return float(np.hypot(self.s_w_plus, self.s_w_minus))

    @property
    def studentised(self) -> float:
        """Contrast over its standard deviation: 1.5 to 2 or more is worth believing."""
        return self.contrast / self.s_contrast


def pattern_weights(
    deposits_inside: float, cells_inside: float, deposits: float, cells: float
) -> PatternWeights:
    """
    Weights of a binary pattern from four counts [1]_.

    Parameters
    ----------
    deposits_inside, cells_inside : float
        Deposits and unit cells (or area in unit cells) where the pattern is present; a
        deposit takes one cell.
    deposits, cells : float
        Of all ground where the pattern is known.

    Returns
    -------
    PatternWeights
        Where one of the four kinds of cell (deposit or not, inside or not) is empty and
        weights would be infinite, half a cell is added to each (Haldane's correction).

    References
    ----------
    .. [1] Bonham-Carter, Agterberg and Wright (1989). Weights of evidence modelling: a new
       approach to mapping mineral potential. Geological Survey of Canada Paper 89-9.

    Examples
    --------
    Gold deposits of the Meguma terrane within reach of anticline axes [1]_:

    >>> weights = pattern_weights(50, 1276.4, 68, 2945)
    >>> print(f"{weights.w_plus:.4f} {weights.w_minus:.4f}")
    0.5452 -0.7735
    """
    table = np.array(
        [
            [deposits_inside, cells_inside - deposits_inside],
            [deposits - deposits_inside, cells - cells_inside - (deposits - deposits_inside)],
        ],
        float,
    )
    if (table < -1e-9).any() or deposits <= 0 or cells <= deposits:
        raise ModelError(
            "Weights of evidence need deposits and cells without any, of which the pattern holds "
            f"a part, but {deposits_inside:g} of {deposits:g} deposits and {cells_inside:g} of "
            f"{cells:g} cells came."
        )
    if (table <= 0).any():
        table = np.maximum(table, 0) + 0.5
    share = table / table.sum(axis=0)
    weight = np.log(share[:, 0] / share[:, 1])
    deviation = np.sqrt((1 / table).sum(axis=1))
    return PatternWeights(*(float(v) for pair in zip(weight, deviation, strict=True) for v in pair))


def weights_of(pattern: NDArray[np.bool_], deposit: NDArray[np.bool_]) -> PatternWeights:
    """The weights of a pattern, from cells."""
    return pattern_weights(
        int((pattern & deposit).sum()), int(pattern.sum()), int(deposit.sum()), pattern.size
    )


def cuts_of(values: Array, classes: int) -> Array:
    """Values that part others into about equal numbers: a cut belongs to what is above it."""
    different = np.unique(values)
    if different.size <= classes:
        return different[1:]
    steps = np.arange(1, classes) / classes
    cuts = np.unique(np.quantile(values, steps, method="inverted_cdf"))
    # Where most values are alike, as of presence, the quantiles say nothing of the others.
    cuts = cuts[cuts > different[0]]
    return cuts if cuts.size else different[1:2]
