"""Watches a block of lanes round by round and writes its events, group of users by group of users."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from oo_sim.contract import I64, Bool, Candidates, Decision, Learned, Offer
from oo_sim.logs.events import EventSource, decision_batch, learning_batch
from oo_sim.logs.parts import PartSink
from oo_sim.logs.writer import RunWriter

GROUP = 64
"""Users whose events are written together, in the order of rounds and, within a round, of users."""
_HELD_BYTES = 1 << 24
"""What a block holds back of either table, so that batches are large."""
_RAW = Candidates._fields.index("truth")  # columns that are logged; from here on they are known to worlds alone
_NARROW = {"is_overdue": np.bool_, "is_llm": np.bool_, "priority": np.int8, "serial": np.int32}


class Recorder:
    """An observer of one block: `first` is the serial number of its first user, a multiple of `GROUP`.

    It copies each round, because the engine uses its arrays again, and holds some back; `close` writes what is left.
    One thread calls it.
    """

    def __init__(
        self, writer: RunWriter, policy: int, source: EventSource, first: int, user_ids: Sequence[str]
    ) -> None:
        self._source, self._ids = source, pa.array(user_ids, pa.string())
        self._seq = np.zeros(len(user_ids), np.int64)
        narrow = {2 + Candidates._fields.index(name): kind for name, kind in _NARROW.items()}
        self._decisions, self._learnings = _Rows(len(user_ids), narrow), _Rows(len(user_ids), {})
        groups = range(first // GROUP, -(-(first + len(user_ids)) // GROUP))
        self._sinks = [
            tuple(writer.part(table, policy, source.replicate, group) for table in ("decisions", "learnings"))
            for group in groups
        ]

    def decided(self, t: I64, offer: Offer, decision: Decision, active: Bool) -> None:
        """Take note of what was offered and chosen in the lanes' own decisions t (n,)."""
        expected = offer.expected[decision.chosen, np.arange(len(t))]
        writer = () if offer.writer is None else (offer.writer,)
        raw = cast("tuple[NDArray[Any], ...]", offer.candidates[:_RAW])
        if self._decisions.add(active, t, *raw, *decision, expected, offer.best, *writer):
            self._flush()

    def learned(self, learned: Learned) -> None:
        """Take note of what was learned."""
        x, reward, learn, t_decided, t_now, _ = learned.learning
        n = len(self._seq)
        if learn[:n].any():
            full = self._learnings.add(learn, self._seq, t_decided, t_now, x, learned.reaction, reward)
            self._seq += learn[:n]
            if full:
                self._flush()

    def close(self) -> None:
        """Write what is held back, and close the parts."""
        self._flush()
        for pair in self._sinks:
            for sink in pair:
                sink.close()

    def _flush(self) -> None:
        for group, (decisions, learnings) in enumerate(self._sinks):
            ids = self._ids.slice(group * GROUP, GROUP)
            if self._decisions:
                self._write_decisions(decisions, ids, *self._decisions.of(group))
            if self._learnings:
                self._write_learnings(learnings, ids, *self._learnings.of(group))
        self._decisions.clear()
        self._learnings.clear()

    def _write_decisions(self, sink: PartSink, ids: pa.Array, whose: I64, t: I64, *columns: NDArray[Any]) -> None:
        end = _RAW + len(Decision._fields)
        expected, best, *writer = columns[end:]
        sink.write(
            decision_batch(
                self._source,
                ids.take(pa.array(whose)),
                t,
                candidates=Candidates(*columns[:_RAW]),
                decision=Decision(*columns[_RAW:end]),
                expected=expected,
                best=best,
                writer=writer[0] if writer else None,
            )
        )

    def _write_learnings(self, sink: PartSink, ids: pa.Array, whose: I64, seq: I64, *columns: NDArray[Any]) -> None:
        t_decided, t_now, x, reaction, reward = columns
        sink.write(
            learning_batch(
                self._source,
                ids.take(pa.array(whose)),
                seq,
                t_decided=t_decided,
                t_now=t_now,
                x=x,
                reaction=reaction,
                reward=reward,
            )
        )


class _Rows:
    """What lanes have in some steps, where it will be written from: a column is (groups, steps, GROUP, ...), so that a
    group's rows stand step after step, and within a step in the order of lanes. `kinds` are the types of columns, by
    place, where they differ from those of the arrays."""

    def __init__(self, lanes: int, kinds: Mapping[int, type]) -> None:
        self._lanes, self._kinds = lanes, kinds
        self._columns: list[NDArray[Any]] = []
        self._steps = 0

    def __bool__(self) -> bool:
        return self._steps > 0

    def add(self, *columns: NDArray[Any]) -> bool:
        """Copy a step's arrays, the lane last; the first says which lanes have a row. Whether there is room for no
        more."""
        if not self._columns:
            self._columns = self._room(columns)
        whole = self._lanes // GROUP
        for to, column in zip(self._columns, columns, strict=True):
            rows = column.transpose(-1, *range(column.ndim - 1))
            to[:whole, self._steps] = rows[: whole * GROUP].reshape(whole, GROUP, *rows.shape[1:])
            if whole < len(to):
                to[whole, self._steps, : self._lanes - whole * GROUP] = rows[whole * GROUP : self._lanes]
        self._steps += 1
        return bool(self._steps == self._columns[0].shape[1])

    def _room(self, columns: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        kinds = [np.dtype(self._kinds.get(place, column.dtype)) for place, column in enumerate(columns)]
        groups, shapes = -(-self._lanes // GROUP), [column.shape[:-1] for column in columns]
        row = sum(kind.itemsize * math.prod(shape) for kind, shape in zip(kinds, shapes, strict=True))
        steps = max(1, _HELD_BYTES // (row * GROUP * groups))
        room = [np.empty((groups, steps, GROUP, *shape), kind) for kind, shape in zip(kinds, shapes, strict=True)]
        room[0][:] = False  # beyond the last lane there are no rows
        return room

    def of(self, group: int) -> Iterator[NDArray[Any]]:
        """Which of the group's lanes each row is of, and the columns, the row last."""
        count = self._steps * GROUP
        keep, *columns = (each[group, : self._steps].reshape(count, *each.shape[3:]) for each in self._columns)
        whose = np.tile(np.arange(GROUP), self._steps)
        if not keep.all():
            rows = np.flatnonzero(keep)
            whose, columns = whose[rows], [column[rows] for column in columns]
        yield whose
        for column in columns:
            yield column.transpose(*range(1, column.ndim), 0)

    def clear(self) -> None:
        """Forget all rows; who has them keeps them."""
        self._columns, self._steps = [], 0
