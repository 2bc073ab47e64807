"""Who each row of a log is about."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from oo_sim.audit.arrays import I32, I64
from oo_sim.audit.columns import arrow, coded, ints, numbers, whole
from oo_sim.audit.refusals import Refuse
from oo_sim.audit.sources import COLUMNS, KEYS, SAID, TRUTH, More, Source


class Lane(NamedTuple):
    """One user in one replicate under one policy."""

    policy: str
    replicate: int
    user_id: str


_TOGETHER = 32
"""Chunks whose keys are read together."""


class Index:
    """Which lane each row of a table is about; lanes are numbered as they first appear."""

    def __init__(self, source: Source, name: str, lanes: dict[Lane, int], refuse: Refuse) -> None:
        self.source, self.name = source, name
        self.lanes: list[I32] = []
        self.starts = [0]
        self.nameless = False  # whether there are rows that nobody knows the user of
        for first in range(0, source.chunks, _TOGETHER):
            parts = [source.read(chunk, KEYS) for chunk in range(first, min(first + _TOGETHER, source.chunks))]
            found = _lanes(pa.concat_tables(parts).combine_chunks(), lanes)
            unknown = np.flatnonzero(found < 0)
            refuse(name, "policy, replicate or user_id is null", self.starts[-1] + unknown)
            self.nameless |= len(unknown) > 0
            ends = np.cumsum([part.num_rows for part in parts])
            self.lanes += np.split(found, ends[:-1])
            self.starts += (self.starts[-1] + ends).tolist()

    def counts(self, lanes: int) -> I64:
        """Rows per lane."""
        total = np.zeros(lanes, np.int64)
        for chunk in self.lanes:
            total += np.bincount(chunk[chunk >= 0], minlength=lanes)
        return total

    def ends(self, lanes: int) -> tuple[I64, I64]:
        """The first and the last row of each lane; a lane without any has its first after all rows, its last before."""
        first, last = np.full(lanes, self.starts[-1]), np.full(lanes, -1)
        for start, chunk in zip(reversed(self.starts[:-1]), reversed(self.lanes), strict=True):
            own = np.flatnonzero(chunk >= 0)
            first[chunk[own[::-1]]] = own[::-1] + start
            np.maximum.at(last, chunk[own], own + start)
        return first, last

    def empty(self, more: More) -> pa.Table:
        """No rows, in the columns of `read`."""
        return self.read(0, more).slice(0, 0)

    def read(self, chunk: int, more: More) -> pa.Table:
        """One chunk with the audit's columns, and each row's number in the whole table as `row`."""
        columns = [name for name in COLUMNS[self.name] if more.truth or name not in TRUTH]
        columns += [name for name in SAID[self.name] if name in self.source.columns]
        part = self.source.read(chunk, columns, ids=more.ids)
        return part.append_column("row", arrow(np.arange(self.starts[chunk], self.starts[chunk + 1])))


def _lanes(keys: pa.Table, known: dict[Lane, int]) -> I32:
    """The number of each row's lane, new lanes added to `known`; -1 where a key is null."""
    codes, nulls = np.zeros(keys.num_rows, np.int64), np.zeros(keys.num_rows, np.bool_)
    values = []
    for name in KEYS:
        code, named = coded(whole(keys[name]))
        nulls |= code < 0
        codes = codes * max(len(named), 1) + code
        values.append(named)
    codes[nulls] = -1
    distinct = arrow(codes).dictionary_encode()  # in the order in which they first appear
    found = np.full(len(distinct.dictionary), -1, np.int32)
    whose = ints(distinct.dictionary) >= 0
    code, parts = ints(distinct.dictionary)[whose], []
    for value in reversed(values):
        code, own = np.divmod(code, max(len(value), 1))
        parts.append([value[i] for i in own.tolist()])
    found[whose] = [known.setdefault(lane, len(known)) for lane in map(Lane, *reversed(parts))]
    return np.asarray(found[numbers(distinct.indices)])
