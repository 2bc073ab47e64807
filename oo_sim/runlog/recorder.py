"""Watches a block of lanes round by round and writes its events, group of users by group of users."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oo_sim.contract import Candidates, Decision, Learning, Offer, Response
from oo_sim.runlog.events import EventSource, decision_batch, learning_batch
from oo_sim.runlog.writer import RunWriter

GROUP = 64
"""Users whose events are written together, in the order of rounds and, within a round, of users."""
_HELD_BYTES = 1 << 24
_RAW = 8  # columns of Candidates that are logged; the rest is known to worlds alone


class Recorder:
    """An observer of one block: `first` is the serial number of its first user, a multiple of `GROUP`.

    It copies each round, because the engine uses its arrays again, and holds some back, so that batches are large;
    `close` writes what is left. One thread calls it.
    """

    def __init__(
        self, writer: RunWriter, policy: int, source: EventSource, first: int, user_ids: Sequence[str]
    ) -> None:
        self._source, self._ids = source, list(user_ids)
        self._learned = np.zeros(len(self._ids), np.int64)
        self._rounds: list[list[NDArray[Any]]] = []
        self._held = 0
        groups = range(first // GROUP, -(-(first + len(self._ids)) // GROUP))
        self._sinks = [
            tuple(writer.part(table, policy, source.replicate, group) for table in ("decisions", "learnings"))
            for group in groups
        ]

    def __call__(self, t: int, offer: Offer, decision: Decision, response: Response, learning: Learning) -> None:
        """Take note of a round."""
        n = len(self._ids)
        raw: tuple[Any, ...] = offer.candidates[:_RAW]
        known = (offer.expected, offer.best)
        learned = (learning.x, learning.t_decided, learning.t_now, self._learned, np.full(n, t))
        kept = [column[..., :n].copy() for column in (*raw, *decision, *known, *response, *learned)]
        self._learned += response.learn[:n]
        self._rounds.append(kept)
        self._held += sum(column.nbytes for column in kept)
        if self._held >= _HELD_BYTES:
            self._flush()

    def close(self) -> None:
        """Write what is held back, and close the parts."""
        if self._rounds:
            self._flush()
        for decisions, learnings in self._sinks:
            decisions.close()
            learnings.close()

    def _flush(self) -> None:
        for j, (decisions, learnings) in enumerate(self._sinks):
            users = slice(j * GROUP, (j + 1) * GROUP)
            columns = iter(
                [np.concatenate([c[..., users] for c in column], axis=-1) for column in zip(*self._rounds, strict=True)]
            )
            ids = self._ids[users] * len(self._rounds)
            candidates = Candidates(*(next(columns) for _ in range(_RAW)))
            decision = Decision(*(next(columns) for _ in Decision._fields))
            expected, best = next(columns), next(columns)
            reaction, reward, learn, x, decided, now, seq, t = columns
            decisions.write(
                decision_batch(
                    self._source,
                    ids,
                    t,
                    candidates=candidates,
                    decision=decision,
                    expected=expected,
                    best=best,
                )
            )
            learnings.write(
                learning_batch(
                    self._source,
                    ids,
                    seq,
                    t_decided=decided,
                    t_now=now,
                    x=x,
                    reaction=reaction,
                    reward=reward,
                    learn=learn,
                )
            )
        self._rounds.clear()
        self._held = 0
