"""The rows of each shard, read from the log where users stand together, through temporary files where they
do not.

A simulated log keeps a group of users together, so that each chunk is read about once. A served log is
ordered by time: every chunk holds everybody. Its rows are sorted into one temporary file a shard, in one
pass over the log.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from oo_sim.audit.arrays import I32, I64, Bool
from oo_sim.audit.columns import arrow, ints, whole
from oo_sim.audit.lanes import Index

_REREADS = 2
"""A log is spilled when its chunks would be read more often than this, on average."""
_TOGETHER = 8
"""Chunks that are sorted together before they are spilled."""


Read: TypeAlias = Callable[[], pa.Table]
"""Reads the rows of a shard, in any thread."""


def shard_tables(index: Index, place: I64, cuts: I64, ids: bool) -> Iterator[Read]:
    """Yields what reads one table for each shard, with a column `lane` that counts within it.

    `place` (lanes,) orders the lanes, and is -1 for those that are left out; shard i has the lanes at places cuts[i] to
    cuts[i + 1]. `ids` asks for the ids of candidates' tasks.
    """
    shards = [_shards(lanes, place, cuts) for lanes in index.lanes]
    reads = sum(len(np.unique(shard[shard >= 0])) for shard in shards)
    spilled = reads > _REREADS * len(shards) + len(cuts)
    parts = (_through_files if spilled else _direct)(index, shards, len(cuts) - 1, ids)
    at = np.concatenate([*index.lanes, np.zeros(0, np.int32)])

    def read(part: Read, first: int) -> pa.Table:
        table = part()
        return table.append_column("lane", arrow(place[at[ints(whole(table["row"]))]] - first))

    for part, first in zip(parts, cuts[:-1].tolist(), strict=True):
        yield partial(read, part, first)


def _shards(lanes: I32, place: I64, cuts: I64) -> I32:
    """The shard of each row; -1 where it is about nobody."""
    of = np.searchsorted(cuts, place, "right") - 1  # each lane's shard; -1 for those left out
    return np.where(lanes >= 0, of[lanes], -1).astype(np.int32)


def _direct(index: Index, shards: list[I32], count: int, ids: bool) -> Iterator[Read]:
    """Reads each shard's chunks at once. A chunk that two shards share is read twice: joining what was read before with
    the rest would copy all of it."""
    holds: list[list[int]] = [[] for _ in range(count)]
    for chunk, shard in enumerate(shards):
        for i in np.unique(shard[shard >= 0]).tolist():
            holds[i].append(chunk)

    def read(i: int) -> pa.Table:
        if not holds[i]:
            return index.empty(ids)
        own = np.concatenate([shards[chunk] for chunk in holds[i]]) == i
        return _only(index.read(holds[i], ids), own)

    yield from (partial(read, i) for i in range(count))


def _only(table: pa.Table, own: Bool) -> pa.Table:
    """Some rows; if they stand together, nothing is copied."""
    at = np.flatnonzero(own)
    if len(at) and at[-1] - at[0] + 1 == len(at):
        return table.slice(at[0], len(at))
    return table.filter(arrow(own))


def _through_files(index: Index, shards: list[I32], count: int, ids: bool) -> Iterator[Read]:
    """Sorts some chunks at a time by shard into files, then reads the files back shard by shard."""
    with tempfile.TemporaryDirectory(prefix="oo-sim-audit-") as directory:
        files: list[list[Path]] = [[] for _ in range(count)]
        for first in range(0, len(shards), _TOGETHER):
            chunks = range(first, min(first + _TOGETHER, len(shards)))
            shard = np.concatenate([shards[chunk] for chunk in chunks])
            table = index.read(chunks, ids)
            table = table.take(arrow(np.argsort(shard, kind="stable")))
            edges = np.searchsorted(np.sort(shard), np.arange(count + 1))
            for i in np.flatnonzero(np.diff(edges)).tolist():
                files[i].append(Path(directory) / f"{i}-{first}.arrow")
                _write(files[i][-1], table.slice(edges[i], edges[i + 1] - edges[i]))
        for paths in files:
            table = pa.concat_tables([_read(path) for path in paths]) if paths else index.empty(ids)
            yield partial(_given, table)


def _given(table: pa.Table) -> pa.Table:
    return table


def _write(path: Path, table: pa.Table) -> None:
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema, options=options) as writer:
        writer.write_table(table)


def _read(path: Path) -> pa.Table:
    with pa.OSFile(str(path)) as file, pa.ipc.open_file(file) as reader:
        table = reader.read_all()
    path.unlink()
    return table
