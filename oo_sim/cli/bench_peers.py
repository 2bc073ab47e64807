"""`oo-sim bench peers`: other libraries' LinUCB against ours."""

from __future__ import annotations

from typing import Annotated

import typer

from oo_sim.cli.printing import Json, print_json


def peers(
    repeats: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="Measurements of each, in turns.")] = 7,
    count: Annotated[
        int, typer.Option("--decisions", metavar="N", min=1, help="Decisions of each measurement.")
    ] = 2000,
    as_json: Json = False,
) -> None:
    """Measure other libraries' LinUCB, as far as they are installed, in turns with ours on one core.

    They choose one of ten candidates and learn its reward, one user and one decision after the other, from vectors made
    beforehand, or, Vowpal Wabbit, from text; ours is the whole loop of a run of quickstart. Nothing is installed: pip
    install coba mabwiser vowpalwabbit does that. Exit codes: 0 done, 2 usage or invalid input.
    """
    from oo_sim.bench.peers import RUNS, bench  # noqa: PLC0415 (slow to import)

    found = bench(repeats, count)
    if as_json:
        rivals = {
            one.peer: {"microseconds": one.microseconds._asdict(), "ratio": one.ratio._asdict()} for one in found.rivals
        }
        print_json({"microseconds": found.microseconds._asdict(), "peers": rivals, "missing": found.missing})
        return
    typer.echo(f"{'oo_sim':<13}{found.microseconds.median:>9.3f} µs a decision")
    for one in found.rivals:
        ratio = f"{one.ratio.median:>7,.0f} times ours ({one.ratio.min:,.0f} to {one.ratio.max:,.0f})"
        runs = f", {RUNS[one.peer]}" if one.peer in RUNS else ""
        typer.echo(f"{one.peer:<13}{one.microseconds.median:>9.1f} µs a decision {ratio}{runs}")
    for name in found.missing:
        typer.echo(f"{name:<13} is not installed: pip install {name}")
