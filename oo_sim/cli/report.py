"""`oo-sim report`: runs in, one HTML file out that can be sent to a colleague."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oo_sim.cli.printing import check_out

app = typer.Typer(add_completion=False)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run directories; NAME.fit.json of fits.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.html", help="Write the report into this file.")],
    title: Annotated[str, typer.Option(metavar="TEXT", help="Its title. Default: the scenarios' names.")] = "",
    reference: Annotated[
        str | None, typer.Option(metavar="SPEC", help="Compare each policy with this one, instead of all pairs.")
    ] = None,
) -> None:
    """Write one self-contained HTML file: verdict, tables, figures, warnings, and the command that repeats it.

    It needs no network and holds no script. Runs of one scenario are taken together; they must not differ but in
    their policies.

    Example: oo-sim report runs/quickstart-1 -o report.html
    """
    from oo_sim import page  # noqa: PLC0415 (slow to import)

    check_out(out, (".html", ".htm"))
    typer.echo(str(page.report(*runs, out=out, reference=reference, title=title)))
