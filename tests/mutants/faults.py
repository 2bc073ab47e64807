"""Faults, planted one at a time without touching a source file: each is a policy, or a patch of a part of the package.

Faulty policies keep the name and the parameters of the sound one, as a slip in its code would.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import pytest

from oo_sim.contract import F64, Batch, Candidates, FeatureMap, Learning, Policy, Probs
from oo_sim.policies import explore, ridge
from oo_sim.policies.egreedy import egreedy
from oo_sim.policies.linucb import linucb

Entrant: TypeAlias = str | Policy


class Mutant(NamedTuple):
    """A fault: the policy whose baseline it is held against, the audit's check that names it, and how it is planted."""

    policy: str
    check: str
    plant: Callable[[pytest.MonkeyPatch], Entrant]


Update = Callable[[ridge.Ridge, Learning, F64], ridge.Ridge]


def learning(fault: Callable[[Learning], Learning]) -> Callable[[pytest.MonkeyPatch], Entrant]:
    """LinUCB that learns something else than it should."""

    def update(state: ridge.Ridge, learning: Learning, noise: F64) -> ridge.Ridge:
        return ridge.update(state, fault(learning), noise)

    return lambda _: linucb()._replace(update=update)


def features(
    base: Policy, fault: Callable[[Candidates], Candidates] | None = None, after: Callable[[F64], None] | None = None
) -> Callable[[pytest.MonkeyPatch], Entrant]:
    """A policy whose features are made from other columns, or are changed after they are made."""
    phi = base.features

    def encode(candidates: Candidates, x: F64) -> None:
        phi.encode(fault(candidates) if fault else candidates, x)
        if after:
            after(x)

    return lambda _: base._replace(features=FeatureMap(phi.name, phi.names, encode))


def score(base: Policy, fault: Callable[[ridge.Ridge, F64], F64]) -> Callable[[pytest.MonkeyPatch], Entrant]:
    """A policy that scores in another way."""

    def scored(state: ridge.Ridge, batch: Batch, noise: F64) -> F64:
        return fault(state, batch.x)

    return lambda _: base._replace(score=scored)


def upper(alpha: float) -> Callable[[ridge.Ridge, F64], F64]:
    """The upper confidence bound at another alpha."""

    def scored(state: ridge.Ridge, x: F64) -> F64:
        mean, variance = ridge.mean_and_variance(state, x)
        return np.asarray(mean + alpha * np.sqrt(variance))

    return scored


def without_root(state: ridge.Ridge, x: F64) -> F64:
    """The bonus is the variance itself."""
    mean, variance = ridge.mean_and_variance(state, x)
    return np.asarray(mean + variance)


def exploring(fault: Callable[[F64, Batch], Probs]) -> Callable[[pytest.MonkeyPatch], Entrant]:
    """Epsilon-greedy with another explorer."""
    return lambda _: egreedy()._replace(probs=fault)


def never_the_last(scores: F64, batch: Batch) -> Probs:
    """Exploration that forgets the last candidate, as `randrange(K - 1)` does."""
    K = len(scores)
    explored = np.repeat(np.where(np.arange(K) < K - 1, 0.1 / max(K - 1, 1), 0.0)[:, None], scores.shape[1], axis=1)
    return Probs(explored + 0.9 * explore.greedy(scores, batch).total, explored)


def never_the_best(scores: F64, batch: Batch) -> Probs:
    """Exploration that leaves the best candidate out."""
    best = explore.greedy(scores, batch).total
    explored = 0.1 * (1.0 - best) / (len(scores) - 1)
    return Probs(explored + 0.9 * best, explored)


def last_of_ties(scores: F64, batch: Batch) -> Probs:
    """The last of the best candidates, as `>=` instead of `>` finds it."""
    backwards = Batch(batch.x[::-1], np.ascontiguousarray(batch.mask[::-1]), batch.t)
    found = explore.epsilon_greedy(0.1)(np.ascontiguousarray(scores[::-1]), backwards)
    return Probs(found.total[::-1], found.explored[::-1])


class Seen(NamedTuple):
    """A ridge regression, and what the fault keeps beside it."""

    ridge: ridge.Ridge
    kept: F64
    updates: int = 0


def _fresh(n: int) -> Seen:
    state = ridge.init(5, 1.0)(n)
    return Seen(state, state.theta.copy())


def lazy_theta(_: pytest.MonkeyPatch) -> Entrant:
    """Theta is computed anew only every 10th time."""

    def scored(state: Seen, batch: Batch, noise: F64) -> F64:
        return upper(1.0)(state.ridge._replace(theta=state.kept), batch.x)

    def update(state: Seen, learning: Learning, noise: F64) -> Seen:
        new, updates = ridge.update(state.ridge, learning, noise), state.updates + 1
        return Seen(new, new.theta.copy() if updates % 10 == 0 else state.kept, updates)

    return linucb()._replace(init=_fresh, score=scored, update=update)


def late_reward(_: pytest.MonkeyPatch) -> Entrant:
    """Each decision learns the reward of the one before."""

    def scored(state: Seen, batch: Batch, noise: F64) -> F64:
        return upper(1.0)(state.ridge, batch.x)

    def update(state: Seen, learning: Learning, noise: F64) -> Seen:
        late = learning._replace(reward=state.kept[0].copy())
        return Seen(ridge.update(state.ridge, late, noise), np.tile(learning.reward, (5, 1)))

    return linucb()._replace(init=_fresh, score=scored, update=update)


