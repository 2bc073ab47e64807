"""What several commands do with their results: print them at a readable width, and draw them into a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console, RenderableType

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FILE_WIDTH = 110  # columns of what goes to a file or a pipe, which has no width of its own


def print_rich(renderable: RenderableType) -> None:
    """Print tables and text to stdout."""
    console = Console(width=None if sys.stdout.isatty() else _FILE_WIDTH)
    with console.capture() as text:  # rich itself would end the process when the pipe is closed
        console.print(renderable)
    typer.echo("\n".join(line.rstrip() for line in text.get().split("\n")), nl=False)


def check_png(out: Path | None) -> None:
    """Refuse, before any work is done, a figure that is no PNG or has no directory."""
    if out is None:
        return
    if out.suffix.lower() != ".png":
        raise typer.BadParameter(f"{out} must end in .png", param_hint="--out")
    if not out.parent.is_dir():
        raise typer.BadParameter(f"{out}: there is no directory {out.parent}", param_hint="--out")


def draw(figure: Figure, out: Path, *, quiet: bool) -> None:
    """Write a figure, and say where."""
    from oo_sim.figures.curves import save_png  # noqa: PLC0415 (slow to import)

    save_png(figure, out)
    if not quiet:
        typer.echo(f"Figure: {out}")
