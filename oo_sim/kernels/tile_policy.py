"""What policies do with a tile of 64 users: score, choose, learn.

A tile's arrays are flat, and every row of them has `LANES` numbers: a constant, so that compilers vectorise each loop
over lanes without a test at run time. Row r of lane l stands at r LANES + l. States begin with theta (d rows), then
A^-1 as its upper triangle, row by row. Every formula is that of the kernel named beside it, operation by operation:
bits cannot tell a tile from the loop.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from oo_sim.contract import F64, I64, U64
from oo_sim.kernels.compile import inner, scalar
from oo_sim.kernels.elementary import exp, log, normals
from oo_sim.kernels.philox import philox, unit, unit32
from oo_sim.kernels.unrolled import factor_5, factor_7, learn_5, learn_7
from oo_sim.kernels.weighted import NEWTON_STEPS, logistic, newton

LANES = 64
REWARD, ANSWERED, REACTION, EXPECTED, HEARD, LEARNED, GOT_ROWS = range(7)
"""Rows of what a decision got: its reward, whether there is one, the reaction, the expected reward, whether the reward
is reported, and whether the policy learns it."""


@inner
def pairs(low: U64, high: U64, t: I64, address: np.uint64, seed: np.uint64, replicate: np.uint64, out: F64) -> None:
    """Uniforms of an address and the lanes' rounds `t` in the first two rows of `out`; see `philox.uniforms`."""
    for i in range(LANES):
        w0, w1, w2, w3 = philox(low[i], high[i], np.uint64(t[i]), address, seed, replicate)
        out[i] = unit(w0, w1)
        out[LANES + i] = unit(w2, w3)


@inner
def words(
    low: U64, high: U64, t: np.uint64, address: np.uint64, seed: np.uint64, replicate: np.uint64, out: F64
) -> None:
    """The four words at an address, the same `t` for all lanes, as uniforms in the first four rows of `out`."""
    for i in range(LANES):
        w0, w1, w2, w3 = philox(low[i], high[i], t, address, seed, replicate)
        out[i] = unit32(w0)
        out[LANES + i] = unit32(w1)
        out[2 * LANES + i] = unit32(w2)
        out[3 * LANES + i] = unit32(w3)


