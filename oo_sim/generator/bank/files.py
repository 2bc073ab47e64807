"""Tip banks on disk: a Parquet file with what it was made with, and the journal that a run can resume from."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple, Self

import pyarrow as pa
import pyarrow.parquet as pq

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.bank.record import BankInfo, Record, as_row, from_row

FORMAT = 2
_KEY = b"oo_sim.tips"


def _column(name: str, kind: pa.DataType, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable)


def _list(kind: pa.DataType) -> pa.DataType:
    return pa.list_(_column("item", kind))


_USAGE = pa.struct([_column("prompt_tokens", pa.int64()), _column("completion_tokens", pa.int64())])
_TIP = [_column("id", pa.string()), _column("content", pa.string()), _column("rationale", pa.string(), nullable=True)]
_TRY = [
    _column("attempt", pa.int32()),
    _column("status", pa.int32()),
    _column("latency_ms", pa.float64()),
    _column("failure", pa.string(), nullable=True),
    _column("message", pa.string()),
    _column("reply", pa.string(), nullable=True),
    _column("finish_reason", pa.string(), nullable=True),
    _column("usage", _USAGE),
    _column("usage_reported", pa.bool_()),
    _column("estimate", _USAGE),
    _column("flags", _list(pa.string())),
]


def _schema(tip: Sequence[pa.Field], one_try: Sequence[pa.Field]) -> pa.Schema:
    return pa.schema(
        [
            _column("position", pa.int64()),
            _column("user_id", pa.string()),
            _column("context", pa.string()),
            _column("n", pa.int32()),
            _column("status", pa.int32()),
            _column("failure", pa.string(), nullable=True),
            _column("message", pa.string()),
            _column("prompt_version", pa.string()),
            _column("llm_model", pa.string()),
            _column("flags", _list(pa.string())),
            _column("tips", _list(pa.struct(tip))),
            _column("tries", _list(pa.struct(one_try))),
        ]
    )


SCHEMA = _schema([*_TIP, _column("given_id", pa.string(), nullable=True)], [*_TRY, _column("replayed", pa.bool_())])
"""One row per context: the tips that came, and every try (an HTTP status of 0: no answer)."""


_SCHEMAS = {1: _schema(_TIP, _TRY), FORMAT: SCHEMA}


class Bank(NamedTuple):
    """What a bank was made with, and its rows in the order of the contexts."""

    info: BankInfo
    records: tuple[Record, ...]


def write_bank(path: Path, bank: Bank) -> None:
    """Writes the file whole or not at all; the same bank gives the same bytes."""
    text = json.dumps({"format": FORMAT, **bank.info._asdict()})
    schema = SCHEMA.with_metadata({_KEY: text.encode()})
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            pq.write_table(pa.Table.from_pylist([as_row(one) for one in bank.records], schema), file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise GeneratorInputError(f"{path}: cannot be written: {error.strerror}") from None


def read_bank(path: Path) -> Bank:
    """A bank from its file. Raises `GeneratorInputError`."""
    if path.is_dir():
        raise GeneratorInputError(f"{path}: is a directory; a tip bank is one file")
    try:
        table = pq.read_table(path, partitioning=None)
    except FileNotFoundError:
        raise GeneratorInputError(f"{path}: does not exist") from None
    except (pa.ArrowException, OSError) as error:
        raise GeneratorInputError(f"{path}: is not a readable Parquet file: {str(error)[:200]}") from None
    try:
        values = json.loads((table.schema.metadata or {})[_KEY])
        known = _SCHEMAS.get(values.pop("format"))
        if known is None:
            raise GeneratorInputError(f"{path}: is a tip bank of another format; this version reads up to {FORMAT}")
        if not table.schema.equals(known):
            raise GeneratorInputError(f"{path}: is not a tip bank: its columns are different")
        return Bank(BankInfo(**values), tuple(from_row(row) for row in table.to_pylist()))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, GeneratorInputError):
            raise
        raise GeneratorInputError(f"{path}: is not a tip bank: its metadata are missing or broken") from None


class Journal:
    """The records of an unfinished run, as JSON lines behind one line of what the run is made with."""

    def __init__(self, out: Path, info: BankInfo) -> None:
        self.path = out.with_name(f"{out.name}.partial")
        self._info = info
        self.done: dict[int, Record] = {}
        self._file: IO[bytes]
        self._empty = True

    def __enter__(self) -> Self:
        try:
            found = self.path.read_bytes() if self.path.exists() else b""
            whole = found[: found.rfind(b"\n") + 1]  # a kill may have left half a line behind it
            self._read(whole.splitlines())
            self._file = self.path.open("ab")
            self._file.truncate(len(whole))
            self._empty = not whole
        except OSError as error:
            raise GeneratorInputError(f"{self.path}: cannot be written: {error.strerror}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if self._empty:
            self.remove()

    def add(self, record: Record) -> None:
        """Keeps a record, also if the process is killed right after."""
        if self._empty:
            self._write(self._info._asdict())
            self._empty = False
        self._write(as_row(record))
        self.done[record.position] = record

    def remove(self) -> None:
        """Deletes the journal, of a run that is complete or of which nothing is done."""
        self.path.unlink(missing_ok=True)

    def _write(self, value: object) -> None:
        try:
            self._file.write(json.dumps(value).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            self._discard()
            raise GeneratorInputError(
                f"{self.path}: cannot be written: {error.strerror}. Make room, and give the same command again: "
                f"{len(self.done)} contexts are kept."
            ) from None

    def _discard(self) -> None:
        """Closes the file without what could not be written, which would fail again."""
        with suppress(OSError):
            self._file.close()

    def _read(self, lines: Iterable[bytes]) -> None:
        for number, line in enumerate(lines, 1):
            try:
                value = json.loads(line)
                if number == 1:
                    check_same(self.path, BankInfo(**value), self._info)
                    continue
                record = from_row(value)
            except GeneratorInputError:
                raise
            except (KeyError, TypeError, ValueError):
                raise GeneratorInputError(f"{self.path}: line {number} is not a record; remove the file") from None
            self.done[record.position] = record


def check_same(path: Path, found: BankInfo, wanted: BankInfo) -> None:
    """`GeneratorInputError` when a file belongs to a run made with something else."""
    for name, here, there in zip(BankInfo._fields, wanted, found, strict=True):
        if here != there:
            raise GeneratorInputError(
                f"{path}: belongs to another run: {name} is {there!r:.60} there and {here!r:.60} here; "
                "choose another --out, or remove the file"
            )
