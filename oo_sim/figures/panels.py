"""Parts of figures: bare panels, forest plots of intervals, and lines with bands."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from oo_sim.contract import F64
from oo_sim.figures.style import FAINT, FONT, GRID, INK
from oo_sim.stats import Interval

DPI = 150
_MARKED, _ZERO = "#0072B2", "#757575"


class ForestRow(NamedTuple):
    """A labelled interval, its numbers in words, and whether it stands out."""

    label: str
    interval: Interval
    text: str
    marked: bool = False


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
            return f"{value / divisor:g}{letter}"
    return f"{value:g}"


def text_width(texts: Sequence[str], font: float = FONT) -> float:
    """The width in inches of the longest line of some texts."""
    properties = FontProperties(size=font)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        rows = [row for text in texts for row in text.split("\n")]
        points = [text_to_path.get_text_width_height_descent(row, properties, False)[0] for row in rows]
    return max(points, default=0.0) / 72


def forest(axes: Axes, rows: Sequence[ForestRow], *, zero: bool) -> None:
    """One interval below the other, names at the left, numbers at the right; marked ones are filled."""
    for place, row in enumerate(rows):
        estimate, lower, upper, _ = row.interval
        color = _MARKED if row.marked else _ZERO
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
