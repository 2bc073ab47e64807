"""From a scenario and policies to results: run, kept and continued, shared out, merged."""

from oo_sim.experiment.pace import Going, Pace, duration
from oo_sim.experiment.pieces import Status, merge, partial, shard, status
from oo_sim.experiment.plan import CHECKPOINTS, Plan, plan
from oo_sim.experiment.running import WHOLE, Run, run
from oo_sim.experiment.sizing import Estimate, estimate
from oo_sim.experiment.working import Progress

__all__ = [
    "CHECKPOINTS",
    "WHOLE",
    "Estimate",
    "Going",
    "Pace",
    "Plan",
    "Progress",
    "Run",
    "Status",
    "duration",
    "estimate",
    "merge",
    "partial",
    "plan",
    "run",
    "shard",
    "status",
]
