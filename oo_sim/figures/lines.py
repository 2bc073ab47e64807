"""Draws policies' lines with their bands, and finishes a panel the way all figures have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from oo_sim.figures.panels import short_number
from oo_sim.figures.style import FAINT, FONT, GRID, INK, Look
from oo_sim.results.series import Line
from oo_sim.show.text import plain

NAME = 34
"""Characters of a policy's name that are shown."""


def draw_lines(axes: Axes, lines: Sequence[Line], style: Mapping[str, Look]) -> None:
    """Each line in its policy's look, with its band where it has one."""
    for line in lines:
        look = style[line.label]
        axes.plot(
            line.x,
            line.y,
            color=look.color,
            linestyle=look.dashes,
            linewidth=look.width,
            marker=look.marker,
            markevery=_marks(len(line.x)),
            markersize=4.5,
            label=plain(line.label, NAME),
        )
        axes.fill_between(line.x, line.y - line.half, line.y + line.half, color=look.color, alpha=0.16, linewidth=0)


def _marks(points: int) -> list[int]:
    """Up to eight places of a line's points for its markers, evenly spread, the last point among them."""
    return sorted({int(i) for i in np.linspace(points - 1, 0, min(9, points))[:-1]} | {points - 1})


def name_panel(axes: Axes, title: str, x: str) -> None:
    """A panel's title and what stands along x; never read as mathematics."""
    axes.set_title(title, loc="left", fontsize=FONT + 1.5, color=INK, pad=7).set_parse_math(False)
    axes.set_xlabel(x, fontsize=FONT, color=FAINT).set_parse_math(False)


def finish(axes: Axes) -> None:
    """Light axes, few ticks, short numbers."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", labelsize=FONT, labelcolor=INK, color=FAINT)
    if axes.get_xscale() == "linear":
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    else:
        axes.xaxis.set_major_locator(LogLocator(numticks=6))
    axes.xaxis.set_major_formatter(FuncFormatter(short_number))
    if axes.get_yscale() == "log":
        axes.yaxis.set_major_formatter(FuncFormatter(short_number))
    axes.minorticks_off()
    axes.margins(x=0.01)
