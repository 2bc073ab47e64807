"""Rewards on their way: delays by inversion, what is due when, and each reward handed out once, with its own row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from oo_sim.contract import F64, I64
from oo_sim.kernels import pending

UNIFORMS = (np.arange(20_000) + 0.5) / 20_000
EDGES = np.array([0.0, 2.0**-53, 0.5, 1 - 2.0**-53])
"""The least and the greatest uniforms that there are, among others."""


def delays(kernel: Callable[..., None], *parameters: float, uniform: F64 = UNIFORMS) -> I64:
    out = np.full(len(uniform), -7)
    kernel(*parameters, uniform, out)
    return out


def shares(found: I64, longest: int) -> NDArray[np.float64]:
    return np.bincount(found, minlength=longest + 1)[: longest + 1] / len(found)


@pytest.mark.parametrize("mean", [0.3, 1.0, 7.5])
def test_geometric_delays(mean: float) -> None:
    """Evenly spread uniforms give each delay its share, up to one part in 20,000 at either end of its stretch."""
    k = np.arange(30)
    want = stats.geom.pmf(k + 1, 1 / (1 + mean))
    np.testing.assert_allclose(shares(delays(pending.geometric_delays, mean), 29), want, rtol=0, atol=1.01e-4)


@pytest.mark.parametrize(("median", "sigma"), [(0.4, 0.5), (10.0, 1.0), (3.0, 2.5)])
def test_lognormal_delays_are_rounded_down(median: float, sigma: float) -> None:
    want = np.diff(stats.lognorm.cdf(np.arange(41), sigma, scale=median))
    found = delays(pending.lognormal_delays, median, sigma)
    np.testing.assert_allclose(shares(found, 39), want, rtol=0, atol=1.01e-4)


def test_uniform_delays_have_both_ends_and_a_constant_is_one_of_them() -> None:
    np.testing.assert_allclose(shares(delays(pending.uniform_delays, 2, 9), 11), [0] * 2 + [1 / 8] * 8 + [0] * 2)
    assert set(delays(pending.uniform_delays, 5, 5).tolist()) == {5}
    assert delays(pending.uniform_delays, 0, 1_000_000, uniform=EDGES)[[0, -1]].tolist() == [0, 1_000_000]


@pytest.mark.parametrize(
    ("kernel", "parameters"),
    [(pending.geometric_delays, (1e6,)), (pending.geometric_delays, (1e-9,)), (pending.lognormal_delays, (1e6, 10.0))],
)
def test_no_delay_is_negative_or_overflows(kernel: Callable[..., None], parameters: tuple[float, ...]) -> None:
    found = delays(kernel, *parameters, uniform=EDGES)
    assert found.min() >= 0
    assert found.max() <= 10**9
    assert (np.diff(found) >= 0).all()


def test_a_lognormal_without_spread_is_its_median() -> None:
    assert set(delays(pending.lognormal_delays, 4.5, 0.0).tolist()) == {4}


def ring(seed: int, W: int, n: int, now: int) -> I64:
    """Rounds due of the decisions of rounds now - W + 1 .. now: some gone, some never due, the rest soon."""
    rng = np.random.default_rng(seed)
    due = np.full((W, n), pending.EMPTY)
    for t in range(max(now - W + 1, 0), now + 1):
        due[t % W] = rng.choice([pending.EMPTY, pending.NOT_DUE, now, now, now + 1, now + 3], n)
    return due


@pytest.mark.parametrize(("W", "now"), [(1, 0), (1, 5), (4, 2), (7, 23), (7, 27)])
def test_what_is_due_comes_oldest_first(W: int, now: int) -> None:
    n = 13
    due = ring(W, W, n, now)
    slots, count = np.full((W, n), -1), np.full(n, -1)
    most = pending.arrivals(due, now, slots, count)
    for i in range(n):
        want = [t % W for t in range(max(now - W + 1, 0), now + 1) if due[t % W, i] == now]
        assert slots[: count[i], i].tolist() == want
    assert most == count.max()


def test_each_reward_is_collected_once_with_its_own_row_and_others_stay() -> None:
    W, d, n, now = 6, 3, 17, 20
    rng = np.random.default_rng(3)
    x, reward = rng.normal(size=(W, d, n)), rng.normal(size=(W, n))
    reaction, decided, due = rng.integers(0, 5, (W, n)), rng.integers(0, 99, (W, n)), ring(1, W, n, now)
    before, slots, count = due.copy(), np.empty((W, n), np.int64), np.empty(n, np.int64)
    seen = np.zeros((W, n), np.bool_)
    for step in range(pending.arrivals(due, now, slots, count)):
        learn = count > step
        out = np.empty((d, n)), np.empty(n), np.empty(n, np.int64), np.empty(n, np.int64)
        pending.collect(x, reward, reaction, decided, due, slots[step], learn, *out)
        for i in range(n):
            if not learn[i]:
                assert (out[0][:, i] == 0).all()
                assert out[1][i] == 0
                continue
            w = slots[step, i]
            assert not seen[w, i]
            seen[w, i] = True
            np.testing.assert_array_equal(out[0][:, i], x[w, :, i])
            assert (out[1][i], out[2][i], out[3][i]) == (reward[w, i], reaction[w, i], decided[w, i])
    np.testing.assert_array_equal(seen, before == now)
    np.testing.assert_array_equal(due, np.where(before == now, pending.EMPTY, before))
