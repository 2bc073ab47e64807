"""The plotting kit: sheets in inches, bare panels, small multiples, lines with bands, forest plots of intervals.

Nothing uses pyplot, and no text from files is read as mathematics.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from oo_sim.contract import F64
from oo_sim.figures.style import FAINT, FONT, GRID, INK, Look
from oo_sim.results.result import write_whole
from oo_sim.results.series import Line
from oo_sim.show import plain
from oo_sim.show.text import MINUS
from oo_sim.stats import Interval

DPI = 150
NAME = 34
"""Characters of a policy's name that are shown."""
_MARKED, _ZERO = "#0072B2", "#757575"
_EDGE, _HEAD, _AXIS, _TITLE, _FOOT = 0.25, 0.5, 0.75, 0.38, 0.55  # inches, of small multiples


class ForestRow(NamedTuple):
    """A labelled interval, its numbers in words, whether it stands out, and a wider interval drawn thin."""

    label: str
    interval: Interval
    text: str
    marked: bool = False
    outer: Interval | None = None


class BandLine(NamedTuple):
    """A curve y (m,) at x (m,) between lower and upper (m,)."""

    title: str
    x: F64
    y: F64
    lower: F64
    upper: F64


class Sheet:
    """A figure in inches: things are placed by their distance from its left and its top edge."""

    def __init__(self, width: float, height: float) -> None:
        self.figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
        FigureCanvasAgg(self.figure)
        self.width, self.height = width, height

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """A bare panel."""
        box = left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height
        axes = self.figure.add_axes(box)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(FAINT)
        axes.tick_params(which="both", labelsize=FONT, labelcolor=INK, color=FAINT)
        axes.set_axisbelow(True)
        return axes

    def text(self, left: float, top: float, words: str, *, title: bool = False) -> None:
        """A line of text whose top is there; never read as mathematics."""
        style = {"fontsize": 14, "fontweight": "bold", "color": INK} if title else {"fontsize": FONT, "color": FAINT}
        placed = self.figure.text(left / self.width, 1 - top / self.height, words, va="top")
        placed.set(parse_math=False, **style)


