"""What a run takes, before it is run: units, decisions, time by a short calibration, memory and disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from oo_sim.engine import LOOP, remembered, tile
from oo_sim.engine.forks import processes
from oo_sim.engine.tile import LEAST, compiles, interpreted
from oo_sim.entrants import Entrant
from oo_sim.experiment.pace import duration
from oo_sim.experiment.plan import Plan
from oo_sim.experiment.running import MANY, finished
from oo_sim.experiment.working import Working
from oo_sim.logs import RunWriter
from oo_sim.logs.schema import EVENTS
from oo_sim.show import count, is_cold
from oo_sim.work import Store, Unit, play, recipe, warm_up
from oo_sim.worlds import build

_BASE = 271e6  # bytes of a process that makes decisions by kernels that are on disk
_COLD, _COMPILED, _LOADED = 82e6, 57e6, 6e6  # where no kernel is; of each instance of tiles, compiled or loaded
_TOTALS, _PACKED = 32, 30  # at work: of a user at a checkpoint, and of one that is packed to be kept
_STATE = 1.3  # times what users remember: as it is, and packed
_WRITING, _WRITTEN = 700, 1 << 16  # of a row of the users table, for so many at most
_FORK = 25e6  # of what each further process has of its own
_LOGGED, _LOGGING = 740, 100e6  # of a decision that is logged, and at the most
_READY, _FIGURE = 12e6, 75e6  # to show a table, and curves
_HELD, _SHOWN, _SHOWN_HELD = 61, 215, 77  # of a row in memory; of one that is read to be shown, and of one that is held
_DISK_ROW, _KEPT_ROW = (15, 24), (13, 18)  # on disk: of a row of the users table, and kept; where rewards have noise
_PART_ROW = 55  # on disk, until it is joined: of a policy whose rows do not fit into `_WRITTEN`
_CURVE, _KEPT_CURVE = 26, 25  # on disk: of a round's sums, of the run and of each unit
_FILES = 15_000, 6_000  # on disk: of what describes a run, and of what describes kept work
"""Measured on Linux over the sizes of `test_memory.py`, a slow test, and `test_sizes.py`."""
_NUMBER, _DECISION = 9, 60  # on disk: of a number of a logged candidate, and of a decision, at the most
_SAMPLE = 100, 64  # users and rounds of which a log is made to see what it takes
_CALIBRATED = 832, 100  # users and rounds of a calibration


class Estimate(NamedTuple):
    """What a run takes. `seconds` is None where nothing was tried out; `done` decisions are kept already."""

    units: int
    decisions: int
    done: int
    seconds: float | None
    memory: int  # bytes
    disk: int  # bytes
    free_memory: int
    free_disk: int
    questions: int = 0  # for a gateway, about what tips are worth
    states: int = 0  # bytes of the disk for what users remember, at the most

    def lines(self) -> list[str]:
        """The estimate in words."""
        kept = f", of which {self.done:,} are done already" if self.done else ""
        return [
            f"{self.decisions:,} decisions in {count(self.units, 'unit')}{kept}",
            *([f"about {duration(self.seconds)}"] if self.seconds is not None else []),
            f"memory: about {size(self.memory)} of {size(self.free_memory)} free",
            f"disk: about {size(self.disk)} of {size(self.free_disk)} free",
            *([f"states: {size(self.states)} of it, before they are packed"] if self.states else []),
            *([f"gateway: {self.questions:,} questions about tips"] if self.questions else []),
        ]

    def as_dict(self) -> dict[str, Any]:
        """The estimate as plain data: its fields, and `too_much`."""
        return {**self._asdict(), "too_much": self.too_much}

    @property
    def too_much(self) -> str:
        """What there is too little of; empty where there is enough."""
        short = [
            f"about {size(need)} of {what} where {size(free)} is free"
            for what, need, free in (
                ("memory", self.memory, self.free_memory),
                ("disk", self.disk, self.free_disk),
            )
            if need > free
        ]
        return " and ".join(short)


class _Way(NamedTuple):
    """A plan, and how it is run: on how many workers, and whether it is kept, written, logged and drawn."""

    plan: Plan
    workers: int
    kept: bool
    written: bool
    events: bool
    plot: bool

    @property
    def lanes(self) -> int:
        """Users of a unit, over its replicates."""
        scenario, unit = self.plan.scenario, self.plan.unit
        whole = not self.kept and unit >= scenario.users
        return min(unit, scenario.users) * (scenario.replicates if whole else 1)

    @property
    def rows(self) -> int:
        """Rows of the users table, which a shard does not make."""
        scenario = self.plan.scenario
        each = scenario.users * scenario.replicates * len(self.plan.marks)
        return each * len(self.plan.taking_part) if self.plan.shard is None else 0

    def tiles(self, entrant: Entrant, left: int) -> tuple[bool, bool]:
        """Whether tiles play a policy that has so many decisions left, and whether they are compiled first."""
        world, decisions = self.plan.world_of(entrant), self.lanes * self.plan.scenario.rounds
        if self.events or decisions < LEAST:
            return False, False
        asked = world, entrant.policy, max(decisions, left)
        return interpreted(*asked) is None, compiles(*asked)

    def state(self, entrant: Entrant, left: int) -> int:
        """Bytes of what a user remembers."""
        if not self.plan.remembers:
            return 0
        world = self.plan.world_of(entrant)
        by = tile.name(world, entrant.policy) if self.tiles(entrant, left)[0] else LOOP
        return 8 * remembered(world, entrant.policy, by)

    def memory(self, left: Sequence[int]) -> float:
        """Bytes at the peak, where each policy has so many decisions left: at work, or at the end."""
        plan, scenario = self.plan, self.plan.scenario
        each = list(zip(plan.taking_part, left, strict=True))
        tiled = [self.tiles(*one) for one in each]
        base: float = (
            _BASE + (_COLD if is_cold() else 0) + sum(_COMPILED if new else _LOADED * old for old, new in tiled)
        )
        base += scenario.rounds * scenario.replicates * 14 * 8 * len(each) * 3  # curves
        base += min(_LOGGED * plan.decisions, _LOGGING) if self.events else 0
        base += min(self.rows, _WRITTEN) * _WRITING + (0 if self.written else self.rows * _HELD)
        work: float = self.lanes * len(plan.marks) * (_TOTALS + (_PACKED if self.kept else 0))
        work += _STATE * self.lanes * max(self.state(*one) for one in each)
        loops = not self.events and not all(old for old, _ in tiled)
        work += _FORK * self.workers if loops and self.workers > 1 and self.lanes * scenario.rounds >= LEAST else 0
        end: float = _READY + (_FIGURE if self.plot and self.written else 0)
        read = self.rows <= MANY or scenario.replicates > 1  # otherwise a table is made of moments
        end += self.rows * (_SHOWN if self.written else _SHOWN_HELD) if read else 0
        return base + max(work, end)

    def states(self, left: Sequence[int]) -> int:
        """Bytes of the disk for what users remember."""
        scenario, of = self.plan.scenario, self.plan.shard[1] if self.plan.shard else 1
        each = sum(self.state(*one) for one in zip(self.plan.taking_part, left, strict=True))
        return each * scenario.users * scenario.replicates // of

    def disk(self, units: int) -> float:
        """Bytes of the disk at the peak, where so many units are kept, without states and logs."""
        plan, scenario, noisy = self.plan, self.plan.scenario, not self.plan.world.has_reactions
        each = scenario.users * scenario.replicates * len(plan.marks)  # rows of a policy
        kept = written = 0.0
        if self.kept:
            rows = each * len(plan.taking_part) / (plan.shard[1] if plan.shard else 1)
            kept = rows * _KEPT_ROW[noisy] + units * scenario.rounds * _KEPT_CURVE + _FILES[1]
        if self.written:
            rounds = scenario.rounds * scenario.replicates * len(plan.taking_part)
            written = self.rows * _DISK_ROW[noisy] + rounds * _CURVE + _FILES[0]
            written += each * _PART_ROW if each > _WRITTEN else 0
        return kept + written


def estimate(
    plan: Plan,
    *,
    workers: int | None = None,
    out: Path | None = None,
    resume: Path | None = None,
    events: bool = False,
    plot: bool = False,
    calibrate: bool = False,
) -> Estimate:
    """What a plan takes where it is run like this; with `calibrate`, each policy is tried out on a few users.

    Raises WorkError where `resume` was made for something else."""
    workers = processes(workers)
    store = None if resume is None or not resume.exists() else Store(resume, writes=False)
    plan = plan if store is None else plan.within(store)
    way = _Way(plan, workers, resume is not None, out is not None, events, plot)
    units, done, left = 0, 0, [0] * len(plan.taking_part)
    for j, unit, path in plan.own(plan.units(store)):
        there = unit.decisions if path is not None else 0
        if path is None and store is not None:
            there = unit.decisions * store.reached(unit) // unit.rounds
        units, done, left[j] = units + 1, done + there, left[j] + unit.decisions - there
    where = (out or resume or Path()).absolute()
    free_disk = shutil.disk_usage(next(p for p in (where, *where.parents) if p.exists())).free
    banks = {each.bank.label: each.bank for each in plan.taking_part if each.bank is not None}
    states, logged = way.states(left), _most_logged(plan) if events else 0.0
    if events and not banks and (calibrate or logged > free_disk):
        logged = _logged(plan)
    return Estimate(
        units=units,
        decisions=done + sum(left),
        done=done,
        seconds=_seconds(plan, workers) * sum(left) / max(plan.decisions, 1) if calibrate else None,
        memory=int(way.memory(left)),
        disk=int(way.disk(units) + logged + states),
        free_memory=free_memory(),
        free_disk=free_disk,
        questions=sum(bank.facts.get("to_ask", 0) for bank in banks.values()),
        states=states,
    )


def _most_logged(plan: Plan) -> float:
    """Bytes of the log of a plan, if no number could be packed."""
    d = max(each.policy.features.d for each in plan.taking_part)
    return plan.decisions * (_NUMBER * (plan.world.arms + 1) * (d + 1) + _DECISION)


def _logged(plan: Plan) -> float:
    """Bytes of the log of a plan, from that of a few users: how well numbers are packed, nobody knows beforehand."""
    users, rounds = (min(pair) for pair in zip(_SAMPLE, (plan.scenario.users, plan.scenario.rounds), strict=True))
    scenario = plan.scenario.with_(users=users, rounds=rounds, replicates=1)
    few = plan._replace(
        scenario=scenario,
        world=build(scenario),
        recipes=tuple(recipe(scenario, each) for each in plan.taking_part),
        marks=(),
        unit=users,
        shard=None,
        remembers=False,
    )
    with TemporaryDirectory() as directory, RunWriter(Path(directory) / "log") as writer:
        finished(Working(few, None, None, 1, None, None, writer), writer, plot=False)
        there = sum((Path(directory) / "log" / f"{name}.parquet").stat().st_size for name in EVENTS)
    return there / few.decisions * plan.decisions


def _seconds(plan: Plan, workers: int) -> float:
    """The time of the whole plan, from a few users of each policy on one core; enough of them that they are played as
    all will be."""
    scenario = plan.scenario
    rounds = min(_CALIBRATED[1], scenario.rounds)
    plan.remember()
    total = 0.0
    for entrant, (_, unit, _) in zip(plan.taking_part, _first_of_each(plan), strict=True):
        tiles = interpreted(plan.world_of(entrant), entrant.policy, unit.decisions) is None
        users = min(-(-LEAST // rounds) if tiles else _CALIBRATED[0], scenario.users)
        warm_up(plan.world_of(entrant), entrant.policy, users * rounds)
        small = unit._replace(users=users, replicates=1, marks=(), rounds=rounds)
        total += play(small, 1).seconds / small.decisions * plan.each
    return total / min(workers, os.cpu_count() or 1)


def _first_of_each(plan: Plan) -> list[tuple[int, Unit, Path | None]]:
    seen: dict[int, tuple[int, Unit, Path | None]] = {}
    for each in plan.units():
        seen.setdefault(each[0], each)
    return list(seen.values())


def free_memory() -> int:
    """Bytes that this process may still take: what the system has, or its control group's limit."""
    free = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")] if hasattr(os, "sysconf") else [1 << 62]
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free.append(next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable")))
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        if limit != "max":
            free.append(int(limit) - int(Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii")))
    except (OSError, ValueError, StopIteration):
        pass
    return max(min(free), 0)


def size(count: float) -> str:
    """Bytes in words."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"
