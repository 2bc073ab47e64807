"""Arrow columns as NumPy arrays, nulls and ragged lists included."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oo_sim.audit.arrays import F64, I64, Bool

WILD = 1e6
"""Above this size no feature or reward is believed."""


def whole(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """The column in one piece."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def is_null(column: pa.ChunkedArray) -> Bool:
    """Which values are null."""
    return np.asarray(whole(column.is_null()).to_numpy(zero_copy_only=False), np.bool_)


def ints(column: pa.ChunkedArray | pa.Array) -> I64:
    """Integers without nulls."""
    return np.asarray(whole(column).to_numpy(zero_copy_only=False), np.int64)


def floats(column: pa.ChunkedArray | pa.Array) -> F64:
    """Numbers, truths or nulls as float64; null becomes nan."""
    return np.asarray(whole(column).cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)


def times(column: pa.ChunkedArray | pa.Array) -> I64:
    """Times as microseconds since 1970; 0 where null."""
    return ints(pc.fill_null(whole(column).cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64()), 0))


def among(column: pa.ChunkedArray | pa.Array, values: Iterable[str]) -> Bool:
    """Which texts are among `values`; null is not."""
    found = pc.is_in(whole(column), value_set=pa.array(list(values), whole(column).type))
    return np.asarray(found.to_numpy(zero_copy_only=False), np.bool_)


def lengths(column: pa.ChunkedArray | pa.Array) -> I64:
    """How long each list is; -1 where it is null."""
    return ints(pc.fill_null(pc.list_value_length(whole(column)).cast(pa.int64()), -1))


def _per_row(column: pa.Array, wrong: Bool) -> Bool:
    """Which lists hold a wrong value; `wrong` has one place for each value of all lists."""
    size = np.maximum(lengths(column), 0)
    owner = np.repeat(np.arange(len(size)), size)
    return np.bincount(owner[wrong], minlength=len(size)) > 0


def holds_null(column: pa.ChunkedArray) -> Bool:
    """Which lists hold a null."""
    lists = whole(column)
    return _per_row(lists, is_null(lists.flatten()))


def first_width(column: pa.ChunkedArray) -> int:
    """The length of the first inner list of a column of lists of lists; 0 where there is none."""
    inner = lengths(whole(column).flatten())
    return int(max(inner[0], 0)) if len(inner) else 0


def widths_differ(column: pa.ChunkedArray, width: int) -> Bool:
    """Which lists hold an inner list that is not `width` long."""
    lists = whole(column)
    return _per_row(lists, lengths(lists.flatten()) != width)


def _values(column: pa.ChunkedArray | pa.Array) -> tuple[pa.Array, I64]:
    """All numbers of a column of lists, or of lists of lists, and the row of each."""
    values = whole(column)
    owner = np.arange(len(values))
    while pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        owner = np.repeat(owner, np.maximum(lengths(values), 0))
        values = values.flatten()
    return values, owner


def flat(column: pa.ChunkedArray | pa.Array) -> F64:
    """All numbers of a column of lists, or of lists of lists, in order."""
    return floats(_values(column)[0])


def holds_wild(column: pa.ChunkedArray) -> Bool:
    """Which lists hold what is null, not finite or too large to be a feature."""
    return outside(column, -WILD, WILD)


def outside(column: pa.ChunkedArray, low: float, high: float) -> Bool:
    """Which lists hold a number below `low` or above `high`, or none at all where one should stand."""
    values, owner = _values(column)
    number = floats(values)
    return np.bincount(owner[~((number >= low) & (number <= high))], minlength=len(column)) > 0


def spread(values: F64, standing: Bool) -> F64:
    """Values of all standing candidates, in order, as (n, K, ...), zeros where none stands."""
    out = np.zeros((*standing.shape, *values.shape[1:]))
    out[standing] = values
    return out


class Structs:
    """A column of lists of structs, field by field."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._lists = whole(column)
        self._structs = self._lists.flatten()

    def floats(self, name: str) -> F64:
        """A field of all structs as numbers, nan where null."""
        return floats(pc.struct_field(self._structs, name))

    def texts(self, name: str) -> pa.Array | None:
        """A text field of all structs; None where there is none."""
        if self._structs.type.get_field_index(name) < 0:
            return None
        return pc.struct_field(self._structs, name).cast(pa.string())

    def null(self, name: str) -> Bool:
        """Where a field is null."""
        return is_null(pc.struct_field(self._structs, name))

    def among(self, name: str, values: Iterable[str]) -> Bool:
        """Where a text field is among `values`."""
        return among(pc.struct_field(self._structs, name), values)

    def any(self, wrong: Bool) -> Bool:
        """Which lists hold a struct that is wrong."""
        return _per_row(self._lists, wrong)
