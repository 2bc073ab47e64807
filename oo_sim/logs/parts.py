"""Event parts: the rows of one group of users, held back or in a file of their own until it is their turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow as pa


class PartSink:
    """Takes the record batches of one part, holds back `most` bytes of them, and calls `then` when it is closed."""

    def __init__(self, path: Path, schema: pa.Schema, most: int, then: Callable[[], None]) -> None:
        self._path, self._schema, self._most, self._then = path, schema, most, then
        self._held: list[pa.RecordBatch] = []
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None
        self.held = 0  # bytes
        self.closed = False

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows. Raises `ValueError` when closed, or when the batch has another schema."""
        if self.closed:
            raise ValueError(f"{self._path.name}: this part is closed")
        if not batch.schema.equals(self._schema):
            raise ValueError(f"{self._path.name}: the batch has another schema:\n{batch.schema}")
        self._held.append(batch)
        self.held += batch.nbytes
        if self.held >= self._most:
            self.spill()

    def close(self) -> None:
        """No more rows will come; may be called again."""
        if not self.closed:
            self.closed = True
            self._then()

    def spill(self) -> None:
        """Put what is held back into the part's own file, behind what is there."""
        if self._held:
            if self._writer is None:
                self._writer = pa.ipc.new_stream(str(self._path), self._schema)
            for batch in self._held:
                self._writer.write_batch(batch)
        self._held.clear()
        self.held = 0

    def abandon(self) -> None:
        """Close the file without caring for what is held back."""
        self.closed = True
        self._held.clear()
        self.held = 0
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def take(self) -> Iterator[pa.RecordBatch]:
        """The rows again, in the order written; afterwards nothing is left of them. Raises `ValueError` while the part
        is open."""
        if not self.closed:
            raise ValueError(f"{self._path.name}: close the part before the run is committed")
        held, self._held = self._held, []
        self.abandon()
        if self._path.exists():
            with pa.OSFile(str(self._path)) as source, pa.ipc.open_stream(source) as stream:
                yield from stream
            self._path.unlink()
        yield from held


class RowGroups:
    """Cuts the rows of batches into tables of `size` rows, the last one shorter, each in one chunk."""

    def __init__(self, schema: pa.Schema, size: int) -> None:
        self._schema, self._size = schema, size
        self._held: list[pa.RecordBatch] = []
        self._count = 0

    def add(self, batch: pa.RecordBatch) -> Iterator[pa.Table]:
        """The tables that are full with the batch."""
        self._held.append(batch)
        self._count += batch.num_rows
        if self._count >= self._size:
            table, start = pa.Table.from_batches(self._held, self._schema), 0
            while self._count >= self._size:
                yield table.slice(start, self._size).combine_chunks()
                start += self._size
                self._count -= self._size
            self._held = table.slice(start).to_batches()

    def rest(self) -> Iterator[pa.Table]:
        """What is left, if anything is."""
        if self._count:
            yield pa.Table.from_batches(self._held, self._schema).combine_chunks()
        self._held, self._count = [], 0


def rows_of(batches: Iterable[pa.RecordBatch], schema: pa.Schema, size: int) -> Iterator[pa.Table]:
    """The same rows as tables of `size` rows; holds little more."""
    groups = RowGroups(schema, size)
    for batch in batches:
        yield from groups.add(batch)
    yield from groups.rest()
