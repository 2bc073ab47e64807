"""Every figure, and the kit that figures are drawn with. Needs matplotlib; nothing below this room imports it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from oo_sim.figures import comparison, evaluation, sweep
from oo_sim.figures.audit import checks_figure
from oo_sim.figures.curves import curves_figure, loglog_figure
from oo_sim.figures.exploration import exploration_figure
from oo_sim.figures.fit import fit_figure
from oo_sim.figures.kit import png, save
from oo_sim.figures.matrix import matrix_figure
from oo_sim.figures.paper import WIDTHS
from oo_sim.figures.paper_kinds import curves_for_paper, paper_figure
from oo_sim.figures.people import users_figure
from oo_sim.figures.reactions import reactions_figure
from oo_sim.figures.segments import segments_figure
from oo_sim.figures.theta import theta_figure
from oo_sim.figures.tips import appeal_figure, shares_figure
from oo_sim.fitting import Fit
from oo_sim.results import Run
from oo_sim.results.result import Result
from oo_sim.studies import Comparison, Evaluation, Sweep
from oo_sim.studies.auditing import Audit
from oo_sim.studies.tips import AppealFit, Tips

FIGURES: Mapping[str, Callable[[Run], Figure]] = {
    "loglog": loglog_figure,
    "segments": segments_figure,
    "reactions": reactions_figure,
    "users": users_figure,
    "exploration": exploration_figure,
    "theta": theta_figure,
}
"""Those of one run. Each raises `RunLogError` where the run does not hold what it shows."""


_OTHERS: Mapping[type[Result], Callable[[Any, str], Figure]] = {
    Comparison: lambda found, kind: matrix_figure(found) if kind == "matrix" else comparison.picture(found),
    Evaluation: lambda found, _: evaluation.picture(found),
    Fit: fit_figure,
    Sweep: lambda found, _: sweep.picture(found),
    Tips: lambda found, _: shares_figure(found),
    AppealFit: lambda found, _: appeal_figure(found),
    Audit: lambda found, _: checks_figure(found),
}
"""Those of other results, by kind."""


def figure(result: Result, kind: str, *, style: str = "screen", log: bool = False) -> Figure:
    """The figure of a result; `log` draws the curves' regret on logarithmic axes."""
    if style != "screen":
        return paper_figure(result, kind, style)
    if isinstance(result, Run):
        return curves_figure([result], log=log) if kind == "curves" else FIGURES[kind](result)
    drawn: Figure = _OTHERS[type(result)](result, kind)
    return drawn


def curves_of(runs: Sequence[Run], *, style: str = "screen", log: bool = False) -> Figure:
    """The curves of several runs in one figure."""
    return curves_figure(runs, log=log) if style == "screen" else curves_for_paper(runs, "curves", WIDTHS[style])


__all__ = ["FIGURES", "curves_figure", "curves_of", "figure", "png", "save"]
