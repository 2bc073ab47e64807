"""Whole users out of tables of any size: the rows of some users at a time, in bounded memory, however they are ordered.

A *lane* is a user in a replicate. Logs of simulations keep users together and are read where they are; those of servers
are in order of time, and are sorted into temporary files first.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from oo_sim.contract import I64
from oo_sim.errors import RunLogError
from oo_sim.logs.files import EventTable
from oo_sim.logs.schema import SCHEMAS

Codes: TypeAlias = NDArray[np.int32]

KEYS = ("policy", "replicate", "user_id")
ROWS = 1 << 15
"""Decisions that are held at once, about: never less than one lane."""


class Lane(NamedTuple):
    """A user in a replicate."""

    user_id: str
    replicate: int


class Lanes:
    """The lanes of one policy of a log, cut into parts of about `rows` decisions, each of one replicate."""

    def __init__(self, decisions: EventTable, label: str, rows: int = ROWS) -> None:
        self._label = label
        self.lanes: list[Lane] = []
        self._known: dict[Lane, int] = {}
        self._decisions, self._codes = decisions, self._read_codes(decisions, grow=True)
        self._by_replicate()
        counts = np.zeros(len(self.lanes), np.int64)
        for codes in self._codes:
            counts += np.bincount(codes[codes >= 0], minlength=len(counts))
        replicate = np.array([lane.replicate for lane in self.lanes], np.int64)
        parts = (np.cumsum(counts) - counts) // max(rows, 1)  # and no part holds two replicates
        apart = np.concatenate(([0], np.cumsum((np.diff(parts) > 0) | (np.diff(replicate) > 0))))
        self.part: I64 = apart[: len(counts)]

    def _by_replicate(self) -> None:
        """Number the lanes by replicate, then in order of appearance."""
        order = sorted(range(len(self.lanes)), key=lambda code: self.lanes[code].replicate)
        place = np.full(len(order) + 1, -1, np.int32)  # the last is that of rows of no lane
        place[order] = np.arange(len(order))
        self.lanes = [self.lanes[code] for code in order]
        self._known = {lane: code for code, lane in enumerate(self.lanes)}
        self._codes = [place[codes] for codes in self._codes]

    @property
    def parts(self) -> int:
        """How many parts there are."""
        return int(self.part.max(initial=-1)) + 1

    def read(self, table: EventTable, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The rows of each part in turn, with their `lane` and, as `row`, their place in the file."""
        codes = self._codes if table is self._decisions else self._read_codes(table)
        where = [np.unique(self.part[group[group >= 0]]) for group in codes]
        rows = _Rows(table, columns, codes, self.part)
        if sum(map(len, where)) <= 2 * len(where) + self.parts:
            yield from rows.in_place(where, self.parts)
        else:
            yield from rows.sorted(self.parts)

    def _read_codes(self, table: EventTable, grow: bool = False) -> list[Codes]:
        """By row group the lane of each row: -1 for other policies, and for lanes that are not known."""
        return [self._lanes_of(table, group, grow) for group in range(table.groups)]

    def _lanes_of(self, table: EventTable, group: int, grow: bool) -> Codes:
        keys = table.group(group, KEYS)
        own = pc.fill_null(pc.equal(keys["policy"], self._label), False).to_numpy()
        out = np.full(len(own), -1, np.int32)
        keys = keys.filter(pa.array(own))
        if not len(keys):
            return out
        for name in KEYS[1:]:
            if keys[name].null_count:
                row = table.starts[group] + int(np.flatnonzero(own)[keys[name].is_null().index(True).as_py()])
                raise RunLogError(table.path, f"row {row}, column {name}: is empty; every row names its {name}")
        user = keys["user_id"].combine_chunks().dictionary_encode()
        names = user.dictionary.to_pylist()
        pair = keys["replicate"].to_numpy().astype(np.int64) * len(names) + user.indices.to_numpy()
        pairs, first, inverse = np.unique(pair, return_index=True, return_inverse=True)
        known = np.full(len(pairs), -1, np.int32)
        for place in np.argsort(first):
            lane = Lane(names[int(pairs[place] % len(names))], int(pairs[place] // len(names)))
            if grow and lane not in self._known:
                self._known[lane] = len(self.lanes)
                self.lanes.append(lane)
            known[place] = self._known.get(lane, -1)
        out[own] = known[inverse]
        return out


class _Rows:
    """A table's rows part by part: `codes` are the lanes of its rows, by row group, and `part` those of lanes."""

    def __init__(self, table: EventTable, columns: Sequence[str], codes: Sequence[Codes], part: I64) -> None:
        self._table, self._columns, self._codes, self._part = table, list(columns), codes, part
        extra = [pa.field("lane", pa.int64()), pa.field("row", pa.int64())]
        self._fields = [SCHEMAS[table.name].field(name) for name in self._columns]
        self._empty = pa.schema([*self._fields, *extra]).empty_table()

    def in_place(self, where: Sequence[I64], parts: int) -> Iterator[pa.Table]:
        """Part by part from the file itself: each row group is kept until the last of its parts is read."""
        groups: list[list[int]] = [[] for _ in range(parts)]
        for group, found in enumerate(where):
            for part in found:
                groups[part].append(group)
        held: dict[int, pa.Table] = {}
        for part in range(parts):
            pieces = []
            for group in groups[part]:
                if group not in held:
                    held[group] = self._group(group)
                pieces.append(self._of(held[group], part))
                if int(where[group][-1]) == part:
                    del held[group]
            yield pa.concat_tables([self._empty, *pieces])

    def sorted(self, parts: int) -> Iterator[pa.Table]:
        """Part by part from temporary files, one a part, which are written in one pass."""
        with tempfile.TemporaryDirectory(prefix="oo-sim-") as place:
            files = [Path(place) / f"{part}.arrow" for part in range(parts)]
            with ExitStack() as stack:
                writers = [stack.enter_context(pa.ipc.new_file(str(file), self._empty.schema)) for file in files]
                for group in range(len(self._codes)):
                    rows = self._group(group)
                    for part in np.unique(self._part[rows["lane"].to_numpy()]):
                        writers[part].write_table(self._of(rows, int(part)))
            for file in files:
                with pa.OSFile(str(file)) as source, pa.ipc.open_file(source) as opened:
                    yield opened.read_all()
                file.unlink()

    def _group(self, group: int) -> pa.Table:
        lane = self._codes[group].astype(np.int64)
        row = self._table.starts[group] + np.arange(len(lane))
        rows = self._table.group(group, self._columns)
        rows = rows.append_column("lane", pa.array(lane)).append_column("row", pa.array(row))
        kept = lane >= 0
        rows = rows if kept.all() else rows.filter(pa.array(kept))
        for field in self._fields:
            if not field.nullable and rows[field.name].null_count:
                empty = int(rows["row"][rows[field.name].is_null().index(True).as_py()].as_py())
                refuse = f"row {empty}, column {field.name}: is empty; a value is expected in every row"
                raise RunLogError(self._table.path, refuse)
        try:
            return rows.cast(self._empty.schema)
        except pa.ArrowException as error:
            raise RunLogError(self._table.path, f"row group {group} has values of wrong types: {error}") from error

    def _of(self, rows: pa.Table, part: int) -> pa.Table:
        kept = self._part[rows["lane"].to_numpy()] == part
        return rows if kept.all() else rows.filter(pa.array(kept))
