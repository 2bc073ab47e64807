"""`oo-sim show` and `oo-sim plot`: look at runs that are there."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

import oo_sim

if TYPE_CHECKING:
    from oo_sim.report import Run

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


@app.command()
def plot(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run directories.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw all runs into this file, one below the other.")
    ] = None,
    log: Annotated[bool, typer.Option("--log", help="Draw regret on logarithmic axes.")] = False,
) -> None:
    """Draw the curves of runs, by default into curves.png of each run directory; print where.

    Example: oo-sim plot runs/quickstart-1 runs/quickstart-2 --out both.png
    """
    from oo_sim.report.figures import curves_figure, save_png  # noqa: PLC0415 (`show` needs no matplotlib)

    if out is not None and out.suffix.lower() != ".png":
        raise typer.BadParameter(f"{out} must end in .png", param_hint="--out")
    found = [oo_sim.load_run(path) for path in runs]
    pictures = [(found, out)] if out else [([run], path / "curves.png") for run, path in zip(found, runs, strict=True)]
    for several, target in pictures:
        save_png(curves_figure(several, log=log), target)
        typer.echo(str(target))


def print_table(run: Run) -> None:
    """Print a run's table to stdout."""
    console = Console(width=None if sys.stdout.isatty() else _FILE_WIDTH)
    with console.capture() as text:  # rich itself would end the process when the pipe is closed
        console.print(run.table())
    typer.echo(text.get(), nl=False)


def print_json(value: Any) -> None:
    """Print plain data to stdout."""
    typer.echo(json.dumps(value, indent=2, allow_nan=False))
