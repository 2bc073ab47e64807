"""A run in pieces: shards for schedulers that only start commands, merged afterwards; and what is there so far."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from oo_sim.contract import Policy
from oo_sim.engine.forks import cores, processes
from oo_sim.errors import WorkError, whole
from oo_sim.experiment.pace import duration
from oo_sim.experiment.plan import Asked, Checkpoints, Plan, plan
from oo_sim.experiment.reducing import Reduction
from oo_sim.experiment.running import finished
from oo_sim.experiment.working import Progress, Working
from oo_sim.logs import RunWriter
from oo_sim.results import Run
from oo_sim.scenario import Scenario, validate
from oo_sim.work import Store
from oo_sim.work.store import differences

_LATELY = 600.0  # seconds


def shard(
    scenario: str | Path | Scenario,
    number: int,
    of: int,
    out: str | Path,
    *,
    policies: Sequence[str | Policy] | None = None,
    users: int | None = None,
    rounds: int | None = None,
    replicates: int | None = None,
    seed: int | None = None,
    workers: int | None = None,
    checkpoints: Checkpoints = "all",
    unit: int | None = None,
    checkpoint_states: bool = False,
    unchecked: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Do every `of`th unit of a run, from the `number`th on, in the work directory `out`, which is returned.

    `merge` makes one run of all shards. Started again, it goes on. Raises what `run` raises, and WorkError where a
    policy fails.
    """
    sizes, count = {"users": users, "rounds": rounds, "replicates": replicates, "seed": seed}, processes(workers)
    planned = plan(
        scenario,
        policies=policies,
        checkpoints=checkpoints,
        unit=unit,
        shard=(whole("number", number), whole("of", of)),
        sizes=sizes,
        unchecked=unchecked,
        remembers=checkpoint_states,
    )
    with Store(Path(out)) as store:
        planned = planned.open(store)
        reduction = Reduction(planned, None)
        Working(planned, store, None, count, None, progress, None).into(reduction)
    for j, failure in sorted(reduction.failures.items()):
        raise WorkError(f"policy {planned.taking_part[j].label} failed: {failure.what}; correct it, or leave it out")
    return Path(out)


def merge(directories: Sequence[str | Path], *, out: str | Path | None = None, plot: bool = True) -> Run:
    """One run out of the work directories of its shards, equal to a run without shards bit for bit.

    Raises WorkError where a shard is missing, present twice or of another run.
    """
    if not directories:
        raise WorkError("nothing to merge; name the directories of all shards")
    stores = [Store(Path(each), writes=False) for each in directories]
    asked = [_asked(store) for store in stores]
    numbers = [tuple(each["shard"] or (1, 1)) for each in asked]
    for directory, number, each in zip(directories, numbers, asked, strict=True):
        if differs := next(differences(_alike(asked[0]), _alike(each)), None):
            path, there, here = differs
            raise WorkError(
                f"{directory}: was made for another run than {directories[0]}: its {path} is {here!r:.60}, and not "
                f"{there!r:.60}; merge the shards of one run"
            )
        if number[1] != numbers[0][1]:
            raise WorkError(
                f"{directory}: was made for another run than {directories[0]}: it is shard {number[0]}/{number[1]}, "
                f"and not one of {numbers[0][1]}"
            )
    for number in numbers:
        if numbers.count(number) > 1:
            raise WorkError(f"shard {number[0]}/{number[1]} is there {numbers.count(number)} times; leave one out")
    missing = sorted({(i, numbers[0][1]) for i in range(1, numbers[0][1] + 1)} - set(numbers))
    if missing:
        raise WorkError(f"shard {', '.join(f'{i}/{n}' for i, n in missing)} is missing; name its directory too")
    planned = _again(asked[0] | {"shard": None, "states": False})
    for one in stores:
        planned.within(one)
    store = Store(*(Path(each) for each in directories), writes=False)
    _complete(planned, store)
    with ExitStack() as stack:
        writer = stack.enter_context(RunWriter(Path(out))) if out is not None else None
        return finished(Working(planned, store, None, 1, None, None, None), writer, plot=plot)


def _alike(asked: Asked) -> dict[str, Any]:
    """What all shards of a run were asked; whether they kept states, results do not depend on."""
    return {"unchecked": False, "banks": False} | {
        key: value for key, value in asked.items() if key not in ("shard", "states")
    }


