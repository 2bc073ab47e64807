"""Warnings about dynamics that can't show, such as a change after the last round, or users who never come."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from math import erfc, log, sqrt

from oo_sim.contract import REACTIONS
from oo_sim.scenario.dynamics import Arrivals, Churn, Delay, Drift, Fatigue, Feedback
from oo_sim.scenario.fields import Fault
from oo_sim.scenario.models import TipsWorld
from oo_sim.scenario.problems import Path
from oo_sim.scenario.scenario import Scenario
from oo_sim.show import count

HARDLY = 0.001
"""A probability below it means that nearly nothing happens."""

MANY = 0.5
"""A share of rewards above it is hardly lost on purpose."""


def dynamics(scenario: Scenario) -> Iterator[Fault]:
    """What is written under feedback and under a tips world's dynamics, and shows nothing."""
    world = scenario.world
    if scenario.feedback is not None:
        yield from _under(("feedback",), _feedback(scenario.feedback, scenario))
    if not isinstance(world, TipsWorld):
        return
    for i, drift in enumerate(world.drift or ()):
        yield from _under(("world", "drift", i), chain(_when(drift, scenario.rounds, world), _whom(drift, world)))
    if world.fatigue is not None:
        yield from _under(("world", "fatigue"), _fatigue(world.fatigue, world))
    if world.churn is not None:
        yield from _under(("world", "churn"), _churn(world.churn, scenario.rounds))
    if world.arrivals is not None:
        yield from _under(("world", "arrivals"), _arrivals(world.arrivals, scenario.rounds))


def _under(path: Path, faults: Iterator[Fault]) -> Iterator[Fault]:
    return (fault._replace(path=(*path, *fault.path)) for fault in faults)


def _feedback(feedback: Feedback, scenario: Scenario) -> Iterator[Fault]:
    missing, world = feedback.missing, scenario.world
    if feedback.delay is None and feedback.window != Feedback.model_fields["window"].default:
        yield Fault(("window",), "has no effect without a delay: rewards arrive at once", on_key=True)
    if feedback.delay is not None:
        yield from _delay(feedback.delay, feedback.window, scenario.rounds)
    heard = max(1 - missing.by_reaction.get(reaction, 0.0) for reaction in REACTIONS) * (1 - missing.rate)
    heard *= max(1 - missing.by_source.get(source, 0.0) for source in ("task", "llm"))
    if heard < HARDLY:
        yield Fault(("missing",), "hardly any reaction is reported, so nothing is learned; lower the probabilities")
    if isinstance(world, TipsWorld):
        offered = {"task": world.tasks.count.max, "llm": world.tips.count.max}
        for source in missing.by_source:
            if not offered[source]:
                none = {"task": "there are no tasks", "llm": "there are no tips"}[source]
                yield Fault(("missing", "by_source", source), f"has no effect: {none}", on_key=True)


def _delay(delay: Delay, window: int, rounds: int) -> Iterator[Fault]:
    if delay.constant == 0 or delay.uniform == (0, 0):
        yield Fault(("delay",), "is always 0: rewards arrive at once; leave it out", on_key=True)
    elif (lost := 1.0 - _arrived(delay, window)) > MANY:
        share = f"{_percent(lost)} of the delays are longer, so that as many rewards are lost"
        yield Fault(("window",), f"is {window}, and {share}; lengthen it, or shorten the delay")
    elif _arrived(delay, rounds - 1) < HARDLY:
        message = (
            f"is so long that hardly any reward arrives within {count(rounds, 'round')}; shorten it, or add rounds"
        )
        yield Fault(("delay",), message, on_key=True)


def _percent(share: float) -> str:
    return "nearly all" if share > 1.0 - HARDLY else f"{share:.0%}"


def _arrived(delay: Delay, by: int) -> float:
    """P(delay <= by)."""
    if delay.geometric is not None:
        return 1.0 - (delay.geometric.mean / (1.0 + delay.geometric.mean)) ** (by + 1)
    if delay.lognormal is not None:
        away = log((by + 1) / delay.lognormal.median)
        return float(away > 0) if delay.lognormal.sigma == 0 else erfc(-away / delay.lognormal.sigma / sqrt(2)) / 2
    first, last = delay.uniform or (delay.constant or 0,) * 2
    return min(max((by + 1 - first) / (last + 1 - first), 0.0), 1.0)


