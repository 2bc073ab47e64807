"""The two levels that every other policy is read against: chance, and perfect knowledge."""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64, Batch, Learning, Policy, State
from oo_sim.features import FEATURES
from oo_sim.policies import explore


def _stateless(n: int) -> State:
    return ()


def _learn_nothing(state: State, learning: Learning, noise: F64) -> State:
    return state


def _zeros(state: State, batch: Batch, noise: F64) -> F64:
    return np.zeros(batch.mask.shape)


def _truth(state: State, batch: Batch, noise: F64) -> F64:
    scores: F64 = batch.x[:, 0]
    return scores


def random() -> Policy:
    """Any candidate with the same probability; its score is 0."""
    return Policy("random", FEATURES["none"], _stateless, _zeros, explore.uniform, _learn_nothing, explores=True)


def oracle() -> Policy:
    """The candidate with the highest true expected reward: its regret is 0 by construction. Simulation only."""
    return Policy("oracle", FEATURES["truth"], _stateless, _truth, explore.greedy, _learn_nothing)
