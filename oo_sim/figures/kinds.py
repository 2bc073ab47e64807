"""The figures of results: of a run by the name that `oo-sim plot --kind` has for them, of a comparison and a sweep."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from matplotlib.figure import Figure

from oo_sim.figures import comparison, sweep
from oo_sim.figures.curves import curves_figure
from oo_sim.figures.exploration import exploration_figure
from oo_sim.figures.loglog import loglog_figure
from oo_sim.figures.people import users_figure
from oo_sim.figures.reactions import reactions_figure
from oo_sim.figures.segments import segments_figure
from oo_sim.figures.theta import theta_figure
from oo_sim.results import Run
from oo_sim.studies import Comparison, Sweep

FIGURES: Mapping[str, Callable[[Run], Figure]] = {
    "loglog": loglog_figure,
    "segments": segments_figure,
    "reactions": reactions_figure,
    "users": users_figure,
    "exploration": exploration_figure,
    "theta": theta_figure,
}
"""Each takes a run and returns a figure; raises `RunLogError` where the run does not hold what it shows."""


def figure(result: Run | Comparison | Sweep, *, log: bool = False) -> Figure:
    """The figure of a result; `log` draws a run's regret on logarithmic axes."""
    if isinstance(result, Comparison):
        return comparison.picture(result)
    return sweep.picture(result) if isinstance(result, Sweep) else curves_figure([result], log=log)
