"""Logistic regression that knows the signs of its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from prospect.errors import ModelError
from prospect.models._bounded import fit_logistic
from prospect.models._checks import require_signs, require_two_classes
from prospect.models._two_classes import TwoClasses

Array = NDArray[np.float64]

CONTRADICTED = 2.0
"""Standard deviations from which data are said to contradict a sign."""


class SignedLogistic(TwoClasses):
    """
    Ridge logistic regression whose coefficients may not contradict the deposit model.

    On standardised features, the loss is minimised with coefficients of ``+`` features at
    least 0 and of ``-`` features at most 0. The ridge pulls them towards ``prior`` with the
    sign of the evidence, so that few deposits leave what is known beforehand, and many
    overrule its size, though not its sign.

    Parameters
    ----------
    signs : sequence of {'+', '-', '0', '∩'}, optional
        One a feature; ``0`` (default) and ``∩`` leave a coefficient free.
    penalty : float
        Of the ridge, against as many deposits as there are and background of the same
        weight: with 10 deposits a penalty of 10 counts about as much as they do.
    prior : float
        Log-odds per standard deviation that signed features are pulled towards; 0 for a
        plain ridge.

    Attributes
    ----------
    classes_ : array of shape (2,)
    coef_ : array of shape (1, k)
        Of standardised features.
    intercept_ : array of shape (1,)
    mean_, scale_ : array of shape (k,)
        Of the features; gaps aside.
    contradicted_ : array of shape (k,), bool
        Features whose sign the samples speak against: their coefficient is held at 0, and a
        score test would have it beyond by more than two standard deviations.

    Notes
    -----
    Missing evidence counts as the mean: it adds nothing. Deposits and background weigh the
    same in sum, whatever their numbers, so scores rank and are no probabilities.
    """

    def __init__(
        self,
        signs: Sequence[str] | None = None,
        *,
        penalty: float = 30.0,
        prior: float = 0.2,
    ) -> None:
        self.signs = signs
        self.penalty = penalty
        self.prior = prior

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SignedLogistic:
        """
        Standardise and fit.

        Parameters
        ----------
        X : array of shape (n, k)
            NaN is missing evidence.
        y : array of shape (n,)
            1 for deposits.
        sample_weight : array of shape (n,), optional
            Only ratios within deposits and within background matter.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        self.classes_, positive = require_two_classes(y)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        signs = require_signs(self.signs, X.shape[1], "0")
        if self.penalty < 0 or self.prior < 0:
            raise ModelError(
                f"penalty and prior are 0 or more, but {self.penalty} and {self.prior} came."
            )
        sums = [weight[positive].sum(), weight[~positive].sum()]
        if min(sums) <= 0:
            raise ModelError("Both classes, deposits and background, need a weight above 0.")
        # As many deposits of equal weight would be as uncertain (Kish).
        number = sums[0] ** 2 / (weight[positive] ** 2).sum()
        weight = weight * number / np.where(positive, *sums)
        self._standardise(X, weight)
        lower = np.array([0.0 if sign == "+" else -np.inf for sign in signs])
        upper = np.array([0.0 if sign == "-" else np.inf for sign in signs])
        pull = np.array([{"+": 1.0, "-": -1.0}.get(sign, 0.0) for sign in signs]) * self.prior
        # A feature that never differs has nothing to say, prior or not.
        pull[self.scale_ == 0] = 0.0
        intercept, coefficients = fit_logistic(
            self._scaled(X),
            positive,
            weight,
            penalty=self.penalty,
            lower=lower,
            upper=upper,
            prior=pull,
        )
        self.intercept_, self.coef_ = np.array([intercept]), coefficients[None]
        self._look_for_contradictions(self._scaled(X), positive, weight, signs)
        return self

    def _look_for_contradictions(
        self, scaled: Array, positive: NDArray[np.bool_], weight: Array, signs: list[str]
    ) -> None:
        """A score test of every coefficient that its sign holds at 0."""
        likely = expit(self.intercept_[0] + scaled @ self.coef_[0])
        push = (weight * (positive - likely))[:, None] * scaled
        deviation = np.sqrt((push**2).sum(axis=0))
        z = push.sum(axis=0) / np.where(deviation > 0, deviation, np.inf)
        wanted = np.array([{"+": 1.0, "-": -1.0}.get(sign, 0.0) for sign in signs])
        self.contradicted_ = (self.coef_[0] == 0) & (z * wanted < -CONTRADICTED)

    def _standardise(self, X: Array, weight: Array) -> None:
        known = np.where(np.isnan(X), 0.0, weight[:, None])
        total = np.maximum(known.sum(axis=0), np.finfo(float).tiny)
        filled = np.nan_to_num(X)
        self.mean_ = (known * filled).sum(axis=0) / total
        variance = (known * (filled - self.mean_) ** 2).sum(axis=0) / total
        scale = np.sqrt(variance)
        # Rounding of a constant column is no variation.
        noise = 8 * np.finfo(float).eps * np.abs(self.mean_)
        self.scale_ = np.where(scale > noise, scale, 0.0)

    def _scaled(self, X: Array) -> Array:
        divisor = np.where(self.scale_ > 0, self.scale_, 1.0)
        scaled = (X - self.mean_) / divisor
        return np.where(np.isnan(scaled) | (self.scale_ == 0), 0.0, scaled)

    def decision_function(self, X: Any) -> Array:
        """Logit of the score, of shape (n,)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        scaled = self._scaled(X)
        # Column by column: sums of matrix products depend on how many rows come.
        logit = np.full(len(X), self.intercept_[0])
        for column, coefficient in enumerate(self.coef_[0]):
            logit += coefficient * scaled[:, column]
        return logit

    def predict_proba(self, X: Any) -> Array:
        """
        Scores.

        Parameters
        ----------
        X : array of shape (n, k)
            NaN is missing evidence.

        Returns
        -------
        array of shape (n, 2)
        """
        likely = expit(self.decision_function(X))
        return np.column_stack([1 - likely, likely])

    def predict(self, X: Any) -> NDArray[Any]:
        """The second class where its score is above one half."""
        return self._classes_where(self.decision_function(X) > 0)
