"""The linear world's contexts: uniform in the ball, and rewards as plain products."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from oo_sim.kernels.vectors import ball, linear_rewards


@pytest.mark.compiled
@pytest.mark.parametrize("d", [1, 2, 5, 12])
def test_contexts_are_uniform_in_the_unit_ball(d: int) -> None:
    """radius^d is uniform (Kolmogorov-Smirnov), and so is the sign of each coordinate; each fails with 1e-6."""
    n = 20_000
    x = np.empty((1, d, n))
    ball(np.random.default_rng(d).normal(size=(1, d + 2, n)), x)
    radius = np.sqrt((x[0] ** 2).sum(axis=0))
    assert radius.max() <= 1.0
    assert stats.kstest(radius**d, "uniform").pvalue > 1e-6
    for a in range(d):
        assert stats.binomtest(int((x[0, a] > 0).sum()), n).pvalue > 1e-6
        second = stats.ttest_1samp(x[0, a] ** 2, 1.0 / (d + 2))
        assert second.pvalue > 1e-6


def test_expected_rewards_are_products_and_best_the_largest() -> None:
    g = np.random.default_rng(1)
    theta, x = g.normal(size=(5, 30)), g.normal(size=(7, 5, 30))
    expected, best = np.empty((7, 30)), np.empty(30)
    linear_rewards(theta, x, expected, best)
    np.testing.assert_allclose(expected, np.einsum("kdn,dn->kn", x, theta), rtol=0, atol=1e-14)
    np.testing.assert_array_equal(best, expected.max(axis=0))
