"""Array types and the one tolerance of the audit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

F64: TypeAlias = NDArray[np.float64]
I32: TypeAlias = NDArray[np.int32]
I64: TypeAlias = NDArray[np.int64]
U64: TypeAlias = NDArray[np.uint64]
Bool: TypeAlias = NDArray[np.bool_]

TOLERANCE = 1e-9
"""How far a logged number may lie from the derived one, relative above 1 and absolute below."""


def differs(logged: F64, derived: F64) -> Bool:
    """Where `logged` is not `derived` within the tolerance; nan differs from everything."""
    gap = np.asarray(logged - derived)
    np.abs(gap, out=gap)
    if gap.size == 0 or gap.max() <= TOLERANCE:  # as nearly always
        return np.zeros(gap.shape, np.bool_)
    return np.asarray(~(gap <= TOLERANCE * np.maximum(np.abs(derived), 1.0)))


def anywhere(wrong: Bool) -> Bool:
    """Which of n rows are wrong anywhere, of (..., n)."""
    return np.asarray(wrong.reshape(math.prod(wrong.shape[:-1]), wrong.shape[-1]).any(axis=0))


def blocks(n: int, size: int = 4096) -> Iterator[slice]:
    """All of n rows, so few at a time that what is made of them stays in the caches."""
    for first in range(0, n, size):
        yield slice(first, min(first + size, n))


def first_highest(values: F64) -> I64:
    """Which of K values, of (K, n), is the first of the highest."""
    top, index = values[0].copy(), np.zeros(values.shape[1], np.int64)
    for k in range(1, len(values)):
        better = values[k] > top
        np.copyto(top, values[k], where=better)
        index[better] = k
    return index
