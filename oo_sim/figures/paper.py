"""Figures for a paper: as wide as one column (3.3 inches) or two (6.9), in type that survives it, one key for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from oo_sim.errors import ComparisonError
from oo_sim.figures.kit import NAME, finish, text_width
from oo_sim.figures.style import INK, Look, looks
from oo_sim.results import Run
from oo_sim.results.result import Result
from oo_sim.results.segments import segment_lines, segments
from oo_sim.results.series import Line, regret_lines, reward_lines
from oo_sim.show import plain
from oo_sim.studies import Comparison

WIDTHS: Mapping[str, float] = {"paper": 3.3, "paper2": 6.9}
"""Inches."""
_FONT = 7.0  # points: what journals ask for at least
_TICKS, _TITLE, _FOOT, _KEY, _PANEL = 0.42, 0.24, 0.36, 0.15, 1.15  # inches; a panel's height is that of one column


class Panel(NamedTuple):
    """One panel: its title, what is along x, its lines, and whether its axes are logarithmic."""

    title: str
    x: str
    lines: Sequence[Line]
    log_x: bool = True
    log_y: bool = False


def paper_figure(result: Result, kind: str, style: str) -> Figure:
    """The figure of a result at the width of `style`. Raises `ValueError` for kinds that have none for a paper."""
    if style not in WIDTHS:
        raise ValueError(f"there is no style {style!r}; there are screen, {', '.join(WIDTHS)}")
    width = WIDTHS[style]
    if isinstance(result, Comparison) and kind == "difference":
        return _forest(result, width)
    if isinstance(result, Run) and kind in ("curves", "loglog", "segments"):
        return curves_for_paper([result], kind, width)
    raise ValueError(f"{kind} has no figure for a paper; curves, loglog, segments and difference have")


def curves_for_paper(runs: Sequence[Run], kind: str, width: float) -> Figure:
    """The panels of some runs, two side by side, below each other as many as there are, and one key below all."""
    panels = [panel for run in runs for panel in _panels(run, kind, several=len(runs) > 1)]
    policies = list({policy.label: policy for run in runs for policy in run.manifest.policies}.values())
    style = looks(policies)
    names = [plain(policy.label, NAME) for policy in policies]
    columns = 1 if len(panels) == 1 else 2
    rows = -(-len(panels) // columns)
    each = text_width(names, _FONT) + 0.45
    across = max(1, min(len(names), int(width / each)))
    key = _KEY * -(-len(names) // across) + 0.06
    scale = min(1.6, width / 3.3)
    row = _TITLE + _PANEL * scale + _FOOT
    height = rows * row + key
    figure = Figure(figsize=(width, height), dpi=300, facecolor="white")
    FigureCanvasAgg(figure)
    step = width / columns
    for i, panel in enumerate(panels):
        down, right = divmod(i, columns)
        box = (
            (right * step + _TICKS) / width,
            (height - down * row - _TITLE - _PANEL * scale) / height,
            (step - _TICKS - 0.1) / width,
            _PANEL * scale / height,
        )
        _draw(figure.add_axes(box), panel, style)
    handles = [_handle(style[policy.label]) for policy in policies]
    legend = figure.legend(handles, names, loc="lower center", ncols=across, frameon=False, fontsize=_FONT)
    legend.set(bbox_to_anchor=(0.5, 0.0))
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def _panels(run: Run, kind: str, *, several: bool) -> list[Panel]:
    facts, name = run.manifest, f"{plain(run.manifest.name, 18)}: " if several else ""
    if kind == "segments":
        return [Panel(plain(each, 24), "round", segment_lines(run, each)) for each in segments(run)]
    regret = regret_lines(facts, run.curves, run.users)
    if kind == "loglog":
        return [Panel("Regret per user", "round", regret, log_y=True)]
    return [
        Panel(f"{name}reward", "round", reward_lines(facts, run.curves, run.users)),
        Panel(f"{name}regret", "round", regret, log_x=False),
    ]


def _draw(axes: Axes, panel: Panel, style: Mapping[str, Look]) -> None:
    for line in panel.lines:
        look = style[line.label]
        axes.plot(line.x, line.y, color=look.color, linestyle=look.dashes, linewidth=0.9)
        axes.fill_between(line.x, line.y - line.half, line.y + line.half, color=look.color, alpha=0.15, linewidth=0)
        marks = sorted({int(i) for i in np.linspace(0, len(line.x) - 1, 5)}) if len(line.x) else []
        axes.plot(line.x[marks], line.y[marks], look.marker or " ", color=look.color, markersize=2.4)
    if panel.log_x:
        axes.update_datalim([(1.0, 0.0)], updatey=False)
        axes.set_xscale("log")
    if panel.log_y and any((line.y > 0).any() for line in panel.lines):
        axes.set_yscale("log", nonpositive="mask")
    finish(axes)
    if not panel.log_y:
        axes.yaxis.set_major_locator(MaxNLocator(4))
    if not panel.log_x:
        axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.tick_params(labelsize=_FONT - 0.5, length=2, pad=1.5)
    axes.set_title(panel.title, loc="left", fontsize=_FONT, color=INK, pad=3).set_parse_math(False)
    axes.set_xlabel(panel.x, fontsize=_FONT, color=INK, labelpad=1)


def _handle(look: Look) -> Line2D:
    handle = Line2D([], [], color=look.color, marker=look.marker or None, markersize=2.4, linewidth=0.9)
    handle.set_linestyle(look.dashes)  # type: ignore[arg-type]
    return handle


def _forest(comparison: Comparison, width: float) -> Figure:
    """Each difference with its interval, thin that for all pairs at once; names on two lines at the left."""
    if not comparison.pairs:
        raise ComparisonError("there is nothing to draw: no two policies have results")
    pairs, several = comparison.pairs, len(comparison.scenarios) > 1
    names = [
        (f"{plain(pair.scenario, 24)}: " if several else "")
        + f"{plain(pair.candidate, NAME)}\n\N{MINUS SIGN} {plain(pair.baseline, NAME)}"
        for pair in pairs
    ]
    left = min(text_width(names, _FONT) + 0.12, 0.6 * width)
    row = 0.27
    height = row * len(pairs) + 0.45
    figure = Figure(figsize=(width, height), dpi=300, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((left / width, 0.4 / height, (width - left - 0.1) / width, row * len(pairs) / height))
    for place, pair in enumerate(pairs):
        color = "#0072B2" if pair.sure else "#757575"
        for interval, thick in ((pair.simultaneous, 0.6), (pair.difference, 1.6)):
            if interval is not None and np.isfinite(interval.lower):
                axes.plot([interval.lower, interval.upper], [place, place], color=color, linewidth=thick)
        face = color if pair.sure else "white"
        axes.plot([pair.difference.estimate], [place], "o", color=color, markerfacecolor=face, markersize=3)
    axes.axvline(0.0, color=INK, linewidth=0.6, linestyle=(0, (2, 2)), zorder=0)
    axes.set_ylim(len(pairs) - 0.5, -0.5)
    finish(axes)
    axes.grid(visible=False)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_yticks(range(len(pairs)), names, fontsize=_FONT, linespacing=0.95)
    axes.tick_params(labelsize=_FONT - 0.5, length=2, pad=1.5)
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(
        "difference per decision, 95 %; thin: all pairs at once", fontsize=_FONT, color=INK, labelpad=1, loc="right"
    )
    return figure
