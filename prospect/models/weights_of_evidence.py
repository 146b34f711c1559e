"""Weights of evidence: the method every geologist knows, with its doubts computed rightly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm
from sklearn.utils.validation import check_is_fitted, validate_data

from prospect.errors import ModelError
from prospect.models._bounded import fit_logistic
from prospect.models._checks import require_signs, require_two_classes
from prospect.models._two_classes import TwoClasses
from prospect.models.patterns import PatternWeights, cuts_of, weights_of

Array = NDArray[np.float64]

_PENALTY = 100.0
"""Of the fallback's ridge, on weights that are log-odds."""

_COLUMNS = (
    "evidence", "from", "to", "cells", "deposits", "w_plus", "s_w_plus", "w_minus", "s_w_minus",
    "contrast", "s_contrast", "studentised", "chosen",
)  # fmt: skip


class WeightsOfEvidence(TwoClasses):
    """
    Bayes' rule with evidence taken as independent, given the deposits.

    Each evidence becomes a pattern of two classes (``cumulative``: the cut of largest
    studentised contrast) or several (``multiclass``: classes of equal numbers of cells,
    those that say nothing pooled). The weights of a cell's classes are added to the prior
    logit; missing evidence adds nothing [1]_.

    Parameters
    ----------
    signs : sequence of {'+', '-', '0', '∩'}, optional
        How likelihood goes with each feature: ``+`` and ``-`` allow only patterns of high
        or low values that hold more deposits than elsewhere; ``0`` is free (default); ``∩``
        is always several classes.
    method : {'cumulative', 'multiclass'}
    classes : int
        Classes of equal numbers of cells, whose bounds are also the cuts that are tried.
    min_studentised : float
        Evidence whose studentised contrast is smaller is not used.
    prior : float, optional
        Deposits per cell; by default that of the samples.
    fallback : {'logistic', None}
        What to do if conditional independence fails: multiply the weights by coefficients
        of a logistic regression, so that posteriors sum to the number of deposits [3]_; or
        nothing. No coefficient is negative, and a ridge pulls them towards one discount for
        all evidence, since few deposits cannot tell which evidence repeats which.
    alpha : float
        Level of the one-tailed test.

    Attributes
    ----------
    classes_ : array of shape (2,)
    prior_, prior_variance_ : float
        Deposits per cell, and the variance of their logit.
    edges_, weights_, variances_ : list of array, one a feature
        Cuts, and weights of the classes between them with their variances; all 0 where
        the evidence is not used.
    used_ : array of shape (k,), bool
    total_, s_total_, z_, p_value_ : float
        Conditional independence [2]_: sum of posteriors over the samples, its standard
        deviation (posterior's times number of cells, over unique conditions), and how far
        it exceeds the number of deposits.
    independent_ : bool
        Whether the test is passed at ``alpha``.
    coef_ : array of shape (1, k)
        What the weights are multiplied by: 1, unless the fallback was fitted.

    Notes
    -----
    Weights rest on counts, so samples are not weighted. The variance of a posterior is
    ``p² · (variance of prior and weights)``, as published: right for small p, too large
    otherwise.

    A multi-class evidence has for each class the weight of that class against all others.

    References
    ----------
    .. [1] Bonham-Carter (1994). Geographic information systems for geoscientists. Pergamon.
    .. [2] Agterberg and Cheng (2002). Conditional independence test for weights-of-evidence
       modeling. Natural Resources Research 11(4).
    .. [3] Agterberg (2011). A modified weights-of-evidence method for regional mineral
       resource estimation. Natural Resources Research 20(2).
    """

    def __init__(
        self,
        signs: Sequence[str] | None = None,
        *,
        method: str = "cumulative",
        classes: int = 10,
        min_studentised: float = 1.5,
        prior: float | None = None,
        fallback: str | None = "logistic",
        alpha: float = 0.05,
    ) -> None:
        self.signs = signs
        self.method = method
        self.classes = classes
        self.min_studentised = min_studentised
        self.prior = prior
        self.fallback = fallback
        self.alpha = alpha

    def fit(self, X: Any, y: Any) -> WeightsOfEvidence:
        """
        Find patterns and weights, and test conditional independence.

        Parameters
        ----------
        X : array of shape (n, k)
            NaN is missing evidence.
        y : array of shape (n,)
            1 for a cell with a deposit.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        self.classes_, positive = require_two_classes(y)
        signs = require_signs(self.signs, X.shape[1], "0")
        self._check_parameters()
        self.prior_ = float(positive.mean() if self.prior is None else self.prior)
        self.prior_variance_ = float(1 / positive.sum() + 1 / (~positive).sum())
        self.edges_: list[Array] = []
        self.weights_: list[Array] = []
        self.variances_: list[Array] = []
        self.shares_: list[Array] = []
        rows: list[tuple[Any, ...]] = []
        for column, sign in enumerate(signs):
            self._learn(column, X[:, column], positive, sign, rows)
        self._table = np.array(rows, float).reshape(-1, len(_COLUMNS))
        self.used_ = np.array([bool(weights.any()) for weights in self.weights_])
        self.coef_ = np.ones((1, X.shape[1]))
        self.intercept_ = np.array([np.log(self.prior_ / (1 - self.prior_))])
        self._test_independence(X, positive)
        if self.fallback == "logistic" and not self.independent_ and self.used_.any():
            self._fall_back(X, positive)
        return self

    def _check_parameters(self) -> None:
        if self.method not in ("cumulative", "multiclass"):
            raise ModelError(f"method is 'cumulative' or 'multiclass', not '{self.method}'.")
        if self.fallback not in ("logistic", None):
            raise ModelError(f"fallback is 'logistic' or None, not '{self.fallback}'.")
        if self.classes < 2:
            raise ModelError(f"Evidence has two classes or more, but {self.classes} came.")
        if self.prior is not None and not 0 < self.prior < 1:
            raise ModelError(f"The prior is deposits per cell, between 0 and 1, not {self.prior}.")

    def _learn(
        self,
        column: int,
        values: Array,
        positive: NDArray[np.bool_],
        sign: str,
        rows: list[tuple[Any, ...]],
    ) -> None:
        """Cuts and weights of one evidence; its table is added to ``rows``."""
        known = ~np.isnan(values)
        inside, deposit = values[known], positive[known]
        edges, weights, variances = np.empty(0), np.zeros(1), np.zeros(1)
        if deposit.any() and not deposit.all():
            cuts = cuts_of(inside, self.classes)
            several = self.method == "multiclass" or sign == "∩"
            learn = self._several if several and cuts.size > 1 else self._cumulative
            edges, weights, variances = learn(column, inside, deposit, cuts, sign, rows)
        code = np.searchsorted(edges, inside, side="right")
        self.edges_.append(edges)
        self.weights_.append(weights)
        self.variances_.append(variances)
        share = np.bincount(code, minlength=weights.size) / max(1, inside.size)
        self.shares_.append(share)

    def _cumulative(
        self,
        column: int,
        values: Array,
        deposit: NDArray[np.bool_],
        cuts: Array,
        sign: str,
        rows: list[tuple[Any, ...]],
    ) -> tuple[Array, Array, Array]:
        """The cut of largest studentised contrast; high values are the pattern, or low ones."""
        best, best_row, chosen = self.min_studentised, -1, None
        for cut in cuts:
            high = values >= cut
            pattern = ~high if sign == "-" else high
            found = weights_of(pattern, deposit)
            span = (-np.inf, cut) if sign == "-" else (cut, np.inf)
            rows.append(_row(column, span, pattern, deposit, found))
            strength = abs(found.studentised) if sign in "0∩" else found.studentised
            if strength >= best:
                best, best_row, chosen = strength, len(rows) - 1, (cut, found)
        if chosen is None:
            return np.empty(0), np.zeros(1), np.zeros(1)
        rows[best_row] = (*rows[best_row][:-1], True)
        cut, found = chosen
        weights = np.array([found.w_minus, found.w_plus])
        variances = np.array([found.s_w_minus, found.s_w_plus]) ** 2
        if sign == "-":
            weights, variances = weights[::-1].copy(), variances[::-1].copy()
        return np.array([cut]), weights, variances

    def _several(
        self,
        column: int,
        values: Array,
        deposit: NDArray[np.bool_],
        cuts: Array,
        sign: str,
        rows: list[tuple[Any, ...]],
    ) -> tuple[Array, Array, Array]:
        """A weight for each class that says something, one for all the others together."""
        code = np.searchsorted(cuts, values, side="right")
        count = cuts.size + 1
        bounds = np.concatenate([[-np.inf], cuts, [np.inf]])
        tables = [weights_of(code == k, deposit) for k in range(count)]
        speaks = np.array([abs(table.studentised) >= self.min_studentised for table in tables])
        for k, table in enumerate(tables):
            row = _row(column, (bounds[k], bounds[k + 1]), code == k, deposit, table)
            rows.append((*row[:-1], bool(speaks[k])))
        if not speaks.any():
            return np.empty(0), np.zeros(1), np.zeros(1)
        weights = np.array([table.w_plus for table in tables])
        variances = np.array([table.s_w_plus for table in tables]) ** 2
        if not speaks.all():
            rest = weights_of(~speaks[code], deposit)
            weights[~speaks], variances[~speaks] = rest.w_plus, rest.s_w_plus**2
        return cuts, weights, variances

    def _codes(self, X: Array) -> NDArray[np.int64]:
        """The class of every cell in every evidence; -1 where it is missing."""
        codes = np.full(X.shape, -1, np.int64)
        for column in np.flatnonzero(self.used_):
            found = np.searchsorted(self.edges_[column], X[:, column], side="right")
            codes[:, column] = np.where(np.isnan(X[:, column]), -1, found)
        return codes

    def _logit(self, codes: NDArray[np.int64]) -> Array:
        logit = np.full(len(codes), self.intercept_[0])
        for column in np.flatnonzero(self.used_):
            weights = np.append(self.weights_[column], 0.0)
            logit += self.coef_[0, column] * weights[codes[:, column]]
        return logit

    def _spread(self, codes: NDArray[np.int64]) -> tuple[Array, Array]:
        """Standard deviation of the posterior: of the weights, and of missing evidence."""
        logit = self._logit(codes)
        variance = np.full(len(codes), self.prior_variance_)
        missing = np.zeros(len(codes))
        posterior = expit(logit)
        for column in np.flatnonzero(self.used_):
            coefficient = self.coef_[0, column]
            variances = np.append(self.variances_[column], 0.0)
            variance += coefficient**2 * variances[codes[:, column]]
            gap = codes[:, column] < 0
            for weight, share in zip(self.weights_[column], self.shares_[column], strict=True):
                seen = expit(logit[gap] + coefficient * weight)
                missing[gap] += share * (seen - posterior[gap]) ** 2
        return posterior * np.sqrt(variance), np.sqrt(missing)

    def _test_independence(self, X: Array, positive: NDArray[np.bool_]) -> None:
        """The test of Agterberg and Cheng, over unique conditions of the samples."""
        codes, cells = np.unique(self._codes(X), axis=0, return_counts=True)
        spread, _ = self._spread(codes)
        # With another prior than the samples' the sum is compared for the samples' own.
        shift = np.log(positive.mean() / (1 - positive.mean())) - self.intercept_[0]
        own = expit(self._logit(codes) + shift)
        spread = spread * own / expit(self._logit(codes))
        self.total_ = float((cells * own).sum())
        self.s_total_ = float(np.sqrt(((cells * spread) ** 2).sum()))
        self.z_ = (self.total_ - int(positive.sum())) / self.s_total_
        self.p_value_ = float(norm.sf(self.z_))
        self.independent_ = self.p_value_ >= self.alpha

    def _fall_back(self, X: Array, positive: NDArray[np.bool_]) -> None:
        """Coefficients of the weights; missing evidence stays at 0."""
        codes = self._codes(X)
        used = np.flatnonzero(self.used_)
        inputs = np.column_stack([np.append(self.weights_[j], 0.0)[codes[:, j]] for j in used])
        ones, total = np.ones(len(X)), inputs.sum(axis=1)[:, None]
        none, endless = np.zeros(used.size), np.full(used.size, np.inf)
        _, common = fit_logistic(
            total, positive, ones, penalty=1e-9, lower=none[:1], upper=endless[:1]
        )
        intercept, coefficients = fit_logistic(
            inputs,
            positive,
            ones,
            penalty=_PENALTY,
            lower=none,
            upper=endless,
            prior=np.full(used.size, common[0]),
        )
        self.coef_ = np.zeros((1, X.shape[1]))
        self.coef_[0, used] = coefficients
        share = positive.mean()
        shift = np.log(self.prior_ / (1 - self.prior_)) - np.log(share / (1 - share))
        self.intercept_ = np.array([intercept + shift])

    def _checked(self, X: Any) -> Array:
        check_is_fitted(self)
        checked: Array = validate_data(
            self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False
        )
        return checked

    def predict_proba(self, X: Any) -> Array:
        """
        Posterior probabilities, for the samples' density of deposits unless a prior is given.

        Parameters
        ----------
        X : array of shape (n, k)
            NaN is missing evidence.

        Returns
        -------
        array of shape (n, 2)
            Where all evidence is missing, the prior.
        """
        posterior = expit(self._logit(self._codes(self._checked(X))))
        return np.column_stack([1 - posterior, posterior])

    def posterior_spread(self, X: Any) -> tuple[Array, Array]:
        """
        Standard deviation of the posterior, in two parts whose squares add up.

        Parameters
        ----------
        X : array of shape (n, k)

        Returns
        -------
        weights : array of shape (n,)
            From the uncertainty of prior and weights.
        missing : array of shape (n,)
            From evidence that is missing: how much the posterior would vary if it were
            seen. 0 where none is missing.
        """
        return self._spread(self._codes(self._checked(X)))

    @property
    def feature_importances_(self) -> Array:
        """Range of each evidence's weights times its coefficient, as a share of all."""
        check_is_fitted(self)
        span = np.array([np.ptp(weights) for weights in self.weights_]) * self.coef_[0]
        share: Array = span / max(span.sum(), np.finfo(float).tiny)
        return share

    @property
    def table_(self) -> pd.DataFrame:
        """
        The table of weights: a row for every cut or class that was tried.

        ``from`` (included) and ``to`` bound the pattern; ``chosen`` rows are used.
        """
        check_is_fitted(self)
        table = pd.DataFrame(self._table, columns=list(_COLUMNS))
        names = getattr(self, "feature_names_in_", None)
        number = table["evidence"].astype(int)
        table["evidence"] = number if names is None else np.asarray(names, object)[number]
        return table.astype({"cells": int, "deposits": int, "chosen": bool})


def _row(
    column: int,
    span: tuple[float, float],
    pattern: NDArray[np.bool_],
    deposit: NDArray[np.bool_],
    found: PatternWeights,
) -> tuple[Any, ...]:
    return (
        column, *span, int(pattern.sum()), int((pattern & deposit).sum()), found.w_plus,
        found.s_w_plus, found.w_minus, found.s_w_minus, found.contrast, found.s_contrast,
        found.studentised, False,
    )  # fmt: skip
