"""`oo-sim label`: pairs of tips, labelled by a person on a page of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oo_sim import generator
from oo_sim.cli.tips import Seed, input_errors, serve_until_stopped

app = typer.Typer(add_completion=False)


@app.command()
def label(
    ours: Annotated[Path, typer.Argument(metavar="BANK", help="The first tip bank.")],
    theirs: Annotated[Path, typer.Argument(metavar="BANK", help="The second, made for the same contexts.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The labels, as CSV.")] = Path("labels.csv"),
    count: Annotated[int | None, typer.Option(min=1, help="At most this many pairs. Default: all.")] = None,
    rater: Annotated[str, typer.Option(metavar="NAME", help="The name of the person who labels.")] = "",
    seed: Seed = 1,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 0,
) -> None:
    """Label pairs of tips by hand: blind, on a page of this machine, by the keyboard.

    The first line says where the page is. Each answer is written at once, and what the file has already is not asked
    again. Ctrl-C or SIGTERM ends it with exit code 0.

    Example: oo-sim label mine.parquet theirs.parquet -o labels.csv
    """
    with input_errors():
        read = generator.bank.read_bank
        asked = generator.judging.questions(read(ours), read(theirs), count, seed)
        with generator.judging.LabelServer(asked, out, rater, port) as server:
            serve_until_stopped(
                server,
                f"{len(asked)} pairs to label at {server.url}",
                lambda: f"stopped: {len(server.labels)} labels in {out}",
            )
