"""A tips world's users and rules as the numbers and arrays that compiled tiles read."""

from __future__ import annotations

import math

import numpy as np

from oo_sim.contract import F64, Lanes
from oo_sim.kernels.elementary import exp
from oo_sim.kernels.tile import numbers as at
from oo_sim.kernels.tile.instances import Users
from oo_sim.kernels.tile.writing import Scene
from oo_sim.scenario import TERMS, Drift, Due, Span, TipsWorld, WalkClock
from oo_sim.worlds import dynamics, fatigue
from oo_sim.worlds.drift import Change
from oo_sim.worlds.population import coefficients, cumulative

_CLOCK = ("hour", "dow")


def scene(spec: TipsWorld) -> Scene:
    """What decides which code the world has."""
    tasks, tips, drifts = spec.tasks, spec.tips, spec.drift or ()
    liked = {term for segment in spec.segments for term in segment.preferences}
    liked |= {term for drift in drifts for term in drift.preferences or {}}
    return Scene(
        "tips",
        tasks.count.max,
        tips.count.max,
        due=_due(tasks.due_in_days)[0],
        walks=isinstance(spec.clock, WalkClock),
        backlog=tasks.mode == "backlog",
        whole=bool(tasks.whole_days),
        places=_varies(tasks.count) or _varies(tips.count) or tips.features == "task",
        about_task=tips.features == "task",
        hourly=any(term.startswith(_CLOCK) for term in liked),
        changes=len(drifts),
        weekly=any(drift.periodic is not None for drift in drifts),
        wanders=any(drift.random_walk is not None for drift in drifts),
        tires=spec.fatigue is not None,
        comes=spec.arrivals is not None,
        churns=spec.churn is not None,
    )


def tiled(spec: TipsWorld, lanes: Lanes) -> Users:
    """The users of a block, for `kernels.tile.play`."""
    tasks, clock, preferred = spec.tasks, spec.clock, coefficients(spec.segments, lanes)
    _, first, second, days, cdf = _due(tasks.due_in_days)
    numbers: dict[str, float | F64] = {
        "per_day": clock.decisions_per_day,
        "priorities": cumulative(tasks.priority),
        "undated": float(tasks.no_due_date),
        "due_first": first,
        "due_second": second,
        "least_tasks": tasks.count.min,
        "task_counts": _many(tasks.count),
        "least_tips": spec.tips.count.min,
        "tip_counts": _many(spec.tips.count),
        "cuts": np.array([exp(-c) for c in spec.reactions.cut_points]),
        "answers": 1.0 - spec.reactions.no_reaction,
        "silence": float(spec.reactions.no_reaction),
    }
    if isinstance(clock, WalkClock):
        numbers |= {"from_hour": clock.from_hour, "to_hour": clock.to_hour}
    else:
        numbers |= {"hours": cumulative(clock.hours), "days": cumulative(clock.weekdays)}
    if spec.fatigue is not None:
        recovers, novelty, wears = fatigue.kept(spec.fatigue)
        numbers |= {"tire_task": spec.fatigue.task, "tire_source": spec.fatigue.source}
        numbers |= {"recovers": recovers, "novelty": novelty, "wears": wears}
    if spec.churn is not None:
        enough = spec.churn.bad_reactions
        numbers |= {"hazard": float(spec.churn.hazard), "enough": math.inf if enough is None else float(enough)}
    return Users(*_who(spec, lanes, preferred), days, cdf, numbers)


def _who(spec: TipsWorld, lanes: Lanes, preferred: F64) -> tuple[F64, F64]:
    """The users, and how they change, as `kernels.tile.people` has them."""
    if not dynamics.is_dynamic(spec):
        return np.concatenate([preferred, np.zeros((1, lanes.n))]), np.zeros((0, at.NAMED + len(TERMS)))
    state = dynamics.start(spec, lanes, preferred)
    changes = state.drifting.changes if state.drifting is not None else []
    comes = np.zeros(lanes.n) if state.presence is None else state.presence.comes.astype(np.float64)
    rows = [preferred, comes[None, :]]
    for change in changes:
        rows += [change.concerned.astype(np.float64)[None, :], change.target]
    table = [[_kind(c.spec), *_when(c), *_days(c.spec), *c.named[:, 0].astype(np.float64)] for c in changes]
    return np.concatenate(rows), np.array(table, np.float64).reshape(len(changes), at.NAMED + len(TERMS))


def _kind(spec: Drift) -> int:
    if spec.random_walk is not None:
        return at.WALK
    return at.ABRUPT if spec.abrupt is not None else at.GRADUAL if spec.gradual is not None else at.PERIODIC


def _when(change: Change) -> tuple[float, float]:
    """The round of an abrupt change, the first and last of a gradual one, or the rows that a walk moves."""
    spec = change.spec
    if spec.random_walk is not None:
        return change.moving
    if spec.gradual is not None:
        return spec.gradual.start, spec.gradual.end
    return (spec.abrupt.at if spec.abrupt is not None else 0), 0


def _days(spec: Drift) -> list[float]:
    return [float(spec.periodic is not None and day in spec.periodic.days) for day in range(7)]


def _varies(span: Span) -> bool:
    return span.min < span.max


def _many(span: Span) -> int:
    """How many different numbers there are."""
    return span.max - span.min + 1


def _due(spec: Due) -> tuple[str, float, float, F64, F64]:
    """How days until due come out of a uniform: the kind, its two parameters, its values and their probabilities."""
    if spec.normal is not None:
        return "normal", float(spec.normal.mean), float(spec.normal.sd), np.zeros(0), np.zeros(0)
    if spec.weights is not None:
        days, weights = zip(*spec.weights, strict=True)
        return "weights", 0.0, 0.0, np.array(days, dtype=np.float64), cumulative(weights)
    assert spec.uniform is not None
    return "uniform", float(spec.uniform[0]), float(spec.uniform[1]), np.zeros(0), np.zeros(0)
