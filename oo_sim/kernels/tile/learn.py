"""What a policy on a tile makes of a reward.

Each function names the kernel in `ridge.py` or `weighted.py`, or the policy, that it repeats, operation by operation.
"""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64, U64
from oo_sim.kernels.compile import inner
from oo_sim.kernels.elementary import exp
from oo_sim.kernels.philox import UPDATE
from oo_sim.kernels.tile import numbers as at
from oo_sim.kernels.weighted import NEWTON_STEPS, logistic, newton

from . import draws, forget, wide
from .plan import (
    DECIDED,
    DRAWN,
    GOT,
    KEPT,
    LANES,
    LATE,
    LEARNED,
    LEARNS_BOOTSTRAP,
    LEARNS_DISCOUNTED,
    LEARNS_LAPLACE,
    LEARNS_RESTART,
    LEARNS_RIDGE_BY_KIND,
    LEARNS_WIDE,
    LEARNS_WINDOW,
    MODEL_ROWS,
    NOW,
    PRESENT,
    REPLICATES,
    SCRATCH,
    STATE,
    WIDE,
    WINDOW,
    D,
    V,
    X,
    added,
    counted,
    entered,
    learned,
    left,
    multiplied,
    weighted,
)

_SIZE = D + D * (D + 1) // 2


@inner
def learn(S: F64, U: U64, P: F64, start: F64, t: int, ticks: bool, seed: np.uint64, replicate: np.uint64) -> None:
    """Learn the reward GOT, of the features in X, where it is LEARNED; `ticks` in the one call a round in which time
    moves on."""
    if LEARNS_RESTART:
        _restart(S, int(P[at.PERIOD]), start, t, ticks)
    if LEARNS_RIDGE_BY_KIND:
        wide.pair(S)
    if LEARNS_LAPLACE:
        _learn_laplace(S)
    elif LEARNS_BOOTSTRAP:
        _learn_twice_or_not(S, U, t, seed, replicate)
    elif LEARNS_DISCOUNTED:
        _learn_discounted(S, P, t, ticks)
    elif LEARNS_WINDOW:
        _learn_window(S, t, ticks)
    elif LEARNS_WIDE:
        wide.learn(S)
    else:
        for i in range(LANES):
            learned(S, i)


@inner
def _restart(S: F64, period: int, start: F64, t: int, ticks: bool) -> None:
    """Start afresh where the next decision is of another epoch, and learn of no decision before: `restart_linucb`."""
    for i in range(LANES):
        now = int(S[NOW + i]) if PRESENT else t
        decided = int(S[DECIDED + i]) if LATE else now
        epoch = (now + 1) // period
        if ticks and epoch != S[STATE + _SIZE * LANES + i]:
            for p in range(_SIZE):
                S[STATE + p * LANES + i] = start[p]
            S[STATE + _SIZE * LANES + i] = epoch
        if decided // period != S[STATE + _SIZE * LANES + i]:
            S[LEARNED + i] = 0.0


