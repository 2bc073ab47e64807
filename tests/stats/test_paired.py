"""Paired comparison and Holm's adjustment: hand-worked cases, scipy as oracle, coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from oo_sim.stats import detectable, holm, improvement, mean_interval, paired, sign_test, t_test, users_for

SEEDS = st.integers(0, 2**32 - 1)


def test_a_case_worked_by_hand() -> None:
    """Differences 1, 1, 0, -1: mean 1/4, variance 11/12, sum of cubes about the mean -9/8, so that the skewness is
    -(9/32) / (11/16)^(3/2), times sqrt(12) / 2 without its bias."""
    result = paired([1.0, 2.0, 3.0, 4.0], [2.0, 3.0, 3.0, 3.0])
    assert result.difference.estimate == 0.25
    q, skewness = float(scipy_stats.t.ppf(0.975, 3)), 9 / 32 / (11 / 16) ** 1.5 * math.sqrt(12) / 2
    half = q * (1 + skewness**2 * (q**4 + 2 * q**2 - 3) / 72) * math.sqrt(11 / 12 / 4)
    assert result.difference.upper == pytest.approx(0.25 + half)
    assert [share.estimate for share in (result.gain, result.lose, result.same)] == [0.5, 0.25, 0.25]
    assert result.variance_kept == pytest.approx((11 / 16) / (5 / 4 + 3 / 16))
    # candidate 2 beats 1 of 4 and ties 1; 3 beats 2 and ties 1, three times: (1.5 + 3 * 2.5) / 16
    assert result.improvement.estimate == pytest.approx(9.0 / 16)


@given(SEEDS, st.integers(2, 60))
def test_p_value_agrees_with_scipy_and_with_the_interval(seed: int, n: int) -> None:
    """Without skewness it is Student's; with it, the interval at level 1 - p ends at 0."""
    rng = np.random.default_rng(seed)
    step = rng.normal(0.2, 1.0, n)
    assert t_test(step) == pytest.approx(float(scipy_stats.ttest_1samp(step, 0.0).pvalue))
    even = np.concatenate([step, 0.4 - step])
    assert paired(0.0 * even, even).p_value == pytest.approx(t_test(even), rel=1e-6)
    found = paired(0.0 * step, np.exp(step) - 1.3)
    if not 1e-12 < found.p_value < 0.999:
        return
    edge = paired(0.0 * step, np.exp(step) - 1.3, 1.0 - found.p_value).difference
    assert min(abs(edge.lower), abs(edge.upper)) < 1e-6 * max(abs(edge.lower), abs(edge.upper))


@given(SEEDS, st.integers(2, 40))
def test_swapping_the_policies_mirrors_everything(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 5, n).astype(float), rng.integers(0, 5, n).astype(float)
    one, other = paired(a, b), paired(b, a)
    assert one.difference.lower == pytest.approx(-other.difference.upper, nan_ok=True)
    assert (one.gain, one.same) == (other.lose, other.same)
    assert one.improvement.estimate == pytest.approx(1 - other.improvement.estimate)
    u = float(scipy_stats.mannwhitneyu(b, a).statistic)
    assert one.improvement.estimate == pytest.approx(u / n**2)


def test_pairing_shrinks_what_users_have_in_common() -> None:
    rng = np.random.default_rng(3)
    user = rng.normal(0.0, 3.0, 400)
    result = paired(user + rng.normal(0, 1, 400), user + 0.5 + rng.normal(0, 1, 400))
    assert result.variance_kept == pytest.approx(0.1, abs=0.03)  # 2 / 20
    assert result.difference.width < 0.25 * (result.baseline.width + result.candidate.width)


def test_nobody_changed_is_no_proof_of_no_effect() -> None:
    result = paired(np.arange(400.0), np.arange(400.0))
    assert result.p_value == 1.0
    assert result.same.estimate == 1.0
    assert 0.009 < result.gain.upper < 0.0093
    assert result.difference.estimate == 0.0
    assert math.isnan(result.difference.lower)  # how large a difference can be is not known
    known = paired(np.arange(400.0), np.arange(400.0), largest=2.0).difference
    assert (known.lower, known.upper) == (-2 * result.lose.upper, 2 * result.gain.upper)
    assert result.improvement[:3] == pytest.approx((0.5, 0.5 - result.lose.upper, 0.5 + result.gain.upper))


def test_small_changes_count_as_none_within_the_tolerance() -> None:
    result = paired([0.0, 0.0, 0.0], [0.01, -0.01, 1.0], tolerance=0.05)
    assert (result.gain.estimate, result.lose.estimate) == pytest.approx((1 / 3, 0.0))


def test_one_user_gives_an_estimate_without_bounds() -> None:
    result = paired([1.0], [2.0])
    assert result.difference.estimate == 1.0
    assert math.isnan(result.difference.lower)
    assert math.isnan(result.p_value)
    assert math.isnan(result.improvement.lower)


