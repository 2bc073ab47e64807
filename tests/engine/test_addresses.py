"""The simulator's draws stand where the addressing says: made again from the address alone, by plain integers."""

from __future__ import annotations

import hashlib

import numpy as np
from kernels.test_philox import LOW, uniform

from oo_sim.engine import Block, simulate
from oo_sim.policies import make
from oo_sim.scenario import load
from oo_sim.worlds import build

from .cases import Watch

SEED, FIRST, USERS, ROUNDS, REPLICATE = 77, 64, 5, 12, 3
SEGMENT, DECIDE, REACTION = 1, 8, 7


def user(j: int) -> int:
    return int.from_bytes(hashlib.blake2b(f"user-{FIRST + j}".encode(), digest_size=8).digest(), "little")


def test_arms_flags_and_reactions_are_drawn_at_their_addresses() -> None:
    """The arm from the first uniform of DECIDE, the exploration flag from its second, silence likewise."""
    world, policy, watch = build(load("quickstart")), make("egreedy", {"epsilon": 0.6}), Watch()
    lanes = Block(REPLICATE, FIRST, USERS).lanes(SEED)
    simulate(world, policy, lanes, USERS, ROUNDS, [ROUNDS], observer=watch)
    flags = []
    for t, (row, lesson) in enumerate(zip(watch.rows, watch.lessons, strict=True)):
        share = 0.6 / row.mask.sum(axis=0)
        for i in range(USERS):
            u1, u2, silence = (
                uniform(SEED, REPLICATE, user(i), t, purpose, index)
                for purpose, index in ((DECIDE, 0), (DECIDE, 1), (REACTION, 1))
            )
            probs = row.decision.probs[:, i]
            arm = int(np.searchsorted(np.cumsum(probs), u1, side="right"))
            assert row.decision.chosen[i] == arm
            assert row.decision.explored[i] == (u2 * probs[arm] < share[i])
            assert lesson.learning.learn[i] == (silence >= 0.1)
            flags.append(bool(row.decision.explored[i]))
    assert 0 < sum(flags) < len(flags) == USERS * ROUNDS


def test_segments_are_drawn_in_no_replicate() -> None:
    """Replicate 2^32 - 1 stands for the population: three fifths are planners."""
    world = build(load("quickstart"))
    assert world.segment_of is not None
    which = world.segment_of(Block(REPLICATE, FIRST, USERS).lanes(SEED))
    want = [int(uniform(SEED, LOW, user(j), 0, SEGMENT, 0) >= 0.6) for j in range(USERS)]
    assert which.tolist() == want