@inner
def _learn_twice_or_not(S: F64, U: U64, t: int, seed: np.uint64, replicate: np.uint64) -> None:
    """Each of the models counts the reward twice or not at all: `bootstrap_ts`."""
    for block in range((REPLICATES + 1) // 2):
        address, to = (UPDATE << np.uint64(16)) | np.uint64(block), DRAWN + 2 * block * LANES
        if LATE:
            draws.pairs_at(S, U, DECIDED, address, seed, replicate, to)
        else:
            draws.own_pairs(S, U, t, address, seed, replicate, to)
    for j in range(REPLICATES):
        model = j * MODEL_ROWS * LANES
        for i in range(LANES):
            twice = S[DRAWN + j * LANES + i] < 0.5 and S[LEARNED + i] > 0.0
            weighted(S, model, 2.0 if twice else 0.0, i)


@inner
def _learn_discounted(S: F64, P: F64, t: int, ticks: bool) -> None:
    """What was learned ages, and the reward counts as if it had aged since its decision: `dlinucb`."""
    gamma, log_gamma, size = P[at.POLICY + 1], P[at.POLICY + 2], D * (D + 1) // 2 * LANES
    if ticks:
        for j in range(size):
            S[STATE + j] *= gamma
            S[STATE + size + j] *= gamma * gamma
        for j in range(D * LANES):
            S[STATE + 2 * size + j] *= gamma
    for i in range(LANES):
        now = S[NOW + i] if PRESENT else float(t)
        weight = exp(log_gamma * (now - (S[DECIDED + i] if LATE else now)))
        weight = weight if S[LEARNED + i] > 0.0 else 0.0
        scale = weight * S[GOT + i] if S[LEARNED + i] > 0.0 else 0.0
        if WIDE:
            S[SCRATCH + i], S[SCRATCH + LANES + i] = weight, scale
        else:
            counted(S, weight, scale, i)
    if WIDE:
        forget.count(S, X, SCRATCH, SCRATCH + LANES)


@inner
def _learn_window(S: F64, t: int, ticks: bool) -> None:
    """The oldest decision leaves as time moves on, and a new one takes its own slot: `swlinucb`."""
    slot, limit = SCRATCH, SCRATCH + LANES
    if ticks:
        for i in range(LANES):
            now = int(S[NOW + i]) if PRESENT else t
            S[slot + i], S[limit + i] = now % WINDOW, now - WINDOW
        _leave(S, slot, limit)
    for i in range(LANES):
        now = int(S[NOW + i]) if PRESENT else t
        decided = int(S[DECIDED + i]) if LATE else now
        S[LEARNED + i] = S[LEARNED + i] if now - decided < WINDOW else 0.0
        S[slot + i], S[limit + i] = decided % WINDOW, decided if S[LEARNED + i] > 0.0 else -1.0
    _leave(S, slot, limit)
    for i in range(LANES):
        if S[LEARNED + i] > 0.0:
            at_slot = KEPT + np.int64(S[slot + i]) * (D + 2) * LANES + i
            for a in range(D):
                S[at_slot + a * LANES] = S[X + a * LANES + i]
            S[at_slot + D * LANES] = S[GOT + i]
            S[at_slot + (D + 1) * LANES] = S[DECIDED + i] if LATE else (S[NOW + i] if PRESENT else float(t))
    for i in range(LANES):
        weight, scale = (1.0, S[GOT + i]) if S[LEARNED + i] > 0.0 else (0.0, 0.0)
        if WIDE:
            S[slot + i], S[limit + i] = weight, scale
        else:
            entered(S, weight, scale, i)
    if WIDE:
        forget.count(S, X, slot, limit)


@inner
def _leave(S: F64, slot: int, limit: int) -> None:
    """Empty slots that hold a decision up to a number, and take it off the sums: `window.leave`."""
    weight, scale = SCRATCH + 2 * LANES, SCRATCH + 3 * LANES
    for i in range(LANES):
        at_slot = KEPT + np.int64(S[slot + i]) * (D + 2) * LANES + i
        number = S[at_slot + (D + 1) * LANES]
        gone = number >= 0.0 and number <= S[limit + i]
        S[at_slot + (D + 1) * LANES] = -1.0 if gone else number
        S[weight + i] = -1.0 if gone else 0.0
        for a in range(D):
            S[V + a * LANES + i] = S[at_slot + a * LANES]
        S[scale + i] = S[at_slot + D * LANES] * S[weight + i]
    if WIDE:
        forget.count(S, V, weight, scale)
    else:
        for i in range(LANES):
            left(S, S[weight + i], S[scale + i], i)


@inner
def _learn_laplace(S: F64) -> None:
    """`weighted.laplace_update` of the share (reward + 1) / 2 of a success."""
    first, spread, u, target = SCRATCH, SCRATCH + LANES, SCRATCH + 2 * LANES, SCRATCH + 3 * LANES
    if WIDE:
        wide.times_inverse(S)
    else:
        for i in range(LANES):
            multiplied(S, i)
    for i in range(LANES):
        S[first + i] = 0.0
        S[spread + i] = 0.0
        S[u + i] = 0.0
        S[target + i] = min(max((S[GOT + i] + 1.0) / 2.0, 0.0), 1.0)
    for a in range(D):
        for i in range(LANES):
            S[first + i] += S[X + a * LANES + i] * S[STATE + a * LANES + i]
            S[spread + i] += S[X + a * LANES + i] * S[V + a * LANES + i]
    for _ in range(NEWTON_STEPS):
        for i in range(LANES):
            S[u + i] = newton(S[u + i], S[first + i], S[spread + i], S[target + i])
    for i in range(LANES):
        p = logistic(S[u + i])
        curvature = p * (1.0 - p) if S[LEARNED + i] > 0.0 else 0.0
        S[first + i] = S[target + i] - p if S[LEARNED + i] > 0.0 else 0.0
        S[spread + i] = curvature / (1.0 + curvature * S[spread + i])
    if WIDE:
        wide.add(S, spread, first)
    else:
        for i in range(LANES):
            added(S, i, S[spread + i], S[first + i])
