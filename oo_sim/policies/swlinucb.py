"""LinUCB on a sliding window (Cheung, Simchi-Levi & Zhu 2019, "Learning to Optimize under Non-Stationarity", Alg. 1:
SW-UCB)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, I64, Batch, FeatureMap, LaneForm, Learning, Policy
from oo_sim.features import feature_map
from oo_sim.kernels import window as ring
from oo_sim.kernels.gram import gram_moments
from oo_sim.kernels.ridge import upper_confidence
from oo_sim.policies import checks, explore
from oo_sim.policies.checks import fits

LARGEST_WINDOW = 2000


class Window(NamedTuple):
    """What the last decisions taught, `kept` (window, d + 2, n): x, reward and the decision's number, -1 where empty;
    its sums `gram` of x x' (d (d + 1) / 2, n) and `b` of r x (d, n); and `seen` (n,), the last round gone by."""

    kept: F64
    gram: F64
    b: F64
    seen: F64


def swlinucb(window: int = 100, alpha: float = 1.0, features: str | FeatureMap = "oo5", prior: float = 1.0) -> Policy:
    """score = x' V^-1 b + alpha sqrt(x' V^-1 x), with V = prior I + sum of x x' and b = sum of r x over the last
    `window` decisions. With a window as long as the run this is LinUCB.

    Each lane keeps 8 window (d + 2) bytes: 5.6 kB for 100 decisions and five features, at most 416 kB. A reward that
    comes late leaves with its decision; a second one for the same decision replaces the first. What leaves is taken
    off the sums, so that rounding leaves about 1e-16 sqrt(rounds) behind. V is factored anew in every decision: of
    order d^3 + K d^2 multiplications.

    Parameters:
        window: 1 to 2000; how many decisions are remembered.
        alpha: from 0; standard errors added to the mean. A constant stands for the paper's radius beta, which
            grows with sqrt(d ln(T w)).
        features: a map by name (oo5 if not told otherwise; oo5, oo7, oo7x), or a `FeatureMap`.
        prior: from 1e-4; the ridge penalty lambda, A = prior I before anything is learned.
    """
    phi, prior = feature_map(features), checks.ridge_prior(prior)
    window, alpha = checks.integer("window", window, 1, LARGEST_WINDOW), checks.number("alpha", alpha, 0.0)

    def init(n: int) -> Window:
        d = phi.d
        return Window(
            np.full((window, d + 2, n), -1.0), np.zeros((d * (d + 1) // 2, n)), np.zeros((d, n)), np.full(n, -1.0)
        )

    def score(state: Window, batch: Batch, noise: F64) -> F64:
        fits(state.b.shape, batch.x)
        mean, variance = np.empty(batch.mask.shape), np.empty(batch.mask.shape)
        gram_moments(state.gram, state.b, prior, batch.x, mean, variance)
        upper_confidence(mean, variance, alpha)
        return mean

    def update(state: Window, learning: Learning, noise: F64) -> Window:
        fits(state.b.shape, learning.x)
        if learning.tick:
            _slide(state, learning.t_now)
        decided = np.maximum(learning.t_decided, 0)  # what was rewarded before the first decision leaves with it
        learn, slot = learning.learn & (learning.t_now - decided < window), decided % window
        ring.leave(state.kept, slot, np.where(learn, decided, -1), state.gram, state.b)
        ring.enter(state.kept, slot, learning.x, learning.reward, decided, learn, state.gram, state.b)
        return state

    size = phi.d * (phi.d + 3) // 2
    start = np.concatenate([np.zeros(size), np.full(window * (phi.d + 2), -1.0)])
    form = LaneForm("window", "greedy", "window", start, (alpha, prior))
    return Policy(
        "swlinucb",
        phi,
        init,
        score,
        explore.greedy,
        update,
        parameters={"window": window, "alpha": alpha, "features": phi.name, "prior": prior},
        lanes=form,
    )


def _slide(state: Window, now: I64) -> None:
    """Move on to round `now` (n,): round t takes the slot of t - window, and what is older leaves with it."""
    window = len(state.kept)
    first = np.maximum(state.seen.astype(np.int64) + 1, now - window + 1)
    for step in range(int(np.max(now - first)) + 1):
        t = np.minimum(first + step, now)
        ring.leave(state.kept, t % window, t - window, state.gram, state.b)
    state.seen[:] = now
