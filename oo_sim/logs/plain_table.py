"""The file of a plain table: small ones are read whole and sorted, large ones read in batches of whole users. A large
CSV file becomes a temporary Parquet file first, in one pass.

Rows count from 0, in the order of the file; what is said of a CSV file names the line.
"""

from __future__ import annotations

import codecs
import csv
import itertools
import os
import re
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from oo_sim.contract import I64, Bool
from oo_sim.errors import RunLogError
from oo_sim.logs import plain_columns as columns
from oo_sim.logs.plain_columns import ROW

_HELD = 1 << 20
"""Rows of a table that are still read whole, and sorted here."""
_CSV_HELD = 1 << 26
"""Bytes of a CSV file that are still parsed at once, so that all rows decide the types of columns together."""
_BATCH = 1 << 14
_MISREAD = re.compile(r"CSV column #(\d+): (?:Row #(\d+): )?CSV conversion error to ([^:]*): invalid value '(.*)'")


class PlainTable:
    """A plain table, its columns checked and its rows by user. Raises `RunLogError`, naming the column and the row."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: pq.ParquetFile | None = None
        self._whole: pa.Table | None = None
        ending = path.suffix.lower()
        if ending not in (".csv", ".parquet", ".pq"):
            raise RunLogError(path, "is neither a run directory nor a .csv or .parquet file")
        try:
            if ending == ".csv" and path.stat().st_size <= _CSV_HELD:
                table = pa_csv.read_csv(path)
                self.names = columns.known(path, table.column_names)
            else:
                self._file = pq.ParquetFile(self._as_parquet() if ending == ".csv" else path)
                self.names = columns.known(path, self._file.schema_arrow.names)
                if self._file.metadata.num_rows <= _HELD:
                    table = self._file.read(columns=self.names)
                    self._file = None
        except (pa.ArrowException, OSError) as error:
            if ending == ".csv":
                self._refuse_ragged()
            first = (str(error).splitlines() or [""])[0][:200]
            raise RunLogError(path, f"cannot be read as a table: {first}") from error
        self._actions = set[str]()
        self.users = self.most = 0
        if self._file is None:
            if not len(table):
                raise RunLogError(path, "has no rows")
            self._whole = self._sorted(self._lists(self._values(table.select(self.names), 0)))
            self._take_stock(self._whole)
        else:
            self._survey(self._file)

    def _values(self, table: pa.Table, row: int) -> pa.Table:
        """Rows of the file, of which `row` is the place of the first, whose values are what they should be."""
        return columns.checked(columns.numbered(columns.typed(self.path, table), row), self.refuse)

    def _lists(self, table: pa.Table) -> pa.Table:
        return columns.parsed(table, self.refuse)

    def _as_parquet(self) -> str:
        """The CSV file as a temporary Parquet file, checked, which is there as long as this table is."""
        names = pa_csv.open_csv(self.path).schema.names
        known = columns.known(self.path, names)
        numbers = {n: pa.float64() for n in known if n in columns.NUMBERS or n.startswith(columns.CONTEXT)}
        texts = {n: pa.string() for n in known if n in columns.TEXTS}
        kinds = pa_csv.ConvertOptions(column_types=numbers | texts, include_columns=known)
        opened, place = tempfile.mkstemp(prefix="oo-sim-", suffix=".parquet")
        os.close(opened)
        weakref.finalize(self, os.unlink, place)
        writer, row = None, 0
        try:
            for batch in pa_csv.open_csv(self.path, pa_csv.ReadOptions(use_threads=False), convert_options=kinds):
                table = self._lists(self._values(pa.Table.from_batches([batch]), row)).drop_columns([ROW])
                writer = writer or pq.ParquetWriter(place, table.schema)
                writer.write_table(table)
                row += len(batch)
        except pa.ArrowInvalid as error:
            if "invalid UTF8" in str(error):
                raise RunLogError(self.path, columns.NOT_UTF8) from error
            if (found := _MISREAD.search(str(error))) and found[2]:
                what = "a number" if found[3] == "double" else f"a value like those of the first rows ({found[3]})"
                self.refuse(int(found[2]) - 2, names[int(found[1])], f"is {found[4]!r}; {what} is expected")
            raise
        finally:
            if writer is not None:
                writer.close()
        if writer is None:
            raise RunLogError(self.path, "has no rows")
        return place

    @property
    def actions(self) -> list[str]:
        """The fixed actions there are, in order; none where candidates have features."""
        return sorted(self._actions)

    def refuse(self, row: int, column: str, why: str) -> NoReturn:
        """Raise `RunLogError` for a row that is wrong."""
        raise RunLogError(self.path, f"{self.place(row)}, column {column}: {why}")

    def place(self, row: int) -> str:
        """A row in words: in CSV the line of the file at which it begins, with the header as line 1."""
        if self.path.suffix.lower() == ".csv":
            for line, _ in itertools.islice(self._records(), row + 1, None):
                return f"line {line}"
        return f"row {row}"

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """The header and the rows of a CSV file as texts, each with its line; empty lines are none."""
        with self.path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            reader, line = csv.reader(file), 1
            for record in reader:
                if record:
                    yield line, record
                line = reader.line_num + 1

    def _refuse_ragged(self) -> None:
        """Raise `RunLogError` for the first line of a CSV file that has more or fewer values than the header, and for
        one in the encoding that spreadsheets call Unicode."""
        with suppress(OSError), self.path.open("rb") as file:
            if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                raise RunLogError(self.path, "is text in UTF-16; save it as UTF-8")
        records = self._records()
        try:
            width = len(next(records, (1, []))[1])
            for line, record in records:
                if len(record) != width:
                    raise RunLogError(self.path, f"line {line}: has {len(record)} values for {width} columns")
        except (csv.Error, OSError):
            return

    def tables(self, rows: int) -> Iterator[pa.Table]:
        """Tables of about `rows` rows, of whole users, in order; never less than one user."""
        if self._whole is not None:
            ends = np.append(starts(self._whole), len(self._whole))
            at = 0
            while at < len(ends) - 1:
                stop = max(at + 1, int(np.searchsorted(ends, ends[at] + rows, "right")) - 1)
                yield self._whole.slice(ends[at], ends[stop] - ends[at])
                at = stop
            return
        held, count = list[pa.Table](), 0
        for table in self._batches(self.names):
            held.append(self._lists(table))
            count += len(table)
            if count >= rows:
                together = pa.concat_tables(held)
                last = int(starts(together)[-1])  # of the user who may go on
                if last:
                    yield together.slice(0, last).combine_chunks()
                held, count = [together.slice(last)], count - last
        yield pa.concat_tables(held).combine_chunks()

    def _batches(self, names: Sequence[str]) -> Iterator[pa.Table]:
        """Columns of the file, some rows at a time."""
        assert self._file is not None
        row = 0
        try:
            for batch in self._file.iter_batches(_BATCH, columns=list(names), use_threads=False):
                yield self._values(pa.Table.from_batches([batch]).select(names), row)
                row += len(batch)
        except (pa.ArrowException, OSError) as error:
            raise RunLogError(self.path, f"cannot be read as a table: {str(error).splitlines()[0][:200]}") from error

    def _survey(self, file: pq.ParquetFile) -> None:
        """A pass over the light columns of a large file, which must hold each user's rows together and in order."""
        names = [name for name in ("user", "order", "action", "actions") if name in self.names]
        seen, last = set[Any](), None
        for table in self._batches(names):
            both = table if last is None else pa.concat_tables([last, table])
            user, order = (both[name].combine_chunks() for name in ("user", "order"))
            changes = _changes(user)
            back = np.flatnonzero(~changes & pc.less_equal(order[1:], order[:-1]).to_numpy(zero_copy_only=False))
            heads = [user[int(i) + 1].as_py() for i in np.flatnonzero(changes)]
            heads += [user[0].as_py()] if last is None else []
            if len(back) or len(again := seen & set(heads)) or len(set(heads)) < len(heads):
                whose = user[int(back[0])].as_py() if len(back) else sorted(map(str, again or heads))[0]
                raise RunLogError(
                    self.path,
                    f"has {file.metadata.num_rows:,} rows, which are not in order: see user {whose}. Tables above "
                    f"{_HELD:,} rows are read in one pass; sort the file by user and order first",
                )
            seen.update(heads)
            self._take_stock(table)
            last = both.slice(len(both) - 1)
        self.users = len(seen)
        if "decision_id" in self.names:
            ids = columns.typed(self.path, file.read(columns=["decision_id"]).select(["decision_id"]))
            if pc.count_distinct(ids["decision_id"]).as_py() < len(ids) - ids["decision_id"].null_count:
                columns.refuse_twice(columns.numbered(ids, 0), self.refuse)

    def _take_stock(self, table: pa.Table) -> None:
        """Count users and rows of a user, and collect the actions."""
        sizes = np.diff(np.append(starts(table), len(table)))
        self.users += len(sizes)
        self.most = max(self.most, int(sizes.max(initial=0)))
        if "action" in self.names:
            self._actions |= {str(a) for a in pc.unique(table["action"]).to_pylist()}
            if "actions" in self.names:
                offered = table["actions"]
                offered = pc.unique(offered) if columns.is_text(offered.type) else offered
                self._actions |= {a for each in offered.to_pylist() for a in columns.split(each)}

    def _sorted(self, table: pa.Table) -> pa.Table:
        table = table.sort_by([("user", "ascending"), ("order", "ascending"), (ROW, "ascending")])
        user, order = table["user"].combine_chunks(), table["order"].combine_chunks()
        same = np.flatnonzero(~_changes(user) & ~_changes(order))
        if len(same):
            at = int(same[0]) + 1
            row = int(table[ROW][at].as_py())
            self.refuse(row, "order", f"is {order[at].as_py()} a second time for user {user[at].as_py()}")
        return table


def starts(table: pa.Table) -> I64:
    """Where each user's rows begin."""
    user = table["user"].combine_chunks()
    return np.flatnonzero(np.concatenate(([True], _changes(user)))) if len(table) else np.zeros(0, np.int64)


def _changes(column: pa.Array) -> Bool:
    """Between which neighbours the value changes."""
    return np.asarray(pc.not_equal(column[1:], column[:-1]).to_numpy(zero_copy_only=False), np.bool_)
