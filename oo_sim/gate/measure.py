"""Runs one policy on a range of users: what it earned from each, a hash of all it did, and a sample to audit."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from oo_sim.contract import I64, U64, Bool, Decision, Learned, Offer, World
from oo_sim.engine import Block, Observer, simulate
from oo_sim.gate.sample import Sampler, Setting
from oo_sim.gate.words import mix

EXPECTED = 1
"""The row of an engine's totals that holds the true expected reward."""
_LANES = 832  # as many lanes in a block as the engine takes


class Measured(NamedTuple):
    """What came of n users: expected reward at C checkpoints in units of 1 / world.scale (C, n), hashes of what was
    decided and of what was earned (32 hex digits each), and the sample where it was asked for."""

    totals: I64
    decisions: str
    curves: str
    sample: Sampler | None


class _Trace:
    """Hashes each lane's decisions as they are made: whatever the blocks, users have the same hashes."""

    def __init__(self, users: int, sampler: Sampler | None) -> None:
        self.hashes: U64 = np.zeros(users, np.uint64)
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
    threads: int = 1,
    block: int | None = None,
) -> Measured:
    """Run the setting's policy for `users` users from serial number `first` on, up to the last checkpoint of `marks`.

    Raises RoundError where the policy fails. Results depend on neither `threads` nor `block`.
    """
    size = block or max(1, min(_LANES, -(-users // threads)))
    parts = [Block(replicate, at, min(size, first + users - at)) for at in range(first, first + users, size)]
    sampler = Sampler(setting, parts[0].user_ids) if sample else None
    traces = [_Trace(part.users, sampler if part is parts[0] else None) for part in parts]

    def one(part: Block, trace: Observer) -> I64:
        lanes, policy = part.lanes(setting.seed), setting.entrant.policy
        return simulate(world, policy, lanes, part.users, marks[-1], marks, observer=trace).totals

    with ThreadPoolExecutor(threads) as pool:
        totals = np.concatenate(list(pool.map(one, parts, traces)), axis=-1)
    hashes = np.concatenate([trace.hashes for trace in traces])
    return Measured(totals[:, EXPECTED], digest(hashes), digest(totals), sampler)


def cores() -> int:
    """Cores that this process may use, where the system can tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def digest(*arrays: I64 | U64) -> str:
    """BLAKE2b-128 of the arrays' values."""
    state = hashlib.blake2b(digest_size=16)
    for array in arrays:
        state.update(np.ascontiguousarray(array).data)
    return state.hexdigest()
