"""How lines look and where their labels stand: told apart by colour-blind eyes, and without colour too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from oo_sim.contract import F64
from oo_sim.logs import LoggedPolicy


class Look(NamedTuple):
    """A line's colour, dash pattern, marker and width."""

    color: str
    dashes: str | tuple[int, tuple[float, ...]]
    marker: str
    width: float


INK = "#222222"
FAINT = "#757575"
GRID = "#e6e6e6"
FONT = 9.0  # points
# Okabe and Ito (2008), without black (the oracle's) and yellow (too faint on white).
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_DASHES: tuple[str | tuple[int, tuple[float, ...]], ...] = ("-", (0, (6, 2)), (0, (6, 2, 1, 2)), (0, (2, 1.2)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")
_LEADING = 1.45  # line height of labels, in font sizes
_ORACLE = Look("#000000", (0, (1.5, 1.5)), "", 1.4)
_RANDOM = Look("#777777", (0, (4, 3)), "", 1.4)


def looks(policies: Sequence[LoggedPolicy]) -> dict[str, Look]:
    """A look for each policy label, by where it comes first; random and oracle look the same in every figure."""
    fixed = {"oracle": _ORACLE, "random": _RANDOM}
    chosen: dict[str, Look] = {}
    for policy in policies:
        if policy.label in chosen:
            continue
        i = len(chosen) - sum(look.color in (_ORACLE.color, _RANDOM.color) for look in chosen.values())
        look = Look(_COLORS[i % 6], _DASHES[i % 4], _MARKERS[i % 12], 1.8)
        if (name := policy.name) in fixed:  # with several tip banks there are several of them
            again = sum(look[:2] == fixed[name][:2] for look in chosen.values())
            look = fixed[name]._replace(marker=_MARKERS[again - 1] if again else "")
        chosen[policy.label] = look
    return chosen


def spread(wanted: F64, gap: float, low: float, high: float) -> F64:
    """Positions nearest to `wanted` (n,), in its order, at least `gap` apart and within [low, high] if that
    fits.

    Least squares under order constraints: subtract i * gap, pool adjacent violators, add it again
    (Barlow et al. 1972, Statistical Inference under Order Restrictions).
    """
    n = len(wanted)
    gap = min(gap, (high - low) / max(n - 1, 1))
    order = np.argsort(wanted, kind="stable")
    steps = gap * np.arange(n)
    placed = np.empty(n)
    placed[order] = np.clip(_isotonic(wanted[order] - steps), low, high - gap * (n - 1)) + steps
    return placed


def _isotonic(values: F64) -> F64:
    """The nondecreasing sequence nearest to `values` in least squares."""
    pools: list[tuple[float, int]] = []
    for value in values:
        mean, count = float(value), 1
        while pools and pools[-1][0] > mean:
            before, many = pools.pop()
            mean, count = (mean * count + before * many) / (count + many), count + many
        pools.append((mean, count))
    return np.repeat([mean for mean, _ in pools], [count for _, count in pools])


def label_font(count: int, height: float) -> float:
    """The font size (points) in which so many labels fit beside a panel of that height (inches)."""
    return max(4.0, min(FONT, height * 72 / _LEADING / count))


def label_ends(axes: Axes, height: float) -> None:
    """Name each line with a label at its right end; labels that would touch are moved apart and tied to their line."""
    named = [line for line in axes.get_lines() if not str(line.get_label()).startswith("_child")]  # as matplotlib's own
    lines = [line for line in named if len(_points(line))]
    if not lines:
        return
    axes.autoscale_view()
    to_axes = axes.transData + axes.transAxes.inverted()
    ends = np.array([to_axes.transform(_points(line)[-1]) for line in lines])
    font = label_font(len(lines), height)
    wanted = np.clip(np.nan_to_num(ends[:, 1], neginf=0.0), 0.0, 1.0)
    places = spread(wanted, font * _LEADING / 72 / height, 0.0, 1.0)
    for line, (x, y), place in zip(lines, ends, places, strict=True):
        _label(axes, line, (x, y), place, font)


def _points(line: Line2D) -> F64:
    return np.asarray(line.get_xydata(), dtype=np.float64)


def _label(axes: Axes, line: Line2D, end: tuple[float, float], place: float, font: float) -> None:
    color, name = str(line.get_color()), str(line.get_label())
    drawn = bool(np.isfinite(end[1]))  # a line at 0 has no place on a logarithmic axis
    if drawn:
        xs, ys = [end[0] + 0.012, 1.035], [min(end[1], 1.0), place]  # a line may leave at the top
        axes.plot(xs, ys, transform=axes.transAxes, color=color, linewidth=0.7, clip_on=False, alpha=0.8)
    text = axes.text(1.045, place, name if drawn else f"{name}: 0", transform=axes.transAxes, va="center")
    text.set(fontsize=font, color=color, parse_math=False)
