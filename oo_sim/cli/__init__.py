"""The command line: which commands there are, and what becomes of errors, Ctrl-C and a closed pipe.

A command's module is imported only when the command is called, so that `oo-sim --help` stays fast.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import os
import sys
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from oo_sim import __version__
from oo_sim.cli.ending import TerminatedError, stoppable
from oo_sim.errors import OoSimError


class Entry(NamedTuple):
    """Where a command lives, and its line in the help. Its module has an `app`: the command itself, a group of
    subcommands, or several commands by their own names."""

    module: str
    help: str


COMMANDS = {
    "run": Entry("oo_sim.cli.run", "Run scenarios: synthetic users meet policies."),
    "show": Entry("oo_sim.cli.show", "Print the table of a run."),
    "plot": Entry("oo_sim.cli.show", "Draw the curves of runs."),
    "compare": Entry("oo_sim.cli.compare", "Compare policies by user: which is better, and how surely."),
    "report": Entry("oo_sim.cli.report", "Write one HTML file that shows runs to others."),
    "sweep": Entry("oo_sim.cli.sweep", "Run a policy at each value of a parameter."),
    "fit": Entry("oo_sim.cli.fit", "Learn a scenario from a log: people like those in it."),
    "merge": Entry("oo_sim.cli.work", "Make one run of the shards of --shard."),
    "status": Entry("oo_sim.cli.work", "Say how much of the work in a directory is done."),
    "evaluate": Entry("oo_sim.cli.evaluate", "Evaluate another policy on a log, or refuse and say why."),
    "scenario": Entry("oo_sim.cli.scenario", "Check, show and list scenario files."),
    "audit": Entry("oo_sim.cli.audit", "Derive a log's decisions again, and find the first that is wrong."),
    "gate": Entry("oo_sim.cli.gate", "Detect regressions and incorrect decisions in CI."),
    "generate": Entry("oo_sim.cli.generate", "Ask a gateway (mock, live, cassette) for tips: what are they worth?"),
    "rescore": Entry("oo_sim.cli.generate", "Score a tip bank again under another parser or fewer retries."),
    "import": Entry("oo_sim.cli.import_tasks", "Read a person's own tasks, as contexts and as a scenario."),
    "label": Entry("oo_sim.cli.label", "Label pairs of tips by hand, on a page of this machine."),
    "fit-appeal": Entry("oo_sim.cli.fit_appeal", "Learn what tips are worth from reactions to them."),
    "gateway": Entry("oo_sim.cli.generate", "Serve the mock LiteLLM gateway over HTTP."),
    "serve": Entry("oo_sim.cli.serve", "Serve policies over HTTP, losing nothing."),
    "export-log": Entry("oo_sim.cli.serve", "Write a server's log as a run's event tables."),
    "migrate": Entry("oo_sim.cli.serve", "Rebuild a server's states for changed policies."),
    "bench": Entry("oo_sim.cli.bench", "Measure decisions per second."),
}
"""Every command; one whose module is not there is left out."""

_EXTRAS = {
    "fastapi": "serve",
    "starlette": "serve",
    "uvicorn": "serve",
    "httptools": "serve",
    "prometheus_client": "serve",
    "dask": "dask",
    "distributed": "dask",
}
"""What a slim installation leaves out, and the extra that brings it."""

INVALID = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
TERMINATED = 143  # 128 + SIGTERM
PIPE_CLOSED = 141  # 128 + SIGPIPE


class Commands(TyperGroup):
    """A group that imports a command's module when the command is called, and ends errors well."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of the commands, for the help."""
        return [name for name, entry in COMMANDS.items() if importlib.util.find_spec(entry.module)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A stand-in that knows its help alone; `resolve_command` finds the command itself."""
        return TyperCommand(cmd_name, help=COMMANDS[cmd_name].help) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is called, with its arguments."""
        name, known = args[0], self.list_commands(ctx)
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"There are {', '.join(known)}."
            ctx.fail(f"No such command {name!r}. {hint}")
        return name, _load(name), args[1:]

    def invoke(self, ctx: Any) -> Any:
        """Call the command. Known errors are one message and their own exit code; Ctrl-C ends with 130."""
        try:
            with stoppable():
                result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except TerminatedError:
            typer.echo("Stopped: terminated.", err=True)
            raise typer.Exit(TERMINATED) from None
        except KeyboardInterrupt:
            typer.echo("Stopped: interrupted.", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            _forget_output()
            raise typer.Exit(PIPE_CLOSED) from None
        except ModuleNotFoundError as error:
            if (extra := _EXTRAS.get(error.name or "")) is None:
                raise
            typer.echo(f"this requires {error.name}, which is not installed: pip install 'oo-sim[{extra}]'", err=True)
            raise typer.Exit(INVALID) from None
        except OSError as error:
            raise typer.Exit(_unwritable(error)) from None
        except OoSimError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(error.exit_code) from None


def _forget_output() -> None:
    """Whatever is left in the buffer goes nowhere, or the interpreter would complain at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unwritable(error: OSError) -> int:
    """Say what a full disk, or a directory that cannot be written, is about; returns the exit code."""
    _forget_output()
    typer.echo(f"{error.filename or 'output'}: {error.strerror or error}", err=True)
    return INVALID


def _load(name: str) -> Any:
    command = typer.main.get_command(importlib.import_module(COMMANDS[name].module).app)
    return getattr(command, "commands", {}).get(name, command)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 all well, 1 a policy failed (gate check: regressed), 2 usage or invalid input, 3 and 4 gate "
    "check: inconclusive, not comparable, 5 audit and gate check: an incorrect decision, 130 interrupted.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"oo-sim {__version__}")
        raise typer.Exit


@app.callback()
def _oo_sim(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Simulate, compare and serve bandit recommenders."""


def main() -> None:
    """The command `oo-sim`."""
    try:
        app(prog_name="oo-sim")
    except OSError as error:  # while the help was printed
        sys.exit(_unwritable(error))
