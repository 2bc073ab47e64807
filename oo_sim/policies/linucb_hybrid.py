"""LinUCB with a shared model and one per kind of candidate, task or LLM tip (Li, Chu, Langford & Schapire 2010, "A
Contextual-Bandit Approach to Personalized News Article Recommendation", Alg. 2, with kinds for arms and z = x)."""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64, I64, MIN_PRIOR, Batch, FeatureMap, Learning, Policy
from oo_sim.policies import checks, explore, ridge
from oo_sim.policies.kinds import Kinds


def linucb_hybrid(
    alpha: float = 1.0, sharing: float = 1.0, features: str | FeatureMap = "oo7", prior: float = 1.0
) -> Policy:
    """reward = x' (beta + theta_kind): score = its mean + alpha times its standard deviation.

    `sharing` is the prior variance of beta in units of theta's 1 / prior: 1 is Alg. 2, 0 is `linucb_disjoint`, and much
    more is one model for all. The two sums w_kind = beta + theta_kind are learned as one ridge regression on (x, 0)
    and (0, x) whose prior covariance is (1 / prior) [[1 + sharing, sharing], [sharing, 1 + sharing]], which is what
    the blocks of Alg. 2 come to. `is_llm` picks the kind and is not a feature; it is added to features that lack it.

    Parameters:
        alpha: from 0; standard errors added to the mean.
        sharing: 0 to 100; how much of a preference is shared by tasks and tips.
        features: a map by name (oo7 if not told otherwise; oo5, oo7, oo7x), or a `FeatureMap`.
        prior: from 1e-4 (1 + 2 sharing); the ridge penalty lambda.
    """
    kinds = Kinds.of(features)
    alpha, sharing = checks.number("alpha", alpha, 0.0), checks.number("sharing", sharing, 0.0, 100.0)
    prior = checks.number("prior", prior, MIN_PRIOR * (1.0 + 2.0 * sharing))
    blocks, mixed = _packed(kinds.d)

    def init(n: int) -> ridge.Ridge:
        state = ridge.init(2 * kinds.d, prior / (1.0 + sharing))(n)
        state.inverse[mixed] = sharing / prior
        return state

    def score(state: ridge.Ridge, batch: Batch, noise: F64) -> F64:
        theta = state.theta.reshape(2, kinds.d, -1)
        return kinds.upper_confidence(state.inverse[blocks], theta, batch.x, alpha)

    def update(state: ridge.Ridge, learning: Learning, noise: F64) -> ridge.Ridge:
        x, tip = kinds.split(learning.x)
        both = np.concatenate([np.where(tip, 0.0, x), np.where(tip, x, 0.0)])
        return ridge.update(state, learning._replace(x=both), noise)

    return Policy(
        "linucb_hybrid",
        kinds.phi,
        init,
        score,
        explore.greedy,
        update,
        parameters={"alpha": alpha, "sharing": sharing, "features": kinds.base, "prior": prior},
        lanes=kinds.lanes(init, alpha),
    )


def _packed(d: int) -> tuple[I64, I64]:
    """Where a packed upper triangle of 2d rows holds its two diagonal blocks (2, d (d + 1) / 2), and the entries (d,)
    that join a feature of one kind to the same feature of the other."""
    row, column = np.triu_indices(2 * d)
    inside = (row < d) == (column < d)
    return np.flatnonzero(inside).reshape(2, -1), np.flatnonzero(column - row == d)
