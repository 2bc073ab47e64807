"""Rewards that come late or go missing, on a tile: `engine.feedback.Delayed`, with lists in place of a scan.

A ring of window + 1 rounds keeps each decision's features, reward and number. Its reward is on the list of the round
that it is due in, newest first; a slot whose reward is still awaited when it is needed again has expired.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from oo_sim.contract import F64, I64, U64
from oo_sim.kernels.compile import inner, lane
from oo_sim.kernels.elementary import exp, log
from oo_sim.kernels.philox import FEEDBACK
from oo_sim.kernels.tile import numbers as at

from . import draws
from .plan import (
    ACTIVE,
    ANSWERED,
    CHOSEN,
    DECIDED,
    GOT,
    HEARD,
    LANES,
    LATE_GEOMETRIC,
    LATE_LOGNORMAL,
    LATE_UNIFORM,
    LEARNED,
    LLM,
    NORMAL,
    NOW,
    PLACES,
    PRESENT,
    REACTION,
    SCRATCH,
    TASKS,
    VECTORS,
    D,
    X,
)

NEXT, HEAD, AWAITED, ORDER, FIELDS = range(5)
"""Of each slot and lane: the next on the list that it is on, the first on the list of its round, whether its reward is
awaited, and what arrives, in order."""
ARRIVED, EXPIRED, NEVER, PENDING = range(4)
_16, _NOBODY, _NONE = np.uint64(16), np.int64(-1), np.int64(0)


@inner
def begin(links: I64, fates: I64) -> None:
    """Nothing is on its way."""
    links[:] = _NONE
    W = len(links) // (FIELDS * LANES)
    for j in range(W * LANES):
        links[HEAD * W * LANES + j] = _NOBODY
    fates[:] = _NONE


@inner
def count_pending(links: I64, fates: I64, live: int) -> None:
    """How many rewards of the first `live` lanes are on their way already."""
    size = len(links) // FIELDS
    for j in range(size):
        if j % LANES < live:
            fates[PENDING] += links[AWAITED * size + j]


@inner
def settle(
    S: F64,
    U: U64,
    P: F64,
    ring: F64,
    links: I64,
    many: I64,
    fates: I64,
    live: int,
    t: int,
    seed: np.uint64,
    replicate: np.uint64,
) -> int:
    """Put the round's decisions into the ring, and find what arrives: `many` (64,) in each lane. Returns the most.
    The first `live` lanes count in `fates`: arrived, expired and never of this round, and pending in all."""
    window = int(P[at.WINDOW])
    W = window + 1
    slot, size = t % W, W * LANES
    _report(S, U, P, t, seed, replicate)
    kept = ring[slot * (D + 2) * LANES : (slot + 1) * (D + 2) * LANES]
    for j in range(D * LANES):
        kept[j] = S[X + j]
    for i in range(LANES):
        kept[D * LANES + i] = S[GOT + i]
        kept[(D + 1) * LANES + i] = S[NOW + i] if PRESENT else float(t)
    fates[ARRIVED], fates[EXPIRED], fates[NEVER], most = 0, 0, 0, 0
    for i in range(LANES):
        counts, here = (1 if i < live else 0), slot * LANES + i
        fates[EXPIRED] += counts * links[AWAITED * size + here]
        reported = S[HEARD + i] > 0.0
        links[AWAITED * size + here] = 1 if reported else 0
        if reported:
            fates[PENDING] += counts
            if S[SCRATCH + 2 * LANES + i] <= window:
                due = HEAD * size + (t + np.int64(S[SCRATCH + 2 * LANES + i])) % W * LANES + i
                links[NEXT * size + here], links[due] = links[due], slot
        elif not PRESENT or S[ACTIVE + i] > 0.0:
            fates[NEVER] += counts
        many[i] = _arrive(links, size, slot, i)
        fates[ARRIVED] += counts * many[i]
        most = max(most, many[i])
    fates[PENDING] -= fates[ARRIVED] + fates[EXPIRED]
    return most


@inner
def _arrive(links: I64, size: int, slot: int, i: int) -> Any:
    """How many rewards arrive in the lane, and from which slots, oldest first: lists have the newest first."""
    count, where = 0, links[HEAD * size + slot * LANES + i]
    while where >= 0:
        links[ORDER * size + count * LANES + i] = where
        links[AWAITED * size + where * LANES + i] = 0
        where = links[NEXT * size + where * LANES + i]
        count += 1
    links[HEAD * size + slot * LANES + i] = _NOBODY
    for j in range(count // 2):
        one, two = ORDER * size + j * LANES + i, ORDER * size + (count - 1 - j) * LANES + i
        links[one], links[two] = links[two], links[one]
    return count


@inner
def _report(S: F64, U: U64, P: F64, t: int, seed: np.uint64, replicate: np.uint64) -> None:
    """Whether the reaction is reported, in HEARD, and how many rounds later, in the third row of SCRATCH."""
    draws.own_pairs(S, U, t, FEEDBACK << _16, seed, replicate, SCRATCH)
    if LATE_LOGNORMAL:
        draws.normals(S, SCRATCH, 1, NORMAL)
    first, second, missing = P[at.DELAY], P[at.DELAY + 1], P[at.MISSING]
    log_stay = log(first / (1.0 + first)) if LATE_GEOMETRIC else 0.0
    for i in range(LANES):
        S[SCRATCH + 2 * LANES + i] = _delay(S[SCRATCH + i], S[NORMAL + i], first, second, log_stay)
    for i in range(LANES):
        chosen, reaction = np.int64(S[CHOSEN + i]), np.int64(S[REACTION + i])
        if VECTORS:
            source, by_reaction = _NONE, 0.0
        else:
            source = np.int64(S[LLM + chosen * LANES + i]) if PLACES else np.int64(chosen >= TASKS)
            by_reaction = P[at.MISSING_BY_REACTION + reaction]
        reported = (1.0 - missing) * (1.0 - by_reaction) * (1.0 - P[at.MISSING_BY_SOURCE + source])
        heard = S[ANSWERED + i] > 0.0 and S[SCRATCH + LANES + i] >= 1.0 - reported
        if PRESENT:
            heard = heard and S[ACTIVE + i] > 0.0
        S[HEARD + i] = 1.0 if heard else 0.0


@lane
def _delay(u: float, z: float, first: float, second: float, log_stay: float) -> Any:
    """`pending.geometric_delays` and its like."""
    if LATE_GEOMETRIC:
        return np.trunc(log(1.0 - u) / log_stay)
    if LATE_LOGNORMAL:
        return np.trunc(min(first * exp(second * z), 1e9))
    if LATE_UNIFORM:
        return first + np.trunc(u * (second - first + 1.0))
    return 0.0


@inner
def collect(S: F64, ring: F64, links: I64, many: I64, step: int) -> None:
    """The step-th arrival of each lane: its features, reward and decision, and whether there is one."""
    first = ORDER * (len(links) // FIELDS) + step * LANES
    for i in range(LANES):
        on = step < many[i]
        kept = (links[first + i] if on else _NONE) * (D + 2) * LANES + i
        for a in range(D):
            S[X + a * LANES + i] = ring[kept + a * LANES] if on else 0.0
        S[GOT + i] = ring[kept + D * LANES] if on else 0.0
        S[DECIDED + i] = ring[kept + (D + 1) * LANES]
        S[LEARNED + i] = 1.0 if on else 0.0