@inner
def uniform_rows(
    low: U64, high: U64, t: I64, purpose: np.uint64, seed: np.uint64, replicate: np.uint64, count: int, out: F64
) -> None:
    """The first `count` uniforms of a purpose; `out` has room for an even number of rows."""
    for block in range((count + 1) // 2):
        address = (purpose << np.uint64(16)) | np.uint64(block)
        pairs(low, high, t, address, seed, replicate, out[2 * block * LANES :])


@inner
def normal_rows(uniform: F64, first: int, count: int, out: F64) -> None:
    """Normals from `count` rows of uniforms, from row `first` on, into the first rows of `out`."""
    drawn = uniform[first * LANES : (first + count) * LANES].reshape((count, LANES))
    normals(drawn, out[: count * LANES].reshape((count, LANES)))


@scalar
def _dot(x: F64, at: int, theta: F64, i: int, d: int) -> float:
    total = 0.0
    for a in range(d):
        total += x[at + a * LANES] * theta[a * LANES + i]
    return total


@scalar
def _quadratic(inverse: F64, i: int, x: F64, at: int, d: int) -> float:
    half, p = 0.0, i
    for a in range(d):
        row = 0.5 * inverse[p] * x[at + a * LANES]
        p += LANES
        for b in range(a + 1, d):
            row += inverse[p] * x[at + b * LANES]
            p += LANES
        half += row * x[at + a * LANES]
    return 2.0 * half


@inner
def means(theta: F64, x: F64, K: int, d: int, scores: F64) -> None:
    """`ridge.ridge_mean`."""
    for k in range(K):
        at = k * LANES
        if d == 5:
            for i in range(LANES):
                scores[at + i] = _dot(x, 5 * at + i, theta, i, 5)
        elif d == 7:
            for i in range(LANES):
                scores[at + i] = _dot(x, 7 * at + i, theta, i, 7)
        else:
            for i in range(LANES):
                scores[at + i] = 0.0
            for a in range(d):
                for i in range(LANES):
                    scores[at + i] += x[d * at + a * LANES + i] * theta[a * LANES + i]


@inner
def upper_confidence(theta: F64, inverse: F64, x: F64, K: int, d: int, alpha: float, scores: F64, row: F64) -> None:
    """`ridge.ridge_moments`, then `ridge.upper_confidence`; `row` is memory of two rows."""
    if d not in (5, 7):
        means(theta, x, K, d, scores)
    for k in range(K):
        at = k * LANES
        if d == 5:
            for i in range(LANES):
                mean = _dot(x, 5 * at + i, theta, i, 5)
                scores[at + i] = mean + alpha * np.sqrt(_quadratic(inverse, i, x, 5 * at + i, 5))
        elif d == 7:
            for i in range(LANES):
                mean = _dot(x, 7 * at + i, theta, i, 7)
                scores[at + i] = mean + alpha * np.sqrt(_quadratic(inverse, i, x, 7 * at + i, 7))
        else:
            variance_by_rows(inverse, x[d * at :], d, row)
            for i in range(LANES):
                scores[at + i] += alpha * np.sqrt(row[i])


@inner
def variance_by_rows(inverse: F64, x: F64, d: int, out: F64) -> None:
    """One candidate's variance in the first row of `out`, which has two."""
    p = 0
    for i in range(LANES):
        out[i] = 0.0
    for a in range(d):
        for i in range(LANES):
            out[LANES + i] = 0.5 * inverse[p + i] * x[a * LANES + i]
        p += LANES
        for b in range(a + 1, d):
            for i in range(LANES):
                out[LANES + i] += inverse[p + i] * x[b * LANES + i]
            p += LANES
        for i in range(LANES):
            out[i] += out[LANES + i] * x[a * LANES + i]
    for i in range(LANES):
        out[i] *= 2.0


@inner
def cholesky(inverse: F64, d: int, factor: F64) -> None:
    """`ridge.cholesky`."""
    if d == 5:
        for i in range(LANES):
            factor_5(inverse, factor, i)
    elif d == 7:
        for i in range(LANES):
            factor_7(inverse, factor, i)
    else:
        factor_by_rows(inverse, d, factor)


@inner
def factor_by_rows(inverse: F64, d: int, factor: F64) -> None:
    """The same for any width."""
    for j in range(d * (d + 1) // 2 * LANES):
        factor[j] = inverse[j]
    start = 0
    for a in range(d):
        for i in range(LANES):
            factor[start * LANES + i] = np.sqrt(factor[start * LANES + i])
        for b in range(1, d - a):
            for i in range(LANES):
                factor[(start + b) * LANES + i] /= factor[start * LANES + i]
        p = start + d - a
        for b in range(1, d - a):
            for c in range(b, d - a):
                for i in range(LANES):
                    factor[p * LANES + i] -= factor[(start + b) * LANES + i] * factor[(start + c) * LANES + i]
                p += 1
        start += d - a


@inner
def sampled(theta: F64, factor: F64, z: F64, d: int, out: F64) -> None:
    """theta + L z, as `ridge.times_factor` adds it."""
    for j in range(d * LANES):
        out[j] = theta[j]
    p = 0
    for a in range(d):
        for b in range(a, d):
            for i in range(LANES):
                out[b * LANES + i] += factor[p * LANES + i] * z[a * LANES + i]
            p += 1


@inner
def argmax(scores: F64, mask: F64, K: int, best: I64, row: F64) -> int:
    """`choice.argmax`, and how many lanes have a score that is not finite where a candidate stands; `row` is memory of
    three rows."""
    for i in range(LANES):
        row[i] = -np.inf
        row[LANES + i] = 0.0
        row[2 * LANES + i] = 0.0
    for k in range(K):
        at, place = k * LANES, float(k)
        for i in range(LANES):
            there = mask[at + i] > 0.0
            score = scores[at + i] if there else -np.inf
            better = score > row[i]
            row[i] = score if better else row[i]
            row[LANES + i] = place if better else row[LANES + i]
            row[2 * LANES + i] += scores[at + i] - scores[at + i] if there else 0.0
    broken = 0
    for i in range(LANES):
        best[i] = np.int64(row[LANES + i])
        broken += 0 if row[2 * LANES + i] == 0.0 else 1
    return broken


@inner
def standing(mask: F64, K: int, out: F64) -> None:
    """`choice.count`."""
    for i in range(LANES):
        out[i] = 0.0
    for k in range(K):
        for i in range(LANES):
            out[i] += mask[k * LANES + i]


@scalar
def epsilon_at(epsilon: float, decay: float, schedule: float, t: float) -> Any:
    """`explore.epsilon_greedy`'s share of exploration at decision t."""
    u = decay * t
    if schedule == 0.0:
        return epsilon / (1.0 + u)
    if schedule == 1.0:
        return epsilon / np.sqrt(1.0 + u)
    if schedule == 2.0:
        return epsilon / exp((1.0 / 3.0) * log(1.0 + u))
    return epsilon / exp(u)


@inner
def epsilon_greedy(best: I64, mask: F64, K: int, t: I64, p: F64, total: F64, count: F64) -> None:
    """`choice.epsilon_greedy`, for p = epsilon, decay, schedule."""
    standing(mask, K, count)
    for i in range(LANES):
        count[LANES + i] = epsilon_at(p[0], p[1], p[2], float(t[i]))
        count[i] = count[LANES + i] / count[i]
    for k in range(K):
        at = k * LANES
        for i in range(LANES):
            share = count[i] if mask[at + i] > 0.0 else 0.0
            total[at + i] = share + (1.0 - count[LANES + i] if best[i] == k else 0.0)


@inner
def softmax(scores: F64, best: I64, mask: F64, K: int, temperature: float, total: F64, row: F64) -> None:
    """`choice.softmax`."""
    for i in range(LANES):
        row[i] = scores[best[i] * LANES + i]
        row[LANES + i] = 0.0
    for k in range(K):
        at = k * LANES
        for i in range(LANES):
            weight = exp((scores[at + i] - row[i]) / temperature)
            total[at + i] = weight if mask[at + i] > 0.0 else 0.0
            row[LANES + i] += total[at + i]
    for k in range(K):
        for i in range(LANES):
            total[k * LANES + i] /= row[LANES + i]


@inner
def inverse_gap(scores: F64, best: I64, mask: F64, K: int, t: I64, p: F64, total: F64, row: F64) -> None:
    """`gaps.inverse_gap`, for p = gamma, exponent; `row` is memory of four rows."""
    standing(mask, K, row)
    for i in range(LANES):
        row[LANES + i] = scores[best[i] * LANES + i]
        row[2 * LANES + i] = 1.0
        row[3 * LANES + i] = p[0] * exp(p[1] * log(float(t[i]) + 1.0))
    for k in range(K):
        at = k * LANES
        for i in range(LANES):
            gap = max(row[LANES + i] - scores[at + i], 0.0)
            share = 1.0 / (row[i] + row[3 * LANES + i] * gap)
            total[at + i] = share if mask[at + i] > 0.0 and best[i] != k else 0.0
            row[2 * LANES + i] -= total[at + i]
    for k in range(K):
        for i in range(LANES):
            total[k * LANES + i] = row[2 * LANES + i] if best[i] == k else total[k * LANES + i]


@inner
def draw(total: F64, K: int, uniform: F64, chosen: I64, row: F64) -> None:
    """`choice.draw`: the arm at which the sum of the probabilities passes the uniform."""
    for i in range(LANES):
        row[i] = 0.0
        row[LANES + i] = 0.0
        chosen[i] = 0
    for k in range(K):
        at = k * LANES
        for i in range(LANES):
            p = total[at + i]
            row[i] += p
            chosen[i] += 1 if row[i] <= uniform[i] else 0
            row[LANES + i] = k if p > 0.0 else row[LANES + i]
    for i in range(LANES):
        chosen[i] = min(chosen[i], np.int64(row[LANES + i]))


@inner
def times_inverse(inverse: F64, v: F64, d: int, out: F64) -> None:
    """`ridge.times_inverse`."""
    for j in range(d * LANES):
        out[j] = 0.0
    p = 0
    for a in range(d):
        for i in range(LANES):
            out[a * LANES + i] += inverse[p + i] * v[a * LANES + i]
        p += LANES
        for b in range(a + 1, d):
            for i in range(LANES):
                out[a * LANES + i] += inverse[p + i] * v[b * LANES + i]
                out[b * LANES + i] += inverse[p + i] * v[a * LANES + i]
            p += LANES


@inner
def learn_ridge(state: F64, x: F64, got: F64, d: int, v: F64) -> None:
    """`ridge.ridge_update` of the rewards `got`, where they are `LEARNED`; `v` is memory of d + 2 rows.

    Few arrays, with rows at constant distances: a compiler gives up where it had to test many pairs for overlaps.
    """
    if d == 5:
        for i in range(LANES):
            learn_5(state, x, got, i)
    elif d == 7:
        for i in range(LANES):
            learn_7(state, x, got, i)
    else:
        learn_by_rows(state, state[d * LANES :], x, got, got[LEARNED * LANES :], d, v)


@inner
def learn_by_rows(theta: F64, inverse: F64, x: F64, reward: F64, learn: F64, d: int, v: F64) -> None:
    """The same for any width."""
    times_inverse(inverse, x, d, v)
    gain, error = v[d * LANES :], v[(d + 1) * LANES :]
    for i in range(LANES):
        gain[i] = 1.0
        error[i] = reward[i]
    for a in range(d):
        for i in range(LANES):
            gain[i] += x[a * LANES + i] * v[a * LANES + i]
            error[i] -= x[a * LANES + i] * theta[a * LANES + i]
    for i in range(LANES):
        gain[i] = 1.0 / gain[i] if learn[i] > 0.0 else 0.0
        error[i] = gain[i] * error[i] if learn[i] > 0.0 else 0.0
    p = 0
    for a in range(d):
        for i in range(LANES):
            theta[a * LANES + i] += error[i] * v[a * LANES + i]
        for c in range(a, d):
            for i in range(LANES):
                inverse[p + i] -= gain[i] * v[a * LANES + i] * v[c * LANES + i]
            p += LANES


@inner
def learn_laplace(theta: F64, inverse: F64, x: F64, reward: F64, learn: F64, d: int, v: F64) -> None:
    """`weighted.laplace_update` of the share (reward + 1) / 2 of a success; `v` is memory of d + 4 rows."""
    times_inverse(inverse, x, d, v)
    start, spread, u, target = v[d * LANES :], v[(d + 1) * LANES :], v[(d + 2) * LANES :], v[(d + 3) * LANES :]
    for i in range(LANES):
        start[i] = 0.0
        spread[i] = 0.0
        u[i] = 0.0
        target[i] = min(max((reward[i] + 1.0) / 2.0, 0.0), 1.0)
    for a in range(d):
        for i in range(LANES):
            start[i] += x[a * LANES + i] * theta[a * LANES + i]
            spread[i] += x[a * LANES + i] * v[a * LANES + i]
    for _ in range(NEWTON_STEPS):
        for i in range(LANES):
            u[i] = newton(u[i], start[i], spread[i], target[i])
    for i in range(LANES):
        p = logistic(u[i])
        curvature = p * (1.0 - p) if learn[i] > 0.0 else 0.0
        start[i] = target[i] - p if learn[i] > 0.0 else 0.0
        spread[i] = curvature / (1.0 + curvature * spread[i])
    for a in range(d):
        for i in range(LANES):
            theta[a * LANES + i] += start[i] * v[a * LANES + i]
    q = 0
    for a in range(d):
        for c in range(a, d):
            for i in range(LANES):
                inverse[q + i] -= spread[i] * v[a * LANES + i] * v[c * LANES + i]
            q += LANES
