"""What each policy's model knew at each decision, and how it scored: every regression solved anew, in plain NumPy.

A state is an array (numbers, n) of n lanes, or of n decisions; K candidates, d features. Most states are sums over what
was learned, to which each lesson is added when it came, and from which it is taken when it is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np

from oo_sim.audit.arrays import F64, I64, U64, Bool
from oo_sim.audit.solving import backward, cholesky, forward, moments

_NUMBERS = 1 << 18
"""Numbers of states that are looked at together: few enough for the caches."""
_NEVER = np.iinfo(np.int64).max


class Lessons(NamedTuple):
    """What n lanes learned, ordered by lane and then by sequence. `decided` is t_now where it is not known."""

    lane: I64  # (m,)
    t_now: I64  # (m,), the number of the user's latest decision when it came; not falling within a lane
    decided: I64  # (m,)
    reset: Bool  # (m,)
    x: F64  # (d, m)
    reward: F64  # (m,)
    users: U64  # (n,), hashed
    replicates: I64  # (n,)
    seed: int | None


class Events(NamedTuple):
    """Changes of states in order of time: lesson `lesson` comes (sign 1) or goes (-1); 0 is a reset of the lane. Events
    of a lane at the same time keep their order, each in a later group than the one before."""

    time: I64
    lane: I64
    lesson: I64
    sign: F64
    groups: I64  # the first event of each group; in a group, no lane has two


class Part(NamedTuple):
    """The events that some rounds of n lanes are the first to know."""

    round: I64  # of these rounds
    lane: I64  # of these lanes
    latest: I64  # the latest time that this round knows
    lesson: I64
    sign: F64
    groups: I64  # as in `Events`


class Scores(NamedTuple):
    """Scores (K, n); for shares of wins also their bounds, since a near tie may go either way."""

    scores: F64
    low: F64 | None = None
    high: F64 | None = None


class Offered(NamedTuple):
    """Some decisions' candidates: x (d, K, n), `standing` and `later`, the second of two twins, both (K, n)."""

    x: F64
    standing: Bool
    later: Bool
    t: I64  # (n,)
    users: U64  # (n,)
    replicates: I64  # (n,)


class Model(Protocol):
    """A policy's model."""

    def fresh(self, n: int) -> F64:
        """The states (numbers, n) of lanes that have learned nothing."""

    def events(self, lessons: Lessons) -> Events:
        """What changes the states."""

    def aged(self, states: F64, rounds: I64 | int) -> F64:
        """States (numbers, n) that so many rounds have passed over."""

    def follow(self, state: F64, steps: list[int], lessons: Lessons, part: Part) -> F64:
        """The states (numbers, rounds, n) of lanes that were in `state` (numbers, n) before the first of these rounds,
        `steps` after each other."""

    def score(self, states: F64, offered: Offered) -> Scores:
        """The candidates' scores in the states (numbers, n) of their decisions."""

    def blank(self, states: F64) -> Bool:
        """Where all scores are exactly 0, because nothing but rewards of 0 was learned yet."""


def walk(model: Model, lessons: Lessons, lane: I64, t: I64) -> Iterator[tuple[slice, F64]]:
    """Yields, in blocks, decisions (`lane` and `t` (n,), by t) and the states (numbers, rows) they were made in.

    A decision knows what came while an earlier decision was the latest one: t_now < t.
    """
    events, state = model.events(lessons), model.fresh(len(lessons.users))
    starts = np.flatnonzero(np.diff(t, prepend=-1))
    times, ends = t[starts], np.append(starts[1:], len(t))[: len(starts)]
    knows = np.searchsorted(times, events.time, "right")  # the first round that knows each event
    clock, most, r = np.full(state.shape[1], -1), _block(len(state)), 0
    while r < len(times):
        end = min(int(np.searchsorted(ends, starts[r] + most)) + 1, len(times))
        while True:
            rows, (first, last) = slice(starts[r], ends[end - 1]), np.searchsorted(knows, [r, end])
            own = np.flatnonzero(np.bincount(np.append(lane[rows], events.lane[first:last]), minlength=len(clock)))
            if end == r + 1 or (end - r) * len(own) <= 4 * most:
                break
            end = r + (end - r) // 2  # few lanes decide as often as others
        place, step = np.zeros(len(clock), np.int64), times[r:end]
        place[own] = np.arange(len(own))
        round_ = knows[first:last]
        begins, ending = np.searchsorted(events.groups, [first, last])
        part = Part(
            round_ - r,
            place[events.lane[first:last]],
            times[round_] - 1,
            events.lesson[first:last],
            events.sign[first:last],
            events.groups[begins:ending] - first,
        )
        before = model.aged(state[:, own], step[0] - 1 - clock[own])
        held = model.follow(before, [0, *np.diff(step).tolist()], lessons, part)
        state[:, own], clock[own] = held[:, -1], step[-1] - 1
        flat = held.reshape(len(held), -1)
        if rows.stop - rows.start < flat.shape[1]:
            flat = flat[:, (np.searchsorted(times, t[rows]) - r) * len(own) + place[lane[rows]]]
        yield rows, flat
        r = end