def test_a_constant_difference_is_certain() -> None:
    assert t_test([2.0, 2.0, 2.0]) == 0.0


def test_users_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="2 users under the baseline, 1 under the candidate"):
        paired([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="candidate: 1 of 2 are not finite"):
        paired([1.0, 2.0], [1.0, math.inf])


def test_coverage_of_the_difference_and_of_improvement() -> None:
    """400 samples of 60 skewed users: 380 +- 4 sd (17.4); a right interval fails once in 16,000 seeds.

    The true P(candidate > baseline) is that of two users drawn apart, by simulation (error below 0.001).
    """
    rng = np.random.default_rng(5)
    far = rng.gamma(2.0, 1.0, 400_000) + rng.normal(0.3, 0.5, 400_000) > rng.gamma(2.0, 1.0, 400_000)
    truth, covered, placed = float(far.mean()), 0, 0
    for _ in range(400):
        base = rng.gamma(2.0, 1.0, 60)
        result = paired(base, base + rng.normal(0.3, 0.5, 60))
        covered += not result.difference.excludes(0.3)
        placed += not improvement(base, base + rng.normal(0.3, 0.5, 60)).excludes(truth)
    assert 362 <= covered <= 398
    assert 362 <= placed <= 398


def test_holm_by_hand() -> None:
    """Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1, made monotone."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_lies_between_none_and_bonferroni(p: list[float]) -> None:
    adjusted, raw = holm(p), np.asarray(p)
    assert (adjusted >= raw).all()
    assert (adjusted <= np.minimum(raw * len(p), 1.0) + 1e-15).all()
    assert (np.diff(adjusted[np.argsort(raw, kind="stable")]) >= 0).all()


def test_holm_refuses_what_is_no_p_value() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.5, 1.2])


def test_what_few_users_show_holds_whatever_they_are() -> None:
    """2,000 studies of 30 or 100 users of whom 1 in 50 differs, all by the largest amount, up more often than down.

    Student's interval misses in a third of them. 5 % is 100 of 2,000; 4 sd above is 139.
    """
    rng = np.random.default_rng(13)
    for users in (30, 100):
        missed = naive = 0
        for _ in range(2000):
            step = np.where(rng.random(users) < 0.02, np.where(rng.random(users) < 0.8, 2.0, -2.0), 0.0)
            found = paired(np.zeros(users), step, largest=2.0)
            missed += found.difference.excludes(0.02 * 1.2)
            missed += found.improvement.excludes(0.5 + 0.02 * 0.3)
            naive += mean_interval(step).excludes(0.02 * 1.2)
        assert missed <= 139
        assert naive > 400


def test_near_certainty_is_bounded_exactly() -> None:
    """The candidate always better for 30 users: (alpha / 2)^(1 / 15) is still possible; mirrored for never."""
    rng = np.random.default_rng(14)
    low, high = rng.random(30), 2 + rng.random(30)
    sure, never = improvement(low, high), improvement(high, low)
    assert (sure.estimate, sure.upper) == (1.0, 1.0)
    assert sure.lower == pytest.approx(0.025 ** (1 / 15))
    assert never[:3] == pytest.approx((0.0, 0.0, 1 - sure.lower), abs=1e-12)


@given(SEEDS, st.integers(2, 60), st.floats(-3, 3))
def test_a_chance_stays_within_its_bounds_and_they_within_0_and_1(seed: int, n: int, shift: float) -> None:
    rng = np.random.default_rng(seed)
    found = improvement(rng.normal(size=n), rng.normal(shift, 1.0, n))
    assert 0.0 <= found.lower <= found.estimate <= found.upper <= 1.0


@pytest.mark.parametrize(("gain", "lose"), [(0, 0), (5, 0), (3, 9), (10, 10), (0, 19)])
def test_the_sign_test_is_scipy_s_binomial_test(gain: int, lose: int) -> None:
    expected = scipy_stats.binomtest(gain, gain + lose).pvalue if gain + lose else 1.0
    assert sign_test(gain, lose) == pytest.approx(float(expected))


@pytest.mark.parametrize("spread", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("users", [10, 400])
def test_the_detectable_difference_is_found_four_times_in_five(spread: float, users: int) -> None:
    """2,000 studies: 1,600 +- 4 sd (72); the approximation by a shifted t costs less than 1 %."""
    difference = detectable(spread, users)
    rng = np.random.default_rng(15)
    found = sum(t_test(rng.normal(difference, spread, users)) <= 0.05 for _ in range(2000))
    assert 1510 <= found <= 1690
    assert detectable(spread, users_for(difference, spread)) <= difference
    assert users_for(difference, spread) == pytest.approx(users, abs=2)
