"""The loop: observe, decide, respond, learn, tally. It is the same for every policy, world and number of lanes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from oo_sim.contract import I64, Decision, Lanes, Learning, Offer, Policy, Response, World
from oo_sim.decide import decide
from oo_sim.kernels import philox
from oo_sim.kernels.choice import take
from oo_sim.kernels.draws import LaneDraws
from oo_sim.kernels.tally import COLUMNS, tally

Observer = Callable[[int, Offer, Decision, Response, Learning], None]
"""Sees every round as it was: t, what was offered, chosen, answered and learned. It copies what it keeps."""


class InterruptedRunError(Exception):
    """The run was told to stop."""


class RoundError(Exception):
    """A policy or world failed in round t (from 0); `user` is the serial number of the first user concerned."""

    def __init__(self, t: int, user: int) -> None:
        super().__init__(f"failed in round {t + 1}, first for user-{user}")
        self.t, self.user = t, user


class Tally(NamedTuple):
    """Whole multiples of 1 / world.scale: sums over lanes (rounds, COLUMNS), totals at checkpoints (C, 3, n)."""

    sums: I64
    totals: I64


def simulate(
    world: World,
    policy: Policy,
    lanes: Lanes,
    count: int,
    rounds: int,
    checkpoints: Sequence[int],
    observer: Observer | None = None,
    ticked: Callable[[int], None] | None = None,
) -> Tally:
    """Run a policy in a world for `rounds` rounds. The first `count` lanes count; the rest only fill a block up.

    `checkpoints` are ascending numbers of rounds. `ticked` hears how many rounds are over, and may raise to stop.
    """
    n = lanes.n
    draws, x = LaneDraws.of(lanes), np.empty((world.arms, policy.features.d, n))
    chosen = np.empty((policy.features.d, n))
    running, sums = np.zeros((3, count), np.int64), np.zeros((rounds, COLUMNS), np.int64)
    totals = np.empty((len(checkpoints), 3, count), np.int64)
    t = reached = 0
    try:
        place, mind, now = world.init(lanes), policy.init(n), np.empty(n, np.int64)
        for t in range(rounds):
            now[:] = t
            offer = world.observe(place, t)
            decision = decide(policy, mind, offer.candidates, now, draws, x)
            response, place = world.respond(place, t, decision)
            take(decision.x, decision.chosen, chosen)
            learning = Learning(chosen, response.reward, response.learn, now, now)
            if observer is not None:
                observer(t, offer, decision, response, learning)
            mind = policy.update(mind, learning, draws.uniforms(philox.UPDATE, now, policy.noise[1]))
            tally(
                offer.expected,
                offer.best,
                decision.chosen,
                response.reward,
                response.reaction,
                world.scale,
                running,
                sums[t],
            )
            if reached < len(checkpoints) and t + 1 == checkpoints[reached]:
                totals[reached] = running
                reached += 1
            if ticked is not None:
                ticked(t + 1)
    except InterruptedRunError:
        raise
    except (Exception, SystemExit) as error:
        raise RoundError(t, lanes.first + getattr(error, "lane", 0)) from error
    return Tally(sums, totals)
