"""A policy played on random data, with choices that do not depend on it, so that a reference can follow along."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, I64, Batch, Bool, Learning, Policy, State

K = 4


class Played(NamedTuple):
    """What a policy saw and answered in T rounds of n lanes: x (T, K, d, n), chosen, reward and learn (T, n), scores
    (T, K, n), the uniforms of its updates (T, count, n), and its state at the end."""

    x: F64
    chosen: I64
    reward: F64
    learn: Bool
    scores: F64
    noise: F64
    state: State

    @property
    def taken(self) -> F64:
        """The chosen candidates' vectors (T, d, n)."""
        picked = np.take_along_axis(self.x, self.chosen[:, None, None, :], axis=1)
        return np.ascontiguousarray(picked[:, 0])


def play(policy: Policy, rounds: int, *, delay: int = 0, kind: bool = False, share: float = 0.8) -> Played:
    """Score random candidates in three lanes, take random ones, and learn random rewards, each after `delay` rounds;
    `share` of them come. With `kind`, the last feature is 0 or 1."""
    g, lanes = np.random.default_rng(1), 3
    x = g.normal(size=(rounds, K, policy.features.d, lanes))
    if kind:
        x[:, :, -1] = g.random((rounds, K, lanes)) < 0.5
    chosen, reward = g.integers(K, size=(rounds, lanes)), g.choice([-1.0, -0.5, 0.0, 0.5, 1.0], (rounds, lanes))
    learn, uniform = g.random((rounds, lanes)) < share, g.random((rounds, policy.noise[1], lanes))
    played = Played(x, chosen, reward, learn, np.empty((rounds, K, lanes)), uniform, None)
    state, mask, taken = policy.init(lanes), np.ones((K, lanes), np.bool_), played.taken
    noise = g.random((rounds, policy.noise[0], lanes))
    for t in range(rounds):
        played.scores[t] = policy.score(state, Batch(x[t], mask, np.full(lanes, t)), noise[t])
        if delay:
            state = policy.update(state, lesson(taken[t], reward[t], np.zeros(lanes, np.bool_), t, t), uniform[t])
        if (s := t - delay) >= 0:
            state = policy.update(state, lesson(taken[s], reward[s], learn[s], s, t, tick=not delay), uniform[s])
    return played._replace(state=state)


def lesson(x: F64, reward: F64, learn: Bool, decided: int, now: int, tick: bool = True) -> Learning:
    """What there is to learn in round `now` from the decision of round `decided`, the same in all lanes."""
    n = len(reward)
    return Learning(x, reward, learn, np.full(n, decided), np.full(n, now), tick)


def taught(x: list[float], reward: float, decided: int, now: int, tick: bool = True) -> Learning:
    """A lesson for two equal lanes."""
    return lesson(
        np.repeat(np.array(x)[:, None], 2, axis=1), np.full(2, reward), np.ones(2, np.bool_), decided, now, tick
    )


def nothing(d: int, now: int) -> Learning:
    """A round that goes by without a reward, for two lanes."""
    return lesson(np.zeros((d, 2)), np.zeros(2), np.zeros(2, np.bool_), now, now)


def shown(policy: Policy, state: State, x: list[list[float]], t: int = 0) -> F64:
    """The scores (K,) of the candidates x (K, d), for two equal lanes."""
    batch = np.repeat(np.array(x)[:, :, None], 2, axis=2)
    noise = np.full((policy.noise[0], 2), 0.5)
    scores = policy.score(state, Batch(batch, np.ones((len(x), 2), np.bool_), np.full(2, t)), noise)
    assert np.array_equal(scores[:, 0], scores[:, 1])
    return np.asarray(scores[:, 0])


def confidence(V: F64, W: F64, b: F64, x: F64, alpha: float) -> F64:
    """x' V^-1 b + alpha sqrt(x' V^-1 W V^-1 x) (K,) for x (K, d), by dense linear algebra."""
    z = np.linalg.solve(V, x.T)
    return np.asarray(z.T @ b + alpha * np.sqrt(np.einsum("ak,ac,ck->k", z, W, z)))
