"""The one loop over rounds, the blocks of lanes that it runs on, and the threads that run them."""

from oo_sim.engine.blocks import (
    BLOCK,
    Begin,
    Block,
    Result,
    Watch,
    blocks,
    can_go_on,
    checkpoints,
    remembered,
    run_policy,
)
from oo_sim.engine.memory import LOOP, Memory
from oo_sim.engine.run import InterruptedRunError, Observer, RoundError, simulate

__all__ = [
    "BLOCK",
    "LOOP",
    "Begin",
    "Block",
    "InterruptedRunError",
    "Memory",
    "Observer",
    "Result",
    "RoundError",
    "Watch",
    "blocks",
    "can_go_on",
    "checkpoints",
    "remembered",
    "run_policy",
    "simulate",
]
