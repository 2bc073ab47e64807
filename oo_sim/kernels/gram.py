"""Ridge regression per lane on its sums, for models that forget: V = prior I + sum of w x x', b = sum of w r x.

Ageing and dropping change V by more than a rank, so every decision factors it anew, V = L L'. A lane's cost is
d^3 / 6 multiplications for L and, for each candidate, d^2 / 2 for each of y = L^-1 x and, where ages weigh, of
z = L'^-1 y and z' W z. Sums are kept as packed upper triangles, row by row: (d (d + 1) / 2, n).
"""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64
from oo_sim.kernels.compile import kernel


@kernel
def factorise(gram: F64, prior: float, d: int) -> F64:
    """The lower factor L of prior I + gram, packed column by column, with 1 / L_aa on its diagonal."""
    n = gram.shape[1]
    factor = gram.copy()
    start = 0
    for a in range(d):
        for i in range(n):
            factor[start, i] = 1.0 / np.sqrt(factor[start, i] + prior)
        for b in range(1, d - a):
            for i in range(n):
                factor[start + b, i] *= factor[start, i]
        p = start + d - a
        for b in range(1, d - a):
            for c in range(b, d - a):
                for i in range(n):
                    factor[p, i] -= factor[start + b, i] * factor[start + c, i]
                p += 1
        start += d - a
    return factor


@kernel
def forward(factor: F64, y: F64) -> None:
    """y <- L^-1 y, for y (d, n)."""
    d, n = y.shape
    p = 0
    for a in range(d):
        for i in range(n):
            y[a, i] *= factor[p, i]
        p += 1
        for b in range(a + 1, d):
            for i in range(n):
                y[b, i] -= factor[p, i] * y[a, i]
            p += 1


@kernel
def backward(factor: F64, z: F64) -> None:
    """z <- L'^-1 z, for z (d, n)."""
    d, n = z.shape
    start = factor.shape[0]
    for a in range(d - 1, -1, -1):
        start -= d - a
        for b in range(1, d - a):
            for i in range(n):
                z[a, i] -= factor[start + b, i] * z[a + b, i]
        for i in range(n):
            z[a, i] *= factor[start, i]


@kernel
def gram_moments(gram: F64, b: F64, prior: float, x: F64, mean: F64, variance: F64) -> None:
    """mean = x' V^-1 b and variance = x' V^-1 x, each (K, n), for candidates x (K, d, n)."""
    K, d, n = x.shape
    factor = factorise(gram, prior, d)
    c = b.copy()
    forward(factor, c)
    mean[:] = 0.0
    variance[:] = 0.0
    for k in range(K):
        y = x[k].copy()
        forward(factor, y)
        for a in range(d):
            for i in range(n):
                mean[k, i] += y[a, i] * c[a, i]
                variance[k, i] += y[a, i] * y[a, i]


@kernel
def discounted_moments(gram: F64, squared: F64, b: F64, prior: float, x: F64, mean: F64, variance: F64) -> None:
    """mean = x' V^-1 b and variance = x' V^-1 W V^-1 x with W = prior I + squared, each (K, n) (Russac et al. 2019)."""
    K, d, n = x.shape
    factor = factorise(gram, prior, d)
    theta = b.copy()
    forward(factor, theta)
    backward(factor, theta)
    mean[:] = 0.0
    variance[:] = 0.0
    for k in range(K):
        z = x[k].copy()
        forward(factor, z)
        backward(factor, z)
        p = 0
        for a in range(d):
            for i in range(n):
                mean[k, i] += x[k, a, i] * theta[a, i]
                variance[k, i] += (squared[p, i] + prior) * z[a, i] * z[a, i]
            p += 1
            for c in range(a + 1, d):
                for i in range(n):
                    variance[k, i] += 2.0 * squared[p, i] * z[a, i] * z[c, i]
                p += 1


@kernel
def add_outer(gram: F64, x: F64, weight: F64) -> None:
    """gram += w x x' in place, for x (d, n) and weight (n,)."""
    d, n = x.shape
    p = 0
    for a in range(d):
        for c in range(a, d):
            for i in range(n):
                gram[p, i] += weight[i] * (x[a, i] * x[c, i])
            p += 1


@kernel
def add_scaled(b: F64, x: F64, weight: F64) -> None:
    """b += w x in place, for x (d, n) and weight (n,)."""
    d, n = x.shape
    for a in range(d):
        for i in range(n):
            b[a, i] += weight[i] * x[a, i]