def _block(numbers: int) -> int:
    """How many states of so many numbers are looked at together."""
    return min(max(_NUMBERS // max(numbers, 1), 256), 2048)


def ordered(time: I64, lane: I64, lesson: I64, sign: F64) -> Events:
    """Events in groups by time; events of a lane at the same time keep their order, one in each group."""
    order = np.lexsort((np.arange(len(time)), lane, time))
    time, lane, lesson, sign = time[order], lane[order], lesson[order], sign[order]
    first = np.flatnonzero(np.r_[True, (time[1:] != time[:-1]) | (lane[1:] != lane[:-1])]) if len(time) else order
    turn = np.arange(len(time)) - np.repeat(first, np.diff(np.r_[first, len(time)]))
    if turn.any():
        order = np.lexsort((lane, turn, time))
        time, lane, lesson, sign, turn = time[order], lane[order], lesson[order], sign[order], turn[order]
    groups = np.flatnonzero((np.diff(time, prepend=-2) != 0) | (np.diff(turn, prepend=-1) != 0))
    return Events(time, lane, lesson, sign, groups)


def _next_reset(lessons: Lessons) -> I64:
    """When each lesson (m,) is forgotten by a reset."""
    m = len(lessons.lane)
    if m == 0 or not lessons.reset.any():
        return np.full(m, _NEVER)
    at = np.where(lessons.reset, np.arange(m), m)
    following = np.minimum.accumulate(at[::-1])[::-1]
    found = np.minimum(following, m - 1)
    same = (following < m) & (lessons.lane[found] == lessons.lane)
    return np.where(same, lessons.t_now[found], _NEVER)


def outer(x: F64, out: F64) -> None:
    """The upper triangle of x x', of x (d, n), row by row into `out` (d (d + 1) / 2, n)."""
    first = 0
    for i in range(len(x)):
        np.multiply(x[i:], x[i], out=out[first : first + len(x) - i])
        first += len(x) - i


def _placed(change: F64, part: Part, shape: tuple[int, int]) -> F64:
    """The sums of changes (numbers, events) by round and lane (numbers, rounds, n), zeros where nothing changes."""
    at, (rounds, n) = part.round * shape[1] + part.lane, shape
    if len(at) and not (at[1:] > at[:-1]).all():
        order = np.argsort(at, kind="stable")
        first = np.flatnonzero(np.diff(at[order], prepend=-1))
        at, change = at[order][first], np.add.reduceat(change[:, order], first, axis=1)
    if len(at) == rounds * n:
        return change.reshape(-1, rounds, n)
    out = np.zeros((len(change), rounds * n))
    for row, values in zip(out, change, strict=True):
        row[at] = values
    return out.reshape(-1, rounds, n)


class Sums:
    """Ridge regression on sums: A = A0 + sum of x x', b = b0 + sum of r x (Abbasi-Yadkori et al. 2011).

    `until` says when a lesson is forgotten, `discount` how much less it counts with every round. `start` is (A0 (d, d),
    b0 (d,)).
    """

    def __init__(self, start: tuple[F64, F64], alpha: float = 0.0) -> None:
        self.start, self.alpha = start, alpha
        self.d = len(start[1])
        self.upper = np.triu_indices(self.d)
        self.m = len(self.upper[0])

    def fresh(self, n: int) -> F64:
        """Nothing but the start; the last number counts lessons whose reward was not 0."""
        A0, b0 = self.start
        return np.repeat(np.concatenate([A0[self.upper], b0, [0.0]])[:, None], n, axis=1)

    def kept(self, lessons: Lessons) -> tuple[Bool, I64]:
        """Which lessons (m,) are learned at all, and when they are forgotten."""
        return ~lessons.reset, _next_reset(lessons)

    def events(self, lessons: Lessons) -> Events:
        """Each lesson comes and, some day, goes."""
        learned, until = self.kept(lessons)
        come = np.flatnonzero(learned & (until > lessons.t_now))
        go = come[until[come] != _NEVER]
        index = np.concatenate([come, go])
        time = np.concatenate([lessons.t_now[come], until[go]])
        return ordered(time, lessons.lane[index], index, np.repeat([1.0, -1.0], [len(come), len(go)]))

    def aged(self, states: F64, rounds: I64 | int) -> F64:
        """Nothing ages."""
        return states

    def vectors(self, x: F64) -> F64:
        """What is learned of x (d, n)."""
        return x

    def follow(self, state: F64, steps: list[int], lessons: Lessons, part: Part) -> F64:
        """Adds what comes, takes away what goes: all changes are made at once, and each round has those before it."""
        held = _placed(self.changes(lessons, part), part, (len(steps), state.shape[1]))
        for r, step in enumerate(steps):
            held[:, r] += self.aged(held[:, r - 1], step) if r else state
        return held

    def changes(self, lessons: Lessons, part: Part) -> F64:
        """What each event of a part does to a state (numbers, events)."""
        change = self.sums(self.vectors(np.take(lessons.x, part.lesson, axis=1)), lessons.reward[part.lesson])
        if not (part.sign == 1.0).all():
            change *= part.sign
        return change

    def sums(self, x: F64, reward: F64) -> F64:
        """x x', r x and whether r is not 0, of each lesson (numbers, lessons)."""
        out = np.empty((self.m + self.d + 1, len(reward)))
        outer(x, out[: self.m])
        np.multiply(reward, x, out=out[self.m : -1])
        np.not_equal(reward, 0.0, out=out[-1])
        return out

    def score(self, states: F64, offered: Offered) -> Scores:
        """x' theta + alpha sqrt(x' A^-1 x)."""
        mean, variance = self.moments(states, self.seen(offered.x))
        if variance is None:
            return Scores(mean)
        bonus = np.sqrt(np.maximum(variance, 0.0, out=variance), out=variance)
        bonus *= self.alpha
        bonus += mean
        return Scores(bonus)

    def seen(self, x: F64) -> F64:
        """What is scored of x (d, K, n)."""
        return x

    def moments(self, states: F64, x: F64) -> tuple[F64, F64 | None]:
        """x' theta and, where it is needed, x' A^-1 x, both (K, n)."""
        A, b = self.matrix(states), states[self.m : self.m + self.d]
        return moments(A, b, x, self.alpha != 0.0)

    def matrix(self, states: F64) -> F64:
        """A (d, d, n)."""
        A = np.empty((self.d, self.d, states.shape[1]))
        first = 0
        for i in range(self.d):
            A[i, i:] = A[i:, i] = states[first : first + self.d - i]
            first += self.d - i
        return A

    def blank(self, states: F64) -> Bool:
        """Nothing was learned but rewards of 0, and a bonus tells no candidates apart."""
        return np.asarray((states[-1] == 0.0) & (self.alpha == 0.0) & (not self.start[1].any()))


class Windowed(Sums):
    """The last `window` decisions count alone (Cheung, Simchi-Levi & Zhu 2019). A second reward of a decision takes the
    place of the first."""

    def __init__(self, start: tuple[F64, F64], alpha: float, window: int) -> None:
        super().__init__(start, alpha)
        self.window = window

    def kept(self, lessons: Lessons) -> tuple[Bool, I64]:
        """Lessons leave with their decisions."""
        learned, until = super().kept(lessons)
        decided = np.maximum(lessons.decided, 0)  # before the first decision: as if of it
        learned &= lessons.t_now - decided < self.window
        until = np.minimum(until, decided + self.window)
        order = np.lexsort((np.arange(len(until)), decided, lessons.lane, ~learned))
        a, b = order[:-1], order[1:]
        again = (lessons.lane[a] == lessons.lane[b]) & (decided[a] == decided[b]) & learned[a] & learned[b]
        until[a[again]] = np.minimum(until[a[again]], lessons.t_now[b[again]])
        return learned, until


class Restarted(Sums):
    """Everything is forgotten every `period` rounds; what comes after its epoch is not learned (Zhao et al. 2020)."""

    def __init__(self, start: tuple[F64, F64], alpha: float, period: int) -> None:
        super().__init__(start, alpha)
        self.period = period

    def kept(self, lessons: Lessons) -> tuple[Bool, I64]:
        """An epoch is that of the next decision."""
        learned, until = super().kept(lessons)
        epoch = (lessons.t_now + 1) // self.period
        learned &= np.maximum(lessons.decided, 0) // self.period == epoch
        return learned, np.minimum(until, (epoch + 1) * self.period - 1)


class Discounted(Sums):
    """A lesson of a decision k rounds ago has weight gamma^k (Russac, Vernade & Cappe 2019): score = x' V^-1 b +
    alpha sqrt(x' V^-1 W V^-1 x). A state has V without its start, W without it, b, and a count."""

    def __init__(self, start: tuple[F64, F64], alpha: float, gamma: float) -> None:
        super().__init__(start, alpha)
        self.gamma = gamma

    def fresh(self, n: int) -> F64:
        """Empty sums."""
        return np.zeros((2 * self.m + self.d + 1, n))

    def aged(self, states: F64, rounds: I64 | int) -> F64:
        """All weights shrink, but not the start."""
        factor = self.gamma ** np.asarray(rounds, np.float64)
        factors = np.ones((len(states), *factor.shape))
        factors[:-1], factors[self.m : 2 * self.m] = factor, factor * factor
        return states * (factors if factor.ndim else factors[:, None])

    def changes(self, lessons: Lessons, part: Part) -> F64:
        """A lesson comes with the weight of its age."""
        x, reward = lessons.x[:, part.lesson], lessons.reward[part.lesson]
        weight = self.gamma ** (part.latest - lessons.decided[part.lesson]).astype(np.float64)
        out, m = np.empty((2 * self.m + self.d + 1, len(reward))), self.m
        outer(x, out[:m])
        out[:m] *= weight
        np.multiply(out[:m], weight, out=out[m : 2 * m])
        np.multiply(weight * reward, x, out=out[2 * m : -1])
        np.not_equal(reward, 0.0, out=out[-1])
        out *= part.sign
        return out

    def moments(self, states: F64, x: F64) -> tuple[F64, F64 | None]:
        """The mean and the variance of the weighted sums."""
        A0, b0 = self.start[0][self.upper][:, None], self.start[1][:, None]
        V, W = (self.matrix(states[i * self.m : (i + 1) * self.m] + A0) for i in (0, 1))
        L = cholesky(V)
        theta = backward(L, forward(L, states[2 * self.m : -1] + b0))
        mean = np.einsum("akn,an->kn", x, theta)
        if self.alpha == 0.0:
            return mean, None
        z = backward(L, forward(L, x))
        return mean, np.einsum("akn,abn,bkn->kn", z, W, z, optimize=True)


class Kinds(Sums):
    """One model for tasks and one for tips, which feature `column` tells apart, joined by what they share: the prior
    covariance of a feature's two weights is (1 / prior) [[1 + s, s], [s, 1 + s]] (Li et al. 2010, Alg. 1 for s = 0 and
    Alg. 2). They are one regression on (x, 0) and (0, x)."""

    def __init__(self, prior: float, alpha: float, width: int, column: int, sharing: float) -> None:
        self.column, self.columns = column, np.delete(np.arange(width), column)
        inside = np.array([[1.0 + sharing, -sharing], [-sharing, 1.0 + sharing]]) * (prior / (1.0 + 2.0 * sharing))
        A0 = np.asarray(np.kron(inside, np.eye(width - 1)), np.float64)
        super().__init__((A0, np.zeros(2 * (width - 1))), alpha)

    def vectors(self, x: F64) -> F64:
        """x in the place of its kind, 0 in that of the other; x may be (d, n) or (d, K, n)."""
        own, tip = x[self.columns], x[self.column] > 0.5
        return np.concatenate([np.where(tip, 0.0, own), np.where(tip, own, 0.0)])

    def seen(self, x: F64) -> F64:
        """Candidates are scored as they are learned."""
        return self.vectors(x)
