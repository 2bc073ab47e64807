"""How a policy on a tile scores candidates and chooses one.

Each function names the kernel in `ridge.py`, `choice.py` or `gaps.py` that it repeats, operation by operation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from oo_sim.contract import F64, U64
from oo_sim.kernels.compile import inner, lane, scalar
from oo_sim.kernels.elementary import exp, log
from oo_sim.kernels.philox import DECIDE
from oo_sim.kernels.philox import SCORE as SCORE_DRAW
from oo_sim.kernels.tile import numbers as at

from . import draws, forget, wide
from .plan import (
    ABREAST,
    BEST,
    BOOTSTRAPS,
    CHOSEN,
    DISCOUNTS,
    DISTINCT,
    DRAWN,
    EXPECTED,
    IS_EPSILON,
    IS_EVEN,
    IS_GREEDY,
    IS_INVERSE_GAP,
    IS_SHARES,
    IS_SOFTMAX,
    LANES,
    MASK,
    MODEL_ROWS,
    NORMAL,
    NOW,
    PEAK,
    PLACES,
    PRESENT,
    REPLICATES,
    SAMPLE,
    SAMPLES_THETA,
    SCORE,
    SCORED,
    SCORED_ABREAST,
    SCORES_TRUTH,
    SCRATCH,
    SLIDES,
    SOUND,
    STATE,
    TOTAL,
    UPPER,
    WIDE,
    D,
    K,
    decomposed,
    factored,
    mean,
    quadratic,
    sampled,
    solved,
)

_16 = np.uint64(16)
FORGETS = SLIDES or DISCOUNTS
COMPARES = IS_SOFTMAX or IS_INVERSE_GAP  # how much better one candidate's score is than another's
_PRIOR = 3 if DISCOUNTS else 1  # where it stands among the policy's numbers


@inner
def choose(S: F64, U: U64, P: F64, t: int, seed: np.uint64, replicate: np.uint64) -> int:
    """Score the candidates and choose one in each lane; how many lanes have a score that is not finite."""
    broken = 0
    if SAMPLES_THETA:
        _factor(S)
    if FORGETS:
        _solve(S, P[at.POLICY + _PRIOR])
    if IS_SHARES:
        broken = _share(S, U, P, t, seed, replicate)
    elif SCORED:
        if SAMPLES_THETA:
            _sample(S, U, P, t, 0, seed, replicate)
        broken = _score(S, P)
    if IS_GREEDY:
        for i in range(LANES):
            S[CHOSEN + i] = S[BEST + i]
    else:
        _spread(S, P, t)
        _draw(S, U, t, seed, replicate)
    return broken


@inner
def _solve(S: F64, prior: float) -> None:
    """What the scores of a policy that forgets are made of."""
    if WIDE:
        forget.solve(S, prior)
    elif SLIDES:
        for i in range(LANES):
            decomposed(S, prior, i)
    else:
        for i in range(LANES):
            solved(S, prior, i)


@inner
def _spread(S: F64, P: F64, t: int) -> None:
    """The probabilities that a choice is drawn from; shares of samples are such as they are."""
    if COMPARES:  # tips beyond the first score as that one does
        for j in range((K - DISTINCT) * LANES):
            S[SCORE + DISTINCT * LANES + j] = S[SCORE + (DISTINCT - 1) * LANES + j]
    if IS_EPSILON:
        _explore(S, P, t)
    if IS_SOFTMAX:
        _soften(S, P)
    if IS_INVERSE_GAP:
        _weigh_gaps(S, P, t)
    if IS_EVEN:
        _count(S, SCRATCH)
        for k in range(K):
            for i in range(LANES):
                S[TOTAL + k * LANES + i] = 1.0 / S[SCRATCH + i] if _there(S, k, i) else 0.0


@scalar
def _there(S: F64, k: int, i: int) -> bool:
    """Whether a candidate stands at k."""
    return S[MASK + k * LANES + i] > 0.0 if PLACES else True


@inner
def _score(S: F64, P: F64) -> int:
    """Scores, and the first of the highest in BEST (`choice.argmax`); how many lanes have one that is not finite, or so
    large that their sum is not."""
    alpha = P[at.POLICY]
    _fill(S, PEAK, -np.inf)
    _fill(S, BEST, 0.0)
    _fill(S, SOUND, 0.0)
    for first in range(0, DISTINCT, SCORED_ABREAST):
        if WIDE and not SCORES_TRUTH:
            _score_by_rows(S, P, first)
        for i in range(LANES):
            so_far = S[PEAK + i], S[BEST + i], S[SOUND + i]
            if SCORED_ABREAST == 1:  # not a loop: what is the same for all lanes is then decided before them
                so_far = _with(S, alpha, first, i, so_far)
            else:
                for k in range(first, first + SCORED_ABREAST):
                    so_far = _with(S, alpha, k, i, so_far)
            S[PEAK + i], S[BEST + i], S[SOUND + i] = so_far
    broken = 0
    for i in range(LANES):
        broken += 0 if S[SOUND + i] - S[SOUND + i] == 0.0 else 1
    return broken


@lane
def _with(S: F64, alpha: float, k: int, i: int, so_far: tuple[float, float, float]) -> tuple[float, float, float]:
    """The highest score, whose it is and the sum of scores, where k is among the candidates too."""
    peak, best, sound = so_far
    if SCORES_TRUTH:
        score = S[EXPECTED + k * LANES + i]
    elif WIDE:
        score = S[SCORE + k * LANES + i]
    elif UPPER:
        score = mean(S, k, i) + alpha * np.sqrt(quadratic(S, k, i))
    else:
        score = mean(S, k, i)
    if COMPARES:
        S[SCORE + k * LANES + i] = score
    there = _there(S, k, i)
    sound += score if there else 0.0
    score = score if there else -np.inf
    better = score > peak
    return score if better else peak, float(k) if better else best, sound


@lane
def _fill(S: F64, row: int, value: float) -> None:
    """A row of one value: each in a loop of its own, which is vectorised; three in one are stored number by number."""
    for i in range(LANES):
        S[row + i] = value


@inner
def _score_by_rows(S: F64, P: F64, first: int) -> None:
    for k in range(first, first + SCORED_ABREAST):
        if FORGETS:
            forget.score(S, k, P[at.POLICY], P[at.POLICY + _PRIOR])
        else:
            wide.score(S, k, P[at.POLICY])


@inner
def _factor(S: F64) -> None:
    if WIDE:
        wide.factor(S)
    else:
        for i in range(LANES):
            factored(S, i)


@inner
def _sample(S: F64, U: U64, P: F64, t: int, m: int, seed: np.uint64, replicate: np.uint64) -> None:
    """Sample m of the posterior, theta + L z: `policies.thompson`."""
    scale, skipped = P[at.POLICY], m * D % 2
    for block in range((D + skipped + 1) // 2):
        address = (SCORE_DRAW << _16) | np.uint64(m * D // 2 + block)
        draws.own_pairs(S, U, t, address, seed, replicate, DRAWN + 2 * block * LANES)
    draws.normals(S, DRAWN + skipped * LANES, D, NORMAL)
    for j in range(D * LANES):
        S[NORMAL + j] *= scale
    if WIDE:
        wide.sample(S)
    else:
        for i in range(LANES):
            sampled(S, i)


@inner
def _share(S: F64, U: U64, P: F64, t: int, seed: np.uint64, replicate: np.uint64) -> int:
    """The share of samples in which a candidate is the best: `choice.win_shares`."""
    samples, broken = REPLICATES if BOOTSTRAPS else int(P[at.SAMPLES]), 0
    for j in range(K * LANES):
        S[TOTAL + j] = 0.0
    for m in range(samples):
        if BOOTSTRAPS:
            for j in range(D * LANES):
                S[SAMPLE + j] = S[STATE + m * MODEL_ROWS * LANES + j]
        else:
            _sample(S, U, P, t, m, seed, replicate)
        broken += _score(S, P)
        for k in range(K):
            for i in range(LANES):
                S[TOTAL + k * LANES + i] += 1.0 if S[BEST + i] == k else 0.0
    for j in range(K * LANES):
        S[TOTAL + j] /= samples
    return broken


@inner
def _count(S: F64, to: int) -> None:
    """How many candidates stand: `choice.count`."""
    for i in range(LANES):
        S[to + i] = 0.0
    for k in range(K):
        for i in range(LANES):
            S[to + i] += 1.0 if _there(S, k, i) else 0.0


@scalar
def _epsilon(epsilon: float, decay: float, schedule: float, t: float) -> Any:
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
def _explore(S: F64, P: F64, t: int) -> None:
    """`choice.epsilon_greedy`."""
    epsilon, decay, schedule = P[at.POLICY], P[at.POLICY + 1], P[at.POLICY + 2]
    _count(S, SCRATCH)
    if PRESENT:
        for i in range(LANES):
            S[SCRATCH + LANES + i] = _epsilon(epsilon, decay, schedule, S[NOW + i])
    else:
        now = _epsilon(epsilon, decay, schedule, float(t))
        for i in range(LANES):
            S[SCRATCH + LANES + i] = now
    for i in range(LANES):
        S[SCRATCH + i] = S[SCRATCH + LANES + i] / S[SCRATCH + i]
    for first in range(0, K, ABREAST):
        for i in range(LANES):
            share, most, best = S[SCRATCH + i], 1.0 - S[SCRATCH + LANES + i], S[BEST + i]
            for k in range(first, first + ABREAST):
                explored = share if _there(S, k, i) else 0.0
                S[TOTAL + k * LANES + i] = explored + (most if best == float(k) else 0.0)


@inner
def _soften(S: F64, P: F64) -> None:
    """`choice.softmax`."""
    temperature = P[at.POLICY]
    for i in range(LANES):
        S[SCRATCH + i] = S[SCORE + np.int64(S[BEST + i]) * LANES + i]
        S[SCRATCH + LANES + i] = 0.0
    for k in range(K):
        j = k * LANES
        for i in range(LANES):
            weight = exp((S[SCORE + j + i] - S[SCRATCH + i]) / temperature)
            S[TOTAL + j + i] = weight if _there(S, k, i) else 0.0
            S[SCRATCH + LANES + i] += S[TOTAL + j + i]
    for k in range(K):
        for i in range(LANES):
            S[TOTAL + k * LANES + i] /= S[SCRATCH + LANES + i]


@inner
def _weigh_gaps(S: F64, P: F64, t: int) -> None:
    """`gaps.inverse_gap`."""
    gamma, exponent = P[at.POLICY], P[at.POLICY + 1]
    _count(S, SCRATCH)
    for i in range(LANES):
        now = S[NOW + i] if PRESENT else float(t)
        S[SCRATCH + LANES + i] = S[SCORE + np.int64(S[BEST + i]) * LANES + i]
        S[SCRATCH + 2 * LANES + i] = 1.0
        S[SCRATCH + 3 * LANES + i] = gamma * exp(exponent * log(now + 1.0))
    for k in range(K):
        j, place = k * LANES, float(k)
        for i in range(LANES):
            gap = max(S[SCRATCH + LANES + i] - S[SCORE + j + i], 0.0)
            share = 1.0 / (S[SCRATCH + i] + S[SCRATCH + 3 * LANES + i] * gap)
            S[TOTAL + j + i] = share if _there(S, k, i) and S[BEST + i] != place else 0.0
            S[SCRATCH + 2 * LANES + i] -= S[TOTAL + j + i]
    for k in range(K):
        j, place = k * LANES, float(k)
        for i in range(LANES):
            S[TOTAL + j + i] = S[SCRATCH + 2 * LANES + i] if S[BEST + i] == place else S[TOTAL + j + i]


@inner
def _draw(S: F64, U: U64, t: int, seed: np.uint64, replicate: np.uint64) -> None:
    """`choice.draw`: the candidate at which the sum of the probabilities passes the uniform."""
    uniform, reached, last = SCRATCH, SCRATCH + 2 * LANES, SCRATCH + 3 * LANES
    draws.own_pairs(S, U, t, DECIDE << _16, seed, replicate, uniform)
    _fill(S, reached, 0.0)
    _fill(S, last, 0.0)
    _fill(S, CHOSEN, 0.0)
    for first in range(0, K, ABREAST):
        for i in range(LANES):
            total, chosen, positive = S[reached + i], S[CHOSEN + i], S[last + i]
            for k in range(first, first + ABREAST):
                share = S[TOTAL + k * LANES + i]
                total += share
                chosen += 1.0 if total <= S[uniform + i] else 0.0
                positive = float(k) if share > 0.0 else positive
            S[reached + i], S[CHOSEN + i], S[last + i] = total, chosen, positive
    for i in range(LANES):
        S[CHOSEN + i] = min(S[CHOSEN + i], S[last + i])
