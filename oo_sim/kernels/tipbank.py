"""Tips out of a bank: which task on offer each is about, and what its text adds to its utility."""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64, I64, REWARDS
from oo_sim.kernels.compile import kernel

_LARGEST_ODDS = 2.0**360  # about e^250: beyond, every reaction is certain, and within, no product overflows
_STEP = REWARDS[1] - REWARDS[0]


@kernel
def ground_tips(
    t: I64,
    tasks: I64,
    tips: I64,
    about: I64,
    copies: bool,
    overdue: F64,
    age: F64,
    priority: F64,
    serial: I64,
) -> None:
    """Give each of the `tips` (n,) behind the `tasks` (n,) the serial number of the task that it is about.

    `about` (rounds, m, n) is that task's row, -1 for none; `t` (n,) is the round. Where `copies`, the tip has the
    task's features too. The columns are (K, n).
    """
    for i in range(len(t)):
        for j in range(tips[i]):
            source, k = about[t[i], j, i], tasks[i] + j
            if 0 <= source < tasks[i]:
                serial[k, i] = serial[source, i]
                if copies:
                    overdue[k, i] = overdue[source, i]
                    age[k, i] = age[source, i]
                    priority[k, i] = priority[source, i]


@kernel
def add_appeal(
    t: I64,
    tasks: I64,
    tips: I64,
    appeal: F64,
    cuts: F64,
    answers: float,
    odds: F64,
    expected: F64,
    best: F64,
) -> None:
    """Multiply the odds e^u of each tip by its `appeal` e^a (rounds, m, n), and take its expected reward and the best
    of the round (n,) anew.

    `odds` and `expected` are (K, n); tips stand right behind the tasks. The formula is that of `expected_rewards`:
    E = (1 - sum_j P(reaction <= j) / 2) times the probability of an answer.
    """
    for i in range(len(t)):
        standing = tasks[i] + tips[i]
        for k in range(tasks[i], standing):
            e = odds[k, i] * appeal[t[i], k - tasks[i], i]
            e = min(max(e, 1.0 / _LARGEST_ODDS), _LARGEST_ODDS)
            below = 0.0
            for cut in cuts:
                below += 1.0 / (1.0 + e * cut)
            odds[k, i] = e
            expected[k, i] = answers * (1.0 - _STEP * below)
        best[i] = -np.inf
        for k in range(standing):
            best[i] = max(best[i], expected[k, i])
