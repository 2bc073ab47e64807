"""LinUCB with one theta shared by all candidates (Li, Chu, Langford & Schapire 2010, Alg. 1 with a shared model)."""

from __future__ import annotations

from oo_sim.contract import F64, Batch, FeatureMap, Policy
from oo_sim.features import feature_map
from oo_sim.kernels.ridge import upper_confidence
from oo_sim.policies import checks, explore, ridge


def linucb(alpha: float = 1.0, features: str | FeatureMap = "oo5", prior: float = 1.0, warm: str = "") -> Policy:
    """score = x' theta + alpha sqrt(x' A^-1 x); the highest is served, the first on a tie.

    Here and in the other policies on a ridge regression, `warm` names a file that `oo-sim fit` wrote: each user starts
    at the Gaussian of the people in it, `prior` times as sure, instead of at zero.

    Parameters:
        alpha: from 0; standard errors added to the mean. A constant stands for the paper's 1 + sqrt(ln(2 / delta) / 2).
        features: a map by name (oo5 if not told otherwise; oo5, oo7, oo7x), or a `FeatureMap`.
        prior: from 1e-4; the ridge penalty lambda, A = prior I before anything is learned.
        warm: a file that `oo-sim fit` wrote, to start at the people in it instead of at zero; empty for none.
    """
    phi = feature_map(features)
    alpha = checks.number("alpha", alpha, 0.0)
    fresh, known = ridge.begun(phi, prior, warm)

    def score(state: ridge.Ridge, batch: Batch, noise: F64) -> F64:
        mean, variance = ridge.mean_and_variance(state, batch.x)
        upper_confidence(mean, variance, alpha)
        return mean

    return Policy(
        "linucb",
        phi,
        fresh,
        score,
        explore.greedy,
        ridge.update,
        parameters={"alpha": alpha, "features": phi.name, **known},
        lanes=ridge.lanes("upper confidence", "greedy", fresh, alpha),
    )
