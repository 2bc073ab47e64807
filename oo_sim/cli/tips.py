"""What the commands about tips share: their options, errors, bars, and how they end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from socketserver import BaseServer
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from oo_sim.cli.printing import print_result
from oo_sim.errors import OoSimError

if TYPE_CHECKING:
    from oo_sim.studies.banks import Progress
    from oo_sim.studies.tips import Tips

INCOMPLETE = 1
"""The exit code where a gateway or a judge did not answer."""


class Parser(StrEnum):
    """The parser policies."""

    faithful = "faithful"
    lenient = "lenient"


ParserOption = Annotated[Parser, typer.Option(help="faithful: the contract; lenient: lossless repairs too.")]
Salvage = Annotated[bool, typer.Option("--salvage", help="With lenient: keep the whole items of a cut array.")]
JudgeOption = Annotated[
    Path | None, typer.Option(metavar="TIPS", help="Let the judge model compare with this tip bank, both orders.")
]
JudgeAlias = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="The judge's alias at the gateway. Repeatable. Default: judge.")
]
Labels = Annotated[
    Path | None, typer.Option(metavar="FILE", help="With --judge: people's labels of its pairs, CSV or JSON lines.")
]
RubricOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Let the judge grade tips on the criteria of this YAML file.")
]
EmbedOption = Annotated[bool, typer.Option("--embed", help="Measure similarity with the embedder model.")]
GatewayOption = Annotated[
    str, typer.Option(metavar="GATEWAY", help="mock, mock:PROFILE, live (LITELLM_URL), a URL, or cassette:FILE.")
]
RecordOption = Annotated[Path | None, typer.Option(metavar="FILE", help="Record a live gateway to a new cassette.")]
GoOn = Annotated[bool, typer.Option("--continue", help="With --record: replay what the cassette has, record the rest.")]
ReplayFailures = Annotated[bool, typer.Option("--replay-failures", help="Replay a cassette's failures too.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="The mock gateway's seed.")]
Concurrency = Annotated[int, typer.Option(min=1, max=256, help="Calls at once; results do not depend on it.")]
Prices = Annotated[Path | None, typer.Option(metavar="FILE", help="What a million tokens cost: adds the cost of tips.")]


@contextmanager
def input_errors() -> Iterator[None]:
    """Ends with one message, free of what a terminal would obey, where the input is to blame or work was given up."""
    try:
        yield
    except OoSimError as error:
        typer.echo(shown(str(error)), err=True)
        raise typer.Exit(error.exit_code) from None


def checked(salvage: bool, parser: Parser) -> bool:
    """Whether to salvage; raises `typer.BadParameter` where the parser does not."""
    if salvage and parser is not Parser.lenient:
        raise typer.BadParameter("--salvage requires --parser lenient")
    return salvage


@contextmanager
def bars() -> Iterator[Progress]:
    """A bar on stderr for each thing that is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def hear(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(shown(what), total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield hear


def serve_until_stopped(server: BaseServer, first: str, last: Callable[[], str]) -> None:
    """Serve, with a first line that says where, until Ctrl-C or SIGTERM, and then say how it was left."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        typer.echo(first)
        sys.stdout.flush()
        server.serve_forever()
    except KeyboardInterrupt:
        typer.echo(last(), err=True)


def end(found: Tips, *, as_json: bool, csv: bool, latex: bool, markdown: bool) -> None:
    """Print what tips are worth, and end with exit code 1 where something of it did not come."""
    for note in found.notes:
        typer.echo(shown(note), err=True)
    if found.parts:
        print_result(found.sound(), as_json=as_json, csv=csv, latex=latex, markdown=markdown)
    for problem in found.problems:
        typer.echo(shown(problem), err=True)
    if found.problems:
        raise typer.Exit(INCOMPLETE)


def shown(text: str) -> str:
    """The text with whatever a terminal might obey made visible."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape", "replace").decode() for char in text)
