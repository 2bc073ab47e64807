"""What a run leaves: `Run`, the summary of each policy, one value per user. Nothing here draws."""

from oo_sim.results.result import DRAWN, WRITTEN, write_whole
from oo_sim.results.run import CURVES_PNG, Run, load_run, log_of
from oo_sim.results.summary import PolicySummary

__all__ = ["CURVES_PNG", "DRAWN", "WRITTEN", "PolicySummary", "Run", "load_run", "log_of", "write_whole"]
