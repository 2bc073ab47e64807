"""Tips out of a bank: whose features they take, and what their texts multiply the odds by."""

from __future__ import annotations

import numpy as np

from oo_sim.kernels.tipbank import add_appeal, ground_tips

ROUND = np.array([1, 0])
TASKS, TIPS = np.array([2, 1]), np.array([1, 2])
ABOUT = np.array([[[0, 0], [0, 3]], [[1, 0], [0, 0]]])  # (rounds, m, n)


def test_a_tip_takes_what_its_task_has_and_only_where_that_task_is_on_offer() -> None:
    for copies in (True, False):
        age = np.array([[4.0, 5.0], [6.0, 0.0], [0.0, 0.0]])
        overdue, priority, serial = (age > 0).astype(float), age + 1, np.array([[10, 11], [12, -1], [-1, -1]])
        ground_tips(ROUND, TASKS, TIPS, ABOUT, copies, overdue, age, priority, serial)
        np.testing.assert_array_equal(serial, [[10, 11], [12, 11], [12, -1]])
        np.testing.assert_array_equal(age[2], [6.0 if copies else 0.0, 0.0])
        np.testing.assert_array_equal(age[1], [6.0, 5.0 if copies else 0.0])
        np.testing.assert_array_equal(priority[2], [7.0 if copies else 1.0, 1.0])
        np.testing.assert_array_equal(overdue[2], [1.0 if copies else 0.0, 0.0])


def test_odds_are_multiplied_and_the_best_is_found_anew() -> None:
    """By hand: cut points 0 four times, so E = 1 - 2 / (1 + e^u) = tanh(u / 2), halved by a silence of one half."""
    factors = np.array([[0.5, 0.25], [2.0, 1.0]])
    contradicts = np.array([[[0, 1], [0, 1]], [[0, 0], [0, 0]]])
    appeal = factors[(ABOUT < TASKS).astype(int), contradicts]
    odds, expected, best = np.ones((3, 2)), np.full((3, 2), -0.1), np.full(2, 9.0)
    add_appeal(ROUND, TASKS, TIPS, appeal, np.ones(4), 0.5, odds, expected, best)
    np.testing.assert_array_equal(odds, [[1, 1], [1, 1], [2, 0.25]])
    want = [[-0.1, -0.1], [-0.1, 0.0], [0.5 * (1 - 2 / 3), 0.5 * (1 - 2 / 1.25)]]
    np.testing.assert_allclose(expected, want, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(best, expected.max(axis=0))


def test_no_text_takes_odds_out_of_range() -> None:
    """The largest that there are: e^250 of a utility, e^200 of a text."""
    for sign, value in ((1.0, 1.0), (-1.0, -1.0)):
        odds, expected, best = np.full((3, 2), np.exp(250 * sign)), np.zeros((3, 2)), np.zeros(2)
        appeal = np.full((2, 2, 2), np.exp(200 * sign))
        one = np.array([1, 1])
        add_appeal(ROUND, one, one, appeal, np.ones(4), 1.0, odds, expected, best)
        np.testing.assert_allclose(expected[1], value, rtol=0, atol=1e-15)
        assert 1e-109 < odds[1, 0] < 1e109
