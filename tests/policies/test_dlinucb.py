"""D-LinUCB against the sums of the paper, and in its limits."""

from __future__ import annotations

import math

import numpy as np
import pytest

from oo_sim.contract import F64
from oo_sim.features import raw
from oo_sim.policies import UnknownPolicyError, make
from oo_sim.policies.dlinucb import dlinucb
from oo_sim.policies.linucb import linucb

from .play import Played, confidence, nothing, play, shown, taught

GAMMA, ALPHA, PRIOR, D = 0.9, 0.7, 0.5, 5


def by_the_paper(p: Played, t: int, lane: int, delay: int = 0) -> F64:
    """The scores of round t: weights gamma^(t - 1 - s) for what is known of rounds s < t, and their squares."""
    known = [s for s in range(t - delay) if p.learn[s, lane]]
    w = np.array([GAMMA ** (t - 1 - s) for s in known])
    X, r = p.taken[known, :, lane], p.reward[known, lane]
    V, W = (PRIOR * np.eye(D) + (X.T * weights) @ X for weights in (w, w * w))
    return confidence(V, W, (X.T * w) @ r, p.x[t, :, :, lane], ALPHA)


@pytest.mark.parametrize("delay", [0, 7])
def test_scores_are_those_of_the_papers_two_matrices(delay: int) -> None:
    """V with gamma, V~ with gamma squared, each decision weighed by its own age however late its reward came."""
    played = play(dlinucb(GAMMA, ALPHA, raw(D), PRIOR), 300, delay=delay)
    for t in (0, 1, 2, 9, 50, 299):
        for lane in range(3):
            np.testing.assert_allclose(played.scores[t, :, lane], by_the_paper(played, t, lane, delay), rtol=1e-9)


def test_two_rounds_by_hand() -> None:
    """d = 1: after (x, r) = (1, 1) and (2, 0), gram = 0.5 + 4, squared = 0.25 + 4, b = 0.5."""
    policy = dlinucb(0.5, 2.0, raw(1), 1.0)
    state = policy.init(2)
    for t, (x, r) in enumerate([(1.0, 1.0), (2.0, 0.0)]):
        state = policy.update(state, taught([x], r, t, t), np.empty((0, 2)))
    assert (state.gram[0, 0], state.squared[0, 0], state.b[0, 0]) == (4.5, 4.25, 0.5)
    assert shown(policy, state, [[1.0]]) == pytest.approx(0.5 / 5.5 + 2.0 * math.sqrt(5.25) / 5.5, rel=1e-14)


def test_without_discount_it_is_linucb() -> None:
    ours, plain = (play(policy, 300).scores for policy in (dlinucb(1.0, ALPHA, raw(D)), linucb(ALPHA, raw(D))))
    np.testing.assert_allclose(ours, plain, rtol=1e-9, atol=1e-12)


def test_a_late_reward_leaves_the_state_that_it_would_have_left_in_time() -> None:
    policy = dlinucb(GAMMA, features=raw(2))
    late, timely = policy.init(2), policy.init(2)
    timely = policy.update(timely, taught([1.0, 2.0], 1.0, 0, 0), np.empty((0, 2)))
    late = policy.update(late, nothing(2, 0), np.empty((0, 2)))
    for t in (1, 2, 3):
        timely, late = (policy.update(state, nothing(2, t), np.empty((0, 2))) for state in (timely, late))
    late = policy.update(late, taught([1.0, 2.0], 1.0, 0, 3, tick=False), np.empty((0, 2)))
    for one, other in zip(late, timely, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14)


def test_a_reward_that_never_came_may_be_no_number() -> None:
    policy = dlinucb(features=raw(2))
    missing = nothing(2, 0)._replace(reward=np.full(2, np.nan))
    np.testing.assert_array_equal(policy.update(policy.init(2), missing, np.empty((0, 2))).b, 0.0)


def test_all_is_forgotten_in_the_end() -> None:
    """0.5^2000 is far below the smallest number: the state is the fresh one, whose score is alpha |x| / sqrt(prior)."""
    policy = dlinucb(0.5, ALPHA, raw(2), PRIOR)
    state = policy.update(policy.init(2), taught([3.0, 1.0], -1.0, 0, 0), np.empty((0, 2)))
    for t in range(1, 2000):
        state = policy.update(state, nothing(2, t), np.empty((0, 2)))
    assert shown(policy, state, [[3.0, 4.0]]) == pytest.approx(ALPHA * 5.0 / math.sqrt(PRIOR), rel=1e-12)


@pytest.mark.parametrize("wrong", [{"gamma": 0.0}, {"gamma": 1.1}, {"gamma": "a"}, {"alpha": -1.0}, {"prior": 1e-5}])
def test_parameters_out_of_range_are_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(UnknownPolicyError, match=f"policy dlinucb: {next(iter(wrong))} must be"):
        make("dlinucb", wrong)
