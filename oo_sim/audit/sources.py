"""Where a log's rows come from: a table in memory, or Parquet files read a row group at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from oo_sim.audit.report import UnusableLogError

KEYS = ("policy", "replicate", "user_id")
"""Who a row is about."""
COLUMNS = {
    "decisions": (
        *("policy_hash", "decision_id", "t", "ts", "hour", "day", "candidates", "x", "probs", "chosen", "propensity"),
        *("score", "explored", "expected_reward", "best_expected_reward"),
    ),
    "learnings": ("decision_id", "seq", "kind", "x", "reaction", "reward", "t_decided", "t_now", "ts"),
}
"""The other columns that an audit reads."""
SAID = {
    "decisions": ("tip_kind", "probs_kind", "probs_samples", "prompt_version", "llm_model"),
    "learnings": ("tip_id",),
}
"""Columns that not every log has; they are read where they are there."""


TRUTH = ("expected_reward", "best_expected_reward")
"""Columns that only the oracle and the world are judged by."""


class More(NamedTuple):
    """What is read beside that which every policy is judged by: the ids of candidates and of their tasks, and
    `TRUTH`."""

    ids: bool = False
    truth: bool = True


class Source(Protocol):
    """A table in chunks that can be read in any order, again and again."""

    @property
    def chunks(self) -> int:
        """How many chunks there are, at least one."""

    @property
    def columns(self) -> Sequence[str]:
        """The names of its columns."""

    def read(self, chunk: int, columns: Sequence[str], *, ids: bool = False) -> pa.Table:
        """Some columns of one chunk, in their order, with the ids of candidates and of their tasks if asked for. Raises
        UnusableLogError where it cannot be read."""


class TableSource:
    """A table in memory, in chunks of `rows`. Raises UnusableLogError unless it has a log's columns."""

    def __init__(self, table: pa.Table | pa.RecordBatch, name: str, rows: int = 1 << 14) -> None:
        whole = pa.Table.from_batches([table]) if isinstance(table, pa.RecordBatch) else table
        check_schema(whole.schema, name)
        self._table, self._rows = whole, rows

    @property
    def chunks(self) -> int:
        """How many chunks there are."""
        return max(1, -(-int(self._table.num_rows) // self._rows))

    @property
    def columns(self) -> Sequence[str]:
        """The names of its columns."""
        return list(self._table.column_names)

    def read(self, chunk: int, columns: Sequence[str], *, ids: bool = False) -> pa.Table:
        """Some columns of one chunk."""
        return self._table.select(list(columns)).slice(chunk * self._rows, self._rows)


class _Group(NamedTuple):
    """A row group of a file, and the paths of the file's leaves."""

    path: Path
    file: pq.ParquetFile
    group: int
    leaves: list[str]


class ParquetSource:
    """Parquet files of one schema, read by row group; only what is asked for is decoded.

    Raises UnusableLogError, naming the file, where one is damaged, lacks columns, or differs from the first.
    """

    def __init__(self, paths: Sequence[Path], name: str) -> None:
        self._groups: list[_Group] = []
        first: pa.Schema | None = None
        for path in paths:
            file = _open(path)
            schema = file.schema_arrow.remove_metadata()
            check_schema(schema, name, str(path))
            if first is not None and not schema.equals(first):
                other = sorted({f.name for f in set(first) ^ set(schema)}) or ["the order of columns"]
                raise UnusableLogError(
                    f"{path}: {', '.join(other)}: not as in {paths[0]}; the files of a table have the same columns"
                )
            first = schema
            leaves = [file.schema.column(i).path for i in range(len(file.schema))]
            self._groups += [_Group(path, file, group, leaves) for group in range(file.metadata.num_row_groups)]
        if first is None:
            raise UnusableLogError(f"there is no file of {name}")
        self._schema = first

    @property
    def chunks(self) -> int:
        """How many row groups there are; a log without any has one empty chunk."""
        return max(1, len(self._groups))

    @property
    def columns(self) -> Sequence[str]:
        """The names of its columns."""
        return list(self._schema.names)

    def read(self, chunk: int, columns: Sequence[str], *, ids: bool = False) -> pa.Table:
        """Some columns of one row group."""
        if not self._groups:
            return self._schema.empty_table().select(list(columns))
        path, file, group, leaves = self._groups[chunk]
        wanted = _wanted_leaves(leaves, columns, ids)
        try:
            try:
                found = file.read_row_group(group, columns=wanted, use_threads=False)
            except pa.ArrowNotImplementedError:  # so many different texts that a dictionary comes in pieces
                whole = pq.ParquetFile(path, metadata=file.metadata)
                found = whole.read_row_group(group, columns=wanted, use_threads=False)
            return found.select(list(columns))
        except (pa.ArrowException, OSError) as error:
            raise UnusableLogError(f"{path}: row group {group} is damaged: {_first_line(error)}") from error


def check_schema(schema: pa.Schema, name: str, where: str = "") -> None:
    """UnusableLogError unless the schema has every column that the audit reads, of a type that fits."""
    where = where or name
    columns = (*KEYS, *COLUMNS[name])
    missing = [column for column in columns if column not in schema.names]
    if missing:
        raise UnusableLogError(f"{where}: no column {', '.join(missing)}; a table of {name} has them")
    for column in (*columns, *(column for column in SAID[name] if column in schema.names)):
        kind, wanted = schema.field(column).type, _wanted(column, name)
        if not _fits(kind, wanted):
            raise UnusableLogError(f"{where}: column {column} is {kind}; expected {wanted}")


def _wanted(column: str, name: str) -> str:
    if column == "x":
        return "list of numbers" if name == "learnings" else "list of list of numbers"
    return _KINDS.get(column, "number")


def _fits(kind: pa.DataType, wanted: str) -> bool:
    while wanted.startswith("list of "):
        if not pa.types.is_list(kind):
            return False
        kind, wanted = kind.value_type, wanted.removeprefix("list of ")
    if wanted == "candidates":
        fields = {field.name for field in kind} if pa.types.is_struct(kind) else set()
        return set(_STRUCT) <= fields and all(_fits(kind.field(f).type, _KINDS[f]) for f in _STRUCT)
    return bool(_TESTS[wanted](kind))


_STRUCT = ("source", "is_overdue", "task_age_days", "priority")
_FEW = ("policy", "user_id", "policy_hash", "kind", "reaction", "tip_kind", "probs_kind", "prompt_version", "llm_model")
"""Texts of which there are few different ones."""
_KINDS = {
    **dict.fromkeys((*_FEW, "source", "decision_id", "tip_id"), "text"),
    **dict.fromkeys(("replicate", "t", "hour", "day", "chosen", "seq", "t_decided", "t_now"), "whole number"),
    "probs_samples": "whole number",
    **dict.fromkeys(("explored", "is_overdue"), "true or false"),
    **dict.fromkeys(("task_age_days", "priority"), "number"),
    "candidates": "list of candidates",
    "probs": "list of numbers",
    "ts": "time",
}


def _number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind))


