"""Which layout shows each kind of figure in a paper, and what of a result goes into it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from oo_sim.errors import ComparisonError, EvaluationError, RunLogError
from oo_sim.figures import audit, fit, matrix, reactions, sweep, theta, tips
from oo_sim.figures.kit import NAME, ForestRow, finish
from oo_sim.figures.paper import (
    WIDTHS,
    Panel,
    Square,
    forest_figure,
    handle,
    lines_in,
    panels_figure,
    spread_figure,
    squares_figure,
)
from oo_sim.figures.people import people
from oo_sim.figures.style import FAINT, looks
from oo_sim.fitting import Fit
from oo_sim.logs import LoggedPolicy
from oo_sim.results import Run
from oo_sim.results.result import Result
from oo_sim.results.segments import segment_lines, segments
from oo_sim.results.series import Line, exploration_lines, regret_lines, reward_lines
from oo_sim.show import plain, signed
from oo_sim.studies import Comparison, Evaluation, Sweep
from oo_sim.studies.again import again
from oo_sim.studies.auditing import Audit
from oo_sim.studies.tips import AppealFit, Tips

_LINES = ("curves", "loglog", "segments", "exploration")


def paper_figure(result: Result, kind: str, style: str) -> Figure:
    """The figure of a result at the width of `style`. Raises `ValueError` for a style that there is not, and what the
    figure for the screen raises."""
    if style not in WIDTHS:
        raise ValueError(f"there is no style {style!r}; there are screen, {', '.join(WIDTHS)}")
    if isinstance(result, Run) and kind in _LINES:
        return curves_for_paper([result], kind, WIDTHS[style])
    return _KINDS[type(result), kind](result, WIDTHS[style])


def curves_for_paper(runs: Sequence[Run], kind: str, width: float) -> Figure:
    """The lines of some runs and one key for all."""
    policies = list({policy.label: policy for run in runs for policy in run.manifest.policies}.values())
    style = looks(policies)
    panels = [panel for run in runs for panel in _line_panels(run, kind, style, several=len(runs) > 1)]
    return panels_figure(panels, {plain(p.label, NAME): handle(style[p.label]) for p in policies}, width)


def _line_panels(run: Run, kind: str, style: Mapping[str, Any], *, several: bool) -> list[Panel]:
    facts, name = run.manifest, f"{plain(run.manifest.name, 18)}: " if several else ""
    if kind == "segments":
        if not segments(run):
            raise RunLogError(run.path or plain(facts.name), "has no results by segment")  # type: ignore[arg-type]
        return [Panel(plain(each, 24), "round", lines_in(segment_lines(run, each), style)) for each in segments(run)]
    if kind == "exploration":
        found = exploration_lines(run)
        if not found:
            raise RunLogError(run.events("decisions").path, "no policy in it explores by chance; egreedy and random do")
        return [Panel("Share of decisions explored", "round", lines_in(found, style))]
    regret = regret_lines(facts, run.curves, run.by_user)
    if kind == "loglog":
        return [Panel("Regret per user", "round", lines_in(regret, style, log_y=True))]
    return [
        Panel(f"{name}reward", "round", lines_in(reward_lines(facts, run.curves, run.by_user), style)),
        Panel(f"{name}regret", "round", lines_in(regret, style, log_x=False)),
    ]


def _users(run: Run, width: float) -> Figure:
    found = people(run)
    foot = "reward per decision; area: users; line: middle 90 %; dot: mean"
    values = {each.label: each.values for each in found}
    return spread_figure(values, looks(run.manifest.policies), [plain(each.label, NAME) for each in found], foot, width)


def _reactions(run: Run, width: float) -> Figure:
    found = reactions.mixes_of(run)

    def drawn(mix: reactions.Mix) -> Callable[[Axes], None]:
        def draw(axes: Axes) -> None:
            reactions.areas(axes, mix)
            finish(axes)
            axes.grid(visible=False)
            axes.set_yticks([0, 0.5, 1], ["0", ".5", "1"])

        return draw

    return panels_figure(
        [Panel(plain(mix.label, 26), "round", drawn(mix)) for mix in found], reactions.patches(), width
    )


def _theta(run: Run, width: float) -> Figure:
    found, exact, ends = theta.told(run)
    style = looks(run.manifest.policies)

    def drawn(policy: Any) -> Callable[[Axes], None]:
        def draw(axes: Axes) -> None:
            theta.points(axes, policy, style[policy.label], ends, size=2.0)
            finish(axes)
            axes.xaxis.set_major_formatter(ScalarFormatter())
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.set_xlim(ends)
            axes.set_ylim(ends)

        return draw

    what = "true coefficient" if exact else "best linear fit"
    return panels_figure([Panel(f"learned, {plain(p.label, 20)}", what, drawn(p)) for p in found], {}, width)


def _difference(found: Comparison, width: float) -> Figure:
    if not found.pairs:
        raise ComparisonError("there is nothing to draw: no two policies have results")
    several, rows = len(found.scenarios) > 1, []
    for pair in found.pairs:
        scenario = f"{plain(pair.scenario, 24)}: " if several else ""
        name = f"{scenario}{plain(pair.candidate, NAME)}\n\N{MINUS SIGN} {plain(pair.baseline, NAME)}"
        rows.append(ForestRow(name, pair.difference, "", pair.sure, pair.simultaneous))
    return forest_figure(rows, "difference per decision, 95 %; thin: all pairs at once", width, zero=True)


def _matrix(found: Comparison, width: float) -> Figure:
    groups = [pairs for _, pairs in found.by_scenario() if pairs]
    if not groups:
        raise ComparisonError("there is nothing to draw: no two policies have results")
    if len(groups) > 1:
        raise ComparisonError(f"a matrix for a paper is of one scenario, not of {len(groups)}; compare them one by one")
    order = matrix.ordered(groups[0])
    names = [plain(label, NAME) for label in order]
    squares = {
        at: Square(signed(difference, 3), color, hatched)
        for at, difference, color, hatched in matrix.squares(order, groups[0])
    }
    return squares_figure(names, names, squares, width)


def _parameter(found: Sweep, width: float) -> Figure:
    columns = [series for series in found.series if series.varied and series.points]
    if not columns:
        raise ValueError("there is nothing to draw: no policy of the sweep has results")
    level = [point for series in found.series if not series.varied for point in series.points]
    names = dict.fromkeys([name for series in columns for name in sweep.lines(series)])
    style = looks([*map(LoggedPolicy, names), *(LoggedPolicy(p.policy, p.policy) for p in level)])

    def drawn(series: Any) -> Callable[[Axes], None]:
        return lambda axes: sweep.small(axes, series, level, style)

    panels = [
        Panel(plain(series.pattern, 30), plain(sweep.axis(series).parameter, 24), drawn(series)) for series in columns
    ]
    key = {plain(label, NAME): handle(style[label]) for label in (*names, *(point.policy for point in level))}
    return panels_figure(panels, key, width)


def _estimates(found: Evaluation, width: float) -> Figure:
    rows = [
        ForestRow(f"{plain(row.policy, NAME)}, {row.estimator}", row.value, "", row.verdict == "answered")
        for row in found.rows
        if np.isfinite(row.value.estimate)
    ]
    if not rows:
        raise EvaluationError("there is nothing to draw: nothing could be estimated")
    return forest_figure(rows, "value per decision, 95 %; filled: answered", width, zero=False)


def _coefficients(found: Fit, width: float) -> Figure:
    said = found.as_dict()
    several = len(said["people"]) > 1
    rows = [
        each._replace(label=f"{segment['name']}: {each.label}" if several else each.label)
        for segment in said["people"]
        for each in (fit.row(term, segment) for term in said["terms"])
    ]
    return forest_figure(rows, "mean coefficient, 95 %", width, zero=True)


def _calibration(found: Fit, width: float) -> Figure:
    decile, hour = (found.as_dict()["calibration"][name] for name in ("decile", "hour"))
    style = looks([LoggedPolicy("observed"), LoggedPolicy("predicted")])

    def tenths(axes: Axes) -> None:
        both = [*decile["predicted"], *decile["observed"]]
        axes.plot([min(both), max(both)], [min(both), max(both)], color=FAINT, linewidth=0.7, linestyle=(0, (2, 2)))
        axes.plot(decile["predicted"], decile["observed"], "o-", color=style["observed"].color, markersize=2.4)
        finish(axes)
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_major_locator(MaxNLocator(3))

    hours = [
        Line(name, np.asarray(hour["group"], float), np.asarray(hour[name], float), np.full(len(hour[name]), np.nan))
        for name in ("observed", "predicted")
    ]
    panels = [
        Panel("observed, by tenth of", "predicted", tenths),
        Panel("reward by hour", "hour", lines_in(hours, style, log_x=False)),
    ]
    return panels_figure(panels, {name: handle(style[name]) for name in style}, width)


def _again(found: Fit, width: float) -> Figure:
    seen = again(found.said(), found.scenario)
    style = looks([LoggedPolicy("the log"), LoggedPolicy("the fitted world")])
    lines = [
        Line(name, np.asarray(seen.rounds), band.estimate, (band.upper - band.lower) / 2)
        for name, band in zip(style, (seen.logged, seen.fitted), strict=True)
    ]
    panel = Panel("mean reward so far", "round", lines_in(lines, style, log_x=False))
    return panels_figure([panel], {name: handle(style[name]) for name in style}, width)


def _shares(found: Tips, width: float) -> Figure:
    rows = tips.rows(found)
    if not rows:
        raise ValueError("there is nothing to draw: no share of these tips is known")
    return forest_figure(rows, "share; 95 % over users", width, zero=False)


def _appeal(found: AppealFit, width: float) -> Figure:
    predicted = np.array([one for one, _ in found.tenths])
    seen = [each for _, each in found.tenths]

    def draw(axes: Axes) -> None:
        ends = [predicted.min(), predicted.max()]
        axes.plot(ends, ends, color=FAINT, linewidth=0.7, linestyle=(0, (2, 2)))
        axes.vlines(predicted, [one.lower for one in seen], [one.upper for one in seen], color="#0072B2", linewidth=0.9)
        axes.plot(predicted, [one.estimate for one in seen], "o-", color="#0072B2", markersize=2.4, linewidth=0.9)
        finish(axes)
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_major_locator(MaxNLocator(4))

    return panels_figure([Panel("mean reward seen, by tenth of", "predicted", draw)], {}, width)


def _checks(found: Audit, width: float) -> Figure:
    policies, checks, cells = audit.cells(found)
    squares = {(checks.index(c), policies.index(p)): Square(*each) for (p, c), each in cells.items()}
    return squares_figure(checks, [plain(label, NAME) for label in policies], squares, width)


_KINDS: Mapping[tuple[type[Result], str], Callable[[Any, float], Figure]] = {
    (Run, "users"): _users,
    (Run, "reactions"): _reactions,
    (Run, "theta"): _theta,
    (Comparison, "difference"): _difference,
    (Comparison, "matrix"): _matrix,
    (Sweep, "parameter"): _parameter,
    (Evaluation, "evaluation"): _estimates,
    (Fit, "coefficients"): _coefficients,
    (Fit, "calibration"): _calibration,
    (Fit, "again"): _again,
    (Tips, "shares"): _shares,
    (AppealFit, "calibration"): _appeal,
    (Audit, "checks"): _checks,
}
