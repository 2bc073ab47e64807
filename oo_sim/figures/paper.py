"""Figures for a paper: as wide as one column (3.3 inches) or two (6.9), in type that survives it, one key for all.

There are four layouts: panels side by side, intervals one below the other, rows of distributions, and squares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from oo_sim.contract import F64
from oo_sim.figures.kit import ForestRow, draw_half, finish, text_width
from oo_sim.figures.style import INK, Look
from oo_sim.results.series import Line

WIDTHS: Mapping[str, float] = {"paper": 3.3, "paper2": 6.9}
"""Inches."""
FONT = 7.0  # points: what journals ask for at least
_TICKS, _TITLE, _FOOT, _KEY, _PANEL = 0.42, 0.24, 0.36, 0.15, 1.15  # inches; a panel's height is that of one column
_LINE = 0.135  # inches of a line of text
_MARKED, _OPEN = "#0072B2", "#757575"


class Panel(NamedTuple):
    """One panel: its title, what is along x, and what draws it."""

    title: str
    x: str
    draw: Callable[[Axes], None]


class Square(NamedTuple):
    """What stands in a square, its colour, and whether it is hatched."""

    text: str
    color: str
    hatched: bool = False


def sheet(width: float, height: float) -> Figure:
    """An empty figure of that size in inches."""
    figure = Figure(figsize=(width, height), dpi=300, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def panels_figure(panels: Sequence[Panel], key: Mapping[str, Artist], width: float) -> Figure:
    """Panels, two side by side (four, where there are more and the page has two columns), and one key below all."""
    names = list(key)
    columns = 1 if len(panels) == 1 else 4 if len(panels) > 4 and width >= WIDTHS["paper2"] else 2
    rows = -(-len(panels) // columns)
    across = max(1, min(len(names), int(width / (text_width(names, FONT) + 0.45))))
    below = _KEY * -(-len(names) // across) + 0.06
    tall = _PANEL * min(1.6, width / WIDTHS["paper"] / max(1, columns / 2))
    row = _TITLE + tall + _FOOT
    height = rows * row + below
    figure = sheet(width, height)
    step = width / columns
    for i, panel in enumerate(panels):
        down, right = divmod(i, columns)
        left, bottom = right * step + _TICKS, height - down * row - _TITLE - tall
        axes = figure.add_axes((left / width, bottom / height, (step - _TICKS - 0.1) / width, tall / height))
        panel.draw(axes)
        axes.tick_params(labelsize=FONT - 0.5, length=2, pad=1.5)
        title = _cut(panel.title, step - _TICKS)
        axes.set_title(title, loc="left", fontsize=FONT, color=INK, pad=3).set_parse_math(False)
        axes.set_xlabel(panel.x, fontsize=FONT, color=INK, labelpad=1).set_parse_math(False)
    if names:
        handles = list(key.values())
        legend = figure.legend(handles, names, loc="lower center", ncols=across, frameon=False, fontsize=FONT)
        legend.set(bbox_to_anchor=(0.5, 0.0))
        for text in legend.get_texts():
            text.set_parse_math(False)
    return figure


def _cut(text: str, inches: float) -> str:
    """The text, cut with an ellipsis where it is wider."""
    while len(text) > 4 and text_width([text], FONT) > inches:
        text = text.removesuffix("\N{HORIZONTAL ELLIPSIS}")[:-1] + "\N{HORIZONTAL ELLIPSIS}"
    return text


def lines_in(
    lines: Sequence[Line], style: Mapping[str, Look], *, log_x: bool = True, log_y: bool = False
) -> Callable[[Axes], None]:
    """What draws lines with their bands."""

    def draw(axes: Axes) -> None:
        for line in lines:
            look = style[line.label]
            axes.plot(line.x, line.y, color=look.color, linestyle=look.dashes, linewidth=0.9)
            draw_half(axes, line, look._replace(width=0.9))
            marks = sorted({int(i) for i in np.linspace(0, len(line.x) - 1, 5)}) if len(line.x) else []
            axes.plot(
                line.x[marks],
                line.y[marks],
                look.marker or (" " if len(line.x) > 1 else "o"),
                color=look.color,
                markersize=2.4,
            )
        if log_x:
            axes.update_datalim([(1.0, 0.0)], updatey=False)
            axes.set_xscale("log")
        if log_y and any((line.y > 0).any() for line in lines):
            axes.set_yscale("log", nonpositive="mask")
        finish(axes)
        if not log_y:
            axes.yaxis.set_major_locator(MaxNLocator(4))
        if not log_x:
            axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))

    return draw


def handle(look: Look) -> Line2D:
    """How a line stands in the key."""
    made = Line2D([], [], color=look.color, marker=look.marker or None, markersize=2.4, linewidth=0.9)
    made.set_linestyle(look.dashes)  # type: ignore[arg-type]
    return made


def forest_figure(rows: Sequence[ForestRow], foot: str, width: float, *, zero: bool) -> Figure:
    """Each interval with its label at the left, thin where it holds for all at once; marked ones are filled."""
    names = [row.label for row in rows]
    left = min(text_width(names, FONT) + 0.12, 0.6 * width)
    row = _LINE * max(name.count("\n") + 1 for name in names) + 0.03
    figure, axes = _rows(len(rows), row, left, width)
    for place, each in enumerate(rows):
        color = _MARKED if each.marked else _OPEN
        for interval, thick in ((each.outer, 0.6), (each.interval, 1.6)):
            if interval is not None and np.isfinite(interval.lower):
                axes.plot([interval.lower, interval.upper], [place, place], color=color, linewidth=thick)
        face = color if each.marked else "white"
        axes.plot([each.interval.estimate], [place], "o", color=color, markerfacecolor=face, markersize=3)
    if zero:
        axes.axvline(0.0, color=INK, linewidth=0.6, linestyle=(0, (2, 2)), zorder=0)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    _named(axes, names, foot)
    return figure


def spread_figure(
    values: Mapping[str, F64], style: Mapping[str, Look], names: Sequence[str], foot: str, width: float
) -> Figure:
    """A row per policy: where its users lie, their middle 90 % and median, and the mean."""
    left = min(text_width(names, FONT) + 0.12, 0.5 * width)
    figure, axes = _rows(len(names), 0.36, left, width)
    together = np.concatenate([*values.values()])
    edges = np.linspace(together.min(), max(together.max(), together.min() + 1e-9), 41)
    for place, (label, own) in enumerate(values.items()):
        color, counts = style[label].color, np.histogram(own, edges)[0]
        heights = 0.6 * counts / max(counts.max(), 1)
        axes.stairs(place - heights, edges, baseline=place, fill=True, color=color, alpha=0.4)
        low, middle, high = np.quantile(own, [0.05, 0.5, 0.95])
        axes.plot([low, high], [place + 0.14] * 2, color=color, linewidth=0.9)
        axes.plot([middle], [place + 0.14], "|", color=color, markersize=5)
        axes.plot([own.mean()], [place + 0.14], "o", color=INK, markersize=2)
    axes.set_ylim(len(names) - 0.6, -0.7)
    _named(axes, names, foot)
    return figure


def squares_figure(
    rows: Sequence[str], columns: Sequence[str], squares: Mapping[tuple[int, int], Square], width: float
) -> Figure:
    """Squares of text; the names of the columns stand upright above them."""
    left, top = text_width(rows, FONT) + 0.12, text_width(columns, FONT) + 0.15
    left = min(left, 0.6 * width)
    across = min((width - left - 0.05) / len(columns), 0.9)
    down = min(across, 0.32)
    height = top + down * len(rows) + 0.05
    figure = sheet(width, height)
    body = (left / width, 0.05 / height, across * len(columns) / width, down * len(rows) / height)
    axes = figure.add_axes(body)
    for (y, x), square in squares.items():
        hatch = "////" if square.hatched else ""
        box = Rectangle((x, y), 1, 1, facecolor=square.color, edgecolor="#c8c8c8", linewidth=0.5, hatch=hatch)
        axes.add_patch(box)
        text = axes.text(x + 0.5, y + 0.5, square.text, ha="center", va="center", fontsize=FONT - 0.5, color=INK)
        text.set_parse_math(False)
        if square.hatched:
            text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.5})
    axes.set(xlim=(0, len(columns)), ylim=(len(rows), 0))
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows, fontsize=FONT)
    axes.set_xticks(np.arange(len(columns)) + 0.5, columns, fontsize=FONT, rotation=90)
    axes.xaxis.tick_top()
    axes.tick_params(length=0, pad=2)
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_parse_math(False)
    axes.spines[:].set_visible(False)
    return figure


def _rows(count: int, row: float, left: float, width: float) -> tuple[Figure, Axes]:
    """A figure of rows, with names at the left and an axis below."""
    height = row * count + 0.45
    figure = sheet(width, height)
    return figure, figure.add_axes((left / width, 0.4 / height, (width - left - 0.1) / width, row * count / height))


def _named(axes: Axes, names: Sequence[str], foot: str) -> None:
    limits = axes.get_ylim()
    finish(axes)
    axes.grid(visible=False)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_yticks(range(len(names)), names, fontsize=FONT, linespacing=0.95)
    axes.set_ylim(limits)
    axes.tick_params(labelsize=FONT - 0.5, length=2, pad=1.5)
    for label in axes.get_yticklabels():
        label.set(parse_math=False, fontsize=FONT)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(foot, fontsize=FONT, color=INK, labelpad=1, loc="right")
