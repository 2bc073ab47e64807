"""One Parquet file out of many parts, in the order of their keys, whoever writes them and whenever."""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oo_sim.logs.parts import PartSink, RowGroups, rows_of
from oo_sim.logs.schema import coded as codes_of

_WAITING_BYTES = 1 << 26
"""What closed parts that wait for their turn hold together; more goes to files of their own."""
_ARROW = b"ARROW:schema"
"""Where a Parquet file says of which types its columns were."""
_VALUES = 1 << 16  # encoded at a time: of lists, a row has many


_APART = ("decision_id", "score", "expected_reward", "best_expected_reward")
"""Columns whose values differ from row to row: a dictionary of them is work for nothing."""


class PartKey(NamedTuple):
    """Where an event part stands in its table; parts are joined in this order."""

    policy: int
    replicate: int
    group: int


class ParquetFile:
    """A Parquet file that is on disk for good once it is closed. It has the schema, whether tables come so or
    `coded`, and the same bytes."""

    def __init__(self, path: Path, schema: pa.Schema, coded: bool = False) -> None:
        flat = [field.name for field in schema if not pa.types.is_nested(field.type)]
        self._metadata = {_ARROW: base64.b64encode(schema.serialize()), **(schema.metadata or {})}
        self._file = path.open("wb")
        self._writer = pq.ParquetWriter(
            self._file,
            codes_of(schema) if coded else schema,
            compression="zstd",
            compression_level=1,
            write_statistics=flat,  # nobody looks for a task or a number in a list
            use_dictionary=[leaf for field in schema if field.name not in _APART for leaf in _leaves(field)],
            write_batch_size=_VALUES,
            store_schema=False,
        )

    def write(self, group: pa.Table) -> None:
        """A row group."""
        self._writer.write_table(pa.table([settled(column.combine_chunks()) for column in group.columns], group.schema))

    def close(self) -> None:
        """Nothing more comes."""
        try:
            self._writer.add_key_value_metadata(self._metadata)
            self._writer.close()
            self._file.flush()
            os.fsync(self._file.fileno())
        finally:
            self._file.close()


def _leaves(field: pa.Field, path: str = "") -> Iterator[str]:
    """The paths of a field's values, as Parquet has them."""
    path += field.name
    if pa.types.is_list(field.type):
        yield from _leaves(field.type.value_field.with_name("element"), f"{path}.list.")
    elif pa.types.is_struct(field.type):
        for each in field.type:
            yield from _leaves(each, f"{path}.")
    else:
        yield path


def settled(array: pa.Array) -> pa.Array:
    """The same values, where dictionaries hold what appears and nothing else, sorted: so bytes depend on values alone,
    and not on how rows came in batches."""
    kind = array.type
    if pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
        offsets = array.offsets
        return pa.ListArray.from_arrays(pc.subtract(offsets, offsets[0]), settled(array.flatten()), type=kind)
    if pa.types.is_struct(kind):
        return pa.StructArray.from_arrays([settled(array.field(i)) for i in range(len(kind))], fields=list(kind))
    if not pa.types.is_dictionary(kind):
        return array
    null = np.asarray(array.is_null()) if array.null_count else None
    codes = np.asarray(array.indices if null is None else array.indices.fill_null(0))
    names = array.dictionary
    counts = np.bincount(codes if null is None else codes[~null], minlength=len(names))
    order = np.asarray(pc.sort_indices(names))
    order = order[counts[order] > 0]
    if np.array_equal(order, np.arange(len(names))):
        return array
    place = np.zeros(max(len(names), 1), np.int32)
    place[order] = np.arange(len(order))
    indices = pa.array(place.take(codes), mask=null)
    return pa.DictionaryArray.from_arrays(indices, names.take(pa.array(order)), safe=False)


