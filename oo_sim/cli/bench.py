"""`oo-sim bench`: how fast, measured in turns against a naive handler in the same process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from oo_sim.cli.bench_ope import ope
from oo_sim.cli.bench_peers import peers
from oo_sim.cli.bench_serve import serve
from oo_sim.cli.printing import Json

if TYPE_CHECKING:
    from oo_sim.bench.measure import Row, Spread

app = typer.Typer(add_completion=False)
app.command()(serve)
app.command()(peers)
app.command()(ope)


@app.callback(invoke_without_command=True)
def bench(
    context: typer.Context,
    repeats: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="Measurements of each, in turns.")] = 7,
    scenario: Annotated[str, typer.Option(metavar="SCENARIO", help="The world to measure in.")] = "quickstart",
    as_json: Json = False,
) -> None:
    """Measure every learning policy on one core against a naive handler, two threads against one, and a fresh process.

    The naive handler serves one user: it inverts A once a request, builds and scores each candidate in Python, and
    updates the ridge. A second handler keeps the inverse (Sherman-Morrison) and scores all candidates in one matrix.
    Their candidates are ready-made; ours come from the whole loop: world, features, policy, draw,
    learning and curves. Exit codes: 0 done, 2 usage or invalid input.
    """
    if context.invoked_subcommand is not None:
        return
    from oo_sim.bench import measure  # noqa: PLC0415 (slow to import)

    console = Console(stderr=True)
    rows = measure.bench(repeats, scenario, lambda name: console.print(f"[dim]measuring {name}[/dim]"))
    two, tiled = measure.threads(repeats, scenario), measure.tiles(repeats, scenario)
    start = measure.fresh_process(users=2, rounds=1, scenario=scenario)
    short = measure.fresh_process(users=400, rounds=500, scenario=scenario)
    long = measure.fresh_process(users=400, rounds=5000, scenario=scenario)
    process = {
        "first_decision_seconds": start["first_decision_seconds"],
        "wall_seconds": start["wall_seconds"],
        "peak_megabytes": short["peak_megabytes"],
        "peak_megabytes_ten_times_the_rounds": long["peak_megabytes"],
    }
    if as_json:
        found = {"scenario": scenario, "rows": [row.as_dict() for row in rows], "two_threads": two._asdict()}
        found["tile_against_loop"] = tiled._asdict()
        typer.echo(json.dumps(found | {"process": process}, indent=1))
    else:
        _print(rows, two, tiled, process)


def _print(rows: list[Row], two: Spread, tiled: Spread, process: dict[str, Any]) -> None:
    table = Table("policy", "d", "K", "µs", "million/s", "naive µs", "times faster", "min", "max", "matrix µs", "times")
    table.columns[0].no_wrap = True
    for row in rows:
        spread = [f"{ratio:.0f}" for ratio in row.ratio]
        ours, theirs = row.microseconds.median, row.naive_microseconds.median
        speeds = f"{ours:.3f}", f"{1 / ours:.2f}", f"{theirs:.1f}"
        better = ("", "")
        if row.matrix_microseconds is not None and row.matrix_ratio is not None:
            better = f"{row.matrix_microseconds.median:.1f}", f"{row.matrix_ratio.median:.0f}"
        table.add_row(row.policy, str(row.d), str(row.K), *speeds, *spread, *better)
    console = Console()
    console.print(table)
    console.print(
        f"Medians on one core. Two threads: {two.median:.2f} times one ({two.min:.2f}, {two.max:.2f}). A compiled"
        f" tile of linucb: {tiled.median:.1f} times the interpreted loop ({tiled.min:.1f}, {tiled.max:.1f})."
        f"\nA fresh process: first decisions after {process['first_decision_seconds']:.1f} s; peak memory"
        f" {process['peak_megabytes']:.0f} MB, with ten times the rounds"
        f" {process['peak_megabytes_ten_times_the_rounds']:.0f} MB.",
        highlight=False,
    )
