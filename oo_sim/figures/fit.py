"""Figures of a fit: coefficients with intervals, calibration, and the logging policy run again over the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from oo_sim.figures.kit import ForestRow, Shape, finish, forest, multiples, name_panel, text_width
from oo_sim.figures.style import FAINT, FONT, INK
from oo_sim.fitting import Fit
from oo_sim.fitting.said import FitSaid, SegmentSaid
from oo_sim.show import plain, signed
from oo_sim.stats import Band, Interval
from oo_sim.studies.again import Again, again

_Z = 1.959963984540054
_LOGGED, _FITTED = "#0072B2", "#D55E00"


def fit_figure(found: Fit, kind: str) -> Figure:
    """The figure of a fit. For `again`, the logging policy is run in the fitted world; FitError where the log is gone
    or the policy cannot be made again."""
    said = found.said()
    if kind == "again":
        return again_figure(again(said, found.scenario), plain(found.label, 40))
    return calibration_figure(said) if kind == "calibration" else coefficients_figure(said)


def coefficients_figure(said: FitSaid) -> Figure:
    """The mean of each term over the users of each segment, with its 95 % interval; those that exclude 0 are filled."""
    terms, people = list(said["terms"]), said["people"]
    left, right = text_width(terms, FONT) + 0.3, text_width(["+0.00"], FONT) + 0.3
    shape = Shape(3, 2.6 + left, 0.24 * len(terms) + 0.2, right)
    title = "What people like: means of the coefficients"
    figure, panels = multiples(title, "points with 95 % intervals; filled where 0 is excluded", len(people), shape)
    for axes, segment in zip(panels, people, strict=True):
        box = axes.get_position()
        inset = left / figure.get_figwidth()
        axes.set_position((box.x0 + inset, box.y0, box.width - inset, box.height))
        forest(axes, [row(term, segment) for term in terms], zero=True)
        name_panel(axes, f"{segment['name']}, {segment['share']:.0%} of people", "")
    return figure


def row(term: str, segment: SegmentSaid) -> ForestRow:
    """The mean of a term in a segment with its 95 % interval, marked where 0 is excluded."""
    mean, error = float(segment["mean"][term]), float(segment["mean_error"][term])
    interval = Interval(mean, mean - _Z * error, mean + _Z * error, 0)
    return ForestRow(term, interval, signed(mean, 2), interval.excludes(0.0))


def calibration_figure(said: FitSaid) -> Figure:
    """Observed against predicted mean reward in rounds that were kept back: by tenth of the prediction, and by hour."""
    title = "Does it predict? Rounds that the fit has not seen"
    figure, panels = multiples(title, "mean reward where there was a reaction", 2, Shape(2, 3.0, 2.6))
    decile, hour = (said["calibration"][name] for name in ("decile", "hour"))
    ends = [min(decile["predicted"] + decile["observed"]), max(decile["predicted"] + decile["observed"])]
    panels[0].plot(ends, ends, color=FAINT, linewidth=1.0, linestyle=(0, (2, 2)))
    panels[0].plot(decile["predicted"], decile["observed"], "o-", color=_LOGGED, markersize=5)
    name_panel(panels[0], "by tenth of the prediction: observed", "predicted")
    panels[1].plot(hour["group"], hour["observed"], "o-", color=_LOGGED, markersize=4, label="observed")
    panels[1].plot(hour["group"], hour["predicted"], "s--", color=_FITTED, markersize=4, label="predicted")
    panels[1].legend(frameon=False, fontsize=FONT, labelcolor=INK)
    name_panel(panels[1], "by hour", "hour")
    finish(panels[1])
    panels[0].tick_params(labelsize=FONT, labelcolor=INK, color=FAINT)
    return figure


def again_figure(found: Again, label: str) -> Figure:
    """The logging policy's mean reward so far, in the log and in the fitted world, with bands of whole curves."""
    title = f"{label}: in the log, and run again in the fitted world"
    note = "mean reward per decision up to each round; 95 % bands over users that hold the whole curve"
    figure, [axes] = multiples(title, note, 1, Shape(1, 6.0, 3.0))
    _curve(axes, found.rounds, found.logged, _LOGGED, "-", "the log")
    _curve(axes, found.rounds, found.fitted, _FITTED, "--", "the fitted world")
    axes.legend(frameon=False, fontsize=FONT, labelcolor=INK)
    name_panel(axes, "", "round")
    finish(axes)
    return figure


def _curve(axes: Axes, x: Sequence[float] | np.ndarray[Any, Any], band: Band, color: str, dash: str, name: str) -> None:
    axes.plot(x, band.estimate, color=color, linestyle=dash, linewidth=1.8, label=name)
    axes.fill_between(x, band.lower, band.upper, color=color, alpha=0.18, linewidth=0)
