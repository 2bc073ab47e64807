"""All that changes users over time, put together: drift and fatigue move preferences, presence says who is there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, I64, Bool, Lanes
from oo_sim.kernels.draws import LaneDraws
from oo_sim.scenario import TipsWorld
from oo_sim.worlds import drift, fatigue
from oo_sim.worlds.presence import Presence, active, leave, presence


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
