"""What a tips world offers a tile of users in a round: the clock, tasks, LLM tips.

Each function names the one of `worlds/` or `kernels/tips.py` that it repeats, operation by operation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from oo_sim.contract import F64, U64
from oo_sim.kernels.compile import inner, lane
from oo_sim.kernels.elementary import normal_quantile
from oo_sim.kernels.encode import AGE_LIMIT, DAY_COS, DAY_SIN, HOUR_COS, HOUR_SIN
from oo_sim.kernels.philox import CLOCK as CLOCK_DRAW
from oo_sim.kernels.philox import COUNT, TASK, TIP, philox, unit32
from oo_sim.kernels.tile import numbers as at

from . import draws
from .plan import (
    ABOUT_TASK,
    AGE,
    AGED,
    ARRIVED,
    BACKLOG,
    BEGAN,
    CLOCK,
    COMES,
    COMES_AT,
    DATED,
    DAY,
    DONE,
    DRAWN,
    DUE,
    DUE_NORMAL,
    DUE_UNIFORM,
    LANES,
    LEVEL,
    LLM,
    MASK,
    N_TASKS,
    N_TIPS,
    NORMAL,
    OVERDUE,
    PLACES,
    SCRATCH,
    TASKS,
    TIME,
    TIPS,
    TIRED,
    TIRES,
    WALKS,
    WEEKDAYS,
    WEEKLY,
    WHOLE,
    K,
)

_16, _ONE = np.uint64(16), np.uint64(1)
_30TH = 0.03333333507180214  # 24 bits of 1 / 30, so that products with the whole numbers up to 30 are exact
_REST = -1.7384688059488933e-09  # of it
AT_ONCE = DUE_UNIFORM and not BACKLOG  # tasks have ages as soon as they are drawn
_FIRST: Any = np.int64(0)  # task: a plain 0 would compile `fresh_tasks` once more, for this number alone


@inner
def begin(S: F64, U: U64, P: F64, days: F64, cdf: F64, seed: np.uint64, replicate: np.uint64) -> None:
    """Before the first round: `worlds.tips._init`."""
    for k in range(K * LANES):
        S[LEVEL + k] = 0.0
        S[AGE + k] = 0.0
        S[AGED + k] = 0.0
        S[OVERDUE + k] = 0.0
    for i in range(LANES):
        S[BEGAN + i] = 0.0
        S[TIME + i] = 0.0
        S[DONE + i] = -1.0
        S[ARRIVED + i] = TASKS
        S[N_TASKS + i] = TASKS
        S[N_TIPS + i] = TIPS
    fresh_tasks(S, U, P, days, cdf, _FIRST, seed, replicate)
    if PLACES:
        place_tips(S)


@inner
def offer(S: F64, U: U64, P: F64, days: F64, cdf: F64, t: int, seed: np.uint64, replicate: np.uint64) -> None:
    """Round t: the first half of `worlds.tips._observe`."""
    if BACKLOG:
        _replace_done(S, U, P, days, cdf, seed, replicate)
    time = _walk(S, P, t) if WALKS else _draw_clock(S, U, P, t, seed, replicate)
    if BACKLOG:
        for i in range(LANES):
            if COMES:
                S[BEGAN + i] = time if S[COMES_AT + i] >= t else S[BEGAN + i]
            S[TIME + i] = time - S[BEGAN + i]
        _age_tasks(S)
    else:
        fresh_tasks(S, U, P, days, cdf, t * (TASKS + TASKS % 2), seed, replicate)
    if PLACES:
        _count_offers(S, U, P, t, seed, replicate)
        place_tips(S)
        if ABOUT_TASK:
            _copy_tasks(S, U, t, seed, replicate)


@inner
def _walk(S: F64, P: F64, t: int) -> Any:
    """`worlds.clock._walking`."""
    first, last, per_day = int(P[at.FROM_HOUR]), int(P[at.TO_HOUR]), int(P[at.PER_DAY])
    today, step = t // per_day, t % per_day
    hour = first + step * (last - first + 1) // per_day
    day = today % 7
    for i in range(LANES):
        S[CLOCK + i] = HOUR_SIN[hour]
        S[CLOCK + LANES + i] = HOUR_COS[hour]
        S[CLOCK + 2 * LANES + i] = DAY_SIN[day]
        S[CLOCK + 3 * LANES + i] = DAY_COS[day]
        S[DAY + i] = day
    return today + (hour - first) / 24.0


@inner
def _draw_clock(S: F64, U: U64, P: F64, t: int, seed: np.uint64, replicate: np.uint64) -> Any:
    """`worlds.clock._random`: instead of the hour, what stands in the tables for it, so that nothing is looked up."""
    draws.pairs(S, U, t, CLOCK_DRAW << _16, seed, replicate, SCRATCH)
    for i in range(LANES):
        u, sin, cos = S[SCRATCH + i], HOUR_SIN[0], HOUR_COS[0]
        for j in range(23):
            later = u >= P[at.HOURS + j]
            sin = HOUR_SIN[j + 1] if later else sin
            cos = HOUR_COS[j + 1] if later else cos
        S[CLOCK + i], S[CLOCK + LANES + i] = sin, cos
    if WEEKDAYS:
        for i in range(LANES):
            u, day, sin, cos = S[SCRATCH + LANES + i], 0.0, DAY_SIN[0], DAY_COS[0]
            for j in range(6):
                later = u >= P[at.DAYS + j]
                if WEEKLY:
                    day = j + 1.0 if later else day
                sin = DAY_SIN[j + 1] if later else sin
                cos = DAY_COS[j + 1] if later else cos
            S[DAY + i], S[CLOCK + 2 * LANES + i], S[CLOCK + 3 * LANES + i] = day, sin, cos
    return t / P[at.PER_DAY]


@lane
def _level(u: float, c1: float, c2: float, c3: float) -> float:
    """A task's priority, from 0, at a uniform: `tips.priority_at`."""
    return 0.0 + (u >= c1) + (u >= c2) + (u >= c3)


