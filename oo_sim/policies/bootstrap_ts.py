"""Thompson sampling with an online bootstrap in place of a posterior (Eckles & Kaptein 2014, "Thompson Sampling with
the Online Bootstrap"; Osband & Van Roy 2015, "Bootstrapped Thompson Sampling and Deep Exploration")."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, Batch, FeatureMap, LaneForm, Learning, Policy
from oo_sim.features import feature_map
from oo_sim.kernels import philox
from oo_sim.kernels.choice import win_shares
from oo_sim.kernels.draws import LaneDraws, hash_users
from oo_sim.kernels.ridge import ridge_mean
from oo_sim.kernels.tile.written import WIDEST
from oo_sim.kernels.weighted import weighted_update
from oo_sim.policies import checks, explore, ridge
from oo_sim.policies.checks import fits


class Bootstrap(NamedTuple):
    """R ridge regressions: A^-1 as upper triangles (R, d (d + 1) / 2, n), and theta (R, d, n)."""

    inverse: F64
    theta: F64


def bootstrap_ts(
    replicates: int = 10, spread: float = 0.5, features: str | FeatureMap = "oo7", prior: float = 1.0
) -> Policy:
    """Serve the best of one of R ridge regressions, picked at random in each decision: score and propensity are both
    the share of the R in which a candidate is the best, so the propensity is known.

    Each regression counts each reward twice or not at all, with probability 1/2 (double or nothing). Regression j
    starts at theta = spread prior^-1/2 z_j, z_j standard normal, the same for all users: without that all start equal.
    Each lane keeps 4 R d (d + 3) bytes: 2.8 kB for ten regressions on seven features.

    Parameters:
        replicates: 1 to 200; how many regressions.
        spread: from 0; how far apart they start, in prior standard deviations.
        features: a map by name (oo7 if not told otherwise; oo5, oo7, oo7x), or a `FeatureMap`.
        prior: from 1e-4; the ridge penalty lambda, A = prior I before anything is learned.
    """
    phi, prior = feature_map(features), checks.ridge_prior(prior)
    R, spread = checks.integer("replicates", replicates, 1, 200), checks.number("spread", spread, 0.0)
    start = _starts(R, phi.d) * (spread / np.sqrt(prior))
    fresh = ridge.init(phi.d, prior)

    def init(n: int) -> Bootstrap:
        return Bootstrap(np.stack([fresh(n).inverse] * R), np.repeat(start[:, :, None], n, axis=2))

    def score(state: Bootstrap, batch: Batch, noise: F64) -> F64:
        fits(state.theta.shape[1:], batch.x)
        means, share = np.empty((R, *batch.mask.shape)), np.empty(batch.mask.shape)
        for j in range(R):
            ridge_mean(state.theta[j], batch.x, means[j])
        win_shares(means, batch.mask, share)
        return share

    def update(state: Bootstrap, learning: Learning, noise: F64) -> Bootstrap:
        fits(state.theta.shape[1:], learning.x)
        weight = np.where((noise < 0.5) & learning.learn, 2.0, 0.0)
        for j in range(R):
            weighted_update(state.inverse[j], state.theta[j], learning.x, learning.reward, weight[j])
        return state

    return Policy(
        "bootstrap_ts",
        phi,
        init,
        score,
        explore.as_scored,
        update,
        noise=(0, R),
        parameters={"replicates": R, "spread": spread, "features": phi.name, "prior": prior},
        lanes=_lanes(start, ridge.rows(fresh)),
    )


def _lanes(start: F64, fresh: F64) -> LaneForm | None:
    """How tiles see it: the models one after the other, each theta, then A^-1. On many features, they do not: what 64
    users keep is then beyond the caches, and the loop is faster."""
    models = np.repeat(fresh[None], len(start), axis=0)
    models[:, : start.shape[1]] = start
    small = start.shape[1] <= WIDEST
    return LaneForm("bootstrap", "shares", "bootstrap", models.ravel(), samples=len(start)) if small else None


def _starts(replicates: int, d: int) -> F64:
    """Standard normal starts (R, d), addressed by the regression's number alone."""
    numbers = LaneDraws(np.uint64(0), np.uint64(0), hash_users(f"replicate-{j}" for j in range(replicates)))
    return np.ascontiguousarray(numbers.normals(philox.UPDATE, np.zeros(replicates, np.int64), d).T)
