"""`oo-sim run`: scenarios in, run directories, tables and curves out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import oo_sim
from oo_sim.cli.printing import Json, check_forms, leave_out, print_json, print_rich
from oo_sim.cli.working import (
    FAILED,
    Dask,
    Elsewhere,
    Replicates,
    Resume,
    Rounds,
    Seed,
    Unchecked,
    Users,
    Workers,
    ask,
    continued,
    executor,
    here,
    watched,
)
from oo_sim.errors import RunLogError

if TYPE_CHECKING:
    from oo_sim.experiment import Estimate
    from oo_sim.results import Run
    from oo_sim.scenario import Scenario

app = typer.Typer(add_completion=False)


@app.command()
def run(
    scenarios: Annotated[
        list[str], typer.Argument(metavar="SCENARIO", help="Scenario files, or names of shipped ones.")
    ],
    policy: Annotated[
        list[str] | None,
        typer.Option(metavar="SPEC", help="Instead of the file's policies, such as linucb:alpha=0.5. Repeatable."),
    ] = None,
    llm: Annotated[
        list[str] | None,
        typer.Option(
            metavar="BANK,...", help="Tip banks of `oo-sim generate SCENARIO` to compare; none: no tips. Repeatable."
        ),
    ] = None,
    appeal: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND,...", help="Instead of the file's appeal of tips: keywords, panel, fitted:FILE. Repeatable."
        ),
    ] = None,
    gateway: Annotated[
        str, typer.Option(metavar="GATEWAY", help="What answers for a panel and a fitted appeal, as in generate.")
    ] = "mock",
    users: Users = None,
    rounds: Rounds = None,
    replicates: Replicates = None,
    seed: Seed = None,
    workers: Workers = None,
    events: Annotated[bool, typer.Option("--events", help="Log every decision and every learning step.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="The new run directory; for several scenarios, their parent."),
    ] = None,
    resume: Resume = None,
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="Do the Ith of N parts, in the work directory --out; then oo-sim merge."),
    ] = None,
    checkpoints: Annotated[
        str, typer.Option(metavar="all|last|off|N,...", help="Rounds of which the users table holds rows.")
    ] = "all",
    checkpoint_states: Annotated[
        bool,
        typer.Option("--checkpoint-states", help="Keep what users remember, so that more --rounds go on from there."),
    ] = False,
    elsewhere: Elsewhere = None,
    dask: Dask = None,
    unchecked: Unchecked = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the memory, disk and time that the run needs, and stop.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Run without asking, even if it needs more than is free.")
    ] = False,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the run directory alone.")] = False,
    no_plot: Annotated[bool, typer.Option("--no-plot", help="Draw no curves.png.")] = False,
) -> None:
    """Run each scenario into a new run directory, and print what its policies earned and regretted.

    Without --out that is runs/<scenario>-<number>, or `out` of [tool.oo-sim] in pyproject.toml in place of runs.

    Exit codes: 0 all well, 1 a policy failed (the others finish, and the table names it),
    2 usage or invalid input, 130 interrupted (nothing half-written is left).

    Example: oo-sim run quickstart --policy linucb --policy linucb:alpha=0.5,features=oo7x
    """
    check_forms(json=as_json, quiet=quiet)
    made = "events are written where they are made"
    leave_out("--events", events, made, shard=shard, resume=resume, executor=elsewhere, dask=dask)
    alone = "a part of a run is made here, without a result"
    json = as_json and not dry_run
    leave_out("--shard", shard, alone, resume=resume, llm=llm, appeal=appeal, executor=elsewhere, dask=dask, json=json)
    said = here(workers)
    workers = said.workers
    loaded = [oo_sim.load_scenario(said.scenario(scenario)) for scenario in scenarios]
    sizes = {"users": users, "rounds": rounds, "replicates": replicates, "seed": seed}
    if not quiet:
        for each in loaded:
            _warn(each, users, rounds, policy)
    banks = llm and [bank for each in llm for bank in each.split(",") if bank]
    kinds = appeal and [kind for each in appeal for kind in each.split(",") if kind]
    part = _part(shard, out, loaded)
    if checkpoint_states and resume is None and part is None:
        raise typer.BadParameter(
            "keeps states in a work directory: name one with --resume", param_hint="--checkpoint-states"
        )
    estimates = []
    for scenario in loaded:
        unit = None if resume or part or elsewhere or dask else oo_sim.experiment.WHOLE
        planned = oo_sim.experiment.plan(
            scenario,
            policies=policy,
            llm=banks,
            appeal=kinds,
            gateway=gateway,
            ask=False,
            checkpoints=checkpoints,
            unit=unit,
            shard=part,
            sizes=sizes,
            unchecked=unchecked,
            remembers=checkpoint_states,
        )
        written = None if part else out or said.out
        estimated = ask(
            planned,
            workers=workers,
            out=written,
            resume=out if part else resume,
            events=events,
            plot=not no_plot,
            yes=yes,
            dry=dry_run,
        )
        estimates.append((scenario.name, estimated))
    if dry_run:
        _print_estimates(estimates, as_json=as_json)
        raise typer.Exit
    if part is not None:
        assert out is not None
        with continued(out), watched(loaded[0].name, hidden=quiet) as progress:
            oo_sim.experiment.shard(
                loaded[0],
                *part,
                out,
                policies=policy,
                users=users,
                rounds=rounds,
                replicates=replicates,
                seed=seed,
                workers=workers,
                checkpoints=checkpoints,
                checkpoint_states=checkpoint_states,
                unchecked=unchecked,
                progress=progress,
            )
        typer.echo(str(out) if quiet else f"Work directory: {out} (shard {shard}); when all are there: oo-sim merge")
        return
    runs = []
    with (
        continued(resume),
        executor(elsewhere, dask) as where,
        _directories([s.name for s in loaded], out, said.out) as chosen,
    ):
        for scenario, directory in zip(loaded, chosen, strict=True):
            with watched(scenario.name, hidden=quiet) as progress:
                result = oo_sim.run(
                    scenario,
                    policies=policy,
                    llm=banks,
                    appeal=kinds,
                    gateway=gateway,
                    users=users,
                    rounds=rounds,
                    replicates=replicates,
                    seed=seed,
                    workers=workers,
                    executor=where,
                    resume=resume if resume is None or len(loaded) == 1 else resume / scenario.name,
                    events=events,
                    checkpoints=checkpoints,
                    checkpoint_states=checkpoint_states,
                    unchecked=unchecked,
                    out=directory,
                    plot=not no_plot,
                    progress=progress,
                )
            runs.append(result)
            if not as_json:
                _print_run(result, directory, quiet=quiet)
    if as_json:
        print_json({"runs": [result.as_dict() for result in runs]})
    if any(result.failures for result in runs):
        raise typer.Exit(FAILED)


def _print_estimates(estimates: Sequence[tuple[str, Estimate]], *, as_json: bool) -> None:
    """What each scenario's run takes."""
    if as_json:
        print_json({"runs": [{"name": name, **each.as_dict()} for name, each in estimates]})
    else:
        typer.echo("\n".join(f"{name}: {line}" for name, each in estimates for line in each.lines()))