def _when(drift: Drift, rounds: int, world: TipsWorld) -> Iterator[Fault]:
    last = f"the last round, which is {rounds - 1} (rounds count from 0)"
    if drift.abrupt is not None and drift.abrupt.at >= rounds:
        yield Fault(("abrupt", "at"), f"is {drift.abrupt.at}, after {last}: nobody changes; let it come earlier")
    if drift.abrupt is not None and drift.abrupt.at == 0:
        message = "is 0, so that it holds from the first round on and nobody changes; write it into the segments"
        yield Fault(("abrupt", "at"), message)
    if drift.gradual is not None and drift.gradual.start >= rounds - 1:
        yield Fault(("gradual", "start"), f"is {drift.gradual.start}, not before {last}: nobody changes")
    if drift.random_walk is not None and drift.random_walk.sd_per_day == 0:
        yield Fault(("random_walk", "sd_per_day"), "is 0, so that nobody moves")
    if drift.periodic is not None:
        common = _weekdays(world, rounds) & set(drift.periodic.days)
        if not common:
            yield Fault(
                ("periodic", "days"), f"do not occur in {count(rounds, 'round')} of this clock, so nobody changes"
            )
        elif common == _weekdays(world, rounds):
            message = (
                f"are all that occur in {count(rounds, 'round')} of this clock, so nobody changes; write it into the "
                "segments"
            )
            yield Fault(("periodic", "days"), message)


def _weekdays(world: TipsWorld, rounds: int) -> set[int]:
    """The weekdays on which decisions fall."""
    if world.clock.mode == "random":
        return {day for day, weight in enumerate(world.clock.weekdays) if weight > 0}
    return set(range(min(-(-rounds // world.clock.decisions_per_day), 7)))


def _whom(drift: Drift, world: TipsWorld) -> Iterator[Fault]:
    if drift.share == 0:
        yield Fault(("share",), "is 0, so that it concerns nobody")
    named = [s for s in world.segments if drift.segments is None or s.name in drift.segments]
    peopled = [segment for segment in named if segment.weight > 0]
    if not peopled:
        yield Fault(("segments",), "have a weight of 0, so that it concerns nobody")
    elif drift.become is not None and all(segment.name == drift.become for segment in peopled):
        yield Fault(("become",), f"is {drift.become}, which all of these users are already")
    if drift.preferences is not None and not drift.preferences:
        yield Fault(("preferences",), "names no term, so that nothing changes", on_key=True)


def _fatigue(fatigue: Fatigue, world: TipsWorld) -> Iterator[Fault]:
    default = {name: field.default for name, field in Fatigue.model_fields.items()}
    if not (fatigue.task or fatigue.source or fatigue.novelty):
        yield Fault((), "has no effect: task, source and novelty are all 0", on_key=True)
        return
    if not (fatigue.task or fatigue.source) and fatigue.half_life != default["half_life"]:
        yield Fault(("half_life",), "has no effect: task and source are 0, and novelty does not come back", on_key=True)
    if not fatigue.novelty and fatigue.novelty_showings != default["novelty_showings"]:
        yield Fault(("novelty_showings",), "has no effect: novelty is 0", on_key=True)
    if 0 in (world.tasks.count.max, world.tips.count.max):
        only = "tasks" if world.tasks.count.max else "tips"
        for name in ("source", "novelty"):
            if getattr(fatigue, name):
                message = f"is the same for all candidates, because there are only {only}: no choice depends on it"
                yield Fault((name,), message, on_key=True)


def _churn(churn: Churn, rounds: int) -> Iterator[Fault]:
    if churn.bad_reactions is not None and churn.bad_reactions >= rounds:
        message = f"is {churn.bad_reactions} in {count(rounds, 'round')}: nobody leaves because of it before the end"
        yield Fault(("bad_reactions",), message)
    if churn.hazard == 1:
        yield Fault(("hazard",), "is 1: everybody leaves after one decision, so nothing is learned")


def _arrivals(arrivals: Arrivals, rounds: int) -> Iterator[Fault]:
    if arrivals.over == 1:
        yield Fault(("over",), "is 1, so that all are there from the first round; write more rounds, or leave it out")
    elif arrivals.over > rounds:
        share = f"{1 - rounds / arrivals.over:.0%}"
        yield Fault(("over",), f"is {arrivals.over} in {count(rounds, 'round')}: {share} of the users never come")
