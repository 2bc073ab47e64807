"""What changed while a run went on: which dynamics its scenario has, and how its numbers are read then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from oo_sim.logs import Manifest


class Dynamics(NamedTuple):
    """Which dynamics there are: rewards that are late or missing, users who come or leave, users who change."""

    reporting: bool
    presence: bool
    change: bool


def dynamics_of(manifest: Manifest) -> Dynamics:
    """The dynamics of a run's scenario."""
    scenario = manifest.scenario
    world = scenario.get("world")
    has = {name for name in ("drift", "fatigue", "churn", "arrivals") if isinstance(world, dict) and world.get(name)}
    return Dynamics(bool(scenario.get("feedback")), bool(has & {"churn", "arrivals"}), bool(has & {"drift", "fatigue"}))


def notes(found: Dynamics) -> Iterator[str]:
    """What a reader must know to read rewards and regrets of such a run, one sentence or two a note."""
    if found.change:
        yield "Users change: regret is against the best for the user as it is in that round (dynamic regret)."
    if found.presence:
        yield (
            "Users come or leave: each user's value is over its own decisions, so that who left early still counts, "
            "and who never decided does not. Curves of reward are means over the users who are there in a round."
        )


def fate_notes(found: Dynamics) -> Iterator[str]:
    """The same for a table of what became of decisions."""
    if found.reporting:
        yield (
            "Shares of decisions by what became of their rewards by the end: rewarded (heard of and learned), pending "
            "(still on the way), expired (lost after the window), never heard of (no reaction, or not reported)."
        )
