"""The predictable reward model: against ordinary ridge regression user by user, and blind to what comes later."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oo_sim import ope
from oo_sim.ope.sums import I64
from oo_sim.stats.intervals import F64

from .cases import log


def ragged(seed: int) -> tuple[F64, I64, I64, F64, I64]:
    """x (M, 3), first, chosen, r, user: users with different numbers of decisions, mixed up, of 1 to 5 candidates."""
    rng = np.random.default_rng(seed)
    user = rng.integers(0, 4, 40)
    sizes = rng.integers(1, 6, len(user))
    chosen = rng.integers(0, sizes)
    return rng.normal(size=(sizes.sum(), 3)), np.cumsum(sizes) - sizes, chosen, rng.normal(size=len(user)), user


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10.0))
@settings(max_examples=20, deadline=None)
def test_each_prediction_is_the_ridge_of_that_users_earlier_rewards(seed: int, prior: float) -> None:
    x, first, chosen, r, user = ragged(seed)
    q = ope.predictable_ridge(x, first, chosen, r, user, prior)
    ones = np.c_[np.ones(len(x)), x]
    ends = np.r_[first[1:], len(x)]
    for row, (start, stop) in enumerate(zip(first, ends, strict=True)):
        earlier = np.flatnonzero(user[:row] == user[row])
        v = ones[first[earlier] + chosen[earlier]]
        theta = np.linalg.solve(prior * np.eye(4) + v.T @ v, v.T @ r[earlier])
        assert q[start:stop] == pytest.approx(ones[start:stop] @ theta, abs=1e-9)


def test_a_reward_changes_only_that_users_later_predictions() -> None:
    x, first, chosen, r, user = ragged(1)
    before = ope.predictable_ridge(x, first, chosen, r, user)
    changed = r.copy()
    changed[12] += 5.0
    moved = before != ope.predictable_ridge(x, first, chosen, changed, user)
    owner = np.repeat(np.arange(len(first)), np.diff(np.r_[first, len(x)]))
    assert set(user[owner[moved]]) == {user[12]}
    assert owner[moved].min() > 12


def test_predictions_are_gathered_per_decision() -> None:
    first, q, pi = [0, 2, 3], [1.0, 2.0, 3.0, 4.0, 6.0], [0.5, 0.5, 1.0, 0.25, 0.75]
    assert ope.target_q(q, pi, first).tolist() == [1.5, 3.0, 5.5]
    assert ope.chosen_q(q, first, [1, 0, 0]).tolist() == [2.0, 3.0, 4.0]


def test_it_makes_doubly_robust_narrower_than_weights_alone() -> None:
    """On a log whose rewards the features explain, here without noise; both hold the truth."""
    made = log(11, users=400, rounds=60)
    n, K, d = made.x.shape
    first = np.arange(n) * K
    q = ope.predictable_ridge(made.x.reshape(-1, d), first, made.chosen, r := made.expected, made.decisions.user)
    model = ope.chosen_q(q, first, made.chosen), ope.target_q(q, made.pi.ravel(), first)
    w, user = made.decisions.w, made.decisions.user
    ips, dr = ope.ips(w, r, user), ope.dr(w, r, *model, user)
    assert not ips.excludes(made.truth)
    assert not dr.excludes(made.truth)
    assert dr.width < 0.9 * ips.width


def test_bad_input_is_named() -> None:
    x, first, chosen, r, user = ragged(2)
    with pytest.raises(ValueError, match="prior"):
        ope.predictable_ridge(x, first, chosen, r, user, prior=0.0)
    chosen[7] = 9
    with pytest.raises(ValueError, match="chosen: row 7 is 9"):
        ope.predictable_ridge(x, first, chosen, r, user)
