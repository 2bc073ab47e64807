"""What the tips world does with a tile of 64 users: clock, tasks, tips, truth, reactions, and all that changes.

Rows and formulas as in `tile_policy`; each function names the one of `worlds/` or `kernels/tips.py` that it repeats.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from oo_sim.contract import F64, I64, NO_REACTION, U64, Bool
from oo_sim.kernels.compile import inner, scalar
from oo_sim.kernels.elementary import exp_within, normal_quantile
from oo_sim.kernels.encode import AGE_LIMIT, DAY_COS, DAY_SIN, HOUR_COS, HOUR_SIN
from oo_sim.kernels.philox import CLOCK, COUNT, DRIFT, PRESENCE, REACTION, TASK, TIP, philox, unit32
from oo_sim.kernels.tile_policy import LANES, normal_rows, pairs, uniform_rows, words
from oo_sim.kernels.tips import LARGEST_UTILITY, priority_at, priority_of, reward_at

TERMS = 25
UNIFORM, NORMAL, WEIGHTS = range(3)
ABRUPT, GRADUAL, PERIODIC, WALK = range(4)
_16, _ONE = np.uint64(16), np.uint64(1)
_DONE = 4.0
_MARGIN = 1e-14
"""More than twice the error of `reward_at`: below 3e-15, from an exponential good to 1e-15 and a dozen roundings."""

# Rows of a tile's own numbers.
(HOUR, DAY, BASE, SLOPE, N_TASKS, N_TIPS, BEGAN, TIME, SCRATCH, DONE, ARRIVED) = (
    4,
    5,
    6,
    7,
    11,
    12,
    13,
    14,
    15,
    19,
    20,
)
(ACTIVE, GONE, BAD, COMES, SOURCE, NOVELTY, TOP, OWN_ROWS) = (21, 22, 23, 24, 25, 27, 29, 31)


class TipsTile(NamedTuple):
    """What a scenario says and who its n users are, as numbers and arrays: all that a tile needs of a tips world."""

    tasks: int
    tips: int
    walk: bool  # the clock walks through the week
    hours: F64  # (24,) and (7,), cumulative, where it does not
    days: F64
    from_hour: int
    to_hour: int
    per_day: int
    backlog: bool
    whole: bool
    priorities: F64
    undated: float
    due: int  # UNIFORM, NORMAL or WEIGHTS
    due_first: float  # low, or mean
    due_second: float  # high, or sd
    due_days: F64
    due_cdf: F64
    places: bool  # tips are placed anew in every round
    about_task: bool
    task_range: tuple[int, int]  # the least, and how many different numbers there are
    tip_range: tuple[int, int]
    used: Bool  # (25,)
    cuts: F64  # (4,)
    answers: float
    silence: float
    coefficients: F64  # (25, n)
    drift: I64  # (J,), the kind of each
    drift_at: F64  # (J, 2), when, or the rows that walk
    drift_days: Bool  # (J, 7)
    drift_named: Bool  # (J, 25)
    concerned: F64  # (J, n), 1 or 0
    target: F64  # (J, 25, n)
    tires: bool
    tire: F64  # (5,): task, source, what is kept of them a round, novelty, what is kept of it a showing
    present: bool  # users come or go
    comes: I64  # (n,)
    churns: bool
    hazard: float
    enough: float  # bad reactions


class Rows(NamedTuple):
    """A tile's memory: flat, rows of `LANES`."""

    low: U64  # the two halves of the users' hashes
    high: U64
    own: F64  # (OWN_ROWS)
    overdue: F64  # (K) and so on
    age: F64
    priority: F64
    is_llm: F64
    mask: F64
    utility: F64
    expected: F64
    due: F64  # (tasks)
    dated: F64
    tired: F64
    start: F64  # (25)
    now: F64
    walked: F64
    concerned: F64  # (J)
    target: F64  # (J 25)
    uniform: F64  # scratch
    other: F64


