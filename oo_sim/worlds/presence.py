"""Who is there: users who come in the course of time, and users who leave for good."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oo_sim.contract import I64, Bool, Lanes
from oo_sim.kernels import philox
from oo_sim.kernels.draws import LaneDraws
from oo_sim.scenario import Arrivals, Churn

_BAD = 2  # reaction codes below it are dismiss and not_helpful


class Presence(NamedTuple):
    """The round (n,) in which each user comes, bad reactions so far (n,), and who has left (n,)."""

    comes: I64
    bad: I64
    gone: Bool


def presence(arrivals: Arrivals | None, lanes: Lanes) -> Presence:
    """Nobody has left yet; who comes when depends on the user and the seed alone."""
    n = lanes.n
    comes = np.zeros(n, np.int64)
    if arrivals is not None:
        uniform = LaneDraws.of_population(lanes).uniforms(philox.PRESENCE, comes, 1)[0]
        comes = (uniform * arrivals.over).astype(np.int64)
    return Presence(comes, np.zeros(n, np.int64), np.zeros(n, np.bool_))


def active(presence: Presence, t: int) -> Bool:
    """Who decides in round t."""
    there: Bool = (presence.comes <= t) & ~presence.gone
    return there


def leave(spec: Churn, presence: Presence, draws: LaneDraws, rounds: I64, reaction: I64, there: Bool) -> None:
    """After a decision: some leave by chance, and some because too much was bad."""
    presence.bad[:] += there & (reaction >= 0) & (reaction < _BAD)
    by_chance = draws.uniforms(philox.PRESENCE, rounds, 1)[0] < spec.hazard
    enough = presence.bad >= spec.bad_reactions if spec.bad_reactions is not None else np.False_
    presence.gone[:] |= there & (by_chance | enough)
