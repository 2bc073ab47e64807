"""LinUCB that forgets by discounting: D-LinUCB (Russac, Vernade & Cappé 2019, "Weighted Linear Bandits for
Non-Stationary Environments", Alg. 1)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, Batch, FeatureMap, LaneForm, Learning, Policy
from oo_sim.features import feature_map
from oo_sim.kernels import gram
from oo_sim.kernels.elementary import log
from oo_sim.kernels.gaps import exponential
from oo_sim.kernels.ridge import upper_confidence
from oo_sim.policies import checks, explore
from oo_sim.policies.checks import fits


class Discounted(NamedTuple):
    """Sums over past decisions with their weights w: `gram` of w x x' and `squared` of w^2 x x', both upper triangles
    (d (d + 1) / 2, n), and `b` of w r x (d, n)."""

    gram: F64
    squared: F64
    b: F64


def dlinucb(gamma: float = 0.99, alpha: float = 1.0, features: str | FeatureMap = "oo5", prior: float = 1.0) -> Policy:
    """score = x' V^-1 b + alpha sqrt(x' V^-1 W V^-1 x), with V = prior I + gram and W = prior I + squared.

    A decision of k rounds ago has weight gamma^k, also where its reward came late; half of a weight is gone after
    about 0.7 / (1 - gamma) rounds. With gamma = 1 this is LinUCB. Ageing leaves the prior alone, so V is factored
    anew in every decision: of order d^3 + K d^2 multiplications.

    Parameters:
        gamma: 0.01 to 1; the weight that a decision keeps each round.
        alpha: from 0; standard errors added to the mean. A constant stands for the paper's radius beta_t, which
            grows with the log of the discounted number of rounds.
        features: a map by name (oo5 if not told otherwise; oo5, oo7, oo7x), or a `FeatureMap`.
        prior: from 1e-4; the ridge penalty lambda, A = prior I before anything is learned.
    """
    phi, prior = feature_map(features), checks.ridge_prior(prior)
    gamma, alpha = checks.number("gamma", gamma, 0.01, 1.0), checks.number("alpha", alpha, 0.0)
    log_gamma = log(gamma)

    def init(n: int) -> Discounted:
        m = phi.d * (phi.d + 1) // 2
        return Discounted(np.zeros((m, n)), np.zeros((m, n)), np.zeros((phi.d, n)))

    def score(state: Discounted, batch: Batch, noise: F64) -> F64:
        fits(state.b.shape, batch.x)
        mean, variance = np.empty(batch.mask.shape), np.empty(batch.mask.shape)
        gram.discounted_moments(*state, prior, batch.x, mean, variance)
        upper_confidence(mean, variance, alpha)
        return mean

    def update(state: Discounted, learning: Learning, noise: F64) -> Discounted:
        fits(state.b.shape, learning.x)
        if learning.tick:
            for sums, factor in zip(state, (gamma, gamma * gamma, gamma), strict=True):
                np.multiply(sums, factor, out=sums)
        weight = np.empty(len(learning.reward))
        exponential(np.asarray(log_gamma * (learning.t_now - learning.t_decided), np.float64), weight)
        weight[~learning.learn] = 0.0
        gram.add_outer(state.gram, learning.x, weight)
        gram.add_outer(state.squared, learning.x, weight * weight)
        gram.add_scaled(state.b, learning.x, np.where(learning.learn, weight * learning.reward, 0.0))
        return state

    start = np.zeros(phi.d * (phi.d + 2))
    form = LaneForm("discounted", "greedy", "discounted", start, (alpha, gamma, log_gamma, prior))
    return Policy(
        "dlinucb",
        phi,
        init,
        score,
        explore.greedy,
        update,
        parameters={"gamma": gamma, "alpha": alpha, "features": phi.name, "prior": prior},
        lanes=form,
    )
