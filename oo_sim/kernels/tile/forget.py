"""Ridge regressions that forget, on many features, row by row: `gram.py` on a tile, for `policies.dlinucb` and
`policies.swlinucb`."""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64
from oo_sim.kernels.compile import inner

from .plan import DISCOUNTS, FACTOR, LANES, SAMPLE, SCORE, SCRATCH, STATE, D, V, X, put_features
from .wide import _row

_SIZE = D * (D + 1) // 2 * LANES
SQUARED = STATE + _SIZE
B = STATE + (2 if DISCOUNTS else 1) * _SIZE


@inner
def solve(S: F64, prior: float) -> None:
    """The factor of V = prior I + gram into FACTOR, and into SAMPLE what makes a score: V^-1 b, or L^-1 b."""
    for j in range(_SIZE):
        S[FACTOR + j] = S[STATE + j]
    start = FACTOR
    for a in range(D):
        diagonal = _row(S, start)
        for i in range(LANES):
            diagonal[i] = 1.0 / np.sqrt(diagonal[i] + prior)
        for b in range(1, D - a):
            below = _row(S, start + b * LANES)
            for i in range(LANES):
                below[i] *= diagonal[i]
        p = start + (D - a) * LANES
        for b in range(1, D - a):
            for c in range(b, D - a):
                _take_product(_row(S, p), _row(S, start + b * LANES), _row(S, start + c * LANES))
                p += LANES
        start += (D - a) * LANES
    for j in range(D * LANES):
        S[SAMPLE + j] = S[B + j]
    _solve(S, SAMPLE)


@inner
def _take_product(out: F64, a: F64, b: F64) -> None:
    for i in range(LANES):
        out[i] -= a[i] * b[i]


@inner
def _times(out: F64, a: F64) -> None:
    for i in range(LANES):
        out[i] *= a[i]


@inner
def _solve(S: F64, z: int) -> None:
    """z <- L^-1 z, and where what is learned is discounted z <- L'^-1 z after it."""
    p = FACTOR
    for a in range(D):
        own = _row(S, z + a * LANES)
        _times(own, _row(S, p))
        for b in range(1, D - a):
            _take_product(_row(S, z + (a + b) * LANES), _row(S, p + b * LANES), own)
        p += (D - a) * LANES
    if DISCOUNTS:
        for back in range(D):
            a = D - 1 - back
            p -= (D - a) * LANES
            own = _row(S, z + a * LANES)
            for b in range(1, D - a):
                _take_product(own, _row(S, p + b * LANES), _row(S, z + (a + b) * LANES))
            _times(own, _row(S, p))


@inner
def score(S: F64, k: int, alpha: float, prior: float) -> None:
    """The mean of candidate k and alpha times its standard deviation: `gram.gram_moments` or `discounted_moments`."""
    mean, variance = _row(S, SCORE + k * LANES), _row(S, SCRATCH)
    for i in range(LANES):
        put_features(S, k, i)
        mean[i] = 0.0
        variance[i] = 0.0
    for j in range(D * LANES):
        S[V + j] = S[X + j]
    _solve(S, V)
    p = SQUARED
    for a in range(D):
        x, w, z = _row(S, X + a * LANES), _row(S, SAMPLE + a * LANES), _row(S, V + a * LANES)
        if DISCOUNTS:
            entry = _row(S, p)
            for i in range(LANES):
                mean[i] += x[i] * w[i]
                variance[i] += (entry[i] + prior) * z[i] * z[i]
            for b in range(1, D - a):
                entry, other = _row(S, p + b * LANES), _row(S, V + (a + b) * LANES)
                for i in range(LANES):
                    variance[i] += 2.0 * entry[i] * z[i] * other[i]
            p += (D - a) * LANES
        else:
            for i in range(LANES):
                mean[i] += z[i] * w[i]
                variance[i] += z[i] * z[i]
    for i in range(LANES):
        mean[i] += alpha * np.sqrt(variance[i])


@inner
def count(S: F64, rows: int, weight: int, scale: int) -> None:
    """gram, its squared weights where there are such, and b, with the features in `rows` counted by the weights and
    scales in two rows: `gram.add_outer`, `gram.add_scaled`."""
    p, w, s = STATE, _row(S, weight), _row(S, scale)
    for a in range(D):
        x = _row(S, rows + a * LANES)
        for c in range(a, D):
            y, entry = _row(S, rows + c * LANES), _row(S, p)
            for i in range(LANES):
                entry[i] += w[i] * (x[i] * y[i])
            if DISCOUNTS:
                squared = _row(S, p + _SIZE)
                for i in range(LANES):
                    squared[i] += w[i] * w[i] * (x[i] * y[i])
            p += LANES
        b = _row(S, B + a * LANES)
        for i in range(LANES):
            b[i] += s[i] * x[i]
