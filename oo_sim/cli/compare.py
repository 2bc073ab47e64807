"""`oo-sim compare`: which policy is better, by how much, and how surely."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    whole,
)
from oo_sim.cli.working import (
    FAILED,
    Dask,
    Elsewhere,
    Replicates,
    Resume,
    Rounds,
    Seed,
    Unchecked,
    Workers,
    continued,
    executor,
    here,
    watched,
)

if TYPE_CHECKING:
    from oo_sim.studies import Look

app = typer.Typer(add_completion=False)


class Measure(StrEnum):
    """What is compared."""

    expected = "expected"
    realised = "realised"
    regret = "regret"


@app.command()
def compare(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN|SCENARIO", help="Run directories; scenario files or names of shipped ones, to run."
        ),
    ],
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPEC", help="Compare these, the earlier one being the baseline. Repeatable. Default: all."
        ),
    ] = None,
    reference: Annotated[
        str | None, typer.Option(metavar="SPEC", help="Compare each with this baseline, instead of all pairs.")
    ] = None,
    metric: Annotated[
        Measure, typer.Option(help="True expected reward, reward as drawn, or regret; all per decision.")
    ] = Measure.expected,
    until: Annotated[
        float | None,
        typer.Option(
            metavar="W",
            help="Add users, doubling them, until the anytime-valid interval is at most ± W or excludes 0.",
        ),
    ] = None,
    precise: Annotated[
        bool, typer.Option("--precise", help="With --until: until it is at most ± W, also where it excludes 0.")
    ] = False,
    max_users: Annotated[
        int | None, typer.Option(parser=whole, metavar="N", help="With --until: the most users. Default: 100,000.")
    ] = None,
    users: Annotated[
        int | None,
        typer.Option(parser=whole, metavar="N", help="Users of a scenario; with --until those of the first look."),
    ] = None,
    rounds: Rounds = None,
    replicates: Replicates = None,
    seed: Seed = None,
    bootstrap_seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="Seed of the bands and of the bootstrap over scenarios.")
    ] = 0,
    workers: Workers = None,
    resume: Resume = None,
    elsewhere: Elsewhere = None,
    dask: Dask = None,
    unchecked: Unchecked = False,
    as_json: Json = False,
    csv: Csv = False,
    latex: Latex = False,
    markdown: Markdown = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Draw the comparison (.png, .pdf, .svg).")
    ] = None,
    style: FigureStyle = Style.screen,
) -> None:
    """Compare policies by user under common random numbers: candidate minus baseline, with intervals over users.

    Runs of one scenario are taken together; they must not differ but in their policies. Several scenarios are
    compared each, and together on a scale from random to oracle.

    Exit codes: 0 all well, whatever the answer, 1 a policy failed (the others are compared),
    2 usage, invalid input or runs that can't be compared, 130 interrupted.

    Example: oo-sim compare quickstart --policy egreedy --policy linucb --out difference.png
    """
    check_forms(json=as_json, csv=csv, latex=latex, markdown=markdown)
    check_out(out)
    check_style(style, out)
    said = here(workers)
    computes = not all(Path(source).is_dir() for source in sources)  # otherwise what a file says is not asked here
    with continued(resume), executor(elsewhere, dask) as where, watched("compare", hidden=as_json) as progress:
        found = oo_sim.compare(
            *(source if Path(source).is_dir() else said.scenario(source) for source in sources),
            policies=policy,
            reference=reference,
            metric=metric.value,
            users=users,
            rounds=rounds,
            replicates=replicates,
            seed=seed,
            workers=said.workers if computes else workers,
            executor=where,
            resume=resume,
            progress=progress,
            unchecked=unchecked,
            until=until,
            precise=precise,
            max_users=max_users,
            bootstrap_seed=bootstrap_seed,
            looked=None if as_json else _report,
        )
    print_result(found, as_json=as_json, csv=csv, latex=latex, markdown=markdown)
    if out is not None and found.drawable:
        draw(found.figure(style=style.value), out, quiet=as_json or csv or latex or markdown)
    if found.failures:
        raise typer.Exit(FAILED)


def _report(look: Look) -> None:
    """A line for each look, on stderr."""
    widest = max((each.width / 2 for each in look.intervals), default=0.0)
    open_ = sum(not each.excludes(0.0) for each in look.intervals)
    typer.echo(f"{look.users:,} users: at most ± {widest:.4f}; {open_} of {len(look.intervals)} include 0", err=True)
