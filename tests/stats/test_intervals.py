"""Intervals against textbook values, exact coverage and properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from oo_sim.stats import Interval, clopper_pearson, mean_interval, t_interval, wilson

LEVELS = st.floats(0.5, 0.999)
SHARES = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def test_t_interval_of_a_textbook_sample() -> None:
    """Mean 15, sd 5, 25 observations: t(24) = 2.0639 (Student's table), so 15 +- 2.0639."""
    interval = t_interval(15.0, 25.0, 25)
    assert interval.lower == pytest.approx(12.9361, abs=1e-4)
    assert interval.upper == pytest.approx(17.0639, abs=1e-4)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=50), LEVELS)
def test_mean_interval_agrees_with_scipy(values: list[float], level: float) -> None:
    array = np.asarray(values)
    error = float(array.std(ddof=1)) / math.sqrt(len(array))
    half = float(scipy_stats.t.ppf(0.5 + level / 2, len(array) - 1)) * error
    interval = mean_interval(array, level)
    assert interval.estimate == pytest.approx(array.mean())
    assert interval.width / 2 == pytest.approx(half, rel=1e-6, abs=1e-12)
    assert interval.n == len(array)


def test_one_user_has_no_bounds_and_no_user_no_estimate() -> None:
    one, none = mean_interval([3.0]), mean_interval([])
    assert one.estimate == 3.0
    assert math.isnan(one.lower)
    assert math.isnan(one.upper)
    assert not one.excludes(5.0)
    assert math.isnan(none.estimate)
    assert none.n == 0


def test_four_times_the_users_halve_the_interval() -> None:
    few, many = t_interval(0.0, 1.0, 1000), t_interval(0.0, 1.0, 4000)
    assert many.width == pytest.approx(few.width / 2, rel=1e-3)


def test_wilson_known_values() -> None:
    """Newcombe (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    assert wilson(81, 263)[1:3] == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(15, 148)[1:3] == pytest.approx((0.0624, 0.1605), abs=1e-4)
    assert wilson(0, 20)[1:3] == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson(1, 29)[1:3] == pytest.approx((0.0061, 0.1718), abs=1e-4)


def test_clopper_pearson_known_values() -> None:
    """Newcombe (1998), table I, method 5; and the closed form 1 - 0.025^(1/n) for no success."""
    assert clopper_pearson(81, 263)[1:3] == pytest.approx((0.2527, 0.3676), abs=1e-4)
    assert clopper_pearson(15, 148)[1:3] == pytest.approx((0.0578, 0.1617), abs=1e-4)
    assert clopper_pearson(0, 20)[1:3] == pytest.approx((0.0, 0.1684), abs=1e-4)
    assert clopper_pearson(0, 400).upper == pytest.approx(1 - 0.025 ** (1 / 400))


@given(SHARES, LEVELS)
def test_shares_are_bracketed_and_mirrored(counts: tuple[int, int], level: float) -> None:
    k, n = counts
    for method in (wilson, clopper_pearson):
        interval, mirror = method(k, n, level), method(n - k, n, level)
        assert 0.0 <= interval.lower <= k / n <= interval.upper <= 1.0
        assert interval.lower == pytest.approx(1 - mirror.upper, abs=1e-9)


@pytest.mark.parametrize("share", [0.003, 0.1, 0.37, 0.5])
def test_clopper_pearson_covers_by_exact_enumeration(share: float) -> None:
    n = 60
    weights = scipy_stats.binom.pmf(np.arange(n + 1), n, share)
    covered = [not clopper_pearson(k, n).excludes(share) for k in range(n + 1)]
    assert float(weights @ np.asarray(covered)) >= 0.95


def test_no_trials_say_nothing() -> None:
    for method in (wilson, clopper_pearson):
        assert method(0, 0)[1:] == (0.0, 1.0, 0)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, math.nan])
def test_a_level_outside_0_to_1_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        wilson(1, 2, level)
    with pytest.raises(ValueError, match="between 0 and 1"):
        mean_interval([1.0, 2.0], level)


def test_bad_values_are_refused_by_place() -> None:
    with pytest.raises(ValueError, match=r"1 of 3 are not finite, the first at 1 \(nan\)"):
        mean_interval([1.0, math.nan, 2.0])
    with pytest.raises(ValueError, match="a vector"):
        mean_interval(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="3 successes of 2"):
        wilson(3, 2)


def test_coverage_of_the_mean() -> None:
    """400 normal samples of 30: 380 +- 4 sd (17.4) expected; a right interval fails once in 16,000 seeds."""
    rng = np.random.default_rng(11)
    covered = sum(not mean_interval(rng.normal(2.0, 3.0, 30)).excludes(2.0) for _ in range(400))
    assert 362 <= covered <= 398


def test_an_interval_excludes_what_lies_outside() -> None:
    interval = Interval(0.5, 0.25, 0.75, 10)
    assert interval.excludes(0.2)
    assert interval.excludes(0.8)
    assert not interval.excludes(0.25)
    assert interval.width == 0.5