@inner
def rows(K: int, tasks: int, changes: int, scratch: int, d: int) -> Rows:
    """Memory for tiles that offer K candidates; d, where the world is linear."""
    k, m = K * LANES, tasks * LANES
    return Rows(
        np.empty(LANES, np.uint64),
        np.empty(LANES, np.uint64),
        np.zeros(OWN_ROWS * LANES),
        np.zeros(k),
        np.zeros(k),
        np.zeros(k),
        np.zeros(k),
        np.zeros(k),
        np.zeros(k),
        np.zeros(k),
        np.zeros(m),
        np.zeros(m),
        np.zeros(m),
        np.zeros(max(TERMS, d) * LANES),
        np.zeros(TERMS * LANES),
        np.zeros(TERMS * LANES),
        np.zeros(changes * LANES),
        np.zeros(changes * TERMS * LANES),
        np.zeros(scratch * LANES),
        np.zeros(scratch * LANES),
    )


@inner
def begin(w: TipsTile, r: Rows, first: int, n: int, seed: np.uint64, replicate: np.uint64) -> None:
    """The users from `first` on, the last of the n again where there are no more: as `worlds.tips._init`."""
    own = r.own
    own[:] = 0.0
    r.tired[:] = 0.0
    r.walked[:] = 0.0
    for i in range(LANES):
        user = min(first + i, n - 1)
        own[DONE * LANES + i] = -1.0
        own[ARRIVED * LANES + i] = w.tasks
        own[COMES * LANES + i] = w.comes[user] if w.present else 0
        for p in range(TERMS):
            r.start[p * LANES + i] = w.coefficients[p, user]
            r.now[p * LANES + i] = w.coefficients[p, user]
        for s in range(2):
            own[(NOVELTY + s) * LANES + i] = w.tire[3]
        for j in range(len(w.drift)):
            r.concerned[j * LANES + i] = w.concerned[j, user]
            for p in range(TERMS):
                r.target[(j * TERMS + p) * LANES + i] = w.target[j, p, user]
    fresh_tasks(w, r, 0, seed, replicate)
    for i in range(LANES):
        own[N_TASKS * LANES + i] = w.tasks
        own[N_TIPS * LANES + i] = w.tips
    place_tips(w, r)


