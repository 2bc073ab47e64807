"""Bands, bootstraps and profiles: limits in closed form, seeds honoured, coverage."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from scipy import stats as scipy_stats

from oo_sim.stats import (
    generator,
    interquartile_mean,
    iqm,
    max_t,
    mean_interval,
    performance_profile,
    stratified_bootstrap,
    sup_t_band,
    t_test,
)


def test_one_point_is_students_t() -> None:
    """The largest of one statistic is that statistic: the critical value tends to t's (1.984 at 99)."""
    x = np.random.default_rng(1).normal(size=(100, 1))
    band = sup_t_band(x, seed=1, samples=40_000)
    assert band.critical == pytest.approx(1.984, abs=0.04)
    interval = mean_interval(x[:, 0])
    assert band.lower[0] == pytest.approx(interval.lower, abs=0.01)


def test_independent_points_need_sidaks_width() -> None:
    """20 independent points: Sidak's normal quantile at 0.95^(1/20) is 3.016."""
    x = np.random.default_rng(2).normal(size=(1000, 20))
    assert sup_t_band(x, seed=1, samples=20_000).critical == pytest.approx(3.016, abs=0.06)


def test_points_that_move_together_cost_nothing() -> None:
    x = np.random.default_rng(3).normal(size=(500, 1)) * np.arange(1.0, 11.0)
    assert sup_t_band(x, seed=1, samples=20_000).critical == pytest.approx(1.96, abs=0.05)


def test_seeds_are_honoured_and_units_do_not_matter() -> None:
    x = np.random.default_rng(4).normal(size=(50, 6))
    one, again, other = (sup_t_band(x, seed=s).critical for s in (5, 5, 6))
    assert one == again
    assert one != other
    assert sup_t_band(x * 1e6, seed=5).critical == pytest.approx(one)
    assert sup_t_band(x, seed=np.random.Generator(np.random.Philox(5))).critical == one


def test_points_without_spread_have_no_width() -> None:
    x = np.column_stack([np.full(30, 0.1), np.random.default_rng(5).normal(size=30)])
    band = sup_t_band(x, seed=1)
    assert band.lower[0] == band.upper[0] == band.estimate[0]
    assert band.upper[1] > band.estimate[1]


def test_points_where_nearly_no_user_differs_are_left_out_of_the_claim() -> None:
    """Of 400 users 19 or fewer, of 30 fewer than 15: the band says nothing there, and nothing wider elsewhere."""
    rng = np.random.default_rng(6)
    for n, few, enough in ((400, 19, 20), (30, 14, 15)):
        x = np.zeros((n, 3))
        x[:few, 0], x[:enough, 1], x[:, 2] = rng.normal(size=few), rng.normal(size=enough), rng.normal(size=n)
        band = sup_t_band(x, seed=1)
        assert np.isfinite(band.lower).tolist() == np.isfinite(band.upper).tolist() == [False, True, True]
        assert band.critical == sup_t_band(x[:, 1:], seed=1).critical
    assert np.isnan(sup_t_band(np.zeros((5, 3)), seed=1).lower).all()


def test_intervals_for_all_means_exclude_0_just_where_their_p_value_says_so() -> None:
    rng = np.random.default_rng(7)
    for shift in (0.0, 0.3, 0.6, 1.0):
        x = rng.normal(size=(40, 12)) + shift * np.linspace(-1, 1, 12)
        found = max_t(x, seed=3)
        error = x.std(axis=0, ddof=1) / np.sqrt(40)
        assert ((np.abs(x.mean(axis=0)) > found.critical * error) == (found.p_values <= 0.05)).all()


def test_one_mean_at_a_time_is_student_s_test() -> None:
    """The sign-flip test of normal values agrees with Student's: 4,000 flips tell p = .05 to 4 sd, 0.014."""
    x = np.random.default_rng(8).normal(0.3, 1.0, size=(200, 1))
    assert max_t(x, seed=1).p_values[0] == pytest.approx(t_test(x[:, 0]), abs=0.014)
    assert max_t(x, seed=1).critical == pytest.approx(special.stdtrit(199, 0.975), abs=0.06)


