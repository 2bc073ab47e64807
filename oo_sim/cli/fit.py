"""`oo-sim fit`: learn a scenario from a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

import oo_sim
from oo_sim.cli.printing import Json, check_out, print_result

if TYPE_CHECKING:
    from oo_sim.fitting.search import Step

app = typer.Typer(add_completion=False)

_ITERATIONS = 40  # of a climb, at most


@app.command()
def fit(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="A run directory with events, or a served export.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The scenario file to write, such as mine.yaml.")],
    segments: Annotated[str, typer.Option(help="How many segments of people: auto tries 1 to 4.")] = "auto",
    logged: Annotated[str | None, typer.Option(help="The policy whose decisions are read.", metavar="LABEL")] = None,
    hold_out: Annotated[float, typer.Option(help="The share of users and of last rounds kept back to check.")] = 0.25,
    starts: Annotated[int, typer.Option(help="How many starts for each number of segments.")] = 5,
    seed: Annotated[int, typer.Option(help="The seed of the starts and of the choice of users kept back.")] = 0,
    terms: Annotated[str, typer.Option(help="oo5, oo7, oo7x, or terms with commas between.")] = "oo7x",
    anyway: Annotated[bool, typer.Option("--anyway", help="Fit also where preferences seem to drift.")] = False,
    as_json: Json = False,
) -> None:
    """Learn a scenario of the people in a log, say how well it predicts people it has not seen, and where not to
    believe it.

    Writes the scenario (mine.yaml) and, beside it, what is known of each of its numbers (mine.fit.json).

    Example: oo-sim fit runs/quickstart-1 --logged egreedy -o mine.yaml
    """
    check_out(out, (".yaml", ".yml"))
    with _watched() as (told, stage):
        found = oo_sim.fit(
            log,
            segments=segments,
            logged=logged,
            hold_out=hold_out,
            starts=starts,
            seed=seed,
            terms=terms,
            anyway=anyway,
            name=_name(out),
            told=told,
            stage=stage,
        )
    scenario = found.save(out)
    print_result(found, as_json=as_json)
    if not as_json:
        typer.echo(f"\nWrote {scenario} and {oo_sim.fitting.beside(scenario)}.")


@contextmanager
def _watched() -> Iterator[tuple[Callable[[Step], None], Callable[[str], None]]]:
    """A bar of starts and iterations on a terminal, and what is done now; elsewhere nothing."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading the log", total=None)

        def told(at: Step) -> None:
            done = at.climb + min(at.iterations, _ITERATIONS) / _ITERATIONS
            what = f"{at.segments} segments, start {at.start + 1} of {at.starts}, iteration {at.iterations}"
            bar.update(task, total=at.climbs, completed=done, description=f"{what}, {at.log_likelihood:,.1f}")

        yield told, lambda what: bar.update(task, description=what)


def _name(out: Path) -> str:
    """The scenario's name: the file's, as far as names go."""
    word = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "-" for c in out.stem.lower())
    return word[:64] or "fitted"
