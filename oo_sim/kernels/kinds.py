"""Moments under one of two models, by the kind of each candidate: a task or an LLM tip."""

from __future__ import annotations

from oo_sim.contract import F64, I64
from oo_sim.kernels.compile import kernel


@kernel
def kind_moments(inverse: F64, theta: F64, x: F64, kind: int, columns: I64, mean: F64, variance: F64) -> None:
    """mean = x' theta and variance = x' A^-1 x, each (K, n), under model 1 where x[:, kind] is 1 and model 0 elsewhere.

    inverse (2, d (d + 1) / 2, n), theta (2, d, n); the models read the d columns `columns` of x.
    """
    K, _, n = x.shape
    d = len(columns)
    mean[:] = 0.0
    variance[:] = 0.0
    for k in range(K):
        p = 0
        for a in range(d):
            left = columns[a]
            for i in range(n):
                task, tip = theta[0, a, i], theta[1, a, i]
                mean[k, i] += x[k, left, i] * (tip if x[k, kind, i] > 0.5 else task)
            for c in range(a, d):
                right, times = columns[c], 1.0 if c == a else 2.0
                for i in range(n):
                    task, tip = inverse[0, p, i], inverse[1, p, i]
                    entry = tip if x[k, kind, i] > 0.5 else task
                    variance[k, i] += times * entry * x[k, left, i] * x[k, right, i]
                p += 1
