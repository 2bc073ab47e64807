"""The tips world: clocks, tasks, LLM tips, and the ordered logit by which users react (McCullagh 1980)."""

from __future__ import annotations

from typing import Any

import numpy as np

from oo_sim.contract import F64, I64, NO_REACTION, REWARDS, U64, Bool
from oo_sim.kernels.compile import kernel, scalar
from oo_sim.kernels.elementary import exp_within, normals
from oo_sim.kernels.encode import AGE_LIMIT, DAY_COS, DAY_SIN, HOUR_COS, HOUR_SIN
from oo_sim.kernels.philox import CLOCK, LOW, REACTION, TASK, TITLE, _32, philox, uniforms, unit32

_ONE = np.uint64(1)
_TASK_ADDRESS = TASK << np.uint64(16)
_TITLE_ADDRESS = TITLE << np.uint64(16)
LARGEST_UTILITY = 250.0  # beyond, every reaction is certain; within, no product below overflows
_REWARDS = np.array([*REWARDS, 0.0])
_STEP = 0.5  # between the rewards of neighbouring reactions
_CLOCK_TERMS = 4
_FIRST: Any = np.int64(0)  # block: a plain 0 would compile `uniforms` once more, for this number alone
_CANDIDATE_TERMS = 4
_CLOCK_AT = (1, 2, 6, 7)  # where hour_sin, hour_cos, dow_sin, dow_cos stand among the coefficients
_CANDIDATE_AT = (3, 4, 5, 8)  # where is_overdue, task_age, priority, is_llm stand
_PRODUCTS_AT = 9


@kernel
def category(uniform: F64, cdf: F64, out: I64) -> None:
    """Categories (n,) drawn by inverting a cumulative distribution `cdf` (m,) at `uniform` (n,)."""
    n = len(uniform)
    out[:] = 0
    for j in range(len(cdf) - 1):
        for i in range(n):
            out[i] += 1 if uniform[i] >= cdf[j] else 0


@kernel
def draw_clock(
    seed: np.uint64,
    replicate: np.uint64,
    users: U64,
    t: I64,
    hour_cdf: F64,
    day_cdf: F64,
    hour: I64,
    day: I64,
) -> None:
    """Hours and weekdays (n,) of the lanes' rounds `t` (n,), from their cumulative distributions (24,) and (7,)."""
    uniform = np.empty((2, len(users)))
    uniforms(seed, replicate, users, t, CLOCK, _FIRST, uniform)
    category(uniform[0], hour_cdf, hour)
    category(uniform[1], day_cdf, day)


@scalar
def priority_at(u: float, c1: float, c2: float, c3: float, undated: float) -> tuple[float, float]:
    """A task's priority at a uniform, and whether it has a due date: by the uniform's place in the priority's share."""
    low = c3 if u >= c3 else c2 if u >= c2 else c1 if u >= c1 else 0.0
    high = 1.0 if u >= c3 else c3 if u >= c2 else c2 if u >= c1 else c1
    return 1.0 + (u >= c1) + (u >= c2) + (u >= c3), 1.0 if u >= low + (high - low) * undated else 0.0


@scalar
def priority_of(word: np.uint64, c1: float, c2: float, c3: float, undated: float) -> tuple[float, float]:
    """A task's priority from one word, and, from where the word falls within that priority's share of it, whether the
    task has a due date."""
    return priority_at(unit32(word), c1, c2, c3, undated)


@kernel
def draw_tasks(
    seed: np.uint64,
    replicate: np.uint64,
    users: U64,
    serial: I64,
    priority_cdf: F64,
    undated: float,
    priority: F64,
    due: F64,
    dated: F64,
) -> None:
    """A task's attributes from its serial number (K, n): priority, a uniform for its due date, whether it has one.

    Two tasks share a Philox block: the even serial number has its first two words, the odd one the others.
    """
    K, n = serial.shape
    c1, c2, c3 = priority_cdf[0], priority_cdf[1], priority_cdf[2]
    for k in range(K):
        for i in range(n):
            number = np.uint64(serial[k, i])
            w0, w1, w2, w3 = philox(users[i] & LOW, users[i] >> _32, number >> _ONE, _TASK_ADDRESS, seed, replicate)
            odd = (number & _ONE) == _ONE
            priority[k, i], dated[k, i] = priority_of(w2 if odd else w0, c1, c2, c3, undated)
            due[k, i] = unit32(w3 if odd else w1)


