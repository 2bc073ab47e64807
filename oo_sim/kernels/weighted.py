"""Rank-one updates of an inverse that count an observation other than once: by a weight, or by how sure a logistic
model was of it. The inverse is a packed upper triangle, row by row: (d (d + 1) / 2, n)."""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64, Bool
from oo_sim.kernels.compile import kernel, scalar
from oo_sim.kernels.elementary import exp
from oo_sim.kernels.gram import add_scaled
from oo_sim.kernels.ridge import times_inverse

NEWTON_STEPS = 20
"""Steps to the Laplace mode: enough for any variance that a prior of 1e-4 allows."""


@kernel
def _along(x: F64, v: F64) -> F64:
    """x' v (n,), for x and v (d, n)."""
    d, n = x.shape
    out = np.zeros(n)
    for a in range(d):
        for i in range(n):
            out[i] += x[a, i] * v[a, i]
    return out


@kernel
def _shrink(inverse: F64, v: F64, spread: F64, weight: F64) -> None:
    """A^-1 <- A^-1 - w v v' / (1 + w x' v) for v = A^-1 x and spread = x' v (Sherman & Morrison 1950)."""
    d, n = v.shape
    gain = np.empty(n)
    for i in range(n):
        gain[i] = weight[i] / (1.0 + weight[i] * spread[i])
    p = 0
    for a in range(d):
        for c in range(a, d):
            for i in range(n):
                inverse[p, i] -= gain[i] * v[a, i] * v[c, i]
            p += 1


@kernel
def weighted_update(inverse: F64, theta: F64, x: F64, reward: F64, weight: F64) -> None:
    """Count (x (d, n), reward (n,)) `weight` (n,) times, in place, with v = A^-1 x and g = w / (1 + w x' v):
    A^-1 <- A^-1 - g v v', theta <- theta + g (r - x' theta) v."""
    d, n = x.shape
    v = np.empty((d, n))
    times_inverse(inverse, x, v)
    mean, spread = _along(x, theta), _along(x, v)
    for i in range(n):
        error = weight[i] / (1.0 + weight[i] * spread[i]) * (reward[i] - mean[i])
        mean[i] = error if weight[i] != 0.0 else 0.0
    add_scaled(theta, v, mean)
    _shrink(inverse, v, spread, weight)


@scalar
def logistic(u: float) -> float:
    """1 / (1 + e^-u)."""
    return 1.0 / (1.0 + exp(-u))


@scalar
def newton(u: float, start: float, spread: float, target: float) -> float:
    """One Newton step towards the root u of u - start = spread (target - logistic(u))."""
    p = logistic(u)
    return u - (u - start - spread * (target - p)) / (1.0 + spread * p * (1.0 - p))


@kernel
def laplace_update(inverse: F64, theta: F64, x: F64, target: F64, learn: Bool) -> None:
    """Learn a target (n,) in [0, 1] for x (d, n) in place, where `learn`: the mode and the curvature of
    N(theta, inverse) times the logistic likelihood (Laplace's approximation; MacKay 1992).

    The mode lies on theta + t A^-1 x, so it is one root in u = x' theta. Newton starts at the curve's inflection, 0,
    from where it goes to the root monotonically, however far that is.
    """
    d, n = x.shape
    v = np.empty((d, n))
    times_inverse(inverse, x, v)
    start, spread = _along(x, theta), _along(x, v)
    u, curvature, step = np.zeros(n), np.empty(n), np.empty(n)
    for _ in range(NEWTON_STEPS):
        for i in range(n):
            u[i] = newton(u[i], start[i], spread[i], target[i])
    for i in range(n):
        p = logistic(u[i])
        curvature[i] = p * (1.0 - p) if learn[i] else 0.0
        step[i] = target[i] - p if learn[i] else 0.0
    add_scaled(theta, v, step)
    _shrink(inverse, v, spread, curvature)
