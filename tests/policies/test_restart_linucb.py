"""Restarting LinUCB: LinUCB within each epoch."""

from __future__ import annotations

import numpy as np
import pytest

from oo_sim.features import raw
from oo_sim.policies import UnknownPolicyError, make
from oo_sim.policies.linucb import linucb
from oo_sim.policies.restart_linucb import restart_linucb

from .play import confidence, lesson, nothing, play, shown, taught

ALPHA, PRIOR, D, PERIOD = 0.7, 0.5, 5, 25
NONE = np.empty((0, 2))


@pytest.mark.parametrize("delay", [0, 7])
def test_scores_are_linucbs_on_the_present_epoch(delay: int) -> None:
    p = play(restart_linucb(PERIOD, ALPHA, raw(D), PRIOR), 130, delay=delay)
    for t in (0, 1, 24, 25, 26, 49, 50, 51, 124, 125, 129):
        for lane in range(3):
            known = [s for s in range(t // PERIOD * PERIOD, t - delay) if p.learn[s, lane]]
            X, r = p.taken[known, :, lane], p.reward[known, lane]
            V = PRIOR * np.eye(D) + X.T @ X
            expected = confidence(V, V, X.T @ r, p.x[t, :, :, lane], ALPHA)
            np.testing.assert_allclose(p.scores[t, :, lane], expected, rtol=1e-9, atol=1e-12)


def test_an_epoch_longer_than_the_run_is_linucb_bit_for_bit() -> None:
    ours, plain = (play(policy, 200).scores for policy in (restart_linucb(201, ALPHA, raw(D)), linucb(ALPHA, raw(D))))
    np.testing.assert_array_equal(ours, plain)


def test_a_reward_of_an_epoch_that_is_over_is_not_learned() -> None:
    policy = restart_linucb(2, 0.0, raw(1))
    state = policy.init(2)
    for t in (0, 1):
        state = policy.update(state, nothing(1, t), NONE)
    state = policy.update(state, taught([1.0], 1.0, 1, 1, tick=False), NONE)
    assert shown(policy, state, [[1.0]]) == 0.0
    state = policy.update(state, taught([1.0], 1.0, 2, 2), NONE)
    assert shown(policy, state, [[1.0]]) == 0.5


def test_rewards_before_the_first_decision_are_of_the_first_epoch() -> None:
    policy = restart_linucb(2, 0.0, raw(1))
    state = policy.update(policy.init(2), taught([1.0], 1.0, -1, -1), NONE)
    assert shown(policy, state, [[1.0]]) == 0.5
    for t in (0, 1):
        state = policy.update(state, nothing(1, t), NONE)
    assert shown(policy, state, [[1.0]]) == 0.0


def test_lanes_restart_in_rounds_of_their_own() -> None:
    policy = restart_linucb(10, features=raw(1))
    now = np.array([3, 9])
    learning = lesson(np.ones((1, 2)), np.ones(2), np.ones(2, np.bool_), 0, 0)._replace(t_decided=now, t_now=now)
    state = policy.update(policy.init(2), learning, NONE)
    np.testing.assert_array_equal(state.model.b, [[1.0, 0.0]])
    np.testing.assert_array_equal(state.epoch, [0.0, 1.0])


@pytest.mark.parametrize("wrong", [{"period": 0}, {"period": 2.0}, {"alpha": -1.0}, {"prior": 1e-5}])
def test_parameters_out_of_range_are_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(UnknownPolicyError, match=f"policy restart_linucb: {next(iter(wrong))} must be"):
        make("restart_linucb", wrong)
