"""Explorers: from scores to choice probabilities."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from oo_sim.contract import F64, Batch, Probs
from oo_sim.kernels import choice

Explorer = Callable[[F64, Batch], Probs]


def greedy(scores: F64, batch: Batch) -> Probs:
    """All on the first of the highest scores."""
    return _epsilon(scores, batch, np.zeros(scores.shape[1]))


def epsilon_greedy(epsilon: float, decay: float = 0.0) -> Explorer:
    """epsilon_t spread evenly, the rest on the first of the highest scores; epsilon_t = epsilon / (1 + decay t)."""

    def explorer(scores: F64, batch: Batch) -> Probs:
        return _epsilon(scores, batch, np.asarray(epsilon / (1.0 + decay * batch.t), dtype=np.float64))

    return explorer


def _epsilon(scores: F64, batch: Batch, epsilon: F64) -> Probs:
    probs = Probs(np.empty(scores.shape), np.empty(scores.shape))
    choice.epsilon_greedy(scores, batch.mask, epsilon, *probs)
    return probs


def softmax(temperature: float) -> Explorer:
    """Boltzmann exploration: in proportion to exp(score / temperature). None of it counts as explored."""

    def explorer(scores: F64, batch: Batch) -> Probs:
        total = np.empty(scores.shape)
        choice.softmax(scores, batch.mask, temperature, total)
        return Probs(total, np.zeros(scores.shape))

    return explorer


def uniform(scores: F64, batch: Batch) -> Probs:
    """The same probability for every candidate that stands."""
    count = np.empty(scores.shape[1])
    choice.count(batch.mask, count)
    total = np.where(batch.mask, 1.0 / count, 0.0)
    return Probs(total, total)
