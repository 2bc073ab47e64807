"""`oo-sim sweep`: what a parameter does, on one set of users and draws."""

from __future__ import annotations

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
    continued,
    executor,
    here,
    watched,
)

app = typer.Typer(add_completion=False)


@app.command()
def sweep(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="A scenario file, or the name of a shipped one.")],
    policy: Annotated[
        list[str],
        typer.Option(
            metavar="PATTERN",
            help="A spec with lists or ranges: linucb:alpha=[0.1,0.3,1,3], alpha=log(0.1,10,5), alpha=lin(0,1,5). "
            "A plain spec is a line to compare with. Repeatable.",
        ),
    ],
    users: Users = None,
    rounds: Rounds = None,
    replicates: Replicates = None,
    seed: Seed = None,
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
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Draw reward against the parameter (.png, .pdf, .svg)."),
    ] = None,
    style: FigureStyle = Style.screen,
) -> None:
    """Run a policy at each value of a parameter, all on the same users and draws, and print what each earned.

    Exit codes: 0 all well, 1 a policy failed (the others are shown), 2 usage or invalid input, 130 interrupted.

    Example: oo-sim sweep quickstart --policy 'linucb:alpha=[0.1,0.3,1,3]' --policy greedy --out alpha.png
    """
    check_forms(json=as_json, csv=csv, latex=latex, markdown=markdown)
    check_out(out)
    check_style(style, out)
    said = here(workers)
    with continued(resume), executor(elsewhere, dask) as where, watched(scenario, hidden=as_json) as progress:
        found = oo_sim.sweep(
            said.scenario(scenario),
            policies=policy,
            users=users,
            rounds=rounds,
            replicates=replicates,
            seed=seed,
            workers=said.workers,
            executor=where,
            resume=resume,
            progress=progress,
            unchecked=unchecked,
        )
    print_result(found, as_json=as_json, csv=csv, latex=latex, markdown=markdown)
    if out is not None and found.drawable:
        draw(found.figure(style=style.value), out, quiet=as_json or csv or latex or markdown)
    if found.failures:
        raise typer.Exit(FAILED)
