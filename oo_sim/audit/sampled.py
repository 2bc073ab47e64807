"""Models that decide by samples: of a posterior, or of resampled regressions. Their noise is drawn again from its
address, and scores are, but for one sample, shares of wins.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from oo_sim.audit import philox
from oo_sim.audit.arrays import F64, I64, TOLERANCE, Bool
from oo_sim.audit.models import Events, Lessons, Offered, Part, Scores, Sums, ordered
from oo_sim.audit.solving import backward, cholesky, coefficients, forward


class Sampled(Sums):
    """Thompson sampling: theta ~ N(theta, scale^2 A^-1), from the uniforms of the decision's address (Agrawal & Goyal
    2013). With one sample the score is x' theta, with more it is the share of samples in which a candidate wins."""

    def __init__(self, start: tuple[F64, F64], scale: float, samples: int, seed: int) -> None:
        super().__init__(start)
        self.scale, self.samples, self.seed = scale, samples, seed

    def mean(self, states: F64, M: F64) -> F64:
        """theta (d, n), where A in reverse order is M M'."""
        b = states[self.m : self.m + self.d]
        return backward(M, forward(M, b[::-1]))[::-1]

    def score(self, states: F64, offered: Offered) -> Scores:
        """Under each sample's theta. With A = U U' of an upper U, the lower factor of A^-1 is U'^-1; U in reverse order
        is the lower factor M of A in reverse order."""
        d, n = self.d, states.shape[1]
        M = cholesky(self.matrix(states)[::-1, ::-1])
        theta = self.mean(states, M)
        z = philox.normals(
            self.seed, offered.replicates, offered.users, offered.t, philox.SCORE, self.samples * d
        ).reshape(self.samples, d, n)
        away = backward(M, z.transpose(1, 0, 2)[::-1])[::-1]
        scores = [
            np.einsum("akn,an->kn", offered.x, theta + self.scale * away[:, sample]) for sample in range(self.samples)
        ]
        return Scores(scores[0]) if self.samples == 1 else shares(scores, offered)

    def blank(self, states: F64) -> Bool:
        """Samples differ from the beginning."""
        return np.asarray((states[-1] == 0.0) & (self.scale == 0.0))


class Logistic(Sampled):
    """Thompson sampling on a logistic regression (Chapelle & Li 2011, Alg. 3): a state holds A and the mode. A reward r
    is (r + 1) / 2 of a success; theta moves to the mode of posterior times likelihood, A grows by p (1 - p) x x'."""

    def events(self, lessons: Lessons) -> Events:
        """In order, for what is learned depends on what was learned before."""
        every = np.arange(len(lessons.lane))
        return ordered(lessons.t_now, lessons.lane, every, np.where(lessons.reset, 0.0, 1.0))

    def follow(self, state: F64, steps: list[int], lessons: Lessons, part: Part) -> F64:
        """In turn, for what is learned depends on what was learned before."""
        held = np.repeat(state[:, None], len(steps), axis=1)
        ends, now = [*part.groups[1:].tolist(), len(part.lesson)], 0
        for first, last in zip(part.groups.tolist(), ends, strict=False):
            for r in range(now + 1, int(part.round[first]) + 1):
                held[:, r] = held[:, r - 1]
            now = int(part.round[first])
            self._learn(held[:, now], lessons, part.lane[first:last], part.lesson[first:last], part.sign[first:last])
        held[:, now + 1 :] = held[:, now : now + 1]
        return held

    def _learn(self, state: F64, lessons: Lessons, lanes: I64, take: I64, sign: F64) -> None:
        """One lesson a lane, in place; a reset starts the lane afresh."""
        gone = sign == 0.0
        if gone.any():
            state[:, lanes[gone]] = self.fresh(int(gone.sum()))
            lanes, take = lanes[~gone], take[~gone]
        x = lessons.x[:, take]
        target = np.clip((lessons.reward[take] + 1.0) / 2.0, 0.0, 1.0)
        own = state[:, lanes]
        L, theta = cholesky(self.matrix(own)), own[self.m : self.m + self.d]
        v = backward(L, forward(L, x))
        start, spread = (x * theta).sum(axis=0), (x * v).sum(axis=0)
        p = logistic(mode(start, spread, target))
        change = [p * (1.0 - p) * x[self.upper[0]] * x[self.upper[1]], (target - p) * v, (target != 0.5)[None]]
        state[:, lanes] = own + np.concatenate(change)

    def mean(self, states: F64, M: F64) -> F64:
        """The mode itself."""
        return states[self.m : self.m + self.d]


