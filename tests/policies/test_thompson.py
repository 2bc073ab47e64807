"""Thompson sampling's posterior: one theta a lane and sample, with the mean and covariance that it should have."""

from __future__ import annotations

import numpy as np
from scipy import stats

from oo_sim.contract import F64, Batch, Learning, Policy
from oo_sim.features import raw
from oo_sim.policies import POLICIES, ridge

D, SCALE = 4, 0.7


def policy(samples: int = 1) -> Policy:
    return POLICIES["thompson"].factory(scale=SCALE, samples=samples, features=raw(D), prior=2.0)


def learned(n: int) -> tuple[ridge.Ridge, F64, F64]:
    """n lanes that all learned the same eight rewards; and A and theta by direct linear algebra."""
    g = np.random.default_rng(1)
    state, A, b = ridge.init(D, 2.0)(n), 2.0 * np.eye(D), np.zeros(D)
    now, always = np.zeros(n, np.int64), np.ones(n, np.bool_)
    for _ in range(8):
        x, r = g.normal(size=D), g.normal()
        lanes = np.repeat(x[:, None], n, axis=1)
        state = ridge.update(state, Learning(lanes, np.full(n, r), always, now, now), np.empty((0, n)))
        A += np.outer(x, x)
        b += r * x
    return state, A, np.linalg.solve(A, b).astype(np.float64)


def axes(n: int) -> Batch:
    """The unit vectors as candidates: scores are then the sampled theta itself."""
    x = np.repeat(np.eye(D)[:, :, None], n, axis=2)
    return Batch(x, np.ones((D, n), np.bool_), np.zeros(n, np.int64))


def uniforms(n: int, samples: int = 1) -> F64:
    return np.random.default_rng(2).random((samples * D, n))


def test_the_posterior_has_its_mean_and_covariance() -> None:
    """(theta - mean)' A (theta - mean) / scale^2 is chi-squared with D degrees of freedom (Kolmogorov-Smirnov), and
    each component's mean is theta's; each fails a sound sampler with probability 1e-6."""
    n = 50_000
    state, A, theta = learned(n)
    off = policy().score(state, axes(n), uniforms(n)) - theta[:, None]
    distance = np.einsum("an,ac,cn->n", off, A, off) / SCALE**2
    assert stats.kstest(distance, "chi2", args=(D,)).pvalue > 1e-6
    for a in range(D):
        assert stats.ttest_1samp(off[a], 0.0).pvalue > 1e-6
    want = SCALE**2 * np.linalg.inv(A)
    sd = np.sqrt((np.outer(np.diag(want), np.diag(want)) + want**2) / n)  # of a sample covariance (Wishart)
    assert (np.abs(off @ off.T / n - want) < stats.norm.isf(5e-8) * sd).all()


def test_a_sample_is_the_mean_plus_the_factor_times_normals() -> None:
    n = 6
    state, A, theta = learned(n)
    u = uniforms(n)
    want = theta[:, None] + SCALE * np.linalg.cholesky(np.linalg.inv(A)) @ stats.norm.ppf(u)
    np.testing.assert_allclose(policy().score(state, axes(n), u), want, rtol=0, atol=1e-12)


def test_scores_are_linear_in_the_candidate_because_theta_is_one() -> None:
    """Independent noise for each candidate would break this."""
    n = 50
    state, _, _ = learned(n)
    batch = axes(n)
    mixed = batch.x.copy()
    mixed[3] = 0.25 * batch.x[0] - 2.0 * batch.x[1]
    scores = policy().score(state, batch._replace(x=mixed), uniforms(n))
    np.testing.assert_allclose(scores[3], 0.25 * scores[0] - 2.0 * scores[1], rtol=0, atol=1e-14)


def test_shares_count_the_samples_that_each_candidate_wins() -> None:
    n, M = 20, 9
    state, _, _ = learned(n)
    u = uniforms(n, M)
    got = policy(M).score(state, axes(n), u)
    alone = [policy().score(state, axes(n), u[m * D : (m + 1) * D]) for m in range(M)]
    wins = sum((np.arange(D)[:, None] == s.argmax(axis=0)).astype(float) for s in alone)
    np.testing.assert_array_equal(got, wins / M)
    np.testing.assert_array_equal(policy(M).probs(got, axes(n)).total, got)
    assert policy(M).propensities
    assert not policy().propensities


def test_one_sample_or_many_the_choice_has_the_same_distribution() -> None:
    """Wins over 20,000 lanes of one sample against 500 lanes of 40: a chi-squared table, error rate 1e-6."""
    one, many = learned(20_000)[0], learned(500)[0]
    first = policy().score(one, axes(20_000), uniforms(20_000)).argmax(axis=0)
    shares = policy(40).score(many, axes(500), np.random.default_rng(3).random((40 * D, 500)))
    table = np.array([np.bincount(first, minlength=D), np.rint(shares.sum(axis=1) * 40)])
    assert stats.chi2_contingency(table).pvalue > 1e-6


def test_without_a_scale_it_is_greedy() -> None:
    n = 5
    state, _, theta = learned(n)
    none = POLICIES["thompson"].factory(scale=0.0, features=raw(D), prior=2.0)
    np.testing.assert_allclose(none.score(state, axes(n), uniforms(n)), theta[:, None].repeat(n, 1), atol=1e-13)
