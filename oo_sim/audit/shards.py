"""Cuts a log into shards of whole users, so that memory stays bounded however long the log is.

A first pass reads who each row is about and keeps some bytes a row; users are then taken together until they have
some millions of numbers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa

from oo_sim.audit.arrays import I64, Bool
from oo_sim.audit.lanes import Index, Lane
from oo_sim.audit.refusals import Refuse
from oo_sim.audit.sources import More, Source
from oo_sim.audit.spill import shard_tables

Width: TypeAlias = Callable[[str], int]
"""How many numbers a row of a policy has, about."""
Counted: TypeAlias = Callable[[str, int], None]
"""Takes a table's name and its number of rows."""
Keep: TypeAlias = Callable[[Lane], bool]
"""Which lanes are looked at."""
T = TypeVar("T")


class Shard(NamedTuple):
    """All rows of some lanes of one policy, with columns `lane` (into `lanes`) and `row` (in the log)."""

    policy: str
    lanes: tuple[Lane, ...]
    decisions: pa.Table
    learnings: pa.Table
    nameless: tuple[bool, bool]  # whether decisions, or learnings, were refused that may be these lanes'


class Indexed:
    """A log of which it is known who each row is about. `counted` is called with each table's name and number of
    rows."""

    def __init__(self, decisions: Source, learnings: Source, refuse: Refuse, counted: Counted) -> None:
        known: dict[Lane, int] = {}
        self._tables = (Index(decisions, "decisions", known, refuse), Index(learnings, "learnings", known, refuse))
        self.lanes = list(known)
        for index in self._tables:
            counted(index.name, index.starts[-1])

    def _apart(self, order: list[int]) -> Bool:
        """Before which lanes all rows of the lanes before them end, so that a cut there parts no rows that stand
        among each other."""
        apart = np.ones(len(order), np.bool_)
        for index in self._tables:
            first, last = (ends[order] for ends in index.ends(len(self.lanes)))
            apart[1:] &= np.maximum.accumulate(last)[:-1] < first[1:]
        return apart

    def shards(self, numbers: int, width: Width, more: More, keep: Keep | None = None) -> Iterator[Shard]:
        """Yields the log in shards of whole users, policy by policy.

        A shard holds about `numbers` numbers, where a row of a policy has `width(policy)` of them. `more` says
        what else is read; with `keep`, only some lanes are looked at.
        """
        policies = {policy: i for i, policy in enumerate(dict.fromkeys(lane.policy for lane in self.lanes))}
        kept = [i for i, lane in enumerate(self.lanes) if keep is None or keep(lane)]
        order = sorted(kept, key=lambda i: policies[self.lanes[i].policy])
        if not order:
            return
        lanes = [self.lanes[i] for i in order]
        decided, learned = (index.counts(len(self.lanes))[order] for index in self._tables)
        wide = {policy: width(policy) for policy in policies}
        sizes = (decided + learned // 8) * np.array([wide[lane.policy] for lane in lanes])
        cuts = np.array([*_cuts(lanes, sizes, self._apart(order), numbers), len(lanes)])
        place = np.full(len(self.lanes), -1)
        place[order] = np.arange(len(order))
        nameless = (self._tables[0].nameless, self._tables[1].nameless)
        parts = zip(*(shard_tables(index, place, cuts, more) for index in self._tables), strict=True)
        for first, last, tables in zip(cuts[:-1].tolist(), cuts[1:].tolist(), parts, strict=True):
            yield Shard(lanes[first].policy, tuple(lanes[first:last]), tables[0], tables[1], nameless)


def judged(shards: Iterator[Shard], judge: Callable[[Shard], T], workers: int) -> Iterator[T]:
    """What `judge` makes of each shard, in the order of the shards. Threads judge `workers` shards at the same time,
    while this one reads; one more may wait for its turn, so that memory stays bounded."""
    if workers == 1:
        yield from map(judge, shards)
        return
    with ThreadPoolExecutor(workers, "oo-sim-audit") as pool:
        ahead: deque[Future[T]] = deque()
        for shard in shards:
            ahead.append(pool.submit(judge, shard))
            if len(ahead) > workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _cuts(lanes: list[Lane], sizes: I64, apart: Bool, numbers: int) -> Iterator[int]:
    """Where shards begin: neighbouring lanes of one policy stay together until they have `numbers`, and go on to where
    rows come `apart`, unless they have four times as many then."""
    held = 0
    for i, lane in enumerate(lanes):
        full = held + sizes[i] > numbers and (apart[i] or held + sizes[i] > 4 * numbers)
        if i == 0 or full or lane.policy != lanes[i - 1].policy:
            yield i
            held = 0
        held += int(sizes[i])
