"""SquareCB: least squares and inverse gap weighting (Foster & Rakhlin 2020, "Beyond UCB: Optimal and Efficient
Contextual Bandits with Regression Oracles", Alg. 1)."""

from __future__ import annotations

from oo_sim.contract import F64, Batch, FeatureMap, Policy
from oo_sim.features import feature_map
from oo_sim.policies import checks, explore, ridge


def squarecb(
    gamma: float = 10.0, exponent: float = 0.5, features: str | FeatureMap = "oo7", prior: float = 1.0, warm: str = ""
) -> Policy:
    """score = x' theta; each candidate but the best gets 1 / (K + gamma_t (best - score)), the best gets the rest.

    gamma_t = gamma (t + 1)^exponent at a user's decision t, counted from 0. The regret bound's sqrt(K T / regret of
    the regression) is a constant where the horizon T is known: exponent 0; growing like sqrt(t) needs no horizon.

    Parameters:
        gamma: from 0; how greedy it is at the first decision.
        exponent: 0 to 2; how gamma grows with a user's decisions.
        features: a map by name (oo7 if not told otherwise; oo5, oo7, oo7x), or a `FeatureMap`.
        prior: from 1e-4; the ridge penalty lambda, A = prior I before anything is learned.
        warm: a file that `oo-sim fit` wrote, to start at the people in it instead of at zero; empty for none.
    """
    phi = feature_map(features)
    fresh, known = ridge.begun(phi, prior, warm)
    gamma, exponent = checks.number("gamma", gamma, 0.0), checks.number("exponent", exponent, 0.0, 2.0)

    def score(state: ridge.Ridge, batch: Batch, noise: F64) -> F64:
        return ridge.mean(state, batch.x)

    return Policy(
        "squarecb",
        phi,
        fresh,
        score,
        explore.inverse_gap(gamma, exponent),
        ridge.update,
        parameters={"gamma": gamma, "exponent": exponent, "features": phi.name, **known},
        explores=True,
        lanes=ridge.lanes("mean", "inverse gap", fresh, gamma, exponent),
    )
