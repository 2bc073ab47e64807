"""The rows of each shard, read from the log where users stand together, through temporary files where they
do not.

A simulated log keeps a group of users together, so that each chunk is read about once. A served log is
ordered by time: every chunk holds everybody. Its rows are sorted into one temporary file a shard, in one
pass over the log.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from oo_sim.audit.arrays import I32, I64, Bool
from oo_sim.audit.columns import arrow, ints, whole
from oo_sim.audit.lanes import Index
from oo_sim.audit.sources import More

_REREADS = 2
"""A log is spilled when its chunks would be read more often than this, on average."""
_TOGETHER = 8
"""Chunks that are sorted together before they are spilled."""


def shard_tables(index: Index, place: I64, cuts: I64, more: More) -> Iterator[pa.Table]:
    """Yields one table for each shard, with a column `lane` that counts within it.

    `place` (lanes,) orders the lanes, and is -1 for those that are left out; shard i has the lanes at places cuts[i] to
    cuts[i + 1]. `more` says what else is read.
    """
    shards = [_shards(lanes, place, cuts) for lanes in index.lanes]
    reads = sum(len(np.unique(shard[shard >= 0])) for shard in shards)
    spilled = reads > _REREADS * len(shards) + len(cuts)
    tables = (_through_files if spilled else _direct)(index, shards, len(cuts) - 1, more)
    at = np.concatenate([*index.lanes, np.zeros(0, np.int32)])
    for table, first in zip(tables, cuts[:-1].tolist(), strict=True):
        yield table.append_column("lane", arrow(place[at[ints(whole(table["row"]))]] - first))


def _shards(lanes: I32, place: I64, cuts: I64) -> I32:
    """The shard of each row; -1 where it is about nobody."""
    of = np.searchsorted(cuts, place, "right") - 1  # each lane's shard; -1 for those left out
    return np.where(lanes >= 0, of[lanes], -1).astype(np.int32)


def _direct(index: Index, shards: list[I32], count: int, more: More) -> Iterator[pa.Table]:
    """Reads each shard's chunks; those that the next shard needs too are read once."""
    holds: list[list[int]] = [[] for _ in range(count)]
    for chunk, shard in enumerate(shards):
        for i in np.unique(shard[shard >= 0]).tolist():
            holds[i].append(chunk)
    read: dict[int, pa.Table] = {}
    for i, chunks in enumerate(holds):
        read = {chunk: read[chunk] if chunk in read else index.read(chunk, more) for chunk in chunks}
        parts = [_of_shard(table, shards[chunk] == i) for chunk, table in read.items()]
        read = {chunk: read[chunk] for chunk in (holds[i + 1] if i + 1 < count else ()) if chunk in read}
        yield pa.concat_tables(parts) if parts else index.empty(more)


def _of_shard(table: pa.Table, own: Bool) -> pa.Table:
    """The rows of a shard; if they stand together, nothing is copied."""
    at = np.flatnonzero(own)
    if len(at) and at[-1] - at[0] + 1 == len(at):
        return table.slice(at[0], len(at))
    return table.filter(arrow(own))


def _through_files(index: Index, shards: list[I32], count: int, more: More) -> Iterator[pa.Table]:
    """Sorts some chunks at a time by shard into files, then reads the files back shard by shard."""
    with tempfile.TemporaryDirectory(prefix="oo-sim-audit-") as directory:
        files: list[list[Path]] = [[] for _ in range(count)]
        for first in range(0, len(shards), _TOGETHER):
            chunks = range(first, min(first + _TOGETHER, len(shards)))
            shard = np.concatenate([shards[chunk] for chunk in chunks])
            table = pa.concat_tables([index.read(chunk, more) for chunk in chunks])
            table = table.take(arrow(np.argsort(shard, kind="stable")))
            edges = np.searchsorted(np.sort(shard), np.arange(count + 1))
            for i in np.flatnonzero(np.diff(edges)).tolist():
                files[i].append(Path(directory) / f"{i}-{first}.arrow")
                _write(files[i][-1], table.slice(edges[i], edges[i + 1] - edges[i]))
        for paths in files:
            yield pa.concat_tables([_read(path) for path in paths]) if paths else index.empty(more)


def _write(path: Path, table: pa.Table) -> None:
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema, options=options) as writer:
        writer.write_table(table)


def _read(path: Path) -> pa.Table:
    with pa.OSFile(str(path)) as file, pa.ipc.open_file(file) as reader:
        table = reader.read_all()
    path.unlink()
    return table
