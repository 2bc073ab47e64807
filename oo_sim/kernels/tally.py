"""Sums of what happened, as scaled integers, so that the order of summing cannot matter."""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64, I64, REACTIONS, Bool
from oo_sim.kernels.compile import kernel

MONEY = ("reward", "expected_reward", "regret")
"""What is counted in whole multiples of 1 / scale."""
SEEN = (*REACTIONS, "none")
"""How often each reaction, and none, was seen."""
ENDED = ("rewarded", "expired", "never")
"""How the wait for a reward can end: it came, it expired, or it will never be reported; counted by the caller."""
SUMS = (*MONEY, *SEEN, "users", *ENDED, "pending")
"""The names of a round's sums over lanes, in order; the caller counts also how many are pending by then."""
TOTALS = (*MONEY, "decisions")
"""The names of a lane's running totals, in order."""

REWARD, EXPECTED, REGRET = (SUMS.index(name) for name in MONEY)
REACTIONS_AT, DECIDED, FATES_AT = SUMS.index(SEEN[0]), SUMS.index("users"), SUMS.index(ENDED[0])


@kernel
def tally(
    expected: F64, best: F64, index: I64, reward: F64, reaction: I64, active: Bool, scale: float, totals: I64, sums: I64
) -> None:
    """Add one round to the running `totals` (4, n) of the first n lanes, and its sums over them to `sums` (SUMS,).

    Rewards, expected rewards and regrets are multiples of 1 / scale, rounded towards zero; the fourth total counts the
    lane's decisions.
    """
    n = totals.shape[1]
    got = np.empty((3, n), np.int64)
    for i in range(n):
        value = np.int64(expected[index[i], i] * scale)
        got[0, i] = np.int64(reward[i] * scale) if active[i] else 0
        got[1, i] = value if active[i] else 0
        got[2, i] = np.int64(best[i] * scale) - value if active[i] else 0
    for j in range(3):
        total = np.int64(0)
        for i in range(n):
            totals[j, i] += got[j, i]
            total += got[j, i]
        sums[j] += total
    for code in range(DECIDED - REACTIONS_AT):
        seen = np.int64(0)
        for i in range(n):
            seen += 1 if reaction[i] == code and active[i] else 0
        sums[REACTIONS_AT + code] += seen
    for i in range(n):
        totals[3, i] += 1 if active[i] else 0
        sums[DECIDED] += 1 if active[i] else 0