def _print_run(result: Run, directory: Path, *, quiet: bool) -> None:
    """The table of a run, and where it is; `quiet`, the place alone, and on stderr what failed."""
    if quiet:
        for label, problem in result.failures.items():
            typer.echo(f"{label} failed: {problem}", err=True)
    else:
        print_rich(result.table())
        _print_verdicts(result)
    typer.echo(str(directory) if quiet else f"Run directory: {directory}")


def _print_verdicts(result: Run) -> None:
    """Tip banks against each other, where the run has several and knows its users."""
    if result.manifest.checkpoints != "off" and any(one.bank is not None for one in result.manifest.policies):
        from oo_sim.studies.verdicts import tip_verdicts, verdict_table  # noqa: PLC0415 (slow to import)

        if verdicts := tip_verdicts(result):
            print_rich(verdict_table(verdicts))


def _part(shard: str | None, out: Path | None, loaded: Sequence[Scenario]) -> tuple[int, int] | None:
    """The shard's number, and of how many."""
    if shard is None:
        return None
    number, slash, of = shard.partition("/")
    if not (slash and number.isdecimal() and of.isdecimal()):
        raise typer.BadParameter(f"{shard} must be I/N, such as 3/16", param_hint="--shard")
    if out is None or len(loaded) > 1:
        raise typer.BadParameter("takes one scenario and --out", param_hint="--shard")
    return int(number), int(of)


def _warn(scenario: Scenario, users: int | None, rounds: int | None, policies: list[str] | None) -> None:
    """What the lint finds, on stderr: a scenario that cannot show what it varies still runs. What it does not find in
    the file as it is comes with the options that changed it."""
    own = set(oo_sim.scenario.lint(scenario))
    options = {f"--users {users}": users, f"--rounds {rounds}": rounds, "--policy": policies}
    given = " ".join(option for option, value in options.items() if value)
    for problem in oo_sim.scenario.lint(scenario.with_(users=users, rounds=rounds, policies=policies)):
        typer.echo(f"warning: {'' if problem in own else f'with {given}: '}{problem}", err=True)


@contextmanager
def _directories(names: Sequence[str], out: Path | None, parent: Path) -> Iterator[list[Path]]:
    """A new run directory for each scenario, `out` or, numbered on from what is there, side by side in it or `parent`.

    Numbers are reserved at once by empty directories, so that commands that run at the same time take others; what is
    left empty is removed again.
    """
    if out is not None and len(names) == 1:
        yield [out]
        return
    parent, chosen = out or parent, list[Path]()
    fresh = not parent.exists()
    try:
        for name in names:
            chosen.append(_reserved(parent, name))
        yield chosen
    finally:
        for path in chosen:
            with suppress(OSError):
                path.rmdir()
        if fresh:
            with suppress(OSError):  # a run is in it
                parent.rmdir()


def _reserved(parent: Path, name: str) -> Path:
    for number in count(1):
        path = parent / f"{name}-{number}"
        try:
            parent.mkdir(parents=True, exist_ok=True)
            path.mkdir()
        except FileExistsError as error:
            if not parent.is_dir():
                raise RunLogError(parent, "is in the way: it must be a directory") from error
        except OSError as error:
            raise RunLogError(parent, f"cannot be written here: {error.strerror}") from error
        else:
            break
    return path
