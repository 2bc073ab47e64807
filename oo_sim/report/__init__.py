"""Looks at a run: its summary table, its curves, and `Run`, which shows both."""

from oo_sim.report.run import CURVES_PNG, Run, load_run
from oo_sim.report.summary import PolicySummary

__all__ = ["CURVES_PNG", "PolicySummary", "Run", "load_run"]
