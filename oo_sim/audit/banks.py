"""The tips world whose tips come out of a bank: what the log says of them, and all that must follow from it.

A bank's texts are not in the log. How many tips there were and which task each is about is taken from it; that there
are no more of them than the scenario offers, that such a task is on offer and that the tip has its columns is derived.
A text adds to its tip's utility: by keywords one of few numbers, so that an expected reward is one of few; otherwise
any, and then the logged expected reward of what was chosen is believed, and the reaction must follow from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from oo_sim.audit.arrays import F64, I64, Bool
from oo_sim.audit.people import Lanes
from oo_sim.audit.rows import Decisions
from oo_sim.audit.worlds import Answer, Offer, TipsWorld

_LARGEST = 260.0
"""No utility is larger; beyond 250 every reaction is certain."""


class Told(NamedTuple):
    """What a log says of N decisions, or of the n lanes of a round: how many tips there were, the serial number of the
    task that each of the m is about (m, N), -1 for none, and the expected reward of what was chosen."""

    tips: I64
    about: I64
    expected: F64

    @classmethod
    def by(cls, d: Decisions, most: int) -> Told:
        """What the log says of all decisions, in which there are at most so many tips."""
        serial, tip = d.serials(), d.is_llm & d.standing
        tasks, rows = (d.standing & ~d.is_llm).sum(axis=0), np.arange(len(d.t))
        last = len(serial) - 1
        about = [np.where(tasks + j <= last, serial[np.minimum(tasks + j, last), rows], -1) for j in range(most)]
        return cls(tip.sum(axis=0), np.reshape(about, (most, len(d.t))), d.expected)

    def at(self, rows: I64, who: I64, n: int) -> Told:
        """Of a round's n lanes, of which `who` have a row."""
        tips, about, expected = np.zeros(n, np.int64), np.full((len(self.about), n), -1), np.full(n, np.nan)
        tips[who], about[:, who], expected[who] = self.tips[rows], self.about[:, rows], self.expected[rows]
        return Told(tips, about, expected)


class BankWorld(TipsWorld):
    """`appeal` is how texts are valued: by `keywords`, or by another model that may give any number."""

    def __init__(self, scenario: Mapping[str, Any], lanes: Lanes, appeal: str) -> None:
        super().__init__(scenario, lanes)
        said = self.spec["tips"].get("appeal")
        self.free = appeal != "keywords"
        self.worths = None  # (2, 2): names a task or not, contradicts the hour or not
        if said and not self.free:
            named = np.array([said.get("names_no_task", 0.0), said.get("about_task", 0.0)])
            self.worths = named[:, None] + [0.0, said.get("contradicts_hour", 0.0)]
        nothing = np.zeros(lanes.n, np.int64)
        self.told = Told(nothing, np.full((self.tips, lanes.n), -1), np.full(lanes.n, np.nan))

    def hear(self, told: Told) -> None:
        """What the log says of the round that comes."""
        self.told = told

    def counts(self, r: int) -> tuple[I64, I64]:
        """No more tips than the scenario offers."""
        tasks, tips = super().counts(r)
        return tasks, np.minimum(tips, self.told.tips)

    def about(self, r: int, tip: Bool, tasks: I64) -> I64:
        """The row of the task with the logged serial number, where it is on offer."""
        row = np.full(tip.shape, -1)
        on_offer = np.arange(self.tasks)[:, None] < tasks
        for j, serial in enumerate(self.told.about):
            same = (self.serial == serial) & on_offer & (serial >= 0)
            at = np.minimum(tasks + j, len(row) - 1), np.arange(self.lanes.n)
            row[at] = np.where(tip[at] & same.any(axis=0), same.argmax(axis=0), row[at])
        return row

    def valued(self, r: int, offer: Offer) -> Offer:
        """With what texts may add to the tips' utilities."""
        offer = super().valued(r, offer)
        if self.free:
            return offer._replace(free=offer.is_llm)
        if self.worths is None:
            return offer
        added = np.where(offer.is_llm[..., None], self.worths[(offer.serial >= 0).astype(np.int64)], 0.0)
        return offer._replace(possible=np.stack([self.worth(self.utility + added[..., v]) for v in (0, 1)]))

    def react(self, r: int, offer: Offer, chosen: I64, decides: Bool) -> Answer:
        """The reactions to the utility that gives the logged expected reward, where a tip with a text was chosen."""
        lanes = np.arange(self.lanes.n)
        texts = offer.is_llm[chosen, lanes] & (self.free or self.worths is not None)
        if texts.any():
            self.utility[chosen[texts], lanes[texts]] = self._utility_of(self.told.expected[texts])
        return super().react(r, offer, chosen, decides)

    def _utility_of(self, expected: F64) -> F64:
        """The utility (n,) that is worth so much: by bisection, for worth rises with it."""
        low, high = np.full(len(expected), -_LARGEST), np.full(len(expected), _LARGEST)
        for _ in range(70):
            middle = (low + high) / 2.0
            less = self.worth(middle) < expected
            low, high = np.where(less, middle, low), np.where(less, high, middle)
        return np.asarray((low + high) / 2.0)
