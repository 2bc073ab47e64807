"""SW-LinUCB against sums over the window, and in its limits."""

from __future__ import annotations

import numpy as np
import pytest

from oo_sim.contract import F64
from oo_sim.features import raw
from oo_sim.policies import UnknownPolicyError, make
from oo_sim.policies.linucb import linucb
from oo_sim.policies.swlinucb import swlinucb

from .play import Played, confidence, lesson, nothing, play, shown, taught

ALPHA, PRIOR, D, WINDOW = 0.7, 0.5, 5, 20
NONE = np.empty((0, 2))


def by_the_paper(p: Played, t: int, lane: int, delay: int = 0) -> F64:
    """The scores of round t from what is known of rounds max(0, t - w) to t - 1."""
    known = [s for s in range(max(0, t - WINDOW), t - delay) if p.learn[s, lane]]
    X, r = p.taken[known, :, lane], p.reward[known, lane]
    V = PRIOR * np.eye(D) + X.T @ X
    return confidence(V, V, X.T @ r, p.x[t, :, :, lane], ALPHA)


@pytest.mark.parametrize("delay", [0, 7])
def test_scores_are_those_of_the_window(delay: int) -> None:
    """Late rewards too leave with the round of their decision; sums keep to 1e-9 though what leaves is taken off."""
    played = play(swlinucb(WINDOW, ALPHA, raw(D), PRIOR), 400, delay=delay)
    for t in (0, 1, 2, 19, 20, 21, 22, 50, 399):
        for lane in range(3):
            np.testing.assert_allclose(played.scores[t, :, lane], by_the_paper(played, t, lane, delay), rtol=1e-9)


def test_rewards_later_than_the_window_are_lost() -> None:
    played = play(swlinucb(WINDOW, ALPHA, raw(D), PRIOR), 60, delay=WINDOW)
    np.testing.assert_array_equal(played.state.gram, 0.0)
    np.testing.assert_array_equal(played.state.b, 0.0)


def test_a_window_as_long_as_the_run_is_linucb() -> None:
    ours, plain = (play(policy, 200).scores for policy in (swlinucb(200, ALPHA, raw(D)), linucb(ALPHA, raw(D))))
    np.testing.assert_allclose(ours, plain, rtol=1e-9, atol=1e-12)


def test_a_window_of_one_knows_the_last_decision_alone() -> None:
    """d = 1: after (3, -1) and (2, 1), V = 1 + 4 and b = 2; after one more round without a reward, nothing."""
    policy = swlinucb(1, 0.0, raw(1))
    state = policy.init(2)
    for t, (x, r) in enumerate([(3.0, -1.0), (2.0, 1.0)]):
        state = policy.update(state, taught([x], r, t, t), NONE)
    assert shown(policy, state, [[1.0]]) == pytest.approx(2.0 / 5.0, rel=1e-14)
    assert shown(policy, policy.update(state, nothing(1, 2), NONE), [[1.0]]) == 0.0


def test_a_second_reward_for_a_decision_replaces_the_first() -> None:
    policy = swlinucb(5, features=raw(1))
    state = policy.update(policy.init(2), taught([2.0], -1.0, 0, 0), NONE)
    state = policy.update(state, taught([2.0], 1.0, 0, 0, tick=False), NONE)
    assert (state.gram[0, 0], state.b[0, 0]) == (4.0, 2.0)


def test_rewards_before_the_first_decision_leave_with_it() -> None:
    """Served only: a user is rewarded for what nobody decided here. It counts as decision 0, and leaves with it."""
    policy = swlinucb(2, features=raw(1))
    state = policy.update(policy.init(2), taught([2.0], -1.0, -1, -1), NONE)
    state = policy.update(state, taught([2.0], 1.0, -1, -1, tick=False), NONE)
    assert (state.gram[0, 0], state.b[0, 0]) == (4.0, 2.0)
    for t in range(3):
        assert state.gram[0, 0] == (4.0 if t < 3 else 0.0)
        state = policy.update(state, nothing(1, t), NONE)
    assert (state.gram[0, 0], state.b[0, 0]) == (0.0, 0.0)


def test_lanes_may_stand_at_rounds_of_their_own_and_jump() -> None:
    """Lane 0 goes on round by round and keeps what is in its window; lane 1 jumps beyond its window."""
    policy = swlinucb(3, features=raw(1))
    state = policy.init(2)
    for t in range(3):
        state = policy.update(state, taught([1.0], 1.0, t, t), NONE)
    now = np.array([3, 100])
    jump = lesson(np.ones((1, 2)), np.ones(2), np.ones(2, np.bool_), 0, 0)._replace(t_decided=now, t_now=now)
    state = policy.update(state, jump, NONE)
    np.testing.assert_array_equal(state.gram, [[3.0, 1.0]])
    np.testing.assert_array_equal(state.b, [[3.0, 1.0]])


@pytest.mark.parametrize("wrong", [{"window": 0}, {"window": 2001}, {"window": 1.5}, {"alpha": -1.0}, {"prior": 1e-5}])
def test_parameters_out_of_range_are_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(UnknownPolicyError, match=f"policy swlinucb: {next(iter(wrong))} must be"):
        make("swlinucb", wrong)
