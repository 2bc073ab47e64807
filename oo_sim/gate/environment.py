"""The fingerprint of all that a policy meets: scenario, random streams, contexts, and the oracle's rewards."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oo_sim.contract import F64, I64, U64, Decision, Offer, World
from oo_sim.engine import Block
from oo_sim.engine.hashes import digest, mix
from oo_sim.kernels import philox
from oo_sim.kernels.draws import LaneDraws
from oo_sim.scenario import Scenario

USERS, ROUNDS = 64, 200
"""How many users are looked at, and for how many rounds at most."""
_APART = ("policies", "description", "users", "replicates")
_PURPOSES = (philox.DECIDE, philox.SCORE, philox.UPDATE, philox.REACTION)


def settings(scenario: Scenario) -> dict[str, Any]:
    """What a scenario says, without its policies, its words and its sizes: these change nothing for a user."""
    return {key: value for key, value in scenario.canonical().items() if key not in _APART}


def fingerprint(scenario: Scenario, world: World) -> dict[str, str]:
    """Hashes of the scenario, of random streams, of the users' contexts, and of the oracle's curve.

    Nothing of it depends on a policy: the world is asked directly, and the first candidate is served throughout.
    """
    said = json.dumps(settings(scenario), sort_keys=True, separators=(",", ":"), allow_nan=False)
    block = Block(0, 0, USERS)
    lanes = block.lanes(scenario.seed)
    contexts, oracle = np.zeros(USERS, np.uint64), np.zeros(min(scenario.rounds, ROUNDS), np.int64)
    state, first = world.init(lanes), _first(world.arms, USERS)
    for t in range(len(oracle)):
        offer = world.observe(state, t)
        _mix_contexts(contexts, offer)
        oracle[t] = (offer.best * world.scale).astype(np.int64).sum()
        _, state = world.respond(state, t, first)
    return {
        "scenario": hashlib.blake2b(said.encode(), digest_size=16).hexdigest(),
        "streams": digest(*(sample.view(np.uint64) for sample in _streams(LaneDraws.of(lanes)))),
        "contexts": digest(contexts),
        "oracle": digest(oracle),
    }


def differences(recorded: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The parts of two fingerprints that differ."""
    return [part for part in now if recorded.get(part) != now[part]]


def changed(recorded: Any, now: Any, path: str = "") -> str:
    """Where two scenarios differ first, and how; empty where they don't."""
    if isinstance(recorded, Mapping) and isinstance(now, Mapping):
        keys = [*recorded, *(key for key in now if key not in recorded)]
        found = (changed(recorded.get(k), now.get(k), f"{path}.{k}" if path else str(k)) for k in keys)
        return next((each for each in found if each), "")
    lists = isinstance(recorded, list | tuple) and isinstance(now, list | tuple)
    if lists and len(recorded) == len(now):
        found = (changed(one, other, f"{path}[{i}]") for i, (one, other) in enumerate(zip(recorded, now, strict=True)))
        return next((each for each in found if each), "")
    if lists and recorded != now:
        return f"{path} had {len(recorded)} values and has {len(now)}"
    return "" if recorded == now else f"{path} was {_short(recorded)} and is {_short(now)}"


def _short(value: Any) -> str:
    text = "absent" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def versions() -> dict[str, str]:
    """What runs here. None of it may change a bit, so a check compares it only to explain what did change."""
    return {name: version(name) for name in ("oo-sim", "numpy", "numba")} | {"python": platform.python_version()}


def elsewhere(recorded: Mapping[str, str]) -> str:
    """Which versions differ from those that were recorded with; empty where none does."""
    here = versions()
    return ", ".join(f"{name} {was} (here {here.get(name)})" for name, was in recorded.items() if here.get(name) != was)


def _first(arms: int, n: int) -> Decision:
    """The decision to serve the first candidate to everybody."""
    zeros = np.zeros(n)
    return Decision(np.zeros((arms, 0, n)), np.zeros((arms, n)), np.zeros(n, np.int64), zeros, zeros, zeros > 0)


def _mix_contexts(hashes: U64, offer: Offer) -> None:
    c = offer.candidates
    raw: tuple[NDArray[Any], ...] = (c.is_overdue, c.task_age_days, c.priority, c.is_llm, c.serial)
    vectors = () if c.vectors is None else (c.vectors,)
    mix(hashes, c.hour, c.day, c.mask, *(np.where(c.mask, each, 0) for each in raw), *vectors)


def _streams(draws: LaneDraws) -> list[F64]:
    t: I64 = np.arange(USERS)
    return [*(draws.uniforms(purpose, t, 4) for purpose in _PURPOSES), draws.normals(philox.VECTOR, t, 4)]
