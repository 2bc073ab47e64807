"""What commands that compute have in common: where the work is done and kept, what it takes, and how it is watched."""

from __future__ import annotations

import itertools
import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bars

import oo_sim
from oo_sim.cli.ending import is_stopping, stop_if_asked
from oo_sim.cli.printing import whole
from oo_sim.errors import OoSimError
from oo_sim.settings import settings

if TYPE_CHECKING:
    from oo_sim.experiment import Estimate, Pace, Plan, Progress
    from oo_sim.settings import Settings
    from oo_sim.work import Executor

FAILED = 1
"""The exit code when a policy failed."""

Users = Annotated[int | None, typer.Option(parser=whole, metavar="N", help="Instead of the file's number of users.")]
Rounds = Annotated[
    int | None, typer.Option(parser=whole, metavar="N", help="Instead of the file's decisions per user.")
]
Replicates = Annotated[int | None, typer.Option(parser=whole, metavar="N", help="Instead of the file's replicates.")]
Seed = Annotated[int | None, typer.Option(metavar="N", help="Instead of the file's seed.")]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        "--threads",
        metavar="N",
        min=1,
        help="Cores to use; results do not depend on it. Default: what pyproject.toml says, or all.",
    ),
]
Resume = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Keep each unit of work there as soon as it is done, and reuse what is there."),
]
Elsewhere = Annotated[
    str | None,
    typer.Option(
        "--executor", metavar="MODULE:FACTORY", help="Do the work on the executor (it has `submit`) that this makes."
    ),
]
Dask = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS|local:N", help="Do the work on Dask's workers (pip install oo-sim\\[dask])."),
]
Unchecked = Annotated[
    bool,
    typer.Option("--unchecked", help="Run private policies without the check that their lanes are independent."),
]
_LINE_SECONDS = 60.0


def executor(named: str | None, dask: str | None) -> AbstractContextManager[Executor | None]:
    """The executor that was asked for, if any."""
    if named and dask:
        raise typer.BadParameter("name an executor or Dask's address, not both", param_hint="--executor")
    if not (named or dask):
        return nullcontext()
    return oo_sim.work.executors.dask(dask) if dask else oo_sim.work.executors.named(named or "")


def ask(
    plan: Plan,
    *,
    workers: int | None,
    out: Path | None,
    resume: Path | None,
    events: bool,
    plot: bool,
    yes: bool,
    dry: bool,
) -> Estimate:
    """The estimate of a run; unless it is `dry`, ask, or require --yes, where it takes more than is free."""
    found = oo_sim.experiment.estimate(
        plan, workers=workers, out=out, resume=resume, events=events, plot=plot, calibrate=dry
    )
    if dry or yes or not found.too_much:
        return found
    what = f"{plan.scenario.name}: takes {found.too_much}"
    if not sys.stdin.isatty():
        typer.echo(
            f"{what}; make it smaller, thin its users table with --checkpoints last or off, or give --yes", err=True
        )
        raise typer.Exit(2)
    if not typer.confirm(f"{what}. Run it anyway?", err=True):
        raise typer.Exit(2)
    return found


@contextmanager
def continued(resume: Path | None) -> Iterator[None]:
    """Say, when a run is interrupted, which command goes on."""
    try:
        yield
    except BaseException as error:
        if not (isinstance(error, KeyboardInterrupt) or is_stopping()):
            raise
        command = shlex.join(["oo-sim", *sys.argv[1:]])
        if resume is None:
            names = itertools.chain(["work"], (f"work-{n}" for n in itertools.count(2)))
            free = next(name for name in names if not Path(name).exists())
            said = f"Nothing of it is kept; to be able to continue a run, start it with: {command} --resume {free}"
        else:
            said = f"What is done is kept{_done(resume)}. To continue: {command}"
        typer.echo(said, err=True)
        raise


def _done(resume: Path) -> str:
    """How much of the work in a directory is done, where that is known: several scenarios have a directory each."""
    try:
        found = oo_sim.experiment.status(resume)
    except OoSimError:
        return ""
    return f" ({found.units_done:,} of {oo_sim.show.count(found.units, 'unit')})"


@contextmanager
def watched(name: str, *, hidden: bool) -> Iterator[Progress]:
    """Progress on stderr: on a terminal a bar for the whole and one for each policy under way, with rate and time left;
    elsewhere a line a minute."""
    if hidden:
        yield lambda *told: stop_if_asked()
        return
    console, pace = Console(stderr=True), oo_sim.experiment.Pace()
    if not console.is_terminal:
        yield _lines(name, pace)
        return
    columns = ("{task.description}", BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[said]}"))
    with Bars(*columns, console=console, transient=True) as bars:
        first = oo_sim.show.COMPILING if oo_sim.show.is_cold() else ""  # until decisions are made
        whole, tasks = bars.add_task(escape(name), total=None, said=first), dict[str, TaskID]()

        def update(label: str, done: int, total: int) -> None:
            stop_if_asked()
            pace(label, done, total)
            bars.update(whole, total=total, completed=done, said=_said(pace.rate, pace.left) or first)
            for each in pace.policies():
                if each.label not in tasks:
                    tasks[each.label] = bars.add_task(f"  {escape(each.label)}", visible=False, said="")
                going, said = each.rate is not None and each.done < each.total, _said(each.rate, each.left)
                bars.update(tasks[each.label], total=each.total, completed=each.done, visible=going, said=said)

        yield update


def _said(rate: float | None, left: float | None) -> str:
    return f"{rate:,.0f} decisions/s, {oo_sim.experiment.duration(left)} left" if rate and left is not None else ""


def _lines(name: str, pace: Pace) -> Progress:
    last = time.monotonic()

    def update(label: str, done: int, total: int) -> None:
        nonlocal last
        stop_if_asked()
        pace(label, done, total)
        if (now := time.monotonic()) - last >= _LINE_SECONDS:
            last = now
            typer.echo(f"{name}: {pace.text()}", err=True)

    return update


def here(workers: int | None = None) -> Settings:
    """What `[tool.oo-sim]` and the environment say, with what the command line says instead. From here on a private
    policy beside the scenario can be named module:factory."""
    import_from_here()
    said = settings()
    return said._replace(workers=workers or said.workers)


def import_from_here() -> None:
    """So that a private policy beside the scenario can be named module:factory."""
    sys.path.insert(0, os.getcwd())
