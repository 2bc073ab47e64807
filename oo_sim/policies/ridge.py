"""The linear policies' model of reward, one ridge regression a lane. Private policies may build on it as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, FeatureMap, LaneForm, Learning
from oo_sim.kernels import ridge
from oo_sim.policies import checks
from oo_sim.policies.warm import LEAST_PRIOR
from oo_sim.policies.warm import start as warm_start


class Ridge(NamedTuple):
    """A^-1 as its upper triangle (d (d + 1) / 2, n), b (d, n) and theta = A^-1 b (d, n)."""

    inverse: F64
    b: F64
    theta: F64


def begun(phi: FeatureMap, prior: float, warm: str) -> tuple[Callable[[int], Ridge], dict[str, float | str]]:
    """A maker of fresh states, and the parameters that describe it: A = prior I and b = 0, or, with a `warm` start,
    prior times the A and the b of what is known of other people (`policies.warm`). Raises ValueError."""
    prior = checks.ridge_prior(prior)
    if not warm:
        return init(phi.d, prior), {"prior": prior}
    prior, start = checks.number("prior", prior, LEAST_PRIOR), warm_start(warm, phi)

    def fresh(n: int) -> Ridge:
        each = (start.inverse / prior, start.b * prior, start.theta)
        return Ridge(*(np.repeat(part[:, None], n, axis=1) for part in each))

    return fresh, {"prior": prior, "warm": start.text}


def init(d: int, prior: float) -> Callable[[int], Ridge]:
    """A maker of fresh states for n lanes: A = prior I, b = 0."""

    def fresh(n: int) -> Ridge:
        inverse = np.zeros((d * (d + 1) // 2, n))
        inverse[np.cumsum([0, *range(d, 1, -1)])[:d]] = 1.0 / prior
        return Ridge(inverse, np.zeros((d, n)), np.zeros((d, n)))

    return fresh


def lanes(score: str, explore: str, fresh: Callable[[int], Ridge], *p: float, samples: int = 1) -> LaneForm:
    """How tiles see a policy that learns a ridge regression: it scores and chooses by the numbers `p`."""
    return LaneForm(score, explore, "ridge", rows(fresh), p, samples)


def rows(fresh: Callable[[int], Ridge]) -> F64:
    """One fresh user's state as tiles have it: theta, then A^-1."""
    state = fresh(1)
    return np.concatenate([state.theta[:, 0], state.inverse[:, 0]])


def mean(state: Ridge, x: F64) -> F64:
    """x' theta (K, n) for x (K, d, n)."""
    _fits(state, x)
    out = np.empty((x.shape[0], x.shape[2]))
    ridge.ridge_mean(state.theta, x, out)
    return out


def mean_and_variance(state: Ridge, x: F64) -> tuple[F64, F64]:
    """x' theta and x' A^-1 x, both (K, n), for x (K, d, n)."""
    _fits(state, x)
    K, _, n = x.shape
    means, variances = np.empty((K, n)), np.empty((K, n))
    ridge.ridge_mean(state.theta, x, means)
    ridge.ridge_variance(state.inverse, x, variances)
    return means, variances


def update(state: Ridge, learning: Learning, noise: F64) -> Ridge:
    """Learn from the lanes with a reward, in the state's own memory."""
    _fits(state, learning.x)
    ridge.ridge_update(*state, learning.x, learning.reward, learning.learn)
    return state


def _fits(state: Ridge, x: F64) -> None:
    """Compiled code checks no bounds, so shapes are checked before it is called."""
    d, n = x.shape[-2:]
    if (state.inverse.shape, state.b.shape, state.theta.shape) != ((d * (d + 1) // 2, n), (d, n), (d, n)):
        raise ValueError(f"x has (features, lanes) = {(d, n)}, and the ridge state {state.theta.shape}")
