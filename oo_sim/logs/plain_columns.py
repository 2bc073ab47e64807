"""The columns of a plain table: which there are, of which types, and what their values must be.

Files are of anybody's tools, so a column may have a type that says the same in another way: those are read alike.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oo_sim.errors import RunLogError

ROW = "__row"
"""The column that holds each row's place in the file."""
Refuse: TypeAlias = Callable[[int, str, str], NoReturn]
"""Raises `RunLogError` for a row, by its place and column: what is wrong."""

NUMBERS = ("probability", "reward", "chosen", "hour", "day")
CONTEXT = "context_"
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
_FILLED = ("user", "order", "probability", "chosen", "action", "actions", "x", "candidates", "hour", "day")
_WHOLE = (
    ("hour", 0, 23, " from 0 to 23"),
    ("day", 0, 6, " from 0 to 6"),
    ("chosen", -math.inf, math.inf, ", a place from 0"),
)
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
TEXTS = ("user", "decision_id", "action", "actions", *_JSON)
NOT_UTF8 = "holds text that is not UTF-8; save it as UTF-8"
_PARSED = 1 << 14  # rows whose JSON texts are parsed at a time: as Python's objects they are large


def known(path: Path, names: Sequence[str]) -> list[str]:
    """Those of a file's columns that count, in order. Raises `RunLogError` where one lacks, stands twice, or is
    misspelt."""
    missing = [name for name in _COMMON if name not in names]
    if missing:
        looks = next((mark for mark in ";\t|" if len(names) == 1 and mark in names[0]), "")
        hint = f"; it looks separated by {_MARKS[looks]}, and commas are expected" if looks else _meant(missing, names)
        raise RunLogError(path, f"has no column {', '.join(missing)}{hint}; there are {', '.join(names)}")
    ways = [name for name in _OFFERS if name in names]
    if len(ways) != 1:
        raise RunLogError(
            path,
            "needs either x and chosen (candidates with features) or action (fixed actions) or candidates, chosen, "
            "hour and day (tasks and tips)",
        )
    lacking = [name for name in _OFFERS[ways[0]] if name not in names]
    if lacking:
        raise RunLogError(path, f"has {ways[0]} and no column {', '.join(lacking)}")
    if hint := _meant([name for name in _OPTIONAL[ways[0]] if name not in names], names):
        raise RunLogError(path, f"has a column that is not known{hint} Rename it, or leave it out")
    found = [name for name in names if name in _KNOWN or name.startswith(CONTEXT)]
    for name in found:
        if found.count(name) > 1:
            raise RunLogError(path, f"has {found.count(name)} columns {name}; one is expected")
    return found


def _meant(absent: Sequence[str], names: Sequence[str]) -> str:
    """Which columns nobody knows may be meant by those that are absent."""
    strange = {name.strip().lower(): name for name in names if name not in _KNOWN and not name.startswith(CONTEXT)}
    close = [(name, difflib.get_close_matches(name, strange, 1, _CLOSE)) for name in absent]
    return "".join(f"; did you mean {name} by {strange[found[0]]}?" for name, found in close if found)


def typed(path: Path, table: pa.Table) -> pa.Table:
    """The table, texts as texts and numbers as float64, however they were kept. Raises `RunLogError` for a column of a
    type that cannot hold what is expected of it."""
    for place, name in enumerate(table.column_names):
        column = table[name]
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_string_view(column.type) or (pa.types.is_null(column.type) and name in TEXTS):
            column = column.cast(pa.string())
        if _is_bytes(column.type) and path.suffix.lower() == ".csv":
            raise RunLogError(path, NOT_UTF8)
        if expected := _unfit(name, column.type):
            raise RunLogError(path, f"column {name} holds {column.type}; {expected} expected")
        if (name in NUMBERS or name.startswith(CONTEXT)) and not is_text(column.type):
            column = column.cast(pa.float64(), safe=False)  # whole numbers above 2^53 are rounded
        if name == "decision_id":
            column = column.cast(pa.string())
            blank = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(column), ""), True)
            column = pc.if_else(blank, pa.scalar(None, pa.string()), column)
        table = table.set_column(place, name, column)
    return table


def _unfit(name: str, kind: pa.DataType) -> str:
    """What is expected of a column; empty where the type can hold it. What texts and numbers say is for `checked`."""
    if name in _JSON:
        return "" if is_text(kind) or _holds(kind, _JSON[name][0]) else f"{_JSON[name][1]} is"
    if name == "actions":
        return "" if is_text(kind) or _is_list(kind) else "lists of names, or texts with | between names, are"
    if name in NUMBERS or name.startswith(CONTEXT):
        good = is_text(kind) or pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)
        return "" if good else "numbers are"
    if name == "order":
        # as texts 10 is before 9, and so is 1 pm before 9 am
        bad = pa.types.is_nested(kind) or is_text(kind) or _is_bytes(kind)
        return "a number or a time (in CSV, as 2025-01-31T09:00:00Z) is" if bad else ""
    if name == "decision_id":
        return "a text or number is" if pa.types.is_nested(kind) or _is_bytes(kind) else ""
    return "a text, number or time is" if pa.types.is_nested(kind) else ""


