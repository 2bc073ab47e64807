"""What several commands do with their results: print them at a readable width or in another form, draw them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console, RenderableType

import oo_sim

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from oo_sim.results.result import Result

_FILE_WIDTH = 100
"""Columns of what goes to a file or a pipe, which has no width of its own; COLUMNS says otherwise."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table, with all digits.")]
Latex = Annotated[bool, typer.Option("--latex", help="Print a LaTeX table (booktabs).")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")]


def whole(text: str | int) -> int:
    """A whole number as people write it: 1000, 1e3, 1_000, 1,000; a default, which is one already, too."""
    try:
        value = float(str(text).replace(",", "").replace("_", ""))
        if value == int(value):
            return int(value)
    except (ValueError, OverflowError):
        pass
    raise typer.BadParameter(f"{text!r} is not a whole number, such as 1000 or 1e3")


class Style(StrEnum):
    """What a figure is for."""

    screen = "screen"
    paper = "paper"
    paper2 = "paper2"


FigureStyle = Annotated[
    Style, typer.Option("--style", help="For the screen, or 3.3 (paper) or 6.9 inches (paper2) wide for a paper.")
]


def console_width() -> int | None:
    """The width to print at; None where the terminal knows, or COLUMNS says."""
    return None if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit() else _FILE_WIDTH


def print_rich(renderable: RenderableType) -> None:
    """Print tables and text to stdout."""
    console = Console(width=console_width(), highlight=False)
    with console.capture() as text:  # rich itself would end the process when the pipe is closed
        console.print(renderable)
    typer.echo("\n".join(line.rstrip() for line in text.get().split("\n")), nl=False)


def print_json(value: Any) -> None:
    """Print plain data to stdout."""
    typer.echo(json.dumps(value, indent=2, allow_nan=False))


def print_result(
    result: Result, *, as_json: bool = False, csv: bool = False, latex: bool = False, markdown: bool = False
) -> None:
    """Print a result in the form that was asked for."""
    if as_json:
        print_json(result.as_dict())
    elif csv:
        typer.echo(result.frame().to_csv(index=False), nl=False)
    elif latex or markdown:
        typer.echo(result.table().latex() if latex else result.table().markdown(), nl=False)
    else:
        print_rich(result.table())


def check_out(out: Path | None, endings: Sequence[str] = (".png", ".pdf", ".svg"), *, option: str = "--out") -> None:
    """Refuse, before any work is done, a file of another kind, or in no directory, or where nothing can be written."""
    if out is None:
        return
    if out.suffix.lower() not in endings:
        raise typer.BadParameter(f"{out} must end in {', '.join(endings)}", param_hint=option)
    if not out.parent.is_dir():
        raise typer.BadParameter(f"{out}: there is no directory {out.parent}", param_hint=option)
    if out.is_dir():
        raise typer.BadParameter(f"{out} is a directory; a file is expected", param_hint=option)
    if not os.access(out.parent, os.W_OK | os.X_OK):
        raise typer.BadParameter(f"{out}: nothing can be written in {out.parent}", param_hint=option)


def check_style(style: Style, *figures: Path | None, option: str = "--out") -> None:
    """Refuse a style for the figure where none is drawn."""
    if style is not Style.screen and not any(figures):
        raise typer.BadParameter(f"is that of a figure: name its file with {option}", param_hint="--style")


def check_forms(**forms: bool) -> None:
    """Refuse, before any work is done, to print in several forms."""
    if len(given := [f"--{name}" for name, wanted in forms.items() if wanted]) > 1:
        raise typer.BadParameter(f"only one of {', '.join(given[:-1])} and {given[-1]} can be printed")


def leave_out(option: str, wanted: object, why: str, **others: object) -> None:
    """Refuse `option`, where it is `wanted`, together with any of `others`, of which it says `why`."""
    names = [f"--{name.replace('_', '-')}" for name, value in others.items() if value]
    if wanted and names:
        raise typer.BadParameter(f"{why}; leave out {', '.join(names)}", param_hint=option)


def draw(figure: Figure, out: Path, *, quiet: bool) -> None:
    """Write a figure, and say where."""
    oo_sim.figures.save(figure, out)
    if not quiet:
        typer.echo(f"Figure: {out}")
