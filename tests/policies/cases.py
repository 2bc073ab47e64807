"""Every built-in policy in several shapes, and made-up rounds to play them on."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from oo_sim.contract import F64, Batch, Bool, Candidates, Decision, Learning, Policy, Probs, State
from oo_sim.decide import decide, encode
from oo_sim.kernels import philox
from oo_sim.kernels.choice import take
from oo_sim.kernels.draws import LaneDraws, hash_users
from oo_sim.policies import POLICIES, make
from oo_sim.policies.warm import Start


def warm(d: int) -> str:
    """A warm start for d features, as text."""
    root = np.random.default_rng(d).normal(size=(d, 2 * d))
    A, theta = root @ root.T / d + np.eye(d), np.linspace(-0.5, 0.5, d)
    inverse = np.asarray(np.linalg.inv(A), np.float64)
    return Start(inverse[np.triu_indices(d)], A @ theta, theta).text


VARIANTS: dict[str, list[dict[str, object]]] = {
    "linucb": [
        {},
        {"alpha": 0.0},
        {"alpha": 0.5, "features": "oo7x"},
        {"prior": 1e-4},
        {"prior": 30},
        {"warm": warm(5)},
    ],
    "egreedy": [
        {},
        {"warm": warm(7)},
        {"epsilon": 0.0},
        {"epsilon": 1},
        {"epsilon": 0.7, "decay": 0.3},
        {"features": "oo7x"},
    ],
    "greedy": [{}, {"warm": warm(7)}, {"features": "oo5", "prior": 0.1}],
    "thompson": [
        {},
        {"warm": warm(7), "samples": 3},
        {"samples": 7},
        {"scale": 0},
        {"features": "oo7x", "scale": 2.0},
        {"samples": 2, "prior": 1e-4},
    ],
    "softmax": [{}, {"warm": warm(7)}, {"temperature": 1e-6}, {"temperature": 10, "features": "oo5"}],
    "squarecb": [{}, {"warm": warm(7)}, {"gamma": 100.0, "exponent": 0.0}],
    "bootstrap_ts": [{}, {"replicates": 3, "spread": 0.0}],
    "logistic_ts": [{}, {"samples": 5}],
    "linucb_disjoint": [{}, {"features": "oo7x"}],
    "linucb_hybrid": [{}, {"sharing": 0.0}],
    "dlinucb": [{}, {"gamma": 0.5}, {"gamma": 1.0}],
    "swlinucb": [{}, {"window": 1}, {"window": 4}],
    "restart_linucb": [{}, {"period": 1}, {"period": 4}],
}
"""Shapes beyond the default one; policies that are not named here take part as they are."""
CASES: dict[str, Policy] = {
    f"{name}:{','.join(f'{k}={v}'[:20] for k, v in parameters.items())}": make(name, parameters)
    for name in POLICIES
    for parameters in VARIANTS.get(name, [{}])
}
K, LANES, ROUNDS = 6, 12, 15
Pick = Sequence[int]


class Round(NamedTuple):
    """What all lanes meet in a round, whatever they choose."""

    candidates: Candidates
    reward: F64  # (n,)
    learn: Bool  # (n,)


class Seen(NamedTuple):
    """What a policy did in a round, and the state that it did it in (a copy)."""

    batch: Batch
    scores: F64
    probs: Probs
    decision: Decision
    state: State
    learning: Learning


def candidates(seed: int, n: int = LANES, arms: int = K) -> Candidates:
    """Tasks and tips with repeated columns, so that ties are common; 1 to `arms` of them stand."""
    g = np.random.default_rng(seed)
    truth, mask = g.uniform(-1, 1, (arms, n)), np.arange(arms)[:, None] < g.integers(1, arms + 1, n)
    return Candidates(
        is_overdue=g.integers(0, 2, (arms, n)).astype(float),
        task_age_days=g.choice([0.0, 3.0, 15.0, 40.0], (arms, n)),
        priority=g.integers(1, 5, (arms, n)).astype(float),
        is_llm=g.integers(0, 2, (arms, n)).astype(float),
        hour=g.integers(0, 24, n),
        day=g.integers(0, 7, n),
        mask=mask,
        serial=g.integers(0, 99, (arms, n)),
        truth=np.where(mask, truth, 0.0),
    )


def rounds(count: int = ROUNDS) -> Iterator[Round]:
    for t in range(count):
        g = np.random.default_rng(1000 + t)
        yield Round(candidates(t), g.choice([-1.0, -0.5, 0.0, 0.5, 1.0], LANES), g.random(LANES) < 0.8)


def of_lanes(values: Candidates, pick: Pick) -> Candidates:
    """Some of the lanes, in this order, in memory of their own."""
    return Candidates._make(None if v is None else np.ascontiguousarray(v[..., pick]) for v in values)


def copied(state: State) -> State:
    """The state with its arrays copied; states are arrays in tuples, which may be nested."""
    if isinstance(state, tuple):
        return state._make(map(copied, state)) if hasattr(state, "_make") else tuple(map(copied, state))
    return state.copy()


def leaves(state: State) -> Iterator[NDArray[Any]]:
    """The arrays of a state."""
    if isinstance(state, tuple):
        for part in state:
            yield from leaves(part)
    else:
        yield state


def play(policy: Policy, pick: Pick = range(LANES), count: int = ROUNDS) -> list[Seen]:
    """Play the policy on the lanes `pick`, which keep their users wherever they stand."""
    users = hash_users(f"user-{i}" for i in pick)
    draws, state, seen = LaneDraws(np.uint64(7), np.uint64(0), users), policy.init(len(pick)), []
    for t, each in enumerate(rounds(count)):
        offered, now = of_lanes(each.candidates, pick), np.full(len(pick), t)
        decision, before = decide(policy, state, offered, now, draws), copied(state)
        batch = Batch(encode(policy, offered), offered.mask, now)
        scores = policy.score(state, batch, draws.uniforms(philox.SCORE, now, policy.noise[0]))
        chosen = np.empty((policy.features.d, len(pick)))
        take(decision.x, decision.chosen, chosen)
        lanes: NDArray[np.int64] = np.asarray(pick)
        learning = Learning(chosen, each.reward[lanes], each.learn[lanes], now, now)
        seen.append(Seen(batch, scores, policy.probs(scores, batch), decision, before, learning))
        noise = draws.uniforms(philox.UPDATE, now, policy.noise[1])
        state = policy.update(state, learning, noise)
        if t % 3 == 2:  # the reward of an earlier decision arrives in the same round
            late = seen[-2].learning._replace(t_now=now, tick=False)
            state = policy.update(state, late, noise)
    return seen


@functools.cache
def played(case: str) -> list[Seen]:
    """What the policy of a case did on all lanes, played once for all tests."""
    return play(CASES[case])
