"""The naive handlers that speed is measured against: one for every policy that learns, and they do the same."""

from __future__ import annotations

import numpy as np
import pytest

from oo_sim.bench.naive import NAIVE, handle, requests
from oo_sim.features import raw
from oo_sim.policies import POLICIES, make

from .play import K, play

D, ROUNDS = 5, 250
EXACT = ("linucb", "greedy", "squarecb", "linucb_disjoint", "linucb_hybrid", "dlinucb", "swlinucb", "restart_linucb")


def test_every_policy_that_learns_has_a_naive_handler() -> None:
    assert set(NAIVE) == set(POLICIES) - {"random", "oracle"}


@pytest.mark.parametrize("name", EXACT)
def test_a_naive_handler_scores_as_the_policy_does(name: str) -> None:
    """With the defaults of both, over 250 rounds: windows have slid and epochs have ended by then."""
    kinds = name in ("linucb_disjoint", "linucb_hybrid")
    p = play(make(name, {"features": raw(D)}), ROUNDS, kind=kinds, share=1.0)
    rng, learner = np.random.default_rng(1), NAIVE[name].learner(D)
    for t in range(ROUNDS):
        tips = p.x[t, :, -1, 0] > 0.5 if kinds else np.zeros(K, np.bool_)
        score = learner.score(rng)
        expected = [score(p.x[t, k, :D, 0], bool(tips[k])) for k in range(K)]
        np.testing.assert_allclose(p.scores[t, :, 0], expected, rtol=1e-9, atol=1e-11)
        chosen = p.chosen[t, 0]
        learner.learn(p.x[t, chosen, :D, 0], bool(tips[chosen]), p.reward[t, 0], rng)


def test_the_naive_logistic_model_has_the_same_mode() -> None:
    p = play(make("logistic_ts", {"features": raw(D)}), ROUNDS, share=1.0)
    rng, learner = np.random.default_rng(1), NAIVE["logistic_ts"].learner(D)
    for t in range(ROUNDS):
        learner.learn(p.taken[t, :, 0], False, p.reward[t, 0], rng)
    np.testing.assert_allclose(p.state.theta[:, 0], vars(learner)["b"], rtol=1e-8)


@pytest.mark.parametrize("name", NAIVE)
def test_every_naive_handler_serves(name: str) -> None:
    stream = requests(30, 10)
    assert [candidate["is_llm"] for candidate in stream[0].candidates] == [0.0] * 8 + [1.0] * 2
    assert handle(NAIVE[name], stream) == 30
