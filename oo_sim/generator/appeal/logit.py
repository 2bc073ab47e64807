"""The ordered logit with cut points that are given: one offset from counts, and coefficients with a ridge.

P(reaction <= k) = 1 / (1 + e^(u - c_k)), the worst reaction first (McCullagh 1980), as the simulated users have it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from oo_sim.stats.intervals import F64

CUTS = (-1.5, -0.5, 0.5, 1.5)
"""The project's default cut points."""
_STEPS = 50


def probabilities(u: ArrayLike, cuts: Sequence[float] = CUTS) -> F64:
    """The probability of each of the five reactions (n, 5) at utilities (n,)."""
    below = special.expit(np.asarray(cuts) - np.asarray(u, dtype=np.float64)[:, None])
    edges = np.concatenate([np.zeros((len(below), 1)), below, np.ones((len(below), 1))], axis=1)
    return np.asarray(np.maximum(np.diff(edges, axis=1), 1e-300))


def offset(counts: ArrayLike, cuts: Sequence[float], prior: float) -> float:
    """The utility that makes counts (5,) of reactions most likely, with `prior` added to each of them.

    Without counts it is what the prior alone says; so a text that nobody reacted to is worth what says nothing.
    """
    weights = np.asarray(counts, dtype=np.float64) + prior

    def loss(u: float) -> float:
        return -float(weights @ np.log(probabilities([u], cuts)[0]))

    return float(optimize.minimize_scalar(loss, bounds=(-30.0, 30.0), method="bounded", options={"xatol": 1e-9}).x)


def fit(X: F64, y: ArrayLike, ridge: float, cuts: Sequence[float] = CUTS) -> F64:
    """Coefficients (d + 1,), the intercept first, of reactions y (n,) in 0 to 4 on X (n, d).

    The ridge is on all but the intercept. The loss is convex, so Newton's steps, halved where they go
    too far, end at the one minimum.
    """
    whole = np.column_stack([np.ones(len(X)), X])
    reactions = np.asarray(y, dtype=np.int64)
    c = np.concatenate([[-np.inf], cuts, [np.inf]])
    penalty = np.full(whole.shape[1], ridge)
    penalty[0] = 0.0

    def loss(w: F64) -> float:
        return -log_likelihood(whole @ w, reactions, cuts) * len(reactions) + 0.5 * float(penalty @ w**2)

    w = np.zeros(whole.shape[1])
    for _ in range(_STEPS):
        u = whole @ w
        high, low = special.expit(c[reactions + 1] - u), special.expit(c[reactions] - u)
        gradient = whole.T @ (1.0 - high - low) + penalty * w
        bend = high * (1.0 - high) + low * (1.0 - low)
        # by einsum: so small a product on all cores costs more in waiting than in work, most of all on a busy machine
        curvature = np.einsum("ni,n,nj->ij", whole, bend, whole, optimize=False) + np.diag(penalty + 1e-9)
        step = np.linalg.solve(curvature, gradient)
        size = 1.0
        while size > 1e-6 and loss(w - size * step) > loss(w):
            size /= 2
        w = w - size * step
        if float(gradient @ step) < 1e-9 * len(whole):
            break
    return w


def log_likelihood(u: ArrayLike, y: ArrayLike, cuts: Sequence[float] = CUTS) -> float:
    """The mean log-likelihood of reactions y (n,) at utilities (n,)."""
    chosen = np.asarray(y, dtype=np.int64)
    return float(np.log(probabilities(u, cuts)[np.arange(len(chosen)), chosen]).mean())
