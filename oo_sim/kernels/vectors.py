"""The linear world's contexts: uniform in the unit ball, or Gaussian."""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64
from oo_sim.kernels.compile import kernel


@kernel
def ball(normals: F64, x: F64) -> None:
    """Points x (K, d, n) uniform in the unit ball, from normals (K, d + 2, n).

    The first d coordinates of a uniform point on the sphere in d + 2 dimensions are uniform in the d-ball.
    """
    K, d, n = x.shape
    norm = np.empty(n)
    for k in range(K):
        norm[:] = 0.0
        for a in range(d + 2):
            for i in range(n):
                norm[i] += normals[k, a, i] * normals[k, a, i]
        for i in range(n):
            norm[i] = 1.0 / np.sqrt(norm[i])
        for a in range(d):
            for i in range(n):
                x[k, a, i] = normals[k, a, i] * norm[i]


@kernel
def linear_rewards(theta: F64, x: F64, expected: F64, best: F64) -> None:
    """expected = x' theta (K, n) and the best of each lane (n,), for theta (d, n) and x (K, d, n)."""
    K, d, n = x.shape
    best[:] = -np.inf
    for k in range(K):
        for i in range(n):
            expected[k, i] = 0.0
        for a in range(d):
            for i in range(n):
                expected[k, i] += x[k, a, i] * theta[a, i]
        for i in range(n):
            best[i] = max(best[i], expected[k, i])
