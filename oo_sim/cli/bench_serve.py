"""`oo-sim bench serve`: how fast the server is on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oo_sim.cli.printing import Json, print_json

app = typer.Typer(add_completion=False)


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