def test_what_may_happen_by_chance_among_many_equal_means() -> None:
    """400 studies of 91 differences of 14 equal skewed values, 30 users: 20 +- 4 sd (17) alarms; once in 16,000."""
    rng, pairs, wrong = np.random.default_rng(9), list(itertools.combinations(range(14), 2)), 0
    for study in range(400):
        values = rng.exponential(size=(30, 1)) + rng.exponential(size=(30, 14)) * (rng.random((30, 14)) < 0.7)
        step = np.stack([values[:, b] - values[:, a] for a, b in pairs], axis=1)
        wrong += bool(np.nanmin(max_t(step, seed=study, samples=500).p_values) <= 0.05)
    assert wrong <= 37


def test_coverage_of_whole_curves() -> None:
    """300 random walks of 40 users and 30 points: 285 +- 4 sd (15); once in 16,000 seeds it fails.

    Pointwise intervals hold the whole curve in about 80 %, so the test can tell the two apart.
    """
    rng, covered, pointwise = np.random.default_rng(6), 0, 0
    for i in range(300):
        walks = rng.normal(size=(40, 30)).cumsum(axis=1)
        band = sup_t_band(walks, seed=i, samples=400)
        covered += bool((band.lower <= 0).all() and (band.upper >= 0).all())
        half = (band.upper - band.estimate) / band.critical * 2.023
        pointwise += bool((np.abs(band.estimate) <= half).all())
    assert 270 <= covered <= 299
    assert pointwise < 265


def test_curves_of_the_wrong_shape_are_refused() -> None:
    for bad in (np.zeros(5), np.zeros((1, 5)), np.zeros((5, 0))):
        with pytest.raises(ValueError, match="at least 2 users"):
            sup_t_band(bad, seed=1)
    with pytest.raises(ValueError, match="1 of 4 values are not finite"):
        sup_t_band([[1.0, np.nan], [1.0, 2.0]], seed=1)


def test_interquartile_mean_drops_a_quarter_at_each_end() -> None:
    assert interquartile_mean([100.0, 2.0, 4.0, -100.0]) == 3.0
    with pytest.raises(ValueError, match="not defined"):
        interquartile_mean([])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=40))
def test_the_interquartile_mean_of_each_column_is_scipys_trimmed_mean(values: list[float]) -> None:
    table = np.stack([values, -np.array(values)], axis=1)
    assert interquartile_mean(table) == pytest.approx(scipy_stats.trim_mean(table, 0.25, axis=0), abs=1e-12)


def test_iqm_interval_shrinks_with_users_and_repeats() -> None:
    rng = np.random.default_rng(7)
    few = [rng.normal(size=40) for _ in range(3)]
    many = [rng.normal(size=640) for _ in range(3)]
    first = iqm(few, seed=1, samples=400)
    assert first == iqm(few, seed=1, samples=400)
    assert first.lower < first.estimate < first.upper
    assert 3.0 < first.width / iqm(many, seed=1, samples=400).width < 5.5


def test_strata_are_resampled_within_themselves() -> None:
    """Scenarios without spread give bounds without width, however far apart they lie."""
    interval = iqm([np.zeros(10), np.full(10, 5.0)], seed=1, samples=100)
    assert interval.lower == interval.estimate == interval.upper == 2.5
    drawn = stratified_bootstrap(
        [np.zeros((3, 2)), np.ones((5, 2))],
        lambda s: np.concatenate(s).sum(axis=0),
        seed=generator(1),
        samples=10,
    )
    assert (drawn == 5.0).all()
    with pytest.raises(ValueError, match="at least one user"):
        stratified_bootstrap([np.zeros(0)], lambda s: s[0], seed=1)


def test_profile_falls_and_brackets_the_truth() -> None:
    """Normal scores: the share above tau is the normal's tail; 2,000 users are within 4 sd (0.045) of it."""
    rng = np.random.default_rng(8)
    scores = [rng.normal(size=1000), rng.normal(size=1000)]
    profile = performance_profile(scores, [-1.0, 0.0, 1.0], seed=2, samples=300)
    assert (np.diff(profile.share) < 0).all()
    np.testing.assert_allclose(profile.share, scipy_stats.norm.sf([-1.0, 0.0, 1.0]), atol=0.045)
    assert (profile.lower <= profile.share).all()
    assert (profile.share <= profile.upper).all()


def test_profile_counts_strictly_above() -> None:
    profile = performance_profile([[1.0, 2.0], [2.0, 3.0, 4.0, 5.0]], [2.0], seed=1, samples=10)
    assert profile.share[0] == pytest.approx((0.0 + 0.75) / 2)
