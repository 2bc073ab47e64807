"""Linear Thompson sampling with a Gaussian posterior (Agrawal & Goyal 2013)."""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64, Batch, FeatureMap, Policy
from oo_sim.features import feature_map
from oo_sim.kernels import choice
from oo_sim.kernels.elementary import normals
from oo_sim.kernels.ridge import cholesky, ridge_mean, times_factor
from oo_sim.policies import checks, explore, ridge


def thompson(
    scale: float = 0.5, samples: int = 1, features: str | FeatureMap = "oo7", prior: float = 1.0, warm: str = ""
) -> Policy:
    """Draw from the win shares of `samples` posterior samples theta ~ N(theta, scale^2 A^-1), one theta a sample.

    One sample is the textbook rule: the score is then the sampled x' theta, and the propensity is not known. With more
    the choice has the same distribution, and score and propensity are the candidate's share of wins.

    Parameters:
        scale: from 0; the posterior's standard deviation in units of the ridge's. A constant stands for the paper's
            v = R sqrt(9 d ln(t / delta)), which grows with t.
        samples: 1 to 1000; with more than one the propensity is known.
        features: a map by name (oo7 if not told otherwise; oo5, oo7, oo7x), or a `FeatureMap`.
        prior: from 1e-4; the ridge penalty lambda, A = prior I before anything is learned.
        warm: a file that `oo-sim fit` wrote, to start at the people in it instead of at zero; empty for none.
    """
    phi = feature_map(features)
    fresh, known = ridge.begun(phi, prior, warm)
    scale, samples = checks.number("scale", scale, 0.0), checks.integer("samples", samples, 1, 1000)

    def sampled(state: ridge.Ridge, batch: Batch, noise: F64) -> F64:
        """Scores (samples, K, n) under one posterior sample each."""
        K, d, n = batch.x.shape
        z, factor = np.empty(noise.shape), np.empty(state.inverse.shape)
        normals(noise, z)
        z *= scale
        cholesky(state.inverse, factor)
        out = np.empty((samples, K, n))
        for m in range(samples):
            theta = state.theta.copy()
            times_factor(factor, z[m * d : (m + 1) * d], theta)
            ridge_mean(theta, batch.x, out[m])
        return out

    def shares(state: ridge.Ridge, batch: Batch, noise: F64) -> F64:
        total = np.empty(batch.mask.shape)
        choice.win_shares(sampled(state, batch, noise), batch.mask, total)
        return total

    def single(state: ridge.Ridge, batch: Batch, noise: F64) -> F64:
        scores: F64 = sampled(state, batch, noise)[0]
        return scores

    return Policy(
        "thompson",
        phi,
        fresh,
        single if samples == 1 else shares,
        explore.greedy if samples == 1 else explore.as_scored,
        ridge.update,
        noise=(samples * phi.d, 0),
        parameters={"scale": scale, "samples": samples, "features": phi.name, **known},
        propensities=samples > 1,
        lanes=ridge.lanes("sample", "greedy" if samples == 1 else "shares", fresh, scale, samples=samples),
    )