@inner
def fresh_tasks(w: TipsTile, r: Rows, first: int, seed: np.uint64, replicate: np.uint64) -> None:
    """`worlds.tips._draw_fresh_tasks`."""
    c1, c2, c3 = w.priorities[0], w.priorities[1], w.priorities[2]
    for k in range(w.tasks):
        at, drawn = k * LANES, (k % 2) * 2 * LANES
        if k % 2 == 0:
            words(r.low, r.high, np.uint64((first + k) // 2), TASK << _16, seed, replicate, r.uniform)
        for i in range(LANES):
            r.priority[at + i], r.dated[at + i] = priority_at(r.uniform[drawn + i], c1, c2, c3, w.undated)
        for i in range(LANES):
            r.due[at + i] = r.uniform[drawn + LANES + i]
    m = w.tasks * LANES
    if w.due == UNIFORM:
        for j in range(m):
            r.due[j] = w.due_first + (w.due_second - w.due_first) * r.due[j]
    elif w.due == NORMAL:
        normal_rows(r.due, 0, w.tasks, r.other)
        for j in range(m):
            r.due[j] = w.due_first + w.due_second * r.other[j]
    else:
        for j in range(m):
            r.due[j] = _due(w, r.due[j])


@inner
def _due(w: TipsTile, u: float) -> Any:
    """Days until due from one uniform."""
    if w.due == UNIFORM:
        return w.due_first + (w.due_second - w.due_first) * u
    if w.due == NORMAL:
        return w.due_first + w.due_second * normal_quantile(u)
    drawn = 0
    for j in range(len(w.due_cdf) - 1):
        drawn += 1 if u >= w.due_cdf[j] else 0
    return w.due_days[drawn]


@inner
def replace_done(w: TipsTile, r: Rows, seed: np.uint64, replicate: np.uint64) -> None:
    """`worlds.tips._replace_done`."""
    own = r.own
    for i in range(LANES):
        if own[DONE * LANES + i] >= 0.0:
            serial = np.uint64(own[ARRIVED * LANES + i])
            at = np.int64(own[DONE * LANES + i]) * LANES + i
            w0, w1, w2, w3 = philox(r.low[i], r.high[i], serial >> _ONE, TASK << _16, seed, replicate)
            odd = (serial & _ONE) == _ONE
            priority, dated = priority_of(
                w2 if odd else w0, w.priorities[0], w.priorities[1], w.priorities[2], w.undated
            )
            r.priority[at], r.dated[at] = priority, dated
            r.due[at] = own[TIME * LANES + i] + _due(w, unit32(w3 if odd else w1))
            r.tired[at] = 0.0
            own[ARRIVED * LANES + i] += 1.0
            own[DONE * LANES + i] = -1.0


@inner
def tick(w: TipsTile, r: Rows, t: int, own_t: I64, seed: np.uint64, replicate: np.uint64) -> float:
    """`worlds.clock`; `own_t` is memory of one row, left at `t`."""
    own = r.own
    for i in range(LANES):
        own_t[i] = t
    if w.walk:
        today, step = t // w.per_day, t % w.per_day
        hour = w.from_hour + step * (w.to_hour - w.from_hour + 1) // w.per_day
        for i in range(LANES):
            own[HOUR * LANES + i] = hour
            own[DAY * LANES + i] = today % 7
        time = today + (hour - w.from_hour) / 24.0
    else:
        pairs(r.low, r.high, own_t, CLOCK << _16, seed, replicate, r.uniform)
        for i in range(LANES):
            own[HOUR * LANES + i] = 0.0
            own[DAY * LANES + i] = 0.0
        for j in range(23):
            for i in range(LANES):
                own[HOUR * LANES + i] += 1.0 if r.uniform[i] >= w.hours[j] else 0.0
        for j in range(6):
            for i in range(LANES):
                own[DAY * LANES + i] += 1.0 if r.uniform[LANES + i] >= w.days[j] else 0.0
        time = t / w.per_day
    for i in range(LANES):
        now, day = np.int64(own[HOUR * LANES + i]), np.int64(own[DAY * LANES + i])
        own[i] = HOUR_SIN[now]
        own[LANES + i] = HOUR_COS[now]
        own[2 * LANES + i] = DAY_SIN[day]
        own[3 * LANES + i] = DAY_COS[day]
    return time


@inner
def age_tasks(w: TipsTile, r: Rows) -> None:
    """`kernels.tips.age_tasks`."""
    for k in range(w.tasks):
        at = k * LANES
        for i in range(LANES):
            days = r.own[TIME * LANES + i] - r.due[at + i]
            days = np.floor(days) if w.whole else days
            days = days if r.dated[at + i] > 0.0 else 0.0
            r.age[at + i] = days
            r.overdue[at + i] = 1.0 if days > 0.0 else 0.0


@inner
def count_offers(w: TipsTile, r: Rows, t: I64, seed: np.uint64, replicate: np.uint64) -> None:
    """How many tasks and tips are on offer: `worlds.tips._counts`."""
    pairs(r.low, r.high, t, COUNT << _16, seed, replicate, r.uniform)
    for i in range(LANES):
        r.own[N_TASKS * LANES + i] = w.task_range[0] + np.int64(r.uniform[i] * w.task_range[1])
        r.own[N_TIPS * LANES + i] = w.tip_range[0] + np.int64(r.uniform[LANES + i] * w.tip_range[1])


@inner
def place_tips(w: TipsTile, r: Rows) -> None:
    """`kernels.tips.place_tips`, of tips with the default features."""
    tasks, tips = r.own[N_TASKS * LANES : (N_TASKS + 1) * LANES], r.own[N_TIPS * LANES : (N_TIPS + 1) * LANES]
    for k in range(w.tasks + w.tips):
        at, place = k * LANES, float(k)
        for i in range(LANES):
            beyond = place >= tasks[i]
            there = place < tasks[i] + tips[i]
            r.overdue[at + i] = 0.0 if beyond else r.overdue[at + i]
            r.age[at + i] = 0.0 if beyond else r.age[at + i]
            r.priority[at + i] = 1.0 if beyond else r.priority[at + i]
            r.mask[at + i] = 1.0 if there else 0.0
            r.is_llm[at + i] = 1.0 if beyond and there else 0.0


@inner
def copy_tasks(w: TipsTile, r: Rows, t: I64, seed: np.uint64, replicate: np.uint64) -> None:
    """Give each tip the features of a task on offer, picked at random: the rest of `kernels.tips.place_tips`."""
    uniform_rows(r.low, r.high, t, TIP, seed, replicate, w.tips, r.uniform)
    for i in range(LANES):
        tasks, tips = np.int64(r.own[N_TASKS * LANES + i]), np.int64(r.own[N_TIPS * LANES + i])
        for j in range(tips if tasks > 0 else 0):
            at, source = (tasks + j) * LANES + i, np.int64(r.uniform[j * LANES + i] * tasks) * LANES + i
            r.overdue[at] = r.overdue[source]
            r.age[at] = r.age[source]
            r.priority[at] = r.priority[source]


@inner
def drift(w: TipsTile, r: Rows, t: int) -> None:
    """`worlds.drift.coefficients_at`."""
    for p in range(TERMS * LANES):
        r.now[p] = r.start[p]
    for j in range(len(w.drift)):
        kind = w.drift[j]
        first, second = w.drift_at[j, 0], w.drift_at[j, 1]
        if kind == WALK:
            continue
        for i in range(LANES):
            if kind == ABRUPT:
                way = 1.0 if t >= first else 0.0
            elif kind == GRADUAL:
                way = min(max((t - first) / (second - first), 0.0), 1.0)
            else:
                way = 1.0 if w.drift_days[j, np.int64(r.own[DAY * LANES + i])] else 0.0
            r.uniform[i] = way * r.concerned[j * LANES + i]
        for p in range(TERMS):
            if w.drift_named[j, p]:
                at, to = p * LANES, (j * TERMS + p) * LANES
                for i in range(LANES):
                    moved = r.now[at + i] + (r.target[to + i] - r.now[at + i]) * r.uniform[i]
                    r.now[at + i] = r.target[to + i] if r.uniform[i] >= 1.0 else moved
    for p in range(TERMS * LANES):
        r.now[p] += r.walked[p]


@inner
def shift_by_appetite(r: Rows) -> None:
    """`worlds.fatigue.shifted`."""
    own = r.own
    for i in range(LANES):
        tasks = own[NOVELTY * LANES + i] - own[SOURCE * LANES + i]
        tips = own[(NOVELTY + 1) * LANES + i] - own[(SOURCE + 1) * LANES + i]
        r.now[i] += tasks
        r.now[8 * LANES + i] += tips - tasks


@inner
def at_this_hour(w: TipsTile, own: F64, now: F64) -> None:
    """The utility as a function of the candidate alone."""
    for i in range(LANES):
        own[BASE * LANES + i] = now[i]
    for c in range(4):
        p = c + 1 if c < 2 else c + 4  # hour_sin, hour_cos, dow_sin, dow_cos
        if w.used[p]:
            for i in range(LANES):
                own[BASE * LANES + i] += own[c * LANES + i] * now[p * LANES + i]
    for a in range(4):
        at, p = (SLOPE + a) * LANES, a + 3 if a < 3 else 8  # is_overdue, task_age, priority, is_llm
        for i in range(LANES):
            own[at + i] = now[p * LANES + i]
        for c in range(4):
            q = 9 + 4 * c + a
            if w.used[q]:
                for i in range(LANES):
                    own[at + i] += own[c * LANES + i] * now[q * LANES + i]
    for i in range(LANES):
        own[(SLOPE + 1) * LANES + i] /= AGE_LIMIT
        own[(SLOPE + 2) * LANES + i] /= 3.0


@inner
def utilities(w: TipsTile, r: Rows) -> None:
    """The linear predictor of each candidate, as in `kernels.tips.expected_rewards`."""
    at_this_hour(w, r.own, r.now)
    own = r.own
    base, slope = own[BASE * LANES : (BASE + 1) * LANES], own[SLOPE * LANES : (SLOPE + 4) * LANES]
    for k in range(w.tasks + w.tips):
        at = k * LANES
        for i in range(LANES):
            u = base[i] + slope[i] * r.overdue[at + i] + slope[LANES + i] * min(max(r.age[at + i], 0.0), AGE_LIMIT)
            u += slope[2 * LANES + i] * (r.priority[at + i] - 1.0) + slope[3 * LANES + i] * r.is_llm[at + i]
            r.utility[at + i] = u
        if w.tires and k < w.tasks:
            for i in range(LANES):
                r.utility[at + i] += -r.tired[at + i]


@scalar
def odds_of(utility: float) -> float:
    """e^u, cut off where every reaction is certain."""
    return exp_within(min(max(utility, -LARGEST_UTILITY), LARGEST_UTILITY))


@inner
def best_of_all(w: TipsTile, r: Rows) -> None:
    """Every candidate's expected reward, and the best, as `kernels.tips.expected_rewards` has them."""
    c0, c1, c2, c3 = w.cuts[0], w.cuts[1], w.cuts[2], w.cuts[3]
    top = r.own[TOP * LANES : (TOP + 1) * LANES]
    for i in range(LANES):
        top[i] = -np.inf
    for k in range(w.tasks + w.tips):
        at = k * LANES
        for i in range(LANES):
            value = reward_at(odds_of(r.utility[at + i]), c0, c1, c2, c3, w.answers)
            r.expected[at + i] = value if r.mask[at + i] > 0.0 else 0.0
            top[i] = max(top[i], value if r.mask[at + i] > 0.0 else -np.inf)


@inner
def best_by_utility(w: TipsTile, r: Rows, scale: float) -> int:
    """The expected reward at the highest utility, and in how many lanes the best of all might lie on another multiple
    of 1 / scale.

    The reward rises with utility, and as computed it is within half of `_MARGIN` of the true one: so the largest of
    all lies between the one at the highest utility and `_MARGIN` more. Where both are cut to the same multiple, so is
    it.
    """
    c0, c1, c2, c3 = w.cuts[0], w.cuts[1], w.cuts[2], w.cuts[3]
    top = r.own[TOP * LANES : (TOP + 1) * LANES]
    for i in range(LANES):
        top[i] = -np.inf
    for k in range(w.tasks + w.tips):
        at = k * LANES
        for i in range(LANES):
            u = r.utility[at + i] if r.mask[at + i] > 0.0 else -np.inf
            top[i] = u if u > top[i] else top[i]
    unsure = 0
    for i in range(LANES):
        value = reward_at(odds_of(top[i]), c0, c1, c2, c3, w.answers)
        unsure += 0 if np.int64(value * scale) == np.int64((value + _MARGIN) * scale) else 1
        top[i] = value
    return unsure


@inner
def react(w: TipsTile, r: Rows, t: I64, chosen: I64, seed: np.uint64, replicate: np.uint64, got: F64) -> None:
    """`kernels.tips.react`. Into rows of `got`: reward, whether it is learned from, reaction, expected reward."""
    c0, c1, c2, c3 = w.cuts[0], w.cuts[1], w.cuts[2], w.cuts[3]
    pairs(r.low, r.high, t, REACTION << _16, seed, replicate, r.uniform)
    for i in range(LANES):
        got[3 * LANES + i] = r.utility[chosen[i] * LANES + i]
    for i in range(LANES):
        e, u = odds_of(got[3 * LANES + i]), r.uniform[i]
        code = 0.0
        code = code + (u >= 1.0 / (1.0 + e * c0)) + (u >= 1.0 / (1.0 + e * c1))
        code = code + (u >= 1.0 / (1.0 + e * c2)) + (u >= 1.0 / (1.0 + e * c3))
        heard = r.uniform[LANES + i] >= w.silence
        got[i] = (code - 2.0) * 0.5 if heard else 0.0
        got[LANES + i] = 1.0 if heard else 0.0
        got[2 * LANES + i] = code if heard else float(NO_REACTION)
        got[3 * LANES + i] = reward_at(e, c0, c1, c2, c3, w.answers)


@inner
def advance(w: TipsTile, r: Rows, t: I64, chosen: I64, reaction: F64, seed: np.uint64, replicate: np.uint64) -> None:
    """What follows from a round: `worlds.tips._respond` and `worlds.dynamics.advance`; `t` is left one on."""
    own = r.own
    if w.backlog:
        for i in range(LANES):
            done = reaction[i] == _DONE and chosen[i] < w.tasks and own[ACTIVE * LANES + i] > 0.0
            own[DONE * LANES + i] = chosen[i] if done else -1.0
    if w.tires:
        for i in range(LANES):
            if own[ACTIVE * LANES + i] > 0.0:
                source = np.int64(r.is_llm[chosen[i] * LANES + i])
                own[(SOURCE + source) * LANES + i] += w.tire[1]
                own[(NOVELTY + source) * LANES + i] *= w.tire[4]
                if chosen[i] < w.tasks:
                    r.tired[chosen[i] * LANES + i] += w.tire[0]
        for i in range(2 * LANES):
            own[SOURCE * LANES + i] *= w.tire[2]
        for j in range(w.tasks * LANES):
            r.tired[j] *= w.tire[2]
    if w.churns:
        _leave(w, r, t, reaction, seed, replicate)
    for i in range(LANES):
        t[i] += 1
    for j in range(len(w.drift)):
        if w.drift[j] == WALK:
            _walk(w, r, j, t, seed, replicate)


@inner
def _leave(w: TipsTile, r: Rows, t: I64, reaction: F64, seed: np.uint64, replicate: np.uint64) -> None:
    """`worlds.presence.leave`."""
    own = r.own
    pairs(r.low, r.high, t, PRESENCE << _16, seed, replicate, r.uniform)
    for i in range(LANES):
        there = own[ACTIVE * LANES + i] > 0.0
        own[BAD * LANES + i] += 1.0 if there and reaction[i] < 2.0 else 0.0
        leaves = r.uniform[i] < w.hazard or own[BAD * LANES + i] >= w.enough
        own[GONE * LANES + i] = 1.0 if there and leaves else own[GONE * LANES + i]


@inner
def _walk(w: TipsTile, r: Rows, j: int, t: I64, seed: np.uint64, replicate: np.uint64) -> None:
    """A random walk's step: `worlds.drift.walk`."""
    low, high = int(w.drift_at[j, 0]), int(w.drift_at[j, 1])
    first = j * TERMS + low
    skipped = first % 2
    for block in range((high - low + skipped + 1) // 2):
        address = (DRIFT << _16) | np.uint64(first // 2 + block)
        pairs(r.low, r.high, t, address, seed, replicate, r.uniform[2 * block * LANES :])
    normal_rows(r.uniform, skipped, high - low, r.other)
    for p in range(low, high):
        at, to = p * LANES, (j * TERMS + p) * LANES
        for i in range(LANES):
            step = r.target[to + i] * r.other[(p - low) * LANES + i]
            r.walked[at + i] += step * r.concerned[j * LANES + i]


@inner
def offer(
    w: TipsTile, r: Rows, t: int, rounds: I64, all_rewards: bool, scale: float, seed: np.uint64, replicate: np.uint64
) -> None:
    """Round t of a tile: `worlds.tips._observe`. `rounds` is a row that is left at `t`."""
    own = r.own
    if w.backlog:
        replace_done(w, r, seed, replicate)
    time = tick(w, r, t, rounds, seed, replicate)
    if w.backlog:
        for i in range(LANES):
            began = time if w.present and own[COMES * LANES + i] >= t else own[BEGAN * LANES + i]
            own[BEGAN * LANES + i] = began
            own[TIME * LANES + i] = time - began
    else:
        fresh_tasks(w, r, t * (w.tasks + w.tasks % 2), seed, replicate)
    age_tasks(w, r)
    if w.places:
        count_offers(w, r, rounds, seed, replicate)
        place_tips(w, r)
        if w.about_task:
            copy_tasks(w, r, rounds, seed, replicate)
    if len(w.drift) > 0 or w.tires:
        drift(w, r, t)
    if w.tires:
        shift_by_appetite(r)
    for i in range(LANES):
        there = own[COMES * LANES + i] <= t and own[GONE * LANES + i] == 0.0
        own[ACTIVE * LANES + i] = 1.0 if there else 0.0
    utilities(w, r)
    if all_rewards or best_by_utility(w, r, scale) > 0:
        best_of_all(w, r)
