"""Sums of what happened, as scaled integers, so that the order of summing cannot matter."""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64, I64
from oo_sim.kernels.compile import kernel

REWARD, EXPECTED, REGRET, REACTIONS_AT = 0, 1, 2, 3
COLUMNS = 9
"""reward, expected reward, regret, then how often each reaction, and none, was seen."""


@kernel
def tally(
    expected: F64, best: F64, index: I64, reward: F64, reaction: I64, scale: float, totals: I64, sums: I64
) -> None:
    """Add one round to the running `totals` (3, n) of the first n lanes, and its sums over them to `sums` (COLUMNS,).

    Both count multiples of 1 / scale, rounded towards zero.
    """
    n = totals.shape[1]
    got = np.empty((3, n), np.int64)
    for i in range(n):
        value = np.int64(expected[index[i], i] * scale)
        got[0, i] = np.int64(reward[i] * scale)
        got[1, i] = value
        got[2, i] = np.int64(best[i] * scale) - value
    for j in range(3):
        total = np.int64(0)
        for i in range(n):
            totals[j, i] += got[j, i]
            total += got[j, i]
        sums[j] += total
    for code in range(COLUMNS - REACTIONS_AT):
        seen = np.int64(0)
        for i in range(n):
            seen += 1 if reaction[i] == code else 0
        sums[REACTIONS_AT + code] += seen
