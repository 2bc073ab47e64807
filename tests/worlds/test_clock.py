"""When decisions happen: drawn by weight, or walking through the week."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from .cases import lanes, tips, walk


def test_random_hours_and_weekdays_follow_their_weights() -> None:
    """Chi-squared over 20,000 decisions, each fails a sound clock with probability 1e-6."""
    world = tips(clock={"mode": "random", "hours": {"8": 2, "9": 1, "23": 1}, "weekdays": [1, 0, 0, 0, 0, 2, 2]})
    seen = [offer.candidates for offer, _, _ in walk(world, lanes(500), 40)]
    hours = np.bincount(np.concatenate([c.hour for c in seen]), minlength=24)
    days = np.bincount(np.concatenate([c.day for c in seen]), minlength=7)
    assert hours.sum() == hours[[8, 9, 23]].sum() == 20_000
    assert days.sum() == days[[0, 5, 6]].sum()
    assert stats.chisquare(hours[[8, 9, 23]], [10_000, 5_000, 5_000]).pvalue > 1e-6
    assert stats.chisquare(days[[0, 5, 6]], [4_000, 8_000, 8_000]).pvalue > 1e-6


def test_without_weights_all_hours_and_days_are_alike() -> None:
    """Chi-squared, error rate 1e-6."""
    seen = [offer.candidates for offer, _, _ in walk(tips(), lanes(500), 40)]
    for column, bins in (("hour", 24), ("day", 7)):
        counts = np.bincount(np.concatenate([getattr(c, column) for c in seen]), minlength=bins)
        assert len(counts) == bins
        assert stats.chisquare(counts).pvalue > 1e-6


@pytest.mark.parametrize("per_day", [1, 3, 15, 30])
def test_a_walk_goes_through_the_hours_of_the_week(per_day: int) -> None:
    """Evenly from from_hour to to_hour, day after day, from weekday 0 on; the same for all users."""
    world = tips(clock={"mode": "walk", "decisions_per_day": per_day, "from_hour": 8, "to_hour": 22})
    played = walk(world, lanes(3), 9 * per_day)
    hours = np.array([offer.candidates.hour for offer, _, _ in played])
    days = np.array([offer.candidates.day for offer, _, _ in played])
    assert (hours == hours[:, :1]).all()
    np.testing.assert_array_equal(days[:, 0], np.repeat(np.arange(9) % 7, per_day))
    first_day = hours[:per_day, 0]
    np.testing.assert_array_equal(hours[:, 0], np.tile(first_day, 9))
    assert first_day[0] == 8
    assert first_day.max() <= 22
    steps = np.diff(first_day)
    assert (steps >= 15 // per_day).all()
    assert (steps <= -(-15 // per_day)).all()
    if per_day >= 15:
        assert set(first_day.tolist()) == set(range(8, 23))


def test_the_clock_is_each_users_own() -> None:
    """Also beside other users, and in no two rounds the same for all."""
    everybody = [offer.candidates.hour for offer, _, _ in walk(tips(), lanes(20), 10)]
    some = [offer.candidates.hour for offer, _, _ in walk(tips(), lanes(4, first=9), 10)]
    for all_hours, hours in zip(everybody, some, strict=True):
        np.testing.assert_array_equal(hours, all_hours[9:13])
        assert len(set(all_hours.tolist())) > 3
