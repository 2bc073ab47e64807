"""The Python entry point: a scenario and some policies in, a `Run` out."""

from __future__ import annotations

import os
import platform
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from numbers import Integral
from pathlib import Path
from typing import Any

import pyarrow as pa

from oo_sim.contract import Policy, World
from oo_sim.decide import PolicyError
from oo_sim.engine import Block, InterruptedRunError, Observer, RoundError, checkpoints, run_policy
from oo_sim.entrants import Entrant, entrants, with_banks
from oo_sim.logs import (
    CURVES,
    USERS,
    EventSource,
    LoggedPolicy,
    Manifest,
    Recorder,
    RunWriter,
    content_hash,
    curves_table,
    users_table,
)
from oo_sim.results import drawing
from oo_sim.results.run import CURVES_PNG, Run
from oo_sim.scenario import Scenario, load
from oo_sim.worlds import build

Progress = Callable[[str, int, int], None]
"""Hears, from any thread: the policy's label, decisions made so far, decisions in all."""

_EVENT_BLOCK = 256  # smaller blocks while events are written, so that fewer parts are open at a time


def run(
    scenario: str | Path | Scenario,
    *,
    policies: Sequence[str | Policy] | None = None,
    llm: Sequence[str | Path] | None = None,
    users: int | None = None,
    rounds: int | None = None,
    replicates: int | None = None,
    seed: int | None = None,
    threads: int | None = None,
    events: bool = False,
    out: str | Path | None = None,
    block: int | None = None,
    progress: Progress | None = None,
    plot: bool = True,
) -> Run:
    """Run a scenario (a path, the name of a shipped one, or a Scenario) and return what came of it.

    What is given replaces what stands in the file. With `out`, a new run directory is written there, with `events` also
    the tables of all decisions and learnings. With `llm`, tip banks made for the scenario, every policy meets every
    bank's tips in turn, as `policy+bank`; the word `none` stands for no tips at all. A policy that fails is listed in
    `Run.failures`; the others finish. Results depend on the scenario and the seed alone, never on `threads` or `block`.

    Raises ScenarioError, SpecError, UnknownPolicyError, RunLogError, GeneratorInputError and ValueError, each with what
    would be right.
    """
    if events and out is None:
        raise ValueError("events are streamed to files: name a new run directory with out=")
    for name, value in (("threads", threads), ("block", block)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, Integral) or value < 1):
            raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}")
    if isinstance(policies, str | Policy) or (policies is not None and not policies):
        raise ValueError(f"policies must be a list of specs or policies, such as ['linucb'], not {policies!r}")
    source = scenario if isinstance(scenario, Scenario) else load(scenario)
    sizes = {"users": users, "rounds": rounds, "replicates": replicates, "seed": seed}
    source = source.with_(**{name: int(n) if isinstance(n, Integral) else n for name, n in sizes.items()})
    world = build(source)
    taking_part = entrants(world, policies or source.policies)
    if llm is not None:
        from oo_sim.tipbanks import tip_banks  # noqa: PLC0415 (slow to import)

        taking_part = with_banks(taking_part, tip_banks(source, llm))
    if out is None:
        return Run(*_results(source, world, taking_part, threads, block, progress, None))
    with RunWriter(Path(out)) as writer:
        logged = writer if events else None
        manifest, curves, people = _results(source, world, taking_part, threads, block, progress, logged)
        writer.write_table("curves", curves)
        writer.write_table("users", people)
        writer.write_manifest(manifest)
        path = writer.commit()
    result = Run(writer.manifest or manifest, curves, people, path)
    if plot and result.rows:
        drawing.save(result.plot(), path / CURVES_PNG)
    return result


