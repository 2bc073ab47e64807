"""A tips world's users and rules as the numbers and arrays that compiled tiles read."""

from __future__ import annotations

import math

import numpy as np

from oo_sim.contract import F64, Lanes
from oo_sim.kernels import tile_tips as tile
from oo_sim.kernels.elementary import exp
from oo_sim.kernels.tile import LinearTile
from oo_sim.kernels.tile_tips import TERMS, TipsTile
from oo_sim.scenario import TERMS as NAMES
from oo_sim.scenario import Drift, Due, Span, TipsWorld, WalkClock
from oo_sim.worlds import dynamics, fatigue
from oo_sim.worlds.drift import Change
from oo_sim.worlds.population import coefficients, cumulative


def no_tips() -> TipsTile:
    """What stands for a tips world where there is none."""
    return TipsTile(
        tasks=0,
        tips=0,
        walk=False,
        hours=np.zeros(24),
        days=np.zeros(7),
        from_hour=0,
        to_hour=0,
        per_day=1,
        backlog=False,
        whole=False,
        priorities=np.zeros(4),
        undated=0.0,
        due=tile.UNIFORM,
        due_first=0.0,
        due_second=0.0,
        due_days=np.zeros(0),
        due_cdf=np.zeros(0),
        places=False,
        about_task=False,
        task_range=(0, 0),
        tip_range=(0, 0),
        used=np.zeros(TERMS, np.bool_),
        cuts=np.zeros(4),
        answers=1.0,
        silence=0.0,
        coefficients=np.zeros((TERMS, 0)),
        drift=np.zeros(0, np.int64),
        drift_at=np.zeros((0, 2)),
        drift_days=np.zeros((0, 7), np.bool_),
        drift_named=np.zeros((0, TERMS), np.bool_),
        concerned=np.zeros((0, 0)),
        target=np.zeros((0, TERMS, 0)),
        tires=False,
        tire=np.zeros(5),
        present=False,
        comes=np.zeros(0, np.int64),
        churns=False,
        hazard=0.0,
        enough=math.inf,
    )


def no_vectors() -> LinearTile:
    """What stands for a linear world where there is none."""
    return LinearTile(False, 0, np.zeros((0, 0)), False, 1.0, False, 0.0)


def tiled(spec: TipsWorld, lanes: Lanes) -> tuple[TipsTile, LinearTile]:
    """The users of a block, for `kernels.tile.play`."""
    tasks, tips, clock, preferred = spec.tasks, spec.tips, spec.clock, coefficients(spec.segments, lanes)
    dynamic = dynamics.is_dynamic(spec)
    walks = isinstance(clock, WalkClock)
    kind, first, second, days, cdf = _due(tasks.due_in_days)
    said = no_tips()._replace(
        tasks=tasks.count.max,
        tips=tips.count.max,
        walk=walks,
        per_day=clock.decisions_per_day,
        backlog=tasks.mode == "backlog",
        whole=bool(tasks.whole_days),
        priorities=cumulative(tasks.priority),
        undated=float(tasks.no_due_date),
        due=kind,
        due_first=first,
        due_second=second,
        due_days=days,
        due_cdf=cdf,
        places=_varies(tasks.count) or _varies(tips.count) or tips.features == "task",
        about_task=tips.features == "task",
        task_range=_range(tasks.count),
        tip_range=_range(tips.count),
        used=np.array([dynamic or any(term in s.preferences for s in spec.segments) for term in NAMES]),
        cuts=np.array([exp(-c) for c in spec.reactions.cut_points]),
        answers=1.0 - spec.reactions.no_reaction,
        silence=float(spec.reactions.no_reaction),
        coefficients=preferred,
    )
    if isinstance(clock, WalkClock):
        said = said._replace(from_hour=clock.from_hour, to_hour=clock.to_hour)
    else:
        said = said._replace(hours=cumulative(clock.hours), days=cumulative(clock.weekdays))
    return _changing(said, spec, lanes, preferred) if dynamic else said, no_vectors()


def _changing(said: TipsTile, spec: TipsWorld, lanes: Lanes, preferred: F64) -> TipsTile:
    """The same with all that changes over time."""
    state = dynamics.start(spec, lanes, preferred)
    if state.drifting is not None:
        changes = state.drifting.changes
        said = said._replace(
            drift=np.array([_kind(change.spec) for change in changes]),
            drift_at=np.array([_when(change) for change in changes], np.float64),
            drift_days=np.array([[_on(change.spec, day) for day in range(7)] for change in changes]),
            drift_named=np.array([change.named[:, 0] for change in changes]),
            concerned=np.array([change.concerned for change in changes], np.float64),
            target=np.array([change.target for change in changes]),
        )
    if spec.fatigue is not None:
        tired = spec.fatigue
        said = said._replace(tires=True, tire=np.array([tired.task, tired.source, *fatigue.kept(tired)], np.float64))
    if state.presence is not None:
        said = said._replace(present=True, comes=state.presence.comes)
    if spec.churn is not None:
        enough = math.inf if spec.churn.bad_reactions is None else float(spec.churn.bad_reactions)
        said = said._replace(churns=True, hazard=float(spec.churn.hazard), enough=enough)
    return said


def _kind(spec: Drift) -> int:
    if spec.random_walk is not None:
        return tile.WALK
    return tile.ABRUPT if spec.abrupt is not None else tile.GRADUAL if spec.gradual is not None else tile.PERIODIC


def _when(change: Change) -> tuple[float, float]:
    """The round of an abrupt change, the first and last of a gradual one, or the rows that a walk moves."""
    spec = change.spec
    if spec.random_walk is not None:
        return change.moving
    if spec.gradual is not None:
        return spec.gradual.start, spec.gradual.end
    return (spec.abrupt.at if spec.abrupt is not None else 0), 0


def _on(spec: Drift, day: int) -> bool:
    return spec.periodic is not None and day in spec.periodic.days


def _varies(span: Span) -> bool:
    return span.min < span.max


def _range(span: Span) -> tuple[int, int]:
    """The least number, and how many there are."""
    return span.min, span.max - span.min + 1


def _due(spec: Due) -> tuple[int, float, float, F64, F64]:
    """How days until due come out of a uniform: the kind, its two parameters, its values and their probabilities."""
    if spec.normal is not None:
        return tile.NORMAL, float(spec.normal.mean), float(spec.normal.sd), np.zeros(0), np.zeros(0)
    if spec.weights is not None:
        days, weights = zip(*spec.weights, strict=True)
        return tile.WEIGHTS, 0.0, 0.0, np.array(days, dtype=np.float64), cumulative(weights)
    assert spec.uniform is not None
    return tile.UNIFORM, float(spec.uniform[0]), float(spec.uniform[1]), np.zeros(0), np.zeros(0)
