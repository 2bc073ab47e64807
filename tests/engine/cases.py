"""An observer that keeps what it saw, round by round."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, I64, Bool, Decision, Learned, Learning, Offer


class Row(NamedTuple):
    """One round, copied: the chosen candidate's truth, all that was offered of truth, and the decision."""

    t: I64
    got: F64  # (n,), the chosen candidate's expected reward
    best: F64
    expected: F64  # (K, n)
    mask: Bool
    x: F64  # (d, n), the chosen candidate's features
    decision: Decision


class Watch:
    """Keeps a row for each round and what was learned after it."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.lessons: list[Learned] = []

    def decided(self, t: I64, offer: Offer, decision: Decision, active: Bool) -> None:
        lanes = np.arange(len(decision.chosen))
        copy = Decision._make(column.copy() for column in decision)
        got, x = offer.expected[copy.chosen, lanes], copy.x[copy.chosen, :, lanes].T
        self.rows.append(
            Row(t.copy(), got, offer.best.copy(), offer.expected.copy(), offer.candidates.mask.copy(), x, copy)
        )

    def learned(self, learned: Learned) -> None:
        given, tick = learned.learning[:-1], learned.learning.tick
        copy = Learning._make([*(np.array(column) for column in given), tick])
        self.lessons.append(Learned(copy, learned.reaction.copy()))
