"""A sliding window over a lane's last w decisions: a ring of what they taught, and the sums of what is in it.

`kept` (w, d + 2, n) holds x, the reward and the decision's number, which is -1 where a slot is empty.
"""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64, I64, Bool
from oo_sim.kernels.choice import take
from oo_sim.kernels.compile import kernel
from oo_sim.kernels.gram import add_outer, add_scaled


@kernel
def leave(kept: F64, slot: I64, limit: I64, gram: F64, b: F64) -> None:
    """Empty the slots `slot` (n,) that hold a decision up to number `limit` (n,), and take it off the sums."""
    rows, n = kept.shape[1:]
    entry, weight = np.empty((rows, n)), np.empty(n)
    take(kept, slot, entry)
    for i in range(n):
        number = entry[rows - 1, i]
        gone = number >= 0.0 and number <= limit[i]
        kept[slot[i], rows - 1, i] = -1.0 if gone else number
        weight[i] = -1.0 if gone else 0.0
        entry[rows - 2, i] *= weight[i]
    add_outer(gram, entry[: rows - 2], weight)
    add_scaled(b, entry[: rows - 2], entry[rows - 2])


@kernel
def enter(kept: F64, slot: I64, x: F64, reward: F64, decided: I64, learn: Bool, gram: F64, b: F64) -> None:
    """Write what was learned into the empty slots `slot` (n,) where `learn`, and add it to the sums."""
    d, n = x.shape
    weight, scale = np.empty(n), np.empty(n)
    for i in range(n):
        weight[i] = 1.0 if learn[i] else 0.0
        scale[i] = reward[i] if learn[i] else 0.0
        if learn[i]:
            for a in range(d):
                kept[slot[i], a, i] = x[a, i]
            kept[slot[i], d, i] = reward[i]
            kept[slot[i], d + 1, i] = decided[i]
    add_outer(gram, x, weight)
    add_scaled(b, x, scale)
