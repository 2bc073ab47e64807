"""The picture of an evaluation: estimates beside the logged value, users' weights, unsupported mass along the log."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from oo_sim.errors import EvaluationError
from oo_sim.figures.kit import ForestRow, Sheet, forest, text_width
from oo_sim.figures.style import FAINT, FONT, GRID, INK, looks
from oo_sim.logs import LoggedPolicy
from oo_sim.show import bracketed, count, number, plain
from oo_sim.studies import Evaluation

_NAME = 40
_EDGE, _HEAD, _ROW, _FOOT, _BODY, _NUMBERS, _PANEL, _GAP = 0.25, 0.85, 0.34, 0.65, 5.6, 2.1, 2.0, 0.9  # inches
_BINS = 40


def picture(found: Evaluation) -> Figure:
    """A forest of all estimates, and below it what the weights look like. Raises EvaluationError with nothing in it."""
    shown = [row for row in found.rows if np.isfinite(row.value.estimate)]
    if not shown:
        raise EvaluationError("there is nothing to draw: nothing could be estimated")
    own = next((row for row in shown if row.as_ == "logged"), None)
    names = [f"{plain(row.policy, _NAME)}, {row.estimator}" for row in shown]
    left = _EDGE + text_width(names) + 0.25
    lower = bool(found.health)
    height = _EDGE + _HEAD + _ROW * len(shown) + _FOOT + (_GAP + _PANEL + _FOOT if lower else 0.0)
    sheet = Sheet(left + _BODY + _NUMBERS, height)
    sheet.text(_EDGE, _EDGE, f"logged by {plain(found.logged, 60)}", title=True)
    sheet.text(
        _EDGE, _EDGE + 0.3, f"{found.as_}; {count(found.part.users, 'user')}, {count(found.decisions, 'decision')}"
    )
    axes = sheet.axes(left, _EDGE + _HEAD, _BODY, _ROW * len(shown))
    rows = []
    for name, row in zip(names, shown, strict=True):
        bounded = np.isfinite(row.value.lower)
        words = bracketed(row.value) if bounded else number(row.value.estimate, 3)
        rows.append(ForestRow(name, row.value, words, row.verdict == "answered" and bounded))
    forest(axes, rows, zero=False)
    if own is not None:
        axes.axvline(own.value.estimate, color=INK, linewidth=1.0, linestyle=(0, (2, 2)), zorder=0)
    axes.set_xlabel(
        "value per decision; 95 % over users; filled: answered; dashed: as logged", fontsize=FONT, color=FAINT
    )
    if lower:
        _weights(sheet, found, _EDGE + _HEAD + _ROW * len(shown) + _FOOT + _GAP)
    return sheet.figure


def _weights(sheet: Sheet, found: Evaluation, top: float) -> None:
    style = looks([LoggedPolicy(each.policy, each.policy) for each in found.health])
    width = (sheet.width - 3 * _EDGE - 1.0) / 2
    left, right = (sheet.axes(_EDGE + 0.5 + i * (width + _EDGE + 0.5), top, width - 0.2, _PANEL) for i in (0, 1))
    most = max(float(each.weights.max(initial=1.0)) for each in found.health)
    edges = np.linspace(0.0, max(most, 2.0), _BINS + 1)
    times = (np.arange(len(found.health[0].over_time)) + 0.5) / len(found.health[0].over_time)
    for each in found.health:
        look = style[each.policy]
        heights, _ = np.histogram(each.weights, edges)
        name = plain(each.policy, _NAME)
        left.stairs(heights, edges, color=look.color, linestyle=look.dashes, linewidth=look.width, label=name)
        right.plot(times, each.over_time, color=look.color, linestyle=look.dashes, linewidth=look.width)
    left.axvline(1.0, color=INK, linewidth=1.0, linestyle=(0, (2, 2)), zorder=0)
    right.set_xlim(0.0, 1.0)
    right.set_ylim(bottom=0.0)
    for axes, title, foot in (
        (left, "Users by their mean weight; the mean should be 1", "mean weight"),
        (right, "Unsupported mass", "share of the log, from its start"),
    ):
        axes.set_title(title, loc="left", fontsize=FONT, color=INK, pad=5)
        axes.set_xlabel(foot, fontsize=FONT, color=FAINT)
        axes.grid(axis="y", color=GRID, linewidth=0.8)
    legend = left.legend(fontsize=FONT - 1, frameon=False, loc="upper right")
    for text in legend.get_texts():
        text.set_parse_math(False)
