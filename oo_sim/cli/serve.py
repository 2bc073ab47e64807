"""`oo-sim serve`, `export-log` and `migrate`: policies behind HTTP, and what they leave."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import oo_sim
from oo_sim.cli.working import import_from_here

app = typer.Typer(add_completion=False)

Policies = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[NAME=]SPEC", help="A policy to mount beside linucb and egreedy, or in their place. Repeatable."
    ),
]
Seed = Annotated[
    int | None, typer.Option(metavar="N", min=0, max=2**32 - 1, help="Seed of a new state. Default: random.")
]


State = Annotated[Path, typer.Argument(metavar="STATE_DIR", help="The state directory of a server.")]


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
    state_dir: Annotated[
        Path, typer.Option(metavar="DIR", envvar="STATE_DIR", help="Where the state is kept; made if missing.")
    ] = Path("state"),
    policy: Policies = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes on the same state.")] = 1,
    seed: Seed = None,
    deadline: Annotated[
        float, typer.Option(min=0.01, max=600.0, help="Seconds that a recommendation waits for LLM tips.")
    ] = 10.0,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Serve policies over HTTP; every acknowledged call is on disk. Docs are at /docs.

    Environment: STATE_DIR, OO_ADMIN_TOKEN (guards /reset), LITELLM_URL and LITELLM_MASTER_KEY (the LLM gateway).

    Example: oo-sim serve --state-dir state --policy thompson --policy "bold=linucb:alpha=2"
    """
    if log_level not in ("debug", "info", "warning", "error"):
        raise typer.BadParameter(f"{log_level!r} is none of debug, info, warning, error", param_hint="--log-level")
    import_from_here()
    from oo_sim.serving.server import Settings, serve  # noqa: PLC0415 (heavy)

    serve(Settings(str(state_dir), tuple(policy or ()), host, port, workers, seed, deadline, log_level))


@app.command("export-log")
def export_log(
    state_dir: State,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new directory.")],
    window: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0,
            help="For how long after a decision its reward counts when the log is evaluated. Default: not known.",
        ),
    ] = None,
    own_trajectory: Annotated[
        bool,
        typer.Option(
            "--own-trajectory/--independent",
            help="Whether what is offered depends on what was served before: done tasks are not offered again.",
        ),
    ] = True,
) -> None:
    """Write a server's decisions and learnings as Parquet, in the columns of a run; the server may go on meanwhile.

    Example: oo-sim export-log state served-log --window 86400
    """
    decisions, learnings = oo_sim.export_log(state_dir, out, window=window, own_trajectory=own_trajectory)
    typer.echo(f"{out}: {oo_sim.show.count(decisions, 'decision')}, {oo_sim.show.count(learnings, 'learning')}")


@app.command()
def migrate(state_dir: State, policy: Policies = None) -> None:
    """Rebuild the states of policies whose features, prior or rule changed, by learning the whole log again.

    Stop the servers on this state before, and start them with the same --policy afterwards.

    Example: oo-sim migrate state --policy linucb:prior=2
    """
    import_from_here()
    for one in oo_sim.migrate(state_dir, policy or ()):
        counted = oo_sim.show.count(one.learnings, "learning"), oo_sim.show.count(one.users, "user")
        what = " of ".join(counted) if one.changed else "nothing to do"
        typer.echo(f"{one.label}: {what}")
