"""A hash of what tables say, whatever their chunks, compression or file format."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_ROWS = 1 << 16  # strings are joined in slices, so that no joined string outgrows its 32-bit offsets


def content_hash(*tables: pa.Table | Path) -> str:
    """BLAKE2b (32 hex digits) of the tables' names, types and values, row for row, of flat columns.

    Equal tables have equal hashes however they are chunked; it is a hash of values, never of file bytes. A table may be
    a Parquet file, which is read column by column in bounded memory.
    """
    digest = hashlib.blake2b(digest_size=16)
    for table in tables:
        if isinstance(table, Path):
            with pq.ParquetFile(table) as file:
                _update(digest, file.metadata.num_rows, file.schema_arrow, partial(_read, file))
        else:
            _update(digest, table.num_rows, table.schema, partial(_chunks, table))
    return digest.hexdigest()


Chunks = Callable[[str], Iterator[pa.Array]]
"""A column's chunks by its name, as often as asked."""


def _chunks(table: pa.Table, name: str) -> Iterator[pa.Array]:
    yield from table.column(name).chunks


def _read(file: pq.ParquetFile, name: str) -> Iterator[pa.Array]:
    for group in range(file.num_row_groups):  # batches of the whole file would hold all of the column, packed
        yield from file.read_row_group(group, columns=[name]).column(0).chunks


def _update(digest: hashlib.blake2b, rows: int, schema: pa.Schema, chunks: Chunks) -> None:
    digest.update(f"{rows}\n".encode())
    for field in schema:
        digest.update(f"{field.name} {field.type}\n".encode())
        for chunk in chunks(field.name):
            digest.update(_bytes(pc.is_null(chunk)))
        if pa.types.is_string(field.type):
            for chunk in chunks(field.name):
                digest.update(_bytes(pc.binary_length(pc.fill_null(chunk, ""))))
            for chunk in chunks(field.name):
                for start in range(0, len(chunk), _ROWS):
                    digest.update(_joined(pc.fill_null(chunk.slice(start, _ROWS), "")))
        else:
            for chunk in chunks(field.name):
                digest.update(_bytes(chunk))


def _bytes(numbers: pa.Array) -> memoryview:
    return np.ascontiguousarray(numbers.to_numpy(zero_copy_only=False)).data


def _joined(strings: pa.Array) -> pa.Buffer:
    whole = pa.ListArray.from_arrays(pa.array([0, len(strings)], pa.int32()), strings)
    return pc.binary_join(whole, "")[0].as_buffer()
