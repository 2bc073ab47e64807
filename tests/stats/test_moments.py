"""Moments that merge equal moments of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oo_sim.stats import mean_interval, merge, merge_all, moments


@given(st.lists(st.integers(0, 40), min_size=1, max_size=8), st.integers(0, 2**32 - 1), st.floats(-1e6, 1e6))
def test_merging_batches_equals_the_whole(sizes: list[int], seed: int, offset: float) -> None:
    values = np.random.default_rng(seed).normal(offset, 1.0, (sum(sizes), 3))
    parts = np.split(values, np.cumsum(sizes)[:-1])
    merged, whole = merge_all(moments(part) for part in parts), moments(values)
    assert merged.n == whole.n
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(merged.m2, whole.m2, rtol=1e-6, atol=1e-6)


def test_moments_of_one_column_give_the_t_interval() -> None:
    values = np.array([[1.0], [2.0], [4.0], [8.0]])
    lower, upper = moments(values).bounds(0.9)
    interval = mean_interval(values[:, 0], 0.9)
    assert (lower[0], upper[0]) == pytest.approx((interval.lower, interval.upper))
    assert moments(values).variance[0] == pytest.approx(values.var(ddof=1))


def test_one_cluster_has_no_variance() -> None:
    one = moments([[1.0, 2.0]])
    assert np.isnan(one.variance).all()
    assert np.isnan(one.bounds()[0]).all()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be merged"):
        merge(moments(np.zeros((2, 3))), moments(np.zeros((2, 4))))
    with pytest.raises(ValueError, match="1 of 2 are not finite"):
        moments([1.0, np.nan])
    with pytest.raises(ValueError, match="a single number"):
        moments(3.0)
