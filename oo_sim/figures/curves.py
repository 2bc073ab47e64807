"""The curves of a run: what each policy earns as it learns, what it has regretted so far, and how fast that grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from oo_sim.figures.kit import (
    DPI,
    NAME,
    Shape,
    draw_lines,
    end_room,
    finish,
    half_in_words,
    multiples,
    name_panel,
    text_width,
)
from oo_sim.figures.style import FAINT, FONT, INK, Look, label_ends, looks
from oo_sim.logs import Manifest
from oo_sim.results import Run
from oo_sim.results.series import Line, regret_lines, reward_lines
from oo_sim.results.summary import dynamics_of, size
from oo_sim.show import plain

_PANEL_WIDTH, _PANEL_HEIGHT = 4.4, 3.9  # inches, as all below
_TOP, _BOTTOM = 1.0, 0.6  # above and below a panel
_LOG_WIDTH, _LOG_HEIGHT = 6.0, 4.6  # of the panel with both axes logarithmic
_BEYOND = 1.5  # times the learners' highest regret: from there on random leaves the panel
_AXIS, _GAP = 0.75, 0.4  # for a panel's tick and around the names of its lines


def curves_figure(runs: Sequence[Run], *, log: bool = False) -> Figure:
    """Two panels a run, runs one below the other: reward per decision, and cumulative regret per user.

    Reward is the true expected one, averaged in blocks of rounds that grow with the round. Regret has its
    95 % band over users; `log` draws it on logarithmic axes. Raises `ValueError` without runs.
    """
    if not runs:
        raise ValueError("no run to plot")
    half = _AXIS + _PANEL_WIDTH + _names_width(runs) + _GAP
    row = _TOP + _PANEL_HEIGHT + _BOTTOM
    figure = Figure(figsize=(2 * half, row * len(runs)), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    style = looks([policy for run in runs for policy in run.manifest.policies])
    for index, run in enumerate(runs):
        _draw_run(figure, run, style, bottom=row * (len(runs) - index - 1) + _BOTTOM, log=log)
    return figure


def _names_width(runs: Sequence[Run]) -> float:
    """The width in inches of the longest name of a line, so that no name is cut."""
    return text_width(
        [
            plain(policy.label, NAME) + ": 000" * (policy.name == "random")
            for run in runs
            for policy in run.manifest.policies
        ]
    )


def _draw_run(figure: Figure, run: Run, style: Mapping[str, Look], *, bottom: float, log: bool) -> None:
    manifest = run.manifest
    width, height = figure.get_size_inches()
    box = (_PANEL_WIDTH / width, _PANEL_HEIGHT / height)
    left, right = (figure.add_axes((x / width, bottom / height, *box)) for x in (_AXIS, _AXIS + width / 2))
    _title(figure, manifest, _AXIS / width, (bottom + _PANEL_HEIGHT) / height)
    rewards = reward_lines(manifest, run.curves, run.by_user)
    draw_lines(left, rewards, style)
    left.update_datalim([(1.0, 0.0)], updatey=False)  # a logarithmic axis requires a place, also where nobody decided
    left.set_xscale("log")
    there = "; mean over users there in a round" if dynamics_of(manifest).presence else ""
    there += half_in_words(rewards)
    kind = "Realised" if manifest.served else "Expected"
    name_panel(left, f"{kind} reward per decision", f"round, logarithmic{there}")
    found = regret_lines(manifest, run.curves, run.by_user)
    draw_lines(right, found, style)
    if not log:
        _room_for_learners(right, found, {policy.label for policy in manifest.policies if policy.name == "random"})
    own = ", on its own trajectory" if manifest.own_trajectory else ""
    title = "Regret is not known where it was served" if manifest.served else f"Cumulative regret per user{own}"
    name_panel(right, title, f"round{half_in_words(found)}")
    right.update_datalim([(1.0, 0.0)])
    if log:
        right.set_xscale("log")
        if any((line.y > 0).any() for line in found):
            right.set_yscale("log", nonpositive="mask")
    for axes in (left, right):
        finish(axes)
        label_ends(axes, _PANEL_HEIGHT)


def _room_for_learners(axes: Axes, found: Sequence[Line], baselines: set[str]) -> None:
    """Let random's line leave at the top, named with its value at the end, where it would take most of the axis."""
    tops = [float(np.nanmax(line.y + np.nan_to_num(line.half))) for line in found if line.label not in baselines]
    top = 1.1 * max(tops, default=0.0)
    beyond = {plain(line.label, NAME): line for line in found if line.label in baselines and line.y[-1] > _BEYOND * top}
    if top <= 0.0 or not beyond:
        return
    axes.set_ylim(-0.015 * top, top)
    for drawn in axes.get_lines():
        if (line := beyond.get(str(drawn.get_label()))) is not None:
            drawn.set_label(f"{drawn.get_label()}: {line.y[-1]:,.3g}")


def _title(figure: Figure, manifest: Manifest, x: float, top: float) -> None:
    title = figure.text(x, top, plain(manifest.name, 70), fontsize=14, fontweight="bold", color=INK)
    note = figure.text(x, top, size(manifest), fontsize=FONT + 0.5, color=FAINT)
    for text, above in ((title, 0.66), (note, 0.46)):
        text.set_parse_math(False)
        text.set_y(top + above / figure.get_figheight())


def loglog_figure(run: Run) -> Figure:
    """Cumulative regret per user on logarithmic axes, with guides of slope 1/2 and 1 from where the policies start.

    Regret that grows as sqrt(t), the rate that LinUCB is proven to reach up to logarithms (Abbasi-Yadkori et al. 2011,
    theorem 3), runs along the dashed guide; a policy that does not learn runs along the dotted one.
    """
    facts = run.manifest
    found = regret_lines(facts, run.curves, run.by_user)
    shape = Shape(1, _LOG_WIDTH, _LOG_HEIGHT, end_room([plain(label, NAME) for label in facts.labels]))
    own = ", on each policy's own trajectory" if facts.own_trajectory else ""
    note = f"{size(facts)}; cumulative regret per user{own}{half_in_words(found)}"
    figure, [axes] = multiples(plain(facts.name, 70), note, 1, shape)
    axes.set_xscale("log")
    if any((line.y > 0).any() for line in found):  # the oracle alone has no regret to take a logarithm of
        axes.set_yscale("log", nonpositive="mask")
    draw_lines(axes, found, looks(facts.policies))
    _name_ends(axes, found)
    _guides(axes, found)
    name_panel(axes, "Regret, with the slopes that theory predicts", "round, logarithmic")
    finish(axes)
    return figure


def _name_ends(axes: Axes, found: Sequence[Line]) -> None:
    """The names stand by the lines alone, so they are placed before the guides come; the scale stays."""
    positive = np.concatenate([line.y[line.y > 0] for line in found]) if found else np.empty(0)
    if len(positive):
        axes.set_ylim(positive.min() / 1.5, positive.max() * 1.5)
    axes.margins(x=0.01)
    label_ends(axes, _LOG_HEIGHT)


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
