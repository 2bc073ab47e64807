"""Scores and probabilities of the linear policies against the recommender's formulas and direct linear algebra."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

from oo_sim.contract import F64, Policy
from oo_sim.policies import make
from oo_sim.policies.warm import precision

from .cases import CASES, LANES, K, Seen, play

LINEAR = {name: p for name, p in CASES.items() if p.name in ("linucb", "egreedy", "greedy", "softmax")}
linear = pytest.mark.parametrize("policy", LINEAR.values(), ids=LINEAR.keys())


def formula(policy: Policy, A: F64, b: F64, x: F64) -> float:
    """theta.x, and for LinUCB alpha sqrt(x' A^-1 x) more, with theta = A^-1 b."""
    mean = float(x @ np.linalg.solve(A, b))
    alpha = policy.parameters["alpha"] if policy.name == "linucb" else 0.0
    return mean + float(alpha) * math.sqrt(x @ np.linalg.solve(A, x))


def wanted(policy: Policy, played: list[Seen]) -> list[F64]:
    """The scores (K, n) of each round, every lane's A and b summed up anew from what it learned."""
    begun = precision(policy.parameters, policy.features.d)
    A, b = (np.repeat(part[None], LANES, axis=0) for part in begun)
    out = []
    for t, seen in enumerate(played):
        x = seen.batch.x
        out.append(np.array([[formula(policy, A[i], b[i], x[k, :, i]) for i in range(LANES)] for k in range(K)]))
        for learning in (seen.learning, *([played[t - 1].learning] if t % 3 == 2 else [])):
            for i in np.flatnonzero(learning.learn):
                v = learning.x[:, i]
                A[i] += np.outer(v, v)
                b[i] += learning.reward[i] * v
    return out


@linear
def test_fresh_scores_equal_the_formula_to_1e_12(policy: Policy) -> None:
    first = play(policy, count=1)
    np.testing.assert_allclose(first[0].scores, wanted(policy, first)[0], rtol=1e-12, atol=1e-12)


@linear
def test_later_scores_equal_the_formula_to_1e_9(policy: Policy) -> None:
    """At a prior of 1 or more; at the smallest prior scores of hundreds lose a few digits more."""
    played = play(policy)
    tolerance = 1e-9 if float(policy.parameters["prior"]) >= 0.1 else 1e-6
    for seen, want in zip(played, wanted(policy, played), strict=True):
        np.testing.assert_allclose(seen.scores, want, rtol=0, atol=tolerance)


def test_the_defaults_are_the_recommenders() -> None:
    ucb, eps = make("linucb-v1"), make("egreedy-v1")
    assert (ucb.name, ucb.features.name, ucb.features.d) == ("linucb", "oo5", 5)
    assert ucb.parameters == {"alpha": 1.0, "features": "oo5", "prior": 1.0}
    assert (eps.name, eps.features.name, eps.features.d) == ("egreedy", "oo7", 7)
    assert eps.parameters == {"epsilon": 0.1, "decay": 0.0, "features": "oo7", "prior": 1.0}


def firsts(seen: Seen) -> F64:
    """1 for the first of the highest scores among those that stand, else 0 (K, n)."""
    best = np.where(seen.batch.mask, seen.scores, -np.inf).argmax(axis=0)
    out: F64 = (np.arange(K)[:, None] == best).astype(np.float64)
    return out


def test_egreedys_propensities() -> None:
    """1 - epsilon + epsilon / K for the greedy candidate, epsilon / K for each other one."""
    for seen in play(make("egreedy", {"epsilon": 0.1})):
        share = 0.1 / seen.batch.mask.sum(axis=0)
        want = np.where(seen.batch.mask, share, 0.0) + 0.9 * firsts(seen)
        np.testing.assert_allclose(seen.probs.total, want, rtol=0, atol=1e-16 * 2)
        np.testing.assert_array_equal(seen.probs.explored, np.where(seen.batch.mask, share, 0.0))


def test_epsilon_decays_by_the_lanes_own_decision_number() -> None:
    policy = make("egreedy", {"epsilon": 0.6, "decay": 0.25})
    for t, seen in enumerate(play(policy)):
        epsilon = 0.6 / (1 + 0.25 * t)
        np.testing.assert_allclose(seen.probs.explored.sum(axis=0), epsilon, rtol=1e-12)
    last = play(policy, count=3)[-1]
    batch = last.batch._replace(t=np.arange(LANES) * 10)
    want = 0.6 / (1 + 2.5 * np.arange(LANES))
    np.testing.assert_allclose(policy.probs(last.scores, batch).explored.sum(axis=0), want, rtol=1e-12)


@pytest.mark.parametrize("name", ["linucb", "greedy", "oracle", "thompson"])
def test_greedy_ones_put_all_on_the_first_of_the_best(name: str) -> None:
    for seen in play(make(name)):
        np.testing.assert_array_equal(seen.probs.total, firsts(seen))


def test_softmax_is_in_proportion_to_exp_of_the_score() -> None:
    with np.errstate(all="ignore"):
        for seen in play(make("softmax", {"temperature": 0.3})):
            want = special.softmax(np.where(seen.batch.mask, seen.scores / 0.3, -np.inf), axis=0)
            np.testing.assert_allclose(seen.probs.total, want, rtol=1e-12)


def test_random_gives_each_the_same_and_calls_all_of_it_exploration() -> None:
    for seen in play(make("random")):
        want = seen.batch.mask / seen.batch.mask.sum(axis=0)
        np.testing.assert_array_equal(seen.probs.total, want)
        np.testing.assert_array_equal(seen.probs.explored, want)
        assert seen.decision.explored.all()
        assert (seen.scores == 0).all()


def test_the_oracle_scores_the_truth() -> None:
    for seen in play(make("oracle")):
        np.testing.assert_array_equal(seen.scores, seen.batch.x[:, 0])


def test_identical_candidates_are_a_tie_and_the_first_is_served() -> None:
    """Bit-equal scores at every place among the candidates, so that a tie is seen as one."""
    for name in ("linucb", "egreedy", "thompson"):
        policy = make(name, {"features": "oo7x"})
        seen = play(policy)[-1]
        x = np.repeat(seen.batch.x[:1], K, axis=0)
        noise = np.random.default_rng(1).random((policy.noise[0], LANES))
        scores = policy.score(seen.state, seen.batch._replace(x=x), noise)
        np.testing.assert_array_equal(scores, np.repeat(scores[:1], K, axis=0))
        assert (policy.probs(scores, seen.batch).total.argmax(axis=0) == 0).all()
