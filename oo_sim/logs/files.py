"""A run directory read back, with every file checked before it is believed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from oo_sim.errors import RunLogError
from oo_sim.logs.manifest import Manifest
from oo_sim.logs.schema import LATER, SCHEMAS, conform, features_of

if TYPE_CHECKING:
    import pandas as pd


class RunFiles:
    """The files of one run directory. The manifest is read and checked at once, tables when asked for."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise RunLogError(self.path, "is not a run directory" if self.path.exists() else "does not exist")
        self.manifest = Manifest.read(self.path / "manifest.json")

    @property
    def has_events(self) -> bool:
        """Whether the run logged its decisions."""
        return (self.path / "decisions.parquet").exists()

    def table(self, name: str) -> pa.Table:
        """A whole table of `SCHEMAS`, checked against its schema."""
        return EventTable(self.path / f"{name}.parquet", name).table()

    def curves(self) -> pd.DataFrame:
        """Sums per policy, replicate and round."""
        frame: pd.DataFrame = self.table("curves").to_pandas()
        return frame

    def users(self) -> pd.DataFrame:
        """Running totals per policy, replicate and user at the checkpoints."""
        frame: pd.DataFrame = self.table("users").to_pandas()
        return frame

    def decisions(self) -> EventTable:
        """The logged decisions. Raises `RunLogError` when the run was made without events."""
        return self._events("decisions")

    def learnings(self) -> EventTable:
        """What the models learned, in order. Raises `RunLogError` when the run was made without events."""
        return self._events("learnings")

    def _events(self, name: str) -> EventTable:
        if not self.has_events:
            raise RunLogError(
                self.path,
                f"holds no {name}: the run was made without events; run again with --events, in Python with "
                "events=True and out=DIR",
            )
        return EventTable(self.path / f"{name}.parquet", name)


class EventTable:
    """A Parquet file that is read in batches, by row group, or whole; errors name the file.

    Columns that came with a later format are there, and empty, in logs of an earlier one.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        try:
            with pq.ParquetFile(path) as file:
                found: pa.Schema = file.schema_arrow
                self.num_rows: int = file.metadata.num_rows
                sizes = [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]
        except FileNotFoundError as error:
            raise RunLogError(path, "is missing") from error
        except (pa.ArrowException, OSError) as error:
            raise RunLogError(path, f"is not a readable Parquet file: {_first_line(error)}") from error
        self.starts: list[int] = [0, *itertools.accumulate(sizes)][:-1]
        self.name = name
        self._later = [column for column in LATER.get(name, ()) if column not in found.names]
        self.schema = found
        for column in self._later:
            self.schema = self.schema.append(SCHEMAS[name].field(column))
        try:
            conform(self.schema.empty_table(), SCHEMAS[name])
        except ValueError as error:
            raise RunLogError(path, f"is not a {name} table of this format: {error}") from error

    @property
    def features(self) -> dict[str, tuple[str, ...]]:
        """The feature names of `x`, by policy hash."""
        return features_of(self.schema)

    @property
    def groups(self) -> int:
        """The number of row groups."""
        return len(self.starts)

    def group(self, index: int, columns: Sequence[str]) -> pa.Table:
        """Some columns of one row group, which begins at row `starts[index]`."""
        try:
            return self._filled(self._file.read_row_group(index, columns=self._stored(columns)), columns)
        except (pa.ArrowException, OSError) as error:
            raise RunLogError(self.path, f"row group {index} is damaged: {_first_line(error)}") from error

    def batches(self, columns: Sequence[str] | None = None, rows: int = 1 << 14) -> Iterator[pa.RecordBatch]:
        """The table in batches of at most `rows` rows, so that memory stays bounded."""
        wanted = self.schema.names if columns is None else list(columns)
        try:
            with pq.ParquetFile(self.path) as file:
                for batch in file.iter_batches(rows, columns=self._stored(wanted)):
                    if self._later:
                        yield from self._filled(pa.Table.from_batches([batch]), wanted).to_batches()
                    else:
                        yield batch
        except (pa.ArrowException, OSError) as error:
            raise RunLogError(self.path, f"is damaged: {_first_line(error)}") from error

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The whole table, or the columns named."""
        schema = SCHEMAS[self.name]
        wanted = schema if columns is None else pa.schema([schema.field(name) for name in columns])
        try:
            with pq.ParquetFile(self.path) as file:
                return conform(self._filled(file.read(columns=self._stored(wanted.names)), wanted.names), wanted)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise RunLogError(self.path, f"is damaged: {_first_line(error)}") from error

    @cached_property
    def _file(self) -> pq.ParquetFile:
        return pq.ParquetFile(self.path)

    def _stored(self, columns: Sequence[str]) -> list[str]:
        return [name for name in columns if name not in self._later]

    def _filled(self, table: pa.Table, columns: Sequence[str]) -> pa.Table:
        for name in self._later:
            if name in columns:
                field = self.schema.field(name)
                table = table.append_column(field, pa.nulls(len(table), field.type))
        return table.select(list(columns)) if self._later else table


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
