"""Logistic regression with bounded coefficients and a ridge towards a prior."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

Array = NDArray[np.float64]


def fit_logistic(
    X: Array,
    positive: NDArray[np.bool_],
    weight: Array,
    *,
    penalty: float,
    lower: Array,
    upper: Array,
    prior: Array | None = None,
    max_iter: int = 1000,
) -> tuple[float, Array]:
    """
    Minimise the weighted log-loss plus ``penalty / 2 · |coefficients − prior|²``.

    Parameters
    ----------
    X : array of shape (n, k)
        Finite.
    positive : array of shape (n,), bool
    weight : array of shape (n,)
    penalty : float
        Of the coefficients; the intercept is free, so that the scores sum to the number
        of positives.
    lower, upper : array of shape (k,)
        Bounds of the coefficients.
    prior : array of shape (k,), optional
        What the coefficients shrink towards; 0 by default.

    Returns
    -------
    intercept : float
    coefficients : array of shape (k,)
    """
    prior = np.zeros(X.shape[1]) if prior is None else prior
    target = positive.astype(float)

    def loss(parameters: Array) -> tuple[float, Array]:
        coefficients = parameters[1:]
        logit = parameters[0] + X @ coefficients
        residual = weight * (expit(logit) - target)
        value = weight @ (np.logaddexp(0, logit) - target * logit)
        value += 0.5 * penalty * ((coefficients - prior) ** 2).sum()
        gradient = np.concatenate(
            [[residual.sum()], X.T @ residual + penalty * (coefficients - prior)]
        )
        return float(value), gradient

    share = (weight @ target) / weight.sum()
    start = np.concatenate([[np.log(share / (1 - share))], np.clip(prior, lower, upper)])
    bounds = [(None, None), *zip(lower, upper, strict=True)]
    found = minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": max_iter, "ftol": 1e-14, "gtol": 1e-9},
    )
    return float(found.x[0]), found.x[1:]
