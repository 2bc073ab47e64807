"""What a block remembers between two rounds, as whole words: a row for each number, a column for each lane.

A run that stops here goes on there, bit for bit, in blocks of other sizes and on other processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from oo_sim.contract import I64, MIN_LANES, Lanes, Policy, World
from oo_sim.engine.feedback import ledger_for
from oo_sim.kernels.draws import LaneDraws

LOOP = "loop"
"""Who remembers: the loop, or an instance of the compiled tile by its name; one cannot go on with another's words."""

Tree: TypeAlias = Any
"""Arrays in tuples and lists."""


class UnkeptError(Exception):
    """The policy's state is not made of arrays whose last axis is the lane."""


class Memory(NamedTuple):
    """After so many rounds, by whom, and what (rows, lanes)."""

    rounds: int
    by: str
    words: I64


class Layout:
    """Which arrays of the loop's state hold lanes, and how many words a lane takes."""

    def __init__(self, world: World, policy: Policy) -> None:
        """Raises UnkeptError for a policy whose state cannot be kept."""
        few, more = (_fresh(world, policy, n) for n in (MIN_LANES, MIN_LANES + 1))
        pairs = list(zip(_arrays(few), _arrays(more), strict=True))
        self._of_lanes = [_widens(a, b) for a, b in pairs]
        states = zip(_arrays(few[1], strict=True), _arrays(more[1], strict=True), strict=True)
        if not all(_widens(a, b) for a, b in states):
            raise UnkeptError("holds an array whose last axis is not the lane")
        own = [a for (a, _), lanes in zip(pairs, self._of_lanes, strict=True) if lanes]
        self._kinds = [a.dtype for a in own]
        self.rows = sum(a.size // MIN_LANES for a in own)

    def words(self, tree: Tree, count: int) -> I64 | None:
        """What the first `count` lanes remember; None for a policy whose state has become another kind of thing."""
        arrays = list(_arrays(tree))
        own = [array for array, lanes in zip(arrays, self._of_lanes, strict=False) if lanes]
        if len(arrays) != len(self._of_lanes) or [array.dtype for array in own] != self._kinds:
            return None
        words = np.concatenate([_bits(array[..., :count]).reshape(-1, count) for array in own])
        return words if len(words) == self.rows else None

    def put(self, tree: Tree, words: I64) -> None:
        """Fill the arrays of a fresh state in place: where they are views of one another they stay so. Lanes that only
        fill a block up remember the same as those that count."""
        at = 0
        for array in (array for array, lanes in zip(_arrays(tree), self._of_lanes, strict=True) if lanes):
            rows = array.size // array.shape[-1]
            some = np.resize(words[at : at + rows].T, (array.shape[-1], rows)).T.reshape(array.shape)
            array[...] = np.ascontiguousarray(some).view(array.dtype) if array.itemsize == 8 else some
            at += rows
        assert at == len(words)


def _fresh(world: World, policy: Policy, n: int) -> Tree:
    """All that a block of n lanes starts with."""
    lanes = Lanes(np.arange(n, dtype=np.uint64), 0, 0, 0)
    ledger = ledger_for(world.feedback, LaneDraws.of(lanes), policy.features.d, n)
    return world.init(lanes), policy.init(n), ledger.kept(), np.zeros((4, n), np.int64), np.zeros(n, np.int64)


def _widens(few: NDArray[Any], more: NDArray[Any]) -> bool:
    """Whether an array's last axis is the lane: it has more places where there are more lanes."""
    return few.shape[-1:] == (MIN_LANES,) and more.shape[-1:] == (MIN_LANES + 1,)


def _arrays(tree: Tree, strict: bool = False) -> Iterator[NDArray[Any]]:
    """The arrays of a state; where `strict`, it may hold nothing else."""
    if isinstance(tree, np.ndarray):
        yield tree
    elif isinstance(tree, tuple | list):
        for part in tree:
            yield from _arrays(part, strict)
    elif strict and tree is not None:
        raise UnkeptError(f"holds {type(tree).__name__}, which is not an array")


def _bits(array: NDArray[Any]) -> I64:
    return np.ascontiguousarray(array).view(np.int64) if array.itemsize == 8 else array.astype(np.int64)
