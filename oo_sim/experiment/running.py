"""The Python entry point: a scenario and some policies in, a `Run` out."""

from __future__ import annotations

import itertools
import platform
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa

from oo_sim.contract import Policy
from oo_sim.engine.forks import processes
from oo_sim.engine.tile import interpreted
from oo_sim.entrants import Entrant
from oo_sim.errors import WorkError, whole
from oo_sim.experiment.plan import Checkpoints, Plan, plan
from oo_sim.experiment.reducing import Reduction, collected
from oo_sim.experiment.working import Progress, Working
from oo_sim.logs import LoggedPolicy, Manifest, RunWriter, content_hash
from oo_sim.logs.recorder import GROUP
from oo_sim.results import drawing
from oo_sim.results.run import CURVES_PNG, Run
from oo_sim.scenario import Scenario
from oo_sim.show.progress import Wanted, watched
from oo_sim.work import Executor, Store

MANY = 2_000_000  # rows of the users table from which on a summary is made of moments, and rows stay in their file


def run(
    scenario: str | Path | Scenario,
    *,
    policies: Sequence[str | Policy] | None = None,
    llm: Sequence[str | Path] | None = None,
    appeal: Sequence[str] | None = None,
    gateway: str = "mock",
    users: int | None = None,
    rounds: int | None = None,
    replicates: int | None = None,
    seed: int | None = None,
    workers: int | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
    resume: str | Path | None = None,
    events: bool = False,
    checkpoints: Checkpoints = "all",
    checkpoint_states: bool = False,
    out: str | Path | None = None,
    block: int | None = None,
    unit: int | None = None,
    unchecked: bool = False,
    progress: Wanted = None,
    plot: bool = True,
) -> Run:
    """Run a scenario (a path, the name of a shipped one, or a Scenario) and return what came of it.

    What is given replaces what stands in the file. With `out`, a new run directory is written there, with `events` also
    the tables of all decisions and learnings. With `llm`, tip banks made for the scenario, every policy meets every
    bank's tips in turn, as `policy+bank`; the word `none` stands for no tips at all. What
    tips are worth to who reads them comes from the scenario's appeal model, or from each of those in `appeal`
    (keywords, panel, fitted:FILE), for which models are asked through `gateway`. A policy that fails is listed in
    `Run.failures`; the others finish.

    The work is done on `workers` processes of this machine (`threads` is the same by its older name), or by any
    `executor` with `concurrent.futures`' `submit`. With `resume`, a work directory, each unit of work is kept there as
    soon as it is done, and what is there already is not done again: a run that was interrupted goes on, one with more
    users, policies or replicates computes what is new; and with `checkpoint_states`, which keeps what users remember
    after the last round, so does one with more rounds. `checkpoints` thins the users table: all (log-spaced), last,
    off, or numbers of rounds. Results depend on the scenario and the seed alone: not on workers, executor, `block`
    (lanes in a block) or `unit` (users in a unit of work). Private policies are therefore tried out on a few lanes
    before they run; with `unchecked` they are not, and the manifest says so. In a notebook a bar shows how far it is;
    `progress` is True for one anywhere, False for none, or a function of what is done, how much, and how much there is.

    Raises ArgumentError, ScenarioError, SpecError, UnknownPolicyError, RunLogError, WorkError and GeneratorInputError,
    each with what would be right.
    """
    if events and out is None:
        raise WorkError("events are streamed to files: name a new run directory with out=")
    if checkpoint_states and resume is None:
        raise WorkError("states are kept in a work directory: name one with resume=")
    if events and (executor is not None or resume is not None):
        raise WorkError("events are written where they are made: run without an executor and without resume")
    count = processes(workers, threads)
    if block is not None:
        block = whole("block", block)
    sizes = {"users": users, "rounds": rounds, "replicates": replicates, "seed": seed}
    if unit is None and executor is None and resume is None:
        unit = WHOLE
    planned = plan(
        scenario,
        policies=policies,
        llm=llm,
        appeal=appeal,
        gateway=gateway,
        checkpoints=checkpoints,
        unit=unit,
        sizes=sizes,
        unchecked=unchecked,
        remembers=checkpoint_states,
    )
    with ExitStack() as stack:
        writer = stack.enter_context(RunWriter(Path(out))) if out is not None else None
        store = stack.enter_context(Store(Path(resume))) if resume is not None else None
        if store is not None:
            planned = planned.open(store)
        hears = stack.enter_context(watched(planned.scenario.name, progress))
        work = Working(planned, store, executor, count, block, hears, writer if events else None)
        return finished(work, writer, plot=plot)


