"""`oo-sim fit-appeal`: what tips' texts are worth, learned from reactions to them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import oo_sim
from oo_sim.cli.printing import Csv, Json, Latex, Markdown
from oo_sim.cli.tips import Concurrency, GatewayOption, Seed, bars, end, input_errors

app = typer.Typer(add_completion=False)


@app.command(name="fit-appeal")
def fit_appeal(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="LOG|LABELS",
            help="A run directory with events whose tips came out of banks, or JSON lines of labelled reactions.",
        ),
    ],
    llm: Annotated[
        list[Path] | None, typer.Option(metavar="BANK", help="With a run directory: the bank files. Repeatable.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Where the appeal goes.")] = Path(
        "appeal.json"
    ),
    gateway: GatewayOption = "mock",
    embedder: Annotated[str, typer.Option(metavar="NAME", help="The embedder's alias at the gateway.")] = "embedder",
    seed: Seed = 1,
    concurrency: Concurrency = 4,
    as_json: Json = False,
    csv: Csv = False,
    latex: Latex = False,
    markdown: Markdown = False,
) -> None:
    """Fit an appeal model to reactions, and say how well it predicts those that were held out.

    A line of labels has user_id, content, tasks (their titles), hour_of_day and reaction (done, helpful, snooze,
    not_helpful or dismiss). Refused below 200 reactions, and where texts predict no better than a constant.

    Example: oo-sim fit-appeal labels.jsonl -o appeal.json
    """
    with input_errors(), bars() as hear:
        found = oo_sim.fit_appeal(
            source,
            banks=llm or (),
            out=out,
            gateway=gateway,
            embedder=embedder,
            seed=seed,
            concurrency=concurrency,
            progress=hear,
        )
    end(found, as_json=as_json, csv=csv, latex=latex, markdown=markdown)