def _holds(kind: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether values of a type are of a wanted one, however long their lists and numbers are kept."""
    if pa.types.is_null(kind):
        return True
    if pa.types.is_list(wanted):
        return _is_list(kind) and _holds(kind.value_type, wanted.value_type)
    if pa.types.is_struct(wanted):
        has = {field.name: field.type for field in kind} if pa.types.is_struct(kind) else {}
        return all(field.name in has and _holds(has[field.name], field.type) for field in wanted)
    if pa.types.is_string(wanted):
        return is_text(kind.value_type if pa.types.is_dictionary(kind) else kind)
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def checked(table: pa.Table, refuse: Refuse) -> pa.Table:
    """The `typed` table with rows numbered in `ROW`, whose values are there and are what they should be."""
    here = [name for name in table.column_names if name != ROW]

    def refuse_first(name: str, wrong: pa.ChunkedArray, why: str) -> None:
        at = np.flatnonzero(pc.fill_null(wrong, False).to_numpy())
        if len(at):
            refuse(table[ROW][int(at[0])].as_py(), name, why)

    for name in _FILLED:
        if name in here:
            refuse_first(name, table[name].is_null(), "is empty; a value is expected in every row")
    for name in ("user", "action", "actions"):
        if name in here and is_text(table[name].type):
            blank = pc.equal(pc.utf8_trim_whitespace(table[name]), "")
            refuse_first(name, blank, "is empty; a value is expected in every row")
    for name in ("user", "order"):
        if name in here and pa.types.is_floating(table[name].type):
            refuse_first(name, pc.invert(pc.is_finite(table[name])), "is not a finite number")
    for name in here:
        if name in NUMBERS or name.startswith(CONTEXT):
            _check_numbers(table, name, refuse)
        if name.startswith(CONTEXT):
            refuse_first(name, table[name].is_null(), "is empty")
    for name, least, most, what in _WHOLE:
        if name in here:
            value = table[name].cast(pa.float64())
            inside = pc.and_(pc.greater_equal(value, least), pc.less_equal(value, most))
            whole = pc.and_(inside, pc.equal(value, pc.round(value)))
            refuse_first(name, pc.invert(whole), f"is not a whole number{what}")
    if "decision_id" in here:
        refuse_twice(table, refuse)
    return table


def _check_numbers(table: pa.Table, name: str, refuse: Refuse) -> None:
    column = table[name]
    if is_text(column.type):
        for at, value in enumerate(column.to_pylist()):
            if value is not None and not _is_number(value):
                refuse(table[ROW][at].as_py(), name, f"is {value!r}; a number is expected")
        return
    values = column.to_numpy()
    bad = np.flatnonzero(~np.isfinite(values) & np.asarray(column.is_valid().to_numpy(), np.bool_))
    if len(bad):
        refuse(table[ROW][int(bad[0])].as_py(), name, f"is {values[bad[0]]}; a finite number is expected")


def refuse_twice(table: pa.Table, refuse: Refuse) -> None:
    """Refuse the first row whose `decision_id` an earlier one has; rows without one are no matter."""
    ids = table["decision_id"].combine_chunks().dictionary_encode().indices
    present = np.flatnonzero(ids.is_valid().to_numpy(zero_copy_only=False))
    _, once = np.unique(ids.fill_null(-1).to_numpy()[present], return_index=True)
    again = np.setdiff1d(np.arange(len(present)), once)
    if len(again):
        at = int(present[again[0]])
        twice = table["decision_id"][at].as_py()
        refuse(table[ROW][at].as_py(), "decision_id", f"is {twice!r}, which another row has too")


def parsed(table: pa.Table, refuse: Refuse) -> pa.Table:
    """The table with its JSON texts as lists."""
    for name, (kind, _) in _JSON.items():
        if name in table.column_names and is_text(table[name].type):
            parts = [_parsed(table.slice(at, _PARSED), name, refuse) for at in range(0, len(table), _PARSED)]
            table = table.set_column(table.column_names.index(name), name, pa.chunked_array(parts, kind))
    return table


def _parsed(table: pa.Table, name: str, refuse: Refuse) -> pa.Array:
    values, rows = [], table[ROW]
    for at, text in enumerate(table[name].to_pylist()):
        try:
            values.append(None if text is None or text == "" else json.loads(text))
        except (ValueError, RecursionError):
            refuse(rows[at].as_py(), name, f"is {str(text)[:40]!r}; a JSON list is expected")
    kind, what = _JSON[name]
    try:
        return pa.array(values, kind)
    except (pa.ArrowException, TypeError, ValueError):
        for at, value in enumerate(values):
            try:
                pa.array([value], kind)
            except (pa.ArrowException, TypeError, ValueError):
                refuse(rows[at].as_py(), name, f"is {str(value)[:40]}; {what} is expected")
        raise


def numbered(table: pa.Table, first: int) -> pa.Table:
    """The table with `ROW`, counted from `first`."""
    return table.append_column(ROW, pa.array(np.arange(first, first + len(table))))


def split(actions: Any) -> Sequence[str]:
    """The actions on offer, from a list or a text with | between."""
    return [a.strip() for a in actions.split("|")] if isinstance(actions, str) else [str(a) for a in actions]


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds texts."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
