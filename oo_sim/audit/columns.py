"""Arrow columns as NumPy arrays, nulls and ragged lists included: each as a whole, and only once."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oo_sim.audit.arrays import F64, I64, Bool, blocks

WILD = 1e6
"""Above this size no feature or reward is believed."""
_NUMBERS = 1 << 14
"""Numbers that are turned together: few enough for the caches."""
T = TypeVar("T")


def whole(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """The column in one piece."""
    if isinstance(column, pa.Array):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def numbers(column: pa.Array) -> Any:
    """The values of a column of numbers, not copied; any number where null. Arrow's own way to NumPy, and back, would
    import pandas."""
    kind, (_, data) = np.dtype(column.type.to_pandas_dtype()), column.buffers()
    if data is None or len(column) == 0:
        return np.zeros(len(column), kind)
    return np.frombuffer(data, kind, len(column), column.offset * kind.itemsize)


def arrow(values: I64 | Bool) -> pa.Array:
    """Whole numbers or truths as a column."""
    if values.dtype == np.bool_:
        packed = pa.py_buffer(np.packbits(values, bitorder="little"))
        return pa.Array.from_buffers(pa.bool_(), len(values), [None, packed])
    data = pa.py_buffer(np.ascontiguousarray(values, np.int64))
    return pa.Array.from_buffers(pa.int64(), len(values), [None, data])


def ints(column: pa.Array) -> I64:
    """Integers; -1 where null."""
    if not pa.types.is_integer(column.type):
        column = column.cast(pa.int64(), safe=False)
    found: I64 = numbers(column).astype(np.int64, copy=column.null_count > 0)
    if column.null_count:
        found[is_null(column)] = -1
    return found


def truths(column: pa.Array) -> Bool:
    """Which values are true; null is not."""
    return np.asarray((numbers(column.cast(pa.uint8())) != 0) & ~is_null(column))


def floats(column: pa.Array) -> F64:
    """Numbers, truths or nulls as float64; null becomes nan."""
    if not pa.types.is_floating(column.type) and not pa.types.is_integer(column.type):
        column = column.cast(pa.float64(), safe=False)
    found: F64 = numbers(column).astype(np.float64, copy=column.null_count > 0)
    if column.null_count:
        found[is_null(column)] = np.nan
    return found


def narrow(column: pa.Array) -> Any:
    """Numbers as they are held; as float64, nan where null, where some are null or no whole numbers."""
    return numbers(column) if pa.types.is_integer(column.type) and column.null_count == 0 else floats(column)


def beyond(column: pa.Array, low: float, high: float) -> Bool:
    """Which numbers of a column are below `low` or above `high`; null is."""
    number = narrow(column)
    if _within(number, low, high):
        return np.zeros(len(number), np.bool_)
    return np.asarray(~((number >= low) & (number <= high)))


def _within(number: Any, low: float, high: float) -> bool:
    """Whether all numbers are at least `low` and at most `high`."""
    return len(number) == 0 or bool(number.min() >= low and number.max() <= high)


def is_null(column: pa.Array) -> Bool:
    """Which values are null."""
    if column.null_count == 0:
        return np.zeros(len(column), np.bool_)
    return np.asarray(numbers(column.is_null().cast(pa.uint8())) != 0)


def coded(column: pa.Array) -> tuple[I64, list[Any]]:
    """Values as places in the list of those that there are; -1 where null."""
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    return ints(encoded.indices), encoded.dictionary.to_pylist()


def among(column: pa.Array, values: Collection[str]) -> Bool:
    """Which texts are among `values`; null is not."""
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    known = [code for code, value in enumerate(encoded.dictionary.to_pylist()) if value in values]
    if len(known) == len(encoded.dictionary):
        return ~is_null(encoded)
    codes = numbers(encoded.indices)
    found = np.zeros(len(codes), np.bool_)
    for code in known:
        found |= codes == code
    return found & ~is_null(encoded) if encoded.null_count else found


def looked_up(column: pa.Array, values: Callable[[Any], float]) -> F64:
    """A number for each value of a column with few of them; nan where null."""
    codes, known = coded(column)
    return np.array([*(values(value) for value in known), np.nan])[codes]


def lengths(column: pa.Array) -> I64:
    """How long each list is; -1 where it is null."""
    found: I64 = np.diff(numbers(column.offsets)).astype(np.int64)
    found[is_null(column)] = -1
    return found


def lanes_last(values: F64 | Bool, order: I64) -> Any:
    """Rows (n, ...) as (..., n), in an order."""
    flat = values.reshape(len(values), math.prod(values.shape[1:]))
    out = np.empty((flat.shape[1], len(order)), values.dtype)
    held = np.empty((max(_NUMBERS // max(flat.shape[1], 1), 1), flat.shape[1]), values.dtype)
    for part in blocks(len(order), len(held)):
        some = held[: part.stop - part.start]
        np.take(flat, order[part], axis=0, out=some, mode="clip")  # which needs no copy; all are there
        out[:, part] = some.T
    return out.reshape(*values.shape[1:], len(order))


def spread(values: F64 | Bool, standing: Bool, order: I64) -> Any:
    """Values of all standing candidates, row by row, as (K, ..., n) in an order, zeros where none stands. `standing`
    (n, K) is by the rows."""
    shape = (*standing.shape, *values.shape[1:])
    if len(values) == standing.size:
        return lanes_last(values.reshape(shape), order)
    out = np.zeros(shape, values.dtype)
    out[standing] = values
    return lanes_last(out, order)


class Columns:
    """Some rows of a log by column. What was made of a column once is kept."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table.combine_chunks()
        self._made: dict[tuple[str, str], Any] = {}

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __getitem__(self, name: str) -> pa.Array:
        """The column itself."""
        return self._once("itself", name, lambda: whole(self.table[name]))

    def without(self, bad: Bool) -> Columns:
        """The other rows."""
        return Columns(self.table.filter(arrow(~bad)))

    def ints(self, name: str) -> I64:
        """Integers; -1 where null."""
        return self._once("ints", name, lambda: ints(self[name]))

    def floats(self, name: str) -> F64:
        """Numbers as float64; nan where null, and where the column was not read."""
        if name not in self.table.column_names:
            return np.full(len(self), np.nan)
        return self._once("floats", name, lambda: floats(self[name]))

    def null(self, name: str) -> Bool:
        """Which rows have none."""
        return self._once("null", name, lambda: is_null(self[name]))

    def among(self, name: str, values: Collection[str]) -> Bool:
        """Which texts are among `values`; null is not."""
        return among(self[name], values)

    def times(self, name: str) -> I64:
        """Times as microseconds since 1970; 0 where null."""
        column = self[name]
        if column.null_count == len(column):
            return np.zeros(len(column), np.int64)
        micros = ints(column.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64()))
        return np.where(self.null(name), 0, micros)

    def lengths(self, name: str) -> I64:
        """How long each row's list is; -1 where it is null."""
        return self._once("lengths", name, lambda: lengths(self[name]))

    def inside(self, name: str) -> pa.Array:
        """What the rows' lists hold, in order."""
        return self._once("inside", name, self[name].flatten)

    def inner_lengths(self, name: str) -> I64:
        """How long each list in a row's list is."""
        return self._once("inner", name, lambda: lengths(self.inside(name)))

    def flat(self, name: str) -> F64:
        """All numbers of a column of lists, or of lists of lists, in order."""

        def make() -> F64:
            values = self.inside(name)
            return floats(values.flatten() if pa.types.is_list(values.type) else values)

        return self._once("flat", name, make)

    def field(self, name: str, field: str) -> pa.Array | None:
        """A field of all structs in a column of lists of them, texts as dictionaries; None where there is none."""
        structs = self.inside(name)
        if structs.type.get_field_index(field) < 0:
            return None

        def make() -> pa.Array:
            found = pc.struct_field(structs, field)
            return found.dictionary_encode() if pa.types.is_string(found.type) else found

        return self._once(f"field {field}", name, make)

    def holding(self, name: str, wrong: Bool) -> Bool:
        """Which rows' lists hold an item that is wrong."""
        if not wrong.any():
            return np.zeros(len(self), np.bool_)
        owner = np.repeat(np.arange(len(self)), np.maximum(self.lengths(name), 0))
        return np.bincount(owner[wrong], minlength=len(self)) > 0

    def outside(self, name: str, low: float, high: float) -> Bool:
        """Which rows' lists hold a number below `low` or above `high`, or none where one should stand."""
        number = self.flat(name)
        if _within(number, low, high):
            return np.zeros(len(self), np.bool_)
        wrong = ~((number >= low) & (number <= high))
        if pa.types.is_list(self.inside(name).type):
            size = np.maximum(self.inner_lengths(name), 0)
            wrong = np.bincount(np.repeat(np.arange(len(size)), size)[wrong], minlength=len(size)) > 0
        return self.holding(name, wrong)

    def first_width(self, name: str) -> int:
        """The length of the first list in the rows' lists; 0 where there is none."""
        inner = self.inner_lengths(name)
        return int(max(inner[0], 0)) if len(inner) else 0

    def order(self, first: str, second: str) -> I64:
        """The rows by one number and then by another, both at least -1."""

        def make() -> I64:
            one, other = self.ints(first), self.ints(second)
            if len(one) == 0 or max(one.max(), other.max()) >= 1 << 31:
                return np.lexsort((other, one))
            keys = one << 32 | (other + 1)
            return np.arange(len(keys)) if (keys[1:] >= keys[:-1]).all() else np.argsort(keys, kind="stable")

        return self._once("order", f"{first} {second}", make)

    def repeated(self, first: str, second: str) -> Bool:
        """The second and later rows of the same two numbers."""
        one, other, order = self.ints(first), self.ints(second), self.order(first, second)
        same = np.zeros(len(one), np.bool_)
        same[order[1:]] = (np.diff(one[order]) == 0) & (np.diff(other[order]) == 0)
        return same

    def _once(self, what: str, name: str, make: Callable[[], T]) -> T:
        if (what, name) not in self._made:
            self._made[what, name] = make()
        return self._made[what, name]  # type: ignore[no-any-return]
