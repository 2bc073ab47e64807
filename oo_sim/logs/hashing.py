"""A hash of what tables say, whatever their chunks, compression or file format."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_ROWS = 1 << 16  # strings are joined in slices, so that no joined string outgrows its 32-bit offsets


def content_hash(*tables: pa.Table) -> str:
    """BLAKE2b (32 hex digits) of the tables' names, types and values, row for row, of flat columns.

    Equal tables have equal hashes however they are chunked; it is a hash of values, never of file bytes.
    """
    digest = hashlib.blake2b(digest_size=16)
    for table in tables:
        digest.update(f"{table.num_rows}\n".encode())
        for name, column in zip(table.column_names, table.columns, strict=True):
            digest.update(f"{name} {column.type}\n".encode())
            _update(digest, column)
    return digest.hexdigest()


def _update(digest: hashlib.blake2b, column: pa.ChunkedArray) -> None:
    digest.update(_bytes(pc.is_null(column)))
    if pa.types.is_string(column.type):
        filled = pc.fill_null(column, "")
        digest.update(_bytes(pc.binary_length(filled)))
        for chunk in filled.chunks:
            for start in range(0, len(chunk), _ROWS):
                digest.update(_joined(chunk.slice(start, _ROWS)))
    else:
        digest.update(_bytes(column))


def _bytes(numbers: pa.ChunkedArray) -> memoryview:
    return np.ascontiguousarray(numbers.to_numpy()).data


def _joined(strings: pa.Array) -> pa.Buffer:
    whole = pa.ListArray.from_arrays(pa.array([0, len(strings)], pa.int32()), strings)
    return pc.binary_join(whole, "")[0].as_buffer()
