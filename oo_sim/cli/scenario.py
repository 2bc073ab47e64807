"""`oo-sim scenario`: check scenario files, show them with every default, list those shipped, print the schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer

import oo_sim
from oo_sim.cli.printing import print_rich
from oo_sim.cli.working import here

if TYPE_CHECKING:
    from oo_sim.scenario import Problem, Scenario

INVALID = 2
"""The exit code for invalid input."""

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Check, show and list scenario files.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


@app.command()
def validate(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Scenario files or shipped names.")],
    as_json: Json = False,
) -> None:
    """Print all that is wrong with each file (exit code 2 then), and warnings about what looks wrong.

    The policies are made as a run would make them: a private module is imported from here.

    Example: oo-sim scenario validate scenarios/quickstart.yaml
    """
    results = [_checked(file) for file in files]
    if as_json:
        _print_json([result for _, result in results])
    else:
        for text, _ in results:
            typer.echo(text)
    if not all(result["valid"] for _, result in results):
        raise typer.Exit(INVALID)


@app.command()
def show(
    scenario: Annotated[str, typer.Argument(metavar="FILE|NAME", help="A scenario file or shipped name.")],
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Under this name: a file of your own.")] = None,
    as_json: Json = False,
) -> None:
    """Print a scenario with every default resolved; what is printed is a scenario file again.

    Example: oo-sim scenario show quickstart --name mine > mine.yaml
    """
    loaded = _load(scenario)
    if name is not None:
        loaded = oo_sim.scenario.validate(loaded.canonical() | {"name": name}, oo_sim.scenario.Source("--name"))
    if as_json:
        _print_json(loaded.canonical() | {"content_hash": loaded.content_hash()})
        return
    typer.echo("\n".join(_lines(loaded.canonical())))
    typer.echo(f"# content hash: {loaded.content_hash()}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of scenario files, for editors.

    Example: oo-sim scenario schema > scenario.schema.json
    """
    _print_json(oo_sim.scenario.json_schema())


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the scenarios that ship with the package, and those in `scenarios` of [tool.oo-sim] in pyproject.toml.

    Example: oo-sim scenario list
    """
    own = here().scenarios
    shipped = oo_sim.scenario.shipped()
    names = [*shipped, *(str(path) for path in sorted(own.glob("*.yaml")))] if own else shipped
    found = [_load(name) for name in names]
    if as_json:
        keys = ("name", "description", "users", "rounds", "policies")
        _print_json([{key: each.canonical()[key] for key in keys} for each in found])
    else:
        _print_table(found)


def _load(name: str) -> Scenario:
    """The scenario, or the end of the command with all that is wrong on stderr."""
    try:
        return oo_sim.load_scenario(here().scenario(name))
    except oo_sim.ScenarioError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(INVALID) from None


class ProblemData(TypedDict):
    """A problem or a warning as plain data, with its place."""

    file: str
    path: str
    message: str
    line: int
    column: int


class Checked(TypedDict):
    """What validate says of one file, as plain data."""

    file: str
    valid: bool
    problems: list[ProblemData]
    warnings: list[ProblemData]


def _checked(name: str) -> tuple[str, Checked]:
    """What validate says of one file, as text and as data."""
    try:
        scenario = oo_sim.entrants.playable(oo_sim.scenario.opened(here().scenario(name)))
        warnings = oo_sim.scenario.lint(scenario)
    except oo_sim.ScenarioError as error:
        return str(error), {"file": name, "valid": False, "problems": _data(error.problems), "warnings": []}
    lines = [f"{oo_sim.scenario.plain(name)}: valid", *(f"warning: {warning}" for warning in warnings)]
    return "\n".join(lines), {"file": name, "valid": True, "problems": [], "warnings": _data(warnings)}


def _data(problems: Sequence[Problem]) -> list[ProblemData]:
    return [
        {"file": p.file, "path": p.where, "message": p.message, "line": p.position.line, "column": p.position.column}
        for p in problems
    ]


def _lines(value: Any, indent: str = "", lead: str = "") -> list[str]:
    """Plain data as YAML lines; a mapping or list of plain values takes one line."""
    if not isinstance(value, dict | list) or _is_flat(value):
        return [f"{indent}{lead}{oo_sim.scenario.plain(json.dumps(value, ensure_ascii=False))}"]
    lines = [f"{indent}{lead}".rstrip()] if lead else []
    deeper = f"{indent}  " if lead else indent
    pairs = [(f"{key}: ", value[key]) for key in value] if isinstance(value, dict) else [("- ", v) for v in value]
    for key, item in pairs:
        lines += _lines(item, deeper, key)
    return lines


def _is_flat(value: dict[str, Any] | list[Any]) -> bool:
    items = value.values() if isinstance(value, dict) else value
    return not any(isinstance(item, dict | list) for item in items)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, allow_nan=False))


def _print_table(found: list[Scenario]) -> None:
    headers = ("name", "description", "users", "rounds", "policies")
    cells = [(one.name, one.description, f"{one.users:,}", f"{one.rounds:,}", " ".join(one.policies)) for one in found]
    shown = [tuple(map(oo_sim.scenario.plain, row)) for row in cells]
    print_rich(oo_sim.show.Tables([oo_sim.show.Table(headers, shown, wordy=frozenset({1, 4}))]))
