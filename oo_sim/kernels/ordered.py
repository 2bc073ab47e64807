"""The ordered logit of `tips`, P(y <= j) = 1 / (1 + e^(u - c_j)) (McCullagh 1980), from the side of who learns it.

Log likelihoods of reactions y (0 to 4) with their derivatives, summed by user. Rows of users stand one after another:
`first` (N + 1,) is where each user's begin. F(z) = 1 / (1 + e^-z); an outermost category has one bound only.
"""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64, I64
from oo_sim.kernels.compile import kernel, scalar
from oo_sim.kernels.elementary import exp, log

_TOP = 4  # the last category


@scalar
def _below(bound: float) -> float:
    return 1.0 / (1.0 + exp(-bound))


@scalar
def _terms(u: float, y: int, cuts: F64) -> tuple[float, float, float, float]:
    """F at the upper and the lower bound of category y, log P(y) and q = e^-gap / (1 - e^-gap) of its two bounds.

    P(y) = F_hi (1 - F_lo) (1 - e^-gap) loses no digits in either tail.
    """
    high = _below(cuts[min(y, _TOP - 1)] - u) if y < _TOP else 1.0
    low = _below(cuts[max(y - 1, 0)] - u) if y > 0 else 0.0
    gap = cuts[min(y, _TOP - 1)] - cuts[max(y - 1, 0)]
    inner = 0 < y < _TOP
    shrunk = exp(-gap) if inner else 0.0
    return high, low, log(max(high * (1.0 - low) * (1.0 - shrunk), 1e-300)), shrunk / (1.0 - shrunk)


@kernel
def likelihood(
    X: F64, y: I64, first: I64, coefficients: F64, cuts: F64, total: F64, gradient: F64, curvature: F64
) -> None:
    """Of each user, at `coefficients` (N, d): log likelihood (N,), its gradient (N, d) and -1 times its second
    derivative (N, d, d), over their rows X (M, d) and y (M,).

    dl/du = F_hi + F_lo - 1 and -d2l/du2 = F_hi (1 - F_hi) + F_lo (1 - F_lo), which is never negative.
    """
    d = X.shape[1]
    for i in range(len(first) - 1):
        total[i] = 0.0
        gradient[i] = 0.0
        curvature[i] = 0.0
        for m in range(first[i], first[i + 1]):
            u = 0.0
            for a in range(d):
                u += X[m, a] * coefficients[i, a]
            high, low, value, _ = _terms(u, y[m], cuts)
            slope, bend = high + low - 1.0, high * (1.0 - high) + low * (1.0 - low)
            total[i] += value
            for a in range(d):
                gradient[i, a] += slope * X[m, a]
                weighted = bend * X[m, a]
                for b in range(a, d):
                    curvature[i, a, b] += weighted * X[m, b]
        for a in range(d):
            for b in range(a):
                curvature[i, a, b] = curvature[i, b, a]


@kernel
def cut_derivatives(
    u: F64, spread: F64, y: I64, cuts: F64, node: F64, weight: F64, gradient: F64, curvature: F64
) -> float:
    """The expected log likelihood of reactions y (M,) whose u is normal, with mean `u` (M,) and sd `spread` (M,), by
    Gauss-Hermite nodes and weights; with its gradient (4,) by the cut points and -1 times the second derivative."""
    total = 0.0
    gradient[:] = 0.0
    curvature[:] = 0.0
    for m in range(len(y)):
        for g in range(len(node)):
            high, low, value, q = _terms(u[m] + spread[m] * node[g], y[m], cuts)
            w, both = weight[g], q * (1.0 + q)
            total += w * value
            if y[m] < _TOP:
                gradient[y[m]] += w * (1.0 - high + q)
                curvature[y[m], y[m]] += w * (high * (1.0 - high) + both)
            if y[m] > 0:
                gradient[y[m] - 1] -= w * (low + q)
                curvature[y[m] - 1, y[m] - 1] += w * (low * (1.0 - low) + both)
            if 0 < y[m] < _TOP:
                curvature[y[m] - 1, y[m]] -= w * both
                curvature[y[m], y[m] - 1] -= w * both
    return total


