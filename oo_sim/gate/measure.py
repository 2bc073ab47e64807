"""Runs one policy on a range of users: what it earned from each, a hash of all it did, and a sample to audit."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from oo_sim.contract import I64, U64, Bool, Decision, Learned, Offer, World
from oo_sim.engine import Block, forks, simulate
from oo_sim.gate.hashes import digest, mix
from oo_sim.gate.sample import Sampler, Setting
from oo_sim.kernels.tally import TOTALS

EXPECTED = TOTALS.index("expected_reward")
"""The row of an engine's totals that holds the true expected reward."""
LEAST_LANES = 64
"""The fewest, so that the users whose decisions are kept stand in the first block."""
LANES = 832
"""The most lanes in a block: half of what the engine takes, for what is hashed is looked at a second time."""


class Measured(NamedTuple):
    """What came of n users: expected reward at C checkpoints in units of 1 / world.scale (C, n), hashes of what was
    decided and of what was earned (32 hex digits each), and the sample where it was asked for."""

    totals: I64
    decisions: str
    curves: str
    sample: Sampler | None


class _Trace:
    """Hashes each lane's decisions as they are made: whatever the blocks, users have the same hashes."""

    def __init__(self, hashes: U64, sampler: Sampler | None) -> None:
        self.hashes = hashes
        self._sampler = sampler

    def decided(self, t: I64, offer: Offer, decision: Decision, active: Bool) -> None:
        """Take in what was decided: all features and probabilities, the choice, and its score."""
        rows = (decision.x, decision.probs, decision.chosen, decision.propensity, decision.score, decision.explored)
        n = len(self.hashes)
        mix(self.hashes, *(column[..., :n] for column in rows), where=active[:n])
        if self._sampler is not None:
            self._sampler.decided(t, offer, decision, active)

    def learned(self, learned: Learned) -> None:
        """Take in what was learned from."""
        n, (x, reward, learn, t_decided, _, _) = len(self.hashes), learned.learning
        if learn[:n].any():  # how often this is called depends on the block, a lane's own share of it does not
            mix(self.hashes, *(column[..., :n] for column in (x, reward, t_decided)), where=learn[:n])
        if self._sampler is not None:
            self._sampler.learned(learned)


def measure(
    world: World,
    setting: Setting,
    marks: Sequence[int],
    *,
    first: int,
    users: int,
    replicate: int = 0,
    sample: bool = False,
    workers: int = 1,
    block: int | None = None,
) -> Measured:
    """Run the setting's policy for `users` users from serial number `first` on, up to the last checkpoint of `marks`.

    Built-in policies run on up to `workers` forked processes, where the system can fork and there is enough to do; the
    block with the sample, and private policies, run in this one. Raises RoundError where the policy fails. Results
    depend on neither `workers` nor `block`.
    """
    size = block or min(LANES, max(LEAST_LANES, -(-users // workers)))
    parts = [Block(replicate, at, min(size, first + users - at)) for at in range(first, first + users, size)]
    sampler = Sampler(setting, parts[0].user_ids) if sample else None
    totals, hashes = forks.shared(len(marks), users), forks.shared(users).view(np.uint64)

    def work(j: int) -> None:
        part, lanes = parts[j], slice(parts[j].first - first, parts[j].first - first + parts[j].users)
        hashes[lanes] = 0
        trace = _Trace(hashes[lanes], sampler if j == 0 else None)
        tally = simulate(
            world, setting.entrant.policy, part.lanes(setting.seed), part.users, marks[-1], marks, observer=trace
        )
        earned[:, :, lanes] = tally.totals

    earned = forks.shared(len(marks), 4, users)
    _each(work, len(parts), workers if setting.entrant.built_in and users * marks[-1] >= forks.LEAST else 1)
    totals[:] = earned[:, EXPECTED]
    return Measured(totals, digest(hashes), digest(earned), sampler)


def _each(work: Callable[[int], None], parts: int, workers: int) -> None:
    """Do part 0 here, where its sample is wanted; the others on forked processes if that pays and succeeds. What fails
    there fails here too, and then with its error."""
    work(0)
    left = parts - 1
    if workers > 1 and left > 1 and forks.possible() and forks.forked(workers, left, lambda j: work(j + 1), _nothing):
        return
    for j in range(1, parts):
        work(j)


def _nothing() -> None:
    """Nobody waits for news of a measurement."""


def cores() -> int:
    """Cores that this process may use, where the system can tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
