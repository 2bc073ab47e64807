"""When rewards are reported: at once, late, or never. Every decision is rewarded, pending, expired or never reported.

A reward that comes late is learned when it arrives, with the features of the decision that it belongs to. One that has
not arrived after `window` rounds is expired. A reaction that is not reported counts as none at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from oo_sim.contract import F64, I64, NO_REACTION, Bool, Decision, Feedback, Learned, Learning, Offer, Response
from oo_sim.kernels import pending, philox
from oo_sim.kernels.choice import take
from oo_sim.kernels.draws import LaneDraws


class Counts(NamedTuple):
    """What became of decisions in a round: rewarded, expired, never reported; and how many are pending after it."""

    rewarded: int
    expired: int
    never: int
    pending: int


class Ledger(Protocol):
    """Takes in each round's responses, and gives out what is learned in it."""

    def settle(
        self, t: int, now: I64, offer: Offer, decision: Decision, response: Response, active: Bool
    ) -> Iterator[Learned]:
        """What arrives in round t, in order, at least one per round; `now` (n,) counts the lanes' own decisions."""

    def counts(self) -> Counts:
        """What became of decisions in the round that was settled last."""

    def kept(self) -> tuple[NDArray[Any], ...]:
        """The arrays, lane last, that hold what is on its way."""


class Immediate:
    """Every reaction is reported at once. The first `count` lanes count."""

    def __init__(self, d: int, n: int, count: int) -> None:
        self._x, self._count, self._counts = np.empty((d, n)), count, Counts(0, 0, 0, 0)

    def settle(
        self, t: int, now: I64, offer: Offer, decision: Decision, response: Response, active: Bool
    ) -> Iterator[Learned]:
        """The round's own reactions."""
        learn = response.learn & active
        rewarded = _number(learn[: self._count])
        self._counts = Counts(rewarded, 0, _number(active[: self._count]) - rewarded, 0)
        take(decision.x, decision.chosen, self._x)
        yield Learned(Learning(self._x, response.reward, learn, now, now), response.reaction)

    def counts(self) -> Counts:
        """What became of the round's decisions."""
        return self._counts

    def kept(self) -> tuple[NDArray[Any], ...]:
        """Nothing is on its way."""
        return ()


class Delayed:
    """Reactions come late or go missing. Pending rewards are kept in a ring of window + 1 rounds."""

    def __init__(self, feedback: Feedback, draws: LaneDraws, d: int, count: int) -> None:
        W, n = feedback.window + 1, len(draws.users)
        self._feedback, self._draws, self._count = feedback, draws, count
        self._x, self._reward = np.zeros((W, d, n)), np.zeros((W, n))
        self._reaction, self._decided = np.full((W, n), NO_REACTION), np.zeros((W, n), np.int64)
        self._due = np.full((W, n), pending.EMPTY)
        self._slots, self._arrived = np.zeros((W, n), np.int64), np.zeros(n, np.int64)
        self._counts = Counts(0, 0, 0, 0)

    def settle(
        self, t: int, now: I64, offer: Offer, decision: Decision, response: Response, active: Bool
    ) -> Iterator[Learned]:
        """What arrives in round t, oldest decision first."""
        expired, never = self._store(t, now, offer, decision, response, active)
        passes = pending.arrivals(self._due, t, self._slots, self._arrived)
        rewarded = int(self._arrived[: self._count].sum())
        for step in range(max(passes, 1)):
            yield self._collect(step, now)
        waiting = _number(self._due[:, : self._count] != pending.EMPTY)
        self._counts = Counts(rewarded, expired, never, waiting)

    def counts(self) -> Counts:
        """What became of decisions in the last round."""
        return self._counts

    def kept(self) -> tuple[NDArray[Any], ...]:
        """The ring."""
        return self._x, self._reward, self._reaction, self._decided, self._due

    def _store(
        self, t: int, now: I64, offer: Offer, decision: Decision, response: Response, active: Bool
    ) -> tuple[int, int]:
        """Put the round's decisions into their slot of the ring: how many expired there, how many stay unreported."""
        slot = t % len(self._due)
        expired = _number(self._due[slot, : self._count] != pending.EMPTY)
        uniform = self._draws.uniforms(philox.FEEDBACK, now, 2)
        reported = response.learn & active & (uniform[1] >= self._missing(offer, decision, response))
        delay = np.zeros(len(now), np.int64)
        if self._feedback.delays is not None:
            self._feedback.delays(uniform[0], delay)
        due = np.where(delay <= self._feedback.window, t + delay, pending.NOT_DUE)
        self._due[slot] = np.where(reported, due, pending.EMPTY)
        self._reward[slot], self._reaction[slot], self._decided[slot] = response.reward, response.reaction, now
        take(decision.x, decision.chosen, self._x[slot])
        never = _number((active & ~reported)[: self._count])
        return expired, never

    def _missing(self, offer: Offer, decision: Decision, response: Response) -> F64:
        """The probability (n,) that the reaction is not reported."""
        f, lanes = self._feedback, np.arange(len(decision.chosen))
        source = offer.candidates.is_llm[decision.chosen, lanes].astype(np.int64)
        by_reaction = np.where(response.reaction >= 0, f.missing_by_reaction[response.reaction], 0.0)
        reported = (1.0 - f.missing) * (1.0 - by_reaction) * (1.0 - f.missing_by_source[source])
        return np.asarray(1.0 - reported, dtype=np.float64)

    def _collect(self, step: int, now: I64) -> Learned:
        """The step-th arrival of each lane."""
        n, d = len(now), self._x.shape[1]
        learn = self._arrived > step
        x, reward = np.empty((d, n)), np.empty(n)
        reaction, decided = np.empty(n, np.int64), np.empty(n, np.int64)
        ring = (self._x, self._reward, self._reaction, self._decided, self._due)
        pending.collect(*ring, self._slots[step], learn, x, reward, reaction, decided)
        return Learned(Learning(x, reward, learn, decided, now, tick=step == 0), reaction)


def _number(flags: Bool) -> int:
    return int(np.count_nonzero(flags))


def ledger_for(feedback: Feedback | None, draws: LaneDraws, d: int, count: int) -> Ledger:
    """The ledger of a block: the first `count` of its lanes count."""
    return Delayed(feedback, draws, d, count) if feedback else Immediate(d, len(draws.users), count)
