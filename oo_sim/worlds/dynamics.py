"""All that changes users over time, put together: drift and fatigue move preferences, presence says who is there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, I64, Bool, Lanes
from oo_sim.kernels import philox
from oo_sim.kernels.draws import LaneDraws
from oo_sim.scenario import Arrivals, Churn, TipsWorld
from oo_sim.worlds import drift, fatigue

_BAD = 2  # reaction codes below it are dismiss and not_helpful


class Presence(NamedTuple):
    """The round (n,) in which each user comes, bad reactions so far (n,), and who has left (n,)."""

    comes: I64
    bad: I64
    gone: Bool


def presence(arrivals: Arrivals | None, lanes: Lanes) -> Presence:
    """Nobody has left yet; who comes when depends on the user and the seed alone."""
    n = lanes.n
    comes = np.zeros(n, np.int64)
    if arrivals is not None:
        uniform = LaneDraws.of_population(lanes).uniforms(philox.PRESENCE, comes, 1)[0]
        comes = (uniform * arrivals.over).astype(np.int64)
    return Presence(comes, np.zeros(n, np.int64), np.zeros(n, np.bool_))


def active(presence: Presence, t: int) -> Bool:
    """Who decides in round t."""
    there: Bool = (presence.comes <= t) & ~presence.gone
    return there


def leave(spec: Churn, presence: Presence, draws: LaneDraws, rounds: I64, reaction: I64, there: Bool) -> None:
    """After a decision: some leave by chance, and some because too much was bad."""
    presence.bad[:] += there & (reaction >= 0) & (reaction < _BAD)
    by_chance = draws.uniforms(philox.PRESENCE, rounds, 1)[0] < spec.hazard
    enough = presence.bad >= spec.bad_reactions if spec.bad_reactions is not None else np.False_
    presence.gone[:] |= there & (by_chance | enough)


class Dynamics(NamedTuple):
    """What changes for a block's users; None for what the scenario does not have."""

    drifting: drift.Drifting | None
    appetite: fatigue.Appetite | None
    presence: Presence | None


def is_dynamic(world: TipsWorld) -> bool:
    """Whether anything changes."""
    return any(part is not None for part in (world.drift, world.fatigue, world.churn, world.arrivals))


def start(world: TipsWorld, lanes: Lanes, coefficients: F64) -> Dynamics:
    """The dynamics of a block whose users start with `coefficients` (25, n)."""
    comes_or_goes = world.churn is not None or world.arrivals is not None
    return Dynamics(
        drift.drifting(world, lanes, coefficients) if world.drift else None,
        fatigue.fresh(world.fatigue, world.tasks.count.max, lanes.n) if world.fatigue else None,
        presence(world.arrivals, lanes) if comes_or_goes else None,
    )


def preferences(dynamics: Dynamics, coefficients: F64, t: int, day: I64) -> F64:
    """The coefficients (25, n) of round t: drifted, and shifted by the appetite for tasks and tips."""
    if dynamics.drifting is not None:
        coefficients = drift.coefficients_at(dynamics.drifting, t, day)
    if dynamics.appetite is not None:
        coefficients = fatigue.shifted(dynamics.appetite, coefficients)
    return coefficients


def shift(dynamics: Dynamics, n: int) -> F64:
    """What is added to the utility of each task (tasks, n); no rows where nothing is."""
    return np.empty((0, n)) if dynamics.appetite is None else -dynamics.appetite.tasks


def there(dynamics: Dynamics, t: int) -> Bool | None:
    """Who decides in round t; None for everybody."""
    return None if dynamics.presence is None else active(dynamics.presence, t)


def awaited(dynamics: Dynamics, t: int) -> Bool | None:
    """Whose first round is t or later; None where everybody is there from the start."""
    return None if dynamics.presence is None else dynamics.presence.comes >= t


def advance(
    world: TipsWorld,
    dynamics: Dynamics,
    draws: LaneDraws,
    rounds: I64,
    present: Bool,
    chosen: I64,
    is_llm: F64,
    reaction: I64,
) -> None:
    """From the round `rounds` (n,) to the next: those `present` (n,) tire of what was chosen, and some leave; then
    appetite comes back, and preferences walk."""
    if world.fatigue is not None and dynamics.appetite is not None:
        source = is_llm[chosen, np.arange(len(chosen))].astype(np.int64)
        fatigue.tire(world.fatigue, dynamics.appetite, chosen, source, present)
        fatigue.recover(world.fatigue, dynamics.appetite)
    if world.churn is not None and dynamics.presence is not None:
        leave(world.churn, dynamics.presence, draws, rounds, reaction, present)
    if dynamics.drifting is not None:
        drift.walk(dynamics.drifting, draws, rounds + 1)