WHOLE = 1 << 18  # users in a unit where nothing is kept or sent: a few units at most, each over all workers


def finished(work: Working, writer: RunWriter | None, *, plot: bool) -> Run:
    """Do the work, and write the run directory where there is to be one."""
    planned = work.plan
    if writer is None:
        tables: list[list[pa.Table]] = [[] for _ in planned.taking_part]
        reduction = Reduction(planned, lambda j, rows: tables[j].append(rows))
        work.into(reduction)
        curves, people = reduction.curves(), collected(tables, reduction.failures)
        return Run(_manifest(reduction, (curves, people), people.num_rows, work.workers), curves, people)
    writer.expect_users(len(planned.taking_part))
    reduction = Reduction(planned, partial(_append, writer), lambda j: writer.users_of(j).close())
    if work.logs_events:
        features = {each.hash: each.policy.features.names for each in planned.taking_part}
        writer.expect(_parts(planned), features)
    work.into(reduction)
    for j in reduction.failures:
        writer.drop(j)
    curves, file = reduction.curves(), writer.join_users()
    rows = planned.scenario.users * planned.scenario.replicates * len(planned.marks)
    size = rows * len(planned.taking_part)
    manifest = _manifest(reduction, (curves, file), size, work.workers, events=work.logs_events)
    writer.write_table("curves", curves)
    writer.write_manifest(manifest)
    path = writer.commit()
    result = Run(writer.manifest or manifest, curves, None, path)
    if plot and result.rows:
        drawing.save(result.figure(), path / CURVES_PNG)
    return result


def _parts(planned: Plan) -> Iterable[tuple[int, int, int]]:
    """The parts of a log: by policy, replicate and group of users."""
    scenario = planned.scenario
    groups = -(-scenario.users // GROUP)
    return itertools.product(range(len(planned.taking_part)), range(scenario.replicates), range(groups))


def _append(writer: RunWriter, j: int, rows: pa.Table) -> None:
    sink = writer.users_of(j)
    for batch in rows.combine_chunks().to_batches():
        sink.write(batch)


def _by(planned: Plan, entrant: Entrant, events: bool) -> str:
    """Whether compiled tiles played a policy, or why the loop did."""
    scenario, whole = planned.scenario, planned.unit >= planned.scenario.users
    decisions = min(scenario.users, planned.unit) * scenario.rounds * (scenario.replicates if whole else 1)
    why = "every decision is written" if events else interpreted(planned.world_of(entrant), entrant.policy, decisions)
    return "tiles" if why is None else f"loop: {why}"


def _manifest(
    reduction: Reduction, tables: tuple[pa.Table, pa.Table | Path], rows: int, workers: int, *, events: bool = False
) -> Manifest:
    planned = reduction.plan
    scenario, world, taking_part = planned.scenario, planned.world, planned.taking_part
    names = list(dict.fromkeys(e.name for e in taking_part))
    sound = [(j, e.label) for j, e in enumerate(taking_part) if j not in reduction.failures]
    large = rows > MANY or not planned.marks
    return Manifest(
        name=scenario.name,
        policies=tuple(
            LoggedPolicy.of(e.label, e.policy, e.hash, {"bank": e.bank.label, **e.bank.facts} if e.bank else None)
            for e in taking_part
        ),
        seed=scenario.seed,
        users=scenario.users,
        rounds=scenario.rounds,
        replicates=scenario.replicates,
        # with a bank, what is on offer is that bank's too: regret does not compare banks
        own_trajectory=world.own_trajectory or any(e.bank is not None for e in taking_part),
        has_reactions=world.has_reactions,
        scenario=scenario.canonical() | {"policies": names},
        scenario_hash=scenario.content_hash(),
        content_hash=content_hash(*tables),
        window=world.feedback.window if world.feedback else 0,
        versions={name: version(name) for name in ("oo-sim", "numpy", "numba")} | {"python": platform.python_version()},
        failures={taking_part[j].label: failure.what for j, failure in sorted(reduction.failures.items())},
        timing={
            label: {"seconds": reduction.seconds[j], "decisions_per_second": planned.each / reduction.seconds[j]}
            for j, label in sound
        },
        played={label: _by(planned, taking_part[j], events) for j, label in sound},
        threads=workers,
        checkpoints=planned.checkpoints,
        unchecked=tuple(e.label for e in taking_part if planned.unchecked and not e.built_in),
        moments={label: reduction.moments[j]._asdict() for j, label in sound}
        if large and scenario.replicates == 1
        else {},
    )


__all__ = ["Progress", "Run", "run"]
