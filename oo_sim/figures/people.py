"""The distribution over users: a policy that is good on average may still be bad for many."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from oo_sim.contract import F64
from oo_sim.figures.kit import NAME, Sheet, text_width
from oo_sim.figures.style import FAINT, FONT, GRID, INK, Look, looks
from oo_sim.results import Run
from oo_sim.results.summary import LEVEL, last_round, size, user_values
from oo_sim.show import number, plain
from oo_sim.stats import Interval, mean_interval

_EDGE, _HEAD, _ROW, _FOOT, _WIDTH = 0.25, 0.8, 0.62, 0.6, 6.0  # inches
_BINS = 50


class People(NamedTuple):
    """One policy: each user's mean expected reward per decision (n,), over all rounds and replicates."""

    label: str
    values: F64

    @property
    def mean(self) -> Interval:
        """The mean with its interval over users."""
        return mean_interval(self.values, LEVEL)


def people(run: Run) -> list[People]:
    """The users' values under each policy that has results, in order. Raises `RunLogError` where there are no
    rows by user."""
    means = user_values(last_round(run.require_users()), ["policy"])["reward"]
    known = means.index.get_level_values("policy").unique()
    return [People(label, means.loc[label].to_numpy()) for label in run.manifest.labels if label in known]


def users_figure(run: Run) -> Figure:
    """A row per policy: how users spread in expected reward per decision, median, middle 90 %, and mean."""
    facts, found = run.manifest, people(run)
    names = [plain(each.label, NAME) for each in found]
    left = _EDGE + text_width(names) + 0.2
    right = 0.3 + text_width(["-0.000 ± 0.000"])
    kind = "realised" if facts.served else "expected"
    note = f"{size(facts)}; each user is one value, its mean {kind} reward per decision"
    width = max(left + _WIDTH + right, 2 * _EDGE + text_width([note]))
    sheet = Sheet(width, _EDGE + _HEAD + _ROW * max(len(found), 1) + _FOOT)
    sheet.text(_EDGE, _EDGE, f"{plain(facts.name, 60)}: the spread over users", title=True)
    sheet.text(_EDGE, _EDGE + 0.3, note)
    axes = sheet.axes(left, _EDGE + _HEAD, _WIDTH, _ROW * max(len(found), 1))
    edges = _edges(found)
    style = looks(facts.policies)
    for place, (each, name) in enumerate(zip(found, names, strict=True)):
        _row(axes, place, each, edges, style[each.label], name)
    _finish(axes, len(found))
    return sheet.figure


def _edges(found: list[People]) -> F64:
    values = np.concatenate([each.values for each in found]) if found else np.zeros(1)
    low, high = float(values.min()), float(values.max())
    return np.linspace(low, high if high > low else low + 1e-9, _BINS + 1)


def _row(axes: Axes, place: int, each: People, edges: F64, look: Look, name: str) -> None:
    counts, _ = np.histogram(each.values, edges)
    heights = 0.62 * counts / max(counts.max(), 1)
    axes.stairs(place - heights, edges, baseline=place, fill=True, color=look.color, alpha=0.35)
    low, middle, high = np.quantile(each.values, [0.05, 0.5, 0.95])
    axes.plot([low, high], [place + 0.1] * 2, color=look.color, linewidth=1.2)
    axes.plot([middle], [place + 0.1], "|", color=look.color, markersize=9, markeredgewidth=1.6)
    mean = each.mean
    if np.isfinite(mean.lower):
        axes.plot([mean.lower, mean.upper], [place + 0.24] * 2, color=INK, linewidth=2.4, solid_capstyle="butt")
    axes.plot([mean.estimate], [place + 0.24], "o", color=INK, markersize=3.5)
    half = f" ± {mean.width / 2:.3f}" if np.isfinite(mean.lower) else ""
    for x, words, side in ((-0.012, name, "right"), (1.015, f"{number(mean.estimate, 3)}{half}", "left")):
        text = axes.text(x, place, words, transform=axes.get_yaxis_transform(), ha=side, va="center")
        text.set(parse_math=False, fontsize=FONT, color=INK)


def _finish(axes: Axes, rows: int) -> None:
    axes.set_ylim(max(rows, 1) - 0.55, -0.75)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.margins(x=0.03)
    axes.set_xlabel(
        "expected reward per decision; area: users; line: middle 90 %, tick: median; dark: mean, 95 % interval",
        fontsize=FONT,
        color=FAINT,
    )