def short_number(value: float, _position: float | None = None) -> str:
    """A tick's number: 20000 is 20k, 3000000 is 3M."""
    for unit, divisor, letter in ((1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if abs(value) >= unit:
            return f"{value / divisor:g}{letter}".replace("-", MINUS)
    return f"{value:g}".replace("-", MINUS)


def text_width(texts: Sequence[str], font: float = FONT) -> float:
    """The width in inches of the longest line of some texts."""
    properties = FontProperties(size=font)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        rows = [row for text in texts for row in text.split("\n")]
        points = [text_to_path.get_text_width_height_descent(row, properties, False)[0] for row in rows]
    return max(points, default=0.0) / 72


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
            marker=look.marker or ("" if len(line.x) > 1 else "o"),
            markevery=_marks(len(line.x)),
            markersize=4.5,
            label=plain(line.label, NAME),
        )
        draw_half(axes, line, look)


def draw_half(axes: Axes, line: Line, look: Look) -> None:
    """A line's band; a bar, where its width is known at one place alone."""
    known = np.isfinite(line.half)
    if known.sum() == 1:
        x, y, half = line.x[known], line.y[known], line.half[known]
        axes.vlines(x, y - half, y + half, color=look.color, linewidth=look.width, alpha=0.6)
    else:
        axes.fill_between(line.x, line.y - line.half, line.y + line.half, color=look.color, alpha=0.16, linewidth=0)


def half_in_words(lines: Sequence[Line], over: str = "users") -> str:
    """What is said of bands, or of bars, where there are any."""
    known = max((int(np.isfinite(line.half).sum()) for line in lines), default=0)
    return f"; {'band' if known > 1 else 'bar'}: 95 % over {over}" if known else ""


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


def forest(axes: Axes, rows: Sequence[ForestRow], *, zero: bool) -> None:
    """One interval below the other, names at the left, numbers at the right; marked ones are filled."""
    for place, row in enumerate(rows):
        estimate, lower, upper, _ = row.interval
        color = _MARKED if row.marked else _ZERO
        if row.outer is not None and np.isfinite(row.outer[1:3]).all():
            axes.plot(row.outer[1:3], [place, place], color=color, linewidth=0.9, solid_capstyle="butt")
        if np.isfinite([lower, upper]).all():
            axes.plot([lower, upper], [place, place], color=color, linewidth=2.2, solid_capstyle="butt")
        face = color if row.marked else "white"
        axes.plot([estimate], [place], "o", color=color, markerfacecolor=face, markersize=6, markeredgewidth=1.6)
        for x, words, side in ((-0.012, row.label, "right"), (1.015, row.text, "left")):
            text = axes.text(x, place, words, transform=axes.get_yaxis_transform(), ha=side, va="center")
            text.set(parse_math=False, fontsize=FONT, color=INK)
    if zero:
        axes.axvline(0.0, color=INK, linewidth=1.0, linestyle=(0, (2, 2)), zorder=0)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.margins(x=0.06)


def band_panel(axes: Axes, line: BandLine, *, bars: bool = False) -> None:
    """A curve with its band, or with a bar at each point, and 0, on a logarithmic axis of x; its name is above."""
    low, high = float(line.x.min()), float(line.x.max())
    margin = (high / low) ** 0.05 if high > low else 2.0
    axes.set_xscale("log")
    axes.set_xlim(low / margin, high * margin)
    if bars:
        axes.vlines(line.x, line.lower, line.upper, color=_MARKED, linewidth=2.2)
    else:
        axes.fill_between(line.x, line.lower, line.upper, color=_MARKED, alpha=0.2, linewidth=0)
    axes.plot(line.x, line.y, color=_MARKED, linewidth=1.0 if bars else 1.8, marker="o", markersize=3.5)
    axes.axhline(0.0, color=INK, linewidth=1.0, linestyle=(0, (2, 2)), zorder=0)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    few_ticks(axes, line.x)
    axes.set_title(line.title, loc="left", fontsize=FONT, color=INK, pad=5).set_parse_math(False)


def few_ticks(axes: Axes, x: F64) -> None:
    """Ticks of a logarithmic axis: powers of ten, or where less than two of them fit, the ends of `x`."""
    low, high = float(x.min()), float(x.max())
    powers = 10.0 ** np.arange(np.ceil(np.log10(low)), np.floor(np.log10(high)) + 1)
    axes.set_xticks(powers if len(powers) > 1 else sorted({low, high}))
    axes.minorticks_off()
    axes.xaxis.set_major_formatter(short_number)


def png(figure: Figure, dpi: float | None = None) -> bytes:
    """The figure as PNG, the same bytes for the same figure."""
    return content(figure, "png", dpi)


def content(figure: Figure, kind: str, dpi: float | None = None) -> bytes:
    """The figure as png, pdf or svg, without a date in it, at its own or another resolution."""
    buffer = io.BytesIO()
    options: dict[str, Any] = {"metadata": {"Date": None} if kind == "svg" else {"CreationDate": None}}
    if kind == "png":
        options = {"metadata": {"Software": None}, "pil_kwargs": {"optimize": True}}
    with warnings.catch_warnings(), rc_context({"svg.hashsalt": "oo-sim", "pdf.fonttype": 42, "svg.fonttype": "path"}):
        # A name in a script that the font lacks is drawn as boxes, which is no reason to warn or fail.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(buffer, format=kind, dpi=dpi or figure.dpi, **options)
    return buffer.getvalue()


def save(figure: Figure, path: Path) -> None:
    """Write the figure as PNG, PDF or SVG by the file's ending, whole or not at all; the same bytes for the same
    figure. Raises `RunLogError` when it cannot be written."""
    write_whole(path, content(figure, path.suffix.lower().removeprefix(".")))
