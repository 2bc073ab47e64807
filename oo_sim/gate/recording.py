"""Records baselines: a small pilot says how many users a check needs, then these are stored."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from oo_sim.contract import F64, I64, Policy
from oo_sim.engine.forks import processes
from oo_sim.entrants import Entrant, entrants
from oo_sim.errors import GateError, real, whole
from oo_sim.experiment import lanes
from oo_sim.experiment.plan import plan
from oo_sim.gate import environment
from oo_sim.gate.baseline import (
    DIRECTORY,
    UNIT,
    Accepted,
    Baseline,
    Facts,
    path_of,
    relative,
    save,
    stored,
)
from oo_sim.gate.judge import (
    LEAST_POWER,
    LEAST_USERS,
    POWER,
    looks,
    margin_for,
    power_of,
    users_needed,
    users_wanted,
)
from oo_sim.gate.measure import Stage
from oo_sim.scenario import Scenario, load
from oo_sim.show.text import plain
from oo_sim.work import Store
from oo_sim.worlds import build

PILOT_USERS = 400
"""Whose luck in two replicates gives a first idea of how much users' rewards differ by luck alone."""
MARGIN = 0.01
"""The loss that counts, as a share of what the oracle earns more than random choice."""


def stage(scenario: str | Path | Scenario, rounds: int | None = None) -> Stage:
    """A scenario made ready. Raises ScenarioError."""
    loaded = scenario if isinstance(scenario, Scenario) else load(scenario)
    source = loaded.name if isinstance(scenario, Scenario) else relative(scenario)
    loaded = loaded.with_(rounds=rounds)
    return Stage(loaded, source, build(loaded))


def record(
    scenario: str | Path | Scenario,
    *,
    policies: Sequence[str | Policy] | None = None,
    users: int | None = None,
    rounds: int | None = None,
    power: float = POWER,
    margin: float | None = None,
    directory: Path = DIRECTORY,
    workers: int | None = None,
    threads: int | None = None,
    weak: bool = False,
    force: bool = False,
    unchecked: bool = False,
    resume: str | Path | None = None,
) -> list[Path]:
    """Record a baseline of each policy (of the scenario's, if not told otherwise); returns the files.

    `users` instead of as many as the power against a loss of `margin` per decision takes; `margin` instead of 1 % of
    what the oracle earns more than random choice. A power below `LEAST_POWER` is refused unless `weak`, and a baseline
    that exists already unless `force`. Private policies whose lanes interact are refused as by `run`, unless
    `unchecked`, which the baseline keeps. `workers` (`threads` is the same by its older name) changes no bit. With
    `resume`, a work directory, units are kept there as by `run`, and what is there is not done again. Raises GateError,
    ScenarioError, SpecError, UnknownPolicyError, WorkError.
    """
    _check(users, power, margin)
    workers = processes(workers, threads)
    ready = stage(scenario, rounds)
    taking_part = entrants(ready.world, policies or ready.scenario.policies)
    if not unchecked:
        lanes.check(ready.world, taking_part, ready.scenario.seed)
    for each in taking_part:
        if not force and (path := path_of(directory, ready.scenario.name, each.label)).exists():
            raise GateError(
                f"{plain(path)}: exists already; `oo-sim gate accept` accepts a change, --force replaces it"
            )
    with nullcontext() if resume is None else Store(Path(resume)) as store:
        if store is not None:
            planned = plan(ready.scenario, policies=policies, checkpoints=ready.marks, unchecked=True)
            planned = planned.open(store)
            ready = ready._replace(store=store, size=planned.unit)
        margin = _margin(ready, workers) if margin is None else margin
        made = [_recorded(ready, each, users, power, margin, workers, weak, unchecked) for each in taking_part]
    return [save(baseline, directory) for baseline in made]


def _check(users: int | None, power: float, margin: float | None) -> None:
    if users is not None:
        whole("users", users, LEAST_USERS, error=GateError)
    real("power", power, f"between 0.5 and 1, such as {POWER}", lambda p: 0.5 <= p < 1.0, error=GateError)
    if margin is not None:
        what = "a loss per decision, above 0, such as 0.004"
        real("margin", margin, what, lambda loss: 0.0 < loss < float("inf"), error=GateError)


