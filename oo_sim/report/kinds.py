"""The figures of one run, by the name that `oo-sim plot --kind` knows them by."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from matplotlib.figure import Figure

from oo_sim.report.exploration import exploration_figure
from oo_sim.report.loglog import loglog_figure
from oo_sim.report.people import users_figure
from oo_sim.report.reactions import reactions_figure
from oo_sim.report.run import Run
from oo_sim.report.segments import segments_figure
from oo_sim.report.theta import theta_figure

FIGURES: Mapping[str, Callable[[Run], Figure]] = {
    "loglog": loglog_figure,
    "segments": segments_figure,
    "reactions": reactions_figure,
    "users": users_figure,
    "exploration": exploration_figure,
    "theta": theta_figure,
}
"""Each takes a run and returns a figure; raises `RunLogError` where the run does not hold what it shows."""
