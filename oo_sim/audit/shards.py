"""Cuts a log into shards of whole users, so that memory stays bounded however long the log is.

A first pass reads who each row is about (12 bytes a row are kept); then users are taken together until they
have some hundred thousand rows, and only the chunks that hold them are read. A simulated log keeps a group
of users together, so that each of its chunks is read about once. A served log is ordered by time, so that
every chunk holds everybody: shards are then as large as `rows` allows, and each of them reads the log once
more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oo_sim.audit import columns as col
from oo_sim.audit.arrays import I64
from oo_sim.audit.refusals import Refuse
from oo_sim.audit.sources import COLUMNS, KEYS, Source


class Lane(NamedTuple):
    """One user in one replicate under one policy."""

    policy: str
    replicate: int
    user_id: str


class Shard(NamedTuple):
    """All rows of some lanes of one policy, with columns `lane` (into `lanes`) and `row` (in the log)."""

    policy: str
    lanes: tuple[Lane, ...]
    decisions: pa.Table
    learnings: pa.Table


class _Index:
    """Which lane each row of a table is about; lanes are numbered as they first appear."""

    def __init__(self, source: Source, name: str, lanes: dict[Lane, int], refuse: Refuse) -> None:
        self.source, self.name = source, name
        self.lanes: list[np.ndarray[tuple[int], np.dtype[np.int32]]] = []
        self.starts = [0]
        for chunk in range(source.chunks):
            keys = source.read(chunk, KEYS)
            found = _lanes(keys, lanes)
            refuse(name, "policy, replicate or user_id is null", self.starts[-1] + np.flatnonzero(found < 0))
            self.lanes.append(found.astype(np.int32))
            self.starts.append(self.starts[-1] + keys.num_rows)

    def counts(self, lanes: int) -> I64:
        """Rows per lane."""
        total = np.zeros(lanes, np.int64)
        for chunk in self.lanes:
            total += np.bincount(chunk[chunk >= 0], minlength=lanes)
        return total

    def take(self, place: I64, first: int, last: int) -> pa.Table:
        """The rows of the lanes at places `first` to `last` (exclusive), where `place` maps lanes to places."""
        parts: list[pa.Table] = []
        for chunk, lanes in enumerate(self.lanes):
            at = np.where(lanes >= 0, place[lanes], -1)
            wanted = (at >= first) & (at < last)
            if wanted.any() or not parts:
                part = self.source.read(chunk, COLUMNS[self.name]).select(list(COLUMNS[self.name]))
                numbered = part.append_column("lane", pa.array(at - first))
                rows = self.starts[chunk] + np.arange(part.num_rows)
                parts.append(numbered.append_column("row", pa.array(rows)).filter(pa.array(wanted)))
        return pa.concat_tables(parts)


def shards(decisions: Source, learnings: Source, rows: int, refuse: Refuse) -> Iterator[Shard]:
    """Yields the log in shards of about `rows` rows, policy by policy."""
    known: dict[Lane, int] = {}
    index = _Index(decisions, "decisions", known, refuse), _Index(learnings, "learnings", known, refuse)
    lanes = tuple(known)
    if not lanes:
        return
    policies = {policy: i for i, policy in enumerate(dict.fromkeys(lane.policy for lane in lanes))}
    order = np.argsort(np.array([policies[lane.policy] for lane in lanes]), kind="stable")
    place = np.argsort(order)
    sizes = (index[0].counts(len(lanes)) + index[1].counts(len(lanes)))[order]
    ordered = [lanes[i] for i in order.tolist()]
    for first, last in _cuts(ordered, sizes, rows):
        tables = (part.take(place, first, last) for part in index)
        yield Shard(ordered[first].policy, tuple(ordered[first:last]), *tables)


def _cuts(lanes: list[Lane], sizes: I64, rows: int) -> Iterator[tuple[int, int]]:
    """Neighbouring lanes of one policy, until they have `rows` rows."""
    first = held = 0
    for i, lane in enumerate(lanes):
        if i > first and (held + sizes[i] > rows or lane.policy != lanes[first].policy):
            yield first, i
            first, held = i, 0
        held += int(sizes[i])
    yield first, len(lanes)


def _lanes(keys: pa.Table, known: dict[Lane, int]) -> I64:
    """The number of each row's lane, new lanes added to `known`; -1 where a key is null."""
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
            numbers[i] = known.setdefault(lane, len(known))
    return np.asarray(numbers[inverse])


def _decode(code: int, values: list[list[str]]) -> tuple[str, int, str]:
    parts: list[object] = []
    for names in reversed(values):
        code, i = divmod(code, len(names) + 1)
        parts.append(names[i])
    user, replicate, policy = parts
    return str(policy), int(str(replicate)), str(user)