def one_in_a_hundred(again: bool) -> Callable[[pytest.MonkeyPatch], Entrant]:
    """1 % of the updates are lost, or applied twice."""

    def update(state: ridge.Ridge, learning: Learning, noise: F64) -> ridge.Ridge:
        rare = noise[0] < 0.01
        if not again:
            return ridge.update(state, learning._replace(learn=learning.learn & ~rare), noise)
        state = ridge.update(state, learning, noise)
        return ridge.update(state, learning._replace(learn=learning.learn & rare), noise)

    return lambda _: linucb()._replace(update=update, noise=(0, 1))


def single_precision(_: pytest.MonkeyPatch) -> Entrant:
    """The state is kept in float32."""

    def update(state: ridge.Ridge, learning: Learning, noise: F64) -> ridge.Ridge:
        new = ridge.update(state, learning, noise)
        return ridge.Ridge(*(np.asarray(a, np.float32).astype(np.float64) for a in new))

    return linucb()._replace(update=update)


def no_regularisation(_: pytest.MonkeyPatch) -> Entrant:
    """A starts at next to nothing instead of the identity."""
    return linucb()._replace(init=ridge.init(5, 1e-4))


def stale_hour(_: pytest.MonkeyPatch) -> Entrant:
    """Features of the hour before, as a clock that is read once too early gives them."""
    last = threading.local()

    def earlier(c: Candidates) -> Candidates:
        before = getattr(last, "hour", c.hour)
        last.hour = c.hour.copy()
        return c._replace(hour=before if before.shape == c.hour.shape else c.hour)

    return features(linucb(), earlier)(_)


def _add(x: F64, column: int, number: float) -> None:
    x[:, column] += number


def _no_weekday(x: F64) -> None:
    x[:, 5:7] = 0.0


def _swap(x: F64) -> None:
    x[:, [0, 1]] = x[:, [1, 0]]


POLICY_FAULTS: dict[str, Mutant] = {
    "b has the wrong sign": Mutant("linucb", "score", learning(lambda m: m._replace(reward=-m.reward))),
    "the wrong user's row": Mutant("linucb", "score", learning(lambda m: m._replace(x=np.roll(m.x, 1, axis=-1)))),
    "the wrong user's reward": Mutant("linucb", "score", learning(lambda m: m._replace(reward=np.roll(m.reward, 1)))),
    "rewards swapped in learning": Mutant(
        "linucb", "score", learning(lambda m: m._replace(reward=np.where(m.reward > 0, 1.5 - m.reward, m.reward)))
    ),
    "rewards clipped at 0": Mutant("linucb", "score", learning(lambda m: m._replace(reward=np.maximum(m.reward, 0.0)))),
    "A not updated at reward 0": Mutant(
        "linucb", "score", learning(lambda m: m._replace(learn=m.learn & (m.reward != 0.0)))
    ),
    "silence learned as reward 0": Mutant(
        "linucb", "score", learning(lambda m: m._replace(learn=np.ones_like(m.learn)))
    ),
    "theta refreshed every 10th time": Mutant("linucb", "score", lazy_theta),
    "reward one round late": Mutant("linucb", "score", late_reward),
    "1 % of updates lost": Mutant("linucb", "score", one_in_a_hundred(again=False)),
    "1 % of updates applied twice": Mutant("linucb", "score", one_in_a_hundred(again=True)),
    "float32 state": Mutant("linucb", "score", single_precision),
    "no regularisation": Mutant("linucb", "score", no_regularisation),
    "alpha halved": Mutant("linucb", "score", score(linucb(), upper(0.5))),
    "alpha doubled": Mutant("linucb", "score", score(linucb(), upper(2.0))),
    "bonus without the root": Mutant("linucb", "score", score(linucb(), without_root)),
    "epsilon doubled": Mutant("egreedy", "probs", exploring(explore.epsilon_greedy(0.2))),
    "epsilon 0": Mutant("egreedy", "probs", exploring(explore.greedy)),
    "random index never the last": Mutant("egreedy", "probs", exploring(never_the_last)),
    "exploration leaves out the best": Mutant("egreedy", "probs", exploring(never_the_best)),
    "the last on a tie": Mutant("egreedy", "tie", exploring(last_of_ties)),
    "stale hour": Mutant("linucb", "features", stale_hour),
    "hour + 1": Mutant("linucb", "features", features(linucb(), lambda c: c._replace(hour=(c.hour + 1) % 24))),
    "day of the week zeroed": Mutant("egreedy", "features", features(egreedy(), after=_no_weekday)),
    "age off by one day": Mutant(
        "linucb", "features", features(linucb(), lambda c: c._replace(task_age_days=c.task_age_days + 1.0))
    ),
    "negative ages not clipped": Mutant(
        "linucb", "features", features(linucb(), lambda c: c._replace(task_age_days=np.abs(c.task_age_days)))
    ),
    "priority from 0 to 4": Mutant("linucb", "features", features(linucb(), after=lambda x: _add(x, 4, 1 / 3))),
    "sine and cosine swapped": Mutant("linucb", "features", features(linucb(), after=_swap)),
    "overdue turned round": Mutant(
        "linucb", "features", features(linucb(), lambda c: c._replace(is_overdue=1.0 - c.is_overdue))
    ),
}
"""Faults in a policy's own code."""
