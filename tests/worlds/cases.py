"""Small worlds, lanes, and decisions that tests make by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from oo_sim.contract import F64, I64, Candidates, Decision, Lanes, Offer, Response, State, World
from oo_sim.features import FEATURES
from oo_sim.kernels.draws import hash_users
from oo_sim.scenario import Scenario, validate
from oo_sim.worlds import build

Chooser = Callable[[int, Offer], I64]


def scenario(world: dict[str, Any], **changes: Any) -> Scenario:
    base = {"version": 1, "name": "test", "users": 4, "rounds": 4, "policies": ["random"], "world": world}
    return validate(base | changes)


def tips(**parts: Any) -> World:
    """A tips world; `parts` replace clock, tasks, tips, reactions or segments."""
    segments = [{"name": "all", "preferences": {"intercept": 0.2, "is_overdue": 0.5, "priority": {"mean": 1, "sd": 1}}}]
    return build(scenario({"kind": "tips", "tasks": {"count": 4}, "segments": segments} | parts))


def linear(**parts: Any) -> World:
    return build(scenario({"kind": "linear"} | parts))


def lanes(n: int, first: int = 0, seed: int = 1, replicate: int = 0) -> Lanes:
    return Lanes(hash_users(f"user-{j}" for j in range(first, first + n)), first, seed, replicate)


def decision(chosen: I64) -> Decision:
    """A decision of which only the choice matters."""
    n = len(chosen)
    nothing = np.zeros(n)
    return Decision(np.zeros((1, 0, n)), np.zeros((1, n)), chosen, nothing, nothing, nothing > 0)


def kept(candidates: Candidates) -> Candidates:
    """A copy: worlds use their memory again in each round."""
    return Candidates._make(None if column is None else column.copy() for column in candidates)


def first_of_all(t: int, offer: Offer) -> I64:
    return np.zeros(len(offer.best), np.int64)


def anything(seed: int) -> Chooser:
    """A chooser that picks any of those that stand."""

    def choose(t: int, offer: Offer) -> I64:
        size = offer.candidates.mask.sum(axis=0)
        drawn: I64 = np.random.default_rng((seed, t)).integers(0, size)
        return drawn

    return choose


def walk(world: World, who: Lanes, rounds: int, choose: Chooser = first_of_all) -> list[tuple[Offer, I64, Response]]:
    """Live in a world for some rounds; all that was offered, chosen and answered, copied."""
    state: State = world.init(who)
    out = []
    for t in range(rounds):
        offer = world.observe(state, t)
        columns = (None if column is None else column.copy() for column in offer[1:])
        copy = Offer(kept(offer.candidates), *columns)  # type: ignore[arg-type]
        chosen = choose(t, copy)
        response, state = world.respond(state, t, decision(chosen))
        out.append((copy, chosen, Response._make(a.copy() for a in response)))
    return out


def of(values: F64, chosen: I64) -> F64:
    """The chosen entries of (K, n)."""
    out: F64 = values[chosen, np.arange(len(chosen))]
    return out


def utility(offer: Offer, coefficients: F64) -> F64:
    """u (K, n) by its definition: the intercept and the terms of oo7x."""
    c = offer.candidates
    K, n = c.mask.shape
    x = np.empty((K, 24, n))
    FEATURES["oo7x"].encode(c, x)
    out: F64 = coefficients[0] + np.einsum("kdn,dn->kn", x, coefficients[1:])
    return out
