"""Small multiples: panels of one size side by side, below a heading, with room for names at the right of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from oo_sim.figures.panels import Sheet, text_width
from oo_sim.figures.style import FONT

_EDGE, _HEAD, _AXIS, _TITLE, _FOOT = 0.25, 0.5, 0.75, 0.38, 0.55  # inches, as all below


class Shape(NamedTuple):
    """Panels a row at most, a panel's width and height, and the room at its right."""

    columns: int = 3
    width: float = 3.0
    height: float = 2.3
    right: float = 0.25


def multiples(title: str, note: str, panels: int, shape: Shape, below: float = 0.0) -> tuple[Figure, list[Axes]]:
    """A figure with a heading and that many bare panels; `below` is room under the heading, such as for a key.

    A note that is wider than the panels makes the figure wider.
    """
    columns = min(shape.columns, panels)
    rows = -(-panels // max(columns, 1))
    step = _AXIS + shape.width + shape.right
    width = max(2 * _EDGE + columns * step, 2 * _EDGE + text_width([note]), 2 * _EDGE + text_width([title], 15))
    each = _TITLE + shape.height + _FOOT
    sheet = Sheet(width, _EDGE + _HEAD + below + rows * each)
    sheet.text(_EDGE, _EDGE, title, title=True)
    sheet.text(_EDGE, _EDGE + 0.3, note)
    axes = []
    for i in range(panels):
        row, column = divmod(i, columns)
        left, top = _EDGE + _AXIS + column * step, _EDGE + _HEAD + below + row * each + _TITLE
        axes.append(sheet.axes(left, top, shape.width, shape.height))
    return sheet.figure, axes


def end_room(names: Sequence[str]) -> float:
    """The room that names at the ends of lines take, in inches."""
    return text_width(names, FONT) + 0.4
