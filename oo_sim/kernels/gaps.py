"""Exploration by the gap to the best score, and the functions of time that exploration follows."""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64, Bool
from oo_sim.kernels.choice import argmax, count
from oo_sim.kernels.compile import kernel
from oo_sim.kernels.elementary import exp, log


@kernel
def inverse_gap(scores: F64, mask: Bool, gamma: F64, total: F64, explored: F64) -> None:
    """Inverse gap weighting (Abe & Long 1999; Foster & Rakhlin 2020): 1 / (K + gamma (best - score)) for each candidate
    but the first of the best, which gets the rest. All but the best's is explored.

    `scores`, `total` and `explored` are (K, n), `gamma` (n,); K in the formula counts the lane's candidates that stand.
    """
    K, n = scores.shape
    best = np.empty(n, np.int64)
    argmax(scores, mask, best)
    standing, top, rest = np.empty(n), np.empty(n), np.ones(n)
    count(mask, standing)
    for i in range(n):
        top[i] = scores[best[i], i]
    for k in range(K):
        for i in range(n):
            gap = max(top[i] - scores[k, i], 0.0)  # negative behind the mask alone
            share = 1.0 / (standing[i] + gamma[i] * gap)
            explored[k, i] = share if mask[k, i] and best[i] != k else 0.0
            rest[i] -= explored[k, i]
    for k in range(K):
        for i in range(n):
            total[k, i] = rest[i] if best[i] == k else explored[k, i]


@kernel
def exponential(u: F64, out: F64) -> None:
    """e^u, both (n,)."""
    for i in range(len(u)):
        out[i] = exp(u[i])


@kernel
def power(base: F64, exponent: float, out: F64) -> None:
    """base^exponent for positive bases, both (n,); exactly 1 where the exponent is 0."""
    for i in range(len(base)):
        out[i] = exp(exponent * log(base[i]))
