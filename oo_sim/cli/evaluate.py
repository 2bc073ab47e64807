"""`oo-sim evaluate`: what another policy would have earned in a log, or why the log cannot say."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import oo_sim
from oo_sim.cli.printing import (
    Csv,
    FigureStyle,
    Json,
    Latex,
    Markdown,
    Style,
    check_forms,
    check_out,
    check_style,
    draw,
    print_result,
)
from oo_sim.cli.working import import_from_here

app = typer.Typer(add_completion=False)

NOTHING = 1
"""The exit code when no policy could be answered."""


class Question(StrEnum):
    """What is asked."""

    frozen = "frozen"
    passive = "passive"
    replay = "replay"


@app.command()
def evaluate(
    logs: Annotated[
        list[Path],
        typer.Argument(metavar="LOG...", help="Run directories with events, served exports, .parquet or .csv tables."),
    ],
    policy: Annotated[list[str], typer.Option(metavar="SPEC", help="A policy to evaluate. Repeatable.")],
    logged: Annotated[
        str | None, typer.Option(metavar="LABEL", help="The logging policy, where the log has several.")
    ] = None,
    as_: Annotated[
        Question, typer.Option("--as", help="The value of a frozen state, of one step at a time, or of deploying it.")
    ] = Question.frozen,
    train_until: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", help="With frozen: the share of each user's log that is learned from. Default: 0.5."
        ),
    ] = None,
    estimator: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Estimators, separated by commas. Default: dr,ips,snips,dm.")
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(metavar="N|TIME", help="For how long a reward counts: rounds when simulated, else as 24h or 7d."),
    ] = None,
    decisions: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="With replay: how many accepted decisions of each user.")
    ] = None,
    anytime: Annotated[
        bool, typer.Option("--anytime", help="Also intervals that stay valid however often you look.")
    ] = False,
    assume_iid: Annotated[
        bool, typer.Option("--assume-iid", help="With replay: evaluate also where offers depend on what was served.")
    ] = False,
    as_json: Json = False,
    csv: Csv = False,
    latex: Latex = False,
    markdown: Markdown = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write the table (.csv, .tex, .md, .html, .json)."),
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it (.png, .pdf, .svg).")] = None,
    style: FigureStyle = Style.screen,
) -> None:
    """Estimate from a log what other policies would have earned, with intervals over users; or refuse, and say why.

    A refusal names the rows or the figures that stand against an answer, and what would be right.

    Exit codes: 0 answered, 1 nothing could be answered, 2 usage or invalid input, 130 interrupted.

    Example: oo-sim evaluate served-log --logged egreedy --policy linucb:alpha=0.5 --window 24h
    """
    check_forms(json=as_json, csv=csv, latex=latex, markdown=markdown)
    check_out(out, (*oo_sim.results.WRITTEN, *oo_sim.results.DRAWN))
    check_out(plot, option="--plot")
    check_style(style, plot, out if out and out.suffix.lower() in oo_sim.results.DRAWN else None, option="--plot")
    import_from_here()
    found = oo_sim.evaluate(
        logs,
        policies=policy,
        as_=as_.value,
        logged=logged,
        train_until=train_until,
        estimators=None if estimator is None else [name.strip() for name in estimator.split(",")],
        window=seconds_or_rounds(window),
        decisions=decisions,
        anytime=anytime,
        assume_iid=assume_iid,
    )
    print_result(found, as_json=as_json, csv=csv, latex=latex, markdown=markdown)
    if out is not None:
        found.save(out, style=style.value)
    if plot is not None and found.drawable:
        draw(found.figure(style=style.value), plot, quiet=as_json or csv or latex or markdown)
    if not found.answered:
        raise typer.Exit(NOTHING)


def seconds_or_rounds(text: str | None) -> float | None:
    """A window as it is written: a number of rounds, or a time such as 24h, in seconds."""
    if text is None:
        return None
    try:
        return float(text) if text.replace(".", "", 1).isdigit() else oo_sim.logs.seconds(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--window") from error
