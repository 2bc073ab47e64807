"""Models by kind: the disjoint and the hybrid LinUCB of Li et al. against plain algebra, each other, and LinUCB."""

from __future__ import annotations

import numpy as np
import pytest

from oo_sim.contract import F64, Batch, Candidates, FeatureMap
from oo_sim.features import FEATURES, OO7, OO7X, raw, with_kind
from oo_sim.policies import UnknownPolicyError, make
from oo_sim.policies.kinds import Kinds
from oo_sim.policies.linucb import linucb
from oo_sim.policies.linucb_disjoint import linucb_disjoint
from oo_sim.policies.linucb_hybrid import linucb_hybrid

from .play import K, Played, confidence, lesson, play

ALPHA, PRIOR, D, ROUNDS = 0.7, 0.5, 4, 250


def of_kind(p: Played, t: int, lane: int, kind: int) -> tuple[F64, F64]:
    """The vectors (without the kind) and rewards that were learned about one kind before round t."""
    known = [s for s in range(t) if p.learn[s, lane] and p.taken[s, -1, lane] == kind]
    return p.taken[known, :-1, lane], p.reward[known, lane]


def test_disjoint_is_a_ridge_regression_for_each_kind() -> None:
    p = play(linucb_disjoint(ALPHA, raw(D), PRIOR), ROUNDS, kind=True)
    for t in (0, 1, 2, 10, 100, ROUNDS - 1):
        for lane in range(3):
            kinds = p.x[t, :, -1, lane]
            for k in range(K):
                X, r = of_kind(p, t, lane, int(kinds[k]))
                V = PRIOR * np.eye(D) + X.T @ X
                expected = confidence(V, V, X.T @ r, p.x[t, k : k + 1, :-1, lane], ALPHA)
                np.testing.assert_allclose(p.scores[t, k, lane], expected[0], rtol=1e-9, atol=1e-12)


def test_where_all_are_of_one_kind_disjoint_is_linucb() -> None:
    """The kind's column adds nothing to the other kind's model, nor a feature to this one's."""
    g = np.random.default_rng(5)
    ours, plain = linucb_disjoint(ALPHA, raw(D)), linucb(ALPHA, raw(D))
    mine, theirs = ours.init(2), plain.init(2)
    for t in range(100):
        x, reward, now = g.normal(size=(K, D, 2)), g.normal(size=2), np.full(2, t)
        both = np.concatenate([x, np.zeros((K, 1, 2))], axis=1)
        mask, none = np.ones((K, 2), np.bool_), np.empty((0, 2))
        np.testing.assert_allclose(
            ours.score(mine, Batch(both, mask, now), none), plain.score(theirs, Batch(x, mask, now), none), rtol=1e-12
        )
        mine = ours.update(mine, lesson(both[0], reward, mask[0], t, t), none)
        theirs = plain.update(theirs, lesson(x[0], reward, mask[0], t, t), none)


class Algorithm2:
    """Li et al. 2010, Alg. 2, line by line, with two arms and z = x."""

    def __init__(self, d: int) -> None:
        self.A0, self.b0 = np.eye(d), np.zeros(d)
        self.A, self.B, self.b = [np.eye(d)] * 2, [np.zeros((d, d))] * 2, [np.zeros(d)] * 2

    def score(self, x: F64, a: int) -> float:
        """Lines 5 and 8 to 13."""
        z, A0, A, B = x, np.linalg.inv(self.A0), np.linalg.inv(self.A[a]), self.B[a]
        beta = A0 @ self.b0
        theta = A @ (self.b[a] - B @ beta)
        s = z @ A0 @ z - 2 * z @ A0 @ B.T @ A @ x + x @ A @ x + x @ A @ B @ A0 @ B.T @ A @ x
        return float(z @ beta + x @ theta + ALPHA * np.sqrt(s))

    def learn(self, x: F64, a: int, r: float) -> None:
        """Lines 17 to 24."""
        z, A = x, np.linalg.inv(self.A[a])
        self.A0, self.b0 = self.A0 + self.B[a].T @ A @ self.B[a], self.b0 + self.B[a].T @ A @ self.b[a]
        self.A[a] = self.A[a] + np.outer(x, x)
        self.B[a] = self.B[a] + np.outer(x, z)
        self.b[a] = self.b[a] + r * x
        A = np.linalg.inv(self.A[a])
        self.A0 = self.A0 + np.outer(z, z) - self.B[a].T @ A @ self.B[a]
        self.b0 = self.b0 + r * z - self.B[a].T @ A @ self.b[a]


