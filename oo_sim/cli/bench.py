"""`oo-sim bench`: how fast, measured in turns: policies, the server, other libraries, off-policy estimators."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

import oo_sim
from oo_sim.cli.printing import Json, print_json, print_rich, whole

if TYPE_CHECKING:
    from oo_sim.bench.measure import Row, Spread
    from oo_sim.bench.placement import Placed

app = typer.Typer(add_completion=False)

_HEADERS = (
    *("policy", "d", "K", "µs", "million/s", "naive µs", "times\nfaster", "min", "max"),
    *("matrix\nµs", "times\nfaster"),
)


@app.callback(invoke_without_command=True)
def bench(
    context: typer.Context,
    repeats: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="Measurements of each, in turns.")] = 7,
    scenario: Annotated[str, typer.Option(metavar="SCENARIO", help="The world to measure in.")] = "quickstart",
    as_json: Json = False,
) -> None:
    """Measure every learning policy on one core against a naive handler, two threads against one, a run that logs
    events, every kernel where its arrays lie worst in memory, and a fresh process.

    The naive handler serves one user: it inverts A once a request, builds and scores each candidate in Python, and
    updates the ridge. A second handler keeps the inverse (Sherman-Morrison) and scores all candidates in one matrix.
    Their candidates are ready-made; ours come from the whole loop: world, features, policy, draw,
    learning and curves. The limit is near: C written by hand with AVX-512 took 26 ns a decision of a simpler world when
    that was tried; this command does not measure it. Exit codes: 0 done, 2 usage or invalid input.
    """
    if context.invoked_subcommand is not None:
        return
    from oo_sim.bench import measure, placement  # noqa: PLC0415 (slow to import)

    console = Console(stderr=True)
    rows = measure.bench(repeats, scenario, lambda name: console.print(f"[dim]measuring {name}[/dim]"))
    two, tiled = measure.threads(repeats, scenario), measure.tiles(repeats, scenario)
    written = measure.events(repeats, scenario)
    placed = placement.bench(repeats)
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
        found["events_microseconds"] = written._asdict()
        found["placement"] = [each._asdict() for each in placed]
        typer.echo(json.dumps(found | {"process": process}, indent=1))
    else:
        _print(rows, two, tiled, written, placed, process)


def _print(
    rows: list[Row], two: Spread, tiled: Spread, written: Spread, placed: list[Placed], process: dict[str, Any]
) -> None:
    cells = []
    for row in rows:
        spread = [f"{ratio:.0f}" for ratio in row.ratio]
        ours, theirs = row.microseconds.median, row.naive_microseconds.median
        better = ("", "")
        if row.matrix_microseconds is not None and row.matrix_ratio is not None:
            better = f"{row.matrix_microseconds.median:.1f}", f"{row.matrix_ratio.median:.0f}"
        speeds = f"{ours:.3f}", f"{1 / ours:.2f}", f"{theirs:.1f}"
        cells.append((row.policy, str(row.d), str(row.K), *speeds, *spread, *better))
    worst = max(placed, key=lambda each: each.ratio)
    notes = (
        f"Medians on one core. Two threads: {two.median:.2f} times one ({two.min:.2f}, {two.max:.2f}). A compiled"
        f" tile of linucb: {tiled.median:.1f} times the interpreted loop ({tiled.min:.1f}, {tiled.max:.1f}).",
        f"With --events, linucb takes {written.median:.1f} µs of CPU a decision"
        f" ({written.min:.1f}, {written.max:.1f}).",
        f"With its arrays adjacent or apart, whichever is worse, the worst of {len(placed)} kernels takes"
        f" {worst.ratio:.2f} times as long: {worst.kernel}.",
        f"A fresh process: first decisions after {process['first_decision_seconds']:.1f} s; peak memory"
        f" {process['peak_megabytes']:.0f} MB, with ten times the rounds"
        f" {process['peak_megabytes_ten_times_the_rounds']:.0f} MB.",
    )
    print_rich(oo_sim.show.Tables([oo_sim.show.Table(_HEADERS, cells)], notes=notes))


@app.command()
def serve(
    requests: Annotated[int, typer.Option(min=1, help="Calls of each kind.")] = 20_000,
    connections: Annotated[int, typer.Option(min=1, max=1000, help="Connections kept alive at once.")] = 16,
    users: Annotated[int, typer.Option(min=1, help="Users that the calls are spread over.")] = 10_000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes of the server.")] = 1,
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Where to keep the state meanwhile: its disk is what is measured.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Start a server, drive it over loopback, and print requests/s and latencies of score and durable reward.

    Example: oo-sim bench serve --connections 16
    """
    from oo_sim.serving.bench import DriveError, bench  # noqa: PLC0415 (heavy)

    try:
        measured, memory = bench(requests, connections, users, workers, directory)
    except DriveError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    if as_json:
        print_json({"calls": [one._asdict() for one in measured], "memory_mb": memory})
        return
    for one in measured:
        typer.echo(f"{one.call:<8}{one.per_second:>8,.0f} requests/s   p50 {one.p50:.1f} ms   p99 {one.p99:.1f} ms")
    typer.echo(f"memory  {memory:>8,.0f} MB")


@app.command()
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


@app.command()
def ope(
    repeats: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="Measurements of each, in turns.")] = 7,
    count: Annotated[
        int, typer.Option("--decisions", metavar="N", min=100, parser=whole, help="Decisions of each measurement.")
    ] = 1_000_000,
    as_json: Json = False,
) -> None:
    """Measure the off-policy estimators on the same decisions: 8 candidates, 7 features, 100 decisions a user.

    Ours make intervals over users; those of OBP (pip install obp), where it is installed, make the estimate alone. The
    reward model is measured by itself. Exit codes: 0 done, 2 usage or invalid input.
    """
    from oo_sim.bench.ope import bench  # noqa: PLC0415 (slow to import)

    found = bench(repeats, count)
    if as_json:
        print_json(
            {
                "estimators": {
                    line.name: {
                        "milliseconds": line.milliseconds._asdict(),
                        "ratio": line.ratio._asdict() if line.ratio else None,
                        "apart": line.apart,
                    }
                    for line in found.lines
                },
                "together_milliseconds": found.together._asdict(),
                "model_seconds": found.model._asdict(),
                "missing": [] if found.installed else ["obp"],
            }
        )
        return
    for line in found.lines:
        ratio = line.ratio
        beside = f"  OBP {ratio.median:.2f} times ours ({ratio.min:.2f} to {ratio.max:.2f})" if ratio else ""
        typer.echo(f"{line.name:<10}{line.milliseconds.median:>9.1f} ms{beside}")
    typer.echo(f"{'together':<10}{found.together.median:>9.1f} ms")
    typer.echo(f"{'the model':<10}{1e3 * found.model.median:>9.1f} ms")
    if not found.installed:
        typer.echo("obp is not installed: pip install obp")
