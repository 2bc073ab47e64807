"""The picture of a comparison: each difference with its interval, and its band along the curve."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from oo_sim.errors import ComparisonError
from oo_sim.figures.kit import BandLine, ForestRow, Sheet, band_panel, forest, text_width
from oo_sim.figures.style import FAINT, FONT, GRID, looks
from oo_sim.logs import LoggedPolicy
from oo_sim.show import bracketed, interval_text, minus, plain
from oo_sim.studies import Comparison
from oo_sim.studies.across import Across
from oo_sim.studies.pairs import Pair

MOST_ROWS, MOST_BANDS = 60, 12
"""How many differences, and how many curves, a scenario has in the picture."""
_NAME, _LINE = 40, 44  # characters of a policy's name, and of a line with two of them
_HEAD, _ROW, _FOOT, _EDGE = 0.85, 0.34, 0.65, 0.25  # heights in inches: title, a difference, an axis; the margin
_BROKEN_ROW = 0.48  # where names take two lines
_BODY, _NUMBERS, _KEY = 5.6, 2.1, 0.75  # widths: the forest's panel, the numbers beside it, a line in the key
_COLUMNS, _BAND, _BAND_GAP = 3, 1.7, 1.0  # panels of curves: side by side, height, height between
_CAPTION = 0.62  # height of the line above the curves
_PROFILE = 3.4
_TICKS = 0.75


def picture(comparison: Comparison) -> Figure:
    """A section per scenario, and one for all of them together. Raises ComparisonError without pairs."""
    sections = [(title, pairs[:MOST_ROWS], len(pairs)) for title, pairs in comparison.by_scenario() if pairs]
    if not sections:
        raise ComparisonError("there is nothing to draw: no two policies have results")
    names = [_name(pair.candidate, pair.baseline) for _, pairs, _ in sections for pair in pairs]
    left = max(text_width(names) + 0.25, _TICKS) + _EDGE
    heights = [_height(pairs, curved=_has_curves(comparison, pairs)) for _, pairs, _ in sections] + (
        [_across_height(comparison.across)] * bool(comparison.across)
    )
    key = text_width([plain(label, _NAME) for label in comparison.across.iqm]) + _KEY if comparison.across else 0.0
    sheet = Sheet(left + _BODY + max(_NUMBERS, key), sum(heights) + _EDGE)
    top = _EDGE
    for (title, pairs, count), height in zip(sections, heights, strict=False):
        _section(sheet, top, left, comparison, title, pairs, count)
        top += height
    if comparison.across:
        _together(sheet, top, left, comparison.across)
    return sheet.figure


def _height(pairs: Sequence[Pair], *, curved: bool) -> float:
    rows = -(-min(len(pairs), MOST_BANDS) // _COLUMNS) if curved else 0
    return _HEAD + _rows(pairs) + _FOOT + (_CAPTION + rows * (_BAND + _BAND_GAP) if rows else 0.0)


def _rows(pairs: Sequence[Pair]) -> float:
    """The height of the forest; names on two lines need room between them."""
    broken = any("\n" in _name(pair.candidate, pair.baseline) for pair in pairs)
    return (_BROKEN_ROW if broken else _ROW) * len(pairs)


def _has_curves(comparison: Comparison, pairs: Sequence[Pair]) -> bool:
    """Whether there is more to see than the interval above: several rounds, or several looks."""
    places = len(comparison.looks) if comparison.looks else min(len(pair.marks) for pair in pairs)
    return places > 1 and all(pair.users > 1 for pair in pairs)


def _section(
    sheet: Sheet, top: float, left: float, comparison: Comparison, title: str, pairs: Sequence[Pair], count: int
) -> None:
    heading, _, size = title.partition(": ")
    sheet.text(_EDGE, top, heading, title=True)
    cut = f"; the first {len(pairs)} of {count} differences" if count > len(pairs) else ""
    sheet.text(_EDGE, top + 0.3, size + cut)
    axes = sheet.axes(left, top + _HEAD - 0.2, _BODY, _rows(pairs))
    forest(axes, [_row(pair) for pair in pairs], zero=True)
    better = "below 0 the first is better" if comparison.metric == "regret" else "above 0 the first is better"
    one = "95 % interval; filled: excludes 0" if count == 1 else "95 % interval; thin, filled: all pairs at once"
    interval = "anytime-valid 95 % interval" if comparison.looks else one
    axes.set_xlabel(f"difference per decision; {better}; {interval}", fontsize=FONT, color=FAINT)
    if _has_curves(comparison, pairs):
        lines = [_looked(comparison, pair) if comparison.looks else _curve(pair) for pair in pairs[:MOST_BANDS]]
        cut = f"; the first {MOST_BANDS}" if count > MOST_BANDS else ""
        _curves(sheet, top + _HEAD + _rows(pairs) + _FOOT, lines, bool(comparison.looks), cut)


def _row(pair: Pair) -> ForestRow:
    numbers = interval_text(pair.difference, sign=True)
    return ForestRow(_name(pair.candidate, pair.baseline), pair.difference, numbers, pair.sure, pair.simultaneous)


def _curve(pair: Pair) -> BandLine:
    assert pair.band is not None
    return BandLine(_name(pair.candidate, pair.baseline), pair.marks, *pair.band[:3])


def _looked(comparison: Comparison, pair: Pair) -> BandLine:
    place = comparison.pairs.index(pair)
    seen = [look.intervals[place] for look in comparison.looks]
    users = np.array([float(look.users) for look in comparison.looks])
    columns = np.array([[each.estimate, each.lower, each.upper] for each in seen])
    return BandLine(_name(pair.candidate, pair.baseline), users, *columns.T)


def _curves(sheet: Sheet, top: float, lines: Sequence[BandLine], sequential: bool, cut: str) -> None:
    """Small panels side by side, over the whole width, each on its own scale, with 0 in it."""
    columns = min(_COLUMNS, len(lines))
    width = (sheet.width - 2 * _EDGE) / columns
    rounds = "Mean difference per decision up to each round; simultaneous 95 % band over users"
    looks = "Mean difference per decision at each look; anytime-valid 95 % interval"
    scales = "; scales differ" if len(lines) > 1 else ""
    sheet.text(_EDGE, top, (looks if sequential else rounds) + scales + cut)
    for i, line in enumerate(lines):
        row, column = divmod(i, columns)
        at = _EDGE + column * width + _TICKS - 0.1, top + _CAPTION + row * (_BAND + _BAND_GAP)
        axes = sheet.axes(*at, width - _TICKS - 0.1, _BAND)
        band_panel(axes, line, bars=sequential)
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.set_xlabel("users" if sequential else "round", fontsize=FONT, color=FAINT, labelpad=1)


def _across_height(found: Across | None) -> float:
    rows = len(found.iqm) + len(found.differences) if found else 0
    return _HEAD + _ROW * rows + 2 * _FOOT + 0.25 + _PROFILE + _FOOT


def _together(sheet: Sheet, top: float, left: float, found: Across) -> None:
    sheet.text(_EDGE, top, f"over {len(found.scenarios)} scenarios", title=True)
    sheet.text(_EDGE, top + 0.3, plain(", ".join(found.scenarios), 110))
    means = [ForestRow(plain(label, _NAME), each, bracketed(each)) for label, each in found.iqm.items()]
    steps = [
        ForestRow(_name(candidate, baseline), each, bracketed(each), each.excludes(0.0))
        for (baseline, candidate), each in found.differences.items()
    ]
    top += _HEAD - 0.2
    for rows, what in ((means, "interquartile mean of users' scores (0 random, 1 oracle)"), (steps, "difference")):
        axes = sheet.axes(left, top, _BODY, _ROW * len(rows))
        forest(axes, rows, zero=rows is steps)
        axes.set_xlabel(f"{what}; 95 % bootstrap over users", fontsize=FONT, color=FAINT)
        top += _ROW * len(rows) + _FOOT
    _profiles(sheet, top + 0.25, left, found)


def _profiles(sheet: Sheet, top: float, left: float, found: Across) -> None:
    style = looks([LoggedPolicy(label, label) for label in found.profiles])
    axes = sheet.axes(left, top, _BODY, _PROFILE)
    for label, profile in found.profiles.items():
        look = style[label]
        axes.plot(
            profile.thresholds,
            profile.share,
            color=look.color,
            linestyle=look.dashes,
            linewidth=look.width,
            marker=look.marker,
            markevery=5,
            markersize=4.5,
            label=plain(label, _NAME),
        )
        axes.fill_between(profile.thresholds, profile.lower, profile.upper, color=look.color, alpha=0.16, linewidth=0)
    axes.set_ylim(-0.02, 1.02)
    axes.margins(x=0.01)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_title("Performance profile", loc="left", fontsize=FONT + 1.5, pad=7)
    axes.set_xlabel("score of a user; share of users above it, band: 95 % at each score", fontsize=FONT, color=FAINT)
    # All profiles end at 0, so a key serves better than names at the ends of the lines.
    key = axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=FONT, borderaxespad=0.0)
    for text in key.get_texts():
        text.set_parse_math(False)


def _name(candidate: str, baseline: str) -> str:
    """`candidate - baseline`, on two lines where one would be long."""
    name = minus(candidate, baseline, _NAME)
    return name if len(name) <= _LINE else name.replace(" \N{MINUS SIGN} ", "\n\N{MINUS SIGN} ")