def test_hybrid_is_algorithm_2() -> None:
    p = play(linucb_hybrid(ALPHA, 1.0, raw(D), 1.0), ROUNDS, kind=True)
    for lane in range(2):
        paper = Algorithm2(D)
        for t in range(ROUNDS):
            x, kinds = p.x[t, :, :-1, lane], p.x[t, :, -1, lane].astype(int)
            expected = [paper.score(x[k], kinds[k]) for k in range(K)]
            np.testing.assert_allclose(p.scores[t, :, lane], expected, rtol=1e-9, atol=1e-10)
            if p.learn[t, lane]:
                paper.learn(p.taken[t, :-1, lane], int(p.taken[t, -1, lane]), p.reward[t, lane])


@pytest.mark.parametrize("prior", [1.0, 0.01])
def test_hybrid_without_a_shared_part_is_disjoint(prior: float) -> None:
    policies = linucb_hybrid(ALPHA, 0.0, raw(D), prior), linucb_disjoint(ALPHA, raw(D), prior)
    hybrid, disjoint = (play(policy, ROUNDS, kind=True).scores for policy in policies)
    np.testing.assert_allclose(hybrid, disjoint, rtol=1e-9, atol=1e-12)


def test_hybrid_is_a_regression_under_its_prior_covariance() -> None:
    """Any sharing: V is the inverse of the prior covariance of (w_task, w_tip) plus the sum of x x'."""
    sharing = 5.0
    p = play(linucb_hybrid(ALPHA, sharing, raw(D), PRIOR), 120, kind=True)
    covariance = np.kron(np.array([[1 + sharing, sharing], [sharing, 1 + sharing]]), np.eye(D)) / PRIOR
    both = np.concatenate([p.x[:, :, :-1] * (1 - p.x[:, :, -1:]), p.x[:, :, :-1] * p.x[:, :, -1:]], axis=2)
    known = p.learn[:-1, 0]
    X = np.take_along_axis(both, p.chosen[:, None, None, :], axis=1)[:-1, 0, :, 0][known]
    V = np.linalg.inv(covariance) + X.T @ X
    expected = confidence(V, V, X.T @ p.reward[:-1, 0][known], both[-1, :, :, 0], ALPHA)
    np.testing.assert_allclose(p.scores[-1, :, 0], expected, rtol=1e-9)


def test_features_without_the_kind_get_it_as_their_last() -> None:
    kinds = Kinds.of("oo7")
    assert kinds.phi.names == (*OO7, "is_llm")
    assert (kinds.base, kinds.phi.name, kinds.column, kinds.d) == ("oo7", "oo7+is_llm", 7, 7)
    c = offered()
    x, plain = np.empty((3, 8, 2)), np.empty((3, 7, 2))
    kinds.phi.encode(c, x)
    FEATURES["oo7"].encode(c, plain)
    np.testing.assert_array_equal(x[:, :7], plain)
    np.testing.assert_array_equal(x[:, 7], c.is_llm)


def test_features_that_hold_the_kind_stay_as_they_are_and_models_skip_it() -> None:
    kinds = Kinds.of("oo7x")
    assert kinds.phi is FEATURES["oo7x"]
    assert (OO7X[kinds.column], kinds.d) == ("is_llm", 23)
    assert kinds.column not in kinds.columns


def offered() -> Candidates:
    """Two tasks and a tip, in two lanes."""
    columns = {"is_overdue": [1, 0, 0], "task_age_days": [3, 0, 0], "priority": [4, 2, 1], "is_llm": [0, 0, 1]}
    rows = {name: np.repeat(np.array(v, np.float64)[:, None], 2, axis=1) for name, v in columns.items()}
    whole = np.ones((3, 2), np.bool_), np.full((3, 2), -1)
    return Candidates(**rows, hour=np.array([9, 18]), day=np.array([1, 6]), mask=whole[0], serial=whole[1])


def test_a_map_with_the_kind_is_equal_to_itself_made_again() -> None:
    phi: FeatureMap = raw(3)
    assert with_kind(phi) == with_kind(phi)
    assert with_kind(with_kind(phi)) == with_kind(phi)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("linucb_disjoint", {"alpha": -1.0}),
        ("linucb_disjoint", {"prior": 1e-5}),
        ("linucb_hybrid", {"sharing": -0.1}),
        ("linucb_hybrid", {"sharing": 101}),
        ("linucb_hybrid", {"prior": 2e-4}),  # with sharing 1 the shared direction is known three times less
    ],
)
def test_parameters_out_of_range_are_refused_by_name(name: str, wrong: dict[str, object]) -> None:
    with pytest.raises(UnknownPolicyError, match=f"policy {name}: {next(iter(wrong))} must be"):
        make(name, wrong)
