"""Where results reach the room that draws them. It stands above this one and needs matplotlib, so it is named here
alone, and imported when the first figure is asked for (as pandas finds what draws its plots)."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure(result: object, kind: str, **options: Any) -> Figure:
    """The figure of a result; see `oo_sim.figures.figure`."""
    drawn: Figure = _room().figure(result, kind, **options)
    return drawn


def png(figure: Figure) -> bytes:
    """The figure as PNG."""
    content: bytes = _room().png(figure)
    return content


def save(figure: Figure, path: Path) -> None:
    """Write the figure into a file. Raises `RunLogError` when it cannot be written."""
    _room().save(figure, path)


def _room() -> Any:
    return importlib.import_module("oo_sim.figures")
