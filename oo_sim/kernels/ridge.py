"""Ridge regression per lane on its inverse, in the notation of Abbasi-Yadkori et al. (2011).

A = prior I + sum of x x', b = sum of r x, theta = A^-1 b. The symmetric inverse is kept as its upper triangle, row by
row: `inverse` has shape (d (d + 1) / 2, n).
"""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64, Bool
from oo_sim.kernels.compile import kernel, scalar


@scalar
def _dot(x: F64, k: int, theta: F64, d: int, i: int) -> float:
    """x' theta of candidate k in lane i."""
    total = 0.0
    for a in range(d):
        total += x[k, a, i] * theta[a, i]
    return total


@scalar
def _quadratic(inverse: F64, x: F64, k: int, d: int, i: int) -> float:
    """x' A^-1 x of candidate k in lane i."""
    half, p = 0.0, 0
    for a in range(d):
        row = 0.5 * inverse[p, i] * x[k, a, i]
        p += 1
        for b in range(a + 1, d):
            row += inverse[p, i] * x[k, b, i]
            p += 1
        half += row * x[k, a, i]
    return 2.0 * half


@kernel
def ridge_mean(theta: F64, x: F64, mean: F64) -> None:
    """mean = x' theta (K, n), for candidates x (K, d, n).

    Here and in `ridge_variance`, the contract's widths are constants, so that the compiler unrolls them and keeps sums
    in registers; other widths go row by row. Both vectorise over lanes.
    """
    K, d, n = x.shape
    for k in range(K):
        if d == 5:
            for i in range(n):
                mean[k, i] = _dot(x, k, theta, 5, i)
        elif d == 7:
            for i in range(n):
                mean[k, i] = _dot(x, k, theta, 7, i)
        else:
            for i in range(n):
                mean[k, i] = 0.0
            for a in range(d):
                for i in range(n):
                    mean[k, i] += x[k, a, i] * theta[a, i]


@kernel
def ridge_variance(inverse: F64, x: F64, variance: F64) -> None:
    """variance = x' A^-1 x (K, n), for candidates x (K, d, n)."""
    K, d, n = x.shape
    for k in range(K):
        if d == 5:
            for i in range(n):
                variance[k, i] = _quadratic(inverse, x, k, 5, i)
        elif d == 7:
            for i in range(n):
                variance[k, i] = _quadratic(inverse, x, k, 7, i)
        else:
            _variance_by_rows(inverse, x[k], variance[k])


@kernel
def _variance_by_rows(inverse: F64, x: F64, variance: F64) -> None:
    """One candidate's variance (n,), for its x (d, n)."""
    d, n = x.shape
    row = np.empty(n)
    p = 0
    variance[:] = 0.0
    for a in range(d):
        for i in range(n):
            row[i] = 0.5 * inverse[p, i] * x[a, i]
        p += 1
        for b in range(a + 1, d):
            for i in range(n):
                row[i] += inverse[p, i] * x[b, i]
            p += 1
        for i in range(n):
            variance[i] += row[i] * x[a, i]
    for i in range(n):
        variance[i] *= 2.0


@kernel
def times_inverse(inverse: F64, v: F64, out: F64) -> None:
    """out = A^-1 v, both (d, n)."""
    d, n = v.shape
    for a in range(d):
        for i in range(n):
            out[a, i] = 0.0
    p = 0
    for a in range(d):
        for i in range(n):
            out[a, i] += inverse[p, i] * v[a, i]
        p += 1
        for b in range(a + 1, d):
            for i in range(n):
                out[a, i] += inverse[p, i] * v[b, i]
                out[b, i] += inverse[p, i] * v[a, i]
            p += 1


@kernel
def ridge_update(inverse: F64, b: F64, theta: F64, x: F64, reward: F64, learn: Bool) -> None:
    """Learn (x (d, n), reward (n,)) in place in the lanes where `learn`, with v = A^-1 x and g = 1 / (1 + x' v).

    A^-1 <- A^-1 - g v v' (Sherman & Morrison 1950); b <- b + r x; theta <- theta + g (r - x' theta) v, which is A^-1 b.
    """
    d, n = x.shape
    v = np.empty((d, n))
    times_inverse(inverse, x, v)
    gain, error = np.ones(n), reward.copy()
    for a in range(d):
        for i in range(n):
            gain[i] += x[a, i] * v[a, i]
            error[i] -= x[a, i] * theta[a, i]
    for i in range(n):
        gain[i] = 1.0 / gain[i] if learn[i] else 0.0
        error[i] = gain[i] * error[i] if learn[i] else 0.0
    p = 0
    for a in range(d):
        for i in range(n):
            theta[a, i] += error[i] * v[a, i]
            b[a, i] += reward[i] * x[a, i] if learn[i] else 0.0
        for c in range(a, d):
            for i in range(n):
                inverse[p, i] -= gain[i] * v[a, i] * v[c, i]
            p += 1


@kernel
def upper_confidence(mean: F64, variance: F64, alpha: float) -> None:
    """mean + alpha sqrt(variance), into `mean` (Li et al. 2010, eq. 5); both (K, n)."""
    K, n = mean.shape
    for k in range(K):
        for i in range(n):
            mean[k, i] += alpha * np.sqrt(variance[k, i])


@kernel
def cholesky(inverse: F64, factor: F64) -> None:
    """The lower factor L of A^-1 = L L', packed column by column (L's column = the upper triangle's row)."""
    m, n = inverse.shape
    d = int((np.sqrt(8.0 * m + 1.0) - 1.0) / 2.0)
    for p in range(m):
        for i in range(n):
            factor[p, i] = inverse[p, i]
    start = 0
    for a in range(d):
        for i in range(n):
            factor[start, i] = np.sqrt(factor[start, i])
        for b in range(1, d - a):
            for i in range(n):
                factor[start + b, i] /= factor[start, i]
        p = start + d - a
        for b in range(1, d - a):
            for c in range(b, d - a):
                for i in range(n):
                    factor[p, i] -= factor[start + b, i] * factor[start + c, i]
                p += 1
        start += d - a


@kernel
def times_factor(factor: F64, z: F64, out: F64) -> None:
    """out += L z, both (d, n), for a factor packed as `cholesky` packs it."""
    d, n = z.shape
    p = 0
    for a in range(d):
        for b in range(a, d):
            for i in range(n):
                out[b, i] += factor[p, i] * z[a, i]
            p += 1
