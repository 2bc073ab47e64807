"""How a tile's users are in a round: what they like, how it drifts, who is tired, who is there.

Each function names the one of `worlds/` or `kernels/tips.py` that it repeats, operation by operation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from oo_sim.contract import F64, U64
from oo_sim.kernels.compile import inner, scalar
from oo_sim.kernels.encode import AGE_LIMIT
from oo_sim.kernels.philox import DRIFT, PRESENCE
from oo_sim.kernels.tile import numbers as at
from oo_sim.kernels.tile.numbers import ABRUPT, KIND, NAMED, ON_DAYS, PERIODIC, TERMS, WALK, WHEN

from . import draws
from .plan import (
    ACTIVE,
    BACKLOG,
    BAD,
    BASE,
    CHANGES,
    CHOSEN,
    CHURNS,
    CLOCK,
    COMES,
    COMES_AT,
    CONCERNED,
    DAY,
    DONE,
    DRAWN,
    DRIFTS,
    GONE,
    HOURLY,
    LANES,
    LIKED,
    LLM,
    MOVED,
    NORMAL,
    NOVEL,
    NOW,
    PLACES,
    PRESENT,
    REACTION,
    SCRATCH,
    SLOPE,
    SOURCE,
    TARGET,
    TASKS,
    TASTE,
    TIRED,
    TIRES,
    WALKED,
    WANDERS,
)

_16, _DONE = np.uint64(16), 4.0


@inner
def begin(S: F64, P: F64, people: F64, first: int) -> None:
    """The users from `first` on, the last again where there are no more, before their first round. The rows of
    `people`: preferences (25), when they come, whom each change concerns and what it makes of preferences (26 each)."""
    n = people.shape[1]
    for i in range(LANES):
        user = min(first + i, n - 1)
        for p in range(TERMS):
            S[TASTE + p * LANES + i] = people[p, user]
        S[COMES_AT + i] = people[TERMS, user]
        S[GONE + i] = 0.0
        S[BAD + i] = 0.0
        S[ACTIVE + i] = 1.0
        if TIRES:
            for s in range(2):
                S[SOURCE + s * LANES + i] = 0.0
                S[NOVEL + s * LANES + i] = P[at.NOVELTY]
            for k in range(TASKS):
                S[TIRED + k * LANES + i] = 0.0
        if WANDERS:
            for p in range(TERMS):
                S[WALKED + p * LANES + i] = 0.0
        if DRIFTS:
            for j in range(CHANGES):
                row = TERMS + 1 + j * (TERMS + 1)
                S[CONCERNED + j * LANES + i] = people[row, user]
                for p in range(TERMS):
                    S[TARGET + (j * TERMS + p) * LANES + i] = people[row + 1 + p, user]
    if not HOURLY and not DRIFTS and not TIRES:
        _settle(S)


@inner
def observe(S: F64, changes: F64, t: int) -> None:
    """How they are in round t."""
    if DRIFTS and _moves(changes, t):
        _drift(S, changes, t)
    if HOURLY or DRIFTS or TIRES:
        _settle(S)
    if COMES:
        for i in range(LANES):
            S[ACTIVE + i] = 1.0 if S[COMES_AT + i] <= t and S[GONE + i] == 0.0 else 0.0
    elif CHURNS:
        for i in range(LANES):
            S[ACTIVE + i] = 1.0 if S[GONE + i] == 0.0 else 0.0


@inner
def _settle(S: F64) -> None:
    """The utility as a function of the candidate alone: `tips._at_this_hour`, and `worlds.fatigue.shifted`."""
    for i in range(LANES):
        S[BASE + i] = S[LIKED + i]
        S[SLOPE + i] = S[LIKED + 3 * LANES + i]
        S[SLOPE + LANES + i] = S[LIKED + 4 * LANES + i]
        S[SLOPE + 2 * LANES + i] = S[LIKED + 5 * LANES + i]
        S[SLOPE + 3 * LANES + i] = S[LIKED + 8 * LANES + i]
    if TIRES:
        for i in range(LANES):
            tasks, tips = S[NOVEL + i] - S[SOURCE + i], S[NOVEL + LANES + i] - S[SOURCE + LANES + i]
            S[BASE + i] += tasks
            S[SLOPE + 3 * LANES + i] += tips - tasks
    if HOURLY:
        for i in range(LANES):
            S[BASE + i] += S[CLOCK + i] * S[LIKED + LANES + i]
            S[BASE + i] += S[CLOCK + LANES + i] * S[LIKED + 2 * LANES + i]
            S[BASE + i] += S[CLOCK + 2 * LANES + i] * S[LIKED + 6 * LANES + i]
            S[BASE + i] += S[CLOCK + 3 * LANES + i] * S[LIKED + 7 * LANES + i]
        for a in range(4):
            for i in range(LANES):
                S[SLOPE + a * LANES + i] += S[CLOCK + i] * S[LIKED + (9 + a) * LANES + i]
                S[SLOPE + a * LANES + i] += S[CLOCK + LANES + i] * S[LIKED + (13 + a) * LANES + i]
                S[SLOPE + a * LANES + i] += S[CLOCK + 2 * LANES + i] * S[LIKED + (17 + a) * LANES + i]
                S[SLOPE + a * LANES + i] += S[CLOCK + 3 * LANES + i] * S[LIKED + (21 + a) * LANES + i]
    for i in range(LANES):
        S[SLOPE + LANES + i] /= AGE_LIMIT
        S[SLOPE + 2 * LANES + i] /= 3.0


@scalar
def _way(change: F64, t: int) -> Any:
    """How far an abrupt or gradual change has come: `worlds.drift._weight`."""
    if change[KIND] == ABRUPT:
        return 1.0 if t >= change[WHEN] else 0.0
    return min(max((t - change[WHEN]) / (change[WHEN + 1] - change[WHEN]), 0.0), 1.0)


@inner
def _moves(changes: F64, t: int) -> Any:
    """Whether preferences are others than in the round before."""
    for j in range(CHANGES):
        kind = changes[j, KIND]
        if kind >= PERIODIC or t == 0 or _way(changes[j], t) != _way(changes[j], t - 1):
            return True
    return False


@inner
def _drift(S: F64, changes: F64, t: int) -> None:
    """`worlds.drift.coefficients_at`."""
    for p in range(TERMS * LANES):
        S[MOVED + p] = S[TASTE + p]
    for j in range(CHANGES):
        change, concerned = changes[j], CONCERNED + j * LANES
        if change[KIND] == WALK:
            continue
        if change[KIND] == PERIODIC:
            for i in range(LANES):
                S[SCRATCH + i] = change[ON_DAYS + np.int64(S[DAY + i])] * S[concerned + i]
        else:
            way = _way(change, t)
            for i in range(LANES):
                S[SCRATCH + i] = way * S[concerned + i]
        for p in range(TERMS):
            if change[NAMED + p] > 0.0:
                _blend(S, MOVED + p * LANES, TARGET + (j * TERMS + p) * LANES)
    if WANDERS:
        for p in range(TERMS * LANES):
            S[MOVED + p] += S[WALKED + p]


@inner
def _blend(S: F64, now: int, target: int) -> None:
    for i in range(LANES):
        moved = S[now + i] + (S[target + i] - S[now + i]) * S[SCRATCH + i]
        S[now + i] = S[target + i] if S[SCRATCH + i] >= 1.0 else moved


@inner
def advance(S: F64, U: U64, P: F64, changes: F64, t: int, seed: np.uint64, replicate: np.uint64) -> None:
    """What follows from round t: the rest of `worlds.tips._respond`, and `worlds.dynamics.advance`."""
    if PRESENT:
        for i in range(LANES):
            S[NOW + i] += S[ACTIVE + i]
    if BACKLOG:
        for i in range(LANES):
            done = S[REACTION + i] == _DONE and S[CHOSEN + i] < TASKS and S[ACTIVE + i] > 0.0
            S[DONE + i] = S[CHOSEN + i] if done else -1.0
    if TIRES:
        _tire(S, P)
    if CHURNS:
        _leave(S, U, P, t, seed, replicate)
    if WANDERS:
        for j in range(CHANGES):
            if changes[j, KIND] == WALK:
                _wander(S, U, changes[j], j, t + 1, seed, replicate)


@inner
def _tire(S: F64, P: F64) -> None:
    """`worlds.fatigue.tire`, then `recover`."""
    task, source, recovers, wears = P[at.TIRE_TASK], P[at.TIRE_SOURCE], P[at.RECOVERS], P[at.WEARS]
    for i in range(LANES):
        if S[ACTIVE + i] > 0.0:
            chosen = np.int64(S[CHOSEN + i])
            s = np.int64(S[LLM + chosen * LANES + i] if PLACES else (1.0 if chosen >= TASKS else 0.0))
            S[SOURCE + s * LANES + i] += source
            S[NOVEL + s * LANES + i] *= wears
            if chosen < TASKS:
                S[TIRED + chosen * LANES + i] += task
    for i in range(2 * LANES):
        S[SOURCE + i] *= recovers
    for j in range(TASKS * LANES):
        S[TIRED + j] *= recovers


@inner
def _leave(S: F64, U: U64, P: F64, t: int, seed: np.uint64, replicate: np.uint64) -> None:
    """`worlds.dynamics.leave`."""
    hazard, enough = P[at.HAZARD], P[at.ENOUGH]
    draws.pairs(S, U, t, PRESENCE << _16, seed, replicate, SCRATCH)
    for i in range(LANES):
        there = S[ACTIVE + i] > 0.0
        S[BAD + i] += 1.0 if there and S[REACTION + i] < 2.0 else 0.0
        leaves = S[SCRATCH + i] < hazard or S[BAD + i] >= enough
        S[GONE + i] = 1.0 if there and leaves else S[GONE + i]


@inner
def _wander(S: F64, U: U64, change: F64, j: int, t: int, seed: np.uint64, replicate: np.uint64) -> None:
    """A random walk's step into round t: `worlds.drift.walk`."""
    low, high = int(change[WHEN]), int(change[WHEN + 1])
    first = j * TERMS + low
    skipped = first % 2
    for block in range((high - low + skipped + 1) // 2):
        address = (DRIFT << _16) | np.uint64(first // 2 + block)
        draws.pairs(S, U, t, address, seed, replicate, DRAWN + 2 * block * LANES)
    draws.normals(S, DRAWN + skipped * LANES, high - low, NORMAL)
    for p in range(low, high):
        walked, sd, z = WALKED + p * LANES, TARGET + (j * TERMS + p) * LANES, NORMAL + (p - low) * LANES
        for i in range(LANES):
            step = S[sd + i] * S[z + i]
            S[walked + i] += step * S[CONCERNED + j * LANES + i]
