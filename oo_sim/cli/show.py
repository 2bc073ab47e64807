"""`oo-sim show` and `oo-sim plot`: look at runs that are there."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import oo_sim
from oo_sim.cli.printing import Csv, FigureStyle, Json, Latex, Markdown, Style, check_forms, check_out, print_result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from oo_sim.results import Run

app = typer.Typer(add_completion=False)


@app.command()
def show(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    as_json: Json = False,
    csv: Csv = False,
    latex: Latex = False,
    markdown: Markdown = False,
    partial: Annotated[
        bool, typer.Option("--partial", help="RUN is a work directory: show those users that are done so far.")
    ] = False,
) -> None:
    """Print the table of a run: rewards, regret, and their intervals over users.

    Example: oo-sim show runs/quickstart-1
    """
    check_forms(json=as_json, csv=csv, latex=latex, markdown=markdown)
    found = oo_sim.experiment.partial(run) if partial else oo_sim.load_run(run)
    print_result(found, as_json=as_json, csv=csv, latex=latex, markdown=markdown)


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
    matrix = "matrix"


@app.command()
def plot(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run directories.")],
    kind: Annotated[
        Kind,
        typer.Option(
            help="curves: reward and regret; loglog: regret with slopes; segments, users: what each earns; "
            "reactions: their mix over time; difference, matrix: policies paired by user; "
            "exploration and theta (learned against true coefficients) require a run with --events."
        ),
    ] = Kind.curves,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="Draw curves of several runs, or a figure of one (.png, .pdf, .svg)."
        ),
    ] = None,
    log: Annotated[bool, typer.Option("--log", help="With curves: draw regret on logarithmic axes.")] = False,
    style: FigureStyle = Style.screen,
) -> None:
    """Draw runs, by default into <kind>.png of each run directory; print where.

    A sweep is drawn by oo-sim sweep --out.

    Example: oo-sim plot runs/quickstart-1 runs/quickstart-2 --out both.png
    """
    check_out(out)
    if log and (kind is not Kind.curves or style is not Style.screen):
        raise typer.BadParameter("is for curves on the screen; for a paper there is --kind loglog", param_hint="--log")
    together = kind in (Kind.curves, Kind.difference, Kind.matrix)
    if out is not None and len(runs) > 1 and not together:
        raise typer.BadParameter(
            f"{kind} shows one run; without --out each run gets a file of its own", param_hint="--out"
        )
    found = [oo_sim.load_run(path) for path in runs]
    each = [([run], path / f"{kind}.png") for run, path in zip(found, runs, strict=True)]
    for several, target in [(found, out)] if out else each:
        try:
            oo_sim.figures.save(_figure(kind, several, log=log, style=style.value), target)
        except ValueError as error:  # a kind that has no figure for a paper
            raise typer.BadParameter(str(error), param_hint="--style") from None
        typer.echo(str(target))


def _figure(kind: Kind, runs: Sequence[Run], *, log: bool, style: str) -> Figure:
    if kind in (Kind.difference, Kind.matrix):
        return oo_sim.compare(*runs).figure(kind.value, style=style)
    if kind is Kind.curves and len(runs) > 1:
        return oo_sim.figures.curves_of(runs, style=style, log=log)
    return oo_sim.figures.figure(runs[0], kind.value, style=style, log=log)
