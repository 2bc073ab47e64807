"""Cuts a log into shards of whole users, so that memory stays bounded however long the log is.

A first pass reads who each row is about and keeps some bytes a row; users are then taken together until they have
some millions of numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from oo_sim.audit.arrays import I64
from oo_sim.audit.lanes import Index, Keep, Lane
from oo_sim.audit.refusals import Refuse
from oo_sim.audit.sources import Source
from oo_sim.audit.spill import shard_tables

Width: TypeAlias = Callable[[str], int]
"""How many numbers a row of a policy has, about."""


class Shard(NamedTuple):
    """All rows of some lanes of one policy, with columns `lane` (into `lanes`) and `row` (in the log)."""

    policy: str
    lanes: tuple[Lane, ...]
    decisions: pa.Table
    learnings: pa.Table
    nameless: tuple[bool, bool]  # whether decisions, or learnings, were refused that may be these lanes'


def shards(
    decisions: Source,
    learnings: Source,
    numbers: int,
    width: Width,
    refuse: Refuse,
    counted: Callable[[str, int], None] = lambda table, rows: None,
    keep: Keep | None = None,
) -> Iterator[Shard]:
    """Yields the log in shards of whole users, policy by policy.

    A shard holds about `numbers` numbers, where a row of a policy has `width(policy)` of them. `counted` is called with
    each table's name and its number of rows. With `keep`, only some lanes are looked at, and with their tasks' ids.
    """
    known: dict[Lane, int] = {}
    indexes = (
        Index(decisions, "decisions", known, refuse, keep),
        Index(learnings, "learnings", known, refuse, keep),
    )
    for index in indexes:
        counted(index.name, index.starts[-1])
    if not known:
        return
    policies = {policy: i for i, policy in enumerate(dict.fromkeys(lane.policy for lane in known))}
    order = np.argsort(np.array([policies[lane.policy] for lane in known]), kind="stable")
    lanes = [list(known)[i] for i in order.tolist()]
    counts = (indexes[0].counts(len(lanes)) + indexes[1].counts(len(lanes)))[order]
    sizes = counts * np.array([width(policy) for policy in policies])[[policies[lane.policy] for lane in lanes]]
    cuts = np.array([*_cuts(lanes, sizes, numbers), len(lanes)])
    place = np.argsort(order)
    nameless = (indexes[0].nameless, indexes[1].nameless)
    parts = zip(*(shard_tables(index, place, cuts) for index in indexes), strict=True)
    for first, last, tables in zip(cuts[:-1].tolist(), cuts[1:].tolist(), parts, strict=True):
        yield Shard(lanes[first].policy, tuple(lanes[first:last]), tables[0], tables[1], nameless)


def _cuts(lanes: list[Lane], sizes: I64, numbers: int) -> Iterator[int]:
    """Where shards begin: neighbouring lanes of one policy stay together until they have `numbers`."""
    held = 0
    for i, lane in enumerate(lanes):
        if i == 0 or held + sizes[i] > numbers or lane.policy != lanes[i - 1].policy:
            yield i
            held = 0
        held += int(sizes[i])
