"""Figures on the weights, the betting interval, and replay."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oo_sim import ope
from oo_sim.stats import mean_interval

from .cases import log


def test_diagnostics_worked_by_hand() -> None:
    made = ope.sums(ope.rows([2.0, 0.0, 4.0], [0.0, 0.0, 0.0], user=list("aab")))
    found = ope.diagnostics(made)
    assert (found.users, found.decisions, found.largest_weight) == (2, 3, 4.0)
    assert found.mean_weight == mean_interval([1.0, 4.0])
    assert found.effective_users == pytest.approx(25.0 / 17.0)
    assert found.largest_share == pytest.approx(0.8)


def test_weights_of_one_up_to_rounding_pass_the_test() -> None:
    weight = 1.0 + 1e-15 * np.arange(40)
    assert ope.weight_test(weight) == 1.0
    assert math.isnan(ope.weight_test(weight + 0.01))  # no variance to test by


def test_no_weight_at_all() -> None:
    found = ope.diagnostics(ope.sums(ope.rows([0.0, 0.0], [1.0, 1.0])))
    assert found.effective_users == 0.0
    assert math.isnan(found.largest_share)
    assert found.p_value == 0.0


def test_unsupported_mass() -> None:
    assert ope.unsupported_mass([0.5, 0.5, 1.0, 0.2, 0.8], [1.0, 0.0, 1.0, 0.0, 0.0], [0, 2, 3]).tolist() == [
        0.5,
        0.0,
        1.0,
    ]


def uniform_weights(seed: int, users: int, doctored: bool) -> float:
    """The p-value of "uniform over the supported" on an epsilon-greedy log (.2, 4 candidates, 20 rounds), whose
    probabilities are right or written as if epsilon had been .1."""
    rng = np.random.default_rng(seed)
    greedy = rng.random((users, 20)) < 0.8 + 0.2 / 4
    epsilon = 0.1 if doctored else 0.2
    p = np.where(greedy, 1.0 - epsilon + epsilon / 4, epsilon / 4)
    user = np.repeat(np.arange(users), 20)
    return ope.diagnostics(ope.sums(ope.rows(0.25 / p.ravel(), np.zeros(users * 20), user=user))).p_value


def test_doctored_probabilities_show_in_the_uniform_policys_weights() -> None:
    """300 logs each of 30 and 100 users at alpha = .001. Weights are skewed, so at 30 users Student's test errs in up
    to .5 %; with that, more than 8 of 300 right logs would be refused with probability below .001."""
    assert sum(uniform_weights(s, 30, False) < 0.001 for s in range(300)) <= 8
    assert sum(uniform_weights(s, 100, False) < 0.001 for s in range(300)) <= 4
    assert sum(uniform_weights(s, 30, True) < 0.001 for s in range(300)) >= 0.95 * 300
    assert all(uniform_weights(s, 100, True) < 0.001 for s in range(300))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_the_betting_interval_is_ordered_and_mirrors(seed: int) -> None:
    """It surrounds its estimate, and turning all rewards around turns it around. Its order of users is free."""
    d = log(seed).decisions
    found = ope.betting_interval(ope.sums(d, [ope.IPS]))
    assert -1.0 <= found.lower <= found.upper <= 1.0
    turned = ope.betting_interval(ope.sums(d._replace(r=-d.r), [ope.IPS]))
    assert (turned.lower, turned.upper) == pytest.approx((-found.upper, -found.lower), abs=1e-7)


def test_the_betting_interval_covers_at_every_look() -> None:
    """100 logs of 240 users, looked at four times: all looks hold the truth in 95 % or more. With at most 5 % missed,
    13 or more of 100 would be missed with probability below .002."""
    missed = 0
    for seed in range(100):
        rng = np.random.default_rng([seed, 9])
        w, r = rng.gamma(2.0, 0.5, 240), np.where(rng.random(240) < 0.6, 1.0, -1.0)
        looks = [ope.betting_interval(ope.sums(ope.rows(w[:n], r[:n]), [ope.IPS])) for n in (30, 60, 120, 240)]
        missed += any(look.excludes(0.2) for look in looks)
    assert missed < 13
    assert looks[-1].width < 0.75 * looks[0].width


def test_rewards_beyond_the_limits_are_refused() -> None:
    made = ope.sums(ope.rows([1.0, 1.0], [0.0, 2.0]), [ope.IPS])
    with pytest.raises(ValueError, match="outside"):
        ope.betting_interval(made)
    assert ope.betting_interval(made, 0.0, 2.0).estimate == 1.0
    with pytest.raises(ValueError, match="must be below"):
        ope.betting_interval(made, 1.0, 1.0)


def test_replay_takes_each_users_first_accepted_decisions() -> None:
    """User a accepts rewards 1, 3 and 5, b only 2, c none: with two decisions each, a alone counts."""
    user, accepted, r = list("abacaac"), [1, 1, 1, 0, 0, 1, 0], [1.0, 2.0, 3.0, 9.0, 9.0, 5.0, 9.0]
    assert ope.replay(accepted, r, user, decisions=1).estimate == pytest.approx((1.0 + 2.0) / 2)
    two = ope.replay(accepted, r, user, decisions=2)
    assert (two.estimate, two.n) == (2.0, 1)
    assert ope.replay(accepted, r, user, decisions=4).n == 0
    with pytest.raises(ValueError, match="decisions"):
        ope.replay(accepted, r, user, decisions=0)


def test_replay_of_a_uniform_log_is_the_deployed_value() -> None:
    """A policy that plays arm 0 of 4, worth .3: kept where the uniform log did too."""
    rng = np.random.default_rng(4)
    arm, user = rng.integers(0, 4, 40_000), np.repeat(np.arange(1000), 40)
    r = np.where(rng.random(len(arm)) < 0.65, 1.0, -1.0) * np.where(arm == 0, 1.0, -1.0)
    found = ope.replay(arm == 0, r, user, decisions=4)
    assert not found.excludes(0.3)
    assert found.n > 950
