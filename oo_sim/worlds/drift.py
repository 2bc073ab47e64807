"""Preferences that change: at once, gradually, on some weekdays, or by a random walk."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, I64, Bool, Lanes
from oo_sim.kernels import philox
from oo_sim.kernels.draws import LaneDraws
from oo_sim.scenario import TERMS, Drift, TipsWorld
from oo_sim.worlds.population import individuality, segment_of, spread


class Change(NamedTuple):
    """One drift, for a block of n lanes: whom it concerns (n,), which terms (25, 1), and what their coefficients
    (25, n) become. For a random walk `target` is the standard deviation of a round's step instead.
    """

    spec: Drift
    concerned: Bool
    named: Bool
    target: F64

    @property
    def moving(self) -> tuple[int, int]:
        """The rows from the first to the last that a random walk moves: none is drawn for the others."""
        rows = np.flatnonzero(self.target.any(axis=1))
        return (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 0)


class Drifting(NamedTuple):
    """All drifts of a block, the coefficients (25, n) that they start from, and how far each has walked (25, n)."""

    changes: list[Change]
    start: F64
    walked: F64


def drifting(world: TipsWorld, lanes: Lanes, start: F64) -> Drifting:
    """The drifts of a block of lanes whose coefficients start at `start`."""
    which, z = segment_of(world.segments, lanes), individuality(lanes)
    changes = [_change(world, j, spec, lanes, which, z) for j, spec in enumerate(world.drift or ())]
    return Drifting(changes, start, np.zeros(start.shape))


def _change(world: TipsWorld, j: int, spec: Drift, lanes: Lanes, which: I64, z: F64) -> Change:
    names = [segment.name for segment in world.segments]
    uniform = LaneDraws.of_population(lanes).uniforms(philox.DRIFT, np.full(lanes.n, j), 1)[0]
    members = np.isin(which, [names.index(name) for name in spec.segments or names])
    concerned, everything = members & (uniform < spec.share), np.ones((len(TERMS), 1), np.bool_)
    if spec.random_walk is not None:
        preferred = np.array([[term in s.preferences for s in world.segments] for term in TERMS])
        sd = spec.random_walk.sd_per_day / np.sqrt(world.clock.decisions_per_day)
        return Change(spec, concerned, everything, np.where(preferred[:, which], sd, 0.0))
    same = np.zeros(lanes.n, np.int64)
    if spec.become is not None:
        segment = world.segments[names.index(spec.become)]
        return Change(spec, concerned, everything, spread([segment.preferences]).of(same, z))
    preferences = spec.preferences or {}
    named = np.array([[term in preferences] for term in TERMS])
    return Change(spec, concerned, named, spread([preferences]).of(same, z))


def coefficients_at(drifting: Drifting, t: int, day: I64) -> F64:
    """The coefficients (25, n) of round t, whose weekday is `day` (n,): each change is laid over those before it, and
    terms that it does not name stay as they were. Walks stand where `walk` has brought them."""
    now = drifting.start
    for change in drifting.changes:
        if change.spec.random_walk is None:
            weight = _weight(change.spec, t, day) * change.concerned * change.named
            now = np.where(weight >= 1.0, change.target, now + (change.target - now) * weight)
    coefficients: F64 = now + drifting.walked
    return coefficients


def walk(drifting: Drifting, draws: LaneDraws, rounds: I64) -> None:
    """Every random walk takes its step into the lanes' rounds `rounds` (n,), the first into round 1."""
    for j, change in enumerate(drifting.changes):
        if change.spec.random_walk is not None:
            low, high = change.moving
            steps = draws.normals(philox.DRIFT, rounds, high - low, j * len(TERMS) + low)
            drifting.walked[low:high] += change.target[low:high] * steps * change.concerned


def _weight(spec: Drift, t: int, day: I64) -> F64:
    """How far the change has come (n,), from 0 to 1."""
    if spec.abrupt is not None:
        return np.full(len(day), float(t >= spec.abrupt.at))
    if spec.gradual is not None:
        way = (t - spec.gradual.start) / (spec.gradual.end - spec.gradual.start)
        return np.full(len(day), min(max(way, 0.0), 1.0))
    assert spec.periodic is not None
    return np.isin(day, spec.periodic.days).astype(np.float64)
