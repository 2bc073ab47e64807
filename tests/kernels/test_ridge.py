"""The ridge kernels against direct linear algebra: after many updates, on streams that are hard on an inverse."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np
import pytest

from oo_sim.contract import F64
from oo_sim.kernels import ridge
from oo_sim.policies.ridge import Ridge, init

LANES = 6
JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
UPDATES = 10_000 if JIT else 60


class Learned(NamedTuple):
    """A state after a stream, and what a direct solution needs: A (n, d, d), b (n, d)."""

    state: Ridge
    A: F64
    b: F64


def full(packed: F64, d: int) -> F64:
    """The symmetric matrices (n, d, d) of their packed upper triangles (d (d + 1) / 2, n)."""
    out = np.empty((packed.shape[1], d, d))
    for p, (a, c) in enumerate(zip(*np.triu_indices(d), strict=True)):
        out[:, a, c] = out[:, c, a] = packed[p]
    return out


def lower(packed: F64, d: int) -> F64:
    """The lower factors (n, d, d) of their packed columns."""
    return np.tril(np.swapaxes(full(packed, d), 1, 2))


def learn(stream: F64, rewards: F64, prior: float = 1.0) -> Learned:
    """Learn a stream (updates, d, n) of vectors and rewards (updates, n)."""
    d, n = stream.shape[1:]
    state, always = init(d, prior)(n), np.ones(n, np.bool_)
    for x, r in zip(stream, rewards, strict=True):
        ridge.ridge_update(*state, x, r, always)
    A: F64 = prior * np.eye(d) + np.einsum("uan,ucn->nac", stream, stream)
    return Learned(state, A, np.einsum("un,uan->na", rewards, stream))


def ball(d: int, updates: int = UPDATES, radius: float = 1.0) -> F64:
    z = np.random.default_rng(d).normal(size=(updates, d, LANES))
    out: F64 = radius * z / np.sqrt((z * z).sum(axis=1, keepdims=True))
    return out


def nearly_equal(d: int, spread: float, radius: float = 1.0) -> F64:
    """One direction, and noise of the given spread around it: all the other directions stay badly known."""
    g = np.random.default_rng(17)
    out: F64 = radius * (ball(d, 1) + spread * g.normal(size=(UPDATES, d, LANES)))
    return out


STREAMS = {
    "ball5": ball(5),
    "ball7": ball(7),
    "ball24": ball(24),
    "one": ball(1),
    "long": ball(5, radius=3.0),
    "close 1e-3": nearly_equal(5, 1e-3, 2.0),
    "close 1e-6": nearly_equal(7, 1e-6),
    "close 1e-9": nearly_equal(7, 1e-9, 3.0),
}
SAME = nearly_equal(7, 0.0, 2.2)


def rewards(updates: int = UPDATES, kind: str = "mixed") -> F64:
    """Reactions of all kinds, or always the best, which lets rounding errors add up instead of cancelling."""
    if kind == "best":
        return np.ones((updates, LANES))
    return np.random.default_rng(9).choice([-1.0, -0.5, 0.0, 0.5, 1.0], size=(updates, LANES))


def solved(learned: Learned) -> F64:
    """theta (d, n) by a direct solution."""
    theta = np.linalg.solve(learned.A, learned.b[:, :, None])[:, :, 0].T
    return theta.astype(np.float64)


@pytest.mark.parametrize("kind", ["mixed", "best"])
@pytest.mark.parametrize("name", STREAMS)
def test_theta_equals_a_direct_solution_to_1e_9(name: str, kind: str) -> None:
    """Measured after 10,000 updates: 1e-10 at worst over all streams."""
    learned = learn(STREAMS[name], rewards(kind=kind))
    np.testing.assert_allclose(learned.state.theta, solved(learned), rtol=0, atol=1e-9)


def test_ten_thousand_equal_vectors_still_give_means_to_1e_9() -> None:
    """The hardest stream: every rounding error falls the same way. Measured: means 9e-11, theta itself 1.3e-9."""
    learned = learn(SAME, rewards(kind="best"))
    x, theta = SAME[0], solved(learned)
    np.testing.assert_allclose((x * learned.state.theta).sum(axis=0), (x * theta).sum(axis=0), rtol=0, atol=1e-9)
    np.testing.assert_allclose(learned.state.theta, theta, rtol=0, atol=4e-9)


@pytest.mark.parametrize("name", STREAMS)
def test_variance_equals_a_direct_solution_to_1e_9_of_itself(name: str) -> None:
    state, A, _ = learn(STREAMS[name], rewards())
    d = A.shape[1]
    x = np.random.default_rng(3).normal(size=(4, d, LANES))
    x[3] = STREAMS[name][0]  # where most is known, and the variance is smallest
    variance = np.empty((4, LANES))
    ridge.ridge_variance(state.inverse, x, variance)
    direct = np.einsum("kan,kan->kn", x, np.linalg.solve(A, x.transpose(2, 1, 0)).transpose(2, 1, 0))
    np.testing.assert_allclose(variance, direct, rtol=1e-9)


@pytest.mark.compiled
@pytest.mark.parametrize("name", ["long", "close 1e-3", "close 1e-9", "ball24"])
def test_the_smallest_prior_stays_usable(name: str) -> None:
    """At prior 1e-4 the inverse must stay positive definite, or sampling and bounds would turn into NaN."""
    learned = learn(STREAMS[name], rewards(kind="best"), prior=1e-4)
    state, d = learned.state, learned.A.shape[1]
    factor = np.empty_like(state.inverse)
    ridge.cholesky(state.inverse, factor)
    assert np.isfinite(factor).all()
    np.testing.assert_allclose(state.theta, solved(learned), rtol=0, atol=1e-5)
    assert (np.linalg.eigvalsh(full(state.inverse, d)) > 0).all()


def test_no_reward_leaves_every_bit() -> None:
    """Also where the reward that stands in the lane is no number."""
    stream = ball(5, 40)
    state, _, _ = learn(stream, rewards(40))
    before = Ridge(*(a.copy() for a in state))
    learns = np.arange(LANES) % 2 == 0
    reward = np.where(learns, 0.5, np.nan)
    ridge.ridge_update(*state, stream[0], reward, learns)
    for now, then in zip(state, before, strict=True):
        np.testing.assert_array_equal(now[:, ~learns].view(np.int64), then[:, ~learns].view(np.int64))
        assert (now[:, learns] != then[:, learns]).any(axis=0).all()


def test_fresh_states_without_rewards_stay_fresh_bit_for_bit() -> None:
    state, fresh = init(3, 2.0)(LANES), init(3, 2.0)(LANES)
    ridge.ridge_update(*state, ball(3, 1)[0], np.ones(LANES), np.zeros(LANES, np.bool_))
    for now, then in zip(state, fresh, strict=True):
        np.testing.assert_array_equal(now.view(np.int64), then.view(np.int64))


def test_lanes_learn_alone() -> None:
    """Permuting lanes permutes states, and two lanes learn what they learn among many, bit for bit."""
    stream, r = ball(4, 30), rewards(30)
    state, _, _ = learn(stream, r)
    for pick in (np.random.default_rng(1).permutation(LANES), np.array([4, 1])):
        other, _, _ = learn(np.ascontiguousarray(stream[:, :, pick]), np.ascontiguousarray(r[:, pick]))
        for mine, theirs in zip(state, other, strict=True):
            np.testing.assert_array_equal(mine[:, pick], theirs)


@pytest.mark.parametrize("d", [1, 2, 5, 24])
def test_moments_are_the_quadratic_and_linear_forms(d: int) -> None:
    g = np.random.default_rng(d)
    state, _, _ = learn(ball(d, 20), rewards(20))
    x = g.normal(size=(3, d, LANES))
    mean, variance = np.empty((3, LANES)), np.empty((3, LANES))
    ridge.ridge_mean(state.theta, x, mean)
    ridge.ridge_variance(state.inverse, x, variance)
    np.testing.assert_allclose(mean, np.einsum("kdn,dn->kn", x, state.theta), rtol=0, atol=1e-14)
    np.testing.assert_allclose(variance, np.einsum("kan,nac,kcn->kn", x, full(state.inverse, d), x), rtol=1e-13)


@pytest.mark.parametrize("d", [1, 2, 5, 24, 64])
def test_cholesky_is_the_lower_factor(d: int) -> None:
    state, _, _ = learn(ball(d, 25), rewards(25))
    factor, out = np.empty_like(state.inverse), np.zeros((d, LANES))
    ridge.cholesky(state.inverse, factor)
    L, inverse = lower(factor, d), full(state.inverse, d)
    np.testing.assert_allclose(L @ np.swapaxes(L, 1, 2), inverse, rtol=0, atol=1e-14)
    np.testing.assert_allclose(L, np.linalg.cholesky(inverse), rtol=0, atol=1e-13)
    z = np.random.default_rng(2).normal(size=(d, LANES))
    ridge.times_factor(factor, z, out)
    np.testing.assert_allclose(out, np.einsum("nac,cn->an", L, z), rtol=0, atol=1e-13)
    ridge.times_factor(factor, -z, out)
    np.testing.assert_allclose(out, 0.0, atol=1e-14)


def test_times_inverse_is_the_matrix_product() -> None:
    state, _, _ = learn(ball(5, 20), rewards(20))
    v, out = ball(5, 1)[0], np.empty((5, LANES))
    ridge.times_inverse(state.inverse, v, out)
    np.testing.assert_allclose(out, np.einsum("nac,cn->an", full(state.inverse, 5), v), rtol=0, atol=1e-15)


def test_upper_confidence_adds_alpha_standard_deviations() -> None:
    mean, variance = np.array([[1.0, -1.0]]), np.array([[4.0, 0.0]])
    ridge.upper_confidence(mean, variance, 0.5)
    np.testing.assert_array_equal(mean, [[2.0, -1.0]])


@pytest.mark.compiled
@pytest.mark.parametrize("d", [2, 5])
@pytest.mark.parametrize("stream", ["ball", "close"])
def test_the_elliptical_potential_lemma(d: int, stream: str) -> None:
    """sum min(1, x' A^-1 x) <= 2 log det A for |x| <= 1, A from I on (Abbasi-Yadkori et al. 2011, lemma 11).

    The sum is over the variances as they stood before each update, log det A is of the directly summed A.
    """
    rounds = 2000
    xs = ball(d, rounds) if stream == "ball" else nearly_equal(d, 0.1)[:rounds]
    xs /= np.maximum(1.0, np.sqrt((xs * xs).sum(axis=1, keepdims=True)))
    state, always = init(d, 1.0)(LANES), np.ones(LANES, np.bool_)
    variance, potential = np.empty((1, LANES)), np.zeros(LANES)
    for x in xs:
        ridge.ridge_variance(state.inverse, x[None], variance)
        potential += np.minimum(1.0, variance[0])
        ridge.ridge_update(*state, x, np.zeros(LANES), always)
    A = np.eye(d) + np.einsum("uan,ucn->nac", xs, xs)
    bound = 2.0 * np.linalg.slogdet(A)[1]
    assert (potential <= bound).all()
    assert (potential > 0.4 * bound).all()  # no slack so large that a wrong variance would hide in it
    assert (bound <= 2.0 * d * np.log(1.0 + rounds / d)).all()
