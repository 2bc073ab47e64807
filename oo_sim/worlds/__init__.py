"""Worlds: what a scenario describes, as pure functions over batched state."""

from __future__ import annotations

from oo_sim.contract import World
from oo_sim.scenario import LinearWorld, Scenario
from oo_sim.worlds import linear, tips
from oo_sim.worlds.feedback import feedback
from oo_sim.worlds.scenes import Scene, scenes
from oo_sim.worlds.tipbank import TipBank

__all__ = ["Scene", "TipBank", "build", "scenes"]


def build(scenario: Scenario, bank: TipBank | None = None) -> World:
    """The world that a scenario describes; tips of a tips world come out of the bank, if there is one."""
    spec = scenario.world
    world = linear.build(spec) if isinstance(spec, LinearWorld) else tips.build(spec, bank)
    return world._replace(feedback=feedback(scenario))
