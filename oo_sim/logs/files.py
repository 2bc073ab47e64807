"""A run directory read back, with every file checked before it is believed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from oo_sim.errors import RunLogError
from oo_sim.logs.manifest import Manifest
from oo_sim.logs.schema import SCHEMAS, conform, features_of

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
            raise RunLogError(self.path, f"holds no {name}: the run was made without events; run with --events")
        return EventTable(self.path / f"{name}.parquet", name)


class EventTable:
    """A Parquet file that is read in batches or whole; errors name the file."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        try:
            with pq.ParquetFile(path) as file:
                self.schema: pa.Schema = file.schema_arrow
                self.num_rows: int = file.metadata.num_rows
        except FileNotFoundError as error:
            raise RunLogError(path, "is missing") from error
        except (pa.ArrowException, OSError) as error:
            raise RunLogError(path, f"is not a readable Parquet file: {_first_line(error)}") from error
        self._name = name
        try:
            conform(self.schema.empty_table(), SCHEMAS[name])
        except ValueError as error:
            raise RunLogError(path, f"is not a {name} table of this format: {error}") from error

    @property
    def features(self) -> dict[str, tuple[str, ...]]:
        """The feature names of `x`, by policy hash."""
        return features_of(self.schema)

    def batches(self, columns: Sequence[str] | None = None, rows: int = 1 << 14) -> Iterator[pa.RecordBatch]:
        """The table in batches of at most `rows` rows, so that memory stays bounded."""
        try:
            with pq.ParquetFile(self.path) as file:
                yield from file.iter_batches(rows, columns=columns and list(columns))
        except (pa.ArrowException, OSError) as error:
            raise RunLogError(self.path, f"is damaged: {_first_line(error)}") from error

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The whole table, or the columns named."""
        schema = SCHEMAS[self._name]
        wanted = schema if columns is None else pa.schema([schema.field(name) for name in columns])
        try:
            with pq.ParquetFile(self.path) as file:
                return conform(file.read(columns=wanted.names), wanted)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise RunLogError(self.path, f"is damaged: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