def _margin(ready: Stage, workers: int | None) -> float:
    """1 % of the oracle's reward per decision less that of random choice."""
    ends = [
        ready.run(entrant, 0, PILOT_USERS, workers).totals[-1].mean()
        for entrant in entrants(ready.world, ["oracle", "random"])
    ]
    apart = float(ends[0] - ends[1]) / ready.world.scale / ready.scenario.rounds
    if MARGIN * apart <= UNIT / ready.scenario.rounds:
        name = plain(ready.scenario.name)
        raise GateError(f"{name}: the oracle earns {apart:.4f} more than random choice: no margin follows; give one")
    return MARGIN * apart


def _recorded(
    ready: Stage,
    entrant: Entrant,
    users: int | None,
    power: float,
    margin: float,
    workers: int | None,
    weak: bool,
    unchecked: bool,
) -> Baseline:
    sd = _spread(ready, entrant, users or PILOT_USERS, workers)
    n = users or users_wanted(sd, margin, power)
    if users is None and n > PILOT_USERS:  # a few unlucky users make most of the spread: look again, at all of them
        sd = _spread(ready, entrant, n, workers)
        n = max(n, users_wanted(sd, margin, power))
    if (reached := power_of(n, sd, margin)) < LEAST_POWER and not weak:
        raise GateError(_too_weak(ready, entrant, n, margin, sd, reached))
    return baseline_of(ready, entrant, n, margin, round(reached, 4), workers, unchecked=unchecked)


def _too_weak(ready: Stage, entrant: Entrant, users: int, margin: float, sd: float, power: float) -> str:
    """Why a baseline would tell nothing, and what would do."""
    name = f"{plain(ready.scenario.name)} {plain(entrant.label, 60)}"
    wider = margin_for(users, sd, LEAST_POWER)
    wanted = users_needed(sd, margin, LEAST_POWER)
    return (
        f"{name}: with {users:,} users, a loss of {margin:.5f} per decision fails with power {power:.2f} only; "
        f"{wanted:,} users give {LEAST_POWER:g}, or --margin {wider:.5f}; --weak records it anyway"
    )


def _spread(ready: Stage, entrant: Entrant, users: int, workers: int | None) -> float:
    """How much a user's reward per decision differs between two replicates: same user, other luck."""
    lucks = [ready.run(entrant, 0, users, workers, replicate).totals[-1] for replicate in (0, 1)]
    apart: F64 = (lucks[1] - lucks[0]) / ready.world.scale / ready.scenario.rounds
    return float(apart.std(ddof=1))


def baseline_of(
    ready: Stage,
    entrant: Entrant,
    users: int,
    margin: float,
    power: float,
    workers: int | None = None,
    anchor: I64 | None = None,
    accepted: tuple[Accepted, ...] = (),
    unchecked: bool = False,
) -> Baseline:
    """Run the policy and make a baseline of what comes; its own end is the anchor unless one is given."""
    planned = looks(users)
    parts = [
        ready.run(entrant, first, after - first, workers) for first, after in zip([0, *planned], planned, strict=False)
    ]
    totals = stored(np.concatenate([part.totals for part in parts], axis=-1), ready.world.scale)
    facts = Facts(
        format=1,
        scenario=ready.scenario.name,
        source=ready.source,
        policy=entrant.label,
        policy_hash=entrant.hash,
        parameters=dict(entrant.policy.parameters),
        settings=environment.settings(ready.scenario),
        environment=environment.fingerprint(ready.scenario, ready.world),
        marks=tuple(ready.marks),
        looks=tuple(planned),
        decisions=parts[0].decisions,
        curves=parts[0].curves,
        margin=margin,
        power=power,
        versions=environment.versions(),
        accepted=accepted,
        code=source_hash(entrant),
        unchecked=unchecked and not entrant.built_in,
    )
    assert parts[0].sample is not None
    return Baseline(facts, totals, totals[-1] if anchor is None else anchor, parts[0].sample.log())


def source_hash(entrant: Entrant) -> str:
    """A hash of the file that a private policy is written in; empty for built-in ones, and where there is no file."""
    if entrant.built_in:
        return ""
    name = entrant.label.partition(":")[0]
    try:
        found = importlib.util.find_spec(name) if ":" in entrant.label else None
        path = found.origin if found is not None else inspect.getsourcefile(inspect.unwrap(entrant.policy.score))
        return hashlib.blake2b(Path(path or "").read_bytes(), digest_size=16).hexdigest()
    except (OSError, TypeError, ImportError, ValueError):
        return ""
