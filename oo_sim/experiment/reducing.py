"""Units of work in, in any order; tables out, in the order of the plan. Sums are whole numbers, so no order matters."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oo_sim.contract import World
from oo_sim.engine import Block
from oo_sim.experiment.plan import Plan
from oo_sim.kernels.tally import SUMS
from oo_sim.logs import CURVES, USERS, curves_table, users_table
from oo_sim.work import NOBODY, Failure, Played, Unit

Rows = Callable[[int, pa.Table], None]
"""Takes rows of the users table of a policy, by its index, in their order."""

_USERS = 1 << 14  # whose rows are made at a time


class Reduction:
    """What came of a plan's units so far. Users' rows go to `rows`, if it is given, as soon as it is their turn;
    `ended` is called with the index of each policy all of whose rows went there."""

    def __init__(self, plan: Plan, rows: Rows | None, ended: Callable[[int], None] | None = None) -> None:
        scenario, count = plan.scenario, len(plan.taking_part)
        self.plan, self._rows, self._ended = plan, rows, ended
        self.sums = [np.zeros((scenario.replicates, scenario.rounds, len(SUMS)), np.int64) for _ in range(count)]
        self.moments = [NOBODY] * count
        self.seconds = [0.0] * count
        self.done = [0] * count
        self.failures: dict[int, Failure] = {}
        self._waiting: list[dict[tuple[int, int], tuple[Unit, Played]]] = [{} for _ in range(count)]
        self._next = [(0, 0)] * count

    def take(self, j: int, unit: Unit, played: Played) -> None:
        """Take in what came of a unit of the policy with index j."""
        self.done[j] += unit.decisions
        self.seconds[j] += played.seconds
        if played.failure is not None:
            self.failures[j] = min(played.failure, self.failures.get(j, played.failure))
            self._waiting[j].clear()
        if j in self.failures:
            return
        self.sums[j][unit.replicate : unit.replicate + unit.replicates] += played.sums
        self.moments[j] = self.moments[j].merged(played.moments)
        if not self.plan.marks or self._rows is None:
            return
        waiting = self._waiting[j]
        waiting[unit.replicate, unit.first] = unit, played
        while self._next[j] in waiting:
            unit, played = waiting.pop(self._next[j])
            for rows in self._people(j, unit, played):
                self._rows(j, rows)
            end = unit.first + unit.users
            whole = end == self.plan.scenario.users
            self._next[j] = (unit.replicate + unit.replicates, 0) if whole else (unit.replicate, end)
            if self._ended is not None and self._next[j] == (self.plan.scenario.replicates, 0):
                self._ended(j)

    def _people(self, j: int, unit: Unit, played: Played) -> Iterator[pa.Table]:
        """The rows of a unit, those of some users at a time: as text they take a multiple of what they take here."""
        label, world = self.plan.taking_part[j].label, self.plan.world
        for replicate, start in itertools.product(range(unit.replicates), range(0, unit.users, _USERS)):
            users = min(_USERS, unit.users - start)
            known = people(world, self.plan.scenario.seed, unit.first + start, users)
            totals = played.totals[replicate : replicate + 1, :, :, start : start + users]
            yield users_table(label, totals, unit.marks, *known, world.scale, unit.replicate + replicate)

    def curves(self) -> pa.Table:
        """The curves of all policies that did not fail."""
        scale = self.plan.world.scale
        tables = [
            curves_table(each.label, self.sums[j], scale)
            for j, each in enumerate(self.plan.taking_part)
            if j not in self.failures
        ]
        return pa.concat_tables([CURVES.empty_table(), *tables])


def people(world: World, seed: int, first: int, users: int) -> tuple[pa.Array, pa.Array]:
    """The ids of some users, and the segment of each."""
    numbers = pa.array(np.arange(first, first + users)).cast(pa.string())
    ids = pc.binary_join_element_wise("user", numbers, "-")
    if world.segment_of is None:
        return ids, pa.nulls(users, pa.string())
    which = world.segment_of(Block(0, first, users).lanes(seed))[:users]
    return ids, pa.array(world.segments, pa.string()).take(pa.array(which))


def collected(tables: list[list[pa.Table]], failed: dict[int, Failure]) -> pa.Table:
    """The users table out of the rows of each policy."""
    return pa.concat_tables([USERS.empty_table(), *(t for j, own in enumerate(tables) if j not in failed for t in own)])
