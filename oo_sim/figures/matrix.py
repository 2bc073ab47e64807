"""Every two policies at a glance: which surely earns more, the better ones first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from oo_sim.errors import ComparisonError
from oo_sim.figures.kit import Sheet, text_width
from oo_sim.figures.style import FAINT, FONT, INK
from oo_sim.show import plain, signed
from oo_sim.studies import Comparison, Pair

_CELL, _EDGE, _HEAD, _FOOT, _NAME = 0.72, 0.25, 0.75, 0.45, 34  # inches; characters of a name
_BETTER, _WORSE, _UNSURE = "#9ecae1", "#fdae6b", "#ffffff"
MOST = 20
"""The most policies that a scenario has in the matrix."""


def matrix_figure(comparison: Comparison) -> Figure:
    """A square per pair, one matrix a scenario: the row's policy minus the column's, coloured where that is sure for
    all pairs at once, hatched where it is not. Raises ComparisonError without pairs."""
    groups = [(title, pairs) for title, pairs in comparison.by_scenario() if pairs]
    if not groups:
        raise ComparisonError("there is nothing to draw: no two policies have results")
    orders = [ordered(pairs) for _, pairs in groups]
    names = text_width([plain(label, _NAME) for order in orders for label in order])
    width = 2 * _EDGE + names + 0.15 + _CELL * max(map(len, orders))
    heights = [_HEAD + names + 0.15 + _CELL * len(order) + _FOOT for order in orders]
    key = "row minus column, per decision; coloured: sure for all pairs at once, blue better, orange worse"
    sheet = Sheet(max(width, 2 * _EDGE + text_width([key, *(title for title, _ in groups)]) + 1.0), sum(heights))
    top = 0.0
    for (title, pairs), order, height in zip(groups, orders, heights, strict=True):
        heading, _, size = title.partition(": ")
        sheet.text(_EDGE, top + _EDGE, heading, title=True)
        sheet.text(_EDGE, top + _EDGE + 0.3, size)
        axes = sheet.axes(_EDGE + names + 0.15, top + _HEAD + names + 0.15, _CELL * len(order), _CELL * len(order))
        _matrix(axes, order, pairs)
        sheet.text(_EDGE, top + height - 0.3, key)
        top += height
    return sheet.figure


def ordered(pairs: Sequence[Pair]) -> list[str]:
    """The policies, the better ones first."""
    means: dict[str, float] = {}
    for pair in pairs:
        means[pair.baseline], means[pair.candidate] = pair.paired.baseline.estimate, pair.paired.candidate.estimate
    sign = 1.0 if pairs[0].metric == "regret" else -1.0
    return sorted(means, key=lambda label: sign * means[label])[:MOST]


def squares(order: Sequence[str], pairs: Sequence[Pair]) -> Iterator[tuple[tuple[int, int], float, str, bool]]:
    """Each square: its row and column, the row's policy minus the column's, its colour, and whether it is not sure."""
    place = {label: i for i, label in enumerate(order)}
    for pair in pairs:
        if pair.baseline not in place or pair.candidate not in place:
            continue
        for row, column, turn in ((pair.candidate, pair.baseline, 1.0), (pair.baseline, pair.candidate, -1.0)):
            difference = turn * pair.difference.estimate
            better = (difference < 0) if pair.metric == "regret" else (difference > 0)
            color = _UNSURE if not pair.sure else _BETTER if better else _WORSE
            yield (place[row], place[column]), difference, color, not pair.sure


def _matrix(axes: Axes, order: Sequence[str], pairs: Sequence[Pair]) -> None:
    for (y, x), difference, color, open_ in squares(order, pairs):
        hatch = "////" if open_ else ""
        square = Rectangle((x, y), 1, 1, facecolor=color, edgecolor="#c8c8c8", hatch=hatch, linewidth=0.6)
        axes.add_patch(square)
        text = axes.text(x + 0.5, y + 0.5, signed(difference, 3), ha="center", va="center")
        text.set(parse_math=False, fontsize=FONT - 1, color=FAINT if open_ else INK)
        if open_:
            text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.0})
    ends = np.arange(len(order)) + 0.5
    names = [plain(label, _NAME) for label in order]
    axes.set(xlim=(0, len(order)), ylim=(len(order), 0))
    axes.set_yticks(ends, names)
    axes.set_xticks(ends, names, rotation=90)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_parse_math(False)
    axes.spines[:].set_visible(False)
