"""The simulator's draws stand where the addressing says: made again from the address alone, by plain integers."""

from __future__ import annotations

import hashlib

import numpy as np
from kernels.test_philox import LOW, uniform

from oo_sim.contract import Decision, Learning, Offer, Response
from oo_sim.engine import Block, simulate
from oo_sim.policies import make
from oo_sim.scenario import load
from oo_sim.worlds import build

SEED, FIRST, USERS, ROUNDS, REPLICATE = 77, 64, 5, 12, 3
SEGMENT, DECIDE, REACTION = 1, 8, 7


def user(j: int) -> int:
    return int.from_bytes(hashlib.blake2b(f"user-{FIRST + j}".encode(), digest_size=8).digest(), "little")


def test_arms_flags_and_reactions_are_drawn_at_their_addresses() -> None:
    """The arm from the first uniform of DECIDE, the exploration flag from its second, silence likewise."""
    world, policy = build(load("quickstart")), make("egreedy", {"epsilon": 0.6})
    seen = []

    def watch(t: int, offer: Offer, decision: Decision, response: Response, learning: Learning) -> None:
        explored = 0.6 / offer.candidates.mask.sum(axis=0)
        for i in range(USERS):
            u1, u2, r2 = (
                uniform(SEED, REPLICATE, user(i), t, purpose, index)
                for purpose, index in ((DECIDE, 0), (DECIDE, 1), (REACTION, 1))
            )
            arm = int(np.searchsorted(np.cumsum(decision.probs[:, i]), u1, side="right"))
            assert decision.chosen[i] == arm
            assert decision.explored[i] == (u2 * decision.probs[arm, i] < explored[i])
            assert response.learn[i] == (r2 >= 0.1)
            seen.append(bool(decision.explored[i]))

    lanes = Block(REPLICATE, FIRST, USERS).lanes(SEED)
    simulate(world, policy, lanes, USERS, ROUNDS, [ROUNDS], watch)
    assert len(seen) == USERS * ROUNDS
    assert 0 < sum(seen) < len(seen)


def test_segments_are_drawn_in_no_replicate() -> None:
    """Replicate 2^32 - 1 stands for the population: three fifths are planners."""
    world = build(load("quickstart"))
    assert world.segment_of is not None
    which = world.segment_of(Block(REPLICATE, FIRST, USERS).lanes(SEED))
    want = [int(uniform(SEED, LOW, user(j), 0, SEGMENT, 0) >= 0.6) for j in range(USERS)]
    assert which.tolist() == want
