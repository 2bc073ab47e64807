"""Hashes of many lanes at once: each lane's own 64 bits, from the bits of what happened in it; and one of arrays."""

from __future__ import annotations

import functools
import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oo_sim.contract import I64, U64, Bool, Decision, Learned, Offer
from oo_sim.engine.run import Observer

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


class Hashing:
    """An observer that hashes each lane's decisions and lessons as they are made: users have the same hashes in any
    blocks. What it sees it passes on to another observer, if there is one."""

    def __init__(self, hashes: U64, also: Observer | None = None) -> None:
        """`hashes` (n,) of the first n lanes, of zeros, are filled in place."""
        self._hashes, self._also = hashes, also

    def decided(self, t: I64, offer: Offer, decision: Decision, active: Bool) -> None:
        """Take in what was decided: all features and probabilities, the choice, and its score."""
        n = len(self._hashes)
        rows = (decision.x, decision.probs, decision.chosen, decision.propensity, decision.score, decision.explored)
        mix(self._hashes, *(column[..., :n] for column in rows), where=active[:n])
        if self._also is not None:
            self._also.decided(t, offer, decision, active)

    def learned(self, learned: Learned) -> None:
        """Take in what was learned from."""
        n, (x, reward, learn, t_decided, _, _) = len(self._hashes), learned.learning
        if learn[:n].any():  # how often this is called depends on the block, a lane's own share of it does not
            mix(self._hashes, *(column[..., :n] for column in (x, reward, t_decided)), where=learn[:n])
        if self._also is not None:
            self._also.learned(learned)
