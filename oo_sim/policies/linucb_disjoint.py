"""LinUCB with one model per kind of candidate, task or LLM tip (Li, Chu, Langford & Schapire 2010, "A Contextual-Bandit
Approach to Personalized News Article Recommendation", Alg. 1, with kinds for arms)."""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64, Batch, FeatureMap, Learning, Policy
from oo_sim.policies import checks, explore, ridge
from oo_sim.policies.kinds import Kinds


def linucb_disjoint(alpha: float = 1.0, features: str | FeatureMap = "oo7", prior: float = 1.0) -> Policy:
    """score = x' theta_kind + alpha sqrt(x' A_kind^-1 x): tasks teach nothing about tips, nor tips about tasks.

    `is_llm` picks the model and is not a feature of it; it is added to features that do not hold it.

    Parameters:
        alpha: from 0; standard errors added to the mean.
        features: a map by name (oo7 if not told otherwise; oo5, oo7, oo7x), or a `FeatureMap`.
        prior: from 1e-4; the ridge penalty lambda, A = prior I before anything is learned.
    """
    kinds, prior = Kinds.of(features), checks.ridge_prior(prior)
    alpha = checks.number("alpha", alpha, 0.0)
    fresh = ridge.init(kinds.d, prior)

    def init(n: int) -> ridge.Ridge:
        return ridge.Ridge(*(np.stack([array, array]) for array in fresh(n)))

    def score(state: ridge.Ridge, batch: Batch, noise: F64) -> F64:
        return kinds.upper_confidence(state.inverse, state.theta, batch.x, alpha)

    def update(state: ridge.Ridge, learning: Learning, noise: F64) -> ridge.Ridge:
        x, tip = kinds.split(learning.x)
        for kind, of_kind in enumerate((~tip, tip)):
            model = ridge.Ridge(*(array[kind] for array in state))
            ridge.update(model, learning._replace(x=x, learn=learning.learn & of_kind), noise)
        return state

    return Policy(
        "linucb_disjoint",
        kinds.phi,
        init,
        score,
        explore.greedy,
        update,
        parameters={"alpha": alpha, "features": kinds.base, "prior": prior},
        lanes=kinds.lanes(ridge.init(2 * kinds.d, prior), alpha),  # the hybrid that shares nothing, to the bit
    )
