"""The one loop over rounds, the blocks of lanes that it runs on, and the threads that run them."""

from oo_sim.engine.blocks import BLOCK, Block, Result, Watch, blocks, checkpoints, run_policy
from oo_sim.engine.run import InterruptedRunError, Observer, RoundError, simulate

__all__ = [
    "BLOCK",
    "Block",
    "InterruptedRunError",
    "Observer",
    "Result",
    "RoundError",
    "Watch",
    "blocks",
    "checkpoints",
    "run_policy",
    "simulate",
]