class Bootstrapped(Sums):
    """R ridge regressions that count each lesson twice or not at all, by its address; each starts at a place of its
    own, the same for all users (Eckles & Kaptein 2014, Osband & Van Roy 2015). Scores are shares of wins."""

    def __init__(self, prior: float, spread: float, replicates: int, d: int, seed: int) -> None:
        super().__init__((prior * np.eye(d), np.zeros(d)))
        self.seed, self.R = seed, replicates
        ids = philox.user_words(f"replicate-{j}" for j in range(replicates))
        zeros = np.zeros(replicates, np.int64)
        self.starts = philox.normals(0, zeros, ids, zeros, philox.UPDATE, d).T * (spread / np.sqrt(prior))
        self.prior = prior

    def fresh(self, n: int) -> F64:
        """R states, one under the other."""
        parts = [np.concatenate([self.start[0][self.upper], self.prior * start, [0.0]]) for start in self.starts]
        return np.repeat(np.concatenate(parts)[:, None], n, axis=1)

    def changes(self, lessons: Lessons, part: Part) -> F64:
        """Each regression draws whether it counts the lesson."""
        take = part.lesson
        lanes = lessons.lane[take]
        where = lessons.replicates[lanes], lessons.users[lanes], lessons.decided[take]
        drawn = philox.uniforms(self.seed, *where, philox.UPDATE, self.R)
        change = self.sums(lessons.x[:, take], lessons.reward[take])
        weight = np.where(drawn < 0.5, 2.0, 0.0) * part.sign
        return (weight[:, None] * change[None]).reshape(-1, len(take))

    def score(self, states: F64, offered: Offered) -> Scores:
        """The shares of the R regressions in which each candidate has the highest mean."""
        n = states.shape[1]
        each = states.reshape(self.R, -1, n).transpose(1, 0, 2).reshape(-1, self.R * n)
        theta = coefficients(self.matrix(each), each[self.m : self.m + self.d]).reshape(self.d, self.R, n)
        return shares([np.einsum("akn,an->kn", offered.x, theta[:, j]) for j in range(self.R)], offered)

    def blank(self, states: F64) -> Bool:
        """Starts differ."""
        return np.zeros(states.shape[1], np.bool_)


def shares(samples: Sequence[F64], offered: Offered) -> Scores:
    """The share of `samples` (K, n) in which each candidate has the first of the highest scores, and its bounds."""
    low, high, best = (np.zeros(offered.standing.shape) for _ in range(3))
    open_ = offered.standing & ~offered.later
    lanes = np.arange(open_.shape[1])
    for scores in samples:
        seen = np.where(open_, scores, -np.inf)
        top = seen.max(axis=0)
        near = seen >= top - TOLERANCE * np.maximum(1.0, np.abs(top))
        best[np.argmax(seen, axis=0), lanes] += 1.0
        high += near
        low += near & (near.sum(axis=0) == 1)
    M = len(samples)
    return Scores(best / M, low / M, high / M)


def logistic(u: F64) -> F64:
    """1 / (1 + e^-u)."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(u, -700.0, 700.0))))


def mode(start: F64, spread: F64, target: F64) -> F64:
    """The root u of u - start = spread (target - logistic(u)), by bisection that Newton's steps finish: the left side
    less the right one rises, and the root lies within `spread` of the start."""
    low, high = start - spread, start + spread
    u = start
    for _ in range(60):
        p = logistic(u)
        gap = u - start - spread * (target - p)
        low, high = np.where(gap < 0.0, u, low), np.where(gap >= 0.0, u, high)
        step = u - gap / (1.0 + spread * p * (1.0 - p))
        there = np.abs(step - u) <= 1e-15 * np.maximum(1.0, np.abs(u))
        u = np.where(there | ((step > low) & (step < high)), step, (low + high) / 2.0)
        if there.all():
            break
    return u
