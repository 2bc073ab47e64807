"""Pictures of tip banks: shares with their intervals, banks one below the other; and what a fitted appeal predicts."""

from __future__ import annotations

from matplotlib.figure import Figure

from oo_sim.figures.kit import NAME, ForestRow, Sheet, forest, text_width
from oo_sim.figures.style import FAINT, FONT
from oo_sim.show import plain
from oo_sim.stats import Interval
from oo_sim.studies.tips import AppealFit, Tips, worded

_EDGE, _HEAD, _ROW, _FOOT, _BODY, _NUMBERS = 0.25, 0.55, 0.32, 0.65, 4.2, 0.9  # inches


def rows(found: Tips) -> list[ForestRow]:
    """Every share that is known, a metric's banks side by side."""
    shares: dict[str, list[ForestRow]] = {}
    for part in found.parts:
        for section in part.sections:
            for each in section.metrics:
                if each.is_share and each.value is not None:
                    lower, upper = (float("nan") if b is None else b for b in (each.lower, each.upper))
                    label = plain(each.name, NAME) + (f", {plain(part.name, 24)}" if len(found.parts) > 1 else "")
                    row = ForestRow(label, Interval(each.value, lower, upper, 0), worded(each.value, True), True)
                    shares.setdefault(each.name, []).append(row)
    return [row for some in shares.values() for row in some]


def shares_figure(found: Tips) -> Figure:
    """A forest of all shares. Raises `ValueError` where none is known."""
    shown = rows(found)
    if not shown:
        raise ValueError("there is nothing to draw: no share of these tips is known")
    left = _EDGE + text_width([row.label for row in shown]) + 0.25
    sheet = Sheet(left + _BODY + _NUMBERS, _EDGE + _HEAD + _ROW * len(shown) + _FOOT)
    sheet.text(_EDGE, _EDGE, "What the tips are like", title=True)
    axes = sheet.axes(left, _EDGE + _HEAD, _BODY, _ROW * len(shown))
    forest(axes, shown, zero=False)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("share; 95 % over users", fontsize=FONT, color=FAINT)
    return sheet.figure


def appeal_figure(found: AppealFit) -> Figure:
    """The calibration curve: mean reward seen, with 95 % intervals, against the one predicted."""
    sheet = Sheet(_EDGE + _BODY + _NUMBERS, _EDGE + _HEAD + _BODY + _FOOT)
    sheet.text(_EDGE, _EDGE, "Does it predict? Reactions held out", title=True)
    axes = sheet.axes(_NUMBERS, _EDGE + _HEAD, _BODY, _BODY)
    predicted, seen = zip(*found.tenths, strict=True)
    ends = [min(predicted), max(predicted)]
    axes.plot(ends, ends, color=FAINT, linewidth=1.0, linestyle=(0, (2, 2)))
    axes.errorbar(
        predicted,
        [one.estimate for one in seen],
        [[one.estimate - one.lower for one in seen], [one.upper - one.estimate for one in seen]],
        fmt="o-",
        markersize=5,
        capsize=2,
    )
    axes.set_xlabel("mean reward predicted, by tenths", fontsize=FONT, color=FAINT)
    axes.set_ylabel("mean reward seen; 95 %", fontsize=FONT, color=FAINT)
    return sheet.figure
