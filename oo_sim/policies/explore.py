"""Explorers: from scores to choice probabilities."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from oo_sim.contract import F64, Batch, Probs
from oo_sim.kernels import choice, gaps

Explorer = Callable[[F64, Batch], Probs]


def greedy(scores: F64, batch: Batch) -> Probs:
    """All on the first of the highest scores."""
    return _epsilon(scores, batch, np.zeros(scores.shape[1]))


def _harmonic(u: F64) -> F64:
    return 1.0 + u


def _sqrt(u: F64) -> F64:
    return np.sqrt(1.0 + u)


def _cbrt(u: F64) -> F64:
    return _power(1.0 + u, 1.0 / 3.0)


def _exponential(u: F64) -> F64:
    out = np.empty(u.shape)
    gaps.exponential(u, out)
    return out


def _power(base: F64, exponent: float) -> F64:
    out = np.empty(base.shape)
    gaps.power(base, exponent, out)
    return out


SCHEDULES: dict[str, Callable[[F64], F64]] = {
    "harmonic": _harmonic,
    "sqrt": _sqrt,
    "cbrt": _cbrt,
    "exponential": _exponential,
}
"""What exploration is divided by at u = decay t: 1 + u, (1 + u)^1/2, (1 + u)^1/3, e^u."""


def epsilon_greedy(epsilon: float, decay: float = 0.0, schedule: str = "harmonic") -> Explorer:
    """epsilon_t spread evenly, the rest on the first of the highest scores; epsilon_t = epsilon / schedule(decay t)."""
    divisor = SCHEDULES[schedule]

    def explorer(scores: F64, batch: Batch) -> Probs:
        return _epsilon(scores, batch, epsilon / divisor(np.asarray(decay * batch.t, np.float64)))

    return explorer


def inverse_gap(gamma: float, exponent: float = 0.0) -> Explorer:
    """1 / (K + gamma_t (best - score)) for each candidate but the first of the best, which gets the rest (Foster &
    Rakhlin 2020); gamma_t = gamma (t + 1)^exponent. What the others get counts as explored."""

    def explorer(scores: F64, batch: Batch) -> Probs:
        probs = Probs(np.empty(scores.shape), np.empty(scores.shape))
        gamma_t = gamma * _power(np.asarray(batch.t + 1.0, np.float64), exponent)
        gaps.inverse_gap(scores, batch.mask, gamma_t, *probs)
        return probs

    return explorer


def as_scored(scores: F64, batch: Batch) -> Probs:
    """Scores that are probabilities already. None of it counts as explored."""
    return Probs(scores, np.zeros(scores.shape))


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
