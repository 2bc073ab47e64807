"""Watches a block of lanes round by round and writes its events, group of users by group of users."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oo_sim.contract import I64, Bool, Candidates, Decision, Learned, Offer
from oo_sim.logs.events import EventSource, decision_batch, learning_batch
from oo_sim.logs.parts import PartSink
from oo_sim.logs.writer import RunWriter

GROUP = 64
"""Users whose events are written together, in the order of rounds and, within a round, of users."""
_HELD_BYTES = 1 << 25
_RAW = Candidates._fields.index("truth")  # columns that are logged; from here on they are known to worlds alone
_NARROW = (("is_overdue", np.bool_), ("is_llm", np.bool_), ("priority", np.int8), ("serial", np.int32))

_Step = tuple[NDArray[Any], ...]
"""Copies of a round's arrays, lane first, as rows will have them; the first says which lanes have a row."""


class Recorder:
    """An observer of one block: `first` is the serial number of its first user, a multiple of `GROUP`.

    It copies each round, because the engine uses its arrays again, and holds some back, so that batches are large;
    `close` writes what is left. One thread calls it.
    """

    def __init__(
        self, writer: RunWriter, policy: int, source: EventSource, first: int, user_ids: Sequence[str]
    ) -> None:
        self._source, self._ids = source, np.array(user_ids, dtype=object)
        self._seq = np.zeros(len(user_ids), np.int64)
        self._decisions: list[_Step] = []
        self._learnings: list[_Step] = []
        self._held = 0
        groups = range(first // GROUP, -(-(first + len(user_ids)) // GROUP))
        self._sinks = [
            tuple(writer.part(table, policy, source.replicate, group) for table in ("decisions", "learnings"))
            for group in groups
        ]

    def decided(self, t: I64, offer: Offer, decision: Decision, active: Bool) -> None:
        """Take note of what was offered and chosen in the lanes' own decisions t (n,)."""
        raw = offer.candidates._asdict() | {k: getattr(offer.candidates, k).astype(kind) for k, kind in _NARROW}
        expected = offer.expected[decision.chosen, np.arange(len(t))]
        writer = np.full(len(t), -1) if offer.writer is None else offer.writer
        self._keep(self._decisions, active, t, *list(raw.values())[:_RAW], *decision, expected, offer.best, writer)

    def learned(self, learned: Learned) -> None:
        """Take note of what was learned."""
        x, reward, learn, t_decided, t_now, _ = learned.learning
        n = len(self._ids)
        if learn[:n].any():
            seq = np.resize(self._seq, len(learn))
            self._keep(self._learnings, learn, seq, t_decided, t_now, x, learned.reaction, reward)
            self._seq += learn[:n]

    def _keep(self, steps: list[_Step], *columns: NDArray[Any]) -> None:
        n = len(self._ids)
        steps.append(tuple(np.moveaxis(column, -1, 0)[:n].copy("C") for column in columns))
        self._held += sum(column.nbytes for column in steps[-1])
        if self._held >= _HELD_BYTES:
            self._flush()

    def close(self) -> None:
        """Write what is held back, and close the parts."""
        self._flush()
        for pair in self._sinks:
            for sink in pair:
                sink.close()

    def _flush(self) -> None:
        for j, (decisions, learnings) in enumerate(self._sinks):
            users = slice(j * GROUP, (j + 1) * GROUP)
            self._write_decisions(decisions, users)
            self._write_learnings(learnings, users)
        self._decisions.clear()
        self._learnings.clear()
        self._held = 0

    def _write_decisions(self, sink: PartSink, users: slice) -> None:
        if self._decisions:
            ids, t, *columns, expected, best, writer = _rows(self._decisions, users, self._ids)
            candidates, decision = Candidates(*columns[:_RAW]), Decision(*columns[_RAW:])
            sink.write(
                decision_batch(
                    self._source,
                    ids,
                    t,
                    candidates=candidates,
                    decision=decision,
                    expected=expected,
                    best=best,
                    writer=writer,
                )
            )

    def _write_learnings(self, sink: PartSink, users: slice) -> None:
        if self._learnings:
            ids, seq, t_decided, t_now, x, reaction, reward = _rows(self._learnings, users, self._ids)
            sink.write(
                learning_batch(
                    self._source,
                    ids,
                    seq,
                    t_decided=t_decided,
                    t_now=t_now,
                    x=x,
                    reaction=reaction,
                    reward=reward,
                    learn=np.ones(len(t_now), np.bool_),
                )
            )


def _rows(steps: Sequence[_Step], users: slice, ids: NDArray[Any]) -> list[Any]:
    """The columns of all steps joined, one row a lane that has one, step after step, rows last; first whose rows they
    are."""
    keep = np.concatenate([step[0][users] for step in steps])
    columns = [np.concatenate([column[users] for column in each]) for each in list(zip(*steps, strict=True))[1:]]
    whose = np.tile(ids[users], len(steps))
    if not keep.all():
        whose, columns = whose[keep], [column[keep] for column in columns]
    return [whose, *(np.moveaxis(column, 0, -1) for column in columns)]
