"""The file of a plain table: small ones are read whole and sorted, large ones read in batches of whole users. A large
CSV file becomes a temporary Parquet file first, in one pass.

Rows count from 0, in the order of the file; what is said of a CSV file names the line.
"""

from __future__ import annotations

import csv
import difflib
import itertools
import json
import os
import re
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from oo_sim.contract import I64, Bool
from oo_sim.errors import RunLogError

ROW = "__row"
"""The column that holds each row's place in the file."""
_COMMON = ("user", "order", "probability", "reward")
_OFFERS = {"x": ("chosen",), "candidates": ("chosen", "hour", "day"), "action": ()}
"""The columns that say what was on offer, one of which is there, and those that it requires."""
_OPTIONAL = {
    "x": ("probs", "decision_id"),
    "candidates": ("probs", "decision_id"),
    "action": ("actions", "probs", "decision_id"),
}
"""The columns that may be there too."""
_KNOWN = {*_COMMON, *_OFFERS, "chosen", "hour", "day", "actions", "probs", "decision_id"}
_CLOSE = 0.7  # of two names: one is the other, misspelt
_MARKS = {";": "semicolons", "\t": "tabs", "|": "bars (|)"}
_CANDIDATE = {
    "source": pa.string(),
    "priority": pa.float64(),
    "is_overdue": pa.float64(),
    "task_age_days": pa.float64(),
}
_JSON: dict[str, tuple[pa.DataType, str]] = {
    "x": (pa.list_(pa.list_(pa.float64())), "a list of vectors"),
    "probs": (pa.list_(pa.float64()), "a list of numbers"),
    "candidates": (
        pa.list_(pa.struct(list(_CANDIDATE.items()))),
        "a list of candidates with source, priority, is_overdue and task_age_days",
    ),
}
_HELD = 1 << 20
"""Rows of a table that are still read whole, and sorted here."""
_CSV_HELD = 1 << 26
"""Bytes of a CSV file that are still parsed at once, so that all rows decide the types of columns together."""
_BATCH = 1 << 14
_NUMBERS = ("probability", "reward", "chosen", "hour", "day")
_TEXTS = ("user", "decision_id", "action", "actions", *_JSON)
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
            else:
                self._file = pq.ParquetFile(self._as_parquet() if ending == ".csv" else path)
                table = self._file.schema_arrow.empty_table()
                if self._file.metadata.num_rows <= _HELD:
                    table = self._file.read()
                    self._file = None
        except (pa.ArrowException, OSError) as error:
            if ending == ".csv":
                self._refuse_ragged()
            first = (str(error).splitlines() or [""])[0][:200]
            raise RunLogError(path, f"cannot be read as a table: {first}") from error
        self._check_columns(table)
        self.names: list[str] = table.column_names
        self._actions = set[str]()
        self.users = self.most = 0
        if self._file is None:
            if not len(table):
                raise RunLogError(path, "has no rows")
            self._whole = self._sorted(self._lists(self._checked(_numbered(table, 0))))
            self._take_stock(self._whole)
        else:
            self._survey(self._file)

    def _as_parquet(self) -> str:
        """The CSV file as a temporary Parquet file, checked, which is there as long as this table is."""
        names = pa_csv.open_csv(self.path).schema.names
        numbers = {n: pa.float64() for n in names if n in _NUMBERS or n.startswith("context_")}
        kinds = pa_csv.ConvertOptions(column_types=numbers | {n: pa.string() for n in names if n in _TEXTS})
        self._check_columns(pa.schema([(n, kinds.column_types.get(n, pa.null())) for n in names]).empty_table())
        opened, place = tempfile.mkstemp(prefix="oo-sim-", suffix=".parquet")
        os.close(opened)
        weakref.finalize(self, os.unlink, place)
        writer, row = None, 0
        try:
            for batch in pa_csv.open_csv(self.path, pa_csv.ReadOptions(use_threads=False), convert_options=kinds):
                table = self._lists(self._checked(_numbered(pa.Table.from_batches([batch]), row))).drop_columns([ROW])
                writer = writer or pq.ParquetWriter(place, table.schema)
                writer.write_table(table)
                row += len(batch)
        except pa.ArrowInvalid as error:
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
        """Raise `RunLogError` for the first line of a CSV file that has more or fewer values than the header."""
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
            held.append(self._lists(self._checked(table)))
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
                yield _numbered(pa.Table.from_batches([batch]), row)
                row += len(batch)
        except (pa.ArrowException, OSError) as error:
            raise RunLogError(self.path, f"cannot be read as a table: {str(error).splitlines()[0][:200]}") from error

    def _survey(self, file: pq.ParquetFile) -> None:
        """A pass over the light columns of a large file, which must hold each user's rows together and in order."""
        names = [name for name in ("user", "order", "action", "actions") if name in self.names]
        seen, last = set[Any](), None
        for table in self._batches(names):
            self._checked(table)
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
            ids = file.read(columns=["decision_id"])["decision_id"]
            if pc.count_distinct(ids).as_py() < len(ids) - ids.null_count:
                self._refuse_twice(_numbered(pa.table({"decision_id": ids}), 0))

    def _take_stock(self, table: pa.Table) -> None:
        """Count users and rows of a user, and collect the actions."""
        sizes = np.diff(np.append(starts(table), len(table)))
        self.users += len(sizes)
        self.most = max(self.most, int(sizes.max(initial=0)))
        if "action" in self.names:
            self._actions |= {str(a) for a in pc.unique(table["action"]).to_pylist()}
            if "actions" in self.names:
                offered = table["actions"]
                offered = pc.unique(offered) if is_text(offered.type) else offered
                self._actions |= {a for each in offered.to_pylist() for a in split(each)}

    def _check_columns(self, table: pa.Table) -> None:
        names = table.column_names
        missing = [name for name in _COMMON if name not in names]
        if missing:
            looks = next((mark for mark in ";\t|" if len(names) == 1 and mark in names[0]), "")
            hint = (
                f"; it looks separated by {_MARKS[looks]}, and commas are expected" if looks else _meant(missing, names)
            )
            raise RunLogError(self.path, f"has no column {', '.join(missing)}{hint}; there are {', '.join(names)}")
        ways = [name for name in _OFFERS if name in names]
        if len(ways) != 1:
            raise RunLogError(
                self.path,
                "needs either x and chosen (candidates with features) or action (fixed actions) or candidates, chosen, "
                "hour and day (tasks and tips)",
            )
        lacking = [name for name in _OFFERS[ways[0]] if name not in names]
        if lacking:
            raise RunLogError(self.path, f"has {ways[0]} and no column {', '.join(lacking)}")
        if hint := _meant([name for name in _OPTIONAL[ways[0]] if name not in names], names):
            raise RunLogError(self.path, f"has a column that is not known{hint} Rename it, or leave it out")
        for name in ("user", "order"):
            if pa.types.is_nested(table[name].type):
                raise RunLogError(
                    self.path, f"column {name} holds {table[name].type}; a text, number or time is expected"
                )

    def _checked(self, table: pa.Table) -> pa.Table:
        """The table, whose values are there and are what they should be."""
        here = [name for name in table.column_names if name != ROW]
        for name in ("user", "order", "probability", "chosen", "action", "x", "candidates", "hour", "day"):
            if name in here:
                self._refuse_first(table, name, table[name].is_null(), "is empty; a value is expected in every row")
        for name in ("user", "action"):
            if name in here and is_text(table[name].type):
                blank = pc.equal(pc.utf8_trim_whitespace(table[name]), "")
                self._refuse_first(table, name, blank, "is empty; a value is expected in every row")
        if "order" in here and pa.types.is_floating(table["order"].type):
            self._refuse_first(table, "order", pc.invert(pc.is_finite(table["order"])), "is not a finite number")
        for name in here:
            if name in ("probability", "reward", "hour", "day") or name.startswith("context_"):
                self._numbers(table, name)
        for name, most in (("hour", 23), ("day", 6)):
            if name in here:
                outside = pc.invert(pc.is_in(table[name].cast(pa.float64()), pa.array(range(most + 1), pa.float64())))
                self._refuse_first(table, name, outside, f"is not a whole number from 0 to {most}")
        if "decision_id" in here:
            self._refuse_twice(table)
        return table

    def _refuse_first(self, table: pa.Table, name: str, wrong: pa.ChunkedArray, why: str) -> None:
        at = np.flatnonzero(pc.fill_null(wrong, False).to_numpy())
        if len(at):
            self.refuse(table[ROW][int(at[0])].as_py(), name, why)

    def _refuse_twice(self, table: pa.Table) -> None:
        ids = table["decision_id"].combine_chunks().dictionary_encode().indices
        known = np.flatnonzero(ids.is_valid().to_numpy(zero_copy_only=False))
        _, once = np.unique(ids.fill_null(-1).to_numpy()[known], return_index=True)
        again = np.setdiff1d(np.arange(len(known)), once)
        if len(again):
            at = int(known[again[0]])
            twice = table["decision_id"][at].as_py()
            self.refuse(table[ROW][at].as_py(), "decision_id", f"is {twice!r}, which another row has too")

    def _numbers(self, table: pa.Table, name: str) -> None:
        column = table[name]
        if is_text(column.type):
            for at, value in enumerate(column.to_pylist()):
                if value is not None and not _is_number(value):
                    self.refuse(table[ROW][at].as_py(), name, f"is {value!r}; a number is expected")
        elif not (
            pa.types.is_floating(column.type) or pa.types.is_integer(column.type) or pa.types.is_null(column.type)
        ):
            raise RunLogError(self.path, f"column {name} holds {column.type}; numbers are expected")
        else:
            values = column.cast(pa.float64()).to_numpy()
            bad = np.flatnonzero(~np.isfinite(values) & np.asarray(column.is_valid().to_numpy(), np.bool_))
            if len(bad):
                self.refuse(table[ROW][int(bad[0])].as_py(), name, f"is {values[bad[0]]}; a finite number is expected")
            if name.startswith("context_"):
                self._refuse_first(table, name, column.is_null(), "is empty")

    def _lists(self, table: pa.Table) -> pa.Table:
        """The table with its JSON texts as lists, parsed some rows at a time: as Python's objects they are large."""
        for name in _JSON:
            if name in table.column_names and is_text(table[name].type):
                parts = [self._parsed(table.slice(at, _BATCH), name) for at in range(0, len(table), _BATCH)]
                lists = pa.chunked_array(parts, _JSON[name][0])
                table = table.set_column(table.column_names.index(name), name, lists)
        return table

    def _parsed(self, table: pa.Table, name: str) -> pa.Array:
        values, rows = [], table[ROW]
        for at, text in enumerate(table[name].to_pylist()):
            try:
                values.append(None if text is None or text == "" else json.loads(text))
            except (ValueError, RecursionError):
                self.refuse(rows[at].as_py(), name, f"is {str(text)[:40]!r}; a JSON list is expected")
        kind, what = _JSON[name]
        try:
            return pa.array(values, kind)
        except (pa.ArrowException, TypeError, ValueError):
            for at, value in enumerate(values):
                try:
                    pa.array([value], kind)
                except (pa.ArrowException, TypeError, ValueError):
                    self.refuse(rows[at].as_py(), name, f"is {str(value)[:40]}; {what} is expected")
            raise

    def _sorted(self, table: pa.Table) -> pa.Table:
        table = table.sort_by([("user", "ascending"), ("order", "ascending"), (ROW, "ascending")])
        user, order = table["user"].combine_chunks(), table["order"].combine_chunks()
        same = np.flatnonzero(~_changes(user) & ~_changes(order))
        if len(same):
            at = int(same[0]) + 1
            row = int(table[ROW][at].as_py())
            self.refuse(row, "order", f"is {order[at].as_py()} a second time for user {user[at].as_py()}")
        return table


def _meant(absent: Sequence[str], names: Sequence[str]) -> str:
    """Which columns nobody knows may be meant by those that are absent."""
    strange = [name for name in names if name not in _KNOWN and not name.startswith("context_")]
    close = [(name, difflib.get_close_matches(name, strange, 1, _CLOSE)) for name in absent]
    return "".join(f"; did you mean {name} by {found[0]}?" for name, found in close if found)


def _numbered(table: pa.Table, first: int) -> pa.Table:
    return table.append_column(ROW, pa.array(np.arange(first, first + len(table))))


def starts(table: pa.Table) -> I64:
    """Where each user's rows begin."""
    user = table["user"].combine_chunks()
    return np.flatnonzero(np.concatenate(([True], _changes(user)))) if len(table) else np.zeros(0, np.int64)


def _changes(column: pa.Array) -> Bool:
    """Between which neighbours the value changes."""
    return np.asarray(pc.not_equal(column[1:], column[:-1]).to_numpy(zero_copy_only=False), np.bool_)


def split(actions: Any) -> Sequence[str]:
    """The actions on offer, from a list or a text with | between."""
    if actions is None:
        return []
    return [a.strip() for a in actions.split("|")] if isinstance(actions, str) else [str(a) for a in actions]


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds texts."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
