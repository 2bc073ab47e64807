"""The picture of a sweep: reward against the parameter, and how far each value is behind the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from oo_sim.contract import F64
from oo_sim.figures.kit import Sheet, few_ticks, short_number, text_width
from oo_sim.figures.style import FAINT, FONT, GRID, INK, Look, label_ends, looks
from oo_sim.logs import LoggedPolicy
from oo_sim.results.summary import size
from oo_sim.show import plain
from oo_sim.stats import Interval
from oo_sim.studies import Sweep
from oo_sim.studies.sweeping import Point, Series

_EDGE, _HEAD, _AXIS, _FOOT, _GAP = 0.25, 1.15, 0.8, 0.6, 0.55  # inches, as all below
_WIDTH, _HEIGHT, _LOW = 4.2, 3.2, 1.9  # a panel's width, the heights of the upper and the lower one
_COLUMNS = 3
_SPARE = 0.2  # text is hinted, and then a little wider than its outline
_NAME, _PATTERN = 34, 50  # characters of a name and of a pattern
_TIES, _BESIDE = 0.13, 0.012  # shares of the axis: ticks nearer than this would touch; between lines at one place


class Axis(NamedTuple):
    """What stands along x: a parameter, the value of each place, whether they are steps of a ratio or mere words."""

    parameter: str
    values: tuple[int | float | str, ...]
    geometric: bool
    words: bool

    def places(self, points: Sequence[Point]) -> F64:
        """Where the points lie."""
        values = [point.parameters[self.parameter] for point in points]
        return np.array([self.values.index(v) if self.words else v for v in values], dtype=float)


def picture(sweep: Sweep) -> Figure:
    """A column of two panels for each pattern that varies; plain specs are level lines in all of them."""
    columns = [series for series in sweep.series if series.varied and series.points]
    level = [point for series in sweep.series if not series.varied for point in series.points]
    if not columns:
        raise ValueError("there is nothing to draw: no policy of the sweep has results")
    grids = [lines(series) for series in columns]
    names = [plain(name, _NAME) for grid in grids if len(grid) > 1 for name in grid] + [
        plain(point.policy, _NAME) for point in level
    ]
    width = _AXIS + _WIDTH + text_width(names) + 0.35
    height = _HEIGHT + _FOOT + _GAP + _LOW + _FOOT + _GAP
    across, down = min(len(columns), _COLUMNS), -(-len(columns) // _COLUMNS)
    bars = "; simultaneous 95 % bars" if sweep.run.manifest.users > 1 else ""
    note = f"{size(sweep.run.manifest)}, the same for all; expected reward per decision{bars}"
    sheet = Sheet(2 * _EDGE + max(width * across, text_width([note]) + _SPARE), _HEAD + height * down)
    sheet.text(_EDGE, _EDGE, plain(sweep.run.manifest.name, 70), title=True)
    sheet.text(_EDGE, _EDGE + 0.3, note)
    upper = []
    for i, (series, grid) in enumerate(zip(columns, grids, strict=True)):
        row, column = divmod(i, _COLUMNS)
        corner = _EDGE + _AXIS + column * width, _HEAD + row * height
        upper.append(_column(sheet, corner, series, grid, level))
    for axes in upper:  # one scale, so that patterns can be compared
        axes.set_ylim(min(a.get_ylim()[0] for a in upper), max(a.get_ylim()[1] for a in upper))
        label_ends(axes, _HEIGHT)
    return sheet.figure


def axis(series: Series) -> Axis:
    """The parameter along x: the numeric one with the most values, the first of those; else the first."""
    values = {key: tuple(dict.fromkeys(point.parameters[key] for point in series.points)) for key in series.varied}
    numeric = [key for key, found in values.items() if not any(isinstance(value, str) for value in found)]
    key = max(numeric or series.varied, key=lambda key: len(values[key]))
    return Axis(key, values[key], key in numeric and geometric(values[key]), key not in numeric)


def geometric(values: Sequence[int | float | str]) -> bool:
    """Whether positive numbers step more evenly in ratio than in difference; two: whether tenfold or more."""
    x = np.sort(np.array(values, dtype=float))
    if len(x) < 2 or x[0] <= 0.0:
        return False
    if len(x) == 2:
        return bool(x[1] >= 10 * x[0])
    ratios, steps = np.diff(np.log(x)), np.diff(x)
    return bool(ratios.std() / ratios.mean() < steps.std() / steps.mean())


def lines(series: Series) -> dict[str, list[Point]]:
    """The points of each line: those that differ in the parameter along x alone, in its order."""
    along, found = axis(series), dict[str, list[Point]]()
    for point in series.points:
        others = ", ".join(f"{key}={value}" for key, value in point.parameters.items() if key != along.parameter)
        found.setdefault(others or series.name, []).append(point)
    return {name: sorted(points, key=lambda p: float(along.places([p])[0])) for name, points in found.items()}


def _column(
    sheet: Sheet, corner: tuple[float, float], series: Series, grid: dict[str, list[Point]], level: Sequence[Point]
) -> Axes:
    """The two panels of a pattern; hands back the upper one."""
    left, top = corner
    along = axis(series)
    style = looks([*map(LoggedPolicy, grid), *(LoggedPolicy(p.policy, p.policy) for p in level)])
    above = sheet.axes(left, top, _WIDTH, _HEIGHT)
    below = sheet.axes(left, top + _HEIGHT + _FOOT + _GAP, _WIDTH, _LOW)
    for axes in (above, below):
        _x_axis(axes, along)
    for i, (name, points) in enumerate(grid.items()):
        x = _beside(along, along.places(points), i - (len(grid) - 1) / 2)
        _line(
            above,
            x,
            [point.reward for point in points],
            style[name],
            along,
            plain(name, _NAME) if len(grid) > 1 else "",
        )
        _line(below, x, [point.behind for point in points], style[name], along, "")
    for point in level:
        _level(above, point, style[point.policy])
    below.axhline(0.0, color=INK, linewidth=1.0, linestyle=(0, (2, 2)), zorder=0)
    _title(above, plain(series.pattern, _PATTERN))
    _title(below, "behind its best value, paired by user")
    return above


def small(axes: Axes, series: Series, level: Sequence[Point], style: Mapping[str, Look]) -> None:
    """The upper panel of a pattern, as a paper has it."""
    along, grid = axis(series), lines(series)
    _x_axis(axes, along)
    for i, (name, points) in enumerate(grid.items()):
        x = _beside(along, along.places(points), i - (len(grid) - 1) / 2)
        _line(axes, x, [point.reward for point in points], style[name]._replace(width=0.9), along, "", size=2.4)
    for point in level:
        _level(axes, point, style[point.policy]._replace(width=0.9))
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.yaxis.set_major_locator(MaxNLocator(4))


def _level(axes: Axes, point: Point, look: Look) -> None:
    """A plain spec: it has no place along x, so it is a level line with its interval."""
    ends, reward = axes.get_xlim(), point.reward
    name = plain(point.policy, _NAME)
    axes.plot(
        ends, [reward.estimate] * 2, color=look.color, linestyle=look.dashes, linewidth=min(1.4, look.width), label=name
    )
    if np.isfinite(reward.lower):
        axes.fill_between(ends, reward.lower, reward.upper, color=look.color, alpha=0.1, linewidth=0)
    axes.set_xlim(ends)


def _beside(along: Axis, x: F64, place: float) -> F64:
    """Places a little beside `x`, so that the bars of several lines do not hide each other."""
    if along.geometric:
        values = np.array(along.values, dtype=float)
        return np.asarray(x * (values.max() / values.min()) ** (_BESIDE * place))
    spread = len(along.values) - 1 if along.words else np.ptp(np.array(along.values, dtype=float))
    return np.asarray(x + _BESIDE * place * spread)


def _line(
    axes: Axes, x: F64, intervals: Sequence[Interval], look: Look, along: Axis, label: str, size: float = 5.0
) -> None:
    estimate, lower, upper = np.array([each[:3] for each in intervals]).T
    axes.plot(
        x,
        estimate,
        color=look.color,
        linestyle="" if along.words else look.dashes,
        linewidth=look.width,
        marker=look.marker,
        markersize=size,
        label=label,
    )
    if np.isfinite(lower).all():
        axes.vlines(x, lower, upper, color=look.color, linewidth=0.8 * look.width, alpha=0.75)


def _x_axis(axes: Axes, along: Axis) -> None:
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    scale = ", logarithmic" if along.geometric else ""
    axes.set_xlabel(plain(along.parameter, 40) + scale, fontsize=FONT, color=FAINT).set_parse_math(False)
    if along.words:
        axes.set_xlim(-0.5, len(along.values) - 0.5)
        axes.set_xticks(range(len(along.values)), [plain(value, 14) for value in along.values])
        return
    values = np.sort(np.array(along.values, dtype=float))
    if along.geometric:
        axes.set_xscale("log")
    spaced = np.log(values) if along.geometric else values
    margin = 0.07 * (spaced[-1] - spaced[0]) or 0.5
    ends = np.array([spaced[0] - margin, spaced[-1] + margin])
    axes.set_xlim(*(np.exp(ends) if along.geometric else ends))
    if len(values) > 1 and (np.diff(spaced) >= _TIES * (spaced[-1] - spaced[0])).all():
        axes.minorticks_off()
        axes.set_xticks(values, [short_number(value) for value in values])
    elif along.geometric:
        few_ticks(axes, values)


def _title(axes: Axes, words: str) -> None:
    axes.set_title(words, loc="left", fontsize=FONT + 1, color=INK, pad=7).set_parse_math(False)
