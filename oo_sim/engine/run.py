"""The loop: observe, decide, respond, learn, tally. It is the same for every policy, world and number of lanes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from oo_sim.contract import I64, Bool, Decision, Lanes, Learned, Offer, Policy, World
from oo_sim.decide import decide
from oo_sim.engine import tile
from oo_sim.engine.feedback import ledger_for
from oo_sim.engine.memory import LOOP, Layout, Memory
from oo_sim.errors import OoSimError
from oo_sim.kernels import philox
from oo_sim.kernels.draws import LaneDraws
from oo_sim.kernels.tally import FATES_AT, SUMS, TOTALS, tally


class Observer(Protocol):
    """Sees every round as it was. It copies what it keeps."""

    def decided(self, t: I64, offer: Offer, decision: Decision, active: Bool) -> None:
        """What was offered and chosen in the lanes' own decisions t (n,)."""

    def learned(self, learned: Learned) -> None:
        """What was learned, in order; several times a round where several rewards arrive."""


class InterruptedRunError(Exception):
    """The run was told to stop."""


class RoundError(OoSimError):
    """A policy or world failed in round t (from 0); `user` is the serial number of the first user concerned."""

    exit_code = 1

    def __init__(self, t: int, user: int) -> None:
        super().__init__(f"failed in round {t + 1}, first for user-{user}")
        self.t, self.user = t, user


class Tally(NamedTuple):
    """Whole multiples of 1 / world.scale: sums over lanes (rounds, SUMS), totals at checkpoints (C, TOTALS, n); and
    what the lanes remember (rows, n), where it was asked for."""

    sums: I64
    totals: I64
    words: I64 | None = None


def simulate(
    world: World,
    policy: Policy,
    lanes: Lanes,
    count: int,
    rounds: int,
    checkpoints: Sequence[int],
    observer: Observer | None = None,
    ticked: Callable[[int], None] | None = None,
    decisions: int | None = None,
    begin: Memory | None = None,
    remembers: bool = False,
) -> Tally:
    """Run a policy in a world for `rounds` rounds. The first `count` lanes count; the rest only fill a block up.

    `checkpoints` are ascending numbers of rounds. `ticked` hears how many rounds are over since it began, and may raise
    to stop. Where nobody observes, all parts describe themselves and there are enough `decisions` in all (those of
    these lanes, if not given), compiled tiles play the rounds; bits cannot tell.

    With `begin`, what the same lanes remembered after some rounds, those rounds are not played again: sums are of the
    rest, and checkpoints in the rest. With `remembers`, so it can go on from here.
    """
    by_tiles = begin.by != LOOP if begin else tile.interpreted(world, policy, decisions or count * rounds) is None
    if observer is None and by_tiles:
        try:
            return Tally(*tile.played(world, policy, lanes, count, rounds, checkpoints, ticked, begin, remembers))
        except tile.NotFiniteError:  # the loop says whose it is, and when
            found = loop(world, policy, lanes, count, rounds, checkpoints, observer, ticked)
            assert begin is None
            assert not remembers
            return found
    return loop(world, policy, lanes, count, rounds, checkpoints, observer, ticked, begin, remembers)


def loop(
    world: World,
    policy: Policy,
    lanes: Lanes,
    count: int,
    rounds: int,
    checkpoints: Sequence[int],
    observer: Observer | None = None,
    ticked: Callable[[int], None] | None = None,
    begin: Memory | None = None,
    remembers: bool = False,
) -> Tally:
    """The same, interpreted round by round."""
    n, start = lanes.n, begin.rounds if begin else 0
    draws, x = LaneDraws.of(lanes), np.empty((world.arms, policy.features.d, n))
    running, sums = np.zeros((len(TOTALS), count), np.int64), np.zeros((rounds - start, len(SUMS)), np.int64)
    totals = np.empty((len(checkpoints), len(TOTALS), count), np.int64)
    everybody, now = np.ones(n, np.bool_), np.zeros(n, np.int64)  # now: the lanes' own numbers of decisions
    ledger = ledger_for(world.feedback, draws, policy.features.d, count)
    t, reached, words = start, 0, None
    try:
        place, mind = world.init(lanes), policy.init(n)
        layout = Layout(world, policy) if begin or remembers else None
        if layout and begin:
            layout.put((place, mind, ledger.kept(), running, now), begin.words)
        for t in range(start, rounds):
            offer = world.observe(place, t)
            active = everybody if offer.active is None else offer.active
            decision = decide(policy, mind, offer.candidates, now, draws, x)
            response, place = world.respond(place, t, decision)
            if observer is not None:
                observer.decided(now, offer, decision, active)
            for learned in ledger.settle(t, now, offer, decision, response, active):
                if observer is not None:
                    observer.learned(learned)
                noise = draws.uniforms(philox.UPDATE, learned.learning.t_decided, policy.noise[1])
                mind = policy.update(mind, learned.learning, noise)
            outcome = (decision.chosen, response.reward, response.reaction, active)
            tally(offer.expected, offer.best, *outcome, world.scale, running, sums[t - start])
            for column, fate in enumerate(ledger.counts(), FATES_AT):
                sums[t - start, column] = fate
            now += 1 if active is everybody else active
            if reached < len(checkpoints) and t + 1 == checkpoints[reached]:
                totals[reached] = running
                reached += 1
            if ticked is not None:
                ticked(t + 1 - start)
        if layout and remembers:
            words = layout.words((place, mind, ledger.kept(), running, now), count)
    except InterruptedRunError:
        raise
    except (Exception, SystemExit) as error:
        raise RoundError(t, lanes.first + getattr(error, "lane", 0)) from error
    return Tally(sums, totals, words)
