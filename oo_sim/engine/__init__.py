"""The one loop over rounds, the blocks of lanes that it runs on, and the threads that run them."""

from oo_sim.engine.blocks import Block, Interrupted, Result, blocks, checkpoints, run_policy
from oo_sim.engine.run import Observer, simulate

__all__ = ["Block", "Interrupted", "Observer", "Result", "blocks", "checkpoints", "run_policy", "simulate"]
