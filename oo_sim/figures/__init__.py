"""Every figure, and the kit that figures are drawn with. Needs matplotlib; nothing below this room imports it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from matplotlib.figure import Figure

from oo_sim.figures import comparison, evaluation, sweep
from oo_sim.figures.curves import curves_figure, loglog_figure
from oo_sim.figures.exploration import exploration_figure
from oo_sim.figures.fit import fit_figure
from oo_sim.figures.kit import png, save
from oo_sim.figures.matrix import matrix_figure
from oo_sim.figures.paper import paper_figure
from oo_sim.figures.people import users_figure
from oo_sim.figures.reactions import reactions_figure
from oo_sim.figures.segments import segments_figure
from oo_sim.figures.theta import theta_figure
from oo_sim.fitting import Fit
from oo_sim.results import Run
from oo_sim.studies import Comparison, Evaluation, Sweep

FIGURES: Mapping[str, Callable[[Run], Figure]] = {
    "loglog": loglog_figure,
    "segments": segments_figure,
    "reactions": reactions_figure,
    "users": users_figure,
    "exploration": exploration_figure,
    "theta": theta_figure,
}
"""Those of one run. Each raises `RunLogError` where the run does not hold what it shows."""


def figure(
    result: Run | Comparison | Sweep | Evaluation | Fit, kind: str, *, style: str = "screen", log: bool = False
) -> Figure:
    """The figure of a result; `log` draws the curves' regret on logarithmic axes."""
    if style != "screen":
        return paper_figure(result, kind, style)
    if isinstance(result, Comparison):
        return matrix_figure(result) if kind == "matrix" else comparison.picture(result)
    if isinstance(result, Evaluation):
        return evaluation.picture(result)
    if isinstance(result, Fit):
        return fit_figure(result, kind)
    if isinstance(result, Sweep):
        return sweep.picture(result)
    return curves_figure([result], log=log) if kind == "curves" else FIGURES[kind](result)


__all__ = ["FIGURES", "curves_figure", "figure", "png", "save"]
