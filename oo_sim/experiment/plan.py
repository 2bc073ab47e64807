"""What is to be run: a scenario, who takes part in it, and the units of work that it takes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypedDict

from oo_sim.contract import Policy, World
from oo_sim.engine import BLOCK, checkpoints
from oo_sim.entrants import Entrant, entrants, with_banks
from oo_sim.errors import ArgumentError, WorkError, whole
from oo_sim.experiment import lanes
from oo_sim.scenario import Scenario, load
from oo_sim.work import Recipe, Store, Unit, cut, recipe, remember, versions
from oo_sim.work.unit import apart
from oo_sim.worlds import build

Checkpoints: TypeAlias = str | Sequence[int]
CHECKPOINTS = ("all", "last", "off")
"""What the users table holds, by word: log-spaced checkpoints, the last round alone, or nothing."""
UNIT_DECISIONS = 4_000_000
"""Decisions in a unit, if not told otherwise: about a second on one core."""


class Asked(TypedDict):
    """What a work directory was made for, as plain data: enough to ask it again."""

    scenario: dict[str, Any]
    checkpoints: Checkpoints
    unit: int
    shard: list[int] | None
    unchecked: bool
    states: bool
    banks: bool


class Plan(NamedTuple):
    """An experiment before it is run. `marks` are the users table's checkpoints; `unit` is how many users a unit has;
    `shard` is (i, n) where only every nth unit, from the ith on, is to be done."""

    scenario: Scenario
    world: World
    taking_part: tuple[Entrant, ...]
    recipes: tuple[Recipe, ...]
    checkpoints: str
    marks: tuple[int, ...]
    unit: int
    shard: tuple[int, int] | None = None
    unchecked: bool = False  # private policies ran without the check of their lanes
    remembers: bool = False  # states are kept, so that more rounds can go on from these

    @property
    def decisions(self) -> int:
        """How many decisions there are at most."""
        return self.each * len(self.taking_part)

    @property
    def each(self) -> int:
        """How many decisions each policy makes at most."""
        return self.scenario.users * self.scenario.rounds * self.scenario.replicates

    def world_of(self, entrant: Entrant) -> World:
        """The world that a policy meets: with a bank of tips, one of its own."""
        return build(self.scenario, entrant.bank) if entrant.bank else self.world

    def units(self, store: Store | None = None) -> Iterator[tuple[int, Unit, Path | None]]:
        """All units in order: by policy, replicate and first user; each with its file, where the store has it."""
        return ((j, unit._replace(remembers=self.remembers), path) for j, unit, path in self._units(store))

    def _units(self, store: Store | None) -> Iterator[tuple[int, Unit, Path | None]]:
        scenario = self.scenario
        for j, each in enumerate(self.recipes):
            for replicate in range(scenario.replicates):
                sizes = (self.marks, scenario.rounds)
                if store is None and self.unit >= scenario.users:
                    if replicate == 0:
                        yield (
                            j,
                            Unit(each, 0, 0, scenario.users, scenario.rounds, self.marks, scenario.replicates),
                            None,
                        )
                elif store is None:
                    fresh = cut(each, *sizes, replicate, 0, scenario.users, self.unit)
                    yield from ((j, unit, None) for unit in fresh)
                else:
                    for found in store.missing(each, *sizes, scenario.users, replicate, self.unit):
                        yield (j, found, None) if isinstance(found, Unit) else (j, *found)

    def own(self, units: Iterable[tuple[int, Unit, Path | None]]) -> Iterator[tuple[int, Unit, Path | None]]:
        """Those of the units that belong to this shard: every nth."""
        i, n = self.shard or (1, 1)
        return itertools.islice(units, i - 1, None, n)

    def remember(self) -> None:
        """Keep all worlds and policies for the units that are done in this process."""
        for each, entrant in zip(self.recipes, self.taking_part, strict=True):
            remember(each, self.world_of(entrant), entrant)

    def open(self, store: Store) -> Plan:
        """Note in a work directory what is asked: the plan as it is done there, where more rounds have the units of
        those before. Raises WorkError where it was made for something else."""
        for each, entrant in zip(self.recipes, self.taking_part, strict=True):
            if not each.stays:
                raise WorkError(
                    f"policy {entrant.label} was handed over in Python, so it cannot be verified later that it is the "
                    "same; name it module:factory to keep its work"
                )
        planned = self.within(store)
        store.made_for(apart(self.scenario), dict(versions()), planned.asked(), remembers=self.remembers)
        return planned

    def within(self, store: Store) -> Plan:
        """The plan as it would be done in a work directory. Raises WorkError where it was made for something else."""
        store.check(apart(self.scenario), dict(versions()))
        known = store.about()
        there = known.get("asked", {}).get("shard")
        if there and self.shard and tuple(there) != self.shard:
            one, other = ("/".join(map(str, number)) for number in (there, self.shard))
            raise WorkError(f"{store.directory}: is shard {one}; name another directory for shard {other}")
        own = known.get("states") and self.unit == unit_of(self.scenario.rounds)
        return self._replace(unit=known["asked"]["unit"]) if own else self

    def asked(self) -> Asked:
        """What was asked, as plain data."""
        return {
            "scenario": self.scenario.canonical() | {"policies": [e.name for e in self.taking_part]},
            "checkpoints": self.checkpoints,
            "unit": self.unit,
            "shard": None if self.shard is None else list(self.shard),
            "unchecked": self.unchecked,
            "states": self.remembers,
            "banks": any(entrant.bank is not None for entrant in self.taking_part),
        }


def plan(
    scenario: str | Path | Scenario,
    *,
    policies: Sequence[str | Policy] | None = None,
    llm: Sequence[str | Path] | None = None,
    appeal: Sequence[str] | None = None,
    gateway: str = "mock",
    checkpoints: Checkpoints = "all",
    unit: int | None = None,
    shard: tuple[int, int] | None = None,
    sizes: Mapping[str, int | None] = {},
    unchecked: bool = False,
    ask: bool = True,
    remembers: bool = False,
) -> Plan:
    """What a run of a scenario would do; `sizes` are users, rounds, replicates and seed, in place of the file's.

    With `remembers`, work directories keep the state after the last round. Unless `ask`, no gateway is asked what tips
    are worth, so that the plan is for an estimate alone.

    Private policies are tried out on a few lanes first, unless `unchecked`: see `oo_sim.experiment.lanes`.

    Raises ArgumentError, ScenarioError, SpecError, UnknownPolicyError, GeneratorInputError and WorkError.
    """
    if isinstance(policies, str | Policy) or (policies is not None and not policies):
        raise ArgumentError(f"policies must be a list of specs or policies, such as ['linucb'], not {policies!r}")
    source = scenario if isinstance(scenario, Scenario) else load(scenario)
    source = source.with_(**{name: _plain(n) for name, n in sizes.items()})
    world = build(source)
    taking_part = entrants(world, policies or source.policies)
    for name, given in (("appeal", appeal is not None), ("gateway", gateway != "mock")):
        if given and llm is None:
            raise ArgumentError(
                f"{name} is about what the tips of banks are worth: name banks with llm, or leave it out"
            )
    if llm is not None:
        from oo_sim.tipbanks import tip_banks  # noqa: PLC0415 (slow to import)

        taking_part = with_banks(taking_part, tip_banks(source, llm, appeal, gateway, ask=ask))
    if not unchecked:
        lanes.check(world, taking_part, source.seed)
    words, marks = _marks(checkpoints, source)
    if shard is not None and not 1 <= shard[0] <= shard[1]:
        raise WorkError(f"shard {shard[0]}/{shard[1]}: must be i/n with i from 1 to n")
    recipes = tuple(recipe(source, each) for each in taking_part)
    size = unit_of(source.rounds) if unit is None else whole("unit", unit)
    return Plan(source, world, tuple(taking_part), recipes, words, marks, size, shard, unchecked, remembers)


def _plain(number: object) -> Any:
    """NumPy's whole numbers as Python's."""
    return int(number) if isinstance(number, Integral) and not isinstance(number, bool) else number


def unit_of(rounds: int) -> int:
    """How many users a unit has, if not told otherwise."""
    return max(BLOCK, UNIT_DECISIONS // rounds // BLOCK * BLOCK)


def _marks(wanted: Checkpoints, scenario: Scenario) -> tuple[str, tuple[int, ...]]:
    """The users table's checkpoints, in words and as ascending numbers of rounds."""
    known = {"all": tuple(checkpoints(scenario.rounds)), "last": (scenario.rounds,), "off": ()}
    if isinstance(wanted, str) and wanted in known:
        if wanted == "off" and scenario.replicates > 1:
            raise WorkError(
                f"checkpoints off: intervals average each user over {scenario.replicates} replicates, which takes a "
                "users table; take checkpoints last, or one replicate of more users"
            )
        return wanted, known[wanted]
    try:
        parts = map(int, wanted.split(",")) if isinstance(wanted, str) else (whole("", part) for part in wanted)
        marks = sorted({*parts, scenario.rounds})
    except (TypeError, ValueError):
        marks = [0]
    if not marks[0] >= 1 or marks[-1] > scenario.rounds:
        raise WorkError(
            f"checkpoints {wanted!r}: must be all, last, off, or numbers from 1 to {scenario.rounds} such as 10,100"
        )
    return ",".join(map(str, marks)), tuple(marks)
