"""Event parts: the rows of one group of users as an Arrow file of their own, until the run is committed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

_HELD_BYTES = 1 << 22
"""What a sink holds back, so that the file gets few large batches however small those written are."""


class PartSink:
    """Takes the record batches of one part. No rows, no file, so an empty part costs nothing."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._schema = schema
        self._held: list[pa.RecordBatch] = []
        self._bytes = 0
        self._writer: pa.ipc.RecordBatchFileWriter | None = None
        self._closed = False

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows. Raises `ValueError` when closed, or when the batch has another schema."""
        if self._closed:
            raise ValueError(f"{self._path.name}: this part is closed")
        if not batch.schema.equals(self._schema):
            raise ValueError(f"{self._path.name}: the batch has another schema:\n{batch.schema}")
        self._held.append(batch)
        self._bytes += batch.nbytes
        if self._bytes >= _HELD_BYTES:
            self._flush()

    def close(self) -> None:
        """Write what is held back and close the file; may be called again."""
        if self._held:
            self._flush()
        self.abandon()

    def abandon(self) -> None:
        """Close the file without caring for what is held back."""
        self._closed = True
        self._held.clear()
        self._bytes = 0
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def read(self) -> Iterator[pa.RecordBatch]:
        """The rows again, in the order written. Raises `ValueError` while the part is open."""
        if not self._closed:
            raise ValueError(f"{self._path.name}: close the part before the run is committed")
        if self._path.exists():
            with pa.OSFile(str(self._path)) as source, pa.ipc.open_file(source) as file:
                for index in range(file.num_record_batches):
                    yield file.get_batch(index)

    def _flush(self) -> None:
        if self._writer is None:
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            self._writer = pa.ipc.new_file(str(self._path), self._schema, options=options)
        whole = pa.Table.from_batches(self._held, self._schema).combine_chunks()
        for batch in whole.to_batches():
            self._writer.write_batch(batch)
        self._held.clear()
        self._bytes = 0


def rows_of(batches: Iterable[pa.RecordBatch], schema: pa.Schema, size: int) -> Iterator[pa.Table]:
    """The same rows as tables of `size` rows, the last one shorter, each in one chunk; holds little more."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        held.append(batch)
        count += batch.num_rows
        while count >= size:
            table = pa.Table.from_batches(held, schema)
            yield table.slice(0, size).combine_chunks()
            held = table.slice(size).to_batches()
            count -= size
    if count:
        yield pa.Table.from_batches(held, schema).combine_chunks()
