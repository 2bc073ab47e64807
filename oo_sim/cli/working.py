"""What commands that compute have in common: where the work is done and kept, what it takes, and how it is watched."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from oo_sim.experiment import Plan
    from oo_sim.settings import Settings
    from oo_sim.work import Executor

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
    typer.Option(metavar="DIR", help="Keep each unit of work there as soon as it is done, and take what is there."),
]
Elsewhere = Annotated[
    str | None,
    typer.Option("--executor", metavar="MODULE:FACTORY", help="Do the work on an executor with `submit`, made so."),
]
Dask = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS|local:N", help="Do the work on Dask's workers (pip install oo-sim[dask])."),
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
    from oo_sim.work import executors  # noqa: PLC0415 (so that --help is fast)

    return executors.dask(dask) if dask else executors.named(named or "")


def ask(
    plan: Plan, *, workers: int | None, out: Path | None, resume: Path | None, events: bool, yes: bool, dry: bool
) -> None:
    """Print the estimate of a dry run and end; ask, or require --yes, where a run takes more than is free."""
    from oo_sim.experiment import sizing  # noqa: PLC0415 (so that --help is fast)
    from oo_sim.experiment.running import cores  # noqa: PLC0415

    found = sizing.estimate(plan, workers=workers or cores(), out=out, resume=resume, events=events, calibrate=dry)
    if dry:
        typer.echo("\n".join(f"{plan.scenario.name}: {line}" for line in found.lines()))
        return
    if not found.too_much or yes:
        return
    what = f"{plan.scenario.name}: takes {found.too_much}"
    if not sys.stdin.isatty():
        typer.echo(
            f"{what}; make it smaller, thin its users table with --checkpoints last or off, or say --yes", err=True
        )
        raise typer.Exit(2)
    if not typer.confirm(f"{what}. Run it all the same?", err=True):
        raise typer.Exit(2)


@contextmanager
def continued(resume: Path | None) -> Iterator[None]:
    """Say, when a run is interrupted, which command goes on."""
    try:
        yield
    except KeyboardInterrupt:
        command = shlex.join(["oo-sim", *sys.argv[1:]])
        if resume is None:
            said = f"Nothing of it is kept; to go on where a run stops, say: {command} --resume work"
        else:
            said = f"What is done is kept. To go on: {command}"
        typer.echo(said, err=True)
        raise


@contextmanager
def watched(name: str, *, hidden: bool) -> Iterator[Callable[[str, int, int], None] | None]:
    """Progress on stderr with rate and time left: a bar on a terminal, elsewhere a line a minute."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    console = Console(stderr=True)
    if hidden:
        yield None
        return
    if not console.is_terminal:
        yield _lines(name)
        return
    rate = TextColumn("{task.fields[rate]}")
    columns = ("{task.description}", BarColumn(), TaskProgressColumn(), rate, TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(name, total=None, rate="")

        def update(label: str, done: int, total: int) -> None:
            elapsed = bar.tasks[0].elapsed
            rate = f"{done / elapsed:,.0f} decisions/s" if elapsed else ""
            bar.update(task, total=total, completed=done, rate=rate, description=f"{name}: {escape(label)}")

        yield update


def _lines(name: str) -> Callable[[str, int, int], None]:
    start = last = time.monotonic()
    before: int | None = None

    def update(label: str, done: int, total: int) -> None:
        nonlocal last, before
        now = time.monotonic()
        before = done if before is None else before  # what was kept already took no time now
        if now - last >= _LINE_SECONDS:
            last = now
            rate = (done - before) / (now - start)
            left = f", {(total - done) / rate / 60:.0f} min left" if rate else ""
            typer.echo(f"{name}: {label}: {done / total:.1%}, {rate:,.0f} decisions/s{left}", err=True)

    return update


def here(workers: int | None = None) -> Settings:
    """What `[tool.oo-sim]` and the environment say, with what the command line says instead. From here on a private
    policy beside the scenario can be named module:factory."""
    from oo_sim.settings import settings  # noqa: PLC0415 (so that --help is fast)

    import_from_here()
    said = settings()
    return said._replace(workers=workers or said.workers)


def import_from_here() -> None:
    """So that a private policy beside the scenario can be named module:factory."""
    sys.path.insert(0, os.getcwd())
