"""Warnings about valid scenarios that can't show what they vary. Never an error: it may be intended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from oo_sim.contract import REACTIONS
from oo_sim.policies import with_model
from oo_sim.scenario import reach
from oo_sim.scenario.fields import Fault, Normal
from oo_sim.scenario.lint_dynamics import dynamics
from oo_sim.scenario.models import LinearWorld, TipsWorld
from oo_sim.scenario.people import Segment
from oo_sim.scenario.problems import Path, Problem
from oo_sim.scenario.scenario import Scenario
from oo_sim.scenario.spec import PolicySpec
from oo_sim.scenario.terms import CONTEXT_TERMS, PRODUCTS, SHARED_TERMS, candidate_term

NEARLY_ALL = 0.999
"""A reaction more probable than this for all users hides all others."""


def lint(scenario: Scenario) -> list[Problem]:
    """What looks wrong with a valid scenario, in file order, each with its place in the file."""
    world = scenario.world
    found = _tips_world(scenario, world) if isinstance(world, TipsWorld) else _linear_world(world)
    faults = chain(_run(scenario), found, dynamics(scenario))
    problems = (scenario.source.problem(f.path, f.message, on_key=f.on_key) for f in faults)
    return sorted(problems, key=lambda problem: problem.position)


def _run(scenario: Scenario) -> Iterator[Fault]:
    if scenario.users == 1:
        yield Fault(("users",), "one user gives no interval: intervals are over users; simulate more")
    if scenario.rounds == 1:
        yield Fault(("rounds",), "in one round nothing is learned before it ends; simulate more")


def _linear_world(world: LinearWorld) -> Iterator[Fault]:
    if world.candidates == 1:
        yield Fault(("world", "candidates"), "one candidate leaves nothing to choose; offer 2 or more")
    if world.theta_norm == 0:
        yield Fault(("world", "theta_norm"), "theta is 0, so all candidates are equally good; make it positive")


def _tips_world(scenario: Scenario, world: TipsWorld) -> Iterator[Fault]:
    faults = chain(_candidates(world), _without_effect(scenario, world), _reactions(world))
    yield from (fault._replace(path=("world", *fault.path)) for fault in faults)
    for i, segment in enumerate(world.segments):
        path = ("world", "segments", i)
        yield from (fault._replace(path=(*path, *fault.path)) for fault in _segment(segment, world))
    constant = reach.constant_terms(world)
    for i, drift in enumerate(world.drift or ()):
        for term in _wanted(drift.preferences or {}):
            if message := _useless(term, constant, world):
                yield Fault(("world", "drift", i, "preferences", term), message, on_key=True)
    yield from _unlearnable(scenario, world)


def _candidates(world: TipsWorld) -> Iterator[Fault]:
    if world.tasks.count.max + world.tips.count.max == 1:
        yield Fault(("tasks", "count"), "one candidate in every round leaves nothing to choose; offer 2 or more")
    if world.tips.features == "task" and 0 in (world.tasks.count.min, world.tips.count.max):
        message = "where a round has no task or no tip, a tip can't be about a task; its features are the default"
        yield Fault(("tips", "features"), message)


def _without_effect(scenario: Scenario, world: TipsWorld) -> Iterator[Fault]:
    """Keys that are written in the file, differ from their default, and change nothing.

    `scenario show` writes every default, and that is nothing to warn of.
    """

    def written(part: str, name: str) -> bool:
        model = getattr(world, part)
        default = type(model).model_fields[name].get_default(call_default_factory=True)
        return ("world", part, name) in scenario.source.places and getattr(model, name) != default

    drifts = any(drift.random_walk for drift in world.drift or ())
    counted = world.clock.mode == "walk" or world.tasks.mode == "backlog" or drifts
    if not counted and written("clock", "decisions_per_day"):
        message = "has no effect: it matters to mode: walk, to a backlog and to a random_walk only"
        yield Fault(("clock", "decisions_per_day"), message, on_key=True)
    if world.tasks.count.max == 0:
        for name in ("mode", "titles", "priority", "due_in_days", "no_due_date", "whole_days"):
            if written("tasks", name):
                yield Fault(("tasks", name), "has no effect: there are no tasks", on_key=True)


def _reactions(world: TipsWorld) -> Iterator[Fault]:
    if world.reactions.no_reaction > NEARLY_ALL:
        yield Fault(("reactions", "no_reaction"), "hardly any decision gets a reaction, so nothing is learned")
    path: Path = ("reactions", "cut_points")
    for name, (least, most) in zip(REACTIONS, reach.probability_ranges(world), strict=True):
        if least > NEARLY_ALL:
            yield Fault(path, f"nearly every reaction is {name}; move the cut points towards the utilities")
        elif most < 1 - NEARLY_ALL:
            yield Fault(path, f"{name} hardly ever happens; move the cut points apart or towards the utilities")


def _segment(segment: Segment, world: TipsWorld) -> Iterator[Fault]:
    wanted = _wanted(segment.preferences)
    constant = reach.constant_terms(world)
    if segment.weight == 0 and all(drift.become != segment.name for drift in world.drift or ()):
        yield Fault(("weight",), "is 0, so that no user is of this segment, and none becomes so")
    changes = world.drift is not None or world.fatigue is not None
    if not changes and all(term in SHARED_TERMS or candidate_term(term) in constant for term in wanted):
        message = "nothing here tells the candidates of a decision apart, so that no policy beats random; "
        yield Fault(("preferences",), message + "prefer a term of the candidate, such as priority", on_key=True)
    for term in wanted:
        if message := _useless(term, constant, world):
            yield Fault(("preferences", term), message, on_key=True)


def _wanted(preferences: Mapping[str, Normal]) -> list[str]:
    return [term for term, c in preferences.items() if c.mean != 0 or c.sd > 0]


def _useless(term: str, constant: dict[str, str], world: TipsWorld) -> str:
    if term in CONTEXT_TERMS:
        never = "is the same for all candidates of a decision, so it never changes which is best"
        return f"{never}; to make it matter write a product such as {term}*priority"
    if (varying := candidate_term(term)) in constant:
        return f"tells no candidates apart: {constant[varying]}"
    if term.startswith("hour_") and reach.constant_hour(world):
        return "shows no dependence on the hour: all decisions fall in the same hour"
    if term.startswith("dow_") and reach.constant_weekday(world):
        return "shows no dependence on the weekday: all decisions fall on the same weekday"
    return ""


def _unlearnable(scenario: Scenario, world: TipsWorld) -> Iterator[Fault]:
    """Preferences that only the features of `oo7x` can express, where no listed policy has them."""
    if any(_may_know_products(spec) for spec in scenario.specs):
        return
    hidden = {*PRODUCTS, "is_llm"} - {t for t in ("is_llm",) if t in reach.constant_terms(world)}
    preferences = [s.preferences for s in world.segments] + [drift.preferences or {} for drift in world.drift or ()]
    terms = {term for each in preferences for term in _wanted(each) if term in hidden}
    if terms:
        first = next(term for term in (*PRODUCTS, "is_llm") if term in terms)
        advice = "add one such as linucb:features=oo7x"
        yield Fault(("policies",), f"no listed policy has a feature for {first}, so none can learn it; {advice}")


def _may_know_products(spec: PolicySpec) -> bool:
    """True for policies on `oo7x`, and for private ones, of which nothing is known."""
    return spec.name not in with_model("none") and (spec.private or dict(spec.parameters).get("features") == "oo7x")