@kernel
def draw_fresh_tasks(
    seed: np.uint64,
    replicate: np.uint64,
    users: U64,
    first: int,
    priority_cdf: F64,
    undated: float,
    priority: F64,
    due: F64,
    dated: F64,
) -> None:
    """What `draw_tasks` gives for the serial numbers first, first + 1, ..., in half the time; `first` is even."""
    K, n = priority.shape
    c1, c2, c3 = priority_cdf[0], priority_cdf[1], priority_cdf[2]
    for k in range(0, K, 2):
        block, second = np.uint64((first + k) // 2), min(k + 1, K - 1)
        for i in range(n):
            w0, w1, w2, w3 = philox(users[i] & LOW, users[i] >> _32, block, _TASK_ADDRESS, seed, replicate)
            priority[second, i], dated[second, i] = priority_of(w2, c1, c2, c3, undated)
            due[second, i] = unit32(w3)
            # the first comes last, so that it wins where an odd count leaves no second row
            priority[k, i], dated[k, i] = priority_of(w0, c1, c2, c3, undated)
            due[k, i] = unit32(w1)


@kernel
def draw_titles(seed: np.uint64, replicate: np.uint64, users: U64, serial: I64, count: int, title: I64) -> None:
    """Which of `count` titles each task has, from its serial number; both (K, n)."""
    K, n = serial.shape
    for k in range(K):
        for i in range(n):
            w0, _, _, _ = philox(
                users[i] & LOW, users[i] >> _32, np.uint64(serial[k, i]), _TITLE_ADDRESS, seed, replicate
            )
            title[k, i] = np.int64(unit32(w0) * count)


@kernel
def uniform_quantile(low: float, high: float, values: F64) -> None:
    """Turn uniforms (K, n) into draws from the uniform distribution on [low, high), in place."""
    K, n = values.shape
    for k in range(K):
        for i in range(n):
            values[k, i] = low + (high - low) * values[k, i]


@kernel
def gaussian_quantile(mean: float, sd: float, values: F64) -> None:
    """Turn uniforms (K, n) into normal draws, in place."""
    K, n = values.shape
    z = np.empty((K, n))
    normals(values, z)
    for k in range(K):
        for i in range(n):
            values[k, i] = mean + sd * z[k, i]


@kernel
def discrete_quantile(support: F64, cdf: F64, values: F64) -> None:
    """Turn uniforms (K, n) into draws of `support` (m,) with cumulative probabilities `cdf` (m,), in place."""
    K, n = values.shape
    drawn = np.empty(n, np.int64)
    for k in range(K):
        category(values[k], cdf, drawn)
        for i in range(n):
            values[k, i] = support[drawn[i]]


@kernel
def age_tasks(now: F64, due: F64, dated: F64, whole: bool, overdue: F64, age: F64) -> None:
    """Days since the due date at time `now` (n,), rounded down where `whole`; 0 for tasks without one."""
    K, n = due.shape
    for k in range(K):
        for i in range(n):
            days = now[i] - due[k, i]
            days = np.floor(days) if whole else days
            age[k, i] = days if dated[k, i] > 0.0 else 0.0
            overdue[k, i] = 1.0 if age[k, i] > 0.0 else 0.0


@kernel
def place_tips(
    tasks: I64,
    tips: I64,
    about: F64,
    about_task: bool,
    overdue: F64,
    age: F64,
    priority: F64,
    is_llm: F64,
    serial: I64,
    mask: Bool,
) -> None:
    """Put `tips` (n,) LLM tips right after the first `tasks` (n,) tasks, and mask what lies beyond.

    A tip has the default features, or, where `about_task`, those of the task that the uniform `about` (tips, n) picks.
    """
    K, n = mask.shape
    for k in range(K):
        for i in range(n):
            beyond = k >= tasks[i]
            overdue[k, i] = 0.0 if beyond else overdue[k, i]
            age[k, i] = 0.0 if beyond else age[k, i]
            priority[k, i] = 1.0 if beyond else priority[k, i]
            serial[k, i] = -1 if beyond else serial[k, i]
            mask[k, i] = k < tasks[i] + tips[i]
            is_llm[k, i] = 1.0 if beyond and mask[k, i] else 0.0
    if about_task:
        for i in range(n):
            for j in range(tips[i] if tasks[i] > 0 else 0):
                k, source = tasks[i] + j, int(about[j, i] * tasks[i])
                overdue[k, i] = overdue[source, i]
                age[k, i] = age[source, i]
                priority[k, i] = priority[source, i]
                serial[k, i] = serial[source, i]


@scalar
def reward_at(e: float, c0: float, c1: float, c2: float, c3: float, answers: float) -> float:
    """The expected reward at odds e = e^u: (1 - sum of 1 / e_j / 2) times the probability of an answer."""
    e0, e1, e2, e3 = 1.0 + e * c0, 1.0 + e * c1, 1.0 + e * c2, 1.0 + e * c3
    below = (e0 + e1) / (e0 * e1) + (e2 + e3) / (e2 * e3)  # sum of 1 / e_j in two divisions
    return answers * (1.0 - _STEP * below)


@kernel
def _at_this_hour(coefficients: F64, used: Bool, hour: I64, day: I64, base: F64, slope: F64) -> None:
    """The utility as a function of the candidate alone: `base` (n,) + `slope` (4, n) times its terms, where age is in
    days and priority is counted from 0."""
    n = len(base)
    clock = np.empty((_CLOCK_TERMS, n))
    for i in range(n):
        clock[0, i] = HOUR_SIN[hour[i]]
        clock[1, i] = HOUR_COS[hour[i]]
        clock[2, i] = DAY_SIN[day[i]]
        clock[3, i] = DAY_COS[day[i]]
    for i in range(n):
        base[i] = coefficients[0, i]
    for c in range(_CLOCK_TERMS):
        if used[_CLOCK_AT[c]]:
            for i in range(n):
                base[i] += clock[c, i] * coefficients[_CLOCK_AT[c], i]
    for a in range(_CANDIDATE_TERMS):
        for i in range(n):
            slope[a, i] = coefficients[_CANDIDATE_AT[a], i]
        for c in range(_CLOCK_TERMS):
            p = _PRODUCTS_AT + c * _CANDIDATE_TERMS + a
            if used[p]:
                for i in range(n):
                    slope[a, i] += clock[c, i] * coefficients[p, i]
    for i in range(n):
        slope[1, i] /= AGE_LIMIT
        slope[2, i] /= 3.0


@kernel
def expected_rewards(
    coefficients: F64,
    used: Bool,
    hour: I64,
    day: I64,
    overdue: F64,
    age: F64,
    priority: F64,
    is_llm: F64,
    mask: Bool,
    shift: F64,
    cuts: F64,
    answers: float,
    odds: F64,
    expected: F64,
    best: F64,
) -> None:
    """odds = e^u and the expected reward of each candidate (K, n), and the best of those that stand (n,).

    `coefficients` (25, n): the intercept, then the terms of oo7x, of which those not `used` (25,) are 0; u is their
    sum, to which `shift` is added in its rows, those of the first candidates. With cuts_j = e^-c_j,
    P(reaction <= j) = 1 / (1 + e^u cuts_j); the rewards are evenly spaced, so
    E = (1 - sum_j P(reaction <= j) / 2) times the probability that the user `answers`.
    """
    K, n = mask.shape
    base, slope = np.empty(n), np.empty((_CANDIDATE_TERMS, n))
    _at_this_hour(coefficients, used, hour, day, base, slope)
    best[:] = -np.inf
    utility = np.empty(n)
    for k in range(K):
        for i in range(n):
            u = base[i] + slope[0, i] * overdue[k, i] + slope[1, i] * min(max(age[k, i], 0.0), AGE_LIMIT)
            utility[i] = u + (slope[2, i] * (priority[k, i] - 1.0) + slope[3, i] * is_llm[k, i])
        if k < len(shift):  # a loop of its own: compilers must assume that an array without rows lies upon the others
            for i in range(n):
                utility[i] += shift[k, i]
        _answered(utility, mask[k], cuts, answers, odds[k], expected[k], best)


@kernel
def _answered(utility: F64, mask: Bool, cuts: F64, answers: float, odds: F64, expected: F64, best: F64) -> None:
    """One candidate's odds and expected reward, and the best so far, all (n,)."""
    c0, c1, c2, c3 = cuts[0], cuts[1], cuts[2], cuts[3]
    for i in range(len(utility)):
        e = exp_within(min(max(utility[i], -LARGEST_UTILITY), LARGEST_UTILITY))
        value = reward_at(e, c0, c1, c2, c3, answers)
        odds[i] = e
        expected[i] = value if mask[i] else 0.0
        best[i] = max(best[i], value if mask[i] else -np.inf)


@kernel
def react(
    seed: np.uint64,
    replicate: np.uint64,
    users: U64,
    t: I64,
    odds: F64,
    chosen: I64,
    cuts: F64,
    silence: float,
    reaction: I64,
    reward: F64,
    learn: Bool,
) -> None:
    """The reactions to the chosen candidates: one uniform of round `t` (n,) places each on the ladder, and a second
    below `silence` means none at all."""
    n = len(chosen)
    uniform = np.empty((2, n))
    uniforms(seed, replicate, users, t, REACTION, _FIRST, uniform)
    c0, c1, c2, c3 = cuts[0], cuts[1], cuts[2], cuts[3]
    for i in range(n):
        e, u = odds[chosen[i], i], uniform[0, i]
        code = 0  # a number first: without a compiler, the sum of two truths is a truth
        code = code + (u >= 1.0 / (1.0 + e * c0)) + (u >= 1.0 / (1.0 + e * c1))
        code = code + (u >= 1.0 / (1.0 + e * c2)) + (u >= 1.0 / (1.0 + e * c3))
        learn[i] = uniform[1, i] >= silence
        reaction[i] = code if learn[i] else NO_REACTION
        reward[i] = _REWARDS[reaction[i]]
