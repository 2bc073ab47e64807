"""`oo-sim show` and `oo-sim plot`: look at runs that are there."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

import oo_sim

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from oo_sim.results import Run

app = typer.Typer(add_completion=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
_FILE_WIDTH = 110
"""Columns of a table that goes to a file or a pipe, which has no width of its own."""


@app.command()
def show(run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")], as_json: Json = False) -> None:
    """Print the table of a run: rewards, regret, and their intervals over users.

    Example: oo-sim show runs/quickstart-1
    """
    found = oo_sim.load_run(run)
    if as_json:
        print_json(found.as_dict())
    else:
        print_table(found)


class Kind(StrEnum):
    """What is drawn."""

    curves = "curves"
    loglog = "loglog"
    segments = "segments"
    reactions = "reactions"
    users = "users"
    exploration = "exploration"
    theta = "theta"
    difference = "difference"


@app.command()
def plot(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run directories.")],
    kind: Annotated[
        Kind,
        typer.Option(
            help="curves: reward and regret; loglog: regret with slopes; segments, users: who earns what; "
            "reactions: their mix over time; difference: policies paired by user; "
            "exploration and theta (learned against true coefficients) want a run with --events."
        ),
    ] = Kind.curves,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Draw into this file: curves of several runs, or the figure of one."),
    ] = None,
    log: Annotated[bool, typer.Option("--log", help="With curves: draw regret on logarithmic axes.")] = False,
) -> None:
    """Draw runs, by default into <kind>.png of each run directory; print where.

    A sweep is drawn by oo-sim sweep --out.

    Example: oo-sim plot runs/quickstart-1 runs/quickstart-2 --out both.png
    """
    from oo_sim.figures.curves import save_png  # noqa: PLC0415 (`show` needs no matplotlib)

    if out is not None and out.suffix.lower() != ".png":
        raise typer.BadParameter(f"{out} must end in .png", param_hint="--out")
    together = kind in (Kind.curves, Kind.difference)
    if out is not None and len(runs) > 1 and not together:
        raise typer.BadParameter(f"{kind} shows one run; leave --out out for a file in each", param_hint="--out")
    found = [oo_sim.load_run(path) for path in runs]
    each = [([run], path / f"{kind}.png") for run, path in zip(found, runs, strict=True)]
    for several, target in [(found, out)] if out else each:
        save_png(_figure(kind, several, log=log), target)
        typer.echo(str(target))


def _figure(kind: Kind, runs: Sequence[Run], *, log: bool) -> Figure:
    from oo_sim.figures.curves import curves_figure  # noqa: PLC0415 (as in `plot`)
    from oo_sim.figures.kinds import FIGURES  # noqa: PLC0415

    if kind is Kind.curves:
        return curves_figure(runs, log=log)
    return oo_sim.compare(*runs).figure() if kind is Kind.difference else FIGURES[kind.value](runs[0])


def print_table(run: Run) -> None:
    """Print a run's table to stdout."""
    console = Console(width=None if sys.stdout.isatty() else _FILE_WIDTH)
    with console.capture() as text:  # rich itself would end the process when the pipe is closed
        console.print(run.table())
    typer.echo(text.get(), nl=False)


def print_json(value: Any) -> None:
    """Print plain data to stdout."""
    typer.echo(json.dumps(value, indent=2, allow_nan=False))
