"""`oo-sim status` and `oo-sim merge`: look at work directories, and make one run of several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import oo_sim
from oo_sim.cli.printing import Json, print_json, print_rich
from oo_sim.cli.working import import_from_here

app = typer.Typer(add_completion=False)


@app.command()
def status(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A work directory, of --resume or --shard.")],
    as_json: Json = False,
) -> None:
    """Say how much of the work in a directory is done, by policy, and which process works there.

    Example: oo-sim status work
    """
    import_from_here()
    found = oo_sim.experiment.status(directory)
    if as_json:
        print_json(found.as_dict())
    else:
        typer.echo("\n".join(found.lines()))


@app.command()
def merge(
    directories: Annotated[list[Path], typer.Argument(metavar="DIR...", help="The work directories of all shards.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="The new run directory.")],
    as_json: Json = False,
    no_plot: Annotated[bool, typer.Option("--no-plot", help="Draw no curves.png.")] = False,
) -> None:
    """Make one run of all shards of `oo-sim run --shard i/n`: the same bits as one run. A missing shard is named.

    Exit codes: 0 all well, 2 a shard is missing, present twice, damaged or of another run.

    Example: oo-sim merge part-1 part-2 --out runs/merged
    """
    import_from_here()
    found = oo_sim.experiment.merge(directories, out=out, plot=not no_plot)
    if as_json:
        print_json(found.as_dict())
    else:
        print_rich(found.table())
        typer.echo(f"Run directory: {out}")
