"""Who each row of a log is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oo_sim.audit import columns as col
from oo_sim.audit.arrays import I32, I64
from oo_sim.audit.refusals import Refuse
from oo_sim.audit.sources import COLUMNS, KEYS, Source


class Lane(NamedTuple):
    """One user in one replicate under one policy."""

    policy: str
    replicate: int
    user_id: str


Keep: TypeAlias = Callable[[Lane], bool]
"""Which lanes are looked at."""


class Index:
    """Which lane each row of a table is about; lanes are numbered as they first appear."""

    def __init__(
        self, source: Source, name: str, lanes: dict[Lane, int], refuse: Refuse, keep: Keep | None = None
    ) -> None:
        self.source, self.name, self._ids = source, name, keep is not None
        self.lanes: list[I32] = []
        self.starts = [0]
        self.nameless = False  # whether there are rows that nobody knows the user of
        for chunk in range(source.chunks):
            keys = source.read(chunk, KEYS)
            found = _lanes(keys, lanes, keep)
            refuse(name, "policy, replicate or user_id is null", self.starts[-1] + np.flatnonzero(found == -1))
            self.nameless |= bool((found == -1).any())
            self.lanes.append(found.astype(np.int32))
            self.starts.append(self.starts[-1] + keys.num_rows)

    def counts(self, lanes: int) -> I64:
        """Rows per lane."""
        total = np.zeros(lanes, np.int64)
        for chunk in self.lanes:
            total += np.bincount(chunk[chunk >= 0], minlength=lanes)
        return total

    def empty(self) -> pa.Table:
        """No rows, in the columns of `read`."""
        return self.read(0).slice(0, 0)

    def read(self, chunk: int) -> pa.Table:
        """One chunk with the audit's columns, and each row's number in the whole table as `row`."""
        columns = COLUMNS[self.name]
        part = self.source.read(chunk, columns, ids=self._ids).select(list(columns))
        return part.append_column("row", pa.array(np.arange(self.starts[chunk], self.starts[chunk + 1])))


def _lanes(keys: pa.Table, known: dict[Lane, int], keep: Keep | None) -> I64:
    """The number of each row's lane, new lanes added to `known`; -1 where a key is null, -2 where it is not kept."""
    nulls = np.logical_or.reduce([col.is_null(keys[name]) for name in KEYS])
    codes = np.zeros(keys.num_rows, np.int64)
    values = []
    for name in KEYS:
        encoded = col.whole(keys[name]).dictionary_encode()
        values.append(encoded.dictionary.to_pylist())
        codes = codes * (len(values[-1]) + 1) + col.ints(pc.fill_null(encoded.indices, len(values[-1])))
    distinct, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    numbers = np.full(len(distinct), -1)
    for i in np.argsort(first).tolist():
        if not nulls[first[i]]:
            lane = Lane(*_decode(int(distinct[i]), values))
            numbers[i] = known.setdefault(lane, len(known)) if keep is None or keep(lane) else -2
    return np.asarray(numbers[inverse])


def _decode(code: int, values: list[list[str]]) -> tuple[str, int, str]:
    parts: list[object] = []
    for names in reversed(values):
        code, i = divmod(code, len(names) + 1)
        parts.append(names[i])
    user, replicate, policy = parts
    return str(policy), int(str(replicate)), str(user)