class Joined:
    """A table's file, `size` rows in a row group, out of the parts that `part` gives out.

    Where it is known which parts are `due`, in order, each is written as soon as all before it are, by a thread that
    closes one: then nothing is written twice, and little is left to do at the end. All others are written by `close`.
    """

    def __init__(self, path: Path, schema: pa.Schema, size: int, coded: bool = False) -> None:
        self.schema = schema  # of the file, with what its metadata says; to be set before the first row is written
        self._path, self._size, self._coded = path, size, coded
        self._given = codes_of(schema) if coded else schema  # by parts
        self._due: Iterator[PartKey] = iter(())
        self._next: PartKey | None = None
        self._parts: dict[PartKey, PartSink | None] = {}  # None: written
        self._dropped: set[int] = set()
        self._labels: dict[int, str] = {}  # of the policies that are in the file
        self._file: ParquetFile | None = None
        self._groups, self._rows = RowGroups(self._given, size), 0
        self._lock = threading.Lock()
        self._broken: Exception | None = None

    def __bool__(self) -> bool:
        return bool(self._parts)

    def expect(self, due: Iterable[PartKey]) -> None:
        """Say which parts come, in order."""
        self._due = iter(due)
        self._next = next(self._due, None)

    def part(self, key: PartKey, most: int) -> PartSink:
        """A sink for the rows of a part, which holds back so many bytes at most."""
        path = self._path.parent / "parts" / f"{self._path.stem}-{'-'.join(map(str, key))}.arrow"
        sink = PartSink(path, self._given, most, self._advance)
        if self._parts.setdefault(key, sink) is not sink:
            raise ValueError(f"part {tuple(key)} of {self._path.stem} was opened twice")
        return sink

    def drop(self, policy: int) -> None:
        """Leave out all parts of a policy, also those that are in the file."""
        self._dropped.add(policy)
        self._advance()

    def _advance(self) -> None:
        """Write the parts whose turn it is, unless another thread does: it is waited for where much has gathered."""
        waiting = [sink for sink in list(self._parts.values()) if sink is not None and sink.closed]
        if not self._lock.acquire(blocking=sum(sink.held for sink in waiting) > _WAITING_BYTES):
            return
        try:
            while self._next is not None:
                sink = self._parts.get(self._next)
                if self._next.policy not in self._dropped:
                    if sink is None or not sink.closed:
                        break
                    self._write(self._next, sink)
                self._next = next(self._due, None)
            if sum(sink.held for sink in waiting) > _WAITING_BYTES:  # for one that is not closed yet
                for sink in waiting:
                    sink.spill()
        except Exception as error:
            self._broken = error
            raise
        finally:
            self._lock.release()

    def _write(self, key: PartKey, sink: PartSink) -> None:
        for batch in sink.take():
            if batch.num_rows:
                self._labels.setdefault(key.policy, batch["policy"][0].as_py())
            for group in self._groups.add(batch):
                self._put(group)
        self._parts[key] = None

    def _put(self, group: pa.Table) -> None:
        if self._file is None:
            self._file = ParquetFile(self._path, self.schema, self._coded)
        self._file.write(group)
        self._rows += group.num_rows

    def close(self) -> int:
        """Write what is left; how many rows the file has. Raises what went wrong before."""
        if self._broken is not None:
            raise self._broken
        with self._lock:
            for key in sorted(self._parts):
                sink = self._parts[key]
                if sink is not None and key.policy not in self._dropped:
                    self._write(key, sink)
            for group in self._groups.rest():
                self._put(group)
            self._finish(self._file or ParquetFile(self._path, self.schema))
            if left_out := [label for policy, label in self._labels.items() if policy in self._dropped]:
                self._leave_out(left_out)
            return self._rows

    def abandon(self) -> None:
        """Close all files without caring for what is in them."""
        for sink in list(self._parts.values()):
            if sink is not None:
                sink.abandon()
        if self._file is not None:
            self._finish(self._file)

    def _leave_out(self, labels: list[str]) -> None:
        """Write the file again without some policies' rows."""
        whole = self._path.with_name(f"{self._path.stem}.whole.parquet")
        self._path.rename(whole)
        self._file, self._rows = ParquetFile(self._path, self.schema), 0
        with pq.ParquetFile(whole) as source:
            batches = source.iter_batches(self._size)
            kept = (b.filter(pc.invert(pc.is_in(b["policy"], value_set=pa.array(labels)))) for b in batches)
            for group in rows_of(kept, self.schema, self._size):
                self._put(group)
        self._finish(self._file)
        whole.unlink()

    def _finish(self, file: ParquetFile) -> None:
        self._file = None  # whatever comes of it: it is closed once
        file.close()
