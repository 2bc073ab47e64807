"""`oo-sim import`: a person's own tasks, as contexts for a generator and as the tasks of a scenario."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
import yaml

import oo_sim
from oo_sim import generator
from oo_sim.cli.tips import input_errors
from oo_sim.errors import GeneratorInputError

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Read tasks from elsewhere.")


@app.callback()
def _import() -> None:
    """Read tasks from elsewhere."""


@app.command()
def todoist(
    export: Annotated[
        Path | None,
        typer.Argument(metavar="[EXPORT]", help="A file exported from Todoist. Default: the account."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The contexts.")] = Path("contexts.jsonl"),
    hour: Annotated[
        list[int] | None,
        typer.Option(min=0, max=23, help="An hour of today to make a context for. Repeatable."),
    ] = None,
    scenario: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a scenario with these tasks too.")
    ] = None,
    no_titles: Annotated[bool, typer.Option("--no-titles", help="Leave the titles out.")] = False,
    url: Annotated[str, typer.Option(metavar="URL", help="Where the API is.")] = "https://api.todoist.com",
) -> None:
    """Read the open tasks of a Todoist account, or of an export, into contexts for `oo-sim generate`.

    The token comes from TODOIST_TOKEN alone. A token that is missing, expired or forbidden is said to be so, and ends
    with exit code 2.

    Example: oo-sim import todoist --hour 8 --hour 13 --hour 20 -o contexts.jsonl
    """
    with input_errors():
        account = generator.todoist.Account(url=url)
        todos = generator.todoist.read_export(export) if export else account.tasks()
        now = datetime.now().astimezone()
        moments = [now.replace(hour=each, minute=0, second=0, microsecond=0) for each in hour or [now.hour]]
        weekly = generator.todoist.arrivals(todos, now)
        pace = "" if weekly is None else f", {weekly:.1f} of them a week new"
        files = {out: generator.todoist.contexts(todos, moments, titles=not no_titles)}
        if scenario is not None:
            data = oo_sim.load_scenario("llm_tips").canonical() | {
                "name": "todoist",
                "description": f"{len(todos)} open tasks of a Todoist account{pace}.",
            }
            data["world"] = data["world"] | {"tasks": generator.todoist.task_pool(todos, now, titles=not no_titles)}
            files[scenario] = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)
        for path, text in files.items():
            try:
                path.write_text(text, "utf-8")
            except OSError as error:
                raise GeneratorInputError(f"{path}: cannot be written: {error.strerror}") from None
        typer.echo(f"{len(todos)} tasks{pace}: {len(moments)} contexts in {out}")
