"""What a run takes, before it is run: units, decisions, time by a short calibration, memory and disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NamedTuple

from oo_sim.engine import LOOP, remembered, tile
from oo_sim.engine.forks import cores
from oo_sim.engine.tile import LEAST, interpreted
from oo_sim.entrants import Entrant
from oo_sim.experiment.pace import duration
from oo_sim.experiment.plan import Plan
from oo_sim.experiment.running import MANY, WHOLE
from oo_sim.experiment.working import warm_up
from oo_sim.work import Store, Unit, play

_BASE, _TILES = 276e6, 21e6  # bytes of a process with all kernels loaded, and with what plays tiles
_FORK = 45e6  # of what each further process has of its own
_USER, _ROW, _PACKED = 161, 85, 32  # at work: of a user, of a row of the users table, of one that is packed to be kept
_WRITING, _WRITTEN, _HELD = 405, 200_000, 61  # of a row that is written, for so many at most; of one that stays
_DISK_ROW, _PART_ROW, _KEPT_ROW = 18, 75, 20  # on disk: of a row of the users table, until they are joined, and kept
_SHOWN = 342  # of a row that is read again when the table is shown
_CANDIDATE, _DECISION = 0.6, 60  # of a logged candidate's numbers, a decision
_CALIBRATED = 832, 100  # users and rounds of a calibration
"""Measured on Linux over a table of sizes, which tests/slow/test_memory.py has."""


class Estimate(NamedTuple):
    """What a run takes. `seconds` is None where nothing was tried out; `done` decisions are kept already."""

    units: int
    decisions: int
    done: int
    seconds: float | None
    memory: int  # bytes
    disk: int  # bytes, at the most
    free_memory: int
    free_disk: int
    questions: int = 0  # for a gateway, about what tips are worth
    states: int = 0  # bytes of the disk for what users remember, at the most

    def lines(self) -> list[str]:
        """The estimate in words."""
        kept = f", of which {self.done:,} are done already" if self.done else ""
        return [
            f"{self.decisions:,} decisions in {self.units:,} units{kept}",
            *([f"about {duration(self.seconds)}"] if self.seconds is not None else []),
            f"memory: about {size(self.memory)} of {size(self.free_memory)} free",
            f"disk: about {size(self.disk)} of {size(self.free_disk)} free",
            *([f"states: {size(self.states)} of it, before they are packed"] if self.states else []),
            *([f"gateway: {self.questions:,} questions about tips"] if self.questions else []),
        ]

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


def estimate(
    plan: Plan,
    *,
    workers: int | None = None,
    out: Path | None = None,
    resume: Path | None = None,
    events: bool = False,
    calibrate: bool = False,
) -> Estimate:
    """What a plan takes where it is run like this; with `calibrate`, each policy is tried out on a few users."""
    workers = workers or cores()
    scenario, policies, columns = plan.scenario, len(plan.taking_part), len(plan.marks)
    rows = scenario.users * scenario.replicates * columns * policies
    store = None if resume is None else Store(resume, writes=False)
    units, done = 0, 0
    for _, unit, path in plan.own(plan.units(store)):
        units += 1
        done += unit.decisions if path is not None else 0
    own = plan.decisions if plan.shard is None else plan.decisions // plan.shard[1]
    users = min(plan.unit if resume else max(plan.unit, WHOLE), scenario.users)
    users *= scenario.replicates if plan.unit >= scenario.users else 1
    at_once = users * columns
    memory = _BASE + users * _USER + at_once * (_ROW + (_PACKED if resume else 0))
    memory += scenario.rounds * scenario.replicates * 14 * 8 * policies * 3  # curves
    if plan.shard is None:  # of more rows a table is made of moments
        memory += min(rows, _WRITTEN) * _WRITING if out is not None else rows * _HELD
        memory += rows * _SHOWN if rows <= MANY else 0
    states = [_state(plan, entrant, users * scenario.rounds) for entrant in plan.taking_part if plan.remembers]
    memory += 3 * users * max(states, default=0)  # as it is, joined, and packed
    in_tiles = [_in_tiles(plan, entrant, users * scenario.rounds) for entrant in plan.taking_part]
    memory += (_TILES if any(in_tiles) else 0) + (_FORK * workers if workers > 1 and not all(in_tiles) else 0)
    disk: float = (rows * (_DISK_ROW + _PART_ROW) if out is not None else 0) + (rows * _KEPT_ROW if resume else 0)
    kept = sum(states) * scenario.users * scenario.replicates // (plan.shard[1] if plan.shard else 1)
    disk += kept
    if events:
        d = max(each.policy.features.d for each in plan.taking_part)
        disk += plan.decisions * (_CANDIDATE * plan.world.arms * (8 * d + 28) + _DECISION)
    banks = {each.bank.label: each.bank for each in plan.taking_part if each.bank is not None}
    where = out or resume or Path()
    return Estimate(
        units=units,
        decisions=own,
        done=done,
        seconds=_seconds(plan, workers) * (own - done) / max(plan.decisions, 1) if calibrate else None,
        memory=int(memory),
        disk=int(disk),
        free_memory=free_memory(),
        free_disk=shutil.disk_usage(next(p for p in (where.absolute(), *where.absolute().parents) if p.exists())).free,
        questions=sum(bank.facts.get("to_ask", 0) for bank in banks.values()),
        states=kept,
    )


def _state(plan: Plan, entrant: Entrant, decisions: int) -> int:
    """Bytes of what a user remembers."""
    world = plan.world_of(entrant)
    by = tile.name(world, entrant.policy) if _in_tiles(plan, entrant, decisions) else LOOP
    return 8 * remembered(world, entrant.policy, by)


def _in_tiles(plan: Plan, entrant: Entrant, decisions: int) -> bool:
    return interpreted(plan.world_of(entrant), entrant.policy, decisions) is None


def _seconds(plan: Plan, workers: int) -> float:
    """The time of the whole plan, from a few users of each policy on one core; enough of them that they are played as
    all will be."""
    scenario = plan.scenario
    rounds = min(_CALIBRATED[1], scenario.rounds)
    plan.remember()
    total = 0.0
    for entrant, (_, unit, _) in zip(plan.taking_part, _first_of_each(plan), strict=True):
        tiles = _in_tiles(plan, entrant, unit.decisions)
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
