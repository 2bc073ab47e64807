"""LinUCB that starts afresh from time to time (Zhao, Zhang, Jiang & Zhou 2020, "A Simple Approach for Non-stationary
Linear Bandits", Alg. 1: RestartUCB)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, I64, Batch, FeatureMap, LaneForm, Learning, Policy
from oo_sim.features import feature_map
from oo_sim.kernels.ridge import upper_confidence
from oo_sim.policies import checks, explore, ridge


class Restarted(NamedTuple):
    """The ridge regression of the present epoch, and that epoch's number (n,)."""

    inverse: F64
    b: F64
    theta: F64
    epoch: F64

    @property
    def model(self) -> ridge.Ridge:
        """The ridge regression on its own."""
        return ridge.Ridge(self.inverse, self.b, self.theta)


def restart_linucb(
    period: int = 200, alpha: float = 1.0, features: str | FeatureMap = "oo5", prior: float = 1.0
) -> Policy:
    """score = x' theta + alpha sqrt(x' A^-1 x) on what this epoch's decisions taught; an epoch is `period` rounds.

    A reward that comes after its epoch is over is not learned. With a period longer than the run this is LinUCB.

    Parameters:
        period: from 1; rounds in an epoch.
        alpha: from 0; standard errors added to the mean. A constant stands for the paper's radius beta_t, which
            grows within an epoch.
        features: a map by name (oo5 if not told otherwise; oo5, oo7, oo7x), or a `FeatureMap`.
        prior: from 1e-4; the ridge penalty lambda, A = prior I before anything is learned.
    """
    phi, prior = feature_map(features), checks.ridge_prior(prior)
    period, alpha = checks.integer("period", period, 1, 1_000_000_000), checks.number("alpha", alpha, 0.0)
    fresh = ridge.init(phi.d, prior)
    start = np.append(ridge.rows(fresh), 0.0)

    def init(n: int) -> Restarted:
        return Restarted(*fresh(n), np.zeros(n))

    def score(state: Restarted, batch: Batch, noise: F64) -> F64:
        mean, variance = ridge.mean_and_variance(state.model, batch.x)
        upper_confidence(mean, variance, alpha)
        return mean

    def update(state: Restarted, learning: Learning, noise: F64) -> Restarted:
        if learning.tick:
            _restart(state, (learning.t_now + 1) // period)  # the epoch of the next decision
        decided = np.maximum(learning.t_decided, 0)  # what was rewarded before the first decision is of its epoch
        current = learning.learn & (decided // period == state.epoch)
        ridge.update(state.model, learning._replace(learn=current), noise)
        return state

    def _restart(state: Restarted, epoch: I64) -> None:
        over = epoch != state.epoch
        if over.any():
            for array, start in zip(state.model, fresh(len(over)), strict=True):
                np.copyto(array, start, where=over)
            state.epoch[:] = epoch

    return Policy(
        "restart_linucb",
        phi,
        init,
        score,
        explore.greedy,
        update,
        parameters={"period": period, "alpha": alpha, "features": phi.name, "prior": prior},
        lanes=LaneForm("upper confidence", "greedy", "restart", start, (alpha,), period=period),
    )
