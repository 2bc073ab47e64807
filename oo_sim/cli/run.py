"""`oo-sim run`: scenarios in, run directories, tables and curves out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

import oo_sim
from oo_sim.cli.printing import Json, print_json, print_rich

if TYPE_CHECKING:
    from oo_sim.scenario import Scenario

app = typer.Typer(add_completion=False)

FAILED = 1
"""The exit code when a policy failed."""


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
    users: Annotated[int | None, typer.Option(metavar="N", help="Instead of the file's number of users.")] = None,
    rounds: Annotated[int | None, typer.Option(metavar="N", help="Instead of the file's decisions per user.")] = None,
    replicates: Annotated[int | None, typer.Option(metavar="N", help="Instead of the file's replicates.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Instead of the file's seed.")] = None,
    threads: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Threads; results do not depend on it. Default: all cores.")
    ] = None,
    events: Annotated[bool, typer.Option("--events", help="Log every decision and every learning step.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The new run directory; the parent of them for several scenarios."),
    ] = None,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the run directory alone.")] = False,
    no_plot: Annotated[bool, typer.Option("--no-plot", help="Draw no curves.png.")] = False,
) -> None:
    """Run each scenario into a new run directory, and print what its policies earned and regretted.

    Without --out that is runs/<scenario>-<number>.

    Exit codes: 0 all well, 1 a policy failed (the others finish, and the table names it),
    2 usage or invalid input, 130 interrupted (nothing half-written is left).

    Example: oo-sim run quickstart --policy linucb --policy linucb:alpha=0.5,features=oo7x
    """
    sys.path.insert(0, os.getcwd())  # so that a private policy beside the scenario can be named module:factory
    loaded = [oo_sim.load_scenario(scenario) for scenario in scenarios]
    if not quiet:
        _warn(loaded)
    runs = []
    for scenario, directory in zip(loaded, _directories([s.name for s in loaded], out), strict=True):
        with _progress(scenario.name, hidden=quiet) as progress:
            result = oo_sim.run(
                scenario,
                policies=policy,
                llm=llm and [bank for banks in llm for bank in banks.split(",") if bank],
                users=users,
                rounds=rounds,
                replicates=replicates,
                seed=seed,
                threads=threads,
                events=events,
                out=directory,
                plot=not no_plot,
                progress=progress,
            )
        runs.append(result)
        if not (as_json or quiet):
            print_rich(result.table())
        if quiet:
            for label, problem in result.failures.items():
                typer.echo(f"{label} failed: {problem}", err=True)
        if not as_json:
            typer.echo(str(directory) if quiet else f"Run directory: {directory}")
    if as_json:
        print_json({"runs": [result.as_dict() for result in runs]})
    if any(result.failures for result in runs):
        raise typer.Exit(FAILED)


def _warn(scenarios: Sequence[Scenario]) -> None:
    """What the lint finds, on stderr: a scenario that cannot show what it varies still runs."""
    from oo_sim.scenario.lint import lint  # noqa: PLC0415 (slow to import)

    for scenario in scenarios:
        for problem in lint(scenario):
            typer.echo(f"warning: {problem}", err=True)


def _directories(names: Sequence[str], out: Path | None) -> list[Path]:
    """A new run directory for each scenario; several go side by side, numbered on from what is there."""
    if out is not None and len(names) == 1:
        return [out]
    parent = out or Path("runs")
    chosen: list[Path] = []
    for name in names:
        numbered = (parent / f"{name}-{number}" for number in count(1))
        chosen.append(next(path for path in numbered if not path.exists() and path not in chosen))
    return chosen


@contextmanager
def _progress(name: str, *, hidden: bool) -> Iterator[Callable[[str, int, int], None] | None]:
    """A bar on stderr with decisions per second, only where there is a terminal to see it."""
    console = Console(stderr=True)
    if hidden or not console.is_terminal:
        yield None
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
