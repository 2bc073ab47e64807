"""`oo-sim fit-appeal`: what tips' texts are worth, learned from reactions to them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oo_sim.cli.tips import AsJson, Concurrency, GatewayOption, Seed, input_errors, print_sections, progress

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
    as_json: AsJson = False,
) -> None:
    """Fit an appeal model to reactions, and say how well it predicts those that were held out.

    A line of labels has user_id, content, tasks (their titles), hour_of_day and reaction (done, helpful, snooze,
    not_helpful or dismiss). Refused below 200 reactions, and where texts predict no better than a constant.

    Example: oo-sim fit-appeal labels.jsonl -o appeal.json
    """
    with input_errors():
        from oo_sim.generator import Options, TipGenerator, open_gateway  # noqa: PLC0415
        from oo_sim.generator.appeal import fitted  # noqa: PLC0415
        from oo_sim.generator.asking import Asker, beside  # noqa: PLC0415
        from oo_sim.tipbanks import logged_samples  # noqa: PLC0415

        samples = logged_samples(source, llm or []) if source.is_dir() else fitted.read_samples(source)
        if len(samples) < fitted.LEAST:
            fitted.refuse_few(len(samples))
        found = open_gateway(gateway, seed=seed, connections=concurrency)
        with TipGenerator(found, None, Options(gateway_retries=2)) as client, progress("embedder") as bar:
            X = fitted.encode(Asker(client, beside(out), concurrency=concurrency), samples, embedder, bar)
        made = fitted.fit_appeal(X, samples, embedder=embedder)
        fitted.write_appeal(out, made.appeal)
        print_sections(f"Appeal of {len(samples)} reactions, in {out}", [fitted.fit_section(made)], as_json)