def _text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind))


_TESTS: Mapping[str, Callable[[pa.DataType], bool]] = {
    "text": _text,
    "whole number": lambda kind: pa.types.is_integer(kind) or pa.types.is_null(kind),
    "true or false": lambda kind: pa.types.is_boolean(kind) or pa.types.is_null(kind),
    "time": lambda kind: pa.types.is_timestamp(kind) or pa.types.is_null(kind),
    "number": _number,
    "numbers": _number,
}


def _open(path: Path) -> pq.ParquetFile:
    """The file, texts of which there are few different ones to be read as dictionaries."""
    try:
        metadata = pq.read_metadata(path)
        paths = [metadata.schema.column(i).path for i in range(metadata.num_columns)]
        few = [leaf for leaf in paths if leaf in _FEW or (leaf.startswith("candidates.") and leaf.endswith(".source"))]
        return pq.ParquetFile(path, metadata=metadata, read_dictionary=few)
    except FileNotFoundError as error:
        raise UnusableLogError(f"{path}: is missing") from error
    except (pa.ArrowException, OSError) as error:
        raise UnusableLogError(f"{path}: is not a readable Parquet file: {_first_line(error)}") from error


def _wanted_leaves(leaves: Sequence[str], columns: Sequence[str], ids: bool) -> list[str]:
    """The leaves to decode: of candidates, only the fields that are judged."""
    fields = (*_STRUCT, "id", "task_id") if ids else _STRUCT
    parts = [(leaf, leaf.split(".")) for leaf in leaves]
    return [leaf for leaf, at in parts if at[0] in columns and (at[0] != "candidates" or at[-1] in fields)]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
