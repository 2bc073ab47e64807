"""Hashes of many lanes at once: each lane's own 64 bits, from the bits of what happened in it; and one of arrays."""

from __future__ import annotations

import functools
import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oo_sim.contract import I64, U64, Bool

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIER = np.uint64(0xBF58476D1CE4E5B9)
_SHIFT = np.uint64(29)


def mix(hashes: U64, *columns: NDArray[Any], where: Bool | None = None) -> None:
    """Take the bits of some arrays (..., n) into hashes (n,) of lanes, in place; only in lanes `where` (n,), if given.

    All rows are summed modulo 2^64, each times an odd number of its own; the sum then goes through a step of splitmix64
    (Steele, Lea & Flood 2014).
    """
    rows = np.concatenate([_bits(column).reshape(-1, len(hashes)) for column in columns])
    mixed = (hashes ^ np.einsum("r,rn->n", _odd(len(rows)), rows)) * _MULTIPLIER
    np.copyto(hashes, mixed ^ (mixed >> _SHIFT), where=True if where is None else where)


def _bits(column: NDArray[Any]) -> U64:
    return np.ascontiguousarray(column).view(np.uint64) if column.itemsize == 8 else column.astype(np.uint64)


@functools.cache
def _odd(count: int) -> U64:
    return np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN | np.uint64(1)


def digest(*arrays: I64 | U64) -> str:
    """BLAKE2b-128 of the arrays' values."""
    state = hashlib.blake2b(digest_size=16)
    for array in arrays:
        state.update(np.ascontiguousarray(array).data)
    return state.hexdigest()
