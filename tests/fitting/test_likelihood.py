"""The ordered logit's kernels: the worlds' own model, derivatives by differences, statsmodels, and Gaussian algebra."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from oo_sim.contract import F64, I64, REWARDS
from oo_sim.kernels import ordered
from oo_sim.kernels.tips import expected_rewards

from .cases import TWO, drawn

SEEDS = st.integers(0, 2**32 - 1)
CUTS = np.array([-1.7, -0.4, 0.3, 2.0])


def likelihood(X: F64, y: I64, first: I64, at: F64, cuts: F64) -> tuple[F64, F64, F64]:
    N, d = at.shape
    total, gradient, curvature = np.empty(N), np.empty((N, d)), np.empty((N, d, d))
    ordered.likelihood(X, y, first, at, cuts, total, gradient, curvature)
    return total, gradient, curvature


def each(u: F64, cuts: F64) -> F64:
    """The log probability (5, n) of each reaction at u (n,)."""
    n = len(u)
    X, first, at = np.ones((n, 1)), np.arange(n + 1), u[:, None]
    return np.stack([likelihood(X, np.full(n, y), first, at, cuts)[0] for y in range(5)])


def test_it_is_the_model_by_which_the_worlds_people_react() -> None:
    u = np.linspace(-9.0, 9.0, 101)
    n = len(u)
    coefficients = np.zeros((25, n))
    coefficients[0] = u
    zero, hour = np.zeros((1, n)), np.zeros(n, np.int64)
    odds, expected, best = np.empty((1, n)), np.empty((1, n)), np.empty(n)
    expected_rewards(
        coefficients, np.ones(25, np.bool_), hour, hour, zero, zero, np.ones((1, n)), zero, np.ones((1, n), np.bool_),
        np.zeros((0, n)), np.exp(-CUTS), 1.0, odds, expected, best,
    )  # fmt: skip
    p = np.exp(each(u, CUTS))
    assert p.sum(axis=0) == pytest.approx(np.ones(n), abs=1e-13)
    assert np.array(REWARDS) @ p == pytest.approx(expected[0], abs=1e-13)


def test_no_digits_are_lost_far_out() -> None:
    """At u = 30 a dismissal has probability 1 / (1 + e^(30 + 1.7)), and beyond what doubles hold it stays finite."""
    assert each(np.array([30.0]), CUTS)[0, 0] == pytest.approx(-31.7, abs=1e-9)
    assert np.isfinite(each(np.array([-900.0, 900.0]), CUTS)).all()


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_derivatives_are_those_that_differences_give(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, y, first = rng.normal(size=(24, 3)), rng.integers(0, 5, 24), np.array([0, 10, 10, 24])
    at, step = rng.normal(size=(3, 3)), 1e-5
    _, gradient, curvature = likelihood(X, y, first, at, CUTS)
    cross, within = np.empty((3, 3, 4)), np.empty((3, 4, 4))
    ordered.cross_derivatives(X, y, first, at, CUTS, cross, within)
    for a in range(3):
        moved = step * np.eye(3)[a]
        up, down = likelihood(X, y, first, at + moved, CUTS), likelihood(X, y, first, at - moved, CUTS)
        assert gradient[:, a] == pytest.approx((up[0] - down[0]) / (2 * step), abs=1e-6)
        assert curvature[:, a] == pytest.approx((down[1] - up[1]) / (2 * step), abs=1e-6)
    u, spread = np.einsum("md,md->m", X, at[np.repeat(np.arange(3), np.diff(first))]), rng.uniform(0.0, 1.0, 24)
    node, weight = np.array([-1.0, 1.0]), np.array([0.5, 0.5])

    def by_cuts(cuts: F64, spread: F64) -> tuple[float, F64, F64]:
        slope, bend = np.empty(4), np.empty((4, 4))
        return ordered.cut_derivatives(u, spread, y, cuts, node, weight, slope, bend), slope, bend

    _, slope, bend = by_cuts(CUTS, spread)
    _, alone, own = by_cuts(CUTS, np.zeros(24))
    assert own == pytest.approx(within.sum(axis=0), abs=1e-9)
    for k in range(4):
        moved = step * np.eye(4)[k]
        more, less = by_cuts(CUTS + moved, spread), by_cuts(CUTS - moved, spread)
        assert slope[k] == pytest.approx((more[0] - less[0]) / (2 * step), abs=1e-6)
        assert bend[k] == pytest.approx((less[1] - more[1]) / (2 * step), abs=1e-6)
        ahead, behind = likelihood(X, y, first, at, CUTS + moved), likelihood(X, y, first, at, CUTS - moved)
        assert cross[:, :, k] == pytest.approx((ahead[1] - behind[1]) / (2 * step), abs=1e-6)
        assert alone[k] == pytest.approx((ahead[0].sum() - behind[0].sum()) / (2 * step), abs=1e-5)


def test_one_user_of_all_rows_is_the_pooled_model_of_statsmodels() -> None:
    """Newton's method on these derivatives ends where `OrderedModel` does."""
    miscmodels = import_module("statsmodels.miscmodels.ordinal_model")
    data, _ = drawn(TWO, 40, 50, 1)
    X, first = np.ascontiguousarray(data.X[:, 1:]), np.array([0, len(data.y)])
    with np.errstate(all="ignore"):
        oracle = miscmodels.OrderedModel(data.y, X, distr="logit").fit(method="bfgs", disp=False, gtol=1e-8)
        cuts = oracle.model.transform_threshold_params(oracle.params)[1:-1]
    at, own = np.zeros((1, 3)), np.array([-1.0, -0.3, 0.3, 1.0])
    for _ in range(30):
        _, gradient, curvature = likelihood(X, data.y, first, at, own)
        cross, within = np.empty((1, 3, 4)), np.empty((1, 4, 4))
        ordered.cross_derivatives(X, data.y, first, at, own, cross, within)
        slope = np.empty(4)
        u = X @ at[0]
        ordered.cut_derivatives(u, 0.0 * u, data.y, own, np.zeros(1), np.ones(1), slope, np.empty((4, 4)))
        bend = np.block([[curvature[0], -cross[0]], [-cross[0].T, within[0]]])
        step = np.linalg.solve(bend, np.r_[gradient[0], slope])
        at, own = at + step[:3], own + step[3:]
    assert at[0] == pytest.approx(oracle.params[:3], abs=1e-4)
    assert own == pytest.approx(cuts, abs=1e-4)
    assert likelihood(X, data.y, first, at, own)[0][0] == pytest.approx(oracle.llf, abs=1e-6)


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_the_posterior_is_the_gaussians_own_algebra(seed: int) -> None:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(4, 3, 5))
    curvature, natural = root @ root.transpose(0, 2, 1), rng.normal(size=(4, 3))
    mean, precision = rng.normal(size=3), rng.uniform(0.5, 4.0, 3)
    centre, variance, evidence = np.empty((4, 3)), np.empty((4, 3)), np.empty(4)
    ordered.posterior(curvature, natural, mean, precision, centre, variance, evidence)
    for i in range(4):
        covariance = np.linalg.inv(curvature[i] + np.diag(precision))
        assert centre[i] == pytest.approx(covariance @ (natural[i] + precision * mean))
        assert variance[i] == pytest.approx(np.diag(covariance))
        prior = scipy_stats.multivariate_normal(mean, np.diag(1.0 / precision))
        after = scipy_stats.multivariate_normal(centre[i], covariance)
        parabola = centre[i] @ natural[i] - centre[i] @ curvature[i] @ centre[i] / 2
        assert evidence[i] == pytest.approx(parabola + prior.logpdf(centre[i]) - after.logpdf(centre[i]))


def test_row_spread() -> None:
    rng = np.random.default_rng(0)
    root = rng.normal(size=(2, 3, 3))
    covariance, X = root @ root.transpose(0, 2, 1), rng.normal(size=(5, 3))
    spread = np.empty(5)
    ordered.row_spread(X, np.array([0, 2, 5]), covariance, spread)
    assert spread == pytest.approx([np.sqrt(X[m] @ covariance[i] @ X[m]) for m, i in enumerate([0, 0, 1, 1, 1])])
