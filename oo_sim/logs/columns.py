"""Columns of a log's tables as arrays: nulls, ragged lists and structs included.

Shapes: K candidates, n decisions, m things learned.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oo_sim.contract import F64, I64, Bool, Candidates
from oo_sim.errors import RunLogError


class Offered(NamedTuple):
    """What was on offer, what was chosen, and with which probabilities."""

    candidates: Candidates
    chosen: I64  # (n,)
    chosen_id: pa.Array  # (n,)
    probs: F64  # (K, n), 0 where no candidate stands, nan where not known


def whole(table: pa.Table, name: str) -> I64:
    """Whole numbers; null becomes -1."""
    return np.asarray(pc.fill_null(table[name].cast(pa.int64()), -1).to_numpy(), np.int64)


def numbers(table: pa.Table, name: str) -> F64:
    """Numbers; null becomes nan."""
    return np.asarray(table[name].cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)


def seconds(table: pa.Table) -> F64:
    """The times in `ts` as seconds since 1970; null becomes nan."""
    micros = table["ts"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).cast(pa.float64())
    return np.asarray(micros.to_numpy(zero_copy_only=False), np.float64) / 1e6


def vectors(column: pa.ChunkedArray | pa.Array) -> F64:
    """A column of vectors as (m, d); rows without one, or of another width than the widest, are nan."""
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    sizes = np.asarray(pc.fill_null(pc.list_value_length(column), 0).to_numpy(), np.int64)
    d = int(sizes.max(initial=0))
    out = np.full((len(sizes), d), np.nan)
    if d:
        flat = column.flatten().to_numpy(zero_copy_only=False)
        fits = sizes == d
        out[fits] = flat[np.repeat(fits, sizes)].reshape(-1, d)
    return out


def offered(table: pa.Table, path: Path, raw: bool) -> Offered:
    """The candidates as they were offered; if `raw`, of a world of vectors, which are their only features. Raises
    `RunLogError`, naming the row: no such hour or day, no candidates, a choice that is not there, or another number of
    probabilities than of candidates."""
    column = table["candidates"].combine_chunks()
    sizes = np.asarray(pc.list_value_length(column).to_numpy(), np.int64)
    chosen, row = whole(table, "chosen"), whole(table, "row")
    refuse(path, row, "candidates", sizes < 1, lambda i: "is empty; a decision offers at least one candidate")
    refuse(
        path,
        row,
        "chosen",
        (chosen < 0) | (chosen >= sizes),
        lambda i: f"is {chosen[i]}, and {sizes[i]} candidates are on offer; places count from 0",
    )
    hour, day = whole(table, "hour"), whole(table, "day")
    for name, clock, most in (("hour", hour, 23), ("day", day, 6)):
        refuse(
            path,
            row,
            name,
            (clock < 0) | (clock > most),
            lambda i, clock=clock, most=most: f"is {clock[i]}; a whole number from 0 to {most} is expected",
        )
    stands = mask_of(sizes)
    flat = column.flatten()
    first = np.cumsum(sizes) - sizes
    is_llm = pc.equal(flat.field("source"), "llm")
    candidates = Candidates(
        spread(stands, _numbers(flat.field("is_overdue"))),
        spread(stands, _numbers(flat.field("task_age_days"))),
        spread(stands, _numbers(flat.field("priority"))),
        spread(stands, _numbers(is_llm)),
        hour,
        day,
        stands,
        spread(stands, _serials(flat.field("task_id"))).astype(np.int64),
    )
    if raw:
        candidates = candidates._replace(vectors=_vectors(table["x"].combine_chunks(), stands, path, row))
    probs = probabilities(table["probs"].combine_chunks(), stands, path, row)
    return Offered(candidates, chosen, flat.field("id").take(pa.array(first + chosen)), probs)


def served(table: pa.Table, path: Path, offered: Offered) -> F64:
    """The features (n, d) of what was served, as the policy saw them. Raises `RunLogError`, naming the row, where there
    is another number of vectors than of candidates."""
    column, sizes = table["x"].combine_chunks(), offered.candidates.mask.sum(axis=0)
    given = np.asarray(pc.fill_null(pc.list_value_length(column), -1).to_numpy(), np.int64)
    refuse(path, whole(table, "row"), "x", given != sizes, lambda i: _other_number(given[i], sizes[i]))
    return vectors(column.flatten().take(pa.array(np.cumsum(sizes) - sizes + offered.chosen)))


def _other_number(vectors: object, candidates: object) -> str:
    return f"has {vectors} vectors for {candidates} candidates; one each is expected"


def probabilities(column: pa.Array, stands: Bool, path: Path, row: I64) -> F64:
    """Probabilities (K, n) of a column of lists; nan where a list is null."""
    sizes = stands.sum(axis=0)
    given = np.asarray(pc.fill_null(pc.list_value_length(column), -1).to_numpy(), np.int64)
    refuse(
        path,
        row,
        "probs",
        (given >= 0) & (given != sizes),
        lambda i: f"has {given[i]} probabilities for {sizes[i]} candidates; one each is expected",
    )
    known = given >= 0
    flat = np.full(int(sizes.sum()), np.nan)
    flat[np.repeat(known, sizes)] = _numbers(column.flatten())
    return spread(stands, flat)


def _vectors(column: pa.Array, stands: Bool, path: Path, row: I64) -> F64:
    """Vectors (K, d, n) of a column of lists of lists; all have the width of the first."""
    sizes, inner = stands.sum(axis=0), column.flatten()
    given = np.asarray(pc.fill_null(pc.list_value_length(column), -1).to_numpy(), np.int64)
    refuse(path, row, "x", given != sizes, lambda i: _other_number(given[i], sizes[i]))
    widths = np.asarray(pc.fill_null(pc.list_value_length(inner), -1).to_numpy(), np.int64)
    d = int(widths[0])
    owner = np.repeat(np.arange(len(sizes)), sizes)
    other = np.bincount(owner[widths != d], minlength=len(sizes)) > 0
    refuse(path, row, "x", other, lambda i: f"has a vector of another length than {d}, that of the first row")
    flat = _numbers(inner.flatten()).reshape(-1, d)
    return np.stack([spread(stands, flat[:, j]) for j in range(d)], axis=1)


def mask_of(sizes: I64) -> Bool:
    """Which of K places (K, n) hold a candidate."""
    return np.arange(int(sizes.max(initial=0)))[:, None] < sizes


def spread(stands: Bool, flat: F64) -> F64:
    """The values of all standing candidates, decision by decision, as (K, n); 0 elsewhere."""
    out = np.zeros(stands.shape[::-1])
    out[stands.T] = flat
    return np.ascontiguousarray(out.T)


def refuse(path: Path, row: I64, column: str, wrong: Bool, why: object) -> None:
    """Raise `RunLogError` for the first row that is wrong, with its place in the table and what `why` says of it."""
    if wrong.any():
        i = int(np.flatnonzero(wrong)[np.argmin(row[wrong])])
        assert callable(why)
        more = f" ({int(wrong.sum())} such rows)" if wrong.sum() > 1 else ""
        raise RunLogError(path, f"row {row[i]}, column {column}: {why(i)}{more}")


def _numbers(values: pa.Array) -> F64:
    return np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)


def _serials(ids: pa.Array) -> F64:
    """The numbers of ids such as `task-12`; -1 for others."""
    digits = pc.struct_field(pc.extract_regex(ids, r"^task-(?P<n>[0-9]{1,15})$"), "n")
    return _numbers(pc.fill_null(digits.cast(pa.int64()), -1))
