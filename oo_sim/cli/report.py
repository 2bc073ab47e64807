"""`oo-sim report`: runs in, one HTML file out that can be sent to a colleague."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import oo_sim

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
    from oo_sim.page import report_html  # noqa: PLC0415 (slow to import)
    from oo_sim.results.result import write_whole  # noqa: PLC0415

    if out.suffix.lower() not in (".html", ".htm"):
        raise typer.BadParameter(f"{out} must end in .html", param_hint="--out")
    if not out.parent.is_dir():
        raise typer.BadParameter(f"{out}: there is no directory {out.parent}", param_hint="--out")

    fits = [path for path in runs if path.name.endswith(".fit.json")]
    loaded = [oo_sim.load_run(path) for path in runs if path not in fits]
    page = report_html(loaded, fits=fits, reference=reference, title=title)
    write_whole(out, page.encode())
    typer.echo(str(out))
