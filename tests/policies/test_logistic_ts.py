"""The Laplace mode against scipy's optimum, its curvature against the Hessian, and the draw against Thompson's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from oo_sim.contract import F64
from oo_sim.features import raw
from oo_sim.kernels.weighted import laplace_update
from oo_sim.policies import UnknownPolicyError, make
from oo_sim.policies.logistic_ts import Laplace, logistic_ts
from oo_sim.policies.thompson import thompson

from .play import lesson, play, shown, taught

D, PRIOR = 4, 0.5
NONE = np.empty((0, 2))


def full(packed: F64, d: int = D) -> F64:
    """The symmetric matrix (d, d) of one lane's packed upper triangle."""
    out = np.empty((d, d))
    out[np.triu_indices(d)] = packed
    return np.triu(out) + np.triu(out, 1).T


def optimum(mode: F64, precision: F64, x: F64, y: float) -> F64:
    """The mode of N(mode, precision^-1) times the likelihood of y, by Newton's method of scipy."""

    def loss(w: F64) -> float:
        u = x @ w
        return float(0.5 * (w - mode) @ precision @ (w - mode) + np.logaddexp(0.0, u) - y * u)

    def slope(w: F64) -> F64:
        return np.asarray(precision @ (w - mode) + x * (expit(x @ w) - y))

    def hessian(w: F64) -> F64:
        p = expit(x @ w)
        return np.asarray(precision + p * (1 - p) * np.outer(x, x))

    found = minimize(loss, mode, jac=slope, hess=hessian, method="trust-exact", options={"gtol": 1e-12})
    return np.asarray(found.x)


def test_each_step_is_the_laplace_approximation() -> None:
    """The mode to 1e-7, which is what scipy finds, and A = A + p (1 - p) x x' at our mode to 1e-9, over 150 rounds."""
    p = play(logistic_ts(features=raw(D), prior=PRIOR), 150)
    policy = logistic_ts(features=raw(D), prior=PRIOR)
    state, mode, precision = policy.init(3), np.zeros(D), PRIOR * np.eye(D)
    for t in range(150):
        state = policy.update(state, lesson(p.taken[t], p.reward[t], p.learn[t], t, t), NONE)
        if p.learn[t, 0]:
            x = p.taken[t, :, 0]
            np.testing.assert_allclose(
                state.theta[:, 0], optimum(mode, precision, x, (p.reward[t, 0] + 1) / 2), rtol=1e-6, atol=1e-7
            )
            mode, s = state.theta[:, 0].copy(), expit(x @ state.theta[:, 0])
            precision = precision + s * (1 - s) * np.outer(x, x)
        np.testing.assert_allclose(full(state.inverse[:, 0]), np.linalg.inv(precision), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("target", [0.0, 0.25, 0.5, 1.0])
def test_the_mode_is_a_root_however_far_it_is(target: float) -> None:
    """d = 1, x = 1, variances 1e-3 to 1e6 and starts -300 to 300: u = start + variance (target - logistic(u))."""
    variance, start = (grid.ravel() for grid in np.meshgrid(np.logspace(-3, 6, 19), np.linspace(-300.0, 300.0, 25)))
    state = Laplace(variance[None].copy(), start[None].copy())
    n = len(start)
    laplace_update(*state, np.ones((1, n)), np.full(n, target), np.ones(n, np.bool_))
    u = state.theta[0]
    p = expit(u)
    error = np.abs(u - start - variance * (target - p)) / (1.0 + variance * p * (1.0 - p))
    assert (error <= 1e-14 * (np.abs(start) + variance)).all()


def test_a_reward_of_0_is_half_a_success_and_leaves_a_fresh_mode() -> None:
    policy = logistic_ts(features=raw(1), prior=1.0)
    state = policy.update(policy.init(2), taught([2.0], 0.0, 0, 0), NONE)
    np.testing.assert_allclose(state.theta, 0.0, atol=1e-15)
    np.testing.assert_allclose(state.inverse, 1.0 / (1.0 + 0.25 * 4.0), rtol=1e-14)


def test_rewards_beyond_1_count_as_1() -> None:
    policy = logistic_ts(features=raw(2))
    one, far = (policy.update(policy.init(2), taught([1.0, 2.0], r, 0, 0), NONE) for r in (1.0, 50.0))
    np.testing.assert_array_equal(one.theta, far.theta)


def test_without_noise_the_score_is_that_of_the_mode() -> None:
    policy = logistic_ts(0.0, features=raw(2), prior=1.0)
    state = policy.update(policy.init(2), taught([1.0, 0.0], 1.0, 0, 0), NONE)
    u = state.theta[0, 0]
    assert u == pytest.approx(1.0 - expit(u), rel=1e-12)
    np.testing.assert_allclose(shown(policy, state, [[1.0, 0.0], [0.0, 1.0]]), [u, 0.0], rtol=1e-12)


def test_before_any_reward_it_draws_as_thompson_does() -> None:
    ours, plain = (play(policy(0.7, 3, raw(D), PRIOR), 1).scores for policy in (logistic_ts, thompson))
    np.testing.assert_array_equal(ours, plain)


@pytest.mark.parametrize("wrong", [{"scale": -1.0}, {"samples": 0}, {"prior": 1e-5}])
def test_parameters_out_of_range_are_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(UnknownPolicyError, match=f"policy logistic_ts: {next(iter(wrong))} must be"):
        make("logistic_ts", wrong)
