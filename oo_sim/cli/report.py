"""`oo-sim report`: runs in, one HTML file out that can be sent to a colleague."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import oo_sim
from oo_sim.cli.evaluate import Question, seconds_or_rounds
from oo_sim.cli.printing import check_out
from oo_sim.cli.working import import_from_here

app = typer.Typer(add_completion=False)


@app.command()
def report(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN", help="Run directories; NAME.fit.json of fits; with --policy also tables."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.html", help="Write the report into this file.")],
    title: Annotated[str, typer.Option(metavar="TEXT", help="Its title. Default: the scenarios' names.")] = "",
    reference: Annotated[
        str | None, typer.Option(metavar="SPEC", help="Compare each policy with this one, instead of all pairs.")
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(metavar="SPEC", help="Evaluate this policy in each log, as oo-sim evaluate does. Repeatable."),
    ] = None,
    logged: Annotated[
        str | None, typer.Option(metavar="LABEL", help="With --policy: the logging policy, where a log has several.")
    ] = None,
    as_: Annotated[
        Question | None, typer.Option("--as", help="With --policy: which question is asked. Default: frozen.")
    ] = None,
    window: Annotated[
        str | None, typer.Option(metavar="N|TIME", help="With --policy: for how long a reward counts.")
    ] = None,
) -> None:
    """Write one self-contained HTML file: verdict, tables, figures, warnings, and the command that repeats it.

    It needs no network and holds no script. Runs of one scenario are taken together; they must not differ but in
    their policies.

    With --policy, a chapter says of each log what other policies would have earned in it, or why it cannot say.

    Example: oo-sim report runs/quickstart-1 -o report.html
    """
    check_out(out, (".html", ".htm"))
    for option, value in (("--logged", logged), ("--as", as_), ("--window", window)):
        if value is not None and not policy:
            raise typer.BadParameter("is about policies to evaluate; name one with --policy", param_hint=option)
    evaluations = []
    if policy:
        import_from_here()
        logs = [path for path in runs if not path.name.endswith(".fit.json")]
        evaluations = [
            oo_sim.evaluate(
                log, policy, (as_ or Question.frozen).value, logged=logged, window=seconds_or_rounds(window)
            )
            for log in logs
        ]
        runs = [path for path in runs if not path.is_file() or path not in logs]
    typer.echo(str(oo_sim.report(*runs, *evaluations, out=out, reference=reference, title=title)))
