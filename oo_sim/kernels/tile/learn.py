"""What a policy on a tile makes of a reward.

Each function names the kernel in `ridge.py` or `weighted.py`, or the policy, that it repeats, operation by operation.
"""

from __future__ import annotations

from oo_sim.contract import F64
from oo_sim.kernels.compile import inner
from oo_sim.kernels.tile import numbers as at
from oo_sim.kernels.weighted import NEWTON_STEPS, logistic, newton

from . import wide
from .plan import (
    DECIDED,
    GOT,
    LANES,
    LATE,
    LEARNED,
    LEARNS_LAPLACE,
    LEARNS_RESTART,
    NOW,
    PRESENT,
    SCRATCH,
    STATE,
    WIDE,
    D,
    V,
    X,
    added,
    learned,
    multiplied,
)

_SIZE = D + D * (D + 1) // 2


@inner
def learn(S: F64, P: F64, start: F64, t: int, ticks: bool) -> None:
    """Learn the reward GOT, of the features in X, where it is LEARNED; `ticks` in the one call a round in which time
    moves on."""
    if LEARNS_RESTART:
        _restart(S, int(P[at.PERIOD]), start, t, ticks)
    if LEARNS_LAPLACE:
        _learn_laplace(S)
    elif WIDE:
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
