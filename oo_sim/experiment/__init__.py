"""From a scenario and policies to results: run, kept and continued, shared out, merged."""

from oo_sim.experiment.pieces import merge, partial, shard
from oo_sim.experiment.plan import CHECKPOINTS, Plan, plan
from oo_sim.experiment.running import Progress, Run, run

__all__ = ["CHECKPOINTS", "Plan", "Progress", "Run", "merge", "partial", "plan", "run", "shard"]
