"""A run directory read back, with every file checked before it is believed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from oo_sim.logs.errors import RunLogError
from oo_sim.logs.schema import SCHEMAS, conform, features_of

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1
"""The version of the run directory that is written and read here."""

_REQUIRED: Mapping[str, type] = {
    "name": str,
    "scenario": dict,
    "policies": list,
    "seed": int,
    "users": int,
    "rounds": int,
    "replicates": int,
    "own_trajectory": bool,
    "has_reactions": bool,
    "content_hash": str,
    "failures": dict,
    "timing": dict,
}
_KINDS = {str: "a text", dict: "an object", list: "a list", int: "a whole number", bool: "true or false"}


class RunFiles:
    """The files of one run directory. The manifest is read and checked at once, tables when asked for."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise RunLogError(self.path, "is no run directory" if self.path.exists() else "does not exist")
        self.manifest = _manifest(self.path / "manifest.json")

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
            raise RunLogError(path, f"is no readable Parquet file: {_first_line(error)}") from error
        self._name = name
        try:
            conform(self.schema.empty_table(), SCHEMAS[name])
        except ValueError as error:
            raise RunLogError(path, f"is no {name} table of this format: {error}") from error

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


def _manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunLogError(path, "is missing, so this is no run directory") from error
    except OSError as error:
        raise RunLogError(path, f"cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise RunLogError(path, f"is no JSON: {_first_line(error)}") from error
    _check(path, manifest)
    return dict(manifest)


def _check(path: Path, manifest: object) -> None:
    if not isinstance(manifest, dict) or "format" not in manifest:
        raise RunLogError(path, "is no manifest of a run: it has no `format`")
    if manifest["format"] != FORMAT:
        raise RunLogError(path, f"has format {manifest['format']!r:.40}; this version reads format {FORMAT}")
    for key, kind in _REQUIRED.items():
        value = manifest.get(key)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise RunLogError(path, f"`{key}` must be {_KINDS[kind]}, not {value!r:.40}")
    for key in ("users", "rounds", "replicates"):
        if manifest[key] < 1:
            raise RunLogError(path, f"`{key}` must be at least 1, not {manifest[key]!r:.40}")
    for index, policy in enumerate(manifest["policies"]):
        if not isinstance(policy, dict) or not isinstance(policy.get("label"), str):
            raise RunLogError(path, f"`policies[{index}]` must be an object with a `label`")
    for label, rate in manifest["timing"].items():
        if not isinstance(rate, dict) or not all(isinstance(value, int | float) for value in rate.values()):
            raise RunLogError(path, f"`timing[{label!r:.40}]` must be an object of numbers, not {rate!r:.40}")
    for label, message in manifest["failures"].items():
        if not isinstance(message, str):
            raise RunLogError(path, f"`failures[{label!r:.40}]` must be a text, not {message!r:.40}")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
