"""The online bootstrap against ridge regressions on the data that each replicate counts."""

from __future__ import annotations

import numpy as np
import pytest

from oo_sim.contract import Batch
from oo_sim.features import raw
from oo_sim.policies import UnknownPolicyError, make
from oo_sim.policies.bootstrap_ts import bootstrap_ts

from .play import lesson, play, taught

D, R, PRIOR = 4, 6, 0.5


def test_each_replicate_is_a_ridge_regression_on_what_it_counts_twice() -> None:
    """theta = V^-1 (prior theta_0 + sum of 2 r x), V = prior I + sum of 2 x x', where the replicate's uniform is
    below 1/2; scores are shares of wins."""
    policy = bootstrap_ts(R, 0.8, raw(D), PRIOR)
    start = policy.init(2).theta[:, :, 0]
    p = play(policy, 200)
    for t in (0, 1, 2, 30, 199):
        wins = np.zeros(p.x.shape[1])
        for j in range(R):
            counted = [s for s in range(t) if p.learn[s, 1] and p.noise[s, j, 1] < 0.5]
            X, r = p.taken[counted, :, 1], p.reward[counted, 1]
            theta = np.linalg.solve(PRIOR * np.eye(D) + 2 * X.T @ X, PRIOR * start[j] + 2 * X.T @ r)
            wins[np.argmax(p.x[t, :, :, 1] @ theta)] += 1
        np.testing.assert_allclose(p.scores[t, :, 1], wins / R, atol=1e-15)


def test_states_are_those_regressions_to_1e_9() -> None:
    policy = bootstrap_ts(R, 0.8, raw(D), PRIOR)
    start, p = policy.init(2).theta[:, :, 0], play(policy, 300)
    for j in range(R):
        counted = p.learn[:, 2] & (p.noise[:, j, 2] < 0.5)
        X, r = p.taken[counted, :, 2], p.reward[counted, 2]
        V = PRIOR * np.eye(D) + 2 * X.T @ X
        theta = np.linalg.solve(V, PRIOR * start[j] + 2 * X.T @ r)
        np.testing.assert_allclose(p.state.theta[j, :, 2], theta, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(
            p.state.inverse[j, :, 2], np.linalg.inv(V)[np.triu_indices(D)], rtol=1e-8, atol=1e-12
        )


def test_one_replicate_is_greedy_on_its_regression() -> None:
    """Two rounds by hand, d = 1, prior 1, no spread: (2, 1) counted twice gives theta = 4 / 9; (1, 1) not at all."""
    policy = bootstrap_ts(1, 0.0, raw(1), 1.0)
    state = policy.update(policy.init(2), taught([2.0], 1.0, 0, 0), np.full((1, 2), 0.49))
    state = policy.update(state, taught([1.0], 1.0, 1, 1), np.full((1, 2), 0.5))
    np.testing.assert_allclose(state.theta, 4 / 9, rtol=1e-15)
    x = np.array([[[1.0, 1.0]], [[2.0, -2.0]]])
    batch = Batch(x, np.ones((2, 2), np.bool_), np.full(2, 2))
    scores = policy.score(state, batch, np.empty((0, 2)))
    np.testing.assert_array_equal(scores, [[0.0, 1.0], [1.0, 0.0]])
    np.testing.assert_array_equal(policy.probs(scores, batch).total, scores)


def test_replicates_start_apart_alike_for_all_users_and_whatever_their_number() -> None:
    few, many = (bootstrap_ts(count, 0.5, raw(D), 4.0).init(3).theta for count in (3, 200))
    np.testing.assert_array_equal(few, many[:3])
    np.testing.assert_array_equal(many[..., 0], many[..., 2])
    z = many[..., 0] / (0.5 / np.sqrt(4.0))
    # 800 standard normals: mean and variance within 4.5 standard errors, which fails by chance once in 100,000 seeds
    assert abs(z.mean()) < 4.5 / np.sqrt(800)
    assert abs(z.var() - 1) < 4.5 * np.sqrt(2 / 800)


def test_no_spread_starts_all_at_0() -> None:
    np.testing.assert_array_equal(bootstrap_ts(3, 0.0).init(2).theta, 0.0)


def test_a_reward_is_counted_once_on_average() -> None:
    """Double or nothing has mean 1 and variance 1, as a bootstrap's counts have in the limit."""
    policy = bootstrap_ts(200, 0.0, raw(1), 1.0)
    n = 500
    learning = lesson(np.ones((1, n)), np.ones(n), np.ones(n, np.bool_), 0, 0)
    state = policy.update(policy.init(n), learning, np.random.default_rng(3).random((200, n)))
    counts = 1.0 / state.inverse - 1.0
    np.testing.assert_allclose(np.sort(np.unique(counts.round(9))), [0.0, 2.0], atol=1e-9)
    # 100,000 draws: 5 standard errors of 1 / sqrt(100,000), wrong once in 1.7 million seeds
    assert abs(counts.mean() - 1.0) < 5 / np.sqrt(100_000)


@pytest.mark.parametrize("wrong", [{"replicates": 0}, {"replicates": 201}, {"spread": -1.0}, {"prior": 1e-5}])
def test_parameters_out_of_range_are_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(UnknownPolicyError, match=f"policy bootstrap_ts: {next(iter(wrong))} must be"):
        make("bootstrap_ts", wrong)