def _asked(store: Store) -> Asked:
    """What a work directory was made for."""
    found: Asked | None = store.about().get("asked")
    if not found:
        raise WorkError(f"{store.directory}: is not a work directory; make one with --shard i/n --out, or --resume")
    if found.get("banks"):
        raise WorkError(
            f"{store.directory}: was made with tip banks (--llm), files that it does not hold; run its command again, "
            "which takes what is there"
        )
    return found


def _again(asked: Asked) -> Plan:
    """The plan that a work directory was asked for."""
    scenario = validate(asked["scenario"])
    number = asked.get("shard")
    return plan(
        scenario,
        checkpoints=asked["checkpoints"],
        unit=asked["unit"],
        shard=(number[0], number[1]) if number else None,
        unchecked=True,  # they were checked before their units were computed, or asked not to be
    )._replace(unchecked=bool(asked.get("unchecked")), remembers=bool(asked.get("states")))


def _complete(planned: Plan, store: Store) -> None:
    """Refuse a store that lacks a unit, or holds a damaged one."""
    for j, unit, path in planned.units(store):
        if path is None or store.read(unit, path) is None:
            label, last = planned.taking_part[j].label, unit.first + unit.users - 1
            where = f"of {label}, users {unit.first} to {last}, replicate {unit.replicate}"
            what = "a unit is missing" if path is None else f"{path} is damaged"
            raise WorkError(f"{what} ({where}): run its shard again with the same --out, then merge")


def partial(directory: str | Path) -> Run:
    """What a work directory holds so far: of the first users whose units are there for every policy and replicate.

    Raises WorkError where there are none yet.
    """
    store = Store(Path(directory), writes=False)
    planned = _again(_asked(store))
    ready, at = planned.scenario.users, dict[tuple[int, int], int]()
    for j, unit, path in planned.units(store):
        reached = at.setdefault((j, unit.replicate), 0)
        if path is not None and unit.first == reached:
            at[j, unit.replicate] = unit.first + unit.users
    ends = sorted({0, *(unit.first + unit.users for _, unit, path in planned.units(store) if path is not None)})
    ready = max(end for end in ends if end <= min(at.values()))
    if not ready:
        raise WorkError(f"{directory}: no users are done by every policy yet; look again later")
    smaller = _again(planned.asked() | {"shard": None, "scenario": planned.asked()["scenario"] | {"users": ready}})
    return finished(Working(smaller, store, None, cores(), None, None, None), None, plot=False)


class Status(NamedTuple):
    """How much of a work directory's work is done: decisions of each policy, and all there are of each; who works there
    at the moment, how many decisions were made in a second lately, and how many seconds are left at that rate."""

    name: str
    done: dict[str, int]
    each: int
    units: int
    units_done: int
    holders: list[str]
    rate: float | None
    left: float | None

    def lines(self) -> list[str]:
        """In words."""
        who = ", ".join(self.holders) + (" work here" if len(self.holders) > 1 else " works here")
        who = who if self.holders else "nobody works here now"
        lines = [f"{self.name}: {self.units_done:,} of {self.units:,} units are done; {who}"]
        if self.rate and self.left is not None:
            lines.append(f"{self.rate:,.0f} decisions/s lately: {duration(self.left)} left")
        return lines + [f"{label}: {done / max(self.each, 1):.1%}" for label, done in self.done.items()]

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return self._asdict()


def status(directory: str | Path) -> Status:
    """How much of the work in a directory is done. Raises WorkError where it is not a work directory."""
    store = Store(Path(directory), writes=False)
    planned = _again(_asked(store))
    done, each, made = {entrant.label: 0 for entrant in planned.taking_part}, 0, list[tuple[float, int]]()
    units = list(planned.own(planned.units(store)))
    for j, unit, path in units:
        each += unit.decisions if j == 0 else 0
        if path is not None:
            done[planned.taking_part[j].label] += unit.decisions
            made.append((path.stat().st_mtime, unit.decisions))
    holders, left = store.holders(), sum(unit.decisions for _, unit, path in units if path is None)
    rate = _lately(made) if holders else None
    over = left / rate if rate else None
    return Status(planned.scenario.name, done, each, len(units), len(made), holders, rate, over)


def _lately(made: list[tuple[float, int]]) -> float | None:
    """Decisions a second, from when the latest units were kept; None where that is too few to tell."""
    last = max((time for time, _ in made), default=0.0)
    recent = sorted(each for each in made if each[0] >= last - _LATELY)
    span = last - recent[0][0] if recent else 0.0
    return sum(decisions for _, decisions in recent[1:]) / span if span > 0 else None
