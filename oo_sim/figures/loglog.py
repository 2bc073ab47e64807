"""Regret on logarithmic axes: its slope tells how fast a policy learns, and guides show slopes that theory knows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from oo_sim.figures.curves import Results
from oo_sim.figures.lines import NAME, draw_lines, finish, name_panel
from oo_sim.figures.multiples import Shape, end_room, multiples
from oo_sim.figures.style import FAINT, FONT, label_ends, looks
from oo_sim.results.series import Line, regret_lines
from oo_sim.results.summary import size
from oo_sim.show.text import plain

_WIDTH, _HEIGHT = 6.0, 4.6


def loglog_figure(run: Results) -> Figure:
    """Cumulative regret per user on logarithmic axes, with guides of slope 1/2 and 1 from where the policies start.

    Regret that grows as sqrt(t), the rate that LinUCB is proven to reach up to logarithms (Abbasi-Yadkori et al. 2011,
    theorem 3), runs along the dashed guide; a policy that does not learn runs along the dotted one.
    """
    facts = run.manifest
    found = regret_lines(facts, run.curves, run.users)
    shape = Shape(1, _WIDTH, _HEIGHT, end_room([plain(label, NAME) for label in facts.labels]))
    band = "; band: 95 % over users" if facts.users > 1 else ""
    own = ", on each policy's own trajectory" if facts.own_trajectory else ""
    note = f"{size(facts)}; cumulative regret per user{own}{band}"
    figure, [axes] = multiples(plain(facts.name, 70), note, 1, shape)
    axes.set_xscale("log")
    if any((line.y > 0).any() for line in found):  # the oracle alone has no regret to take a logarithm of
        axes.set_yscale("log", nonpositive="mask")
    draw_lines(axes, found, looks(facts.policies))
    _name_ends(axes, found)
    _guides(axes, found)
    name_panel(axes, "Regret, and the slopes that theory knows", "round, logarithmic")
    finish(axes)
    return figure


def _name_ends(axes: Axes, found: Sequence[Line]) -> None:
    """The names stand by the lines alone, so they are placed before the guides come; the scale stays."""
    positive = np.concatenate([line.y[line.y > 0] for line in found]) if found else np.empty(0)
    if len(positive):
        axes.set_ylim(positive.min() / 1.5, positive.max() * 1.5)
    axes.margins(x=0.01)
    label_ends(axes, _HEIGHT)


def _guides(axes: Axes, found: Sequence[Line]) -> None:
    """Lines c sqrt(t) and c t, c being the policies' mean regret (geometric) in the first round."""
    starts = [line.y[0] for line in found if len(line.y) and line.y[0] > 0]
    if not starts:
        return
    start, limits = float(np.exp(np.mean(np.log(starts)))), axes.get_xlim()
    t = np.array([1.0, max(float(line.x[-1]) for line in found)])
    for power, name, dashes in ((0.5, "√t", (0, (5, 3))), (1.0, "t", (0, (1, 2)))):
        axes.plot(t, start * t**power, color=FAINT, linestyle=dashes, linewidth=1.1, zorder=1)
        place, offset = _clear(found, start, power, t[-1])
        axes.annotate(name, (place, start * place**power), offset, textcoords="offset points", color=FAINT)
        axes.texts[-1].set(fontsize=FONT + 1, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6})
    axes.set_xlim(limits)


def _clear(found: Sequence[Line], start: float, power: float, last: float) -> tuple[float, tuple[int, int]]:
    """The round at which the guide's name, a little above it or below, is furthest from all lines, and its offset
    there in points."""
    places = last ** np.linspace(0.2, 0.95, 31)
    drawn = np.array([np.interp(places, line.x, line.y) for line in found if len(line.y)])
    curves, guide = np.log(np.maximum(drawn, 1e-12)), np.log(start * places**power)
    gaps = {side: np.abs(curves - guide - 0.25 * side).min(axis=0) for side in (1, -1)}
    side = max(gaps, key=lambda each: float(gaps[each].max()))
    return float(places[gaps[side].argmax()]), (-9, 5) if side > 0 else (5, -12)