def _results(
    scenario: Scenario,
    world: World,
    taking_part: Sequence[Entrant],
    threads: int | None,
    block: int | None,
    progress: Progress | None,
    log: RunWriter | None,
) -> tuple[Manifest, pa.Table, pa.Table]:
    """The manifest, the curves and the users' totals of all policies."""
    threads = threads or _cores()
    marks = checkpoints(scenario.rounds)
    each = scenario.users * scenario.replicates * scenario.rounds
    people = _people(scenario, world)
    curves, totals = [CURVES.empty_table()], [USERS.empty_table()]
    failures: dict[str, str] = {}
    timing: dict[str, dict[str, float]] = {}
    for j, entrant in enumerate(taking_part):
        here = build(scenario, entrant.bank) if entrant.bank else world
        try:
            _warm_up(here, entrant.policy)
            start = time.perf_counter()
            result = run_policy(
                here,
                entrant.policy,
                seed=scenario.seed,
                users=scenario.users,
                rounds=scenario.rounds,
                replicates=scenario.replicates,
                threads=threads,
                block=block or (_EVENT_BLOCK if log else None),
                watch=_watch(log, j, entrant) if log else None,
                progress=_counted(progress, entrant.label, j * each, len(taking_part) * each),
                fork=entrant.built_in,
            )
        except RoundError as error:
            failures[entrant.label] = _blame(error)
            if log:
                log.drop(j)
            continue
        seconds = time.perf_counter() - start
        timing[entrant.label] = {"seconds": seconds, "decisions_per_second": each / seconds}
        curves.append(curves_table(entrant.label, result.sums, world.scale))
        totals.append(users_table(entrant.label, result.totals, marks, *people, world.scale))
    tables = pa.concat_tables(curves), pa.concat_tables(totals)
    manifest = _manifest(scenario, world, taking_part, tables, failures, timing, threads)
    return manifest, *tables


def _cores() -> int:
    """Cores that this process may use, where the system can tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _warm_up(world: World, policy: Policy) -> None:
    """Load or compile the kernels that the policy needs, so that compiling does not count as deciding."""
    run_policy(world, policy, seed=0, users=1, rounds=1, threads=1)


def _people(scenario: Scenario, world: World) -> tuple[pa.Array, pa.Array]:
    """All user ids, and the segment of each."""
    everybody = Block(0, 0, scenario.users)
    ids = pa.array(everybody.user_ids, pa.string())
    if world.segment_of is None:
        return ids, pa.nulls(scenario.users, pa.string())
    which = world.segment_of(everybody.lanes(scenario.seed))[: scenario.users]
    return ids, pa.array(world.segments, pa.string()).take(pa.array(which))


def _watch(log: RunWriter, index: int, entrant: Entrant) -> Callable[[Block], Any]:
    @contextmanager
    def watch(block: Block) -> Iterator[Observer]:
        source = EventSource.of(entrant.label, entrant.policy, entrant.hash, block.replicate)
        if entrant.bank is not None:
            source = source._replace(prompt_version=entrant.bank.prompt_version, models=entrant.bank.models)
        recorder = Recorder(log, index, source, block.first, block.user_ids)

        yield _Careful(recorder)
        recorder.close()

    return watch


class _Careful:
    """A recorder whose failures stop the run: they are the log's, not the policy's."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def decided(self, *seen: Any) -> None:
        try:
            self._recorder.decided(*seen)
        except Exception as error:
            raise InterruptedRunError from error

    def learned(self, *seen: Any) -> None:
        try:
            self._recorder.learned(*seen)
        except Exception as error:
            raise InterruptedRunError from error


def _counted(progress: Progress | None, label: str, before: int, total: int) -> Callable[[int], None] | None:
    if progress is None:
        return None
    done = before

    def more(decisions: int) -> None:
        nonlocal done
        done += decisions
        progress(label, done, total)

    return more


def _blame(error: RoundError) -> str:
    """What went wrong in a policy, in which round and for whom, and where in its own code."""
    cause = error.__cause__
    if isinstance(cause, PolicyError):
        return f"round {error.t + 1}, user-{error.user}: {cause.what}"
    frames = traceback.extract_tb(cause.__traceback__ if cause else None)
    library = ("site-packages", str(Path(__file__).parent))
    own = [frame for frame in frames if not any(part in frame.filename for part in library)] or frames
    where = f"{Path(own[-1].filename).name}, line {own[-1].lineno}"
    return f"round {error.t + 1}: raised {type(cause).__name__}: {cause} ({where})"


def _manifest(
    scenario: Scenario,
    world: World,
    taking_part: Sequence[Entrant],
    tables: tuple[pa.Table, pa.Table],
    failures: dict[str, str],
    timing: dict[str, dict[str, float]],
    threads: int,
) -> Manifest:
    names = list(dict.fromkeys(e.name for e in taking_part))
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
        failures=failures,
        timing=timing,
        threads=threads,
    )


__all__ = ["Progress", "Run", "run"]