@kernel
def cross_derivatives(X: F64, y: I64, first: I64, coefficients: F64, cuts: F64, cross: F64, within: F64) -> None:
    """Of each user: the mixed second derivatives (N, d, 4) of the log likelihood by coefficients and cut points, and -1
    times the one by cut points alone (N, 4, 4)."""
    d = X.shape[1]
    for i in range(len(first) - 1):
        cross[i] = 0.0
        within[i] = 0.0
        for m in range(first[i], first[i + 1]):
            u = 0.0
            for a in range(d):
                u += X[m, a] * coefficients[i, a]
            k = y[m]
            high, low, _, q = _terms(u, k, cuts)
            both = q * (1.0 + q)
            if k < _TOP:
                for a in range(d):
                    cross[i, a, k] += high * (1.0 - high) * X[m, a]
                within[i, k, k] += high * (1.0 - high) + both
            if k > 0:
                for a in range(d):
                    cross[i, a, k - 1] += low * (1.0 - low) * X[m, a]
                within[i, k - 1, k - 1] += low * (1.0 - low) + both
            if 0 < k < _TOP:
                within[i, k - 1, k] -= both
                within[i, k, k - 1] -= both


@kernel
def posterior(
    curvature: F64, natural: F64, mean: F64, precision: F64, centre: F64, variance: F64, evidence: F64
) -> None:
    """Of each user, with quadratic log likelihood b' natural - b' curvature b / 2 and prior N(mean, 1 / precision):
    posterior mean (N, d), the diagonal of its covariance (N, d), and the log of the integral over b, of which
    the prior's normalising constant is part.

    With A = curvature + diag(precision) = L L': log integral = |L^-1 r|^2 / 2 - sum log L_aa + sum log precision / 2
    - mean' precision mean / 2, r = natural + precision mean.
    """
    N, d = natural.shape
    L = np.empty((d, d))
    inverse = np.zeros((d, d))
    z = np.empty(d)
    constant = 0.0
    for a in range(d):
        constant += 0.5 * log(precision[a]) - 0.5 * mean[a] * mean[a] * precision[a]
    for i in range(N):
        value = constant
        for a in range(d):
            for b in range(a + 1):
                s = curvature[i, a, b] + (precision[a] if a == b else 0.0)
                for c in range(b):
                    s -= L[a, c] * L[b, c]
                L[a, b] = np.sqrt(s) if a == b else s / L[b, b]
            s = natural[i, a] + precision[a] * mean[a]
            for c in range(a):
                s -= L[a, c] * z[c]
            z[a] = s / L[a, a]
            value += 0.5 * z[a] * z[a] - log(L[a, a])
        for b in range(d):  # L^-1, column by column
            inverse[b, b] = 1.0 / L[b, b]
            for a in range(b + 1, d):
                s = 0.0
                for c in range(b, a):
                    s -= L[a, c] * inverse[c, b]
                inverse[a, b] = s / L[a, a]
        for b in range(d):
            s, v = 0.0, 0.0
            for a in range(b, d):
                s += inverse[a, b] * z[a]
                v += inverse[a, b] * inverse[a, b]
            centre[i, b] = s
            variance[i, b] = v
        evidence[i] = value


@kernel
def row_spread(X: F64, first: I64, covariance: F64, spread: F64) -> None:
    """sqrt(x' V x) (M,) of each row, V (N, d, d) its user's covariance."""
    d = X.shape[1]
    for i in range(len(first) - 1):
        for m in range(first[i], first[i + 1]):
            total = 0.0
            for a in range(d):
                half = 0.5 * covariance[i, a, a] * X[m, a]
                for b in range(a + 1, d):
                    half += covariance[i, a, b] * X[m, b]
                total += half * X[m, a]
            spread[m] = np.sqrt(max(2.0 * total, 0.0))
