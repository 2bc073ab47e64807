"""The two levels that every other policy is read against: chance, and perfect knowledge."""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64, Batch, LaneForm, Learning, Policy, State
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


def _form(score: str, explored: str) -> LaneForm:
    return LaneForm(score, explored, "nothing", np.zeros(0))


def random() -> Policy:
    """Any candidate with the same probability; its score is 0."""
    return Policy(
        "random",
        FEATURES["none"],
        _stateless,
        _zeros,
        explore.uniform,
        _learn_nothing,
        explores=True,
        lanes=_form("nothing", "even"),
    )


def oracle() -> Policy:
    """The candidate with the highest true expected reward: its regret is 0 by construction. Simulation only."""
    return Policy(
        "oracle", FEATURES["truth"], _stateless, _truth, explore.greedy, _learn_nothing, lanes=_form("truth", "greedy")
    )
