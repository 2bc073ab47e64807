"""`compare`: runs or scenarios in, a `Comparison` out; on request with as many users as the answer takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from oo_sim.contract import Policy
from oo_sim.errors import ComparisonError, real, whole
from oo_sim.experiment import run
from oo_sim.results import Run, load_run
from oo_sim.scenario import Scenario, load
from oo_sim.show.progress import Wanted
from oo_sim.show.text import plain
from oo_sim.studies.across import CEILING, FLOOR
from oo_sim.studies.comparison import Comparison, compare_outcomes
from oo_sim.studies.outcomes import Metric, check_metric, check_same, gather, setting_of, spelled
from oo_sim.studies.sequential import FIRST_USERS, Look, look, sizes
from oo_sim.work import Executor
from oo_sim.worlds import build

Source: TypeAlias = str | Path | Scenario | Run
"""A run, its directory, or a scenario: a path, the name of a shipped one, or itself."""

MAX_USERS = 100_000


def compare(
    *sources: Source,
    policies: Sequence[str | Policy] | None = None,
    reference: str | Policy | None = None,
    metric: Metric = "expected",
    users: int | None = None,
    rounds: int | None = None,
    replicates: int | None = None,
    seed: int | None = None,
    workers: int | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
    resume: str | Path | None = None,
    until: float | None = None,
    precise: bool = False,
    max_users: int | None = None,
    bootstrap_seed: int = 0,
    unchecked: bool = False,
    progress: Wanted = None,
    looked: Callable[[Look], None] | None = None,
) -> Comparison:
    """Compare policies by user under common random numbers, in each scenario that the sources are of.

    All pairs of `policies` (of all there are), candidate minus baseline, the earlier one the baseline; or each against
    the `reference`. Directories are read as runs, scenarios are run, with the overrides given. With `until`, users are
    added until each anytime-valid interval is at most +- `until` or excludes 0 (with `precise`, at most that wide also
    where it excludes 0), or `max_users` (100,000) is reached; `looked` receives each look. `workers`, `executor`,
    `resume`, `unchecked` and `progress` are those of `run`: with a work directory, users that are added are all that
    is computed (several scenarios have one below it each). `bootstrap_seed` is that of bands and bootstraps.

    Raises ComparisonError where runs do not fit together, and what `run` and `load_run` raise.
    """
    if isinstance(policies, str | Policy) or (policies is not None and not policies):
        raise ComparisonError(f"policies must be a list of specs or policies, such as ['linucb'], not {policies!r}")
    whole("bootstrap_seed", bootstrap_seed, 0, error=ComparisonError)
    found = [_source(source) for source in sources]
    fresh = [source for source in found if isinstance(source, Scenario)]
    overrides = {"users": users, "rounds": rounds, "replicates": replicates, "seed": seed}
    computing = overrides | {"executor": executor, "resume": resume}
    if not fresh:  # beside a scenario, these are that one's
        computing |= {"workers": workers, "threads": threads, "unchecked": unchecked or None}
    _check(found, metric, [name for name, value in computing.items() if value is not None])
    for name, said in (("precise", precise), ("max_users", max_users is not None)):
        if said and until is None:
            raise ComparisonError(f"{name} says how far users are added, and without until none are: leave it out")
    if until is not None and len(fresh) < len(found):
        raise ComparisonError("until adds users, so it requires scenarios to run, not runs that are there")
    names = [_name(source, number) for number, source in enumerate(sources, 1)]
    check_same([(name, setting_of(source)) for name, source in zip(names, found, strict=True)])
    wanted = None if policies is None else [_label(each) for each in policies]
    base = None if reference is None else _label(reference)

    def ran(source: Scenario | Run, population: int | None) -> Run:
        if isinstance(source, Run):
            return source
        taking_part = _taking_part(source, policies, reference, scale=len(found) > 1)
        sized = source.with_(**{**overrides, "users": population})
        kept = None if resume is None else Path(resume) / source.name if len(fresh) > 1 else Path(resume)
        return run(
            sized,
            policies=taking_part,
            workers=workers,
            threads=threads,
            executor=executor,
            resume=kept,
            unchecked=unchecked,
            progress=progress,
        )

    def compared(population: int | None, bands: bool) -> Comparison:
        outcomes = gather([ran(source, population) for source in found], metric, names)
        bootstraps = bootstrap_seed if bands else None
        return compare_outcomes(outcomes, metric, policies=wanted, reference=base, seed=bootstraps)

    if until is None:
        return compared(users, True)
    first = max(scenario.users for scenario in fresh) if users is None else whole("users", users, error=ComparisonError)
    planned = _planned(until, first, MAX_USERS if max_users is None else max_users)
    return _until(lambda population: compared(population, False), until, planned, looked, precise=precise)


def _until(
    compared: Callable[[int], Comparison],
    width: float,
    planned: Sequence[int],
    looked: Callable[[Look], None] | None,
    *,
    precise: bool,
) -> Comparison:
    """Look after each of the `planned` numbers of users, until all is settled."""
    looks: list[Look] = []
    for population in planned:
        found = compared(population)
        if not found.pairs:
            return found  # policies failed, and more users would not help
        looks.append(look(found.pairs, planned))
        if looked is not None:
            looked(looks[-1])
        if looks[-1].settled(width, precise=precise):
            break
    goal = "" if precise else " or excludes 0"
    reached = (
        f"Stopped at {population:,} users: each interval is at most ± {width:g}{goal}."
        if looks[-1].settled(width, precise=precise)
        else f"Stopped at {population:,} users, the most allowed, before each interval was at most ± {width:g}{goal}."
    )
    return found.stopped(looks, reached)


def _source(source: Source) -> Scenario | Run:
    if isinstance(source, Scenario | Run):
        return source
    return load_run(source) if isinstance(source, str | Path) and Path(source).is_dir() else load(source)


def _name(source: Source, number: int) -> str:
    """What a source is called: as it was given, where that was by name."""
    if isinstance(source, Run):
        return f"run {number}" if source.path is None else str(source.path)
    return str(source.name if isinstance(source, Scenario) else source)


def _check(found: Sequence[Scenario | Run], metric: str, overrides: Sequence[str]) -> None:
    """Refuse, before any work is done, what can't be compared."""
    if not found:
        raise ComparisonError("nothing to compare; name runs or scenarios")
    scenarios = [source for source in found if isinstance(source, Scenario)]
    if overrides and len(scenarios) < len(found):
        raise ComparisonError(f"{overrides[0]} says how scenarios are run, and runs are as they are: leave it out")
    for source in found:
        if isinstance(source, Run):
            source.require_users()
    names = [scenario.name for scenario in scenarios]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ComparisonError(f"scenario {plain(twice)} is named twice; give two scenarios different names")
    for scenario in scenarios:
        check_metric(scenario.name, metric, own_trajectory=metric == "regret" and build(scenario).own_trajectory)


def _planned(until: float, first: int, most: int) -> list[int]:
    """The users of each look."""
    width = "a width above 0, such as 0.005"
    real("until", until, width, lambda w: 0 < w < math.inf, error=ComparisonError)
    first, most = max(first, FIRST_USERS), whole("max_users", most, error=ComparisonError)
    if most < first:
        raise ComparisonError(f"max_users must be at least the {first:,} users of the first look, not {most:,}")
    return sizes(first, most)


def _taking_part(
    scenario: Scenario, policies: Sequence[str | Policy] | None, reference: str | Policy | None, *, scale: bool
) -> list[str | Policy]:
    """The policies to run: those to compare, the reference, and those that put several scenarios on one scale."""
    wanted: list[str | Policy] = [*(scenario.policies if policies is None else policies)]
    extra: list[str | Policy] = [] if reference is None else [reference]
    if scale and policies is not None:
        extra += [FLOOR, CEILING]
    for each in extra:
        if _label(each) not in map(_label, wanted):
            wanted.append(each)
    return wanted


def _label(policy: str | Policy) -> str:
    return policy.name if isinstance(policy, Policy) else spelled(policy)
