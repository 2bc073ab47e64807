"""Rewards on their way: a ring of the last decisions of each lane, and what arrives in a round.

The ring has W slots; a decision of round r stands in slot r mod W until its reward arrives or the slot is needed again.
`due` (W, n) holds the round in which the reward arrives, NOT_DUE where it never will within the ring, and EMPTY.
"""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64, I64, Bool
from oo_sim.kernels.compile import kernel
from oo_sim.kernels.elementary import exp, log, normals

EMPTY = -1
NOT_DUE = -2


@kernel
def geometric_delays(mean: float, uniform: F64, delay: I64) -> None:
    """Delays (n,) with P(delay >= k) = (mean / (1 + mean))^k, by inversion."""
    log_stay = log(mean / (1.0 + mean))
    for i in range(len(uniform)):
        delay[i] = np.int64(log(1.0 - uniform[i]) / log_stay)


@kernel
def lognormal_delays(median: float, sigma: float, uniform: F64, delay: I64) -> None:
    """Delays (n,) of median e^(sigma z) rounds, z standard normal, rounded down."""
    z = np.empty((1, len(uniform)))
    normals(uniform.reshape(1, -1), z)
    for i in range(len(uniform)):
        delay[i] = np.int64(min(median * exp(sigma * z[0, i]), 1e9))


@kernel
def uniform_delays(low: int, high: int, uniform: F64, delay: I64) -> None:
    """Delays (n,), each whole number from low to high alike."""
    for i in range(len(uniform)):
        delay[i] = low + np.int64(uniform[i] * (high - low + 1))


@kernel
def arrivals(due: I64, now: int, slots: I64, count: I64) -> int:
    """Which slots of the ring are due at round `now`, oldest first: `slots` (W, n), `count` (n,) of them in each lane.

    Returns the largest count.
    """
    W, n = due.shape
    count[:] = 0
    for age in range(W - 1, -1, -1):
        w = (now - age) % W
        for i in range(n):
            if due[w, i] == now:
                slots[count[i], i] = w
                count[i] += 1
    most = 0
    for i in range(n):
        most = max(most, count[i])
    return most


@kernel
def collect(
    ring_x: F64,
    ring_reward: F64,
    ring_reaction: I64,
    ring_decided: I64,
    due: I64,
    slots: I64,
    learn: Bool,
    x: F64,
    reward: F64,
    reaction: I64,
    decided: I64,
) -> None:
    """Take one reward a lane out of the ring, from `slots` (n,), in the lanes where `learn`; x is (d, n)."""
    d, n = x.shape
    for i in range(n):
        w = slots[i] if learn[i] else 0
        reward[i] = ring_reward[w, i] if learn[i] else 0.0
        reaction[i] = ring_reaction[w, i]
        decided[i] = ring_decided[w, i]
        for a in range(d):
            x[a, i] = ring_x[w, a, i] if learn[i] else 0.0
        if learn[i]:
            due[w, i] = EMPTY
