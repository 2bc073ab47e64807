"""Worlds: what a scenario describes, as pure functions over batched state."""

from __future__ import annotations

from oo_sim.contract import World
from oo_sim.scenario import LinearWorld, Scenario
from oo_sim.worlds import linear, tips

__all__ = ["build"]


def build(scenario: Scenario) -> World:
    """The world that a scenario describes."""
    if isinstance(scenario.world, LinearWorld):
        return linear.build(scenario.world)
    return tips.build(scenario.world)
