"""What a tips world can vary: which terms are constant and why, and how probable its reactions are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import exp
from typing import NamedTuple

from oo_sim.scenario.fields import Normal
from oo_sim.scenario.models import TipsWorld
from oo_sim.scenario.offers import Tasks
from oo_sim.scenario.terms import CONTEXT_TERMS, INTERCEPT, candidate_term

SPREAD = 2.0
"""How many standard deviations of a coefficient count as usual."""
_STEPS = 40


class Range(NamedTuple):
    """From low to high."""

    low: float
    high: float


def constant_terms(world: TipsWorld) -> dict[str, str]:
    """The candidate terms that are the same for all candidates of this world, with the reason."""
    found = {}
    if world.tips.count.max == 0:
        found["is_llm"] = "there are no tips"
    elif world.tasks.count.max == 0:
        found["is_llm"] = "there are only tips"
    if not can_be_overdue(world.tasks):
        found |= dict.fromkeys(("is_overdue", "task_age"), "no task can be overdue")
    if len(priorities(world)) == 1:
        found["priority"] = "all candidates have the same priority"
    return found


def can_be_overdue(tasks: Tasks) -> bool:
    """True where some task may be past its due date when it is offered."""
    if tasks.count.max == 0 or tasks.no_due_date == 1:
        return False
    due = tasks.due_in_days
    if tasks.mode == "backlog" or (due.normal and (due.normal.sd > 0 or due.normal.mean < 0)):
        return True
    return (due.uniform is not None and due.uniform[0] < 0) or any(
        days < 0 and weight > 0 for days, weight in due.weights or ()
    )


def priorities(world: TipsWorld) -> set[int]:
    """The priorities that candidates may have; a tip with default features has priority 1."""
    found = set[int]()
    if world.tasks.count.max:
        found |= {i for i, weight in enumerate(world.tasks.priority, start=1) if weight > 0}
    if world.tips.count.max and world.tips.features == "default":
        found.add(1)
    return found


def constant_hour(world: TipsWorld) -> bool:
    """True where all decisions fall in the same hour."""
    if world.clock.mode == "random":
        return sum(weight > 0 for weight in world.clock.hours) == 1
    return world.clock.decisions_per_day == 1 or world.clock.from_hour == world.clock.to_hour


def constant_weekday(world: TipsWorld) -> bool:
    """True where all decisions fall on the same weekday."""
    return world.clock.mode == "random" and sum(weight > 0 for weight in world.clock.weekdays) == 1


def usual_utility(preferences: Mapping[str, Normal]) -> Range:
    """The utilities that users with such preferences may have, coefficients within `SPREAD` standard deviations."""
    low = high = 0.0
    for term, coefficient in preferences.items():
        size = SPREAD * coefficient.sd
        ends = [value * x for value in (coefficient.mean - size, coefficient.mean + size) for x in _term_range(term)]
        low, high = low + min(ends), high + max(ends)
    return Range(low, high)


def _term_range(term: str) -> Range:
    if term == INTERCEPT:
        return Range(1.0, 1.0)
    signed = term in CONTEXT_TERMS or candidate_term(term) != term
    return Range(-1.0, 1.0) if signed else Range(0.0, 1.0)


def reaction_probabilities(utility: float, cut_points: Sequence[float]) -> list[float]:
    """Probabilities of the reactions, worst first, given that there is one."""
    below = [0.0, *(_logistic(cut - utility) for cut in cut_points), 1.0]
    return [high - low for low, high in pairwise(below)]


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + exp(-x)) if x >= 0 else exp(x) / (1.0 + exp(x))


def probability_ranges(world: TipsWorld) -> list[Range]:
    """For each reaction, worst first, its smallest and largest probability over the usual utilities, before and after
    drifts of the preferences; random walks and fatigue come on top."""
    changes = [{}, *(drift.preferences for drift in world.drift or () if drift.preferences)]
    become = {drift.become for drift in world.drift or ()}
    peopled = [segment.preferences for segment in world.segments if segment.weight > 0 or segment.name in become]
    spans = [usual_utility(preferences | change) for preferences in peopled for change in changes]
    low, high = min(span.low for span in spans), max(span.high for span in spans)
    grid = [low + (high - low) * i / _STEPS for i in range(_STEPS + 1)]
    rows = [reaction_probabilities(utility, world.reactions.cut_points) for utility in grid]
    return [Range(min(column), max(column)) for column in zip(*rows, strict=True)]
