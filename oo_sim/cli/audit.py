"""`oo-sim audit`: derive a log's decisions again, and find the first that is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import oo_sim
from oo_sim.cli.working import Workers, here

if TYPE_CHECKING:
    from oo_sim.audit import Report

app = typer.Typer(add_completion=False)

UNUSABLE = 2
"""The exit code when the log, or some of its rows, cannot be judged."""
VIOLATION = 5
"""The exit code when a decision does not follow from the log."""


@app.command()
def audit(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="A run directory with events, or a directory of logs.")],
    full: Annotated[bool, typer.Option("--full", help="Derive the world of all users again, not of some.")] = False,
    workers: Workers = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Derive every logged decision again with an independent reference, and name the first that is wrong.

    Features, the learned model, scores, probabilities and the draw itself are derived from the log alone, and the
    scenario's world for some users over all their rounds. The first lines say what was not derived again.
    Without a seed in manifest.json, exploration is tested by anytime-valid e-values instead.

    Exit codes: 0 clean, 5 a decision is wrong, 2 the log (or some of its rows) cannot be judged.

    Example: oo-sim audit runs/quickstart-1
    """
    try:
        report = oo_sim.audit.audit_directory(log, full=full, workers=here(workers).workers)
    except oo_sim.audit.UnusableLogError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(UNUSABLE) from None
    typer.echo(
        json.dumps(report.to_dict(), indent=2, allow_nan=False) if as_json else "\n".join(oo_sim.audit.lines(report))
    )
    raise typer.Exit(_code(report))


def _code(report: Report) -> int:
    if report.violations:
        return VIOLATION
    return UNUSABLE if report.refused else 0
