"""When decisions happen: hours and weekdays drawn from a distribution, or a walk through the week."""

from __future__ import annotations

from collections.abc import Callable

from oo_sim.contract import I64
from oo_sim.kernels.draws import LaneDraws
from oo_sim.kernels.tips import draw_clock
from oo_sim.scenario import RandomClock, WalkClock
from oo_sim.worlds.population import cumulative

Clock = Callable[[LaneDraws, I64, I64, I64], float]
"""Fills hour (n,) and day (n,) for the lanes' rounds t (n,), and returns the time in days since the first round."""


def clock(spec: RandomClock | WalkClock) -> Clock:
    """The clock that a scenario describes."""
    return _walking(spec) if isinstance(spec, WalkClock) else _random(spec)


def _random(spec: RandomClock) -> Clock:
    hours, days = cumulative(spec.hours), cumulative(spec.weekdays)

    def tick(draws: LaneDraws, t: I64, hour: I64, day: I64) -> float:
        draw_clock(*draws, t, hours, days, hour, day)
        return float(t[0]) / spec.decisions_per_day

    return tick


def _walking(spec: WalkClock) -> Clock:
    def tick(draws: LaneDraws, t: I64, hour: I64, day: I64) -> float:
        today, step = divmod(int(t[0]), spec.decisions_per_day)
        now = spec.from_hour + step * (spec.to_hour - spec.from_hour + 1) // spec.decisions_per_day
        hour[:], day[:] = now, today % 7
        return today + (now - spec.from_hour) / 24.0

    return tick
