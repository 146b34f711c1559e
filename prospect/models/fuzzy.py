"""Fuzzy overlay from the signs of evidence: a map that needs no labels at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted, validate_data

from prospect.errors import ModelError
from prospect.models._checks import require_signs, require_two_classes
from prospect.models._two_classes import TwoClasses

Array = NDArray[np.float64]

OVERLAYS = ("gamma", "product", "sum", "and", "or")


class FuzzyOverlay(TwoClasses):
    """
    Memberships from the signs of features, combined by a fuzzy operator.

    What is known of the deposit type speaks, and no deposit is looked at [1]_. A membership
    rises along a line from the low to the high quantile of the feature (``+``), falls
    (``-``), or is highest midway between them (``∩``, near function
    ``1 / (1 + (2 u)²)`` with u from −1 to 1 between the quantiles). Features of sign ``0``
    are left out.

    Parameters
    ----------
    signs : sequence of {'+', '-', '0', '∩'}, optional
        One a feature; by default all ``+``.
    groups : sequence, optional
        One a feature: evidence of one group says the same thing, at several scales for
        instance, and is combined by ``or`` first, so that it counts once.
    gamma : float
        From 0 (the product: all must agree) to 1 (the sum: any suffices).
    overlay : {'gamma', 'product', 'sum', 'and', 'or'}
    low, high : float
        Quantiles between which memberships rise. Where they fall together, as for a rare
        presence, the smallest and the largest value stand in.
    floor : float
        Memberships lie between ``floor`` and ``1 - floor``: no map is so sure that it may
        rule out a cell by itself.

    Attributes
    ----------
    classes_ : array of shape (2,)
    low_, high_ : array of shape (k,)
        Values at which memberships begin and end; NaN for features that are not used.
    used_ : array of shape (k,), bool

    Notes
    -----
    With memberships μ of the m kinds of evidence, k of them known in a cell, product and sum
    are ``(Π μ)^(m/k)`` and ``1 − (Π (1 − μ))^(m/k)``: missing evidence counts as the geometric
    mean of what is known there, and neither raises nor lowers the score. For ``and`` and
    ``or`` it is left out of the smallest and the largest. Gamma is
    ``sum^γ · product^(1−γ)`` [2]_.

    The score is no probability: its order matters.

    References
    ----------
    .. [1] An, Moon and Rencz (1991). Application of fuzzy set theory for integration of
       geological, geophysical and remote sensing data. Canadian Journal of Exploration
       Geophysics 27.
    .. [2] Bonham-Carter (1994). Geographic information systems for geoscientists. Pergamon.
    """

    def __init__(
        self,
        signs: Sequence[str] | None = None,
        *,
        groups: Sequence[Any] | None = None,
        gamma: float = 0.9,
        overlay: str = "gamma",
        low: float = 0.05,
        high: float = 0.95,
        floor: float = 0.1,
    ) -> None:
        self.signs = signs
        self.groups = groups
        self.gamma = gamma
        self.overlay = overlay
        self.low = low
        self.high = high
        self.floor = floor

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        tags.classifier_tags.poor_score = True
        return tags

    def fit(self, X: Any, y: Any = None) -> FuzzyOverlay:
        """
        Find where memberships begin and end.

        Parameters
        ----------
        X : array of shape (n, k)
            NaN is missing evidence.
        y : array of shape (n,), optional
            Only names the classes; no label is looked at.
        """
        if y is None:
            X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan")
            self.classes_ = np.array([0, 1])
        else:
            X, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
            self.classes_, _ = require_two_classes(y)
        self._check_parameters()
        signs = require_signs(self.signs, X.shape[1], "+")
        groups = range(X.shape[1]) if self.groups is None else self.groups
        if len(groups) != X.shape[1]:
            raise ModelError(
                f"A group for each of {X.shape[1]} features was expected, not {len(groups)}."
            )
        self.low_, self.high_ = np.full(X.shape[1], np.nan), np.full(X.shape[1], np.nan)
        for column, sign in enumerate(signs):
            values = X[~np.isnan(X[:, column]), column]
            if sign == "0" or values.size == 0:
                continue
            low, high = np.quantile(values, (self.low, self.high))
            if not low < high:
                low, high = values.min(), values.max()
            if low < high:
                self.low_[column], self.high_[column] = low, high
        self.used_ = ~np.isnan(self.low_)
        if not self.used_.any() and self.signs is not None:
            raise ModelError(
                "No feature with a sign (+, - or ∩) has values that differ, so nothing is known "
                "of where deposits are likely: give the signs of evidence in the recipe."
            )
        self._signs = np.array(signs)
        names = [repr(group) for group in groups]
        self._group = np.array([names.index(name) for name in names], np.int64)
        return self

    def _check_parameters(self) -> None:
        if self.overlay not in OVERLAYS:
            raise ModelError(f"overlay is one of {', '.join(OVERLAYS)}, not '{self.overlay}'.")
        if not 0 <= self.gamma <= 1:
            raise ModelError(f"gamma lies between 0 and 1, but {self.gamma} came.")
        if not 0 <= self.low < self.high <= 1:
            raise ModelError(f"low < high are quantiles, but {self.low} and {self.high} came.")
        if not 0 < self.floor < 0.5:
            raise ModelError(f"floor lies above 0 and below one half, but {self.floor} came.")

    def memberships(self, X: Any) -> Array:
        """
        How far each feature of each cell speaks for deposits.

        Parameters
        ----------
        X : array of shape (n, k)

        Returns
        -------
        array of shape (n, k)
            From ``floor`` to ``1 - floor``; NaN for gaps and features that are not used.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        found = np.full(X.shape, np.nan)
        for column in np.flatnonzero(self.used_):
            low, high = self.low_[column], self.high_[column]
            # From 0 to 1 between the quantiles; the difference may not overflow.
            rise = np.clip((X[:, column] / 2 - low / 2) / (high / 2 - low / 2), 0, 1)
            if self._signs[column] == "-":
                rise = 1 - rise
            elif self._signs[column] == "∩":
                rise = 1 / (1 + (2 * (2 * rise - 1)) ** 2)
            found[:, column] = self.floor + (1 - 2 * self.floor) * rise
        return found

    def _score(self, membership: Array) -> Array:
        """The overlay of memberships of shape (n, k); NaN where none is known."""
        n = len(membership)
        product, complement, known = np.ones(n), np.ones(n), np.zeros(n)
        least, most = np.full(n, np.inf), np.full(n, -np.inf)
        groups = np.unique(self._group[self.used_])
        for group in groups:
            members = np.flatnonzero(self.used_ & (self._group == group))
            value = np.full(n, np.nan)
            for column in members:
                value = np.fmax(value, membership[:, column])
            here = ~np.isnan(value)
            known += here
            product *= np.where(here, value, 1)
            complement *= np.where(here, 1 - value, 1)
            least, most = np.fmin(least, value), np.fmax(most, value)
        return self.overlaid(product, complement, known, least, most)

    def overlaid(
        self, product: Array, complement: Array, known: Array, least: Array, most: Array
    ) -> Array:
        """
        The overlay of what the known kinds of evidence have in common.

        Parameters
        ----------
        product, complement : array of shape (n,)
            Of their memberships, and of 1 less each.
        known : array of shape (n,)
            How many kinds of evidence are known.
        least, most : array of shape (n,)
            The smallest and the largest membership.

        Returns
        -------
        array of shape (n,)
            NaN where nothing is known.
        """
        share = np.unique(self._group[self.used_]).size / np.maximum(known, 1)
        product, total = product**share, 1 - complement**share
        score = {
            "gamma": total**self.gamma * product ** (1 - self.gamma),
            "product": product,
            "sum": total,
            "and": least,
            "or": most,
        }[self.overlay]
        return np.where(known > 0, score, np.nan)

    def predict_proba(self, X: Any) -> Array:
        """
        The overlay, from 0 to 1; no probability, though scikit-learn calls it so.

        Parameters
        ----------
        X : array of shape (n, k)
            NaN is missing evidence.

        Returns
        -------
        array of shape (n, 2)
            NaN where all evidence with a sign is missing.
        """
        score = self._score(self.memberships(X))
        return np.column_stack([1 - score, score])
