"""From scores to probabilities, and from probabilities to the one candidate that is drawn.

Shapes: K candidates, n lanes, M samples. A candidate that stands is one where `mask` (K, n) is True."""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64, I64, Bool
from oo_sim.kernels.compile import kernel
from oo_sim.kernels.elementary import exp

SUM_TOLERANCE = 1e-9
"""How far a column of probabilities may sum from 1."""


@kernel
def argmax(scores: F64, mask: Bool, best: I64) -> None:
    """The first of the highest scores (K, n) among the candidates that stand, into `best` (n,)."""
    K, n = scores.shape
    top = np.full(n, -np.inf)
    best[:] = 0
    for k in range(K):
        for i in range(n):
            score = scores[k, i] if mask[k, i] else -np.inf
            better = score > top[i]
            best[i] = k if better else best[i]
            top[i] = score if better else top[i]


@kernel
def count(mask: Bool, out: F64) -> None:
    """How many candidates stand in each lane, of mask (K, n) into `out` (n,)."""
    K, n = mask.shape
    out[:] = 0.0
    for k in range(K):
        for i in range(n):
            out[i] += 1.0 if mask[k, i] else 0.0


@kernel
def epsilon_greedy(scores: F64, mask: Bool, epsilon: F64, total: F64, explored: F64) -> None:
    """Epsilon over K for each candidate and 1 - epsilon more for the first of the best (Sutton & Barto 2018, 2.2).

    `epsilon` (n,); with epsilon 0 this is the greedy choice. `total` and `explored`, the part of it that is epsilon's,
    are (K, n), and K here counts those that stand.
    """
    K, n = scores.shape
    best = np.empty(n, np.int64)
    argmax(scores, mask, best)
    share = np.empty(n)
    count(mask, share)
    for i in range(n):
        share[i] = epsilon[i] / share[i]
    for k in range(K):
        for i in range(n):
            explored[k, i] = share[i] if mask[k, i] else 0.0
            total[k, i] = explored[k, i] + (1.0 - epsilon[i] if best[i] == k else 0.0)


@kernel
def softmax(scores: F64, mask: Bool, temperature: float, total: F64) -> None:
    """Boltzmann probabilities exp(score / temperature) / sum, of scores (K, n) into `total` (K, n) (Sutton & Barto
    2018, 2.8). Scores are shifted by the highest, so that none overflows; `temperature` is above 0."""
    K, n = scores.shape
    best = np.empty(n, np.int64)
    argmax(scores, mask, best)
    top = np.empty(n)
    for i in range(n):
        top[i] = scores[best[i], i]
    norm = np.zeros(n)
    for k in range(K):
        for i in range(n):
            weight = exp((scores[k, i] - top[i]) / temperature)
            total[k, i] = weight if mask[k, i] else 0.0
            norm[i] += total[k, i]
    for k in range(K):
        for i in range(n):
            total[k, i] /= norm[i]


@kernel
def win_shares(samples: F64, mask: Bool, total: F64) -> None:
    """How often each candidate has the first of the highest scores over samples (M, K, n), into `total` (K, n)."""
    M, K, n = samples.shape
    best = np.empty(n, np.int64)
    total[:] = 0.0
    for m in range(M):
        argmax(samples[m], mask, best)
        for k in range(K):
            for i in range(n):
                total[k, i] += 1.0 if best[i] == k else 0.0
    for k in range(K):
        for i in range(n):
            total[k, i] /= M


@kernel
def draw(
    total: F64,
    explored: F64,
    scores: F64,
    mask: Bool,
    uniform: F64,
    index: I64,
    propensity: F64,
    score: F64,
    flag: Bool,
) -> int:
    """Draw a candidate in each lane by inverting the cumulative sum of `total` (K, n) at `uniform[0]` (n,); the last
    with positive probability is the fallback where rounding leaves the sum short. `uniform[1]` decides whether the draw
    counts as explored, with probability explored / total of the candidate drawn. Into `index`, `propensity`, `score`
    and `flag`, each (n,).

    Returns how many lanes break a rule: a negative or not-a-number probability, explored above total, weight on a
    masked candidate, a sum that is not 1, or a score that is not finite.
    """
    K, n = total.shape
    sums = np.zeros(n)
    last = np.zeros(n, np.int64)
    broken = np.zeros(n, np.int64)
    index[:] = 0
    for k in range(K):
        for i in range(n):
            p, e, s = total[k, i], explored[k, i], scores[k, i]
            sums[i] += p
            index[i] += 1 if sums[i] <= uniform[0, i] else 0
            last[i] = k if p > 0.0 else last[i]
            fine = p >= 0.0 and e >= 0.0 and e <= p if mask[k, i] else p == 0.0 and e == 0.0
            finite = s - s == 0.0 or not mask[k, i]
            broken[i] |= 0 if fine and finite else 1
    bad = 0
    for i in range(n):
        index[i] = min(index[i], last[i])
        bad += broken[i] if abs(sums[i] - 1.0) <= SUM_TOLERANCE else 1
    for i in range(n):
        k = index[i]
        propensity[i] = total[k, i]
        score[i] = scores[k, i]
        flag[i] = uniform[1, i] * total[k, i] < explored[k, i]
    return bad


@kernel
def take(x: F64, index: I64, out: F64) -> None:
    """The chosen candidates' vectors: out[:, i] = x[index[i], :, i]."""
    _, d, n = x.shape
    for a in range(d):
        for i in range(n):
            out[a, i] = x[index[i], a, i]
