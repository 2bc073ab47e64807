"""Two private policies as a researcher writes them: NumPy throughout, and NumPy on top of the compiled ridge."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, Batch, Learning, Policy, Probs
from oo_sim.features import feature_map
from oo_sim.policies import ridge


class Model(NamedTuple):
    """A^-1 (d, d, n) and b (d, n), lane last."""

    inverse: F64
    b: F64


def _init(n: int) -> Model:
    return Model(np.repeat(np.eye(5)[:, :, None], n, axis=2), np.zeros((5, n)))


def _score(state: Model, batch: Batch, noise: F64) -> F64:
    theta = (state.inverse * state.b).sum(axis=1)
    variance = np.zeros(batch.mask.shape)
    for a in range(5):
        variance += (state.inverse[a] * batch.x).sum(axis=1) * batch.x[:, a]
    scores: F64 = (batch.x * theta).sum(axis=1) + np.sqrt(variance)
    return scores


def greedy(scores: F64, batch: Batch) -> Probs:
    """All on the first of the highest scores, in NumPy."""
    best = np.where(batch.mask, scores, -np.inf).argmax(axis=0)
    total = (np.arange(len(scores))[:, None] == best).astype(np.float64)
    return Probs(total, np.zeros(scores.shape))


def _update(state: Model, learning: Learning, noise: F64) -> Model:
    v = (state.inverse * learning.x).sum(axis=1)
    gain = learning.learn / (1.0 + (learning.x * v).sum(axis=0))
    state.inverse[:] -= gain * v[:, None] * v[None, :]
    state.b[:] += learning.learn * learning.reward * learning.x
    return state


def numpy_linucb() -> Policy:
    """LinUCB in NumPy throughout."""
    return Policy("numpy", feature_map("oo5"), _init, _score, greedy, _update)


def _parts_score(state: ridge.Ridge, batch: Batch, noise: F64) -> F64:
    mean, variance = ridge.mean_and_variance(state, batch.x)
    scores: F64 = mean + np.sqrt(variance)
    return scores


def parts_linucb() -> Policy:
    """LinUCB scored in NumPy on the compiled ridge's mean and variance, with an explorer in NumPy."""
    return Policy("numpy-on-ridge", feature_map("oo5"), ridge.init(5, 1.0), _parts_score, greedy, ridge.update)
