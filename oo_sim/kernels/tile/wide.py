"""Formulas on many features, row by row: what `written.py` writes out for few."""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64
from oo_sim.kernels.compile import inner, lane

from .plan import (
    FACTOR,
    GOT,
    KIND,
    LANES,
    LEARNED,
    LEARNS_RIDGE_BY_KIND,
    NORMAL,
    SAMPLE,
    SCORE,
    SCRATCH,
    STATE,
    UPPER,
    WEIGHTS,
    D,
    N,
    V,
    X,
    Z,
    put_features,
)

INVERSE = STATE + N * LANES
HALF = N // 2


@inner
def score(S: F64, k: int, alpha: float) -> None:
    """x' theta of candidate k, and its standard deviation times alpha where that is part of the score."""
    j = SCORE + k * LANES
    for i in range(LANES):
        put_features(S, k, i)
        S[j + i] = 0.0
    if LEARNS_RIDGE_BY_KIND:
        _moments_by_kind(S, _row(S, j))
    else:
        for a in range(D):
            for i in range(LANES):
                S[j + i] += S[X + a * LANES + i] * S[WEIGHTS + a * LANES + i]
        if UPPER:
            _variance(S)
    if UPPER:
        for i in range(LANES):
            S[j + i] += alpha * np.sqrt(S[SCRATCH + i])


@inner
def _row(S: F64, at: int) -> F64:
    """The row that begins at `at`, whose places a compiler knows not to be negative."""
    return S[at : at + LANES]


@inner
def _variance(S: F64) -> None:
    """x' A^-1 x of the features in X: `ridge.ridge_variance`."""
    p, row = INVERSE, SCRATCH + LANES
    for i in range(LANES):
        S[SCRATCH + i] = 0.0
    for a in range(D):
        x, entry = _row(S, X + a * LANES), _row(S, p)
        for i in range(LANES):
            S[row + i] = 0.5 * entry[i] * x[i]
        p += LANES
        for b in range(a + 1, D):
            _add_product(_row(S, row), _row(S, p), _row(S, X + b * LANES))
            p += LANES
        for i in range(LANES):
            S[SCRATCH + i] += S[row + i] * x[i]
    for i in range(LANES):
        S[SCRATCH + i] *= 2.0


@inner
def _moments_by_kind(S: F64, mean: F64) -> None:
    """x' theta and x' A^-1 x under the model of the candidate's kind: `kinds.kind_moments`."""
    variance, kind = _row(S, SCRATCH), _row(S, X + KIND * LANES)
    for i in range(LANES):
        variance[i] = 0.0
    for a in range(HALF):
        x = _row(S, X + (a + (1 if a >= KIND else 0)) * LANES)
        task, tip = _row(S, STATE + a * LANES), _row(S, STATE + (HALF + a) * LANES)
        for i in range(LANES):
            mean[i] += x[i] * (tip[i] if kind[i] > 0.5 else task[i])
        for c in range(a, HALF):
            y, times = _row(S, X + (c + (1 if c >= KIND else 0)) * LANES), 1.0 if c == a else 2.0
            task, tip = _row(S, INVERSE + _place(a, c) * LANES), _row(S, INVERSE + _place(HALF + a, HALF + c) * LANES)
            for i in range(LANES):
                variance[i] += times * (tip[i] if kind[i] > 0.5 else task[i]) * x[i] * y[i]


@lane
def _place(a: int, c: int) -> int:
    """Where the entry (a, c) of a matrix of N rows, a <= c, stands in its packed upper triangle."""
    return a * N - a * (a - 1) // 2 + c - a


@inner
def pair(S: F64) -> None:
    """The features in X as (x, 0) of a task and (0, x) of a tip, into Z: `policies.linucb_hybrid`."""
    kind = _row(S, X + KIND * LANES)
    for a in range(HALF):
        x = _row(S, X + (a + (1 if a >= KIND else 0)) * LANES)
        task, tip = _row(S, Z + a * LANES), _row(S, Z + (HALF + a) * LANES)
        for i in range(LANES):
            task[i], tip[i] = 0.0 if kind[i] > 0.5 else x[i], x[i] if kind[i] > 0.5 else 0.0


@inner
def _add_product(out: F64, a: F64, b: F64) -> None:
    for i in range(LANES):
        out[i] += a[i] * b[i]


@inner
def factor(S: F64) -> None:
    """The Cholesky factor of A^-1: `ridge.cholesky`."""
    for j in range(D * (D + 1) // 2 * LANES):
        S[FACTOR + j] = S[INVERSE + j]
    start = FACTOR
    for a in range(D):
        diagonal = _row(S, start)
        for i in range(LANES):
            diagonal[i] = np.sqrt(diagonal[i])
        for b in range(1, D - a):
            below = _row(S, start + b * LANES)
            for i in range(LANES):
                below[i] /= diagonal[i]
        p = start + (D - a) * LANES
        for b in range(1, D - a):
            for c in range(b, D - a):
                one, two, entry = _row(S, start + b * LANES), _row(S, start + c * LANES), _row(S, p)
                for i in range(LANES):
                    entry[i] -= one[i] * two[i]
                p += LANES
        start += (D - a) * LANES


@inner
def sample(S: F64) -> None:
    """theta + L z: `ridge.times_factor`."""
    for j in range(D * LANES):
        S[SAMPLE + j] = S[STATE + j]
    p = FACTOR
    for a in range(D):
        for b in range(a, D):
            _add_product(_row(S, SAMPLE + b * LANES), _row(S, p), _row(S, NORMAL + a * LANES))
            p += LANES


@inner
def times_inverse(S: F64) -> None:
    """V = A^-1 x of the features in Z: `ridge.times_inverse`."""
    for j in range(N * LANES):
        S[V + j] = 0.0
    p = INVERSE
    for a in range(N):
        _add_product(_row(S, V + a * LANES), _row(S, p), _row(S, Z + a * LANES))
        p += LANES
        for b in range(a + 1, N):
            _add_product(_row(S, V + a * LANES), _row(S, p), _row(S, Z + b * LANES))
            _add_product(_row(S, V + b * LANES), _row(S, p), _row(S, Z + a * LANES))
            p += LANES


@inner
def learn(S: F64) -> None:
    """`ridge.ridge_update`."""
    gain, error = SCRATCH, SCRATCH + LANES
    times_inverse(S)
    for i in range(LANES):
        S[gain + i] = 1.0
        S[error + i] = S[GOT + i]
    for a in range(N):
        for i in range(LANES):
            S[gain + i] += S[Z + a * LANES + i] * S[V + a * LANES + i]
            S[error + i] -= S[Z + a * LANES + i] * S[STATE + a * LANES + i]
    for i in range(LANES):
        S[gain + i] = 1.0 / S[gain + i] if S[LEARNED + i] > 0.0 else 0.0
        S[error + i] = S[gain + i] * S[error + i] if S[LEARNED + i] > 0.0 else 0.0
    add(S, gain, error)


@inner
def add(S: F64, gain: int, step: int) -> None:
    """theta + step v, and A^-1 - gain v v'."""
    p = INVERSE
    gains = _row(S, gain)
    for a in range(N):
        one = _row(S, V + a * LANES)
        _add_product(_row(S, STATE + a * LANES), _row(S, step), one)
        for c in range(a, N):
            two, entry = _row(S, V + c * LANES), _row(S, p)
            for i in range(LANES):
                entry[i] -= gains[i] * one[i] * two[i]
            p += LANES