@lane
def _is_dated(u: float, c1: float, c2: float, c3: float, g0: float, g1: float, g2: float, g3: float) -> bool:
    """Whether the task has a due date: from where on, in each priority's share of the uniform."""
    return u >= (g3 if u >= c3 else g2 if u >= c2 else g1 if u >= c1 else g0)


@inner
def fresh_tasks(S: F64, U: U64, P: F64, days: F64, cdf: F64, first: int, seed: np.uint64, replicate: np.uint64) -> None:
    """`worlds.tips._draw_fresh_tasks`, and their ages where there is no backlog."""
    c = (P[at.PRIORITIES], P[at.PRIORITIES + 1], P[at.PRIORITIES + 2])
    g = _from_where(c, P[at.UNDATED])
    low, span = P[at.DUE_FIRST], P[at.DUE_SECOND] - P[at.DUE_FIRST]
    for pair in range((TASKS + 3) // 4):  # a block of draws makes two tasks
        draws.words(S[DRAWN + 8 * pair * LANES :], U, first // 2 + 2 * pair, TASK << _16, seed, replicate)
    for k in range(TASKS):
        j, drawn = k * LANES, 2 * k * LANES
        for i in range(LANES):
            u, v = S[DRAWN + drawn + i], S[DRAWN + LANES + drawn + i]
            S[LEVEL + j + i] = _level(u, c[0], c[1], c[2])
            is_dated, due = _is_dated(u, c[0], c[1], c[2], g[0], g[1], g[2], g[3]), low + span * v
            if AT_ONCE:
                S[OVERDUE + j + i], S[AGE + j + i], S[AGED + j + i] = _age(0.0 - due, is_dated)
            else:
                S[DATED + j + i], S[DUE + j + i] = 1.0 if is_dated else 0.0, due if DUE_UNIFORM else v
    if not DUE_UNIFORM:
        _turn_due(S, P, days, cdf)
    if not BACKLOG and not AT_ONCE:
        _age_tasks(S)


@lane
def _from_where(c: tuple[float, float, float], undated: float) -> tuple[float, float, float, float]:
    """From where on, in each priority's share of a uniform, tasks have a due date."""
    return (
        0.0 + (c[0] - 0.0) * undated,
        c[0] + (c[1] - c[0]) * undated,
        c[1] + (c[2] - c[1]) * undated,
        c[2] + (1.0 - c[2]) * undated,
    )


@inner
def _turn_due(S: F64, P: F64, days: F64, cdf: F64) -> None:
    """Uniforms into days until due, where those are not uniform."""
    if DUE_NORMAL:
        mean, sd = P[at.DUE_FIRST], P[at.DUE_SECOND]
        for k in range(TASKS):
            draws.normals(S, DUE + k * LANES, 1, NORMAL)
            for i in range(LANES):
                S[DUE + k * LANES + i] = mean + sd * S[NORMAL + i]
    else:
        for j in range(TASKS * LANES):
            S[DUE + j] = _picked(S[DUE + j], days, cdf)


@inner
def _picked(u: float, days: F64, cdf: F64) -> Any:
    drawn = 0
    for j in range(len(cdf) - 1):
        drawn += 1 if u >= cdf[j] else 0
    return days[drawn]


@inner
def _due(P: F64, days: F64, cdf: F64, u: float) -> Any:
    """Days until due from one uniform."""
    if DUE_UNIFORM:
        return P[at.DUE_FIRST] + (P[at.DUE_SECOND] - P[at.DUE_FIRST]) * u
    if DUE_NORMAL:
        return P[at.DUE_FIRST] + P[at.DUE_SECOND] * normal_quantile(u)
    return _picked(u, days, cdf)


@inner
def _age_tasks(S: F64) -> None:
    """`tips.age_tasks`, and how features and utilities see a task's age."""
    for k in range(TASKS):
        j = k * LANES
        for i in range(LANES):
            days = (S[TIME + i] if BACKLOG else 0.0) - S[DUE + j + i]
            S[OVERDUE + j + i], S[AGE + j + i], S[AGED + j + i] = _age(days, S[DATED + j + i] > 0.0)


@lane
def _age(days: float, is_dated: bool) -> Any:
    """Whether a task is overdue, its age in days, and that as the feature has it. Quotients by 30 take long: for the
    whole numbers up to 30, the two products' sum is the quotient to the bit."""
    days = np.floor(days) if WHOLE else days
    is_overdue = 1.0 if days > 0.0 else 0.0
    age = min(max(days, 0.0), AGE_LIMIT)
    aged = age * _30TH + age * _REST if WHOLE else age / AGE_LIMIT
    return is_overdue if is_dated else 0.0, age if is_dated else 0.0, aged if is_dated else 0.0


@inner
def _replace_done(S: F64, U: U64, P: F64, days: F64, cdf: F64, seed: np.uint64, replicate: np.uint64) -> None:
    """`worlds.tips._replace_done`."""
    c = (P[at.PRIORITIES], P[at.PRIORITIES + 1], P[at.PRIORITIES + 2])
    g = _from_where(c, P[at.UNDATED])
    for i in range(LANES):
        if S[DONE + i] >= 0.0:
            serial, j = np.uint64(S[ARRIVED + i]), np.int64(S[DONE + i]) * LANES + i
            w0, w1, w2, w3 = philox(U[i], U[LANES + i], serial >> _ONE, TASK << _16, seed, replicate)
            odd = (serial & _ONE) == _ONE
            u, v = unit32(w2 if odd else w0), unit32(w3 if odd else w1)
            S[LEVEL + j] = _level(u, c[0], c[1], c[2])
            S[DATED + j] = 1.0 if _is_dated(u, c[0], c[1], c[2], g[0], g[1], g[2], g[3]) else 0.0
            S[DUE + j] = S[TIME + i] + _due(P, days, cdf, v)
            if TIRES:
                S[TIRED + j] = 0.0
            S[ARRIVED + i] += 1.0
            S[DONE + i] = -1.0


@inner
def _count_offers(S: F64, U: U64, P: F64, t: int, seed: np.uint64, replicate: np.uint64) -> None:
    """How many tasks and tips are on offer: `worlds.tips._counts`."""
    draws.pairs(S, U, t, COUNT << _16, seed, replicate, SCRATCH)
    for i in range(LANES):
        S[N_TASKS + i] = P[at.LEAST_TASKS] + np.floor(S[SCRATCH + i] * P[at.TASK_COUNTS])
        S[N_TIPS + i] = P[at.LEAST_TIPS] + np.floor(S[SCRATCH + LANES + i] * P[at.TIP_COUNTS])


@inner
def place_tips(S: F64) -> None:
    """`tips.place_tips`, of tips with the default features."""
    for k in range(K):
        j, place = k * LANES, float(k)
        for i in range(LANES):
            beyond, there = place >= S[N_TASKS + i], place < S[N_TASKS + i] + S[N_TIPS + i]
            S[OVERDUE + j + i] = 0.0 if beyond else S[OVERDUE + j + i]
            S[AGE + j + i] = 0.0 if beyond else S[AGE + j + i]
            S[AGED + j + i] = 0.0 if beyond else S[AGED + j + i]
            S[LEVEL + j + i] = 0.0 if beyond else S[LEVEL + j + i]
            S[MASK + j + i] = 1.0 if there else 0.0
            S[LLM + j + i] = 1.0 if beyond and there else 0.0


@inner
def _copy_tasks(S: F64, U: U64, t: int, seed: np.uint64, replicate: np.uint64) -> None:
    """Give each tip the features of a task on offer, picked at random: the rest of `tips.place_tips`."""
    for block in range((TIPS + 1) // 2):
        draws.pairs(S, U, t, (TIP << _16) | np.uint64(block), seed, replicate, DRAWN + 2 * block * LANES)
    for i in range(LANES):
        tasks, tips = np.int64(S[N_TASKS + i]), np.int64(S[N_TIPS + i])
        for j in range(tips if tasks > 0 else 0):
            to, source = (tasks + j) * LANES + i, np.int64(S[DRAWN + j * LANES + i] * tasks) * LANES + i
            S[OVERDUE + to] = S[OVERDUE + source]
            S[AGE + to] = S[AGE + source]
            S[AGED + to] = S[AGED + source]
            S[LEVEL + to] = S[LEVEL + source]
