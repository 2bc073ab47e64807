"""What a run leaves: `Run`, the summary of each policy, one value per user. Nothing here draws."""

from oo_sim.results.result import write_whole
from oo_sim.results.run import CURVES_PNG, Run, load_run
from oo_sim.results.summary import PolicySummary

__all__ = ["CURVES_PNG", "PolicySummary", "Run", "load_run", "write_whole"]
