"""Thompson sampling on a Bayesian logistic regression (Chapelle & Li 2011, "An Empirical Evaluation of Thompson
Sampling", Alg. 3, with the full covariance and one observation a step)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, FeatureMap, Learning, Policy
from oo_sim.features import feature_map
from oo_sim.kernels.weighted import laplace_update
from oo_sim.policies import checks, ridge
from oo_sim.policies.checks import fits
from oo_sim.policies.thompson import thompson


class Laplace(NamedTuple):
    """The posterior N(theta, A^-1): A^-1 as its upper triangle (d (d + 1) / 2, n), and theta (d, n)."""

    inverse: F64
    theta: F64


def logistic_ts(scale: float = 0.5, samples: int = 1, features: str | FeatureMap = "oo7", prior: float = 1.0) -> Policy:
    """Draw theta ~ N(mode, scale^2 A^-1); the highest x' theta is served, since the logistic curve keeps the order.

    A reward r counts as the share (r + 1) / 2 of a success, cut off at 0 and 1. After each, theta is the mode of the
    old posterior times the new likelihood, and A grows by p (1 - p) x x', its curvature there. `samples` as in
    `thompson`.

    Parameters:
        scale: from 0; the posterior's standard deviation in units of Laplace's.
        samples: 1 to 1000; with more than one the propensity is known.
        features: a map by name (oo7 if not told otherwise; oo5, oo7, oo7x), or a `FeatureMap`.
        prior: from 1e-4; the ridge penalty lambda, A = prior I before anything is learned.
    """
    phi, prior = feature_map(features), checks.ridge_prior(prior)
    sampling = thompson(scale, samples, phi, prior)
    fresh = ridge.init(phi.d, prior)

    def init(n: int) -> Laplace:
        start = fresh(n)
        return Laplace(start.inverse, start.theta)

    def update(state: Laplace, learning: Learning, noise: F64) -> Laplace:
        fits(state.theta.shape, learning.x)
        target = np.clip((learning.reward + 1.0) / 2.0, 0.0, 1.0)
        laplace_update(*state, learning.x, target, learning.learn)
        return state

    lanes = None if sampling.lanes is None else sampling.lanes._replace(learn="laplace")
    return sampling._replace(name="logistic_ts", init=init, update=update, lanes=lanes)
